// Label manager as a separate widget: the pane of labels, with polling for changes of others.

import { element } from "./shared/dom.js";
import { makeRequester } from "./shared/requests.js";
import { LabelPane } from "./label_manager/pane.js";

const FOLLOW_EVERY = 2_000;

class LabelManager {
  constructor(model, el) {
    this.model = model;
    this.request = makeRequester(model);
    this.pane = new LabelPane({
      request: this.request,
      on: {
        focus: (label) => {
          this.request("label", { label }).catch(() => {});
        },
      },
    });
    this.root = element("div", { class: "clnb clnb-label-manager loading" }, this.pane.node);
    el.append(this.root);
    this.onPush = (message) => {
      if (message?.push === "follow") this._follow({ again: true });
    };
    model.on("msg:custom", this.onPush);
    this.follower = setInterval(() => {
      if (!document.hidden) this._follow();
    }, FOLLOW_EVERY);
    this._follow();
  }

  async _follow({ again = false } = {}) {
    if (this.following) {
      // later changes are requested when the current poll ends
      this.again ||= again;
      return;
    }
    this.following = true;
    try {
      await this.pane.follow();
      this.root.classList.remove("loading");
    } catch {
      if (!this.closed) this.pane.showLost();
    } finally {
      this.following = false;
    }
    if (this.again && !this.closed) {
      this.again = false;
      this._follow();
    }
  }

  close() {
    this.closed = true;
    clearInterval(this.follower);
    this.pane.close();
    this.model.off("msg:custom", this.onPush);
    this.request.close();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const manager = new LabelManager(model, el);
    return () => manager.close();
  },
};
