// Changes other than drawing: labels, typed numbers, status, predictions, copy and paste.

import { HINT_LABEL, HINT_SMALL } from "./drawing.js";
import { placed, taken, withNumber } from "./fitting.js";
import { withoutTwins } from "./matching.js";
import { simplified } from "./rings.js";
import { pointsOf, withoutCorner, withPolygon } from "../shared/geometry.js";
import { offerReview } from "../label_manager/opening.js";
import { askReason } from "../shared/job_bar.js";
import { counted } from "../shared/numbers.js";
import { askToSkip } from "../shared/panels.js";

const QUESTIONS = [
  "prediction overlaps another box: Tab to it, Enter accepts.",
  "predictions overlap other boxes: Tab to them, Enter accepts.",
];

export class Changes {
  // `screen` has imageShapes, info, label, hidden, locked, drawing, notices, panel, saving, request(kind, content),
  // takeInfo(info), sendToReview(action), outlining, tolerance, changed() and shown().
  constructor(screen) {
    this.screen = screen;
    this.clipboard = []; // copied shapes
    this.picked = null; // selected prediction
    this.whole = new WeakMap(); // simplified shape → { polygon before, tolerance }
  }

  get may() {
    return Boolean(this.screen.imageShapes) && !this.screen.info.read_only;
  }

  // Index of the selected prediction among those that are shown, or null.
  get prediction() {
    const index = this.screen.imageShapes?.predictions.indexOf(this.picked) ?? -1;
    return index < 0 ? null : index;
  }

  set prediction(index) {
    this.picked = this.screen.imageShapes?.predictions[index] ?? null;
  }

  hint(text) {
    this.screen.notices.say("hint", text);
  }

  chooseLabel(label) {
    const { screen } = this;
    screen.label = label;
    if (this.may && screen.drawing.keepUnnamed()) {
      screen.changed();
      return;
    }
    const { imageShapes } = screen;
    screen.notices.drop("hint");
    const isSet = () => imageShapes.chosen.every((at) => imageShapes.shapes[at].label === label);
    if (!this.may || isSet()) screen.shown();
    else if (!imageShapes.isNew) this._relabel(label);
    else {
      const step = {
        label: "Change this one",
        run: () => {
          if (this.may && imageShapes === screen.imageShapes && imageShapes.isNew)
            this._relabel(label);
        },
      };
      screen.notices.say(
        "hint",
        `Next shape: “\u2068${label}\u2069”. The drawn one keeps its label.`,
        { step },
      );
      screen.shown();
    }
  }

  _relabel(label) {
    const { imageShapes } = this.screen;
    const { shapes, chosen } = imageShapes;
    imageShapes.replaceAll(new Map(chosen.map((at) => [at, { ...shapes[at], label }])));
    this.screen.changed();
  }

  async addLabel(name) {
    const { screen } = this;
    await screen.saving.settled(); // include the current image, and do not change it before its shapes are saved
    const isNew = !screen.info.labels.some((item) => item.label === name);
    try {
      const [{ info, label }] = await screen.saving.store(() =>
        screen.request("add label", { label: name }),
      );
      screen.takeInfo(info);
      this.chooseLabel(label);
      if (isNew) await offerReview(screen, label, (action) => screen.sendToReview(action));
    } catch (error) {
      screen.notices.say("label", `Could not add the label: ${error.message}`, { kind: "error" });
    }
  }

  toggleWhole(label) {
    if (!this.may) return;
    const { imageShapes, info } = this.screen;
    const has = imageShapes.labels.includes(label);
    const others = info.task === "single-label" ? [] : imageShapes.labels;
    imageShapes.change({
      labels: has ? imageShapes.labels.filter((item) => item !== label) : [...others, label],
    });
    this.screen.changed();
  }

  // Set the status, or remove it if the image already has it.
  async setStatus(status) {
    if (!this.may) return;
    const { imageShapes } = this.screen;
    if (status === "labelled" && !imageShapes.isBare) {
      this.hint("This image has shapes or labels. Remove them first.");
      return;
    }
    if (this.screen.info.job && imageShapes.status !== status && status !== "labelled") {
      await this._skipTask();
      return;
    }
    const back = imageShapes.isBare ? "unlabelled" : "labelled";
    if (status === "skipped" && imageShapes.status !== status && !imageShapes.isBare) {
      if (
        (await askToSkip(this.screen.panel, 1)) !== "remove" ||
        imageShapes !== this.screen.imageShapes
      )
        return;
      imageShapes.change({ shapes: [], labels: [], status });
    } else
      imageShapes.change({
        status: imageShapes.status === status ? back : status,
        ...(status === "labelled" ? { dropped: imageShapes.given } : {}),
      });
    this.prediction = null;
    this.screen.changed();
  }

