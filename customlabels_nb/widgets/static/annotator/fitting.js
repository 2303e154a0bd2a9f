// Fit shapes to an image: typed numbers, pasted shapes, accepted predictions. Functions return null if nothing of the
// shape remains in the image.

import { clipBox, fittedTo, isTooSmall, moved, withPolygon } from "../shared/geometry.js";

// Set left or top to move the shape, or width or height to resize it.
export function withNumber(shape, name, value, size) {
  if (!Number.isFinite(value)) return null;
  if (name === "left") return moved(shape, value - shape.left, 0, size);
  if (name === "top") return moved(shape, 0, value - shape.top, size);
  const { left, top, width, height } = shape;
  if (value < 0) return null;
  const box = clipBox({ left, top, width, height, [name]: value }, size);
  return isTooSmall(box) ? null : fittedTo(shape, box);
}

// Copy a shape without its note into the image, shrunk if necessary, shifted by (shift, shift), or the other way at an
// edge.
export function placed(shape, size, shift = 0) {
  const width = Math.min(shape.width, size.width);
  const height = Math.min(shape.height, size.height);
  const sized =
    width === shape.width && height === shape.height
      ? shape
      : fittedTo(shape, { left: shape.left, top: shape.top, width, height });
  const inside = moved(
    sized,
    Math.min(0, size.width - sized.left - width),
    Math.min(0, size.height - sized.top - height),
    size,
  );
  const to = (start, length, room) => (start + length + shift <= room ? shift : -shift);
  const [x, y] = [to(inside.left, width, size.width), to(inside.top, height, size.height)];
  return { ...plain(moved(inside, x, y, size)), note: null };
}

// Convert a prediction to a shape that is clipped to the image.
export function taken(shape, size) {
  if (shape.polygon) {
    const clipped = withPolygon(shape, shape.polygon, size);
    return isTooSmall(clipped) ? null : plain(clipped);
  }
  const box = clipBox(shape, size);
  return isTooSmall(box) ? null : plain({ label: shape.label, polygon: null, ...box });
}

// Return the stored fields of a shape.
export function plain({ label, left, top, width, height, polygon, note = null }) {
  return { label, left, top, width, height, polygon, note };
}
