// Full-size preview beside a tile, while the pointer rests on a tile, or opened with the keyboard until Esc.

import { chipsOf } from "./chips.js";
import { element, show } from "./dom.js";
import { ShapeOverlay, shapesOfRow } from "./overlay.js";
import { recall, remember } from "./remembered.js";

const REST = 550;
const PREVIEW_EDGE = 9; // pixels of border and padding
const PREVIEW_GAP = 8; // pixels between the tile and the preview
const NARROWEST_PREVIEW = 180;
const LARGEST_PREVIEW = 440;
const ON_HOVER = "preview on hover";

// Return the box { left, top, width, height } of a preview beside its tile and inside `bounds`, or null if there is no
// space. `full` has the image's width and height, `around` the pixels around the image. `anywhere` may cover the tile.
export function besideTile(tile, bounds, full, around, { anywhere = false } = {}) {
  const spaces = {
    right: bounds.right - tile.right - 2 * PREVIEW_GAP,
    left: tile.left - bounds.left - 2 * PREVIEW_GAP,
  };
  const side = spaces.right >= Math.min(spaces.left, LARGEST_PREVIEW) ? "right" : "left";
  const isBeside = spaces[side] >= NARROWEST_PREVIEW || !anywhere;
  const wide =
    Math.min(
      LARGEST_PREVIEW,
      isBeside ? spaces[side] : bounds.right - bounds.left - 2 * PREVIEW_GAP,
    ) - around.x;
  const high = Math.min(LARGEST_PREVIEW, bounds.bottom - bounds.top - 2 * PREVIEW_GAP - around.y);
  if (wide < NARROWEST_PREVIEW - around.x || high < NARROWEST_PREVIEW / 3) return null;
  const scale = Math.min(wide / full.width, high / full.height);
  const width = Math.max(NARROWEST_PREVIEW, scale * full.width + around.x),
    height = scale * full.height + around.y;
  const left = !isBeside
    ? (bounds.left + bounds.right - width) / 2
    : side === "right"
      ? tile.right + PREVIEW_GAP
      : tile.left - PREVIEW_GAP - width;
  return {
    left,
    top: Math.max(
      bounds.top + PREVIEW_GAP,
      Math.min(tile.top, bounds.bottom - PREVIEW_GAP - height),
    ),
    width,
    height,
  };
}

// Return the part of an element's box that is not scrolled out of sight.
function visiblePart(node) {
  const part = { left: 0, top: 0, right: globalThis.innerWidth, bottom: globalThis.innerHeight };
  for (
    let ancestor = node;
    ancestor && ancestor !== document.body;
    ancestor = ancestor.parentElement
  ) {
    if (ancestor !== node && getComputedStyle(ancestor).overflowY === "visible") continue;
    const box = ancestor.getBoundingClientRect();
    for (const edge of ["left", "top"]) part[edge] = Math.max(part[edge], box[edge]);
    for (const edge of ["right", "bottom"]) part[edge] = Math.min(part[edge], box[edge]);
  }
  return part;
}

export class Preview {
  // `load(row)` → Promise of { uri, width, height }. `within()` returns the element with the tiles, which the preview
  // does not leave.
  constructor(load, { within, labels }) {
    this.load = load;
    this.within = within;
    this.labels = labels;
    this.picture = element("img", { alt: "" });
    this.words = element("div", { class: "words" });
    const view = element("div", { class: "view" }, this.picture);
    this.overlay = new ShapeOverlay(view, this.picture);
    this.node = element(
      "div",
      { class: "preview", hidden: true, attributes: { "aria-hidden": "true" } },
      view,
      this.words,
    );
    this.row = null;
  }

  // Open while the pointer rests on a tile, if the pointer itself has moved there: browsers also send events when tiles
  // move below a pointer at rest. `rowAt(event)` returns the row of the tile.
  watch(grid, rowAt) {
    grid.addEventListener("pointermove", (event) => {
      const hasMoved = event.movementX || event.movementY;
      const row = hasMoved && event.pointerType === "mouse" && rowAt(event);
      if (row) this.rest(row, event.target.closest(".tile"));
    });
    grid.addEventListener("pointerout", () => this.leave());
  }

  // Another page is shown. Only a preview that was opened with the keyboard stays, if its image does.
  turned(names) {
    if (!this.pinned || !names.includes(this.row?.name)) this.close();
  }

  rest(row, tile) {
    clearTimeout(this.timer);
    if (!this.onHover || tile === this.used || row.name === this.row?.name) return; // no preview right after a click
    this.used = null;
    this.timer = setTimeout(() => this.open(row, tile), REST);
  }

  // Suppress the preview of this tile until the pointer has visited another one.
  rememberUse(tile) {
    this.close();
    this.used = tile;
  }

  // True if resting on a tile opens the preview. The choice is kept in this browser.
  get onHover() {
    return recall(ON_HOVER) !== "off";
  }

  set onHover(on) {
    if (!on) this.close();
    remember(ON_HOVER, on ? "on" : "off");
  }

  leave() {
    clearTimeout(this.timer);
    if (!this.pinned) this.close();
  }

  async open(row, tile, { pinned = false } = {}) {
    clearTimeout(this.timer);
    this.pinned = pinned;
    this.row = row;
    this.full = null;
    let full;
    try {
      full = await this.load(row);
    } catch {
      return; // the tile already shows the error
    }
    if (this.row?.name !== row.name) return;
    this.full = full;
    this.picture.src = full.uri;
    this.refresh(this.row);
    show(this.node, true);
    this._place(tile, full);
  }

  // Show the row of the same image after an edit.
  refresh(row) {
    if (row.name !== this.row?.name) return;
    this.row = row;
    if (!this.full) return;
    this.words.replaceChildren(
      element("strong", {}, element("bdi", { text: row.short })),
      ` ${this.full.width} × ${this.full.height}`,
      element("div", { class: "line" }, ...chipsOf(row, this.labels())),
    );
    this.overlay.show(shapesOfRow(row, this.labels()), row.size);
  }

  _place(tile, full) {
    const bounds = visiblePart(this.within());
    const origin = this.node.offsetParent.getBoundingClientRect();
    let box = { width: NARROWEST_PREVIEW };
    for (let pass = 0; pass < 2; pass += 1) {
      // the height of the text depends on the width, and the width on the height
      this.node.style.width = `${box.width}px`;
      const around = { x: 2 * PREVIEW_EDGE, y: 2 * PREVIEW_EDGE + this.words.offsetHeight };
      box = besideTile(tile.getBoundingClientRect(), bounds, full, around, {
        anywhere: this.pinned,
      });
      if (!box) return this.close();
    }
    const position = {
      left: box.left - origin.left,
      top: box.top - origin.top,
      width: box.width,
      height: box.height,
    };
    for (const [name, value] of Object.entries(position))
      this.node.style.setProperty(name, `${value}px`);
    return undefined;
  }

  close() {
    clearTimeout(this.timer);
    this.row = this.full = null;
    this.pinned = false;
    show(this.node, false);
    this.picture.removeAttribute("src");
  }

  get isOpen() {
    return !this.node.hidden;
  }
}
