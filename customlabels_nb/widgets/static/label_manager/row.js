// Row of one label. The node is created once and reused for other labels.

import { element, setText } from "../shared/dom.js";

export class LabelRow {
  // `on` has rename(label, name), leave().
  constructor({ id, on }) {
    this.on = on;
    this.grip = element("span", {
      class: "grip",
      text: "⠿",
      title: "Drag to reorder (Alt ↑↓)",
      attributes: { "aria-hidden": "true" },
    });
    this.key = element("span", { class: "key" });
    this.swatch = element("button", { type: "button", class: "swatch", tabIndex: -1 });
    this.name = element("bdi", { class: "name" });
    this.train = element("span", { class: "uses" });
    this.test = element("span", { class: "uses" });
    this.node = element(
      "div",
      { class: "label-row", id, attributes: { role: "option", "aria-selected": "false" } },
      this.grip,
      this.key,
      this.swatch,
      element("span", { class: "name-place" }, this.name),
      this.train,
      this.test,
    );
  }

  get isRenaming() {
    return this.field !== undefined;
  }

  show({ label, color }, position, uses) {
    this.label = label;
    this.node.dataset.label = label;
    this.node.style.setProperty("--label-color", color);
    setText(this.key, position < 9 ? String(position + 1) : "");
    setText(this.name, label);
    this.name.title = label;
    this.swatch.title = `Color ${color} (C)`;
    this.swatch.setAttribute("aria-label", `Color of ${label}`);
    this.showUses(uses);
  }

  showUses(uses) {
    const [train, test] = uses ?? [null, null];
    setText(this.train, train === null ? "" : train.toLocaleString("en"));
    setText(this.test, test === null ? "" : test.toLocaleString("en"));
    const words = uses ? `, ${train} in train, ${test} in test` : "";
    this.node.setAttribute("aria-label", `${this.label}${words}`);
  }

  mark(focused) {
    this.node.classList.toggle("focused", focused);
    this.node.setAttribute("aria-selected", String(focused));
  }

  // Commit the text in the field, if it is open.
  finish() {
    if (this.isRenaming) this.end(true);
  }

  // Turn the name into a field: Enter or leaving it renames, Esc cancels.
  rename() {
    if (this.isRenaming) return;
    const { label } = this;
    const end = (keep) => {
      if (this.field !== field) return;
      this.field = undefined;
      const name = field.value.trim();
      field.replaceWith(this.name);
      if (keep && name && name !== label) this.on.rename(label, name);
    };
    const field = element("input", {
      type: "text",
      class: "renaming",
      value: label,
      maxLength: 256,
      attributes: { "aria-label": `New name of ${label}` },
      on: {
        blur: () => end(true),
        keydown: (event) => {
          event.stopPropagation();
          if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
          event.preventDefault();
          end(event.key === "Enter");
          this.on.leave();
        },
      },
    });
    this.field = field;
    this.end = end;
    this.name.replaceWith(field);
    field.focus();
    field.select();
  }
}
