// Confusion matrix. Each cell opens its images: buttons for few labels, an image with a list of the most frequent
// confusions for many.

import { element, setText, show } from "../shared/dom.js";
import { cellText, imagesText, numberText } from "./text.js";

const MOST_BUTTONS = 10;
const TURNED = 90; // pixels of a vertical name
const DENSE_FROM = 7; // columns from which cells are smaller and thousands are shown as 1.2K
const COMPACT = new Intl.NumberFormat("en", { notation: "compact" });
const LISTED = 8;
const CANVAS = 230;
const OUTCOMES = {
  tp: "found",
  fp: "wrongly predicted",
  fn: "missed",
  tn: "correctly not predicted",
};

// Return the confusions, most frequent first: [row, column, count].
export function confusionsOf(cells, width, most = Infinity) {
  const pairs = [];
  cells.forEach((count, index) => {
    const [row, column] = [Math.floor(index / width), index % width];
    if (count && row !== column) pairs.push([row, column, count]);
  });
  return pairs.sort((a, b) => b[2] - a[2] || a[0] - b[0] || a[1] - b[1]).slice(0, most);
}

// Return the share of each cell in its row, or in `totals` of the rows if given.
export function sharesOf(cells, width, totals = null) {
  const rowOf = (index) => Math.floor(index / width);
  const sums = totals ?? new Float64Array(Math.ceil(cells.length / width));
  if (!totals)
    cells.forEach((count, index) => {
      sums[rowOf(index)] += count;
    });
  return Float64Array.from(cells, (count, index) => (count ? count / sums[rowOf(index)] : 0));
}

// Return how strong the color of a cell with a share is, 0 to 1. Small shares differ as much as large ones.
export const strengthOf = (share) => (share ? 0.04 + 0.46 * Math.sqrt(share) : 0);

// Return the [row, column] that a key leads to from a cell, or null.
export function cellAfter(key, [row, column], height, width) {
  const target = {
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    Home: [row, 0],
    End: [row, width - 1],
  }[key];
  return target?.every((index, side) => index >= 0 && index < [height, width][side])
    ? target
    : null;
}

export class MatrixView {
  // `onCell({ pair } | { label, show } | null)`. A pair has the names of the true and the predicted label.
  constructor({ onCell }) {
    this.onCell = onCell;
    this.grid = element("div", {
      class: "cells",
      attributes: {
        role: "group",
        "aria-label": "Confusion matrix: rows ground truth, columns predicted",
      },
      on: {
        keydown: (event) => this._key(event),
        focusin: (event) => this._stopAt(this.buttons.indexOf(event.target)),
      },
    });
    this.canvas = element("canvas", {
      class: "heat",
      on: {
        pointermove: (event) => this._point(event),
        pointerleave: () => this._say(),
        click: (event) => this._click(event),
      },
    });
    this.list = element("div", { class: "confusions" });
    this.words = element("p", { class: "faint words" });
    this.tables = element("div", {
      class: "one-vs-rest",
      attributes: {
        role: "group",
        "aria-label":
          "Found, wrongly predicted, missed and correctly not predicted images of each label",
      },
      on: {
        keydown: (event) => this._tableKey(event),
        focusin: (event) => this._stopAtTable(event.target),
      },
    });
    this.node = element("div", { class: "matrix" }, this.grid, this.canvas, this.list, this.words);
  }

  build(facts) {
    this.facts = facts;
    this.height = facts.rows.length;
    this.isSmall = this.height <= MOST_BUTTONS;
    this.colors = facts.columns.map((_, index) => facts.labels[index]?.color ?? "#6b7280");
    show(this.grid, this.isSmall);
    show(this.canvas, !this.isSmall);
    show(this.list, !this.isSmall);
    this.buttons = [];
    this.cells = null;
    this.listed = [];
    this.list.replaceChildren();
    this.tabled = this.width = null;
  }

  // Show the 2 × 2 table of each label for multi-label tasks, or of the selected label if there are many.
  _showTables({ tp, fp, fn, size }, filter) {
    const { labels, task } = this.facts;
    const shown = [...labels.keys()].filter(
      (index) => task === "multi-label" && (this.isSmall || labels[index].label === filter.label),
    );
    if (this.tabled?.join() !== shown.join()) {
      this.tabled = shown;
      this.tables.replaceChildren(
        ...shown.map((index) => {
          const { label, color } = labels[index];
          const cells = Object.keys(OUTCOMES).map((kind) =>
            element("button", {
              class: `one ${kind}`,
              disabled: kind === "tn",
              data: { label, kind },
            }),
          );
          return element(
            "div",
            { class: "two", style: { "--label-color": color } },
            element("bdi", { text: label, title: label }),
            ...cells,
          );
        }),
      );
      this._stopAtTable(this.tables.querySelector(".one"));
    }
    shown.forEach((position, index) => {
      const counts = {
        tp: tp[position],
        fp: fp[position],
        fn: fn[position],
        tn: size - tp[position] - fp[position] - fn[position],
      };
      [...this.tables.children[index].querySelectorAll(".one")].forEach((cell) => {
        const { label, kind } = cell.dataset;
        const isChosen =
          filter.label === label &&
          filter.show === kind &&
          !filter.pair &&
          !filter.search &&
          !filter.images;
        setText(cell, `${kind.toUpperCase()} ${numberText(counts[kind])}`);
        cell.classList.toggle("none", !counts[kind]);
        cell.setAttribute("aria-pressed", String(isChosen));
        cell.title = `${imagesText(counts[kind])}: \u2068${label}\u2069 ${OUTCOMES[kind]}`;
        cell.onclick = () => this.onCell(isChosen ? null : { label, show: kind });
      });
    });
  }