  // The labeler of a job says why, also instead of marking an image for review.
  async _skipTask() {
    const { imageShapes } = this.screen;
    const reason = await askReason(this.screen.panel);
    if (reason === null || imageShapes !== this.screen.imageShapes) return;
    imageShapes.reason = reason;
    imageShapes.change({ shapes: [], labels: [], status: "skipped" });
    this.screen.changed();
    this.screen.turn(1);
  }

  // `kind` is "shape" for the selected one, or "image".
  setNote(kind, text) {
    const { imageShapes } = this.screen;
    const before = (kind === "image" ? imageShapes : imageShapes?.shape)?.note ?? "";
    if (!this.may || text.trim() === before) return;
    imageShapes.setNote(kind, text.trim());
    this.screen.changed({ keepHint: true });
  }

  setNumber(name, text) {
    const { imageShapes } = this.screen;
    if (!this.may || !imageShapes.shape) return;
    const value = text.trim() === "" ? Number.NaN : Number(text);
    const shape = withNumber(imageShapes.shape, name, value, imageShapes.image);
    if (shape) {
      imageShapes.replace(imageShapes.selected, shape);
      this.screen.changed();
    } else {
      if (Number.isFinite(value)) this.hint(HINT_SMALL);
      this.screen.shown();
    }
  }

  // -- predictions --------------------------------------------------------------------------------------
  // Make predictions shapes. One that doubts the label of a shape changes this label instead.
  accept(chosen, { whole = null } = {}) {
    if (!this.may || !(chosen.length || whole)) return;
    const { imageShapes, hidden } = this.screen;
    const shapes = [...imageShapes.shapes];
    for (const prediction of chosen) {
      const doubted = imageShapes.asks.get(prediction) ?? null;
      const shape = taken(prediction, imageShapes.image);
      if (doubted !== null) shapes[doubted] = { ...shapes[doubted], label: prediction.label };
      else if (shape) shapes.push(shape);
      else this.hint("Predictions outside the image were left out.");
      hidden.delete(prediction.label);
    }
    imageShapes.change({
      shapes,
      labels: whole ? [...imageShapes.labels, whole] : imageShapes.labels,
      accepted: [...imageShapes.state.accepted, ...chosen],
      selected: null,
    });
    this.screen.changed({ keepHint: true });
  }

  // Accept the predicted label of the entire image, and the predicted shapes that overlap no other shape.
  acceptAll() {
    const { imageShapes } = this.screen;
    if (!imageShapes) return;
    const free = imageShapes.predictions.filter((each) => !imageShapes.asks.has(each));
    this.accept(withoutTwins(free, imageShapes.image), { whole: this.offered?.[0] });
    const left = imageShapes.predictions.length;
    if (left) this.hint(counted(left, ...QUESTIONS));
  }

  // Predicted label of the entire image with its confidence, while no label is assigned. Otherwise null.
  get offered() {
    const { imageShapes, info } = this.screen;
    const offer = imageShapes?.offered ?? null;
    return info.labels.some(({ label }) => label === offer?.[0]) ? offer : null;
  }

  _dropPrediction() {
    const { imageShapes } = this.screen;
    imageShapes.change({ dropped: [...imageShapes.state.dropped, this.picked] });
    this.screen.shown();
  }

  // Select the next shape, then the predictions. Returns false if there is nothing to select.
  cycle(by) {
    const { imageShapes, drawing } = this.screen;
    if (!imageShapes) return false;
    const order = [
      ...imageShapes.shapes.flatMap((shape, index) =>
        drawing.usable(shape) ? [["shape", index]] : [],
      ),
      ...imageShapes.predictions.map((_, index) => ["prediction", index]),
    ];
    if (!order.length) return false;
    const position = order.findIndex(
      ([kind, index]) => index === (kind === "shape" ? imageShapes.selected : this.prediction),
    );
    const [kind, index] =
      order[
        position < 0
          ? by > 0
            ? 0
            : order.length - 1
          : (position + by + order.length) % order.length
      ];
    this.select(kind === "shape" ? index : null, kind === "prediction" ? index : null);
    return true;
  }

  select(index, prediction = null) {
    this.screen.imageShapes.select(index);
    this.prediction = prediction;
    this.screen.notices.drop("hint"); // it was about the shape before
    this.screen.shown();
  }

