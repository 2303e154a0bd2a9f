// List of labels with one focused row, reordered by drag and drop. The actions are in pane.js.

import { element, keepKeys } from "../shared/dom.js";
import { makeDraggable } from "./dragging.js";
import { LabelRow } from "./row.js";

const ACTIONS = [
  ["rename", "Rename", "Rename (F2)"],
  ["merge", "Merge…", "Merge into another label (M)"],
  ["remove", "Remove…", "Remove (Del)"],
];

export class LabelList {
  // `question` may be shown below a row. `on` has rename(label, name), drop(from, to), focus(label), leave().
  constructor({ question, on }) {
    this.question = question;
    this.on = on;
    this.rows = new Map(); // label → LabelRow
    this.shown = [];
    this.at = null;
    this.made = 0;
    this.id = `clnb-labels-${Math.random().toString(36).slice(2)}`;
    this.node = keepKeys(
      element("div", {
        class: "label-list",
        tabIndex: 0,
        data: { first: "" },
        attributes: { role: "listbox", "aria-label": "Labels in order" },
      }),
    );
    this.actions = element(
      "span",
      { class: "actions" },
      ...ACTIONS.map(([what, text, title]) =>
        element("button", {
          type: "button",
          class: what === "remove" ? "plain danger" : "plain",
          tabIndex: -1,
          text,
          title,
          data: { do: what },
        }),
      ),
    );
    this.node.addEventListener("pointerover", (event) => this._hover(event));
    makeDraggable(this.node, {
      rows: () => this.shown.map(({ label }) => this.rows.get(label)),
      drop: on.drop,
    });
  }

  // `labels` are all labels, `shown` the filtered ones. `uses` maps label → [train, test, annotations].
  show(labels, shown, uses) {
    this.shown = shown;
    this._settleRows(labels, uses);
    const nodes = shown.map(({ label }) => this.rows.get(label).node);
    const about = this.question.label === null ? null : this.rows.get(this.question.label)?.node;
    if (this.question.label !== null && !nodes.includes(about)) this.question.close();
    const wanted =
      this.question.label === null
        ? nodes
        : nodes.flatMap((node) => (node === about ? [node, this.question.node] : [node]));
    this._arrange(wanted);
    this.focusOn(
      shown.some(({ label }) => label === this.at) ? this.at : (shown[0]?.label ?? null),
      { quiet: true },
    );
  }

  showUses(uses) {
    for (const [label, row] of this.rows) row.showUses(uses.get(label));
  }

  rowOf(label) {
    return this.rows.get(label);
  }

  get place() {
    return this.shown.findIndex(({ label }) => label === this.at);
  }

  // Keep the row of a label that is renamed.
  renamed(label, name) {
    const row = this.rows.get(label);
    this.rows.delete(label);
    if (row) this.rows.set(name, row);
    if (this.at === label) this.at = name;
  }

  // Create missing rows and remove those of deleted labels.
  _settleRows(labels, uses) {
    const known = new Set(labels.map(({ label }) => label));
    for (const [label, row] of this.rows) {
      if (known.has(label)) continue;
      this.rows.delete(label);
      row.finish();
      row.node.remove();
    }
    labels.forEach((item, position) => {
      if (!this.rows.has(item.label))
        this.rows.set(item.label, new LabelRow({ id: `${this.id}-${++this.made}`, on: this.on }));
      this.rows.get(item.label).show(item, position, uses.get(item.label));
    });
  }

  // Move only nodes that are in another position, so that a focused field keeps its focus.
  _arrange(wanted) {
    if (
      wanted.length === this.node.children.length &&
      wanted.every((node, index) => node === this.node.children[index])
    )
      return;
    const keep = new Set(wanted);
    for (const node of [...this.node.children]) if (!keep.has(node)) node.remove();
    const active = this.node.ownerDocument.activeElement;
    wanted.forEach((node, index) => {
      const there = this.node.children[index];
      if (there === node) return;
      if (node.contains(active) && there) {
        while (this.node.children[index] !== node) this.node.append(this.node.children[index]);
      } else this.node.insertBefore(node, there ?? null);
    });
  }

  focusOn(label, { quiet = false } = {}) {
    const row = this.rows.get(label);
    this.rows.get(this.at)?.mark(false);
    this.at = label;
    if (!row) return;
    row.mark(true);
    this.node.setAttribute("aria-activedescendant", row.node.id);
    if (!this.actions.isConnected || !quiet) row.node.append(this.actions);
    if (!quiet) row.node.scrollIntoView({ block: "nearest" });
    if (label !== this.toldAt) this.on.focus(label);
    this.toldAt = label;
  }

  _hover(event) {
    const node = event.target.closest(".label-row");
    if (node && event.pointerType === "mouse" && this.actions.parentElement !== node)
      node.append(this.actions);
  }
}
