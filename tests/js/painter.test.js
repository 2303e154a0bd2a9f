import assert from "node:assert/strict";
import { test } from "node:test";

import { Camera } from "../../customlabels_nb/widgets/static/annotator/camera.js";
import { Painter } from "../../customlabels_nb/widgets/static/annotator/painter.js";
import { smallBoxes, tagSpot } from "../../customlabels_nb/widgets/static/annotator/tag_spots.js";

const COLORS = { apple: "#d6336c", pear: "#2f9e44" };
const box = (label, left) => ({ label, left, top: 10, width: 20, height: 30, polygon: null });

// stands for the browser's canvas: notes the labels that are written on it, and the pictures put there
class Paper {
  constructor() {
    this.style = {};
    this.ownerDocument = { createElement: () => new Paper() };
    this.painted = [];
    const pen = {
      measureText: (text) => ({ width: 7 * text.length }),
      fillText: (text) => this.painted.push(text.replace(/[\u2066-\u2069]/g, "")),
    };
    pen.drawImage = (other) => this.painted.push(...other.painted);
    pen.clearRect = () => {
      this.painted = [];
    };
    const nothing = () => {};
    this.pen = new Proxy(pen, { get: (own, name) => own[name] ?? nothing });
  }

  getContext() {
    return this.pen;
  }
}

function setUp() {
  const paper = new Paper();
  const painter = new Painter(paper);
  painter.resize({ width: 400, height: 300 }, 1);
  const hidden = new Set();
  const scene = {
    camera: new Camera(),
    shapes: [box("apple", 0), box("pear", 120), box("apple", 240)],
    predictions: [],
    asks: new Map(),
    also: [],
    selected: null,
    prediction: null,
    corner: null,
    draft: null,
    guides: null,
    colorOf: (label) => COLORS[label],
    isHidden: ({ label }) => hidden.has(label),
  };
  return { paper, painter, hidden, scene };
}

test("what lies still while a shape is drawn is painted once, and is in each frame", () => {
  const { paper, painter, scene } = setUp();
  let asked = 0;
  const moves = {
    ...scene,
    camera: {
      toScreen: (point) => {
        asked += 1;
        return scene.camera.toScreen(point);
      },
    },
  };
  painter.paint({ ...moves, draft: { index: null, shape: box("pear", 120) } });
  const first = asked;
  asked = 0;
  painter.paint({ ...moves, draft: { index: null, shape: box("pear", 130) } });
  assert.deepEqual(paper.painted, ["1 apple", "2 pear", "3 apple"]);
  assert.equal(first - asked, 4 * scene.shapes.length);
});

test("a shape that is moved or selected is not among those that lie still", () => {
  const { painter, scene } = setUp();
  painter.paint(scene);
  assert.deepEqual(painter.still.painted, ["1 apple", "2 pear", "3 apple"]);
  painter.paint({ ...scene, draft: { index: 1, shape: box("pear", 60) } });
  assert.deepEqual(painter.still.painted, ["1 apple", "3 apple"]);
  painter.paint({ ...scene, selected: 0 });
  assert.deepEqual(painter.still.painted, ["2 pear", "3 apple"]);
  painter.paint(scene);
  assert.deepEqual(painter.still.painted, ["1 apple", "2 pear", "3 apple"]);
});

test("other shapes, predictions, labels hidden or recolored, and another size are seen at once", () => {
  const { paper, painter, hidden, scene } = setUp();
  painter.paint(scene);
  painter.paint({ ...scene, shapes: [box("pear", 3)] });
  assert.deepEqual(paper.painted, ["1 pear"]);
  const predictions = [{ ...box("pear", 3), top: 150, confidence: 0.5 }];
  painter.paint({ ...scene, predictions });
  assert.deepEqual(paper.painted, ["4 pear 0.50", "1 apple", "2 pear", "3 apple"]);
  painter.paint({ ...scene, predictions: [...predictions], isSuggested: true, prediction: 0 });
  assert.deepEqual(paper.painted, ["4 pear ⏎", "1 apple", "2 pear", "3 apple"]);
  hidden.add("apple");
  painter.paint(scene);
  assert.deepEqual(paper.painted, ["2 pear"]);
  hidden.clear();
  painter.paint(scene);
  const colors = [];
  painter.paint({
    ...scene,
    colorOf: (label) => {
      colors.push(label);
      return "#000000";
    },
  });
  assert.equal(
    colors.length,
    Object.keys(COLORS).length + scene.shapes.length,
    "all are painted anew",
  );
  painter.still.painted = [];
  painter.resize({ width: 500, height: 300 }, 2);
  painter.paint(scene);
  assert.deepEqual(paper.painted, ["1 apple", "2 pear", "3 apple"]);
  painter.paint(null);
  assert.deepEqual(paper.painted, []);
});

