// State machine of pointer gestures on the shapes of an image, without DOM. Points and `tolerance` are in image pixels.
// A gesture without effect leaves no trace.

import {
  areaOf,
  boxFromCorners,
  clipBox,
  clipPoint,
  encloses,
  pointsOf,
  fittedTo,
  isInPolygon,
  isTooSmall,
  mapCorners,
  moved,
  resized,
  ringArea,
  ringAt,
  ringsOf,
  shiftWithin,
  withCorner,
  withoutCorner,
  withoutRing,
  withPolygon,
} from "../shared/geometry.js";
import { hitTest } from "./hits.js";
import { cut, joined } from "./rings.js";

export const HINT_SMALL = "Shapes smaller than 2 × 2 pixels are ignored.";
const HINT_SHORT = "Too short for a shape. Drag further to draw, click a shape to select it.";
export const HINT_LABEL = "Choose or add a label first.";
export const HINT_UNNAMED = "Type a label for the new shape, then press Enter.";
const HINT_CORNERS = "A polygon needs at least three corners.";
const HINT_SELECT = "Select a polygon first: click its edge, or press Tab.";
const HINT_NO_EFFECT = {
  part: "This part is already inside the polygon.",
  hole: "This hole does not overlap the polygon.",
};
const HINT_NO_REST = "Nothing would be left of the polygon. Press Delete to delete it.";
const HINT_ONE_RING =
  "Select a corner of the part or hole to delete. The last part is deleted with the shape.";

/**
 * @import { Point, Shape } from "../shared/geometry.js"
 * @import { Hit } from "./hits.js"
 */
/**
 * @typedef {{ kind: string, hit?: Hit | null, index: number | null, start: Point, tolerance: number,
 *   shape?: Shape | null, moves?: Map<number, Shape>, outlines?: boolean, removes?: boolean, added?: boolean,
 *   moved?: boolean, fresh?: boolean }} Gesture
 */

export class Drawing {
  // What a Drawing needs from its screen, which replaces these methods.
  /** @type {() => string | null} */ label = () => null; // of new shapes
  usable = (_shape) => true; // whether a shape may be changed
  mayDraw = () => true; // whether new shapes are allowed
  hint = (_text) => {}; // shows a message
  drawn = (_label) => {}; // called before a shape is added
  nameless = () => {}; // called when a shape waits for its label
  missed = (_point, _tolerance) => false; // called on a click outside all shapes: whether it selects something else
  // called when a drag starts on no handle: whether it has made what has a handle there a selected shape
  take = (_point, _tolerance) => false;
  outlined = (_prompt) => {}; // asks for an outline of { box } or { point, inside }
  isOutlined = () => false; // whether further clicks correct the outline

  constructor(callbacks) {
    Object.assign(this, callbacks);
    this.tool = "box"; // or "polygon", "outline", "select", or "part" and "hole" of the selected polygon
    this.imageShapes = null;
    /** @type {Gesture | null} */
    this.gesture = null;
    this.corners = null; // corners of the unfinished polygon
    this.cursor = null; // position of its next corner
    this.keyed = null; // unfinished box of the keyboard
    this.unnamed = null; // shape that was drawn without a label
    this._corner = null;
  }

  // Show other shapes. For the same image, the unfinished polygon and the shape that waits for its label are preserved.
  show(imageShapes) {
    const { corners, unnamed } = this;
    const same = imageShapes && imageShapes.image.name === this.imageShapes?.image.name;
    this.cancel();
    this.imageShapes = imageShapes;
    if (same) Object.assign(this, { corners, unnamed });
  }

  get isCombining() {
    return this.tool === "part" || this.tool === "hole";
  }

  get isBusy() {
    return Boolean(this.gesture || this.corners || this.keyed || this.unnamed);
  }

  // Corner of the selected polygon that was clicked last, or null.
  get corner() {
    const held = this._corner;
    return held &&
      held.imageShapes === this.imageShapes &&
      held.index === this.imageShapes.selected &&
      !this.imageShapes.also.length &&
      pointsOf(this.imageShapes.shape?.polygon)[held.corner]
      ? held.corner
      : null;
  }

