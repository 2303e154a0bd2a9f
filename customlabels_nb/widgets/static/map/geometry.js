// Geometry of points on a map. `xy` is a Float32Array of x and y of each point, NaN for points without a place.

import { isInPolygon } from "../shared/geometry.js";

// Return the points inside a polygon, in ascending order.
export function pointsInside(xy, polygon) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of polygon) {
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  const found = [];
  for (let index = 0; 2 * index < xy.length; index += 1) {
    const [x, y] = [xy[2 * index], xy[2 * index + 1]];
    if (x >= left && x <= right && y >= top && y <= bottom && isInPolygon([x, y], polygon))
      found.push(index);
  }
  return found;
}

// Return the point nearest to a place within a radius, or null.
export function nearestPoint(xy, [px, py], radius) {
  let best = null;
  let least = radius * radius;
  for (let index = 0; 2 * index < xy.length; index += 1) {
    const distance = (xy[2 * index] - px) ** 2 + (xy[2 * index + 1] - py) ** 2;
    if (distance <= least) [best, least] = [index, distance];
  }
  return best;
}

// Return the points and the `count` others that are nearest to one of them, in ascending order.
export function withNeighbours(xy, points, count) {
  if (!points.length) return [];
  const step = Math.max(1, Math.floor(points.length / 500)); // enough of a large selection
  const some = Array.from(points).filter((_, place) => place % step === 0);
  const chosen = new Set(points);
  const others = [];
  for (let index = 0; 2 * index < xy.length; index += 1) {
    if (chosen.has(index) || Number.isNaN(xy[2 * index])) continue;
    let least = Infinity;
    for (const point of some)
      least = Math.min(
        least,
        (xy[2 * index] - xy[2 * point]) ** 2 + (xy[2 * index + 1] - xy[2 * point + 1]) ** 2,
      );
    others.push([least, index]);
  }
  others.sort((a, b) => a[0] - b[0]);
  return [...chosen, ...others.slice(0, count).map(([, index]) => index)].sort((a, b) => a - b);
}

// Return the median place of the points of each group as [group, x, y, number of points], the largest group first.
// Groups below 0 are left out.
export function centresOf(xy, groups) {
  const members = new Map();
  groups.forEach((group, index) => {
    if (group < 0 || Number.isNaN(xy[2 * index])) return;
    if (!members.has(group)) members.set(group, []);
    members.get(group).push(index);
  });
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  return [...members]
    .map(([group, points]) => [
      group,
      median(points.map((index) => xy[2 * index])),
      median(points.map((index) => xy[2 * index + 1])),
      points.length,
    ])
    .sort((a, b) => b[3] - a[3]);
}

// Count the points of each group.
export function countGroups(points, groups) {
  const counts = new Map();
  for (const index of points) counts.set(groups[index], (counts.get(groups[index]) ?? 0) + 1);
  return counts;
}
