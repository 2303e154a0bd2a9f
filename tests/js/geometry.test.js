import assert from "node:assert/strict";
import { test } from "node:test";

import { hitTest } from "../../customlabels_nb/widgets/static/annotator/hits.js";
import * as geometry from "../../customlabels_nb/widgets/static/shared/geometry.js";
import {
  placed,
  taken,
  withNumber,
} from "../../customlabels_nb/widgets/static/annotator/fitting.js";
import { forMany, isWithin, randomBox, randomPoint, randomSize } from "./random.js";

const { HANDLES, SMALLEST } = geometry;
const near = (a, b, slack = 1e-6) => assert.ok(Math.abs(a - b) <= slack, `${a} is not ${b}`);

function polygonIn(random, size, corners = random.whole(3, 9)) {
  return geometry.withPolygon(
    { label: "pear" },
    Array.from({ length: corners }, () => randomPoint(random, size)),
    size,
  );
}

function shapeIn(random, size) {
  return random.next() < 0.5 ? randomBox(random, size) : polygonIn(random, size);
}

test("a box has the same corners whichever one the hand began at", () => {
  forMany(200, (random) => {
    const size = randomSize(random);
    const [a, b] = [randomPoint(random, size), randomPoint(random, size)];
    const box = geometry.boxFromCorners(a, b);
    assert.deepEqual(geometry.boxFromCorners(b, a), box);
    assert.deepEqual(geometry.boxFromCorners([a[0], b[1]], [b[0], a[1]]), box);
    near(box.left + box.width, Math.max(a[0], b[0]));
  });
});

test("clipping leaves what is inside and nothing outside", () => {
  forMany(300, (random) => {
    const size = randomSize(random);
    const box = geometry.boxFromCorners(randomPoint(random, size, 1), randomPoint(random, size, 1));
    const clipped = geometry.clipBox(box, size);
    assert.ok(isWithin(clipped, size));
    assert.ok(clipped.width >= 0 && clipped.height >= 0);
    const point = randomPoint(random, size);
    assert.equal(
      geometry.isInside(point, { ...clipped, polygon: null }) ||
        !geometry.isInside(point, { ...box, polygon: null }),
      true,
    );
    if (isWithin(box, size, 0))
      for (const side of ["left", "top", "width", "height"]) near(clipped[side], box[side]);
  });
});

test("moving keeps the size and stays in the image", () => {
  forMany(300, (random) => {
    const size = randomSize(random);
    const shape = shapeIn(random, size);
    const [dx, dy] = randomPoint(random, size, 1);
    const after = geometry.moved(shape, dx, dy, size);
    assert.ok(isWithin(after, size));
    near(after.width, shape.width);
    near(after.height, shape.height);
    if (shape.polygon) {
      const around = geometry.boundsOf(after.polygon);
      for (const side of ["left", "top", "width", "height"]) near(around[side], after[side]);
    }
    const room = geometry.shiftWithin(shape, dx, dy, size);
    near(after.left - shape.left, room[0]);
    if (isWithin({ ...shape, left: shape.left + dx, top: shape.top + dy }, size, 0))
      near(room[0], dx);
  });
});

test("a handle moves its sides alone, turns over past the opposite one, and never makes less than 2 × 2", () => {
  forMany(600, (random) => {
    const size = randomSize(random);
    const box = randomBox(random, size);
    const handle = random.pick(HANDLES);
    const [x, y] = randomPoint(random, size, 0.3);
    const after = geometry.resized(box, handle, [x, y], size);
    assert.ok(isWithin(after, size), JSON.stringify([box, handle, x, y, after, size]));
    assert.ok(after.width >= SMALLEST - 1e-9 && after.height >= SMALLEST - 1e-9);
    if (!/[we]/.test(handle)) assert.deepEqual([after.left, after.width], [box.left, box.width]);
    if (!/[ns]/.test(handle)) assert.deepEqual([after.top, after.height], [box.top, box.height]);
    const fixed = handle.includes("w") ? box.left + box.width : box.left;
    const pulled = Math.min(Math.max(x, 0), size.width);
    if (/[we]/.test(handle) && Math.abs(pulled - fixed) >= SMALLEST) {
      near(after.left, Math.min(fixed, pulled));
      near(after.left + after.width, Math.max(fixed, pulled));
    }
  });
});

