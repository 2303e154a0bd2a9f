import assert from "node:assert/strict";
import { test } from "node:test";

import { commandFor } from "../../customlabels_nb/widgets/static/shared/keymap.js";
import { Drawing } from "../../customlabels_nb/widgets/static/annotator/drawing.js";
import { ANNOTATOR_KEYS } from "../../customlabels_nb/widgets/static/annotator/keys.js";
import { Outlining } from "../../customlabels_nb/widgets/static/annotator/outlining.js";
import { KernelGone } from "../../customlabels_nb/widgets/static/shared/requests.js";
import { ImageShapes } from "../../customlabels_nb/widgets/static/annotator/shapes.js";
import {
  areaOf,
  ringsOf,
  withPolygon,
} from "../../customlabels_nb/widgets/static/shared/geometry.js";

const SIZE = { width: 200, height: 100 };
const square = (left, top, side) => [
  [left, top],
  [left + side, top],
  [left + side, top + side],
  [left, top + side],
];
const polygon = (rings, label = "pear") => withPolygon({ label }, rings, SIZE);

function begun({ shapes = [], selected = null, tool }) {
  const hints = [];
  const outlining = { asked: [], isOn: false };
  const drawing = new Drawing({
    label: () => "apple",
    hint: (text) => hints.push(text),
    outlined: (prompt) => outlining.asked.push(prompt),
    isOutlined: () => outlining.isOn,
  });
  const imageShapes = new ImageShapes(
    { name: "a", ...SIZE },
    { shapes, status: "labelled", revision: 1 },
  );
  drawing.tool = tool;
  drawing.show(imageShapes);
  imageShapes.select(selected);
  return { drawing, imageShapes, hints, outlining };
}

function drag(drawing, from, to, more = {}) {
  const pressed = drawing.press(from, { tolerance: 3, ...more });
  drawing.move(to);
  return drawing.release(to) || pressed;
}

const click = (drawing, point, more = {}) => drag(drawing, point, point, more);
const ring = (drawing, corners) =>
  corners.map((corner) => click(drawing, corner)).some(Boolean) || drawing.closePolygon();

test("a hole is cut out of the selected polygon, a part is added, and each is one step to undo", () => {
  const { drawing, imageShapes } = begun({
    shapes: [polygon(square(10, 10, 80))],
    selected: 0,
    tool: "hole",
  });
  assert.equal(ring(drawing, square(30, 30, 20)), true);
  assert.deepEqual(
    [
      imageShapes.shapes.length,
      ringsOf(imageShapes.shape.polygon).length,
      Math.round(areaOf(imageShapes.shape)),
    ],
    [1, 2, 6000],
  );
  drawing.tool = "part";
  assert.equal(ring(drawing, square(120, 10, 20)), true);
  assert.deepEqual(
    [imageShapes.shape.label, imageShapes.shape.left, Math.round(imageShapes.shape.width)],
    ["pear", 10, 130],
  );
  // corners of every ring are grabbed, and rings deleted by Alt click or their corner
  assert.equal(drag(drawing, [30, 30], [40, 40]), true);
  assert.ok(imageShapes.shape.polygon[1].some(([x, y]) => x === 40 && y === 40));
  assert.equal(drawing.corner, 4);
  assert.equal(drawing.removeRing(), true);
  assert.equal(click(drawing, [130, 20], { removes: true }), true);
  assert.deepEqual(imageShapes.shape.polygon, square(10, 10, 80));
  for (let step = 0; step < 5; step += 1) assert.equal(imageShapes.undo(), true);
  assert.deepEqual(imageShapes.shapes, [polygon(square(10, 10, 80))]);
});

