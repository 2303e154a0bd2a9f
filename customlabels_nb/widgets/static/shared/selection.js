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

  has(position) {
    return this.places.has(position);
  }

  clear() {
    this.places.clear();
    this.anchor = null;
    this.everything = false;
  }

  only(position) {
    this.clear();
    this.places.add(position);
    this.anchor = position;
  }

  toggle(position) {
    this.everything = false;
    if (!this.places.delete(position)) this.places.add(position);
    this.anchor = position;
  }

  // Select from the anchor to `place`, inclusive, across pages. `added` keeps the previous selection.
  extendTo(position, { added = false } = {}) {
    const anchor = this.anchor ?? position;
    if (!added) this.places.clear();
    this.everything = false;
    for (let index = Math.min(anchor, position); index <= Math.max(anchor, position); index += 1)
      this.places.add(index);
    this.anchor = anchor;
  }

  addRange(first, count) {
    for (let index = first; index < first + count; index += 1) this.places.add(index);
    this.anchor = this.anchor ?? first;
  }

  selectAll(total) {
    this.clear();
    this.addRange(0, total);
    this.everything = true;
  }

  covers(first, count) {
    for (let index = first; index < first + count; index += 1)
      if (!this.places.has(index)) return false;
    return count > 0;
  }

  // Return [[first, last], …] in ascending order.
  ranges() {
    const sorted = [...this.places].sort((a, b) => a - b);
    const runs = [];
    for (const position of sorted) {
      const last = runs.at(-1);
      if (last && last[1] === position - 1) last[1] = position;
      else runs.push([position, position]);
    }
    return runs;
  }
}
