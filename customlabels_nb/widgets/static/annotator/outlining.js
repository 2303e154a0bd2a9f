// Assisted outlines: a box or clicks become a polygon, which is a shape like a drawn one. Further clicks correct it.

import { KernelGone } from "../shared/requests.js";
import { nextTolerance, simplified } from "./rings.js";

const HINT_INSIDE = "Click the object first, or drag a box around it. Alt click then takes away.";
const HINT_NOTHING = "No outline was found. Drag a box around the object, or click more of it.";
const PATIENCE = 60_000; // milliseconds; the first one may wait for a large image

export class Outlining {
  // `screen` has imageShapes, drawing, canvas, changes, notices, toast, tolerance, request(kind, content), changed()
  // and shown().
  constructor(screen) {
    this.screen = screen;
    this.prompts = new WeakMap(); // shape → what it was found from: { box, points, view }
    this.asked = null; // request without an answer: { imageShapes, shape, prompts }, `shape` is the one to correct
  }

  // Box and clicks of the outline that is being made, or null.
  get current() {
    const { imageShapes, drawing } = this.screen;
    if (drawing.tool !== "outline" || !imageShapes) return null;
    return this.asked ? this.asked.prompts : (this.prompts.get(imageShapes.shape) ?? null);
  }

  // Import what is needed and decode the image, so that the first outline is fast.
  prepare() {
    this._request({ points: [] }).catch((error) => this._failed(error));
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
    screen.canvas.paintSoon();
    let outline = null;
    try {
      [outline] = await this._request(request.prompts);
    } catch (error) {
      if (request === this.asked) this._failed(error);
    }
    if (request !== this.asked) return; // another click or image followed
    this.asked = null;
    if (outline && !screen.closed) this._show(outline, request);
    screen.canvas.paintSoon();
  }

  _request({ box = null, points, view = null }) {
    return this.screen.request(
      "outline",
      { image: this.screen.imageShapes.image.name, box, points, view },
      [],
      { patience: PATIENCE },
    );
  }

  _failed(error) {
    const text =
      error instanceof KernelGone
        ? `${error.message} Draw the outline as a polygon (P) meanwhile.`
        : error.message;
    this.screen.notices.say("outline", text, { kind: "error" });
  }

  _show({ polygon, pixel }, { imageShapes, shape, prompts }) {
    const { screen } = this;
    if (imageShapes !== screen.imageShapes || (shape && !imageShapes.shapes.includes(shape)))
      return;
    if (!polygon) {
      screen.changes.hint(HINT_NOTHING);
      if (shape) this.prompts.set(shape, prompts);
      return;
    }
    const index = imageShapes.shapes.indexOf(shape);
    const tolerance = nextTolerance(Math.max(screen.tolerance, pixel / 2));
    if (!screen.drawing.keepOutline(simplified(polygon, tolerance), shape)) {
      screen.shown();
      return;
    }
    const kept = imageShapes.shapes[index < 0 ? imageShapes.shapes.length - 1 : index];
    this.prompts.set(kept, prompts);
    screen.changes.whole.set(kept, { polygon, tolerance });
    screen.toast.say(`Outline → \u2068${kept.label}\u2069`);
    screen.changed();
  }

  // A simplified shape is corrected like the one before.
  move(before, shape) {
    if (this.prompts.has(before)) this.prompts.set(shape, this.prompts.get(before));
  }

  // Keep the outline as it is: the next click begins another one. Returns false if there is none.
  end() {
    const was = Boolean(this.current);
    this.asked = null;
    if (was) this.prompts.delete(this.screen.imageShapes.shape);
    return was;
  }
}
