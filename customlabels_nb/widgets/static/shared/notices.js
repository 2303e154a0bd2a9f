// Sentences that need a person: what could not be saved, what somebody else did. Each has at most one next step.

import { element } from "./dom.js";

export class Notices {
  constructor() {
    this.node = element("div", { class: "notices", attributes: { role: "alert" } });
    this.open = new Map();
  }

  // One notice a `key`: a later one takes its place.
  say(key, text, { step = null, kind = "info" } = {}) {
    this.drop(key);
    const notice = element(
      "div", { class: `notice ${kind}` }, element("span", { text }),
      step && element("button", { type: "button", text: step.label, on: { click: () => { this.drop(key); step.run(); } } }),
      element("button", { type: "button", class: "plain", text: "×", attributes: { "aria-label": "dismiss" }, on: { click: () => this.drop(key) } }),
    );
    this.open.set(key, notice);
    this.node.append(notice);
  }

  drop(key) {
    this.open.get(key)?.remove();
    this.open.delete(key);
  }
}
