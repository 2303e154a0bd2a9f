import assert from "node:assert/strict";
import { test } from "node:test";

import { Camera } from "../../customlabels_nb/widgets/static/annotator/camera.js";
import { cursorFor, hitTest } from "../../customlabels_nb/widgets/static/annotator/hits.js";
import { inkOn } from "../../customlabels_nb/widgets/static/shared/colors.js";
import {
  HANDLES,
  handlePoint,
  isInside,
} from "../../customlabels_nb/widgets/static/shared/geometry.js";
import { forMany, randomBox, randomPoint, randomSize } from "./random.js";

const closeTo = (a, b, slack) =>
  a.forEach((value, axis) => assert.ok(Math.abs(value - b[axis]) <= slack, `${a} is not ${b}`));

function cameraOf(random) {
  return new Camera({
    scale: 10 ** random.between(-2, 1.6),
    x: random.between(-1e4, 1e4),
    y: random.between(-1e4, 1e4),
  });
}

test("from the screen to the image and back is the same place, at any zoom", () => {
  forMany(500, (random) => {
    const camera = cameraOf(random);
    const point = [random.between(-2_000, 2_000), random.between(-2_000, 2_000)];
    closeTo(camera.toScreen(camera.toImage(point)), point, 1e-6);
  });
});

test("at rest the corner of the image lies on a whole pixel of the screen, half of one away at most", () => {
  forMany(500, (random) => {
    const [camera, ratio] = [cameraOf(random), random.pick([1, 1.5, 2])];
    const snapped = camera.snapped(ratio);
    for (const side of ["x", "y"]) {
      assert.ok(Math.abs(snapped[side] * ratio - Math.round(snapped[side] * ratio)) < 1e-6);
      assert.ok(Math.abs(snapped[side] - camera[side]) <= 0.5 / ratio + 1e-6);
    }
    assert.equal(snapped.scale, camera.scale);
  });
});

test("zooming keeps the point of the image that is under the pointer", () => {
  forMany(500, (random) => {
    const camera = cameraOf(random);
    const point = [random.between(0, 900), random.between(0, 600)];
    const zoomed = camera.zoomed(point, 10 ** random.between(-1, 1));
    closeTo(zoomed.toScreen(camera.toImage(point)), point, 1e-5);
    assert.ok(zoomed.scale >= 0.01 && zoomed.scale <= 40);
  });
});

test("panning moves everything by as much; fitting shows all in the middle", () => {
  forMany(200, (random) => {
    const camera = cameraOf(random);
    closeTo(
      camera.panned(3, -4).toScreen([1, 1]),
      [camera.toScreen([1, 1])[0] + 3, camera.toScreen([1, 1])[1] - 4],
      1e-6,
    );
    const [image, canvas] = [
      randomSize(random),
      { width: random.whole(200, 1_500), height: random.whole(200, 900) },
    ];
    const fit = Camera.fit(image, canvas);
    const [left, top] = fit.toScreen([0, 0]);
    const [right, bottom] = fit.toScreen([image.width, image.height]);
    assert.ok(
      left >= 7.9 && top >= 7.9 && right <= canvas.width - 7.9 && bottom <= canvas.height - 7.9,
    );
    closeTo([left + right, top + bottom], [canvas.width, canvas.height], 1e-6);
  });
});

test("zooming out ends where the complete image fits, in the middle again", () => {
  forMany(300, (random) => {
    const [image, canvas] = [
      randomSize(random),
      { width: random.whole(200, 1_500), height: random.whole(200, 900) },
    ];
    const fit = Camera.fit(image, canvas);
    const point = [random.between(0, canvas.width), random.between(0, canvas.height)];
    let camera = fit.zoomedWithin(point, random.between(1.1, 5), image, canvas);
    for (let step = 0; step < 30; step += 1) {
      const factor = random.between(0.5, 1.3);
      const next = camera.zoomedWithin(point, factor, image, canvas);
      assert.ok(next.scale >= fit.scale && (factor > 1 || next.scale <= camera.scale));
      if (next.scale === fit.scale && factor < 1) closeTo([next.x, next.y], [fit.x, fit.y], 1e-9);
      camera = next;
    }
    const small = Camera.centred(image, canvas, fit.scale / 2); // 1:1 of a small image
    assert.equal(small.zoomedWithin(point, 0.9, image, canvas).scale, small.scale);
    assert.ok(small.zoomedWithin(point, 1.1, image, canvas).scale > small.scale);
  });
});

test("however one pans, a bit of the image stays in sight", () => {
  forMany(300, (random) => {
    const [image, canvas] = [randomSize(random), { width: 900, height: 500 }];
    const camera = cameraOf(random).kept(image, canvas);
    const [left, top] = camera.toScreen([0, 0]);
    const [right, bottom] = camera.toScreen([image.width, image.height]);
    assert.ok(
      left <= 900 - 40 + 1e-6 &&
        right >= 40 - 1e-6 &&
        top <= 500 - 40 + 1e-6 &&
        bottom >= 40 - 1e-6,
    );
    const again = camera.kept(image, canvas);
    closeTo([again.x, again.y], [camera.x, camera.y], 1e-9);
  });
});

