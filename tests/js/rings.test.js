import assert from "node:assert/strict";
import { test } from "node:test";

import {
  cut,
  joined,
  pointsText,
  simplified,
} from "../../customlabels_nb/widgets/static/annotator/rings.js";
import {
  areaOf,
  boundsOf,
  pointsOf,
  isInPolygon,
  ringsOf,
  withoutCorner,
  withoutRing,
} from "../../customlabels_nb/widgets/static/shared/geometry.js";
import { forMany } from "./random.js";

const square = (left, top, side) => [
  [left, top],
  [left + side, top],
  [left + side, top + side],
  [left, top + side],
];
const area = (polygon) => Math.round(areaOf({ polygon }));

test("a ring inside becomes a hole, one across the edge takes a part away", () => {
  const holed = cut(square(0, 0, 100), square(40, 40, 20));
  assert.deepEqual(
    [ringsOf(holed).length, area(holed), pointsText(holed)],
    [2, 9600, "8 points · 1 hole"],
  );
  const notched = cut(square(0, 0, 100), square(90, 40, 20));
  assert.deepEqual([ringsOf(notched).length, area(notched)], [1, 9800]);
  const halved = cut(square(0, 0, 100), [
    [-10, 45],
    [110, 45],
    [110, 55],
    [-10, 55],
  ]);
  assert.deepEqual(
    [ringsOf(halved).length, area(halved), pointsText(halved)],
    [2, 9000, "8 points · 2 parts"],
  );
  assert.equal(cut(square(0, 0, 100), square(-5, -5, 200)), null);
});

test("a ring beside is a part, an overlapping one grows together, and one over a hole fills it", () => {
  const parted = joined(square(0, 0, 20), square(50, 0, 20));
  assert.deepEqual([ringsOf(parted).length, area(parted)], [2, 800]);
  const grown = joined(square(0, 0, 20), square(10, 0, 20));
  assert.deepEqual([ringsOf(grown).length, area(grown)], [1, 600]);
  const filled = joined(cut(square(0, 0, 100), square(40, 40, 20)), square(30, 30, 40));
  assert.deepEqual([ringsOf(filled).length, area(filled)], [1, 10_000]);
  assert.equal(area(joined(square(0, 0, 20), square(0, 0, 20))), 400); // the same once more
});

test("what is inside afterwards follows from what was inside of both, whatever is drawn", () => {
  forMany(50, (random) => {
    const point = () =>
      random.next() < 0.3
        ? [random.pick([0, 50, 100]), random.pick([0, 50, 100])]
        : [random.between(0, 100), random.between(0, 100)];
    let polygon = Array.from({ length: random.whole(3, 9) }, point);
    for (let step = 0; step < 4; step += 1) {
      const ring = Array.from({ length: random.whole(3, 9) }, point);
      const takes = random.next() < 0.5;
      const found = (takes ? cut : joined)(polygon, ring);
      let wrong = 0;
      for (let at = 0; at < 200; at += 1) {
        const place = [random.between(1, 99), random.between(1, 99)];
        const [a, b] = [isInPolygon(place, polygon), isInPolygon(place, ring)];
        wrong += isInPolygon(place, found) !== (takes ? a && !b : a || b);
      }
      // slivers under a square pixel are dropped
      assert.ok(wrong <= 4, `${wrong} ${JSON.stringify([takes, polygon, ring, found])}`);
      if (!found) return;
      polygon = found;
    }
  });
});

test("fewer points stay within the tolerance, and come back when it is less", () => {
  const circle = Array.from({ length: 200 }, (_, at) => [
    100 + 80 * Math.cos((at / 100) * Math.PI),
    100 + 80 * Math.sin((at / 100) * Math.PI),
  ]);
  const counts = [0, 0.5, 2, 10].map((tolerance) => simplified(circle, tolerance).length);
  assert.deepEqual(
    counts.toSorted((a, b) => b - a),
    counts,
  );
  assert.ok(counts[0] === 200 && counts[1] < 60 && counts.at(-1) >= 3, counts.join());
  assert.ok(Math.abs(area(simplified(circle, 0.5)) / area(circle) - 1) < 0.01);
  const holed = [circle, square(99, 99, 3)];
  assert.deepEqual(simplified(holed, 50)[1], square(99, 99, 3)); // small rings stay
  assert.deepEqual(simplified(square(0, 0, 10), 1000), square(0, 0, 10));
});

test("a ring of three corners goes with one of them, but the last ring stays", () => {
  const rings = [
    square(0, 0, 50),
    [
      [10, 10],
      [20, 10],
      [20, 20],
    ],
  ];
  assert.deepEqual(withoutCorner(rings, 5), rings[0]);
  assert.deepEqual(withoutRing(rings, 0), rings[1]);
  assert.equal(withoutRing(rings[0], 0), rings[0]);
  assert.equal(withoutCorner(rings[1], 0), rings[1]);
  assert.deepEqual(boundsOf(pointsOf(withoutCorner(rings, 0))), {
    left: 0,
    top: 0,
    width: 50,
    height: 50,
  });
});

test("a drawn ring that crosses itself becomes its loops", () => {
  const bow = [
    [40, 40],
    [60, 60],
    [60, 40],
    [40, 60],
  ];
  const found = joined(square(0, 0, 30), bow);
  assert.deepEqual(
    [ringsOf(found).length, ringsOf(found).reduce((sum, ring) => sum + area(ring), 0)],
    [3, 900 + 200],
  );
  const holed = cut(square(0, 0, 100), bow);
  assert.deepEqual(
    [ringsOf(holed).length, area(holed), pointsText(holed)],
    [3, 10_000 - 200, "10 points · 2 holes"],
  );
});

test("rings of many points are cut and joined", () => {
  const circle = Array.from({ length: 1000 }, (_, at) => [
    500 + 400 * Math.cos((at * Math.PI) / 500),
    500 + 400 * Math.sin((at * Math.PI) / 500),
  ]);
  const beside = circle.map(([x, y]) => [x + 50, y]);
  const whole = area(circle);
  assert.ok(Math.abs(area(cut(circle, beside)) + area(beside) - area(joined(circle, beside))) < 10);
  assert.ok(area(cut(circle, beside)) < whole / 5);
});
