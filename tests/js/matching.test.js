import assert from "node:assert/strict";
import { test } from "node:test";

import { Changes } from "../../customlabels_nb/widgets/static/annotator/changes.js";
import { ImageShapes } from "../../customlabels_nb/widgets/static/annotator/shapes.js";
import { clipBox, iou } from "../../customlabels_nb/widgets/static/shared/geometry.js";
import { boxAt as at } from "./boxes.js";
import { forMany, randomBox } from "./random.js";

const IMAGE = { name: "a.jpg", width: 100, height: 80 };
const said = (left, label = "apple", confidence = 0.9) => at(left, label, { confidence });

function opened(shapes, predictions, status = "labelled") {
  const imageShapes = new ImageShapes(IMAGE, { shapes, predictions, status, revision: 1 });
  const hints = [];
  const screen = {
    imageShapes,
    hidden: new Set(),
    drawing: { dropCorner: () => false, corner: null },
    info: { read_only: false, labels: [{ label: "apple" }, { label: "pear" }] },
    notices: { say: (_, text) => hints.push(text), drop: () => {} },
    changed: () => {},
    shown: () => {},
  };
  return { imageShapes, hints, screen, changes: new Changes(screen) };
}

const drawn = ({ shapes }) => shapes.map(({ label, left }) => `${label} ${left}`);
const shown = ({ predictions, asks }) =>
  predictions.map((each) => `${each.label} ${each.left}${asks.has(each) ? "?" : ""}`);

test("a prediction of a stored box is confirmed and not shown, and comes back when the box is removed", () => {
  const { imageShapes } = opened([at(10)], [said(11), said(60)]);
  assert.deepEqual(shown(imageShapes), ["apple 60"]);
  imageShapes.remove(0);
  assert.deepEqual(shown(imageShapes), ["apple 11", "apple 60"]);
  imageShapes.undo();
  imageShapes.add(at(61));
  assert.deepEqual(shown(imageShapes), []);
});

test("another label and a second prediction on a box are questions, which A leaves and Enter accepts", () => {
  const { imageShapes, changes, hints } = opened(
    [at(10), at(40, "pear")],
    [said(10), said(13), said(40), said(70)],
  );
  assert.deepEqual(shown(imageShapes), ["apple 13?", "apple 40?", "apple 70"]);
  changes.acceptAll();
  assert.deepEqual(drawn(imageShapes), ["apple 10", "pear 40", "apple 70"]);
  assert.deepEqual(hints, ["2 predictions overlap other boxes: Tab to them, Enter accepts."]);
  changes.accept([imageShapes.predictions[1]]); // doubts the pear
  assert.deepEqual(drawn(imageShapes), ["apple 10", "apple 40", "apple 70"]);
  changes.accept([imageShapes.predictions[0]]); // touches the first apple
  assert.deepEqual(drawn(imageShapes), ["apple 10", "apple 40", "apple 70", "apple 13"]);
  assert.deepEqual(shown(imageShapes), []);
  for (let step = 0; step < 3; step += 1) imageShapes.undo();
  assert.deepEqual(drawn(imageShapes), ["apple 10", "pear 40"]);
  assert.deepEqual(shown(imageShapes), ["apple 13?", "apple 40?", "apple 70"]);
});

test("an accepted prediction is not asked again when its box is moved, relabelled or removed", () => {
  const { imageShapes, changes } = opened([], [said(10)], "unlabelled");
  changes.acceptAll();
  imageShapes.replace(0, at(10, "pear"));
  assert.deepEqual(shown(imageShapes), []);
  imageShapes.replace(0, at(60));
  assert.deepEqual(shown(imageShapes), []);
  imageShapes.remove(0);
  assert.deepEqual(shown(imageShapes), []);
});

test("accepting all makes no second shape of an object, and twice is once", () => {
  forMany(300, (random) => {
    const near = ({ left, top, ...box }) => ({
      ...box,
      left: left + random.between(-5, 5),
      top: top + random.between(-5, 5),
      label: random.pick(["apple", "pear"]),
      confidence: random.next(),
    });
    const shapes = Array.from({ length: random.whole(0, 5) }, () => randomBox(random, IMAGE));
    const predictions = Array.from({ length: random.whole(0, 9) }, () =>
      near(shapes.length && random.next() < 0.6 ? random.pick(shapes) : randomBox(random, IMAGE)),
    );
    const { imageShapes, changes } = opened(shapes, predictions);
    const { state } = imageShapes;
    changes.acceptAll();
    assert.deepEqual(imageShapes.shapes.slice(0, shapes.length), shapes);
    const added = imageShapes.shapes.slice(shapes.length);
    added.forEach((shape, index) => {
      for (const other of [...shapes, ...added.slice(0, index)])
        assert.ok(iou(clipBox(shape, IMAGE), other) < 0.5);
    });
    assert.ok(imageShapes.predictions.every((each) => imageShapes.asks.has(each)));
    const once = imageShapes.state;
    changes.acceptAll();
    assert.equal(imageShapes.state, once);
    if (once !== state) imageShapes.undo();
    assert.equal(imageShapes.state, state);
  });
});

test("new predictions of an open image keep the selection, the history, and what was accepted or dropped", () => {
  const { imageShapes, changes } = opened([], [said(10), said(40), said(70)], "unlabelled");
  changes.accept([imageShapes.predictions[0]]);
  changes.select(null, 0);
  changes.remove();
  imageShapes.select(0);
  changes.prediction = 0;
  imageShapes.renewPredictions({
    predictions: [said(70), said(10), said(40), said(40, "pear", 0.4)],
  });
  assert.deepEqual(shown(imageShapes), ["apple 70", "pear 40"]);
  assert.deepEqual([imageShapes.selected, changes.prediction], [0, 0]);
  imageShapes.undo();
  assert.deepEqual(shown(imageShapes), ["apple 70", "apple 40", "pear 40"]);
  imageShapes.undo();
  assert.equal(imageShapes.shapes.length, 0);
  assert.equal(imageShapes.predictions.length, 4);
});