  // Rectangle around the shapes that the gesture selects, or null.
  get band() {
    return this.gesture?.kind === "choose" && this.gesture.moved ? this.gesture.shape : null;
  }

  // Preview of the shape if the gesture ended now, with its index (null for a new shape), and of others that move
  // along, by index.
  get draft() {
    const label = this.label();
    if (this.corners)
      return {
        index: null,
        shape: {
          label,
          polygon: [...this.corners, ...(this.cursor ? [this.cursor] : [])],
          open: true,
        },
      };
    if (this.keyed) return { index: null, shape: { label, polygon: null, ...this.keyed } };
    if (this.unnamed) return { index: null, shape: { ...this.unnamed.shape, label } };
    const { gesture } = this;
    if (!gesture?.moved || gesture.kind === "choose") return null;
    return { index: gesture.index, shape: gesture.shape, moves: gesture.moves };
  }

  hit(point, tolerance) {
    return (
      this.imageShapes &&
      hitTest(point, this.imageShapes.shapes, {
        selected: this.imageShapes.also.length ? null : this.imageShapes.selected,
        tolerance,
        usable: this.usable,
      })
    );
  }

  // Return true if a drag that starts at `hit` changes that shape. Otherwise it draws: on unselected shapes, and on the
  // shape that was just drawn except for its handles, because the next one may be close to it or inside it.
  grabs(hit) {
    if (!hit || this.tool === "select") return Boolean(hit);
    const { chosen, isNew } = this.imageShapes;
    return (
      chosen.includes(hit.index) &&
      (hit.part === "handle" || hit.part === "corner" || (!isNew && !this.isCombining))
    );
  }

  // Start a gesture and return true if the shapes changed. `fresh` (modifier key) draws a new shape even inside the
  // selected one. `removes` deletes a corner. `adds` selects more shapes: the one there, or all in a rectangle.
  press(point, { tolerance, fresh = false, removes = false, adds = false }) {
    const { imageShapes } = this;
    if (!imageShapes) return false;
    this.unnamed = null;
    if (adds && !this.corners && !this.isCombining) {
      const hit = this.hit(point, tolerance);
      this.gesture = { kind: "choose", hit, index: null, start: point, tolerance };
      return false;
    }
    const hit = fresh ? null : this.hit(point, tolerance);
    if (this.isCombining && (this.corners || !this.grabs(hit)))
      return this._combiningPress(point, hit, tolerance, removes);
    this._corner =
      hit?.part === "corner" ? { imageShapes, index: hit.index, corner: hit.corner } : null;
    const outlines = this.tool === "outline" && (fresh || this.isOutlined());
    if (removes && hit?.part === "corner" && !this.corners && !outlines) return this.removeCorner();
    const onEdge = hit?.part === "edge" && !this.corners; // a click selects, a drag draws
    if (this.tool === "polygon" && !onEdge && (this.corners || !this.grabs(hit)))
      return this._polygonPress(clipPoint(point, imageShapes.image), tolerance);
    if (this.grabs(hit)) {
      const kind = hit.part === "handle" || hit.part === "corner" ? hit.part : "move";
      this.gesture = {
        kind,
        hit,
        index: hit.index,
        start: point,
        tolerance,
        shape: imageShapes.shapes[hit.index],
        outlines,
        removes,
      };
    } else
      this.gesture = {
        kind: this.tool,
        hit,
        index: null,
        fresh,
        start: point, // may be outside the image, where shapes are clipped and a click does not drag
        tolerance,
        shape: null,
        outlines,
        removes,
      };
    return false;
  }

  // Draw a part or hole of the selected polygon, or delete the one around the point. Without a polygon, select one.
  _combiningPress(point, hit, tolerance, removes) {
    const { imageShapes } = this;
    if (this.corners || (imageShapes.shape?.polygon && this.usable(imageShapes.shape))) {
      return removes && !this.corners
        ? this.removeRing(point)
        : this._polygonPress(clipPoint(point, imageShapes.image), tolerance);
    }
    this.gesture = { kind: "select", hit, index: null, start: point, tolerance, shape: null };
    return false;
  }

