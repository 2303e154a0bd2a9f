// Base of the dashboards: a screen of numbers that follows changes, and opens images in a widget below.

import { Tooltip } from "../shared/charts.js";
import { element, keepKeys, setText, show, whenBelow } from "../shared/dom.js";
import { Notices } from "../shared/notices.js";
import { Panel } from "../shared/panel.js";
import { greet, KernelGone, makeRequester } from "../shared/requests.js";
import { counted } from "../shared/numbers.js";

const FOLLOW_EACH = 2_000;

export class FollowingScreen {
  constructor(model, el, { kind, title, hints }) {
    this.request = makeRequester(model, {
      patience: 30_000, // milliseconds; a large gallery takes time to open
      onPush: ({ push, news }) => (push === "news" ? this.receive(news) : this._follow()),
    });
    this.root = keepKeys(
      element("div", {
        class: `clnb clnb-dashboard loading ${kind}`,
        tabIndex: -1,
        attributes: { role: "region", "aria-label": title },
      }),
    );
    this.panel = new Panel({ onClose: () => this.root.focus({ preventScroll: true }) });
    this.notices = new Notices();
    this.tooltip = new Tooltip(this.root);
    this.title = element("strong", { class: "project" });
    this.summary = element("span", { class: "faint summary" });
    this.empty = element("div", { class: "empty", hidden: true });
    this.below = element("span", { class: "below" });
    this.closer = element("button", {
      class: "plain",
      text: "Close gallery",
      hidden: true,
      on: { click: () => this._closeGallery() },
    });
    this.hints = element("span", { class: "hints", text: hints });
    this.state = element("span", { class: "state saved" });
    this.footer = element(
      "div",
      { class: "band foot" },
      this.below,
      this.closer,
      this.hints,
      this.state,
    );
    this.root.append(...this.build(), this.footer, this.panel.node, this.tooltip.node);
    el.append(this.root);
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(this.root);
    this._hello();
  }

  // Subclasses replace these methods: build() returns the nodes above the foot, greeting() and known() the content of
  // "hello" and "follow", and `reading` what to say while numbers are missing.
  build() {
    return [];
  }

  greeting() {
    return {};
  }

  known() {}
  take(_news) {}
  draw() {}

  get reading() {
    return "";
  }

  get followEach() {
    return FOLLOW_EACH;
  }

  // -- requests to the kernel -------------------------------------------------------------------------
  async _hello() {
    try {
      const [news] = await greet(this.request, this.greeting());
      if (this.closed) return;
      this.receive(news);
      this.followSoon();
    } catch (error) {
      if (this.closed) return;
      const gone = error instanceof KernelGone;
      this.explain(
        gone ? "The kernel does not respond. Run the cell again to continue." : error.message,
        { label: "Try again", run: () => this._hello() },
      );
    } finally {
      this.root.classList.remove("loading");
    }
  }

  followSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this._follow(), this.followEach);
  }

  async _follow() {
    if (this.closed) return;
    try {
      if (!document.hidden) {
        const [news] = await this.request("follow", this.known());
        if (this.closed) return;
        this.notices.drop("gone");
        this.receive(news);
        this.updateState(true);
      }
    } catch (error) {
      if (this.closed) return;
      if (error instanceof KernelGone) {
        this.updateState(false);
        this.notices.say(
          "gone",
          "The kernel does not respond. These numbers may be outdated. Run the cell again to continue.",
          { kind: "error" },
        );
      } else this.notices.say("gone", error.message, { kind: "error" });
    }
    this.followSoon();
  }

  receive(news) {
    if (!this.closed) this.take(news);
  }

  // Send a request whose answer is news. Resolves with false after an error, which is shown.
  async begin(kind, content) {
    try {
      const [news] = await this.request(kind, content);
      this.receive(news);
      return true;
    } catch (error) {
      this.notices.say(kind, error.message, { kind: "error" });
      return false;
    }
  }

  async openBelow(content, words) {
    setText(this.below, "opening…");
    this.tooltip.hide();
    try {
      const [{ total, unit = ["image"], more = "" }] = await this.request("open", content);
      if (this.closed) return;
      this.notices.drop("open");
      setText(this.below, `Below: ${words}${more}`);
      this.below.title = `${words}: ${counted(total, ...unit)}${more}`;
      show(this.closer, true);
      whenBelow(this, (gallery) => gallery.scrollIntoView({ block: "nearest" }));
    } catch (error) {
      setText(this.below, "");
      this.notices.say("open", error.message, { kind: "error" });
    }
  }

  async _closeGallery() {
    show(this.closer, false);
    setText(this.below, "");
    this.root.focus({ preventScroll: true });
    await this.begin("close", {});
  }

  // -- painting ---------------------------------------------------------------------------------------
  explain(text, step = null) {
    show(this.empty, true);
    this.empty.replaceChildren(
      element("p", { text }),
      ...(step ? [element("button", { text: step.label, on: { click: step.run } })] : []),
    );
  }

  updateState(isAlive) {
    this.state.className = `state ${isAlive ? "saved" : "lost"}`;
    setText(this.state, this.reading || (isAlive ? "up to date" : "not up to date"));
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.resizing.disconnect();
    this.request.close();
    this.root.remove();
  }
}
