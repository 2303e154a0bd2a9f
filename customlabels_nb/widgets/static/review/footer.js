// Footer of the review: page navigation, keyboard hints, progress, and save state.

import { element, hint, setText } from "../shared/dom.js";
import { Footer } from "../shared/footer.js";

export class ReviewFooter extends Footer {
  ofSuspects = false;

  showSelection(count, { everything = false, labels = 0, drawn = false } = {}) {
    const range = labels > 1 ? `1–${Math.min(9, labels)}` : "1";
    const first = this.ofSuspects
      ? [hint("+", "take the suggestion"), hint("⏎", "keep")]
      : [hint("⏎", "approve")];
    const decide = [...first, hint(range, "correct"), hint("⌫", "reject")];
    const words = count
      ? [
          element("strong", { text: `${count.toLocaleString("en")} selected` }),
          ...decide,
          hint("Ctrl A", everything ? "page" : "all"),
          hint("Esc", "none"),
        ]
      : [
          ...decide,
          hint("Ctrl Z", "undo"),
          ...(drawn ? [hint("E", "edit boxes"), hint("H", "hide boxes")] : []),
          hint("?", "keys"),
        ];
    this.hints.replaceChildren(...words);
  }

  showProgress({ left, done }) {
    const total = left + done;
    setText(
      this.progress,
      `${done.toLocaleString("en")} of ${total.toLocaleString("en")} reviewed`,
    );
    this.bar.firstChild.style.width = total ? `${(100 * done) / total}%` : "0";
  }
}
