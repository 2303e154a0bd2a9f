// Short message about the last edit, with a button to undo it. It disappears by itself.

import { element, keyHint, setText, show } from "./dom.js";

const SHOWN_FOR = 5_000;

export class Toast {
  constructor(undo) {
    this.words = element("span", {});
    this.undo = element("button", { type: "button", text: "Undo ", on: { click: () => { this.close(); undo(); } } }, keyHint("Ctrl Z"));
    this.node = element("div", { class: "toast", hidden: true, attributes: { role: "status" } }, this.words, this.undo);
  }

  say(text) {
    clearTimeout(this.timer);
    setText(this.words, text);
    show(this.node, true);
    this.timer = setTimeout(() => this.close(), SHOWN_FOR);
  }

  close() {
    clearTimeout(this.timer);
    show(this.node, false);
  }
}

// Describe an edit of the gallery of `count` images, or return null if no message is needed.
export function editText({ op, label, status }, count) {
  const images = count.toLocaleString("en");
  if (op === "label") return `${images} → ${label}`;
  if (op === "unlabel") return `${images} without ${label}`;
  if (op === "clear") return `${images} without labels`;
  if (op === "status") return `${images} ${status.replace("_", " ")}`;
  return op === "accept" ? `${images} accepted` : null;
}
