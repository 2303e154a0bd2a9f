// The state of a run as the page knows it. An update tells all that is short, and of what grows only what is new.

export class RunState {
  constructor() {
    this.short = { title: "", status: "running", words: "", seconds: 0, left: null, phase: null, over: [] };
    this.figures = new Map();
    this.messages = [];
    this.told = 0; // messages so far, forgotten ones included
    this.samples = null;
  }

  // Takes in an update; false where something before it is missing, so that all has to be asked for.
  take({ figures, messages, samples, ...short }, buffers = []) {
    this.short = short;
    let isWhole = true;
    for (const figure of figures) isWhole = this._takeFigure(figure) && isWhole;
    if (messages) isWhole = this._takeMessages(messages) && isWhole;
    if (samples) this.samples = { ...samples, pictures: samples.pictures.map((own, index) => ({ ...own, data: buffers[index] })) };
    return isWhole;
  }

  _takeFigure({ from, points, ...figure }) {
    const before = this.figures.get(figure.name);
    const known = before?.generation === figure.generation ? before.points : [];
    if (from > known.length) return false;
    this.figures.set(figure.name, { ...figure, points: known.slice(0, from).concat(points) });
    return true;
  }

  _takeMessages({ from, lines }) {
    if (from > this.told && this.messages.length) return false;
    const fresh = lines.slice(Math.max(0, this.told - from));
    this.messages = this.messages.concat(fresh).slice(-500);
    this.told = Math.max(this.told, from + lines.length);
    return true;
  }

  get isOver() {
    return ["done", "stopped", "failed"].includes(this.short.status);
  }

  // Figures of one kind that have been told, in the order of their first values.
  of(kind) {
    return [...this.figures.values()].filter((figure) => figure.kind === kind && figure.points.length);
  }

  // The number of steps of the run, where the phase under way counts in steps.
  get totalSteps() {
    const { phase } = this.short;
    return phase?.unit === "steps" && phase.total ? phase.total : null;
  }
}
