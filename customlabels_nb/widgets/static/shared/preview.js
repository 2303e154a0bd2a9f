// One image in full beside the page: while the pointer rests on a tile, or until Esc when asked for by key.

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
    if (tile === this.used) return; // whoever has just clicked there wants to work, not to look
    this.used = null;
    this.timer = setTimeout(() => this.open(row, tile), REST);
  }

  // Not for this tile until the pointer has been on another.
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
      return; // the tile says already why there is none
    }
    if (this.row !== row) return;
    this.picture.src = full.uri;
    setText(this.words, `${row.name} · ${full.width} × ${full.height} px`);
    show(this.node, true);
    this._place(tile);
  }

  // On the side of the widget where the tile isn't, so that it stays in sight.
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