  // Let a drag that would draw a box or do nothing resize what is taken at its start. Returns false if nothing is.
  _takes(gesture) {
    const { kind, index, fresh, start, tolerance } = gesture;
    if (index !== null || fresh || !["box", "select"].includes(kind)) return false;
    this.gesture = null;
    const isTaken = this.take(start, tolerance);
    if (isTaken) this.press(start, { tolerance });
    else this.gesture = gesture;
    return isTaken;
  }

  move(point) {
    const { gesture, imageShapes } = this;
    if (this.corners) this.cursor = clipPoint(point, imageShapes.image);
    if (!gesture) return;
    const [dx, dy] = [point[0] - gesture.start[0], point[1] - gesture.start[1]];
    if (!gesture.moved && Math.hypot(dx, dy) < gesture.tolerance / 2) return;
    if (!gesture.moved && this._takes(gesture)) {
      this.move(point);
      return;
    }
    if (gesture.kind === "select") return;
    if (gesture.kind === "polygon") {
      this.gesture = null;
      this._polygonPress(clipPoint(gesture.start, imageShapes.image), gesture.tolerance);
      this.move(point);
      return;
    }
    gesture.moved = true;
    const size = imageShapes.image;
    const before = imageShapes.shapes[gesture.index];
    if (gesture.kind === "choose") gesture.shape = boxFromCorners(gesture.start, point);
    else if (gesture.kind === "point") {
      if (gesture.added) this.corners = [...this.corners.slice(0, -1), this.cursor];
    } else if (gesture.kind === "box" || gesture.kind === "outline")
      gesture.shape = {
        label: this.label(),
        polygon: null,
        ...clipBox(boxFromCorners(gesture.start, point), size),
      };
    else if (gesture.kind === "handle")
      gesture.shape = fittedTo(before, resized(before, gesture.hit.handle, point, size));
    else if (gesture.kind === "corner")
      gesture.shape = withPolygon(
        before,
        mapCorners(before.polygon, (item, index) => (index === gesture.hit.corner ? point : item)),
        size,
      );
    else {
      const { chosen } = imageShapes;
      const together = chosen.includes(gesture.index) ? chosen : [gesture.index];
      gesture.moves = this._moved(together, dx, dy);
      gesture.shape = gesture.moves.get(gesture.index);
    }
  }

  // Shift shapes by as much as all of them stay in the image. Returns them by index.
  _moved(indices, dx, dy) {
    const { shapes, image } = this.imageShapes;
    const [x, y] = indices.reduce(
      ([left, top], index) => shiftWithin(shapes[index], left, top, image),
      [dx, dy],
    );
    return new Map(indices.map((index) => [index, moved(shapes[index], x, y, image)]));
  }

  // End the gesture and return true if the shapes changed. A click without movement selects the shape there, or none.
  release(point) {
    if (this.gesture) this.move(point); // the final position may differ from the last move event
    const { gesture, imageShapes } = this;
    this.gesture = null;
    if (!gesture || gesture.kind === "point") return false;
    if (gesture.kind === "choose") return this._choose(gesture);
    const isClick = gesture.kind === "outline" && gesture.moved && isTooSmall(gesture.shape);
    if (!gesture.moved || isClick) return this._click(gesture, point);
    if (gesture.kind === "box") return this._keep(gesture.shape);
    if (isTooSmall(gesture.shape)) {
      this.hint(HINT_SMALL);
      return false;
    }
    if (gesture.kind === "outline") {
      if (this.mayDraw()) this.outlined({ box: gesture.shape });
      return false;
    }
    imageShapes.replaceAll(gesture.moves ?? new Map([[gesture.index, gesture.shape]]));
    if (!imageShapes.chosen.includes(gesture.index)) imageShapes.select(gesture.index);
    return true;
  }

  // Add the shape that was clicked to the selection, or remove it there, or add all that are inside the rectangle.
  /** @param {Gesture} gesture */
  _choose({ hit, shape: band }) {
    const { imageShapes } = this;
    if (band) {
      const inside = imageShapes.shapes.flatMap((shape, index) =>
        this.usable(shape) && encloses(band, shape) ? [index] : [],
      );
      imageShapes.choose([...new Set([...imageShapes.chosen, ...inside])]);
    } else if (hit) imageShapes.toggle(hit.index);
    return false;
  }

