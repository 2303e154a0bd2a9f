// Label toolbar: labels with shortcut key and count, and a field to find or add a label.

import { chip, colorOf } from "./chips.js";
import { inkOn } from "./colors.js";
import { element, keyHint, leaving, setText, show } from "./dom.js";
import { findLabels } from "./rows.js";

export const KEYS = 9; // labels with a shortcut key
const LABELS_SHOWN = 40;
const LABELS_SUGGESTED = 8;
const LABELS_OF_CROPS = 4; // of the selected boxes

// Return the prompt of the field for the first label of a project.
export function firstLabelText(selected) {
  return `${selected ? `${selected.toLocaleString("en")} selected` : "1 image"}: type the label`;
}

export class LabelBar {
  // `on` has choose(label), add(label), leave(), task(name).
  constructor(on) {
    this.on = on;
    this.labels = [];
    this.placeholder = null;
    this.list = element("div", {
      class: "labels",
      attributes: { role: "toolbar", "aria-label": "Labels" },
    });
    this.field = element("input", {
      type: "text",
      class: "finder",
      maxLength: 256,
      placeholder: "Find or add a label…",
      attributes: {
        "aria-label": "Find or add a label",
        role: "combobox",
        "aria-expanded": "false",
        "aria-autocomplete": "list",
      },
      on: {
        input: () => this._suggest(),
        keydown: (event) => this._key(event),
        blur: () => this._close(),
        focus: () => this._suggest(),
      },
    });
    this.suggestions = element("div", {
      class: "suggestions",
      hidden: true,
      attributes: { role: "listbox" },
    });
    this.rule = element("span", { class: "rule" });
    this.unfolded = false;
    this.more = element("button", {
      class: "plain unfold",
      hidden: true,
      on: {
        click: () => {
          this.unfolded = !this.unfolded;
          this.fit();
          this.on.leave();
        },
      },
    });
    this.node = element(
      "div",
      { class: "band labelbar" },
      this.list,
      this.more,
      element("span", { class: "finding-field" }, this.field, keyHint("/"), this.suggestions),
      element("span", { class: "spring" }),
      this.rule,
    );
  }

  // `alone`: without a task, a label replaces the others. With `crops`, showCrops() says what a label applies to.
  update({ labels, counts, task, alone = false, readOnly, isFixed = false, crops = false }) {
    this.isFixed = isFixed; // no labels can be added
    if (isFixed) this.field.placeholder = "Find a label…";
    const state = JSON.stringify([labels, readOnly]);
    if (state !== this.state) this._build(labels, readOnly); // keep unchanged buttons, so that they keep the focus
    this.state = state;
    this.counts.forEach((node, label) =>
      setText(node, (Object.hasOwn(counts, label) ? counts[label] : 0).toLocaleString("en")),
    );
    if (!crops || readOnly) this._rule(task, readOnly, alone);
  }

  // Say how many boxes are selected, with the labels that they have.
  showCrops(words, labels) {
    this.rule.replaceChildren(
      ...(words
        ? [
            element("span", { text: labels.length ? `${words} ·` : words }),
            ...labels
              .slice(0, LABELS_OF_CROPS)
              .map((label) => chip(label, colorOf(label, this.labels))),
            element("span", { text: "→ a key relabels them" }),
          ]
        : ["a key relabels the box in focus"]),
    );
  }

  _build(labels, readOnly) {
    this.labels = labels;
    this.counts = new Map(
      labels
        .slice(0, LABELS_SHOWN)
        .map(({ label }) => [label, element("span", { class: "count" })]),
    );
    this.list.replaceChildren(
      ...labels.slice(0, LABELS_SHOWN).map(({ label, color }, index) =>
        element(
          "button",
          {
            class: "label",
            disabled: readOnly,
            style: { "--label-color": color, "--label-ink": inkOn(color) },
            data: { label },
            title: index < KEYS ? `${label} (key ${index + 1})` : label,
            on: { click: leaving(this.on, () => this.on.choose(label)) },
          },
          element("span", { class: "key", text: index < KEYS ? String(index + 1) : "" }),
          element("bdi", { text: label }),
          this.counts.get(label),
        ),
      ),
    );
    if (labels.length > LABELS_SHOWN)
      this.list.append(
        element("span", { class: "more", text: `and ${labels.length - LABELS_SHOWN} more` }),
      );
    if (!labels.length)
      this.list.append(
        element("span", { class: "more", text: "No labels yet. Type the first one." }),
      );
    show(this.field.parentElement, !readOnly);
    this.fit();
  }

