// The images that were opened: their shapes, with what undo needs, and the pictures of the last few. No DOM.

import { ImageShapes } from "./shapes.js";

const PICTURES_KEPT = 8;
const SHAPES_KEPT = 200;

export class AnnotationStore {
  // `load(name)` → Promise of { facts, view }; `isPending(name)` whether changes of an image are still on their way.
  constructor({ load, isPending }) {
    Object.assign(this, { load, isPending });
    this.shapesByName = new Map(); // name → ImageShapes
    this.opened = new Map(); // name → Promise of { imageShapes, view }, the least recently used first
    this.foretold = new Map(); // name → what its row said of predictions when it was read
  }

  // Promise of { imageShapes, view } of an image; at once, if it was prepared.
  open(name) {
    const opening = this.opened.get(name) ?? this._read(name);
    this.opened.delete(name);
    this.opened.set(name, opening);
    trim(this.opened, PICTURES_KEPT, name);
    return opening;
  }

  _read(name) {
    const opening = this.load(name).then(({ facts, view }) => ({ imageShapes: this._shapesOf(name, facts), view }));
    opening.catch(() => { if (this.opened.get(name) === opening) this.opened.delete(name); });
    return opening;
  }

  // What was done to an image here can be undone as long as nobody else changed it.
  _shapesOf(name, facts) {
    const known = this.shapesByName.get(name);
    const imageShapes = known && (this.isPending(name) || known.revision === facts.revision)
      ? known
      : new ImageShapes({ name, short: facts.short, width: facts.width, height: facts.height }, facts);
    this.shapesByName.delete(name);
    this.shapesByName.set(name, imageShapes);
    this.foretold.set(name, JSON.stringify(facts.predicted ?? null));
    trim(this.shapesByName, SHAPES_KEPT, name, (other) => this.isPending(other));
    return imageShapes;
  }

  stored(name, revision) {
    const imageShapes = this.shapesByName.get(name);
    if (imageShapes) imageShapes.revision = revision;
  }

  // Whether the row of an image tells of changes that its shapes don't have.
  isStale(row) {
    const imageShapes = this.shapesByName.get(row.name);
    if (!imageShapes || this.isPending(row.name)) return false;
    if (row.revision > imageShapes.revision) return true;
    return !imageShapes.past.length && !imageShapes.future.length && JSON.stringify(row.predicted ?? null) !== this.foretold.get(row.name);
  }

  // Many may have changed: what is opened from here on is read first, and keeps its steps if it is as it was.
  readAnew() {
    this.opened.clear();
  }

  forget(name) {
    this.shapesByName.delete(name);
    this.opened.delete(name);
  }
}

function trim(map, most, kept, isHeld = () => false) {
  for (const key of [...map.keys()]) {
    if (map.size <= most) return;
    if (key !== kept && !isHeld(key)) map.delete(key);
  }
}
