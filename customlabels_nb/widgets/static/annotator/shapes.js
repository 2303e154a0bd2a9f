// Shapes of one image with undo, redo and selection. No DOM.

import { matchPredictions } from "./matching.js";

const STEPS = 200;

export class ImageShapes {
  // `image` is { name, short, width, height }. shapes, labels (of the entire image), status, predictions, `predicted`
  // (label and confidence, of a shape if `predicted_drawn`), `note` and `rejected` come from the kernel. Which
  // predictions were accepted or dropped is part of the state, so that it can be undone.
  constructor(
    image,
    {
      shapes,
      labels = [],
      status,
      revision,
      predictions = [],
      predicted = null,
      predicted_drawn: isDrawn = false,
      note,
      rejected = null,
    },
  ) {
    this.image = image;
    this.said = isDrawn ? null : predicted;
    this.rejected = rejected; // by whom and why, if the predictions are suggestions
    this.revision = revision;
    this.wasOpen = status === "unlabelled"; // when it was opened
    this.given = predictions;
    this.matched = null;
    const settled = { accepted: [], dropped: [] };
    this.state = frozen({ shapes, labels, ...settled, note, status, marked: false });
    this.selected = null;
    this.also = []; // other selected shapes
    this.isNew = false; // the selected shape was just drawn, not chosen by click or Tab
    this.past = [];
    this.future = [];
    this.merging = null;
  }

  get shapes() {
    return this.state.shapes;
  }

  get labels() {
    return this.state.labels;
  }

  get note() {
    return this.state.note;
  }

  get status() {
    return this.state.status;
  }

  // Predictions that are shown: neither accepted nor dropped, nor of an object that is drawn with their label.
  get predictions() {
    return this._matches().shown;
  }

  // The questions among the predictions: see matchPredictions.
  get asks() {
    return this._matches().asks;
  }

  _matches() {
    const { given, state } = this;
    if (this.matched?.state !== state || this.matched.given !== given) {
      const { shapes, accepted, dropped } = state;
      const settled = new Set([...accepted, ...dropped]);
      const open = given.filter((each) => !settled.has(each));
      const matches = matchPredictions(shapes, open, accepted, this.image);
      this.matched = { given, state, ...matches };
    }
    return this.matched;
  }

  // Show the predictions that were read since. Those that are the same as before stay accepted or dropped. Shapes,
  // their undo history and the selection stay the same. What was rejected stays suggested until it is settled.
  renewPredictions({
    predictions = [],
    predicted = null,
    predicted_drawn: isDrawn = false,
    rejected = null,
  }) {
    if (this.rejected && !rejected && !this.isBare && this.predictions.length) return;
    this.said = isDrawn ? null : predicted;
    this.rejected = rejected;
    const known = new Map(this.given.map((each) => [JSON.stringify(each), each]));
    this.given = predictions.map((each) => known.get(JSON.stringify(each)) ?? each);
  }

  get shape() {
    return this.selected === null ? null : (this.shapes[this.selected] ?? null);
  }

  // All selected shapes.
  get chosen() {
    return this.selected === null ? [] : [this.selected, ...this.also];
  }

  get isBare() {
    return !this.shapes.length && !this.labels.length;
  }

  // By whom and why the image was rejected, while it is not labelled again, or null.
  get rejection() {
    return ["unlabelled", "needs_review"].includes(this.status) ? this.rejected : null;
  }

  // Prediction for the entire image while it has no label: label and confidence, or null.
  get offered() {
    const isLookedAt = this.labels.length > 0 || (this.isBare && this.status === "labelled");
    return isLookedAt ? null : this.said;
  }

  // Apply a change as one undo step. Consecutive changes with the same `merge` name become one step.
  change({
    shapes = this.shapes,
    labels = this.labels,
    accepted = this.state.accepted,
    dropped = this.state.dropped,
    status = null,
    selected = this.selected,
    also = selected === this.selected ? this.also : [],
    isNew = this.isNew,
    merge = null,
    note = this.state.note,
    marks = this._marks({ shapes, labels, status }),
  }) {
    if (merge === null || merge !== this.merging)
      this.past = [...this.past.slice(1 - STEPS), this._step()];
    this.merging = merge;
    this.future = [];
    this.state = frozen({ shapes, labels, accepted, dropped, note, ...marks });
    this.selected = selected !== null && selected < shapes.length ? selected : null;
    this.also = this.selected === null ? [] : also;
    this.isNew = isNew && this.selected !== null;
  }

  // Set the note of the selected shape ("shape") or of the image ("image"). The status stays the same.
  setNote(kind, note) {
    const { status, marked } = this.state;
    const shape = { ...this.shape, note: note || null };
    this.change({
      ...(kind === "image"
        ? { note }
        : { shapes: Object.assign([...this.shapes], { [this.selected]: shape }) }),
      marks: { status, marked },
    });
  }

  // Return the status. Images with shapes or labels are labelled, and unlabelled after the last one was removed. A
  // "needs review" that was set here is kept when more is drawn.
  _marks({ shapes, labels, status }) {
    const { marked } = this.state;
    if (status !== null) return { status, marked: status === "needs_review" };
    if (shapes === this.shapes && labels === this.labels) return { status: this.status, marked };
    if (marked) return { status: "needs_review", marked };
    if (shapes.length || labels.length) return { status: "labelled", marked };
    return {
      status: this.status === "labelled" && !this.isBare ? "unlabelled" : this.status,
      marked,
    };
  }

  add(shape, { select = false, isNew = false } = {}) {
    this.change({
      shapes: [...this.shapes, shape],
      selected: select ? this.shapes.length : null,
      isNew,
    });
  }

  replace(index, shape, options = {}) {
    this.replaceAll(new Map([[index, shape]]), options);
  }

  // `renewed` has the new shape of each index.
  replaceAll(renewed, { merge = null } = {}) {
    this.change({ shapes: this.shapes.map((item, index) => renewed.get(index) ?? item), merge });
  }

  remove(...indices) {
    this.change({
      shapes: this.shapes.filter((_, position) => !indices.includes(position)),
      selected: null,
    });
  }

  select(index) {
    this.choose(index === null ? [] : [index]);
  }

  // Select several shapes. The first one is `selected`.
  choose(indices) {
    if (indices.join() !== this.chosen.join()) this.merging = null;
    [this.selected = null, ...this.also] = indices;
    this.isNew = false;
  }

  // Add a shape to the selection, or remove it from there.
  toggle(index) {
    const others = this.chosen.filter((each) => each !== index);
    this.choose(others.length < this.chosen.length ? others : [index, ...others]);
  }

  undo() {
    return this._go(this.past, this.future);
  }

  redo() {
    return this._go(this.future, this.past);
  }

  _go(from, to) {
    const step = from.pop();
    if (!step) return false;
    to.push(this._step());
    Object.assign(this, step, { merging: null });
    return true;
  }

  _step() {
    const { state, selected, also, isNew } = this;
    return { state, selected, also, isNew };
  }
}

function frozen(state) {
  for (const name of ["shapes", "labels", "accepted", "dropped"])
    state[name] = Object.freeze([...state[name]]);
  return Object.freeze(state);
}
