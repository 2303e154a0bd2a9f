// Full-size preview next to the page, while the pointer rests on a tile, or opened with the keyboard until Esc.

import { element, setText, show } from "./dom.js";

const REST = 550;

export class Preview {
  // `load(row)` → Promise of { uri, width, height }.
  constructor(load) {
    this.load = load;
    this.picture = element("img", { alt: "" });
    this.words = element("div", { class: "words" });
    this.node = element("div", { class: "preview", hidden: true, attributes: { "aria-hidden": "true" } }, this.picture, this.words);
    this.row = null;
  }

  rest(row, tile) {
    clearTimeout(this.timer);
    if (tile === this.used) return; // no preview right after a click
    this.used = null;
    this.timer = setTimeout(() => this.open(row, tile), REST);
  }

  // Suppress the preview of this tile until the pointer has visited another one.
  rememberUse(tile) {
    this.close();
    this.used = tile;
  }

  leave() {
    clearTimeout(this.timer);
    if (!this.pinned) this.close();
  }

  async open(row, tile, { pinned = false } = {}) {
    clearTimeout(this.timer);
    this.pinned = pinned;
    this.row = row;
    let full;
    try {
      full = await this.load(row);
    } catch {
      return; // the tile already shows the error
    }
    if (this.row !== row) return;
    this.picture.src = full.uri;
    setText(this.words, `${row.name} · ${full.width} × ${full.height} px`);
    show(this.node, true);
    this._place(tile);
  }

  // Place the preview on the other side of the widget, so that the tile stays visible.
  _place(tile) {
    const whole = this.node.parentElement.getBoundingClientRect();
    const box = tile.getBoundingClientRect();
    const onLeft = box.left + box.width / 2 > whole.left + whole.width / 2;
    this.node.classList.toggle("left", onLeft);
    this.node.classList.toggle("right", !onLeft);
  }

  close() {
    clearTimeout(this.timer);
    this.row = null;
    this.pinned = false;
    show(this.node, false);
    this.picture.removeAttribute("src");
  }

  get isOpen() {
    return !this.node.hidden;
  }
}
