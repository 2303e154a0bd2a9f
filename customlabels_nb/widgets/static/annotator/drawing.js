// What pointer gestures do to a sheet, as a machine without DOM: points are in image pixels, `tolerance` too. A gesture
// that ends in nothing leaves nothing.

import { boxFromCorners, clipBox, clipPoint, fittedTo, isTooSmall, moved, resized, withCorner, withPolygon } from "../shared/geometry.js";
import { hitTest } from "./hits.js";

export const HINT_SMALL = "That was smaller than 2 × 2 pixels and was not kept.";

export class Drawing {
  // `label()` gives the label for new shapes, `usable(shape)` whether it may be touched, `hint(text)` tells people.
  constructor({ label, usable = () => true, hint = () => {} }) {
    Object.assign(this, { label, usable, hint });
    this.tool = "box";
    this.sheet = null;
    this.gesture = null;
    this.corners = null; // of the polygon that is being drawn
    this.cursor = null; // where its next corner would be
  }

  show(sheet) {
    this.cancel();
    this.sheet = sheet;
  }

  get isBusy() {
    return Boolean(this.gesture || this.corners);
  }

  // The shape as it would be if the gesture ended now, with its index (null: a new one); for painting.
  get draft() {
    if (this.corners) return { index: null, shape: { label: this.label(), polygon: [...this.corners, ...(this.cursor ? [this.cursor] : [])], open: true } };
    const { gesture } = this;
    if (!gesture || !gesture.moved) return null;
    return { index: gesture.index ?? null, shape: gesture.shape };
  }

  hit(point, tolerance) {
    return this.sheet && hitTest(point, this.sheet.shapes, { selected: this.sheet.selected, tolerance, usable: this.usable });
  }

  // `fresh` (a key is held) draws a new shape even inside the selected one.
  press(point, { tolerance, fresh = false }) {
    const { sheet } = this;
    if (!sheet) return;
    const start = clipPoint(point, sheet.image);
    if (this.tool === "polygon" && (this.corners || fresh || !this._grabs(point, tolerance))) {
      this._polygonPress(start, tolerance);
      return;
    }
    const hit = fresh ? null : this.hit(point, tolerance);
    const mine = hit && (hit.index === sheet.selected || hit.part === "edge");
    if (mine) this.gesture = { kind: hit.part === "handle" || hit.part === "corner" ? hit.part : "move", hit, index: hit.index, start: point, tolerance, shape: sheet.shapes[hit.index] };
    else this.gesture = { kind: "box", hit, start, tolerance, index: null, shape: null };
  }

  _grabs(point, tolerance) {
    const hit = this.hit(point, tolerance);
    return hit && (hit.index === this.sheet.selected || hit.part === "edge");
  }

  move(point) {
    const { gesture, sheet } = this;
    if (this.corners) this.cursor = clipPoint(point, sheet.image);
    if (!gesture) return;
    if (!gesture.moved && Math.hypot(point[0] - gesture.start[0], point[1] - gesture.start[1]) < gesture.tolerance / 2) return;
    gesture.moved = true;
    const size = sheet.image;
    const before = sheet.shapes[gesture.index];
    const [dx, dy] = [point[0] - gesture.start[0], point[1] - gesture.start[1]];
    if (gesture.kind === "box") gesture.shape = { label: this.label(), polygon: null, ...clipBox(boxFromCorners(gesture.start, point), size) };
    else if (gesture.kind === "handle") gesture.shape = fittedTo(before, resized(before, gesture.hit.handle, point, size));
    else if (gesture.kind === "corner") gesture.shape = withPolygon(before, before.polygon.map((own, at) => (at === gesture.hit.corner ? point : own)), size);
    else gesture.shape = moved(before, dx, dy, size);
  }

  // Ends the gesture; true if the sheet changed. A press without a move selects what lies there, or nothing.
  release(point) {
    const { gesture, sheet } = this;
    this.gesture = null;
    if (!gesture) return false;
    if (!gesture.moved) return this._click(gesture, point);
    if (gesture.kind !== "box") {
      sheet.replace(gesture.index, gesture.shape);
      sheet.select(gesture.index);
      return true;
    }
    if (!this.label()) {
      this.hint("Choose or add a label first.");
      return false;
    }
    if (isTooSmall(gesture.shape)) {
      this.hint(HINT_SMALL);
      return false;
    }
    sheet.add(gesture.shape);
    return true;
  }

  _click(gesture, point) {
    const { sheet } = this;
    const { hit } = gesture;
    const again = hit && hit.index === sheet.selected && hit.part === "edge";
    if (again && sheet.shape.polygon) { // a click on the edge of the selected polygon puts a corner there
      sheet.replace(hit.index, withPolygon(sheet.shape, withCorner(sheet.shape.polygon, hit.edge, point), sheet.image));
      return true;
    }
    sheet.select(hit ? hit.index : null);
    return false;
  }

  _polygonPress(point, tolerance) {
    if (!this.label()) {
      this.hint("Choose or add a label first.");
      return;
    }
    const first = this.corners?.[0];
    const near = (other) => other && Math.hypot(point[0] - other[0], point[1] - other[1]) <= tolerance * 1.5;
    if (this.corners && this.corners.length >= 3 && near(first)) this.closePolygon();
    else if (!near(this.corners?.at(-1))) this.corners = [...(this.corners ?? []), point];
    this.sheet.select(null);
  }

  // True if the polygon became a shape.
  closePolygon() {
    const { corners, sheet } = this;
    if (!corners) return false;
    this.corners = null;
    this.cursor = null;
    if (corners.length < 3) {
      this.hint("A polygon has three corners at least.");
      return false;
    }
    const shape = withPolygon({ label: this.label() }, corners, sheet.image);
    if (isTooSmall(shape)) {
      this.hint(HINT_SMALL);
      return false;
    }
    sheet.add(shape);
    return true;
  }

  // Takes the last corner of the polygon back.
  dropCorner() {
    if (!this.corners) return false;
    this.corners = this.corners.length > 1 ? this.corners.slice(0, -1) : null;
    if (!this.corners) this.cursor = null;
    return true;
  }

  // Esc, or the pointer was lost: as if nothing had begun.
  cancel() {
    const was = this.isBusy;
    this.gesture = null;
    this.corners = null;
    this.cursor = null;
    return was;
  }
}
