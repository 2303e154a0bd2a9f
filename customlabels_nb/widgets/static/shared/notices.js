// Notices for the user, such as failed saves and conflicts. Each has at most one action.

import { element, keepKeys } from "./dom.js";

export class Notices {
  constructor() {
    this.node = element("div", { class: "notices", attributes: { role: "alert" } });
    this.open = new Map();
  }

  // Show a notice, with a list of `lines` below its text. It replaces the earlier one with the same `key`.
  say(key, text, { step = null, kind = "info", lines = [] } = {}) {
    this.drop(key);
    const notice = element(
      "div",
      { class: `notice ${kind}` },
      element("span", { text }),
      step &&
        element("button", {
          text: step.label,
          on: {
            click: () => {
              this.drop(key);
              step.run();
            },
          },
        }),
      element("button", {
        class: "plain",
        text: "×",
        attributes: { "aria-label": "Dismiss" },
        on: { click: () => this.drop(key) },
      }),
      lines.length
        ? keepKeys(
            element("ul", { tabIndex: 0 }, ...lines.map((line) => element("li", { text: line }))),
          )
        : null,
    );
    this.open.set(key, notice);
    this.node.append(notice);
  }

  drop(key) {
    this.open.get(key)?.remove();
    this.open.delete(key);
  }
}
