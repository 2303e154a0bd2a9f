// Table of labels: sortable, searchable, and updated while sliders move.

import { element, setText, show } from "../shared/dom.js";
import { samePosition } from "./engine.js";
import { certainSign, deltaText, intervalText, metricText, numberText } from "./text.js";

const NAME_WIDTH = 100; // pixels
const NUMBER_WIDTH = 57;
const SEARCHED_FROM = 11; // ten fit without scrolling
const ROW = 28; // pixels, as in results.css
const IN_VIEW = 12; // rows, with parts of the first and the last
const METRICS = ["f1", "precision", "recall", "average_precision"];

// Return the row order: undefined values last, equal ones in the order of the labels.
export function sortedRows(values, descending) {
  const sorted = [...values.keys()];
  const known = (value) => !(value === null || value === undefined || Number.isNaN(value));
  return sorted.sort((a, b) => {
    const [left, right] = [values[a], values[b]];
    if (!known(left) || !known(right)) return Number(known(right)) - Number(known(left)) || a - b;
    const order = typeof left === "string" ? left.localeCompare(right) : left - right;
    return (descending ? -order : order) || a - b;
  });
}

export class LabelTable {
  // `onLabel(label | null)` is called when a row is selected or deselected.
  constructor({ onLabel }) {
    this.onLabel = onLabel;
    this.sort = { column: "f1", descending: true };
    this.search = element("input", {
      type: "search",
      class: "search",
      hidden: true,
      attributes: { "aria-label": "Find a label" },
      on: { input: () => this._arrange() },
    });
    this.head = element("tr");
    this.rows = element("tbody");
    this.node = element(
      "div",
      { class: "label-table" },
      this.search,
      element(
        "div",
        {
          class: "scroll",
          on: {
            scroll: (event) => {
              this.scrolled = event.target.scrollTop;
            },
          },
        },
        element("table", {}, element("thead", {}, this.head), this.rows),
      ),
    );
    this.scrolled = 0; // kept, because asking for it forces a layout
  }

  // Width in pixels from which no column is cut off.
  get leastWidth() {
    return NAME_WIDTH + NUMBER_WIDTH * ((this.columns?.length ?? 1) - 1);
  }

  // `training` has training images by label, `comparison` the changes since another version, or null.
  build({ facts, training, comparison }) {
    this.facts = facts;
    this.training = training;
    this.comparison = comparison;
    const shapes = { boxes: "boxes", polygons: "masks" }[facts.task];
    const isBoxes = Boolean(shapes);
    this.columns = [
      ["label", "label", ""],
      ["f1", "F1", "Harmonic mean of precision and recall"],
      ...(comparison
        ? [["delta", "Δ F1", `F1 of ${comparison.names[1]} minus F1 of ${comparison.names[0]}`]]
        : []),
      ...(isBoxes
        ? [
            [
              "average_precision",
              "AP",
              "Average precision: the area under the precision-recall curve at this IoU threshold",
            ],
          ]
        : []),
      ["precision", "precision", "Share of predictions that are correct"],
      ["recall", "recall", `Share of true ${isBoxes ? shapes : "labels"} that are found`],
      ["threshold", "threshold", "Minimum confidence of a prediction"],
      [
        "test",
        isBoxes ? shapes : "test",
        isBoxes ? `True ${shapes} in the test images` : "Test images with the label",
      ],
      ...(training ? [["train", "train", "Training images with the label"]] : []),
    ];
    this.head.replaceChildren(
      ...this.columns.map(([key, name, title]) =>
        element(
          "th",
          { scope: "col", class: key === "label" ? "" : `number ${key}`, title },
          element("button", {
            class: "plain",
            text: name,
            data: { column: key },
            on: { click: () => this._sortBy(key) },
          }),
        ),
      ),
      element("th", { class: "bars", attributes: { "aria-hidden": "true" } }),
    );
    this.lines = facts.labels.map((item) => this._line(item));
    show(this.search, facts.labels.length >= SEARCHED_FROM);
    this.search.placeholder = `Find one of ${numberText(facts.labels.length)} labels`;
    this.node.classList.toggle("full", Boolean(comparison || training || isBoxes)); // no space for bars
  }

