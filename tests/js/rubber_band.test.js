import assert from "node:assert/strict";
import { test } from "node:test";

import { overlapped } from "../../customlabels_nb/widgets/static/shared/rubber_band.js";

test("a rectangle selects the tiles that it touches, drawn in any direction", () => {
  const boxes = [0, 1, 2, 3, 4, 5].map((index) => ({ left: 110 * (index % 3), top: 150 * Math.floor(index / 3), width: 100, height: 140 }));
  assert.deepEqual(overlapped(boxes, [50, 50], [120, 60]), [0, 1]);
  assert.deepEqual(overlapped(boxes, [120, 200], [50, 100]), [0, 1, 3, 4]);
  assert.deepEqual(overlapped(boxes, [101, 10], [109, 300]), []);
});
