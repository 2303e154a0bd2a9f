// Hit testing. Points and tolerance are in image pixels.

import {
  areaOf,
  pointsOf,
  HANDLES,
  handlePoint,
  isInside,
  nearestEdge,
  outline,
} from "../shared/geometry.js";

const SAME = 0.01; // pixels

/** @import { Point, Shape } from "../shared/geometry.js" */
/** @typedef {{ index: number, part: string, handle?: string, corner?: number, edge?: number }} Hit */

/**
 * Find the shape at a point. Priority: handles and corners of the selected shape, then its edges, then edges of others,
 * then interiors, smallest first. The `part` is "handle", "corner", "edge" or "inside".
 *
 * @param {Point} point
 * @param {Shape[]} shapes
 * @param {{ tolerance: number, selected?: number, usable?: (shape: Shape, index: number) => boolean }} options
 * @returns {Hit | null}
 */
export function hitTest(point, shapes, { selected = null, tolerance, usable = () => true }) {
  const shape = shapes[selected];
  const isUsable = shape && usable(shape, selected);
  if (isUsable) {
    const hit = hitParts(point, shape, tolerance);
    if (hit) return { index: selected, ...hit };
  }
  const order = [];
  shapes.forEach((other, index) => {
    if (isNear(point, other, tolerance) && usable(other, index)) order.push([areaOf(other), index]);
  });
  order.sort(([a, i], [b, j]) => a - b || j - i); // the upper one if equal
  for (const [, index] of order) {
    const [edge, distance] = nearestEdge(point, outline(shapes[index]));
    if (distance <= tolerance) return { index, part: "edge", edge };
  }
  if (isUsable && isInside(point, shape)) return { index: selected, part: "inside" };
  const inside = order.find(([, index]) => isInside(point, shapes[index]));
  return inside ? { index: inside[1], part: "inside" } : null;
}

/**
 * Return the index of the shape with this box, or null. Boxes that are stored may differ in their last digits.
 *
 * @param {Shape[]} shapes
 * @param {number[]} box left, top, width and height
 */
export function indexOfBox(shapes, box) {
  const index = shapes.findIndex(({ left, top, width, height }) =>
    [left, top, width, height].every((value, side) => Math.abs(value - box[side]) < SAME),
  );
  return index < 0 ? null : index;
}

function isNear([x, y], { left, top, width, height }, tolerance) {
  return (
    x >= left - tolerance &&
    y >= top - tolerance &&
    x <= left + width + tolerance &&
    y <= top + height + tolerance
  );
}

function hitParts(point, shape, tolerance) {
  const near = ([x, y]) =>
    Math.abs(point[0] - x) <= tolerance && Math.abs(point[1] - y) <= tolerance;
  if (shape.polygon) {
    const corner = pointsOf(shape.polygon).findIndex(near);
    if (corner >= 0) return { part: "corner", corner };
  } else {
    // corners before sides: on a small box they are close together
    const handle = BY_RANK.find((name) => near(handlePoint(shape, name)));
    if (handle) return { part: "handle", handle };
  }
  const [edge, distance] = nearestEdge(point, outline(shape));
  return distance <= tolerance ? { part: "edge", edge } : null;
}

const BY_RANK = [...HANDLES].sort((a, b) => b.length - a.length);
const CURSORS = {
  nw: "nwse-resize",
  se: "nwse-resize",
  ne: "nesw-resize",
  sw: "nesw-resize",
  n: "ns-resize",
  s: "ns-resize",
  e: "ew-resize",
  w: "ew-resize",
};

// `grabs` is true if a drag changes the shape that is hit, and `draws` if other drags draw.
export function cursorFor(hit, { grabs, draws = true }) {
  if (grabs) return CURSORS[hit.handle] ?? "move";
  if (!draws) return "default";
  return hit?.part === "edge" ? "pointer" : "crosshair";
}
