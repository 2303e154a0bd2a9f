// State of a run in the page. An update has all short fields, and only the new points and messages.

/**
 * @typedef {{ title: string, status: string, words: string, kept: string, seconds: number, left: number | null,
 *   phase: { unit: string, done: number, total: number | null } | null, over: object[] }} ShortFields
 */

export class RunState {
  constructor() {
    /** @type {ShortFields} */
    this.short = {
      title: "",
      status: "running",
      words: "",
      kept: "",
      seconds: 0,
      left: null,
      phase: null,
      over: [],
    };
    this.figures = new Map();
    this.messages = [];
    this.told = 0; // total number of messages, including dropped ones
    this.samples = null;
  }

  // Apply an update. Returns false if an earlier update is missing and the complete state must be requested.
  /** @param {ShortFields & { figures: object[], messages?: object, samples?: { pictures: object[] } }} update */
  take({ figures, messages, samples, ...short }, buffers = []) {
    this.short = short;
    let isWhole = true;
    for (const figure of figures) isWhole = this._takeFigure(figure) && isWhole;
    if (messages) isWhole = this._takeMessages(messages) && isWhole;
    if (samples)
      this.samples = {
        ...samples,
        pictures: samples.pictures.map((item, index) => ({ ...item, data: buffers[index] })),
      };
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

  // Return metrics of one kind, in the order of their first values.
  of(kind) {
    return [...this.figures.values()].filter(
      (figure) => figure.kind === kind && figure.points.length,
    );
  }

  // Number of steps of the run, if the current phase counts in steps.
  get totalSteps() {
    const { phase } = this.short;
    return phase?.unit === "steps" && phase.total ? phase.total : null;
  }
}
