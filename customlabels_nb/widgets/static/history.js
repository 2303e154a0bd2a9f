// History panel as a separate widget.

import { element, setText } from "./shared/dom.js";
import { Notices } from "./shared/notices.js";
import { KernelGone, makeRequester } from "./shared/requests.js";
import { HistoryList } from "./history/list.js";

const LOOK_EVERY = 2_000;

class HistoryScreen {
  constructor(model, el) {
    this.model = model;
    this.request = makeRequester(model);
    this.notices = new Notices();
    this.title = element("strong", { class: "project" });
    this.list = new HistoryList(this.request, {
      said: (text, options) => this.notices.say("history", text, options),
    });
    this.root = element(
      "div",
      { class: "clnb clnb-history loading" },
      element(
        "div",
        { class: "band toolbar" },
        this.title,
        element("span", { class: "faint", text: "who changed what and when" }),
      ),
      this.notices.node,
      element("div", { class: "body" }, this.list.node),
    );
    el.append(this.root);
    this.onPush = (message) => {
      if (message?.push) this._refresh();
    };
    model.on("msg:custom", this.onPush);
    this.looker = setInterval(() => {
      if (!document.hidden) this._refresh();
    }, LOOK_EVERY);
    this._refresh();
  }

  async _refresh() {
    if (this.looking) return;
    this.looking = true;
    try {
      await this.list.load({ quiet: true });
      setText(this.title, this.list.project);
      this.notices.drop("gone");
      this.root.classList.remove("loading");
    } catch (error) {
      if (!this.closed)
        this.notices.say(
          "gone",
          error instanceof KernelGone
            ? "The kernel does not respond. Run the cell again to continue."
            : error.message,
          { kind: "error" },
        );
    } finally {
      this.looking = false;
    }
  }

  close() {
    this.closed = true;
    clearInterval(this.looker);
    this.model.off("msg:custom", this.onPush);
    this.request.close();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const screen = new HistoryScreen(model, el);
    return () => screen.close();
  },
};
