import assert from "node:assert/strict";
import { test } from "node:test";

import { Changes } from "../../customlabels_nb/widgets/static/annotator/changes.js";
import { Drawing } from "../../customlabels_nb/widgets/static/annotator/drawing.js";
import { ImageShapes } from "../../customlabels_nb/widgets/static/annotator/shapes.js";
import { boxAt as box } from "./boxes.js";

const IMAGE = { name: "a.jpg", width: 200, height: 100 };

function opened({ locked = [], tool = "box" } = {}) {
  const imageShapes = new ImageShapes(IMAGE, {
    shapes: [box(10), box(40, "pear"), box(70)],
    status: "labelled",
    revision: 1,
  });
  const drawing = new Drawing({
    label: () => "apple",
    usable: ({ label }) => !locked.includes(label),
  });
  drawing.tool = tool;
  drawing.show(imageShapes);
  const screen = {
    imageShapes,
    drawing,
    hidden: new Set(),
    locked: new Set(),
    info: { read_only: false, labels: [{ label: "apple" }, { label: "pear" }] },
    notices: { say: () => {}, drop: () => {} },
    changed: () => {},
    shown: () => {},
  };
  const drag = (from, to, more = {}) => {
    drawing.press(from, { tolerance: 3, ...more });
    drawing.move(to);
    return drawing.release(to);
  };
  const click = (point, more) => drag(point, point, more);
  const lefts = () => imageShapes.shapes.map(({ left }) => left);
  return { imageShapes, drawing, changes: new Changes(screen), drag, click, lefts };
}

test("Shift click adds a shape to the selection or removes it, and a click selects one", () => {
  for (const tool of ["box", "select", "polygon"]) {
    const { imageShapes, click } = opened({ tool });
    click([20, 10]);
    click([80, 10], { adds: true });
    click([50, 20], { adds: true });
    assert.deepEqual(imageShapes.chosen, [1, 2, 0]);
    click([80, 20], { adds: true });
    assert.deepEqual(imageShapes.chosen, [1, 0]);
    click([190, 90], { adds: true });
    assert.deepEqual(imageShapes.chosen, [1, 0]);
    click([80, 10]);
    assert.deepEqual(imageShapes.chosen, [2]);
    assert.equal(imageShapes.past.length, 0);
  }
});

test("a drag with Shift selects what it encloses, and draws nothing", () => {
  const { imageShapes, drawing, drag, click } = opened({ locked: ["pear"] });
  click([20, 10]);
  drawing.press([200, 100], { tolerance: 3, adds: true });
  drawing.move([38, 5]);
  assert.deepEqual(drawing.band, { left: 38, top: 5, width: 162, height: 95 });
  assert.equal(drawing.draft, null);
  assert.equal(drawing.release([38, 5]), false);
  assert.deepEqual(imageShapes.chosen, [0, 2]); // the pear is locked
  imageShapes.select(null);
  drag([5, 5], [29, 40], { adds: true }); // only a part of the first one
  assert.deepEqual([imageShapes.chosen, imageShapes.shapes.length], [[], 3]);
});

test("all unlocked shapes are selected, also of an image without any", () => {
  const { imageShapes, changes } = opened({ locked: ["pear"] });
  changes.selectAll();
  assert.deepEqual(imageShapes.chosen, [0, 2]);
  imageShapes.remove(0, 1, 2);
  changes.selectAll();
  assert.deepEqual(imageShapes.chosen, []);
});

test("a label, Delete, moves, copies and duplicates act on all selected shapes, as one step each", () => {
  const labelsOf = ({ shapes }) => shapes.map(({ label }) => label).join(" ");
  const acts = {
    label: [({ changes }) => changes.chooseLabel("pear"), "pear pear apple", [10, 40, 70]],
    remove: [({ changes }) => changes.remove(), "apple", [70]],
    nudges: [
      ({ changes }) => [changes.nudge(5, 0), changes.nudge(5, 0)],
      "apple pear apple",
      [20, 50, 70],
    ],
    "move to the edge": [({ changes }) => changes.nudge(-15, 0), "apple pear apple", [0, 30, 70]],
    drag: [({ drag }) => drag([20, 20], [23, 20]), "apple pear apple", [13, 43, 70]],
    paste: [
      ({ changes }) => [changes.copy(), changes.paste()],
      "apple pear apple apple pear",
      [10, 40, 70, 20, 50],
    ],
    duplicate: [
      ({ changes }) => changes.duplicate(),
      "apple pear apple apple pear",
      [10, 40, 70, 20, 50],
    ],
  };
  for (const [name, [act, labels, after]] of Object.entries(acts)) {
    const tools = opened();
    const { imageShapes, lefts } = tools;
    const { state } = imageShapes;
    imageShapes.choose([0, 1]);
    act(tools);
    assert.deepEqual([labelsOf(imageShapes), lefts()], [labels, after], name);
    if (after.length > 3) assert.deepEqual(imageShapes.chosen, [3, 4], name);
    assert.equal(imageShapes.undo(), true);
    assert.deepEqual([imageShapes.state, imageShapes.chosen], [state, [0, 1]], name);
    imageShapes.redo();
    assert.deepEqual(lefts(), after, name);
  }
});

test("several selected shapes have no handles, and a drag moves all until one touches the edge", () => {
  const { imageShapes, drag, lefts } = opened();
  imageShapes.choose([1, 2]);
  drag([90, 30], [300, 30]); // a corner of the last one
  assert.deepEqual(lefts(), [10, 150, 180]);
  assert.deepEqual(
    imageShapes.shapes.map(({ width }) => width),
    [20, 20, 20],
  );
});

test("hiding or locking a label takes its shapes out of the selection", () => {
  const locked = [];
  const { imageShapes, changes } = opened({ locked });
  imageShapes.choose([1, 0]);
  locked.push("pear");
  changes.toggle("locked", "pear");
  assert.deepEqual(imageShapes.chosen, [0]);
  imageShapes.add(box(150), { select: true, isNew: true });
  changes.toggle("hidden", "plum");
  assert.equal(imageShapes.isNew, true); // the selection is as before
});
