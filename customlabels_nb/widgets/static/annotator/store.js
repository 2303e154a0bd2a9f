// Cache of opened images: their shapes with undo history, and the last few decoded images. No DOM.

import { ImageShapes } from "./shapes.js";

const PICTURES_KEPT = 8;
const SHAPES_KEPT = 200;

export class AnnotationStore {
  // `load(name)` → Promise of { facts, view }. `isPending(name)` returns true if changes of the image are not saved
  // yet.
  constructor({ load, isPending }) {
    this.load = load;
    this.isPending = isPending;
    this.shapesByName = new Map(); // name → ImageShapes
    this.opened = new Map(); // name → Promise of { imageShapes, view }, least recently used first
    this.forgotten = new Map(); // name → state of the shapes that the next response replaces
  }

  // Return a Promise of { imageShapes, view }, resolved immediately if the image was prefetched.
  open(name) {
    const opening = this.opened.get(name) ?? this._read(name);
    this.opened.delete(name);
    this.opened.set(name, opening);
    trim(this.opened, PICTURES_KEPT, name);
    return opening;
  }

  _read(name) {
    const opening = this.load(name).then(({ facts, view }) => ({
      imageShapes: this._shapesOf(name, facts),
      view,
    }));
    opening.catch(() => {
      if (this.opened.get(name) === opening) this.opened.delete(name);
    });
    return opening;
  }

  // The undo history of an image is kept as long as nobody else changes the image. A response that was on its way
  // while the user changed the image is outdated, except for its predictions.
  _shapesOf(name, facts) {
    const known = this.shapesByName.get(name);
    const isForgotten = known?.state === this.forgotten.get(name);
    const isKept =
      known &&
      (this.isPending(name) ||
        known.revision > facts.revision ||
        (known.revision === facts.revision && !isForgotten));
    if (isKept) known.renewPredictions(facts);
    const imageShapes = isKept
      ? known
      : new ImageShapes(
          { name, short: facts.short, width: facts.width, height: facts.height },
          facts,
        );
    this.forgotten.delete(name);
    this.shapesByName.delete(name);
    this.shapesByName.set(name, imageShapes);
    trim(this.shapesByName, SHAPES_KEPT, name, (other) => this.isPending(other));
    return imageShapes;
  }

  stored(name, revision) {
    const imageShapes = this.shapesByName.get(name);
    if (imageShapes) imageShapes.revision = revision;
  }

  // Return true if the row of an image is newer than its cached shapes.
  isStale(row) {
    const imageShapes = this.shapesByName.get(row.name);
    if (!imageShapes || this.forgotten.has(row.name) || this.isPending(row.name)) return false;
    return row.revision > imageShapes.revision;
  }

  // Read the predictions for an opened image again, whatever was drawn on it.
  async renewPredictions(name) {
    const { facts } = await this.load(name);
    this.shapesByName.get(name)?.renewPredictions(facts);
  }

  // Reload images when they are opened next. Unchanged images keep their undo history.
  readAnew() {
    this.opened.clear();
  }

  // Reload an image when it is opened next, and replace its shapes unless they are changed before the response.
  forget(name) {
    const known = this.shapesByName.get(name);
    if (known) this.forgotten.set(name, known.state);
    this.opened.delete(name);
  }
}

function trim(map, most, kept, isHeld = (_) => false) {
  for (const key of [...map.keys()]) {
    if (map.size <= most) return;
    if (key !== kept && !isHeld(key)) map.delete(key);
  }
}
