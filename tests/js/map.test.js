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
import { Plane } from "../../customlabels_nb/widgets/static/map/plane.js";
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

// Return a plane of 400 × 400 pixels with one point in the middle, what it reports, and what it paints.
function openPlane(context) {
  const painted = [];
  const pen = new Proxy(
    {},
    { get: (_, name) => (name === "drawImage" ? (...given) => painted.push(given) : () => {}) },
  );
  const makeCanvas = () => ({ getContext: () => Object.assign(pen, { canvas: {} }) });
  const listeners = new Map();
  const node = {
    clientWidth: 400,
    clientHeight: 400,
    style: {},
    append() {},
    addEventListener: (type, run) => listeners.set(type, run),
    getBoundingClientRect: () => ({ left: 0, top: 0 }),
    setPointerCapture() {},
  };
  const observers = [];
  const globals = {
    document: { createElement: makeCanvas, body: {} },
    getComputedStyle: () => ({ getPropertyValue: () => "#000000" }),
    ResizeObserver: class {
      constructor(run) {
        observers.push(run);
      }
      observe() {}
      disconnect() {}
    },
    MutationObserver: class {
      observe() {}
      disconnect() {}
    },
    requestAnimationFrame: (run) => setTimeout(run),
    cancelAnimationFrame: clearTimeout,
  };
  const before = Object.fromEntries(Object.keys(globals).map((name) => [name, globalThis[name]]));
  Object.assign(globalThis, globals);
  const reports = [];
  const report = (name) => () => reports.push(name);
  const plane = new Plane(node, {
    press: report("press"),
    lasso: report("lasso"),
    click: report("click"),
    rest: report("rest"),
  });
  context.after(() => {
    plane.close();
    Object.assign(globalThis, before);
  });
  plane.setPlaces(Float32Array.of(0, 0));
  plane.setColors(Int16Array.of(0), Uint8Array.of(0), ["#123456"]);
  observers[0]();
  const point = (type, pointerId, clientX, clientY) =>
    listeners.get(type)({
      pointerId,
      clientX,
      clientY,
      button: 0,
      pointerType: "touch",
      target: plane.canvas,
      preventDefault() {},
    });
  return { plane, node, reports, painted, point };
}

test("two fingers zoom and move the map, and select nothing", (context) => {
  const { plane, reports, point } = openPlane(context);
  const { scale } = plane.camera;
  point("pointerdown", 1, 150, 200);
  point("pointermove", 1, 140, 200); // the lasso, until the second finger is down
  point("pointerdown", 2, 240, 200);
  const held = plane.camera.toImage([190, 200]);
  point("pointermove", 1, 110, 220);
  point("pointermove", 2, 310, 220);
  assert.ok(Math.abs(plane.camera.scale / scale - 2) < 1e-9);
  const [x, y] = plane.camera.toScreen(held); // follows the middle of the fingers
  assert.ok(Math.abs(x - 210) < 1e-6 && Math.abs(y - 220) < 1e-6);
  point("pointerup", 1, 110, 220);
  point("pointermove", 2, 10, 20);
  point("pointerup", 2, 10, 20);
  assert.ok(Math.abs(plane.camera.scale / scale - 2) < 1e-9);
  assert.ok(!reports.includes("lasso") && !reports.includes("click"));
});

test("points are painted while the page has no size for a moment", (context) => {
  const { plane, node, painted } = openPlane(context);
  node.clientWidth = 0;
  plane.repaint();
  plane._paint();
  const whole = painted.at(-1);
  assert.deepEqual(whole.slice(1), [0, 0, 400, 400]);
  assert.equal(painted.length, 2); // the point, and the picture
});

test("a moved map is painted sharp as soon as it is released", (context) => {
  const { plane, point } = openPlane(context);
  plane.setTool("move");
  plane._paint();
  plane.cost = 1000; // so many points that gestures move the last picture
  point("pointerdown", 1, 200, 200);
  point("pointermove", 1, 210, 200);
  plane._paint();
  assert.notEqual(plane.shotAt, plane.camera);
  point("pointerup", 1, 210, 200);
  plane._paint();
  assert.equal(plane.shotAt, plane.camera);
});
