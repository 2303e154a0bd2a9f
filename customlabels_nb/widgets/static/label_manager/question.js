// A question in the list, below the label that it is about or above them all: one at a time, closed by Esc.

import { element } from "../shared/dom.js";

export class Question {
  // `onClose` gives the keyboard back.
  constructor({ onClose }) {
    this.onClose = onClose;
    this.node = element("div", { class: "question", hidden: true, attributes: { role: "group" }, on: { keydown: (event) => this._key(event) } });
    this.label = null;
  }

  get isOpen() {
    return !this.node.hidden;
  }

  get mainButton() {
    return this.node.querySelector("button.primary");
  }

  // After the node `place`; `label` is what it is about, if it is about one. The field or button with data-first gets
  // the keyboard.
  open(place, label, title, ...children) {
    this.settle?.(null);
    this.label = label;
    this.node.setAttribute("aria-label", title);
    const closer = element("button", { type: "button", class: "plain closer", text: "×", title: "close (Esc)", attributes: { "aria-label": "close" }, on: { click: () => this.close() } });
    this.node.replaceChildren(closer, element("p", { text: title }), ...children);
    this.node.hidden = false;
    place.after(this.node);
    (this.node.querySelector("[data-first]") ?? this.node.querySelector("input, .choices button") ?? closer).focus();
    this.node.scrollIntoView({ block: "nearest" });
  }

  // Buttons, [{ value, text, primary, first, disabled }, …]; resolves with the value of the one chosen, with null if it is
  // closed otherwise. `children` come before the buttons; without them the keyboard is on the `first` or the first.
  ask(place, label, title, choices, ...children) {
    return new Promise((resolve) => {
      const buttons = choices.map(({ value, text, primary = false, first = false, disabled = false }) => element("button", {
        type: "button", class: primary ? "primary" : "", text, disabled, data: first ? { first: "" } : {},
        on: { click: () => this.close(value) },
      }));
      this.open(place, label, title, ...children, element("div", { class: "choices" }, ...buttons));
      this.settle = (value) => { this.settle = null; resolve(value); };
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
