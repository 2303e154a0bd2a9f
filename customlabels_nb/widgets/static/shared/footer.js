// Footer: page navigation, keyboard hints, progress, and save state.

import { element, hint, setText } from "./dom.js";
import { PAGE_SIZES, pageEnd, positionText } from "./pages.js";
import { helpButton } from "./panels.js";
import { showSavedState } from "./sending.js";

// Return the keys of the labels, and what they do. Without labels, 1 asks for the first one.
function labelKeys(labels) {
  return [labels > 1 ? `1–${Math.min(9, labels)}` : "1", labels ? "label" : "first label"];
}

export class Footer {
  // `on` has page(by), jump(number), size(number), help().
  constructor(on) {
    const button = (text, label, action) =>
      element("button", {
        class: "turn",
        text,
        title: label,
        attributes: { "aria-label": label },
        on: { click: action },
      });
    this.position = element("span", { class: "position" });
    this.back = button("‹", "Previous page (Page Up)", () => on.page(-1));
    this.next = button("›", "Next page (Page Down)", () => on.page(1));
    this.number = element("input", {
      type: "number",
      class: "jump",
      min: 1,
      step: 1,
      title: "Page number",
      attributes: { "aria-label": "Page number" },
      on: {
        change: () => on.jump(Number(this.number.value) - 1),
        keydown: (event) => {
          event.stopPropagation();
          if (event.key === "Escape") on.leave();
        },
      },
    });
    this.pages = element("span", { class: "pages" });
    this.size = element(
      "select",
      {
        attributes: { "aria-label": "Images per page" },
        data: { menu: "size" },
        on: { change: () => on.size(Number(this.size.value)) },
      },
      ...PAGE_SIZES.map((value) =>
        element("option", { value: String(value), text: `${value} per page` }),
      ),
    );
    this.hints = element("span", { class: "hints" });
    this.spoken = element("span", { class: "spoken", attributes: { "aria-live": "polite" } });
    this.bar = element("span", { class: "bar" }, element("span"));
    this.progress = element("span", { class: "done" });
    this.state = element("span", { class: "state" });
    this.help = helpButton(on.help);
    // the last element, to which Shift Tab leads from the annotator below
    this.help.addEventListener("focus", ({ relatedTarget }) => {
      if (relatedTarget?.closest(".clnb-annotator")) on.leave();
    });
    this.node = element(
      "div",
      { class: "band foot" },
      this.position,
      this.back,
      this.number,
      this.pages,
      this.next,
      element("label", { class: "menu" }, this.size),
      this.hints,
      element("span", { class: "spring" }),
      this.progress,
      this.bar,
      this.state,
      this.help,
      this.spoken,
    );
  }

  showPlace(start, size, total) {
    setText(this.position, positionText(start, size, total));
    this.back.disabled = start <= 0;
    this.next.disabled = pageEnd(start, size, total) >= total;
    const pages = Math.max(1, Math.ceil(total / size));
    this.number.max = pages;
    if (this.number !== this.number.ownerDocument.activeElement)
      this.number.value = Math.floor(start / size) + 1;
    setText(this.pages, `/ ${pages.toLocaleString("en")}`);
    this.size.value = String(size);
  }

  showSelection(count, { everything = false, labels = 0, single = false, drawn = false } = {}) {
    const [range, label] = labelKeys(labels);
    const hiding = drawn ? [hint(".", "hide boxes")] : [];
    const words = count
      ? [
          element("strong", { text: `${count.toLocaleString("en")} selected` }),
          hint(range, label),
          hint("0", "skip"),
          hint("Ctrl A", everything ? "page" : "all"),
          hint("Esc", "none"),
        ]
      : single
        ? [
            hint(range, labels ? "label and next" : label),
            hint("0", "skip"),
            hint(["←", "→"], "previous, next"),
            ...hiding,
            hint("?", "keys"),
          ]
        : [
            hint(range, label),
            hint("Space", "select"),
            hint("⇧", "click range"),
            hint("⏎", "submit"),
            ...hiding,
            hint("?", "keys"),
          ];
    this.hints.replaceChildren(...words);
  }

  // Show the keys of a queue.
  showKeys(queue, labels) {
    const [range, label] = labelKeys(labels);
    const hints =
      queue === "clustered"
        ? [hint(range, label), hint("Space", "in or out"), hint("→", "next tile")]
        : [hint(range, "correct"), hint("⌫", "reject"), hint("⏎", "accept the page")];
    this.hints.replaceChildren(...hints, hint("Ctrl Z", "undo the page"), hint("?", "all keys"));
  }

  showCluster(cluster, count) {
    setText(
      this.position,
      cluster
        ? `cluster page ${cluster.number.toLocaleString("en")} · ${count} ${count === 1 ? "image" : "images"}`
        : "no images",
    );
  }

  // Show where the page is in words, and the keys of crops.
  showCrops(words, labels) {
    setText(this.position, words);
    this.hints.replaceChildren(
      hint(labelKeys(labels)[0], "relabel"),
      hint("Del", "remove"),
      hint("E", "edit"),
      hint("Enter", "confirm"),
    );
  }

  // `finished` is the status of what is done.
  showProgress(statuses, finished = "labelled") {
    const total = Object.values(statuses).reduce((sum, count) => sum + count, 0);
    const done = statuses[finished] ?? 0;
    const skipped = statuses.skipped ? ` · ${statuses.skipped.toLocaleString("en")} skipped` : "";
    setText(
      this.progress,
      `${done.toLocaleString("en")} of ${total.toLocaleString("en")} ${finished}${skipped}`,
    );
    const parts = Object.entries(statuses).filter(
      ([name, count]) => name !== finished && name !== "unlabelled" && count,
    );
    this.progress.title = parts
      .map(([name, count]) => `${count.toLocaleString("en")} ${name.replace("_", " ")}`)
      .join(", ");
    this.bar.firstChild.style.width = total ? `${(100 * done) / total}%` : "0";
  }

  // Let screen readers say what happened, also if it is the same again.
  speak(text) {
    this.spoken.textContent = text;
  }

  showState(state, waiting) {
    showSavedState(this.state, state, waiting);
  }
}
