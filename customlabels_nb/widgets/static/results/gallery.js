// Gallery of filtered test images in pages, with selection and keyboard control.

import { dataUri, element, keepKeys, setText, show } from "../shared/dom.js";
import { letterOf } from "../shared/keymap.js";
import { Selection } from "../shared/selection.js";
import { itemsOf } from "./choosing.js";
import { ResultTile } from "./tiles.js";
import { numberText } from "./text.js";

const TILE = 134; // width in pixels
const ROWS = 3;
const KEPT = 1000;
const WAIT = 60; // milliseconds, to skip requests while a slider moves
const LONGEST_WAIT = 30_000; // after failures

export class ImageGallery {
  // `source.thumbs(images, pixels)` → Promise of [{ uri, failure, size }]. `onOpen(image)`, `onSelect(images)`,
  // `onHelp()`. `marked(items)` returns the items of an image to point out.
  constructor({ source, onOpen, onSelect, onHelp, marked }) {
    this.source = source;
    this.marked = marked;
    this.onOpen = onOpen;
    this.onSelect = onSelect;
    this.onHelp = onHelp;
    this.pictures = new Map();
    this.asked = new Set();
    this.tiles = [];
    this.images = [];
    this.failures = 0; // since the last success
    this.first = 0;
    this.focus = 0;
    this.columns = 8;
    this.selection = new Selection();
    this.grid = keepKeys(
      element("div", {
        class: "grid",
        tabIndex: 0,
        attributes: {
          role: "listbox",
          "aria-label": "Test images",
          "aria-multiselectable": "true",
        },
        on: {
          click: (event) => this._click(event),
          dblclick: (event) => this._open(event),
        },
      }),
    );
    this.empty = element("div", { class: "empty", hidden: true }, element("p"));
    const turn = (text, label, by) =>
      element("button", {
        class: "turn",
        text,
        attributes: { "aria-label": label },
        on: { click: () => this.turn(by) },
      });
    this.back = turn("‹", "Previous page", -1);
    this.forth = turn("›", "Next page", 1);
    this.place = element("span", { class: "position" });
    this.node = element("div", { class: "body gallery-body" }, this.grid, this.empty);
  }

  build(engine) {
    if (String(this.engine?.facts.images) !== String(engine.facts.images)) this.pictures.clear();
    this.engine = engine;
    this.selection.clear();
    // names that do not fit beside a confidence have a line of their own
    const isTall = engine.facts.labels.some(({ label }) => /.{8}|[\u2e80-\uffff]{4}/.test(label));
    this.grid.classList.toggle("tall", isTall && !engine.isDetection);
  }

  get size() {
    return this.columns * ROWS;
  }

  fit(width) {
    const columns = Math.max(2, Math.min(12, Math.floor(width / TILE)));
    if (columns === this.columns) return;
    this.columns = columns;
    this.grid.style.setProperty("--columns", columns);
    this.paint();
  }

  // Show other images, or the same ones at other thresholds.
  show(images, state, { keepPlace = true, words = "" } = {}) {
    this.images = images;
    this.state = state;
    this.words = words;
    if (!keepPlace) this.first = this.focus = 0;
    this.first = Math.max(
      0,
      Math.min(this.first, Math.floor(Math.max(0, images.length - 1) / this.size) * this.size),
    );
    this.focus = Math.min(this.focus, Math.max(0, images.length - 1));
    this.paint();
  }

  get chosen() {
    return [...this.selection.places]; // the selection contains image positions, so that it is kept while sliders move
  }

  get inFocus() {
    return this.images[this.focus] ?? null;
  }

  select(images) {
    this.selection.clear();
    for (const image of images) this.selection.places.add(image);
    this.paint();
  }

  paint() {
    if (!this.engine || !this.state) return;
    const { engine, state, images } = this;
    const shown = images.slice(this.first, this.first + this.size);
    while (this.tiles.length < shown.length) {
      const tile = new ResultTile();
      this.tiles.push(tile);
      this.grid.append(tile.node);
    }
    this.tiles.forEach((tile, index) => {
      if (index >= shown.length) {
        tile.hide();
        return;
      }
      const image = shown[index];
      const items = itemsOf(engine, state, image);
      tile.show({
        image,
        name: engine.facts.images[image],
        items,
        marked: this.marked(items),
        labels: engine.facts.labels,
        isDetection: engine.isDetection,
        picture: this.pictures.get(image),
        place: this.first + index,
      });
      tile.mark({
        selected: this.selection.has(image),
        focused: this.first + index === this.focus,
      });
    });
    show(this.empty, !shown.length);
    setText(this.empty.firstChild, this.words);
    const end = Math.min(this.first + this.size, images.length);
    setText(
      this.place,
      images.length
        ? `${numberText(this.first + 1)}–${numberText(end)} of ${numberText(images.length)}`
        : "no images",
    );
    this.back.disabled = this.first === 0;
    this.forth.disabled = end >= images.length;
    this._ask(shown);
  }