  // -- shapes ---------------------------------------------------------------------------------------------
  remove() {
    if (!this.may) return;
    const { screen } = this;
    const { imageShapes, drawing } = screen;
    if (drawing.dropCorner()) screen.shown();
    else if (this.prediction !== null) this._dropPrediction();
    else if (
      drawing.corner !== null &&
      withoutCorner(imageShapes.shape.polygon, drawing.corner) !== imageShapes.shape.polygon
    ) {
      if (drawing.removeCorner()) screen.changed();
    } else if (imageShapes.shape) {
      imageShapes.remove(...imageShapes.chosen);
      screen.changed();
    }
  }

  removeRing() {
    if (this.may && this.screen.drawing.removeRing()) this.screen.changed();
  }

  // Tolerance to which the selected polygon was simplified.
  get tolerance() {
    return this.whole.get(this.screen.imageShapes?.shape)?.tolerance ?? 0;
  }

  // Simplify the selected polygon. A smaller tolerance brings points back, until the polygon is changed otherwise.
  simplify(tolerance) {
    const { screen } = this;
    const { imageShapes, drawing } = screen;
    const before = imageShapes?.shape;
    if (!this.may || !before?.polygon || drawing.gesture) return;
    screen.tolerance = tolerance;
    const polygon = this.whole.get(before)?.polygon ?? before.polygon;
    const shape = withPolygon(before, simplified(polygon, tolerance), imageShapes.image);
    const isSame = pointsOf(shape.polygon).length === pointsOf(before.polygon).length;
    this.whole.set(isSame ? before : shape, { polygon, tolerance });
    if (isSame) screen.shown();
    else {
      screen.outlining.move(before, shape);
      imageShapes.replace(imageShapes.selected, shape, {
        merge: `simplify ${imageShapes.selected}`,
      });
      screen.changed();
    }
  }

  nudge(dx, dy) {
    if (this.may && this.screen.drawing.nudge(dx, dy)) this.screen.changed();
  }

  // Select all shapes that can be changed.
  selectAll() {
    const { imageShapes, drawing } = this.screen;
    if (!imageShapes) return;
    this.prediction = null;
    imageShapes.choose(usableOf([...imageShapes.shapes.keys()], imageShapes, drawing));
    this.screen.shown();
  }

  get _chosen() {
    const { chosen = [], shapes = [] } = this.screen.imageShapes ?? {};
    return shapes.filter((_, index) => chosen.includes(index));
  }

  copy() {
    const chosen = this._chosen;
    if (chosen.length) this.clipboard = chosen;
    else this.hint("No shape is selected. Click the edge of a shape, or press Tab.");
  }

  paste() {
    const isThere = (copied) =>
      this.screen.imageShapes?.shapes.some((item) =>
        ["left", "top", "width", "height"].every((name) => item[name] === copied[name]),
      );
    if (this.clipboard.length) this._put(this.clipboard, this.clipboard.some(isThere) ? 10 : 0);
    else this.hint("Nothing to paste. Copy a shape first (Ctrl C).");
  }

  duplicate() {
    this._put(this._chosen, 10);
  }

  // Add shapes to the shown image, inside its bounds, and select them so that the arrow keys move them.
  _put(copied, shift = 0) {
    if (!this.may || !copied.length) return;
    const { imageShapes, hidden, info } = this.screen;
    const names = new Set(info.labels.map(({ label }) => label));
    if (!copied.every(({ label }) => names.has(label))) {
      this.hint(HINT_LABEL);
      return;
    }
    for (const { label } of copied) hidden.delete(label);
    this.prediction = null;
    const count = imageShapes.shapes.length;
    const added = copied.map((shape) => placed(shape, imageShapes.image, shift));
    imageShapes.change({ shapes: [...imageShapes.shapes, ...added], selected: null });
    imageShapes.choose(added.map((_, index) => count + index));
    this.screen.changed();
  }

  // `kind` is "undo" or "redo".
  takeBack(kind) {
    const { imageShapes, drawing } = this.screen;
    if (kind === "undo" && drawing.dropCorner()) {
      this.screen.shown();
      return;
    }
    if (!this.may) return;
    this.prediction = null;
    if (imageShapes[kind]()) this.screen.changed();
    else this.hint(`Nothing to ${kind} on this image.`);
  }

  // Toggle whether the shapes of a label are hidden or locked. `set` is "hidden" or "locked".
  toggle(set, label) {
    const { screen } = this;
    if (!label) return;
    if (!screen[set].delete(label)) screen[set].add(label);
    const { imageShapes, drawing } = screen;
    const kept = imageShapes && usableOf(imageShapes.chosen, imageShapes, drawing);
    if (kept?.length < imageShapes?.chosen.length) imageShapes.choose(kept);
    screen.shown();
  }
}

const usableOf = (indices, { shapes }, drawing) =>
  indices.filter((index) => drawing.usable(shapes[index]));
