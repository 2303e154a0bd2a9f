// Label toolbar of the review: tabs by label with key and number of images left, and a field to correct labels.

import { inkOn } from "../shared/colors.js";
import { element, leaving, setText } from "../shared/dom.js";
import { KEYS, LabelBar } from "../shared/labelbar.js";

const TABS = 40;

export class ReviewBar extends LabelBar {
  // `on` has those of LabelBar, where choose(label) and add(label) correct, and show(label): null for all, "" for no
  // label.
  constructor(on) {
    super(on);
    this.list.setAttribute("role", "tablist");
    this.list.setAttribute("aria-label", "Labels to review");
    this.field.setAttribute("aria-label", "Correct to a label");
    this.met = new Set(); // labels that had images: their tabs remain
    this.others = element("select", {
      class: "others",
      attributes: { "aria-label": "More labels" },
      data: { menu: "label" },
      on: {
        change: () => {
          const { value } = this.others;
          this.on.leave();
          this.on.show(JSON.parse(value));
        },
      },
    });
    this.othersMenu = element("label", { class: "menu" }, this.others);
    this.list.after(this.othersMenu);
  }

  update({ labels, counts, progress, current, task, alone, toggles, readOnly }) {
    this.current = current;
    this.keyWords = toggles ? "add or remove it" : "correct to it";
    this.placeholder = toggles ? "Add or remove…" : "Correct to…";
    if (this.field !== this.field.ownerDocument.activeElement)
      this.field.placeholder = this.placeholder;
    const effect = toggles
      ? "Add this label to the selected images, or remove it"
      : "Correct the selected images to this label";
    this.field.title = `${effect} (/)`;
    labels.forEach(({ label }, index) => {
      if (index < KEYS || counts[label] || label === current) this.met.add(label);
    });
    this.tabs = new Set(
      labels
        .filter(({ label }) => this.met.has(label))
        .slice(0, TABS)
        .map(({ label }) => label),
    );
    const state = JSON.stringify([labels, readOnly, current, toggles, [...this.tabs]]);
    if (state !== this.state) this._build(labels, readOnly);
    this.state = state;
    this.counts.forEach((node, label) =>
      setText(node, this._left(progress, label).toLocaleString("en")),
    );
    for (const option of this.others.options)
      if (option.dataset.label !== undefined)
        setText(
          option,
          `${option.dataset.label} (${this._left(progress, option.dataset.label).toLocaleString("en")})`,
        );
    this._rule(task, readOnly, alone);
  }

  _left(progress, label) {
    return label === null ? progress.left : (progress.by_label[label] ?? 0);
  }

  _build(labels, readOnly) {
    const focused = this.list.contains(this.list.ownerDocument.activeElement);
    this.labels = labels;
    this.counts = new Map();
    const shown = labels.map(({ label, color }, index) =>
      this.tabs.has(label)
        ? this._tab(label, label, { color, key: index < KEYS ? String(index + 1) : "" })
        : null,
    );
    const rest = labels.filter(({ label }) => !this.tabs.has(label));
    this.others.replaceChildren();
    if (rest.length) {
      const isThere = rest.some(({ label }) => label === this.current);
      this.others.append(
        element("option", {
          value: "null",
          text: `${rest.length.toLocaleString("en")} more…`,
          disabled: true,
          selected: !isThere,
        }),
      );
      for (const { label } of rest)
        this.others.append(
          element("option", {
            value: JSON.stringify(label),
            data: { label },
            selected: label === this.current,
          }),
        );
    }
    this.list.replaceChildren(
      this._tab(null, "all labels"),
      ...shown.filter(Boolean),
      this._tab("", "no label"),
    );
    this.othersMenu.hidden = !rest.length;
    if (focused) this.on.leave();
    this.field.parentElement.hidden = readOnly;
  }

  _tab(label, text, { color = null, key = null } = {}) {
    const count = element("span", { class: "count" });
    this.counts.set(label, count);
    const current = label === this.current;
    return element(
      "button",
      {
        class: `label${current ? " current" : ""}`,
        title: key ? `Show ${text} (press ${key} to ${this.keyWords})` : text,
        style: color ? { "--label-color": color, "--label-ink": inkOn(color) } : {},
        data: { label: label ?? "*" },
        attributes: { role: "tab", "aria-selected": String(current) },
        on: { click: leaving(this.on, () => this.on.show(label)) },
      },
      key === null ? null : element("span", { class: "key", text: key }),
      element("bdi", { text }),
      count,
    );
  }
}