  _buildGrid() {
    const { height, width } = this;
    const [rows, columns] = [this.facts.rows, this.facts.columns.slice(0, width)];
    this.grid.style.setProperty("--size", width);
    this.grid.style.setProperty("--turned", `${TURNED}px`);
    this.grid.classList.toggle("dense", height >= DENSE_FROM);
    const name = (label, index, kind) =>
      element(
        "span",
        {
          class: `cell-name ${kind}`,
          title: label,
          style: { "--label-color": this.colors[index] },
        },
        element("bdi", { text: label }),
      );
    this.buttons = [];
    const nodes = [
      element("span", { class: "corner" }),
      ...columns.map((label, index) => name(label, index, "column")),
    ];
    rows.forEach((truth, row) => {
      nodes.push(name(truth, row, "row"));
      columns.forEach((predicted, column) => {
        const cell = element("button", {
          class: `cell${row === column ? " right" : ""}`,
          data: { truth, predicted },
          on: { click: () => this._toggle(row, column) },
        });
        this.buttons.push(cell);
        nodes.push(cell);
      });
    });
    this.grid.replaceChildren(...nodes);
    this._stopAt(0);
    this.fit();
  }

  // The matrix is one tab stop: the cell that had the focus last.
  _stopAt(stop) {
    this.buttons.forEach((cell, index) => {
      cell.tabIndex = index === stop ? 0 : -1;
    });
  }

  // So are all 2 × 2 tables.
  _stopAtTable(stop) {
    for (const cell of this.tables.querySelectorAll(".one")) cell.tabIndex = cell === stop ? 0 : -1;
  }

  _tableKey(event) {
    const cells = [...this.tables.querySelectorAll(".one:not(:disabled)")];
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const target = by && cells[cells.indexOf(event.target) + by];
    if (!target) return;
    target.focus();
    event.preventDefault();
    event.stopPropagation();
  }

  _key(event) {
    const index = this.buttons.indexOf(event.target);
    const target =
      index < 0 ? null : cellAfter(event.key, this._placeOf(index), this.height, this.width);
    if (!target) return;
    this.buttons[target[0] * this.width + target[1]].focus();
    event.preventDefault();
    event.stopPropagation();
  }

  // Rotate column names that would be cut off, unless there is even less space for vertical names.
  fit() {
    this.grid.classList.remove("turned");
    const names = [...this.grid.querySelectorAll(".column bdi")];
    this.grid.classList.toggle(
      "turned",
      names.some((name) => name.scrollWidth > name.clientWidth && name.clientWidth < TURNED),
    );
  }

  /** @returns {[number, number]} */
  _placeOf(index) {
    return [Math.floor(index / this.width), index % this.width];
  }

  _toggle(row, column) {
    const pair = [this.facts.rows[row], this.facts.columns[column]];
    this.onCell(this._isChosen(row, column) ? null : { pair });
  }

  show({ cells, images, width }, state, filter) {
    this.cells = cells;
    this.images = images;
    this.pair = filter.pair;
    if (this.width !== width) {
      this.width = width;
      if (this.isSmall) this._buildGrid();
    }
    this._showTables(state, filter);
    this._say();
    this.shares = sharesOf(cells, width, this.facts.task === "multi-label" ? state.targets : null);
    if (this.isSmall) this._showGrid(cells, this.shares);
    else {
      this._paint();
      this._list(cells);
    }
  }

  _showGrid(cells, shares) {
    const isDense = this.height >= DENSE_FROM;
    const countText = isDense ? (count) => COMPACT.format(count) : numberText;
    this.grid.classList.toggle("crowded", isDense && Math.max(...cells) > 99);
    this.buttons.forEach((cell, index) => {
      const [row, column] = this._placeOf(index);
      setText(cell, cells[index] ? countText(cells[index]) : "·");
      cell.style.setProperty("--share", `${Math.round(100 * strengthOf(shares[index]))}%`);
      cell.classList.toggle("none", !cells[index]);
      cell.disabled = row === column && row === this.facts.labels.length; // background predicted as background
      const chosen = this._isChosen(row, column);
      cell.classList.toggle("chosen", chosen);
      cell.setAttribute("aria-pressed", String(chosen));
      cell.title = this.textOf(row, column);
    });
  }

