// Pure functions for boxes and polygons in pixels of the upright image: { left, top, width, height } and [[x, y], …],
// or a list of such rings for a polygon with several parts or holes: a point in an odd number of rings is inside.
// Corners and edges are numbered through all rings. An edge has the number of its first corner.

/** @typedef {{ left: number, top: number, width: number, height: number }} Box */
/** @typedef {[number, number]} Point */
/** @typedef {Point[] | Point[][]} Polygon */
/** @typedef {{ width: number, height: number }} Size */
/** @typedef {Box & { label?: string, polygon?: Polygon | null }} Shape */

export const SMALLEST = 2; // minimum side in pixels, to ignore accidental clicks

/**
 * @param {number[]} first
 * @param {number[]} second
 * @returns {Box}
 */
export function boxFromCorners([x0, y0], [x1, y1]) {
  return {
    left: Math.min(x0, x1),
    top: Math.min(y0, y1),
    width: Math.abs(x1 - x0),
    height: Math.abs(y1 - y0),
  };
}

const between = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * @param {number[]} point
 * @param {Size} size
 * @returns {Point}
 */
export function clipPoint([x, y], { width, height }) {
  return [between(x, 0, width), between(y, 0, height)];
}

/**
 * @param {Box} box
 * @param {Size} size
 * @returns {Box}
 */
export function clipBox(box, size) {
  const [left, top] = clipPoint([box.left, box.top], size);
  const [right, bottom] = clipPoint([box.left + box.width, box.top + box.height], size);
  return { left, top, width: right - left, height: bottom - top };
}

/**
 * Return the intersection over union of two boxes, 0 for boxes without area.
 *
 * @param {Box} first
 * @param {Box} second
 */
export function iou(first, second) {
  const side = (start, length) =>
    Math.min(first[start] + first[length], second[start] + second[length]) -
    Math.max(first[start], second[start]);
  const [width, height] = [side("left", "width"), side("top", "height")];
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (first.width * first.height + second.width * second.height - shared);
}

/**
 * @param {Box} outer
 * @param {Box} inner
 */
export function encloses(outer, inner) {
  return (
    outer.left <= inner.left &&
    outer.top <= inner.top &&
    outer.left + outer.width >= inner.left + inner.width &&
    outer.top + outer.height >= inner.top + inner.height
  );
}

/** @param {Size} size */
export function isTooSmall({ width, height }) {
  return width < SMALLEST || height < SMALLEST;
}

/**
 * @param {number[][]} points
 * @returns {Box}
 */
export function boundsOf(points) {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  return boxFromCorners([Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]);
}

/**
 * @param {Polygon | null | undefined} polygon
 * @returns {Point[][]}
 */
export function ringsOf(polygon) {
  if (!polygon?.length) return [];
  return typeof polygon[0][0] === "number"
    ? [/** @type {Point[]} */ (polygon)]
    : /** @type {Point[][]} */ (polygon);
}

/**
 * @param {Point[][]} rings
 * @returns {Polygon}
 */
export function polygonOf(rings) {
  return rings.length === 1 ? rings[0] : rings;
}

/** @param {Polygon | null | undefined} polygon */
export function pointsOf(polygon) {
  return ringsOf(polygon).flat();
}

export function mapCorners(polygon, change) {
  let index = 0;
  return polygonOf(ringsOf(polygon).map((ring) => ring.map((point) => change(point, index++))));
}

// Return the polygon as the `d` of an SVG path.
export function outlinePath(polygon) {
  return ringsOf(polygon)
    .map((ring) => `M${ring.map((point) => point.join(" ")).join("L")}Z`)
    .join("");
}

// Limit the shift (dx, dy) so that the box stays in the image.
export function shiftWithin(box, dx, dy, size) {
  return [
    between(dx, Math.min(0, -box.left), Math.max(0, size.width - box.left - box.width)),
    between(dy, Math.min(0, -box.top), Math.max(0, size.height - box.top - box.height)),
  ];
}

export function moved(shape, dx, dy, size) {
  const [x, y] = shiftWithin(shape, dx, dy, size);
  const polygon = shape.polygon && mapCorners(shape.polygon, ([px, py]) => [px + x, py + y]);
  return { ...shape, left: shape.left + x, top: shape.top + y, polygon };
}

export function withPolygon(shape, unclipped, size) {
  const polygon = mapCorners(unclipped, (point) => clipPoint(point, size));
  return { ...shape, ...boundsOf(pointsOf(polygon)), polygon };
}

export const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

/** @returns {Point} */
export function handlePoint({ left, top, width, height }, handle) {
  const x = handle.includes("w") ? left : handle.includes("e") ? left + width : left + width / 2;
  const y = handle.includes("n") ? top : handle.includes("s") ? top + height : top + height / 2;
  return [x, y];
}