  /**
   * @param {Gesture} gesture
   * @param {Point} point
   */
  _click({ kind, start, hit, tolerance, outlines, removes }, point) {
    const { imageShapes } = this;
    if (this.tool === "outline" && (outlines || !hit)) {
      if (this.mayDraw() && (outlines || !this.missed(point, tolerance)))
        this.outlined({ point: clipPoint(point, imageShapes.image), inside: !removes });
      return false;
    }
    if (
      hit &&
      hit.index === imageShapes.selected &&
      !imageShapes.also.length &&
      !imageShapes.isNew &&
      hit.part === "edge" &&
      imageShapes.shape.polygon
    ) {
      imageShapes.replace(
        hit.index,
        withPolygon(
          imageShapes.shape,
          withCorner(imageShapes.shape.polygon, hit.edge, point),
          imageShapes.image,
        ),
      );
      this._corner = { imageShapes, index: hit.index, corner: hit.edge + 1 };
      return true;
    }
    imageShapes.select(hit ? hit.index : null);
    if (this.isCombining && !imageShapes.shape?.polygon) this.hint(HINT_SELECT);
    if (hit || this.missed(point, tolerance) || kind !== "box" || !this.mayDraw()) return false;
    const [dx, dy] = [point[0] - start[0], point[1] - start[1]];
    if (dx || dy)
      this.hint(
        isTooSmall({ width: Math.abs(dx), height: Math.abs(dy) }) ? HINT_SMALL : HINT_SHORT,
      );
    return false;
  }

  // Add a new shape, select it, and return true if it is large enough.
  _keep(shape) {
    const label = this.label();
    if (!this.mayDraw()) return false;
    if (isTooSmall(shape)) this.hint(HINT_SMALL);
    else if (!label) {
      this.unnamed = { shape };
      this.hint(HINT_UNNAMED);
      this.nameless();
    } else {
      this.drawn(label);
      this.imageShapes.add({ ...shape, label }, { select: true, isNew: true });
      return true;
    }
    return false;
  }

  // Assign the new label to a shape that was drawn without one. Returns true if the shapes changed.
  keepUnnamed() {
    const { unnamed } = this;
    if (!unnamed || !this.label()) return false;
    this.unnamed = null;
    return this._keep(unnamed.shape);
  }

  // Add a box that was drawn with the keyboard.
  keep(box) {
    this.keyed = null;
    return this._keep({ polygon: null, ...box });
  }

  _polygonPress(point, tolerance) {
    if (!this.mayDraw()) return false;
    if (!this.isCombining) this.imageShapes.select(null);
    const near = (other) =>
      other && Math.hypot(point[0] - other[0], point[1] - other[1]) <= tolerance * 1.5;
    if (this.corners && this.corners.length >= 3 && near(this.corners[0]))
      return this.closePolygon();
    const added = !near(this.corners?.at(-1));
    if (added) this.corners = [...(this.corners ?? []), point];
    this.gesture = { kind: "point", added, index: null, start: point, tolerance };
    return false;
  }

  // Close the polygon and return true if it became a shape. With too few corners it stays open.
  closePolygon() {
    const { corners } = this;
    if (!corners) return false;
    if (corners.length < 3) {
      this.hint(HINT_CORNERS);
      return false;
    }
    this._letGo();
    this.corners = null;
    this.cursor = null;
    return this.isCombining
      ? this._combine(corners)
      : this._keep(withPolygon({}, corners, this.imageShapes.image));
  }

  // Add the ring to the selected polygon, or cut it out. Returns true if the polygon changed.
  _combine(ring) {
    const { imageShapes, tool } = this;
    const before = imageShapes.shape;
    if (!before?.polygon) {
      this.hint(HINT_SELECT);
      return false;
    }
    const polygon = (tool === "part" ? joined : cut)(before.polygon, ring);
    const shape = polygon && withPolygon(before, polygon, imageShapes.image);
    const changed = shape && Math.abs(areaOf(shape) - areaOf(before)) >= 1;
    if (!shape || !changed || isTooSmall(shape)) {
      this.hint(shape && !changed ? HINT_NO_EFFECT[tool] : HINT_NO_REST);
      return false;
    }
    this._corner = null;
    imageShapes.replace(imageShapes.selected, shape);
    return true;
  }