test("what cannot be cut or added is said, and nothing changes", () => {
  const { drawing, imageShapes, hints } = begun({
    shapes: [polygon(square(10, 10, 30))],
    tool: "hole",
  });
  const before = imageShapes.state;
  click(drawing, [150, 50]);
  assert.match(hints.at(-1), /Select a polygon/);
  click(drawing, [20, 20]); // without a selected polygon, a click selects
  assert.equal(imageShapes.selected, 0);
  for (const [tool, corners, hint] of [
    ["hole", square(100, 10, 20), /not overlap/],
    ["hole", square(0, 0, 90), /Nothing would be left/],
    ["part", square(15, 15, 10), /already inside/],
  ]) {
    drawing.tool = tool;
    assert.equal(ring(drawing, corners), false);
    assert.match(hints.at(-1), hint);
  }
  assert.equal(drawing.removeRing([20, 20]), false); // the only part
  assert.equal(imageShapes.state, before);
});

test("with the outline tool a drag is a box, a click a point, and the corners of its outline can be moved", () => {
  const { drawing, imageShapes, outlining } = begun({
    shapes: [polygon(square(10, 10, 30))],
    tool: "outline",
  });
  assert.equal(drag(drawing, [100, 10], [150, 60]), false);
  click(drawing, [120, 30]);
  click(drawing, [20, 20]); // selects
  assert.deepEqual([imageShapes.selected, outlining.asked.length], [0, 2]);
  assert.deepEqual(
    [outlining.asked[0].box.left, outlining.asked[0].box.width, outlining.asked[1]],
    [100, 50, { point: [120, 30], inside: true }],
  );
  outlining.isOn = true;
  click(drawing, [20, 20], { removes: true });
  click(drawing, [10, 10]);
  assert.deepEqual(outlining.asked.slice(2), [
    { point: [20, 20], inside: false },
    { point: [10, 10], inside: true },
  ]);
  assert.equal(drag(drawing, [10, 10], [15, 15]), true);
  outlining.isOn = false;
  drag(drawing, [120, 30], [121.7, 30]); // too short for a box, so it is a click
  assert.deepEqual(outlining.asked.at(-1), { point: [121.7, 30], inside: true });
});

// Outlining, with the requests that wait for an answer, and what the user reads.
function beginOutlining() {
  const { drawing, imageShapes } = begun({ tool: "outline" });
  const answers = [];
  const said = [];
  const work = [];
  const screen = {
    imageShapes,
    listing: { rowAt: (position) => ({ name: `image ${position}` }) },
    place: 4,
    showWork: (text) => text !== work.at(-1) && work.push(text),
    showEngine: ({ engine }) => said.push(engine),
    drawing,
    tolerance: 1.5,
    canvas: { visible: { left: 0, top: 0, ...SIZE }, paintSoon: () => {} },
    toast: { say: (text) => said.push(text) },
    notices: { say: (key, text) => said.push(text) },
    changes: { whole: new WeakMap(), hint: (text) => said.push(text) },
    changed: () => {},
    shown: () => {},
    request: (kind, content) =>
      new Promise((resolve, reject) => {
        answers.push({
          kind,
          content,
          resolve,
          found: (rings) => resolve([{ polygon: rings, pixel: 1 }]),
          reject,
        });
      }),
  };
  return { drawing, imageShapes, answers, said, work, outlining: new Outlining(screen) };
}

const settled = () =>
  new Promise((resolve) => {
    setTimeout(resolve);
  });

test("an outline that is not found, or is too small for a shape, is explained", async () => {
  const { imageShapes, answers, said, outlining } = beginOutlining();
  outlining.add({ point: [20, 20] });
  answers[0].found(square(10, 10, 1));
  await settled();
  assert.match(said.at(-1), /^No object edge .* this point\. Drag a box/);
  outlining.add({ box: { left: 0, top: 0, width: 9, height: 9 } });
  answers[1].found(null);
  await settled();
  assert.match(said.at(-1), /^No object edge .* this box\. /);
  assert.deepEqual(imageShapes.shapes, []);
});