  _ask(shown) {
    clearTimeout(this.timer);
    const lacking = shown.filter((image) => !this.pictures.has(image) && !this.asked.has(image));
    if (!lacking.length) return;
    const { engine } = this;
    this.timer = setTimeout(async () => {
      this.timer = null;
      for (const image of lacking) this.asked.add(image);
      try {
        const thumbs = await this.source.thumbs(
          lacking,
          Math.ceil(TILE * Math.min(2, window.devicePixelRatio || 1)),
        );
        this.failures = 0;
        // another evaluation has other images under these numbers
        if (engine === this.engine)
          lacking.forEach((image, index) => this.pictures.set(image, thumbs[index]));
        for (const image of this.pictures.keys()) {
          if (this.pictures.size <= KEPT) break;
          this.pictures.delete(image);
        }
      } catch {
        this.failures += 1; // the screen reports that the kernel does not respond
      } finally {
        for (const image of lacking) this.asked.delete(image);
      }
      if (this.isClosed) return;
      if (!this.failures) this.paint();
      else
        this.timer ??= setTimeout(
          () => this.paint(),
          Math.min(LONGEST_WAIT, WAIT * 2 ** this.failures),
        );
    }, WAIT);
  }

  turn(by) {
    const target = this.first + by * this.size;
    if (target < 0 || target >= this.images.length) return;
    this.first = this.focus = target;
    this.paint();
  }

  _placeOf(event) {
    const node = event.target.closest?.(".tile");
    return node ? Number(node.dataset.place) : null;
  }

  _click(event) {
    const position = this._placeOf(event);
    if (position === null) return;
    const image = this.images[position];
    if (event.shiftKey)
      for (
        let index = Math.min(position, this.focus);
        index <= Math.max(position, this.focus);
        index += 1
      )
        this.selection.places.add(this.images[index]);
    else if (event.ctrlKey || event.metaKey || event.target.closest(".tick"))
      this.selection.toggle(image);
    else if (this.selection.size === 1 && this.selection.has(image)) this.selection.clear();
    else this.selection.only(image);
    this.focus = position;
    this._changed();
  }

  _open(event) {
    const position = this._placeOf(event);
    if (position !== null) this.onOpen(this.images[position]);
  }

  _changed() {
    this.grid.focus({ preventScroll: true });
    this.paint();
    this.onSelect(this.chosen);
  }

  // Handle a key of the screen, unless the element in focus has a use for it.
  key(event) {
    const moves = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: this.columns,
      ArrowUp: -this.columns,
      PageDown: this.size,
      PageUp: -this.size,
    };
    const isAll = event.ctrlKey && letterOf(event) === "a";
    const isElsewhere =
      event.target.closest("input, select, .viewer") ||
      ([" ", "Enter"].includes(event.key) && event.target.closest("button")) ||
      (event.key.startsWith("Arrow") && event.target.closest(".cells, .one-vs-rest"));
    if (!this.engine || isElsewhere || event.altKey || (event.ctrlKey && !isAll)) return;
    if (event.key in moves) {
      const target = Math.min(this.images.length - 1, Math.max(0, this.focus + moves[event.key]));
      if (target < 0) return;
      this.focus = target;
      this.first = Math.floor(target / this.size) * this.size;
      this.grid.focus({ preventScroll: true });
      this.paint();
    } else if (event.key === " " && this.inFocus !== null) {
      this.selection.toggle(this.inFocus);
      this._changed();
    } else if (event.key === "Enter" && this.inFocus !== null) this.onOpen(this.inFocus);
    else if (isAll) {
      this.selection.clear();
      for (const image of this.images) this.selection.places.add(image);
      this._changed();
    } else if (event.key === "?") this.onHelp();
    else if (event.key === "Escape") {
      this.selection.clear();
      this._changed();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
  }
}

// Convert thumbnails of the kernel.
export function picturesFrom({ thumbs, sizes }, buffers) {
  return thumbs.map((thumb, index) =>
    typeof thumb === "number"
      ? { uri: dataUri(buffers[thumb]), failure: null, size: sizes[index] }
      : { uri: null, failure: thumb, size: sizes[index] },
  );
}
