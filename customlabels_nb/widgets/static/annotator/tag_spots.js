// Where the name tags of shapes go, so that small shapes and other tags stay visible. All sizes are in screen pixels.

import { TAG_HEIGHT } from "../shared/tags.js";

const SMALL = 40; // a tag would hide much of a box with a shorter side than this
const MOST = 300; // small boxes that are left free: more are too dense, and would take too long

function boundsOfPoints(points) {
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  return {
    left: Math.min(...xs),
    top: Math.min(...ys),
    right: Math.max(...xs),
    bottom: Math.max(...ys),
  };
}

export const covers = (x, y, width, box) =>
  x < box.right && x + width > box.left && y < box.bottom && y + TAG_HEIGHT > box.top;

// Return the bounds of the small shapes that are in view. Each shape is a list of points.
export function smallBoxes(shapes, { width, height }) {
  const small = shapes
    .map(boundsOfPoints)
    .filter(
      ({ left, top, right, bottom }) =>
        Math.min(right - left, bottom - top) < SMALL &&
        right > 0 &&
        bottom > 0 &&
        left < width &&
        top < height,
    );
  return small.length > MOST ? [] : small;
}

// Return the left upper corner of the tag of a shape: the first one in view that covers none of `taken`, which has
// small boxes, the shape itself included, and tags. If there is none, it is above the shape and `isFree` is false.
export function tagSpot(points, width, size, taken) {
  const { left, top, right, bottom } = boundsOfPoints(points);
  const start = Math.min(...points.filter(([, y]) => y === top).map(([x]) => x)) - 1;
  const [above, below, end] = [top - TAG_HEIGHT, bottom + 1, right + 1 - width];
  const spots = [
    [start, above],
    [start, top],
    [left - 1, below],
    [end, above],
    [end, below],
    [right + 2, top],
    [left - 2 - width, top],
  ];
  const isFree = ([x, y]) =>
    x >= -1 &&
    y >= 0 &&
    x + width <= size.width &&
    y + TAG_HEIGHT <= size.height &&
    !taken.some((box) => covers(x, y, width, box));
  const spot = spots.find(isFree);
  return { isFree: Boolean(spot), spot: spot ?? [start, above >= 0 ? above : top] };
}
