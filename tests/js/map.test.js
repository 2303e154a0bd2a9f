import assert from "node:assert/strict";
import { test } from "node:test";

import {
  colorCodes,
  legendNumber,
  paletteOf,
  SCALE_STEPS,
  scaleColor,
} from "../../customlabels_nb/widgets/static/map/colors.js";
import {
  centresOf,
  countGroups,
  nearestPoint,
  pointsInside,
  withNeighbours,
} from "../../customlabels_nb/widgets/static/map/geometry.js";
import { putStamp, stampOf } from "../../customlabels_nb/widgets/static/map/stamps.js";

const grid = Float32Array.from([0, 0, 10, 0, 0, 10, 10, 10, NaN, NaN, 5, 5]);

test("the lasso selects the points inside, also of a shape that is not convex", () => {
  const box = [
    [-1, -1],
    [6, -1],
    [6, 11],
    [-1, 11],
  ];
  assert.deepEqual(pointsInside(grid, box), [0, 2, 5]);
  const notched = [
    [-1, -1],
    [11, -1],
    [11, 11],
    [5, 4],
    [-1, 11],
  ]; // the notch leaves out the others
  assert.deepEqual(pointsInside(grid, notched), [0, 1]);
  assert.deepEqual(pointsInside(grid, [[0, 0]]), []);
});

test("a click takes the nearest point within reach", () => {
  assert.equal(nearestPoint(grid, [9, 1], 3), 1);
  assert.equal(nearestPoint(grid, [2.5, 2.5], 1), null);
});

test("the selection grows by its nearest neighbours, never by points without a place", () => {
  assert.deepEqual(withNeighbours(grid, [0], 1), [0, 5]);
  assert.deepEqual(withNeighbours(grid, [0], 99), [0, 1, 2, 3, 5]);
  assert.deepEqual(withNeighbours(grid, [], 3), []);
});

test("the name of a label is at the median of its points, the largest label first", () => {
  const groups = Int16Array.from([0, 1, 1, 1, 1, -1]);
  assert.deepEqual(centresOf(grid, groups), [
    [1, 10, 10, 3],
    [0, 0, 0, 1],
  ]);
  assert.deepEqual(
    [...countGroups([0, 1, 5], groups)],
    [
      [0, 1],
      [1, 1],
      [-1, 1],
    ],
  );
});

test("numbers have a scale of colors", () => {
  const legend = { low: 2, high: 4 };
  assert.deepEqual([...colorCodes(legend, [0, 0.5, 1, NaN])], [0, 16, SCALE_STEPS - 1, -1]);
  const palette = paletteOf(legend, []);
  assert.equal(palette.length, SCALE_STEPS);
  assert.equal(palette[0], scaleColor(0));
  assert.equal(scaleColor(-1), scaleColor(0));
  assert.equal(scaleColor(2), scaleColor(1));
  assert.equal(new Set(palette).size, SCALE_STEPS);
  assert.equal(legendNumber(1234.5), "1,230");
  assert.equal(legendNumber(0.012345), "0.0123");
});

test("groups have colors of their own, and those of labels of the same name", () => {
  const legend = {
    groups: [
      ["apple", 3],
      ["<b>", 2],
      ["3 others", 9],
    ],
  };
  const palette = paletteOf(legend, [{ label: "apple", color: "#123456" }]);
  assert.equal(palette[0], "#123456");
  assert.equal(new Set(palette).size, 3);
  assert.deepEqual([...colorCodes(legend, [1, NaN])], [1, -1]);
});

test("stamps cover what is below them by their opacity, and end at the edge", () => {
  const stamp = stampOf({ width: 2, height: 1, data: [200, 0, 0, 255, 0, 0, 0, 0] });
  const pale = stampOf({ width: 1, height: 1, data: [0, 100, 0, 51] });
  assert.equal(stamp.length, 6);
  const picture = { width: 2, height: 2, data: new Uint8ClampedArray(16) };
  putStamp(picture, stamp, 1, 0);
  putStamp(picture, pale, 1, 0);
  putStamp(picture, pale, 0, 1);
  putStamp(picture, stamp, 2, 0);
  putStamp(picture, stamp, 0, -1);
  assert.deepEqual([...picture.data], [0, 0, 0, 0, 160, 20, 0, 255, 0, 100, 0, 51, 0, 0, 0, 0]);
});