  _line({ label, color }) {
    const cells = Object.fromEntries(
      this.columns.slice(1).map(([key]) => [key, element("td", { class: `number ${key}` })]),
    );
    const name = element(
      "button",
      {
        class: "plain name",
        title: label,
        attributes: { "aria-pressed": "false" },
      },
      element("i", { class: "swatch", attributes: { "aria-hidden": "true" } }),
      element("bdi", { text: label }),
    );
    const fill = element("span");
    const node = element(
      "tr",
      {
        style: { "--label-color": color },
        data: { label },
        on: { click: () => this.onLabel(this.label === label ? null : label) },
      },
      element("th", { scope: "row" }, name),
      ...Object.values(cells),
      element("td", { class: "bars" }, element("span", { class: "bar" }, fill)),
    );
    if (cells.train) setText(cells.train, numberText(this.training[label] ?? 0));
    return { node, cells, name, fill };
  }

  // A change belongs to the F1 at the thresholds that are compared, not at others.
  _showDelta(cell, change, isCompared) {
    const isShown = isCompared && change && change.delta !== null;
    setText(cell, isShown ? deltaText(change.delta) : isCompared ? "" : "–");
    cell.title = isCompared ? "" : "Compared on all images, at other thresholds than those above";
    const sign = isShown ? certainSign(change) : 0;
    if (isShown)
      cell.title =
        `${metricText(change.before)} → ${metricText(change.after)} ` +
        `${change.low === null ? "" : intervalText([change.low, change.high])}`;
    cell.classList.toggle("better", sign > 0);
    cell.classList.toggle("worse", sign < 0);
  }

  // While a slider moves, rows out of view wait for `showRest`.
  show(state, label, { isMoving = false } = {}) {
    this.state = state;
    this.label = label;
    this.isPartial = isMoving;
    this.node.classList.toggle("no-thresholds", state.isTop);
    const isCompared =
      Boolean(this.comparison) &&
      state.size === this.facts.images.length &&
      samePosition(state.position, this.comparison.position);
    const first = Math.floor(this.scrolled / ROW);
    for (const index of isMoving ? this.order.slice(first, first + IN_VIEW) : this.lines.keys()) {
      const { node, cells, name, fill } = this.lines[index];
      const tested = state.targets[index] > 0;
      setText(cells.test, numberText(state.targets[index]));
      for (const key of METRICS)
        if (cells[key])
          setText(cells[key], tested || state.fp[index] ? metricText(state[key][index]) : "–");
      if (cells.delta)
        this._showDelta(
          cells.delta,
          this.comparison.labels[this.facts.labels[index].label],
          isCompared,
        );
      setText(cells.threshold, state.isTop ? "" : metricText(state.thresholds[index]));
      fill.style.width = `${100 * state.f1[index]}%`;
      const chosen = this.facts.labels[index].label === label;
      node.classList.toggle("chosen", chosen);
      node.classList.toggle("untested", !tested);
      name.setAttribute("aria-pressed", String(chosen));
    }
  }

  showRest() {
    if (this.isPartial) this.show(this.state, this.label);
  }

  // Reorder rows only after a slider has settled, so that nothing jumps.
  settle() {
    this._arrange();
  }

  _sortBy(column) {
    const again = this.sort.column === column;
    this.sort = { column, descending: again ? !this.sort.descending : column !== "label" };
    this._arrange();
  }

  _arrange() {
    const { facts, state, sort } = this;
    const text = this.search.value.trim().toLowerCase();
    const values =
      {
        label: () => facts.labels.map(({ label }) => label),
        test: () => state.targets,
        threshold: () => state.thresholds,
        train: () => facts.labels.map(({ label }) => this.training?.[label] ?? 0),
        delta: () => facts.labels.map(({ label }) => this.comparison?.labels[label]?.delta ?? null),
      }[sort.column]?.() ??
      Array.from(state[sort.column], (value, index) => (state.targets[index] ? value : null));
    this.order = sortedRows([...values], sort.descending).filter((index) =>
      facts.labels[index].label.toLowerCase().includes(text),
    );
    this.rows.replaceChildren(...this.order.map((index) => this.lines[index].node));
    for (const button of this.head.querySelectorAll("button")) {
      const isSorted = button.dataset.column === sort.column;
      button
        .closest("th")
        .setAttribute(
          "aria-sort",
          isSorted ? (sort.descending ? "descending" : "ascending") : "none",
        );
    }
  }
}