  // Delete the smallest part or hole of the selected polygon around a point, or the one of the corner that was clicked
  // last. Returns true if the shapes changed.
  removeRing(point = null) {
    const { imageShapes, corner } = this;
    const rings = ringsOf(imageShapes?.shape?.polygon);
    const around =
      point === null
        ? []
        : rings
            .filter((ring) => isInPolygon(point, ring))
            .sort((a, b) => ringArea(a) - ringArea(b));
    const number =
      point !== null
        ? rings.indexOf(around[0])
        : corner === null
          ? -1
          : ringAt(imageShapes.shape.polygon, corner)[0];
    const shape =
      number < 0 || rings.length < 2
        ? null
        : withPolygon(
            imageShapes.shape,
            withoutRing(imageShapes.shape.polygon, number),
            imageShapes.image,
          );
    if (!shape || isTooSmall(shape)) {
      this.hint(HINT_ONE_RING);
      return false;
    }
    this._corner = null;
    imageShapes.replace(imageShapes.selected, shape);
    return true;
  }

  // Add a polygon that was found, or put it in the place of a shape. Returns true if the shapes changed.
  keepOutline(polygon, before) {
    const { imageShapes } = this;
    const shape = withPolygon(before ?? {}, polygon, imageShapes.image);
    if (!before) return this._keep(shape);
    imageShapes.replace(imageShapes.shapes.indexOf(before), shape);
    return true;
  }

  // Remove the last corner of the unfinished polygon.
  dropCorner() {
    if (!this.corners) return false;
    this._letGo();
    this.corners = this.corners.length > 1 ? this.corners.slice(0, -1) : null;
    if (!this.corners) this.cursor = null;
    return true;
  }

  // Stop moving the next corner with the pointer.
  _letGo() {
    if (this.gesture?.kind === "point") this.gesture = null;
  }

  // Remove the corner that was clicked last from the selected polygon. Returns true if the shapes changed.
  removeCorner() {
    const { imageShapes, corner } = this;
    if (corner === null) return false;
    const points = withoutCorner(imageShapes.shape.polygon, corner);
    const shape =
      points === imageShapes.shape.polygon
        ? null
        : withPolygon(imageShapes.shape, points, imageShapes.image);
    if (!shape || isTooSmall(shape)) {
      this.hint(shape ? HINT_SMALL : HINT_CORNERS);
      return false;
    }
    this._corner = null;
    imageShapes.replace(imageShapes.selected, shape);
    return true;
  }

  // Move the selected shapes, or only the corner that was clicked last. Returns true if the shapes changed.
  nudge(dx, dy) {
    const { imageShapes, corner } = this;
    if (!imageShapes?.shape) return false;
    const { selected, shape, chosen, image } = imageShapes;
    const shifted = ([x, y], index) => (index === corner ? [x + dx, y + dy] : [x, y]);
    const moves =
      corner === null
        ? this._moved(chosen, dx, dy)
        : new Map([[selected, withPolygon(shape, mapCorners(shape.polygon, shifted), image)]]);
    if (isTooSmall(moves.get(selected))) return false;
    imageShapes.replaceAll(moves, { merge: `nudge ${chosen} ${corner}` });
    return true;
  }

  // Cancel the gesture after the pointer was lost.
  stop() {
    if (this.gesture?.kind === "point" && this.gesture.added) this.dropCorner();
    this.gesture = null;
  }

  // Cancel the gesture (Esc) and discard unfinished polygons, keyboard boxes and shapes without a label.
  cancel() {
    const was = this.isBusy || this.corner !== null;
    this.gesture = null;
    this.corners = null;
    this.cursor = null;
    this.keyed = null;
    this.unnamed = null;
    this._corner = null;
    return was;
  }
}