test("the next image is prepared, too, and the page shows what a click waits for", async () => {
  const { drawing, answers, said, work, outlining } = beginOutlining();
  outlining.prepare();
  assert.deepEqual(
    [answers[0].kind, answers[0].content],
    ["prepare outlines", { image: "a", following: "image 5" }],
  );
  outlining.report("Loading the model …");
  outlining.add({ point: [20, 20] });
  outlining.report("");
  outlining.keep();
  answers[0].resolve([{ engine: "sam", advice: "" }]);
  answers[1].found(square(10, 10, 30));
  await settled();
  assert.deepEqual(work, ["Loading the model …", "Finding the outline …", ""]);
  assert.equal(said[0], "sam");
  outlining.report("Preparing the image …");
  outlining.add({ point: [80, 80] });
  answers[2].reject(new KernelGone());
  await settled();
  assert.equal(work.at(-1), "");
  drawing.tool = "box";
  outlining.report("Loading the model …"); // for another view of the widget
  assert.equal(work.at(-1), "");
});

test("an outline that is kept before it is found is one shape, and ends", async () => {
  const { imageShapes, answers, outlining } = beginOutlining();
  outlining.add({ point: [20, 20] });
  assert.deepEqual([outlining.keep(), outlining.keep()], [true, true]); // Enter does not go on yet
  answers[0].found(square(10, 10, 30));
  await settled();
  assert.deepEqual([imageShapes.shapes.length, outlining.keep()], [1, false]);
});

test(
  "an outline becomes a shape, clicks correct it, and late answers do not overwrite " +
    "what was done meanwhile",
  async () => {
    const { imageShapes, answers, said, outlining } = beginOutlining();
    outlining.add({ point: [20, 20], inside: false });
    assert.deepEqual([answers.length, said.length], [0, 1]); // nothing to take away from
    outlining.add({ point: [20, 20], inside: true });
    outlining.add({ point: [30, 30], inside: true });
    assert.equal(answers[1].content.points.length, 2);
    answers[1].found(square(10, 10, 30));
    answers[0].found(square(0, 0, 5)); // of the click before
    await settled();
    assert.deepEqual(imageShapes.shapes, [polygon(square(10, 10, 30), "apple")]);
    outlining.add({ point: [35, 35], inside: false });
    assert.deepEqual(
      answers[2].content.points.map(({ inside }) => inside),
      [true, true, false],
    );
    answers[2].found(square(10, 10, 20));
    await settled();
    assert.deepEqual(
      [imageShapes.shapes.length, imageShapes.shape.width, outlining.current.points.length],
      [1, 20, 3],
    );
    imageShapes.undo();
    assert.equal(outlining.current.points.length, 2); // those that it was made from
    outlining.add({ point: [35, 35], inside: false });
    imageShapes.remove(0);
    answers[3].found(square(50, 50, 20));
    await settled();
    assert.deepEqual(imageShapes.shapes, []);
    outlining.add({ box: { left: 0, top: 0, width: 9, height: 9 } });
    answers[4].reject(new Error("Outlining needs OpenCV."));
    await settled();
    assert.deepEqual([said.at(-1), outlining.current], ["Outlining needs OpenCV.", null]);
  },
);

test("keys of the tools; with Shift, + and − zoom where they did and no polygon is selected", () => {
  const key = (name, more = {}) =>
    commandFor(ANNOTATOR_KEYS, { key: name, shiftKey: true, ...more });
  assert.deepEqual(
    [key("+").tool, key("_").tool, key("*").tool, key("-").tool],
    ["part", "hole", "part", "hole"],
  );
  assert.deepEqual(
    [key("+").else, key("+", { shiftKey: false })],
    [
      { do: "zoom", by: 1.25 },
      { do: "zoom", by: 1.25 },
    ],
  );
  assert.deepEqual(
    [key("o", { shiftKey: false }), key("O")],
    [{ do: "tool", tool: "outline" }, { do: "one to one" }],
  );
  assert.deepEqual(
    [key("Delete"), key("["), key("]")],
    [{ do: "remove ring" }, { do: "simplify", by: 1 }, { do: "simplify", by: -1 }],
  );
});
