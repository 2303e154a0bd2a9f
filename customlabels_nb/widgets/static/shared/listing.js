// Current list of images and its page: cache of rows and thumbnails.

import { dataUri } from "./dom.js";
import { pageEnd, pageStart } from "./pages.js";
import { Pictures } from "./pictures.js";

const PREFETCH_AFTER = 150; // ms, so that the requested page is painted first
const FULLS_KEPT = 12;

export class Listing {
  // `pixels()` returns the wanted thumbnail size. `arrived(names)` is called when pictures of these rows came later.
  constructor(request, pixels, arrived = (_names) => {}) {
    this.request = request;
    this.pixels = pixels;
    this.arrived = arrived;
    this.rows = new Map(); // name → row
    this.names = []; // by position in the list
    this.pictures = new Pictures();
    this.fulls = new Map(); // name → Promise of a full-size image
    this.view = null;
    this.total = 0;
    this.start = 0;
    this.size = 24;
  }

  get end() {
    return pageEnd(this.start, this.size, this.total);
  }

  get count() {
    return this.end - this.start;
  }

  // Start another list. Only thumbnails stay cached.
  begin(view, page, buffers, size, version) {
    this.view = view;
    this.version = version;
    this.names = [];
    this.rows.clear();
    this.size = size;
    this.take(page, buffers);
    this.start = page.place;
  }

  take(page, buffers) {
    this.total = page.total;
    page.rows.forEach((row, index) => {
      this.rows.set(row.name, row);
      this.names[page.place + index] = row.name;
    });
    this.pictures.take(
      page.rows.map((row) => row.name),
      page.thumbs,
      buffers,
      dataUri,
    );
  }

  rowAt(position) {
    return this.rows.get(this.names[position]);
  }

  isOnPage(position) {
    return position >= this.start && position < this.end;
  }

  namesOnPage() {
    return this.names.slice(this.start, this.end);
  }

  rowsOnPage() {
    return this.namesOnPage()
      .map((name) => this.rows.get(name))
      .filter(Boolean);
  }

  // Return the rows of position ranges, or null if one is not cached.
  rowsAt(ranges) {
    const rows = [];
    for (const [first, last] of ranges) {
      for (let position = first; position <= last; position += 1) {
        const row = this.rowAt(position);
        if (!row) return null;
        rows.push(row);
      }
    }
    return rows;
  }

  // Return the rows of position ranges of a view. They are not cached if another one is shown meanwhile.
  async fetchRows(ranges, view = this.view) {
    const [answer] = await this.request("rows", { view, ranges });
    if (view !== this.view) return answer.rows;
    answer.rows.forEach((row, index) => {
      this.rows.set(row.name, row);
      this.names[answer.places[index]] = row.name;
    });
    return this.rowsAt(ranges);
  }

  // Update cached rows. Rows of large edits have no outlines, so they keep those that are known. A new `version` of
  // the predictions drops those of other pages, and returns true.
  renew(rows, version = this.version) {
    for (const row of rows.filter(({ name }) => this.rows.has(name))) {
      const { size, outlines, guesses } = this.rows.get(row.name);
      this.rows.set(row.name, { size, outlines, guesses, ...row });
    }
    if (version === this.version) return false;
    this.version = version;
    const kept = new Set(this.namesOnPage());
    for (const name of [...this.rows.keys()]) if (!kept.has(name)) this.rows.delete(name);
    return true;
  }

  // Return true if a page can be shown, though perhaps without its last pictures.
  isKnown(start) {
    const end = pageEnd(start, this.size, this.total);
    for (let position = start; position < end; position += 1) {
      const name = this.names[position];
      if (name === undefined || !this.rows.has(name)) return false;
    }
    return this.pictures.has(this.names[start]);
  }

  startOf(position) {
    return pageStart(position, this.size, this.total);
  }

  async load(start) {
    if (start < 0 || start >= this.total || this.isKnown(start)) return;
    const { view } = this;
    const [page, buffers] = await this.request("page", {
      view,
      place: start,
      size: this.size,
      pixels: this.pixels(),
    });
    if (view === this.view) this.take(page, buffers);
  }

  // Fetch the pictures that did not come with this page, and then the next page.
  prefetch() {
    clearTimeout(this.prefetching);
    const filled = this.fill();
    this.prefetching = setTimeout(() => this._prepareNext(filled), PREFETCH_AFTER);
  }

  // Fetch the pictures that did not come with this page.
  fill() {
    this.filling = {};
    return this._fill(this.start, this.filling);
  }

  // Ask for the pictures of a page until all have come, or other ones are fetched.
  async _fill(start, filling) {
    const lacking = () =>
      this.names.slice(start, start + this.size).filter((name) => !this.pictures.has(name));
    try {
      for (let images = lacking(); images.length && filling === this.filling; images = lacking()) {
        const wanted = { images, pixels: this.pixels() };
        const [{ thumbs }, buffers] = await this.request("pictures", wanted);
        this.pictures.take(images, thumbs, buffers, dataUri);
        if (filling === this.filling) this.arrived(new Set(images));
      }
    } catch {
      // they are requested again when the page is shown again
    }
  }

  async _prepareNext(filled) {
    const { start, filling } = this;
    const next = start + this.size;
    const isCurrent = () => filling === this.filling && start === this.start;
    try {
      await filled;
      if (!isCurrent()) return;
      await this.load(next);
      await this._fill(next, filling);
      if (isCurrent()) this.pictures.decodeAhead(this.names.slice(next, next + this.size));
    } catch {
      // it is requested again when needed
    }
  }

  // Return a Promise of { uri, width, height } of the full image.
  full(row) {
    if (!this.fulls.has(row.name)) {
      const loading = this.request("full", { image: row.name }).then(
        ([{ mime, width, height }, [bytes]]) => ({ uri: dataUri(bytes, mime), width, height }),
      );
      loading.catch(() => this.fulls.delete(row.name));
      this.fulls.set(row.name, loading);
      if (this.fulls.size > FULLS_KEPT) this.fulls.delete(this.fulls.keys().next().value);
    }
    return this.fulls.get(row.name);
  }

  close() {
    clearTimeout(this.prefetching);
    this.filling = null;
  }
}
