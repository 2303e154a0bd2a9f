// Selection of positions in a list: pure arithmetic.

export class Selection {
  constructor() {
    this.places = new Set();
    this.anchor = null;
    this.everything = false; // the complete list, including pages that were not shown yet
  }

  get size() {
    return this.places.size;
  }

  has(place) {
    return this.places.has(place);
  }

  clear() {
    this.places.clear();
    this.anchor = null;
    this.everything = false;
  }

  only(place) {
    this.clear();
    this.places.add(place);
    this.anchor = place;
  }

  toggle(place) {
    this.everything = false;
    if (!this.places.delete(place)) this.places.add(place);
    this.anchor = place;
  }

  // Select from the anchor to `place`, inclusive, across pages. `added` keeps the previous selection.
  extendTo(place, { added = false } = {}) {
    const anchor = this.anchor ?? place;
    if (!added) this.places.clear();
    this.everything = false;
    for (let at = Math.min(anchor, place); at <= Math.max(anchor, place); at += 1)
      this.places.add(at);
    this.anchor = anchor;
  }

  addRange(first, count) {
    for (let at = first; at < first + count; at += 1) this.places.add(at);
    this.anchor = this.anchor ?? first;
  }

  selectAll(total) {
    this.clear();
    this.addRange(0, total);
    this.everything = true;
  }

  covers(first, count) {
    for (let at = first; at < first + count; at += 1) if (!this.places.has(at)) return false;
    return count > 0;
  }

  // Return [[first, last], …] in ascending order.
  ranges() {
    const sorted = [...this.places].sort((a, b) => a - b);
    const found = [];
    for (const place of sorted) {
      const last = found.at(-1);
      if (last && last[1] === place - 1) last[1] = place;
      else found.push([place, place]);
    }
    return found;
  }
}
