// Add the photo to the dataset, with additional labels.

import { element, setText, show } from "../shared/dom.js";

export class Adding {
  // `on` has add(split), undo(), label(text), leave().
  constructor(on) {
    const listId = `clnb-own-labels-${Math.random().toString(36).slice(2)}`;
    this.field = element("input", {
      type: "text",
      class: "own-label",
      maxLength: 256,
      placeholder: "Add label…",
      title: "Add a label to the photo (L)",
      attributes: { list: listId, "aria-label": "Add a label to the photo" },
      on: { keydown: (event) => this._key(event, on), change: () => this._give(on) },
    });
    this.known = element("datalist", { id: listId });
    this.split = element(
      "select",
      { attributes: { "aria-label": "Dataset" }, data: { menu: "split" } },
      ...["train", "test"].map((name) => element("option", { value: name, text: name })),
    );
    this.button = element("button", {
      class: "primary add",
      title: "Add the photo with these labels to the dataset (Ctrl Enter)",
      on: { click: () => on.add(this.split.value) },
    });
    this.words = element("bdi", { class: "as" });
    this.undo = element("button", {
      class: "undo",
      text: "Undo",
      title: "Remove the photo from the dataset (Ctrl Z)",
      on: { click: on.undo },
    });
    this.done = element("p", { class: "done", attributes: { role: "status" } });
    this.node = element(
      "div",
      { class: "adding", hidden: true },
      this.field,
      this.known,
      element(
        "div",
        { class: "line" },
        element("label", { class: "menu" }, element("span", { text: "Add to" }), this.split),
        element("span", { class: "faint as-words" }, "as ", this.words),
      ),
      element("div", { class: "line" }, this.button, this.done, this.undo),
    );
  }

  // `words`: labels that would be added. `added`: { split, labels } if the photo is in the dataset.
  draw({ project, answer, added, words, isBusy }) {
    const isPossible = Boolean(project && !project.read_only && answer);
    show(this.node, isPossible);
    if (!isPossible) return;
    const state = JSON.stringify(project.labels);
    if (state !== this.labels) {
      this.labels = state;
      this.known.replaceChildren(
        ...project.labels.map(({ label }) => element("option", { value: label })),
      );
    }
    show(this.field, !answer.detects && !added);
    show(this.split.closest(".line"), !added);
    show(this.button, !added);
    show(this.done, Boolean(added));
    show(this.undo, Boolean(added));
    this.button.disabled = isBusy;
    setText(this.words, words);
    this.words.parentElement.title = words;
    setText(this.button, isBusy ? "Adding…" : "Add photo");
    if (added)
      setText(
        this.done,
        `✓ in ${added.split}: ${added.labels.join(", ") || "nothing in this image"}`,
      );
  }

  _give(on) {
    const text = this.field.value.trim();
    this.field.value = "";
    if (text) on.label(text);
  }

  _key(event, on) {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this._give(on);
      on.add(this.split.value);
    } else if (event.key === "Enter") {
      event.preventDefault();
      this._give(on);
    } else if (event.key === "Escape") {
      this.field.value = "";
      on.leave();
    }
  }
}
