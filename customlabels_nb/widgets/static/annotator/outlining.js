// Assisted outlines: a box or clicks become a polygon, which is a shape like a drawn one. Further clicks correct it.

import { KernelGone } from "../shared/requests.js";
import { isTooSmall, withPolygon } from "../shared/geometry.js";
import { nextTolerance, simplified } from "./rings.js";

const HINT_INSIDE = "Click the object first, or drag a box around it. Alt click then takes away.";
const FINDING = "Finding the outline …";
const HINT_NOTHING =
  "No object edge was found at this point. Drag a box around the object, or click nearer its middle.";
const HINT_NOTHING_IN_BOX =
  "No object edge was found in this box. Drag a box that touches the object on all sides, or click its middle.";
// milliseconds; the first one may wait for a large image, or for a model that is loaded or downloaded
const PATIENCE = 60_000;
const MODEL_PATIENCE = 600_000;

export class Outlining {
  // `screen` has imageShapes, drawing, canvas, changes, notices, toast, tolerance, listing, place, request(kind,
  // content), changed(), shown(), showWork(text) and showEngine({ engine, advice }).
  constructor(screen) {
    this.screen = screen;
    this.prompts = new WeakMap(); // shape → what it was found from: { box, points, view }
    // request without an answer: { imageShapes, shape, prompts, isLast }, `shape` is the one to correct
    this.asked = null;
    this.preparing = 0; // requests that wait for the engine
    this.work = ""; // what the kernel is doing before it can answer
  }

  // Box and clicks of the outline that is being made, or null.
  get current() {
    const { imageShapes, drawing } = this.screen;
    if (drawing.tool !== "outline" || !imageShapes) return null;
    return this.asked ? this.asked.prompts : (this.prompts.get(imageShapes.shape) ?? null);
  }

  // Load the engine and encode the image and the next one, so that the first outline is fast.
  prepare() {
    const { screen } = this;
    const following = screen.listing.rowAt(screen.place + 1)?.name ?? null;
    this.preparing += 1;
    this._request("prepare outlines", { following }, MODEL_PATIENCE)
      .then(([answer]) => screen.showEngine(answer))
      .catch((error) => this._failed(error))
      .finally(() => {
        this.preparing -= 1;
      });
  }

  // Take what the kernel is doing, an empty text when it is done.
  report(text) {
    this.work = text;
    this.showWork();
  }

  showWork() {
    const { screen } = this;
    const isOn = screen.drawing.tool === "outline";
    screen.showWork(isOn ? this.work || (this.asked ? FINDING : "") : "");
  }

  add({ box = null, point = null, inside = true }) {
    const { screen, current } = this;
    if (!box && !inside && !current) {
      screen.changes.hint(HINT_INSIDE);
      return;
    }
    const shape = box ? null : this.asked ? this.asked.shape : current && screen.imageShapes.shape;
    const view = current?.view ?? screen.canvas.visible;
    const prompts = box
      ? { box, points: [], view }
      : {
          box: current?.box ?? null,
          points: [...(current?.points ?? []), { x: point[0], y: point[1], inside }],
          view,
        };
    this._ask({ imageShapes: screen.imageShapes, shape, prompts });
  }

  async _ask(request) {
    const { screen } = this;
    this.asked = request;
    this.showWork();
    screen.canvas.paintSoon();
    let outline = null;
    try {
      const { box, points, view } = request.prompts;
      const patience = this.work || this.preparing ? MODEL_PATIENCE : PATIENCE;
      [outline] = await this._request("outline", { box, points, view }, patience);
    } catch (error) {
      if (request === this.asked) this._failed(error);
    }
    if (request !== this.asked) return; // another click or image followed
    this.asked = null;
    this.showWork();
    if (outline && !screen.closed) this._show(outline, request);
    screen.canvas.paintSoon();
  }

  _request(kind, content, patience) {
    const image = this.screen.imageShapes.image.name;
    return this.screen.request(kind, { image, ...content }, [], { patience });
  }

  _failed(error) {
    if (error instanceof KernelGone) this.report("");
    const text =
      error instanceof KernelGone
        ? `${error.message} Draw the outline as a polygon (P) meanwhile.`
        : error.message;
    this.screen.notices.say("outline", text, { kind: "error" });
  }

  _show({ polygon, pixel }, { imageShapes, shape, prompts, isLast }) {
    const { screen } = this;
    if (imageShapes !== screen.imageShapes || (shape && !imageShapes.shapes.includes(shape)))
      return;
    const tolerance = nextTolerance(Math.max(screen.tolerance, pixel / 2));
    const rings = polygon && simplified(polygon, tolerance);
    if (!rings || isTooSmall(withPolygon({}, rings, imageShapes.image))) {
      screen.changes.hint(prompts.box ? HINT_NOTHING_IN_BOX : HINT_NOTHING);
      if (shape && !isLast) this.prompts.set(shape, prompts);
      return;
    }
    const index = imageShapes.shapes.indexOf(shape);
    if (!screen.drawing.keepOutline(rings, shape)) {
      screen.shown();
      return;
    }
    const kept = imageShapes.shapes[index < 0 ? imageShapes.shapes.length - 1 : index];
    if (!isLast) this.prompts.set(kept, prompts);
    screen.changes.whole.set(kept, { polygon, tolerance });
    screen.toast.say(`Outline → \u2068${kept.label}\u2069`);
    screen.changed();
  }

  // A simplified shape is corrected like the one before.
  move(before, shape) {
    if (this.prompts.has(before)) this.prompts.set(shape, this.prompts.get(before));
  }

  // Keep the outline, also one that is still being found: the next click begins another one. Returns false if there is
  // none.
  keep() {
    const { asked } = this;
    const was = this._forget();
    if (asked) this.asked = Object.assign(asked, { isLast: true });
    return was;
  }

  // Like keep(), but without the one that is still being found.
  end() {
    const was = this._forget();
    this.showWork();
    return was;
  }

  _forget() {
    const was = Boolean(this.current);
    this.asked = null;
    if (was) this.prompts.delete(this.screen.imageShapes.shape);
    return was;
  }
}