test("a handle that is put back where it was changes nothing", () => {
  forMany(200, (random) => {
    const size = randomSize(random);
    const box = randomBox(random, size);
    for (const handle of HANDLES) {
      const after = geometry.resized(box, handle, geometry.handlePoint(box, handle), size);
      for (const side of ["left", "top", "width", "height"])
        near(after[side], box[side], 1e-9 * size.width + 1e-9 * size.height);
    }
  });
});

test("a polygon is stretched with its box", () => {
  forMany(200, (random) => {
    const size = randomSize(random);
    const shape = polygonIn(random, size);
    const box = randomBox(random, size);
    const { left, top, width, height } = box;
    const after = geometry.fittedTo(shape, { left, top, width, height });
    const around = geometry.boundsOf(after.polygon);
    if (shape.width > 1e-6 && shape.height > 1e-6)
      for (const side of ["left", "top", "width", "height"]) near(around[side], box[side], 1e-3);
    assert.equal(after.polygon.length, shape.polygon.length);
  });
});

test("inside a polygon is what an even-odd rule says, and its box holds it", () => {
  forMany(200, (random) => {
    const size = randomSize(random);
    const shape = polygonIn(random, size, 3);
    const [a, b, c] = shape.polygon;
    const weights = [random.next(), random.next(), random.next()].map((w) => w + 0.01);
    const sum = weights.reduce((all, w) => all + w, 0);
    const inner = [0, 1].map(
      (axis) => (a[axis] * weights[0] + b[axis] * weights[1] + c[axis] * weights[2]) / sum,
    );
    if (geometry.areaOf(shape) > 1) assert.equal(geometry.isInside(inner, shape), true);
    const outer = [shape.left - 1, inner[1]];
    assert.equal(geometry.isInside(outer, shape), false);
    assert.ok(geometry.areaOf(shape) <= (shape.width * shape.height) / 2 + 1e-6);
  });
});

test("the nearest edge is as near as any point of any edge", () => {
  forMany(200, (random) => {
    const size = randomSize(random);
    const points = geometry.outline(shapeIn(random, size));
    const point = randomPoint(random, size, 0.2);
    const [index, distance] = geometry.nearestEdge(point, points);
    points.forEach((start, at) => {
      const end = points[(at + 1) % points.length];
      const share = random.next();
      const on = [start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])];
      assert.ok(distance <= Math.hypot(on[0] - point[0], on[1] - point[1]) + 1e-6);
    });
    near(
      geometry.distanceToSegment(point, points[index], points[(index + 1) % points.length]),
      distance,
    );
  });
});

test("corners come and go, three stay", () => {
  const points = [
    [0, 0],
    [10, 0],
    [10, 10],
  ];
  assert.deepEqual(geometry.withCorner(points, 2, [5, 5]), [
    [0, 0],
    [10, 0],
    [10, 10],
    [5, 5],
  ]);
  assert.deepEqual(geometry.withoutCorner(geometry.withCorner(points, 0, [5, 0]), 1), points);
  assert.equal(geometry.withoutCorner(points, 1), points);
});

test("a number typed in moves or stretches, inside the image, or is refused", () => {
  const size = { width: 100, height: 80 };
  const box = { label: "apple", left: 10, top: 10, width: 30, height: 20, polygon: null };
  assert.equal(withNumber(box, "left", 90, size).left, 70); // it stays 30 wide
  assert.equal(withNumber(box, "width", 500, size).width, 90);
  for (const value of [1.5, 0, -20, Number.NaN, Infinity])
    assert.equal(withNumber(box, "height", value, size), null);
  forMany(300, (random) => {
    const room = randomSize(random);
    const shape = shapeIn(random, room);
    const after = withNumber(
      shape,
      random.pick(["left", "top", "width", "height"]),
      random.between(-2, 2) * room.width,
      room,
    );
    if (after)
      assert.ok(
        isWithin(after, room, 1e-3) &&
          (geometry.isTooSmall(shape) ||
            !geometry.isTooSmall(after) ||
            shape.width === after.width),
      );
  });
});

