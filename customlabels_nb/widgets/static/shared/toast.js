// Short message about the last edit, with a button to undo it. It disappears by itself.

import { element, keyHint, show } from "./dom.js";

const SHOWN_FOR = 5_000;
const DONE = {
  accept: "accepted",
  approve: "approved",
  reject: "rejected",
  remove: "removed",
  right: "right",
  suggest: "corrected",
  wrong: "wrong",
};

export class Toast {
  constructor(undo) {
    this.words = element("span", {});
    this.undo = element(
      "button",
      {
        text: "Undo ",
        on: {
          click: () => {
            this.close();
            undo();
          },
        },
      },
      keyHint("Ctrl Z"),
    );
    this.box = element("div", { class: "toast", hidden: true }, this.words, this.undo);
    // above the element that follows
    this.node = element("div", { class: "toast-place", attributes: { role: "status" } }, this.box);
  }

  say(text, { canUndo = true } = {}) {
    clearTimeout(this.timer);
    this.words.textContent = text; // a new node, which screen readers say again
    show(this.undo, canUndo);
    show(this.box, true);
    this.timer = setTimeout(() => this.close(), SHOWN_FOR);
  }

  close() {
    clearTimeout(this.timer);
    show(this.box, false);
  }
}

// Describe an edit of `count` images, or return null if no message is needed. In a labelling job, images
// without a label have no answer.
export function editText({ op, label, status }, count, { isJob = false } = {}) {
  const images = count.toLocaleString("en");
  if (op === "label") return `${images} → \u2068${label}\u2069`;
  if (op === "unlabel") return `${images} without \u2068${label}\u2069`;
  if (op === "clear")
    return isJob
      ? `${images} ${count === 1 ? "answer" : "answers"} withdrawn`
      : `${images} without labels`;
  if (op === "status" && status === "labelled") return `${images}: nothing here`;
  if (op === "status") return `${images} ${status.replace("_", " ")}`;
  return op in DONE ? `${images} ${DONE[op]}` : null;
}