const box = (left, top, width, height, more = {}) => ({
  label: "a",
  left,
  top,
  width,
  height,
  polygon: null,
  ...more,
});
const at = (hit) => hit && [hit.index, hit.part];

test("handles of the selected come first, corners before sides, then edges, then the smallest inside", () => {
  const shapes = [box(0, 0, 100, 100), box(20, 20, 30, 30), box(25, 25, 60, 60)];
  const hit = (point, selected = null, more = {}) =>
    hitTest(point, shapes, { selected, tolerance: 3, ...more });
  assert.equal(hit([0, 0], 0).handle, "nw");
  assert.deepEqual(at(hit([0, 0])), [0, "edge"]); // not selected: no handles
  assert.equal(hit([50, 1], 0).handle, "n");
  assert.deepEqual(at(hit([40, 40])), [1, "inside"]);
  assert.deepEqual(at(hit([40, 40], 0)), [0, "inside"]); // the selected one before smaller ones
  assert.deepEqual(at(hit([49, 40], 0)), [1, "edge"]); // but an edge of another still selects
  assert.equal(hit([150, 150]), null);
  assert.deepEqual(at(hit([40, 40], null, { usable: (shape) => shape.width !== 30 })), [
    2,
    "inside",
  ]);
  assert.deepEqual(at(hit([0, 0], 0, { usable: (shape) => shape.width !== 100 })), null);
  const tiny = [box(10, 10, 4, 4)];
  assert.equal(hitTest([11, 11], tiny, { selected: 0, tolerance: 6 }).handle.length, 2);
});

test("of a polygon corners and edges are hit", () => {
  const shapes = [
    box(0, 0, 40, 40, {
      polygon: [
        [0, 0],
        [40, 0],
        [40, 40],
      ],
    }),
  ];
  assert.deepEqual(hitTest([39, 1], shapes, { selected: 0, tolerance: 3 }), {
    index: 0,
    part: "corner",
    corner: 1,
  });
  assert.deepEqual(hitTest([20, 1], shapes, { selected: 0, tolerance: 3 }), {
    index: 0,
    part: "edge",
    edge: 0,
  });
  assert.deepEqual(at(hitTest([30, 10], shapes, { tolerance: 3 })), [0, "inside"]);
  assert.equal(hitTest([5, 35], shapes, { tolerance: 3 }), null); // in its box, not in it
});

test("what is hit is really there", () => {
  forMany(300, (random) => {
    const size = randomSize(random);
    const shapes = Array.from({ length: random.whole(0, 12) }, () => randomBox(random, size));
    const point = randomPoint(random, size, 0.1);
    const tolerance = random.between(0.1, 20);
    const selected =
      random.next() < 0.5 && shapes.length ? random.whole(0, shapes.length - 1) : null;
    const hit = hitTest(point, shapes, { selected, tolerance });
    if (!hit) {
      assert.ok(shapes.every((shape) => !isInside(point, shape)));
    } else if (hit.part === "handle") {
      assert.equal(hit.index, selected);
      assert.ok(HANDLES.some((name) => name === hit.handle));
      closeTo(handlePoint(shapes[hit.index], hit.handle), point, tolerance + 1e-9);
    } else if (hit.part === "inside") assert.ok(isInside(point, shapes[hit.index]));
  });
});

test("cursors say what a press would do", () => {
  assert.equal(cursorFor(null, { grabs: false }), "crosshair");
  assert.equal(
    cursorFor({ index: 0, part: "handle", handle: "ne" }, { grabs: true }),
    "nesw-resize",
  );
  assert.equal(cursorFor({ index: 0, part: "inside" }, { grabs: true }), "move");
  assert.equal(cursorFor({ index: 0, part: "inside" }, { grabs: false }), "crosshair");
  assert.equal(cursorFor({ index: 0, part: "edge" }, { grabs: false }), "pointer");
  assert.equal(cursorFor(null, { grabs: false, draws: false }), "default");
});

test("names on any color can be read: 4.5 to 1 at least", () => {
  const luminance = (color) => {
    const [r, g, b] = [1, 3, 5]
      .map((from) => Number.parseInt(color.slice(from, from + 2), 16) / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  forMany(2_000, (random) => {
    const color = `#${random.whole(0, 0xffffff).toString(16).padStart(6, "0")}`;
    const ground = luminance(color);
    const ink = inkOn(color) === "#000" ? 0 : 1;
    const [low, high] = [ground, ink].sort((a, b) => a - b);
    assert.ok((high + 0.05) / (low + 0.05) >= 4.5, `${inkOn(color)} on ${color}`);
  });
});
