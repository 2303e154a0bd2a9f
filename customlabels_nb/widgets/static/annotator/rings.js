// Cut a ring out of a polygon, add one to it, and simplify polygons. Pure functions of polygons as in geometry.js.

import {
  pointsOf,
  boundsOf,
  distanceToSegment,
  isInPolygon,
  polygonOf,
  ringArea,
  ringsOf,
} from "../shared/geometry.js";

/** @import { Point } from "../shared/geometry.js" */
/** @typedef {[Point, Point]} Edge */

// Choices of how far a simplified outline may be from the full one, in pixels.
export const TOLERANCES = [0, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32];

const SHIFT = 5e-4; // pixels by which drawn corners are shifted, because edges on the same line have no crossing
const LEAST_AREA = 1; // square pixels of a ring; smaller ones are left over where edges almost coincide
const END = 1e-9;
const GRID = 2 ** 20; // crossings of a pixel
const ATTEMPTS = 8;

// Return the polygon without the area of the ring, or null if nothing is left.
export function cut(polygon, ring) {
  return combined(polygon, ring, { outside: false });
}

// Return the polygon with the area of the ring: overlapping ones grow together.
export function joined(polygon, ring) {
  return combined(polygon, ring, { outside: true });
}

// The outline of the result consists of the polygon's edges outside the ring, and of the ring's edges `outside` the
// polygon or inside it. Both are split where they cross. With another shift, edges that almost coincide do not.
function combined(polygon, drawn, { outside }) {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const ring = drawn.map(([x, y], index) => [
      x + SHIFT * Math.sin(attempt * (index + 1)),
      y + SHIFT * Math.cos(attempt * (2 * index + 1)),
    ]);
    const edges = edgesOf(ringsOf(polygon));
    const drawnEdges = edgesOf([ring]);
    const others = split(drawnEdges, drawnEdges); // where it crosses itself
    const rings = linked([
      ...split(edges, others).filter(([a, b]) => !isInPolygon(middle(a, b), ring)),
      ...split(others, edges).filter(([a, b]) => isInPolygon(middle(a, b), polygon) !== outside),
    ]);
    if (!rings) continue;
    const parts = rings
      .flatMap(loopsOf)
      .map(withoutRepeats)
      .filter((ring) => ring.length >= 3 && ringArea(ring) >= LEAST_AREA);
    return parts.length ? polygonOf(parts) : null;
  }
  return polygon;
}

/** @returns {Point} */
const middle = ([ax, ay], [bx, by]) => [(ax + bx) / 2, (ay + by) / 2];

/** @returns {Edge[]} */
function edgesOf(rings) {
  return rings.flatMap((ring) =>
    ring.map((point, index) => [point, ring[(index + 1) % ring.length]]),
  );
}

/**
 * Split edges where they cross others. Both sides compute a crossing from the same numbers, so that both have the same.
 *
 * @param {Edge[]} edges
 * @param {Edge[]} others
 * @returns {Edge[]}
 */
function split(edges, others) {
  const ordered = others.map(inDirection);
  return edges.flatMap((edge) => {
    const [start, end] = edge;
    const corners = inDirection(edge);
    const [[left], [right]] = corners;
    const [top, bottom] = [Math.min(start[1], end[1]), Math.max(start[1], end[1])];
    /** @type {[number, Point][]} */
    const places = [];
    for (const other of ordered) {
      const [[x, y], [farX, farY]] = other;
      if (x > right || farX < left || (y > bottom && farY > bottom) || (y < top && farY < top))
        continue;
      const first = (inOrder(corners[0], other[0]) || inOrder(corners[1], other[1])) <= 0;
      const point = first ? crossing(corners, other) : crossing(other, corners);
      if (point) places.push([Math.hypot(point[0] - start[0], point[1] - start[1]), point]);
    }
    const points = [start, ...places.sort(([a], [b]) => a - b).map(([, point]) => point), end];
    return points
      .slice(1)
      .map((point, index) => /** @type {Edge} */ ([points[index], point]))
      .filter(([a, b]) => inOrder(a, b));
  });
}

const inOrder = (a, b) => a[0] - b[0] || a[1] - b[1];
/** @returns {Edge} */
const inDirection = ([a, b]) => (inOrder(a, b) < 0 ? [a, b] : [b, a]);