test(
  "the shape under the pointer in the list is filled, also if its label is hidden, " +
    "and the rest is not painted again",
  () => {
    const { paper, painter, hidden, scene } = setUp();
    hidden.add("pear");
    painter.paint(scene);
    let fills = 0;
    paper.pen = new Proxy(paper.pen, {
      get: (own, name) =>
        name === "fill"
          ? () => {
              fills += 1;
            }
          : own[name],
    });
    painter.pen = paper.pen;
    painter.still.getContext = () => assert.fail("painted again");
    painter.paint({ ...scene, hovered: scene.shapes[1] });
    assert.equal(fills, 1);
    assert.deepEqual(paper.painted, ["1 apple", "3 apple"]);
    painter.paint({ ...scene, hovered: undefined });
    assert.equal(fills, 1);
  },
);

test("a line has a halo that contrasts with its color, also between the dashes of a prediction", () => {
  const { painter, scene } = setUp();
  const drawn = [];
  const pen = {
    globalAlpha: 1,
    measureText: (text) => ({ width: text.length }),
    setLineDash: (dash) => {
      pen.dash = dash.join();
    },
  };
  pen.stroke = () =>
    drawn.push([pen.strokeStyle, pen.dash ?? "", pen.lineWidth > 3, pen.globalAlpha]);
  painter.still.getContext = () => new Proxy(pen, { get: (own, name) => own[name] ?? (() => {}) });
  const colors = { apple: "#001a66", pear: "#ffe066" };
  painter.paint({
    ...scene,
    shapes: [box("pear", 50)],
    predictions: [{ ...box("apple", 3), confidence: 0.5 }],
    colorOf: (label) => colors[label],
  });
  assert.deepEqual(drawn, [
    ["#fff", "", true, 0.6],
    ["#001a66", "6,4", false, 1],
    ["#000", "", true, 0.6],
    ["#ffe066", "", false, 1],
  ]);
});

test("name tags leave small boxes free", () => {
  const size = { width: 400, height: 300 };
  const corners = (left, top, width, height) => [
    [left, top],
    [left + width, top],
    [left + width, top + height],
    [left, top + height],
  ];
  const [large, above] = [corners(100, 100, 200, 150), corners(110, 80, 20, 18)];
  const [first, second] = [corners(10, 0, 30, 25), corners(15, 27, 60, 20)]; // at the edge, and close below
  const shapes = [large, above, first, second];
  const small = smallBoxes(shapes, size);
  assert.equal(small.length, 3);
  const spots = shapes.map((points) => tagSpot(points, 60, size, small).spot);
  assert.deepEqual(spots, [
    [99, 100], // inside the large one, because a small one is above it
    [109, 62],
    [42, 0], // on the right
    [14, 48], // below
  ]);
  // if no place is free, it is above the shape
  assert.deepEqual(tagSpot(second, 450, size, small), { isFree: false, spot: [14, 9] });
});

test("a tag without a free place is left out until its shape is hovered or selected", () => {
  const { paper, painter, scene } = setUp();
  painter.resize({ width: 60, height: 45 }, 1); // room for one tag
  const shapes = ["apple", "pear"].map((label) => ({
    ...box(label, 0),
    top: 0,
    width: 60,
    height: 45,
  }));
  painter.paint({ ...scene, shapes });
  assert.deepEqual(paper.painted, ["1"]);
  painter.paint({ ...scene, shapes, hovered: shapes[1] });
  assert.deepEqual(paper.painted, ["1", "2"]);
  painter.paint({ ...scene, shapes, hovered: shapes[0] });
  assert.deepEqual(paper.painted, ["1"]);
  const small = shapes.map((shape) => ({ ...shape, height: 30 }));
  painter.paint({ ...scene, shapes: small });
  assert.deepEqual(paper.painted, []); // would cover the small ones
  painter.paint({ ...scene, shapes, selected: 1 });
  assert.deepEqual(paper.painted, ["1", "2"]);
});

test("names can be hidden, and of more than 15 shapes only the pointed and the selected one are named", () => {
  const { paper, painter, scene } = setUp();
  painter.paint({ ...scene, isNameless: true, selected: 1 });
  assert.deepEqual(paper.painted, []);
  painter.resize({ width: 4_000, height: 300 }, 1);
  const shapes = Array.from({ length: 15 }, (_, index) => box("apple", 240 * index));
  painter.paint({ ...scene, shapes, pointed: shapes[2] });
  assert.equal(paper.painted[2], "3 apple");
  const predictions = [{ ...box("pear", 3_700), confidence: 0.5 }];
  const asks = new Map([[predictions[0], null]]);
  const numbers = Array.from({ length: 15 }, (_, index) => String(index + 1));
  const crowded = { ...scene, shapes, predictions, asks };
  painter.paint(crowded);
  assert.deepEqual(paper.painted, ["16?", ...numbers]);
  painter.paint({ ...crowded, pointed: predictions[0] });
  assert.deepEqual(paper.painted, ["16?", ...numbers, "16? pear 0.50"]);
  painter.paint({ ...crowded, pointed: shapes[3], selected: 0 });
  assert.deepEqual(paper.painted, ["16?", ...numbers.slice(1), "1 apple", "4 apple"]);
});