test("what is pasted lies in the image, as large as it was if it fits", () => {
  forMany(400, (random) => {
    const [from, to] = [randomSize(random), randomSize(random)];
    const shape = shapeIn(random, from);
    const after = placed(shape, to, random.pick([0, 10]));
    assert.ok(isWithin(after, to, 1e-3), JSON.stringify([shape, to, after]));
    near(after.width, Math.min(shape.width, to.width), 1e-3);
    near(after.height, Math.min(shape.height, to.height), 1e-3);
    assert.equal(Object.keys(after).join(), "label,left,top,width,height,polygon,note");
  });
  const size = { width: 100, height: 100 };
  const box = { label: "apple", left: 85, top: 10, width: 15, height: 15, polygon: null };
  assert.deepEqual([placed(box, size, 10).left, placed(box, size, 10).top], [75, 20]); // at an edge the other way
});

test("what a model says is clipped, or nothing of it is left", () => {
  const size = { width: 100, height: 80 };
  const said = {
    label: "apple",
    left: -10,
    top: 5,
    width: 30,
    height: 20,
    polygon: null,
    confidence: 0.5,
  };
  assert.deepEqual(taken(said, size), {
    label: "apple",
    left: 0,
    top: 5,
    width: 20,
    height: 20,
    polygon: null,
    note: null,
  });
  assert.equal(taken({ ...said, left: -29 }, size), null);
  assert.equal(taken({ ...said, left: 200 }, size), null);
  const polygon = [
    [-5, -5],
    [50, -5],
    [50, 40],
  ];
  assert.ok(isWithin(taken({ ...said, polygon }, size), size));
  assert.equal(
    taken(
      {
        ...said,
        polygon: [
          [-9, -9],
          [-5, -5],
          [-1, -9],
        ],
      },
      size,
    ),
    null,
  );
});

test("polygons of several rings: holes are outside, corners count over all rings, and rings move together", () => {
  const size = { width: 100, height: 100 };
  const square = (x, y, side) => [
    [x, y],
    [x + side, y],
    [x + side, y + side],
    [x, y + side],
  ];
  const frame = geometry.withPolygon(
    { label: "a" },
    [
      square(10, 10, 40),
      square(20, 20, 20),
      [
        [60, 10],
        [70, 10],
        [70, 20],
      ],
    ],
    size,
  );
  assert.deepEqual([frame.left, frame.top, frame.width, frame.height], [10, 10, 60, 40]);
  assert.deepEqual(
    [
      [12, 12],
      [30, 30],
      [68, 12],
      [55, 12],
    ].map((point) => geometry.isInside(point, frame)),
    [true, false, true, false],
  );
  assert.equal(geometry.areaOf(frame), 1600 - 400 + 50);
  assert.deepEqual(geometry.nearestEdge([30, 21], frame.polygon), [4, 1]);
  assert.deepEqual(geometry.pointsOf(geometry.withCorner(frame.polygon, 4, [30, 18]))[5], [30, 18]);
  assert.equal(geometry.withoutCorner(frame.polygon, 5)[1].length, 3);
  assert.deepEqual(geometry.withoutCorner(frame.polygon, 9), frame.polygon.slice(0, 2)); // of three corners
  assert.equal(geometry.withoutCorner(frame.polygon[2], 0), frame.polygon[2]);
  assert.deepEqual(geometry.moved(frame, 5, 0, size).polygon[1][0], [25, 20]);
  assert.deepEqual(
    geometry.fittedTo(frame, { left: 0, top: 0, width: 30, height: 20 }).polygon[2],
    [
      [25, 0],
      [30, 0],
      [30, 5],
    ],
  );
  assert.equal(
    geometry.outlinePath([
      square(0, 0, 1),
      [
        [5, 5],
        [6, 5],
        [6, 6],
      ],
    ]),
    "M0 0L1 0L1 1L0 1ZM5 5L6 5L6 6Z",
  );
  assert.deepEqual(hitTest([30, 30], [frame], { selected: null, tolerance: 1 }), null);
  assert.deepEqual(hitTest([20, 20], [frame], { selected: 0, tolerance: 1 }), {
    index: 0,
    part: "corner",
    corner: 4,
  });
});