/** @returns {Point | null} */
function crossing([a, b], [c, d]) {
  const [abx, aby, cdx, cdy] = [b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]];
  const slope = abx * cdy - aby * cdx;
  if (!slope) return null;
  const t = ((c[0] - a[0]) * cdy - (c[1] - a[1]) * cdx) / slope;
  const u = ((c[0] - a[0]) * aby - (c[1] - a[1]) * abx) / slope;
  if (t <= END || t >= 1 - END || u <= END || u >= 1 - END) return null;
  return [Math.round((a[0] + t * abx) * GRID) / GRID, Math.round((a[1] + t * aby) * GRID) / GRID];
}

// Link edges to rings, or return null if they are not closed.
function linked(edges) {
  const starts = new Map();
  for (const edge of edges) {
    for (const point of edge) {
      const key = point.join();
      if (!starts.has(key)) starts.set(key, new Set());
      starts.get(key).add(edge);
    }
  }
  const rings = [];
  for (const [start] of edges) {
    const ring = [];
    let point = start;
    for (let edge = next(starts, point); edge; edge = next(starts, point)) {
      ring.push(point);
      for (const end of edge) starts.get(end.join()).delete(edge);
      point = edge[0].join() === point.join() ? edge[1] : edge[0];
    }
    if (point.join() !== start.join()) return null;
    if (ring.length) rings.push(ring);
  }
  return rings;
}

// Split a ring where it returns to one of its points, because the areas of the loops of a bow-tie would cancel out.
function loopsOf(ring) {
  const [loops, open, places] = [[], [], new Map()];
  for (const point of ring) {
    const key = point.join();
    if (places.has(key)) {
      const loop = open.splice(places.get(key));
      for (const corner of loop) places.delete(corner.join());
      loops.push(loop);
    }
    places.set(key, open.push(point) - 1);
  }
  return [...loops, open];
}

function next(index, point) {
  return index.get(point.join()).values().next().value;
}

function withoutRepeats(ring) {
  return ring.filter(([x, y], index) => {
    const [px, py] = ring.at(index - 1);
    return Math.hypot(x - px, y - py) > 4 * SHIFT;
  });
}

// Remove corners at most `tolerance` pixels from the simplified outline (Douglas and Peucker, 1973). A ring keeps at
// least three corners, and parts that would become smaller than two pixels are kept as they are.
export function simplified(polygon, tolerance) {
  return polygonOf(
    ringsOf(polygon).map((ring) => {
      const fewer = fewerCorners(ring, tolerance);
      const { width, height } = boundsOf(fewer);
      return fewer.length < 3 || width < 2 || height < 2 ? ring : fewer;
    }),
  );
}

// Return the smallest choice that is at least `value`, or the one `by` steps further.
export function nextTolerance(value, by = 0) {
  const index = TOLERANCES.findIndex((choice) => choice >= value);
  const last = TOLERANCES.length - 1;
  return TOLERANCES[Math.min(Math.max((index < 0 ? last : index) + by, 0), last)];
}

function fewerCorners(ring, tolerance) {
  const away = ring.map(([x, y]) => Math.hypot(x - ring[0][0], y - ring[0][1]));
  const far = away.indexOf(Math.max(...away));
  const closed = [...ring, ring[0]];
  const kept = new Set([0, far]);
  const waiting = [
    [0, far],
    [far, ring.length],
  ];
  while (waiting.length) {
    const [first, last] = waiting.pop();
    let [most, best] = [tolerance, null];
    for (let index = first + 1; index < last; index += 1) {
      const distance = distanceToSegment(closed[index], closed[first], closed[last]);
      if (distance > most) [most, best] = [distance, index];
    }
    if (best === null) continue;
    kept.add(best);
    waiting.push([first, best], [best, last]);
  }
  return ring.filter((_, index) => kept.has(index));
}

// Describe the corners of a polygon: "22 points · 1 hole".
export function pointsText(polygon) {
  const rings = ringsOf(polygon);
  const holes = rings.filter((ring, index) =>
    isInPolygon(
      ring[0],
      rings.filter((_, position) => position !== index),
    ),
  ).length;
  const more = [
    [rings.length - holes, "part", 1],
    [holes, "hole", 0],
  ].filter(([count, , least]) => count > least);
  return [
    `${pointsOf(polygon).length} points`,
    ...more.map(([count, word]) => `${count} ${word}${count === 1 ? "" : "s"}`),
  ].join(" · ");
}
