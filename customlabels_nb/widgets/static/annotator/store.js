// The images that were opened: their sheets, with what undo needs, and the pictures of the last few. No DOM.

import { Sheet } from "./sheet.js";

const PICTURES_KEPT = 8;
const SHEETS_KEPT = 200;

export class AnnotationStore {
  // `load(name)` → Promise of { facts, view }; `isPending(name)` whether changes of an image are still on their way.
  constructor({ load, isPending }) {
    Object.assign(this, { load, isPending });
    this.sheets = new Map(); // name → Sheet
    this.opened = new Map(); // name → Promise of { sheet, view }, the least recently used first
    this.foretold = new Map(); // name → what its row said of predictions when it was read
  }

  // Promise of { sheet, view } of an image; at once, if it was prepared.
  open(name) {
    const opening = this.opened.get(name) ?? this._read(name);
    this.opened.delete(name);
    this.opened.set(name, opening);
    trim(this.opened, PICTURES_KEPT, name);
    return opening;
  }

  _read(name) {
    const opening = this.load(name).then(({ facts, view }) => ({ sheet: this._sheet(name, facts), view }));
    opening.catch(() => { if (this.opened.get(name) === opening) this.opened.delete(name); });
    return opening;
  }

  // What was done to an image here can be undone as long as nobody else changed it.
  _sheet(name, facts) {
    const known = this.sheets.get(name);
    const sheet = known && (this.isPending(name) || known.revision === facts.revision)
      ? known
      : new Sheet({ name, short: facts.short, width: facts.width, height: facts.height }, facts);
    this.sheets.delete(name);
    this.sheets.set(name, sheet);
    this.foretold.set(name, JSON.stringify(facts.predicted ?? null));
    trim(this.sheets, SHEETS_KEPT, name, (other) => this.isPending(other));
    return sheet;
  }

  stored(name, revision) {
    const sheet = this.sheets.get(name);
    if (sheet) sheet.revision = revision;
  }

  // Whether the row of an image tells of changes that its sheet doesn't have.
  isStale(row) {
    const sheet = this.sheets.get(row.name);
    if (!sheet || this.isPending(row.name)) return false;
    if (row.revision > sheet.revision) return true;
    return !sheet.past.length && !sheet.future.length && JSON.stringify(row.predicted ?? null) !== this.foretold.get(row.name);
  }

  // Many may have changed: what is opened from here on is read first, and keeps its steps if it is as it was.
  readAnew() {
    this.opened.clear();
  }

  forget(name) {
    this.sheets.delete(name);
    this.opened.delete(name);
  }
}

function trim(map, most, kept, isHeld = () => false) {
  for (const key of [...map.keys()]) {
    if (map.size <= most) return;
    if (key !== kept && !isHeld(key)) map.delete(key);
  }
}