  // Fold the labels after the row of the ninth, the last one with a key, and count those that are hidden.
  fit() {
    const nodes = [...this.list.querySelectorAll(".label")];
    const last = nodes[Math.min(KEYS, nodes.length) - 1];
    if (!last?.offsetHeight) return show(this.more, false);
    const end = last.offsetTop + last.offsetHeight;
    const hidden = this.labels.length - nodes.filter((node) => node.offsetTop < end).length;
    this.list.classList.toggle("folded", !this.unfolded && hidden > 0);
    this.list.style.maxHeight =
      !this.unfolded && hidden > 0 ? `${end - this.list.offsetTop + 2}px` : "";
    this.more.setAttribute("aria-expanded", String(this.unfolded));
    setText(this.more, this.unfolded ? "fewer" : `${hidden.toLocaleString("en")} more`);
    return show(this.more, hidden > 0);
  }

  _rule(task, readOnly, alone) {
    if (readOnly) return this.rule.replaceChildren("read-only");
    const words = {
      "single-label": "one label per image",
      "multi-label": "several labels per image",
      boxes: "boxes (labels here apply to the entire image)",
      polygons: "polygons (labels here apply to the entire image)",
    };
    if (task) return this.rule.replaceChildren(words[task] ?? task);
    const state = String(alone);
    if (this.rule.firstChild?.dataset?.alone === state) return undefined; // a button keeps its focus
    const choice = (name, text, current) =>
      element("button", {
        class: current ? "tab current" : "tab",
        text,
        attributes: { "aria-pressed": String(current) },
        title: current
          ? "Assumed until you choose. Click to keep it."
          : `Change to ${text} per image`,
        on: { click: leaving(this.on, () => this.on.task(name)) },
      });
    return this.rule.replaceChildren(
      element(
        "span",
        {
          class: "tabs",
          data: { alone: state },
          attributes: { role: "group", "aria-label": "Labels per image" },
        },
        choice("single-label", "one label", alone),
        choice("multi-label", "several", !alone),
      ),
    );
  }

  // `placeholder` says what the typed label will be assigned to.
  begin(text, placeholder = null) {
    this.placeholder ??= this.field.placeholder;
    this.field.placeholder = placeholder ?? this.placeholder;
    this.field.value = text;
    this.field.focus();
    this.field.setSelectionRange(text.length, text.length);
    this._suggest();
  }

  _suggest() {
    const text = this.field.value;
    const matches = findLabels(this.labels, text).slice(0, LABELS_SUGGESTED);
    const exact = matches.some(({ label }) => label === text.trim());
    this.choices = matches.map(({ label, color }) => ({ label, color, isNew: false }));
    if (text.trim() && !exact && !this.isFixed)
      this.choices.push({ label: text.trim(), color: null, isNew: true });
    this.at = 0;
    this.suggestions.replaceChildren(
      ...this.choices.map((choice, index) =>
        element(
          "div",
          {
            class: "suggestion",
            attributes: { role: "option", "aria-selected": String(index === 0) },
            style: { "--label-color": choice.color ?? "transparent" },
            on: {
              pointerdown: (event) => {
                event.preventDefault();
                this._choose(index);
              },
            },
          },
          element("i", { class: "dot" }),
          choice.isNew ? element("span", { text: "Add " }) : null,
          element("bdi", { text: choice.label }),
        ),
      ),
    );
    const open = this.choices.length > 0 && this.field === this.field.ownerDocument.activeElement;
    show(this.suggestions, open);
    this.field.setAttribute("aria-expanded", String(open));
  }

  _key(event) {
    event.stopPropagation();
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves && this.choices.length) {
      event.preventDefault();
      this.at = (this.at + moves[event.key] + this.choices.length) % this.choices.length;
      [...this.suggestions.children].forEach((node, index) =>
        node.setAttribute("aria-selected", String(index === this.at)),
      );
      this.suggestions.children[this.at].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      this._choose(this.at);
    } else if (event.key === "Escape") {
      event.preventDefault();
      this._leave();
    }
  }

  _choose(index) {
    const choice = this.choices[index];
    if (!choice) return;
    this._leave();
    if (choice.isNew) this.on.add(choice.label);
    else this.on.choose(choice.label);
  }

  _leave() {
    this.field.value = "";
    this._close();
    this.on.leave();
  }

  _close() {
    this.field.placeholder = this.placeholder ?? this.field.placeholder;
    show(this.suggestions, false);
    this.field.setAttribute("aria-expanded", "false");
  }

  say(text) {
    setText(this.rule, text);
  }
}
