// Shapes of one image with undo, redo and selection. No DOM.

const STEPS = 200;

export class ImageShapes {
  // `image` is { name, short, width, height }. shapes, labels (of the entire image), status, predictions and
  // `predicted` (label and confidence, of a shape if `predicted_drawn`) come from the kernel. The remaining predictions
  // are part of the state, so that accepting or discarding one can be undone.
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
    },
  ) {
    this.image = image;
    this.said = isDrawn ? null : predicted;
    this.revision = revision;
    this.wasOpen = status === "unlabelled"; // when it was opened
    this.state = frozen({ shapes, labels, predictions, status, marked: false });
    this.selected = null;
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

  get status() {
    return this.state.status;
  }

  get predictions() {
    return this.state.predictions;
  }

  get shape() {
    return this.selected === null ? null : (this.shapes[this.selected] ?? null);
  }

  get isBare() {
    return !this.shapes.length && !this.labels.length;
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
    predictions = this.predictions,
    status = null,
    selected = this.selected,
    isNew = this.isNew,
    merge = null,
  }) {
    const next = { shapes, labels, predictions, ...this._marks({ shapes, labels, status }) };
    if (merge === null || merge !== this.merging)
      this.past = [...this.past.slice(1 - STEPS), this._step()];
    this.merging = merge;
    this.future = [];
    this.state = frozen(next);
    this.selected = selected !== null && selected < shapes.length ? selected : null;
    this.isNew = isNew && this.selected !== null;
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

  replace(index, shape, { merge = null } = {}) {
    this.change({
      shapes: this.shapes.map((item, position) => (position === index ? shape : item)),
      merge,
    });
  }

  remove(index) {
    this.change({
      shapes: this.shapes.filter((_, position) => position !== index),
      selected: null,
    });
  }

  select(index) {
    if (index !== this.selected) this.merging = null;
    this.selected = index;
    this.isNew = false;
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
    this.state = step.state;
    this.selected = step.selected;
    this.isNew = step.isNew;
    this.merging = null;
    return true;
  }

  _step() {
    return { state: this.state, selected: this.selected, isNew: this.isNew };
  }
}

function frozen(state) {
  for (const name of ["shapes", "labels", "predictions"])
    state[name] = Object.freeze([...state[name]]);
  return Object.freeze(state);
}
