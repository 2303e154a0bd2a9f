// What is taken for what. Each cell opens its images: few labels as buttons, many as a picture with a list of the most
// frequent confusions beside it.

import { element, setText, show } from "../shared/dom.js";
import { imagesText, numberText } from "./words.js";

const MOST_BUTTONS = 10;
const TURNED = 90; // pixels of a name that stands upright
const DENSE_FROM = 7; // columns: smaller, and thousands as 1.2K
const COMPACT = new Intl.NumberFormat("en", { notation: "compact" });
const LISTED = 8;
const CANVAS = 230;
const COLOURS_HOLD = 1_000; // milliseconds

// The mistakes of a matrix, most frequent first: [predicted, true, count].
export function confusionsOf(cells, size, most = Infinity) {
  const found = [];
  for (let predicted = 0; predicted < size; predicted += 1) {
    for (let label = 0; label < size; label += 1) {
      const count = cells[predicted * size + label];
      if (count && predicted !== label) found.push([predicted, label, count]);
    }
  }
  return found.sort((a, b) => b[2] - a[2] || a[0] - b[0] || a[1] - b[1]).slice(0, most);
}

// The share of each true label's column; columns without anything are 0.
export function sharesOf(cells, size) {
  const totals = new Float64Array(size);
  cells.forEach((count, at) => { totals[at % size] += count; });
  return Float64Array.from(cells, (count, at) => (count ? count / totals[at % size] : 0));
}

export class MatrixView {
  // `onPair([predicted, true] | null)` with names.
  constructor({ onPair }) {
    this.onPair = onPair;
    this.grid = element("div", { class: "cells", attributes: { role: "grid", "aria-label": "confusion matrix: rows predicted, columns ground truth" } });
    this.canvas = element("canvas", { class: "heat", on: { pointermove: (event) => this._point(event), pointerleave: () => this._say(), click: (event) => this._click(event) } });
    this.list = element("div", { class: "confusions" });
    this.words = element("p", { class: "faint words" });
    this.node = element("div", { class: "matrix" }, this.grid, this.canvas, this.list, this.words);
  }

  build(facts) {
    this.facts = facts;
    this.size = facts.cells.length;
    this.isSmall = this.size <= MOST_BUTTONS;
    this.colours = facts.cells.map((_, at) => facts.labels[at]?.colour ?? "#6b7280");
    show(this.grid, this.isSmall);
    show(this.canvas, !this.isSmall);
    show(this.list, !this.isSmall);
    this.buttons = [];
    this.listed = null;
    if (this.isSmall) this._buildGrid();
  }

  _buildGrid() {
    const { cells } = this.facts;
    this.grid.style.setProperty("--size", this.size);
    this.grid.style.setProperty("--turned", `${TURNED}px`);
    this.grid.classList.toggle("dense", this.size >= DENSE_FROM);
    const name = (label, at, kind) => element("span", { class: `cell-name ${kind}`, title: label, style: { "--label-colour": this.colours[at] } }, element("bdi", { text: label }));
    const nodes = [element("span", { class: "corner" }), ...cells.map((label, at) => name(label, at, "column"))];
    cells.forEach((predicted, row) => {
      nodes.push(name(predicted, row, "row"));
      cells.forEach((truth, column) => {
        const cell = element("button", {
          type: "button", class: `cell${row === column ? " right" : ""}`, data: { predicted, truth },
          on: { click: () => this._toggle(row, column) },
        });
        this.buttons.push(cell);
        nodes.push(cell);
      });
    });
    this.grid.replaceChildren(...nodes);
    this.fit();
  }

  // Turns the columns' names where they would be cut, unless upright they had less room.
  fit() {
    this.grid.classList.remove("turned");
    const names = [...this.grid.querySelectorAll(".column bdi")];
    this.grid.classList.toggle("turned", names.some((name) => name.scrollWidth > name.clientWidth && name.clientWidth < TURNED));
  }

  _toggle(row, column) {
    const pair = [this.facts.cells[row], this.facts.cells[column]];
    this.onPair(this.pair && this.pair[0] === pair[0] && this.pair[1] === pair[1] ? null : pair);
  }

  show(cells, pair) {
    this.cells = cells;
    this.pair = pair;
    const shares = sharesOf(cells, this.size);
    if (this.isSmall) this._showGrid(cells, shares);
    else {
      this._paint(shares);
      this._list(cells);
    }
    this._say();
  }

