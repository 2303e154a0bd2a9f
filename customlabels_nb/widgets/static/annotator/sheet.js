// The shapes of one image with everything that was done to them: undo and redo, what is selected. No DOM.

const STEPS = 200;

export class Sheet {
  // `image` is { name, width, height }; shapes, labels (of the whole image) and status are as the kernel has them.
  constructor(image, { shapes, labels = [], status, revision }) {
    this.image = image;
    this.revision = revision;
    this.state = Object.freeze({ shapes: Object.freeze([...shapes]), labels: Object.freeze([...labels]), status });
    this.selected = null;
    this.past = [];
    this.future = [];
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

  get shape() {
    return this.selected === null ? null : this.shapes[this.selected] ?? null;
  }

  // One step that undo takes back. What has shapes or labels is labelled; what lost its last one is not looked at again.
  change({ shapes = this.shapes, labels = this.labels, status = null, selected = this.selected }) {
    const bare = !shapes.length && !labels.length;
    const next = status ?? (bare ? (this.status === "labelled" && this._hasAny() ? "unlabelled" : this.status) : "labelled");
    this.past = [...this.past.slice(1 - STEPS), { state: this.state, selected: this.selected }];
    this.future = [];
    this.state = Object.freeze({ shapes: Object.freeze([...shapes]), labels: Object.freeze([...labels]), status: next });
    this.selected = selected !== null && selected < shapes.length ? selected : null;
  }

  _hasAny() {
    return this.shapes.length > 0 || this.labels.length > 0;
  }

  add(shape, { select = false } = {}) {
    this.change({ shapes: [...this.shapes, shape], selected: select ? this.shapes.length : null });
  }

  replace(index, shape) {
    this.change({ shapes: this.shapes.map((own, at) => (at === index ? shape : own)) });
  }

  remove(index) {
    this.change({ shapes: this.shapes.filter((_, at) => at !== index), selected: null });
  }

  select(index) {
    this.selected = index;
  }

  // The next shape in order, from the selected one; null where there is none.
  cycle(step, usable = () => true) {
    const order = this.shapes.map((_, index) => index).filter((index) => usable(this.shapes[index], index));
    if (!order.length) return null;
    const at = order.indexOf(this.selected);
    const next = at < 0 ? (step > 0 ? 0 : order.length - 1) : (at + step + order.length) % order.length;
    this.selected = order[next];
    return this.selected;
  }

  undo() {
    return this._step(this.past, this.future);
  }

  redo() {
    return this._step(this.future, this.past);
  }

  _step(from, to) {
    const step = from.pop();
    if (!step) return false;
    to.push({ state: this.state, selected: this.selected });
    this.state = step.state;
    this.selected = step.selected;
    return true;
  }
}