// Drag a handle of the box to a point. Beyond the opposite side the box flips. It is never smaller than SMALLEST.
export function resized(box, handle, [x, y], size) {
  const [px, py] = clipPoint([x, y], size);
  const right = box.left + box.width;
  const bottom = box.top + box.height;
  const fixedX = handle.includes("w") ? right : box.left;
  const fixedY = handle.includes("n") ? bottom : box.top;
  const [left, width] = /[we]/.test(handle) ? span(fixedX, px, size.width) : [box.left, box.width];
  const [top, height] = /[ns]/.test(handle) ? span(fixedY, py, size.height) : [box.top, box.height];
  return { left, top, width, height };
}

// Return [start, length] from a fixed to a moving end, at least SMALLEST long and within 0…limit.
function span(fixed, moving, limit) {
  if (Math.abs(moving - fixed) >= SMALLEST)
    return [Math.min(fixed, moving), Math.abs(moving - fixed)];
  const forward = moving >= fixed ? fixed + SMALLEST <= limit : fixed - SMALLEST < 0;
  return [forward ? fixed : fixed - SMALLEST, SMALLEST];
}

// Resize a shape to a box. A polygon is scaled with its bounding box.
export function fittedTo(shape, box) {
  if (!shape.polygon) return { ...shape, ...box };
  const sx = shape.width ? box.width / shape.width : 1;
  const sy = shape.height ? box.height / shape.height : 1;
  const polygon = mapCorners(shape.polygon, ([x, y]) => [
    box.left + (x - shape.left) * sx,
    box.top + (y - shape.top) * sy,
  ]);
  return { ...shape, ...box, polygon };
}

export function isInPolygon([x, y], polygon) {
  let inside = false;
  for (const ring of ringsOf(polygon)) {
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
      const [xi, yi] = ring[i];
      const [xj, yj] = ring[j];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    }
  }
  return inside;
}

export function isInside(point, shape) {
  const [x, y] = point;
  const { left, top, width, height } = shape;
  if (x < left || y < top || x > left + width || y > top + height) return false;
  return !shape.polygon || isInPolygon(point, shape.polygon);
}

export function distanceToSegment([x, y], [ax, ay], [bx, by]) {
  const dx = bx - ax;
  const dy = by - ay;
  const length = dx * dx + dy * dy;
  const t = length ? between(((x - ax) * dx + (y - ay) * dy) / length, 0, 1) : 0;
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

export function outline(shape) {
  if (shape.polygon) return shape.polygon;
  return ["nw", "ne", "se", "sw"].map((corner) => handlePoint(shape, corner));
}

// Find the edge nearest to a point: [its number, distance].
export function nearestEdge(point, polygon) {
  let best = [0, Infinity];
  let first = 0;
  for (const ring of ringsOf(polygon)) {
    ring.forEach((start, index) => {
      const distance = distanceToSegment(point, start, ring[(index + 1) % ring.length]);
      if (distance < best[1]) best = [first + index, distance];
    });
    first += ring.length;
  }
  return best;
}

export function ringArea(ring) {
  let twice = 0;
  ring.forEach(([x, y], index) => {
    const [nx, ny] = ring[(index + 1) % ring.length];
    twice += x * ny - nx * y;
  });
  return Math.abs(twice) / 2;
}

export function isHole(rings, index) {
  return isInPolygon(
    rings[index][0],
    rings.filter((_, position) => position !== index),
  );
}

// Area of a shape whose rings do not cross.
export function areaOf(shape) {
  if (!shape.polygon) return shape.width * shape.height;
  const rings = ringsOf(shape.polygon);
  return rings.reduce(
    (sum, ring, index) => sum + (isHole(rings, index) ? -1 : 1) * ringArea(ring),
    0,
  );
}

// Return [number of the ring, number of the corner in it].
export function ringAt(polygon, index) {
  let position = index;
  for (const [number, ring] of ringsOf(polygon).entries()) {
    if (position < ring.length) return [number, position];
    position -= ring.length;
  }
  return null;
}

// Add a corner after an edge.
export function withCorner(polygon, edge, point) {
  const [number, position] = ringAt(polygon, edge);
  return polygonOf(
    ringsOf(polygon).map((ring, index) =>
      index === number
        ? [...ring.slice(0, position + 1), point, ...ring.slice(position + 1)]
        : ring,
    ),
  );
}

// Remove a corner, together with its ring if only two others remain there. The last ring keeps three corners.
export function withoutCorner(polygon, index) {
  const [number, position] = ringAt(polygon, index);
  const rings = ringsOf(polygon);
  if (rings[number].length <= 3) return withoutRing(polygon, number);
  return polygonOf(
    rings.map((ring, index) =>
      index === number ? ring.filter((_, corner) => corner !== position) : ring,
    ),
  );
}

// Remove a part or a hole. The last ring stays.
export function withoutRing(polygon, number) {
  const rings = ringsOf(polygon);
  return rings.length > 1 ? polygonOf(rings.filter((_, index) => index !== number)) : polygon;
}