  _showGrid(cells, shares) {
    const isDense = this.size >= DENSE_FROM;
    const countText = isDense ? (count) => COMPACT.format(count) : numberText;
    this.grid.classList.toggle("crowded", isDense && Math.max(...cells) > 99);
    this.buttons.forEach((cell, at) => {
      const [row, column] = [Math.floor(at / this.size), at % this.size];
      setText(cell, cells[at] ? countText(cells[at]) : "·");
      cell.style.setProperty("--share", `${Math.round(cells[at] ? 8 + 42 * shares[at] : 0)}%`);
      cell.classList.toggle("none", !cells[at]);
      cell.disabled = row === column && row === this.facts.labels.length; // nothing taken for nothing
      const chosen = this._isChosen(row, column);
      cell.classList.toggle("chosen", chosen);
      cell.setAttribute("aria-pressed", String(chosen));
      cell.title = this._sentence(row, column, cells[at]);
    });
  }

  _isChosen(row, column) {
    return Boolean(this.pair) && this.facts.cells[row] === this.pair[0] && this.facts.cells[column] === this.pair[1];
  }

  _sentence(row, column, count) {
    const [predicted, truth] = [this.facts.cells[row], this.facts.cells[column]].map((name) => `\u2068${name}\u2069`);
    const what = this.facts.task === "detection" ? (count === 1 ? "box" : "boxes") : imagesText(count).split(" ")[1];
    return row === column ? `${numberText(count)} ${what} of ${truth} found` : `${numberText(count)} ${what}: ${truth} taken for ${predicted}`;
  }

  _paint(shares) {
    const ratio = window.devicePixelRatio || 1;
    const pixels = Math.round(CANVAS * ratio);
    if (this.canvas.width !== pixels) {
      this.canvas.width = this.canvas.height = pixels;
      this.canvas.style.width = this.canvas.style.height = `${CANVAS}px`;
    }
    const colours = this._themeColours();
    const context = this.canvas.getContext("2d");
    const step = pixels / this.size;
    context.fillStyle = colours.raised;
    context.fillRect(0, 0, pixels, pixels);
    shares.forEach((share, at) => {
      if (!share) return;
      const [row, column] = [Math.floor(at / this.size), at % this.size];
      context.globalAlpha = 0.08 + 0.92 * Math.sqrt(share);
      context.fillStyle = row === column ? colours.brand : colours.error;
      context.fillRect(column * step, row * step, Math.max(step, ratio), Math.max(step, ratio));
      if (this._isChosen(row, column)) {
        context.globalAlpha = 1;
        context.strokeStyle = colours.text;
        context.lineWidth = 2 * ratio;
        context.strokeRect(column * step, row * step, step, step);
      }
    });
    context.globalAlpha = 1;
  }

  // Asking for a style has the page laid out first, so that is not done at every step of a slider.
  _themeColours() {
    const now = performance.now();
    if (!this.theme || now - this.theme.at > COLOURS_HOLD) {
      const style = getComputedStyle(this.node);
      this.theme = { at: now, ...Object.fromEntries(["raised", "brand", "error", "text"].map((name) => [name, style.getPropertyValue(`--clnb-${name}`)])) };
    }
    return this.theme;
  }

  _list(cells) {
    const found = confusionsOf(cells, this.size, LISTED);
    const key = `${found.join(";")} ${this.pair}`;
    if (this.listed === key) return;
    this.listed = key;
    this.list.replaceChildren(...found.map(([row, column, count]) => element(
      "button", {
        type: "button", class: `confusion${this._isChosen(row, column) ? " chosen" : ""}`, title: this._sentence(row, column, count),
        data: { predicted: this.facts.cells[row], truth: this.facts.cells[column] }, on: { click: () => this._toggle(row, column) },
      },
      element("bdi", { text: this.facts.cells[column] }), element("span", { class: "faint", text: " → " }), element("bdi", { text: this.facts.cells[row] }),
      element("span", { class: "number", text: numberText(count) }),
    )));
  }

  _cellAt(event) {
    const frame = this.canvas.getBoundingClientRect();
    const at = (place, length) => Math.min(this.size - 1, Math.max(0, Math.floor((place / length) * this.size)));
    return [at(event.clientY - frame.top, frame.height), at(event.clientX - frame.left, frame.width)];
  }

  _point(event) {
    const [row, column] = this._cellAt(event);
    setText(this.words, this._sentence(row, column, this.cells[row * this.size + column]));
  }

  _click(event) {
    const [row, column] = this._cellAt(event);
    if (this.cells[row * this.size + column]) this._toggle(row, column);
  }

  _say() {
    const isSingle = this.facts.task === "single-label";
    setText(this.words, `rows predicted${isSingle ? " (most confident)" : ""}, columns truth · click: its images`);
    this.words.title = isSingle ? "Of each image its most confident label counts here, whatever the thresholds are." : "";
  }
}