  _isChosen(row, column) {
    return (
      Boolean(this.pair) &&
      this.facts.rows[row] === this.pair[0] &&
      this.facts.columns[column] === this.pair[1]
    );
  }

  textOf(row, column) {
    const { rows, columns } = this.facts;
    const position = row * this.width + column;
    const isThere = column < this.width; // a filter can name a column that other thresholds have
    return cellText(
      this.facts,
      [rows[row], columns[column]],
      isThere ? this.cells[position] : 0,
      isThere ? this.images[position] : 0,
    );
  }

  // Repaint if the theme or the zoom has changed. Reading styles forces a layout of the page, so this waits until the
  // numbers of a slider step are painted.
  followTheme() {
    if (this.isSmall) return;
    const before = this.theme;
    this.theme = this._themeNow();
    if (this.theme.join() !== before.join()) this._paint();
  }

  /** @returns {[number, ...string[]]} */
  _themeNow() {
    const style = getComputedStyle(this.node);
    return [
      window.devicePixelRatio || 1,
      ...["raised", "brand", "error", "text"].map((name) =>
        style.getPropertyValue(`--clnb-${name}`),
      ),
    ];
  }

  _paint() {
    this.theme ??= this._themeNow();
    const [ratio, raised, brand, error, text] = this.theme;
    const pixels = Math.round(CANVAS * ratio);
    if (this.canvas.width !== pixels) {
      this.canvas.width = this.canvas.height = pixels;
      this.canvas.style.width = this.canvas.style.height = `${CANVAS}px`;
    }
    const context = this.canvas.getContext("2d");
    const [across, down] = [pixels / this.width, pixels / this.height];
    context.fillStyle = raised;
    context.fillRect(0, 0, pixels, pixels);
    this.shares.forEach((share, index) => {
      if (!share) return;
      const [row, column] = this._placeOf(index);
      const cell = [column * across, row * down, Math.max(across, ratio), Math.max(down, ratio)];
      context.globalAlpha = 0.08 + 0.92 * Math.sqrt(share);
      context.fillStyle = row === column ? brand : error;
      context.fillRect(...cell);
      if (this._isChosen(row, column)) {
        context.globalAlpha = 1;
        context.strokeStyle = text;
        context.lineWidth = 2 * ratio;
        context.strokeRect(...cell);
      }
    });
    context.globalAlpha = 1;
  }

  // Show the most frequent confusions, in the same buttons at every slider step.
  _list(cells) {
    const { rows, columns } = this.facts;
    const confusions = confusionsOf(cells, this.width, LISTED);
    while (this.listed.length < confusions.length) this.listed.push(this._listButton());
    this.listed.forEach(({ node, truth, predicted, number }, index) => {
      show(node, index < confusions.length);
      if (index >= confusions.length) return;
      const [row, column, count] = confusions[index];
      setText(truth, rows[row]);
      setText(predicted, columns[column]);
      setText(number, numberText(count));
      node.classList.toggle("chosen", this._isChosen(row, column));
      node.title = this.textOf(row, column);
      Object.assign(node.dataset, { truth: rows[row], predicted: columns[column] });
      node.onclick = () => this._toggle(row, column);
    });
  }

  _listButton() {
    const [truth, predicted] = [element("bdi"), element("bdi")];
    const number = element("span", { class: "number" });
    const node = element(
      "button",
      { class: "confusion" },
      truth,
      element("span", { class: "faint", text: " → " }),
      predicted,
      number,
    );
    this.list.append(node);
    return { node, truth, predicted, number };
  }

  _cellAt(event) {
    const frame = this.canvas.getBoundingClientRect();
    const offset = (position, length, count) =>
      Math.min(count - 1, Math.max(0, Math.floor((position / length) * count)));
    return [
      offset(event.clientY - frame.top, frame.height, this.height),
      offset(event.clientX - frame.left, frame.width, this.width),
    ];
  }

  _point(event) {
    const [row, column] = this._cellAt(event);
    setText(this.words, this.textOf(row, column));
  }

  _click(event) {
    const [row, column] = this._cellAt(event);
    if (this.cells[row * this.width + column]) this._toggle(row, column);
  }

  _say() {
    const isSingle = this.facts.task === "single-label";
    const rule =
      isSingle && this.width > this.height
        ? " (the most confident label that reaches its threshold)"
        : "";
    setText(
      this.words,
      `rows ground truth, columns predicted${rule} · click a cell for its images`,
    );
    this.words.title =
      {
        "single-label":
          "Each image counts once, for its most confident label" +
          (rule && " that reaches its threshold. The table counts every label that does."),
        "multi-label":
          "A red cell counts images where its true label is missed and its other label is wrongly predicted.",
      }[this.facts.task] ?? "";
  }
}
