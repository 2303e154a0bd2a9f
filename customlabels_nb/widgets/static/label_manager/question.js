// Inline question below a label or above the list. Only one is open at a time. Esc closes it.

import { element } from "../shared/dom.js";

export class Question {
  // `onClose` restores the focus.
  constructor({ onClose }) {
    this.onClose = onClose;
    this.node = element("div", {
      class: "question",
      hidden: true,
      attributes: { role: "group" },
      on: { keydown: (event) => this._key(event) },
    });
    this.label = null;
  }

  get isOpen() {
    return !this.node.hidden;
  }

  get mainButton() {
    return this.node.querySelector("button.primary");
  }

  // Open below the node `place`. `label` is the label in question, if any. The element with data-first gets the focus.
  open(anchor, label, title, ...children) {
    this.settle?.(null);
    this.label = label;
    this.node.setAttribute("aria-label", title);
    const closer = element("button", {
      type: "button",
      class: "plain closer",
      text: "×",
      title: "Close (Esc)",
      attributes: { "aria-label": "Close" },
      on: { click: () => this.close() },
    });
    this.node.replaceChildren(closer, element("p", { text: title }), ...children);
    this.node.hidden = false;
    anchor.after(this.node);
    (
      this.node.querySelector("[data-first]") ??
      this.node.querySelector("input, .choices button") ??
      closer
    ).focus();
    this.node.scrollIntoView({ block: "nearest" });
  }

  // Ask with buttons [{ value, text, primary, danger, first, disabled }, …]. Resolves with the value of the chosen
  // one, or null if the question is closed. `children` come before the buttons. Without them the `first` button, or
  // the first one, is focused.
  ask(anchor, label, title, choices, ...children) {
    return new Promise((resolve) => {
      const buttons = choices.map(
        ({ value, text, primary = false, danger = false, first = false, disabled = false }) =>
          element("button", {
            type: "button",
            class: `${primary ? "primary" : ""}${danger ? " danger" : ""}`,
            text,
            disabled,
            data: first ? { first: "" } : {},
            on: { click: () => this.close(value) },
          }),
      );
      this.open(
        anchor,
        label,
        title,
        ...children,
        element("div", { class: "choices" }, ...buttons),
      );
      this.settle = (value) => {
        this.settle = null;
        resolve(value);
      };
    });
  }

  close(value = null) {
    if (!this.isOpen) return;
    this.node.hidden = true;
    this.node.replaceChildren();
    this.label = null;
    this.settle?.(value);
    this.onClose();
  }

  _key(event) {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    this.close();
  }
}
