import assert from "node:assert/strict";
import { test } from "node:test";

import { Changes } from "../../customlabels_nb/widgets/static/annotator/changes.js";
import { ImageShapes } from "../../customlabels_nb/widgets/static/annotator/shapes.js";
import { rejectionText } from "../../customlabels_nb/widgets/static/shared/chips.js";
import { forMany, randomBox } from "./random.js";

const IMAGE = { name: "a.jpg", width: 100, height: 80 };
const BOX = { label: "apple", left: 1, top: 2, width: 10, height: 10, polygon: null };
const shapesOf = (facts = {}) =>
  new ImageShapes(IMAGE, { shapes: [], status: "unlabelled", revision: 1, ...facts });

// Something that people do, at random.
function doSomething(imageShapes, random) {
  const at = random.whole(0, Math.max(0, imageShapes.shapes.length - 1));
  const does = {
    add: () => imageShapes.add(randomBox(random, IMAGE), { select: random.next() < 0.5 }),
    replace: () =>
      imageShapes.shapes.length &&
      imageShapes.replace(at, randomBox(random, IMAGE), { merge: random.pick([null, "nudge"]) }),
    remove: () => imageShapes.shapes.length && imageShapes.remove(at),
    select: () => imageShapes.select(imageShapes.shapes.length ? at : null),
    toggle: () => imageShapes.shapes.length && imageShapes.toggle(at),
    removeSelected: () =>
      imageShapes.selected !== null && imageShapes.remove(...imageShapes.chosen),
    label: () => imageShapes.change({ labels: random.pick([[], ["apple"], ["apple", "pear"]]) }),
    status: () =>
      imageShapes.change({ status: random.pick(["needs_review", "skipped", "unlabelled"]) }),
    note: () =>
      imageShapes.setNote(imageShapes.shape ? random.pick(["shape", "image"]) : "image", "unclear"),
    drop: () => imageShapes.change({ dropped: imageShapes.predictions.slice(1) }),
  };
  does[random.pick(Object.keys(does))]();
}

test("undo goes back through every state, and redo forth again", () => {
  forMany(100, (random) => {
    const imageShapes = shapesOf({ predictions: [BOX, BOX] });
    const states = [imageShapes.state];
    for (let step = 0; step < 40; step += 1) {
      const { state } = imageShapes;
      const steps = imageShapes.past.length;
      doSomething(imageShapes, random);
      if (imageShapes.past.length > steps) states.push(imageShapes.state);
      // it was merged into the step before
      else if (imageShapes.state !== state) states[states.length - 1] = imageShapes.state;
    }
    for (let at = states.length - 2; at >= 0; at -= 1) {
      assert.equal(imageShapes.undo(), true);
      assert.equal(imageShapes.state, states[at]);
    }
    assert.equal(imageShapes.undo(), false);
    for (let at = 1; at < states.length; at += 1) {
      assert.equal(imageShapes.redo(), true);
      assert.equal(imageShapes.state, states[at]);
    }
    assert.equal(imageShapes.redo(), false);
  });
});

test("what is selected is always shapes that are there, each once", () => {
  forMany(200, (random) => {
    const imageShapes = shapesOf();
    for (let step = 0; step < 60; step += 1) {
      const random4 = random.whole(0, 3);
      if (random4 === 0) imageShapes.undo();
      else if (random4 === 1) imageShapes.redo();
      else doSomething(imageShapes, random);
      assert.ok(
        imageShapes.chosen.every((index) => imageShapes.shapes[index]),
        `${imageShapes.chosen} of ${imageShapes.shapes.length}`,
      );
      assert.equal(new Set(imageShapes.chosen).size, imageShapes.chosen.length);
    }
  });
});

test("a new change ends what could be done again; nothing that was is changed in place", () => {
  const imageShapes = shapesOf();
  imageShapes.add(BOX);
  const before = imageShapes.shapes;
  imageShapes.add({ ...BOX, label: "pear" });
  assert.equal(before.length, 1);
  assert.throws(() => before.push(BOX), TypeError);
  imageShapes.undo();
  imageShapes.add({ ...BOX, label: "plum" });
  assert.equal(imageShapes.redo(), false);
  assert.deepEqual(
    imageShapes.shapes.map(({ label }) => label),
    ["apple", "plum"],
  );
});

test("a status follows from what is drawn, and says when nothing is", () => {
  const imageShapes = shapesOf();
  imageShapes.add(BOX);
  assert.equal(imageShapes.status, "labelled");
  imageShapes.remove(0);
  assert.equal(imageShapes.status, "unlabelled"); // taking the last one away isn't saying that there is nothing
  imageShapes.change({ status: "labelled" });
  assert.equal(imageShapes.status, "labelled"); // nothing here
  imageShapes.undo();
  assert.equal(imageShapes.status, "unlabelled");
  imageShapes.change({ labels: ["apple"] });
  assert.equal(imageShapes.status, "labelled");
  const skipped = shapesOf({ status: "skipped" });
  skipped.add(BOX);
  assert.equal(skipped.status, "labelled");
});

test("needs review lasts while one draws on, if it was said here; else drawing settles it", () => {
  const imageShapes = shapesOf();
  imageShapes.change({ status: "needs_review" });
  imageShapes.add(BOX);
  imageShapes.add(BOX);
  assert.equal(imageShapes.status, "needs_review");
  imageShapes.change({ status: "labelled" });
  imageShapes.remove(0);
  assert.equal(imageShapes.status, "labelled");
  const given = shapesOf({ status: "needs_review" });
  given.add(BOX);
  assert.equal(given.status, "labelled");
});

test("dropping a prediction is a step of its own and no label", () => {
  const imageShapes = shapesOf({ predictions: [BOX] });
  imageShapes.change({ dropped: imageShapes.predictions });
  assert.equal(imageShapes.predictions.length, 0);
  assert.equal(imageShapes.status, "unlabelled");
  imageShapes.undo();
  assert.equal(imageShapes.predictions.length, 1);
});

test("what a model says of the whole image is offered while nobody has said anything of it", () => {
  const said = ["apple", 0.9];
  assert.equal(shapesOf().offered, null);
  assert.equal(shapesOf({ predicted: said, predicted_drawn: true }).offered, null);
  const imageShapes = shapesOf({ predicted: said });
  assert.deepEqual(imageShapes.offered, said);
  imageShapes.add(BOX);
  assert.deepEqual(imageShapes.offered, said);
  imageShapes.change({ labels: ["pear"] });
  assert.equal(imageShapes.offered, null);
  imageShapes.undo();
  assert.deepEqual(imageShapes.offered, said);
  imageShapes.undo();
  imageShapes.change({ status: "labelled" }); // nothing here
  assert.equal(imageShapes.offered, null);
});

test("steps with one name in a row are one, until something else is done or selected", () => {
  const imageShapes = shapesOf({ shapes: [BOX, BOX] });
  imageShapes.select(0);
  for (let left = 2; left < 9; left += 1)
    imageShapes.replace(0, { ...BOX, left }, { merge: "nudge 0" });
  imageShapes.select(1);
  imageShapes.select(0);
  imageShapes.replace(0, { ...BOX, left: 50 }, { merge: "nudge 0" });
  imageShapes.undo();
  assert.equal(imageShapes.shapes[0].left, 8);
  imageShapes.undo();
  assert.equal(imageShapes.shapes[0].left, 1);
  assert.equal(imageShapes.undo(), false);
});

test("a long day's steps are bounded", () => {
  const imageShapes = shapesOf({ shapes: [BOX] });
  for (let left = 0; left < 1_000; left += 1) imageShapes.replace(0, { ...BOX, left });
  assert.equal(imageShapes.past.length, 200);
  while (imageShapes.undo());
  assert.equal(imageShapes.shapes[0].left, 799);
});

test("an image that has something on it is skipped without it, or not at all; undo brings it back", async () => {
  for (const [answer, status, shapes] of [
    [null, "labelled", 1],
    ["keep", "labelled", 1],
    ["remove", "skipped", 0],
  ]) {
    const imageShapes = shapesOf();
    imageShapes.add(BOX);
    const asked = [];
    const panel = {
      ask: async (title, text, choices) => {
        asked.push(choices.map(({ value }) => value));
        return answer;
      },
    };
    const screen = {
      imageShapes,
      panel,
      info: { read_only: false, labels: [] },
      changed: () => {},
    };
    await new Changes(screen).setStatus("skipped");
    assert.deepEqual(asked, [["keep", "remove", null]]);
    assert.deepEqual([imageShapes.status, imageShapes.shapes.length], [status, shapes]);
    if (answer === "remove") imageShapes.undo();
    assert.deepEqual([imageShapes.status, imageShapes.shapes.length], ["labelled", 1]);
  }
  const bare = shapesOf();
  await new Changes({
    imageShapes: bare,
    info: { read_only: false, labels: [] },
    changed: () => {},
  }).setStatus("skipped");
  assert.equal(bare.status, "skipped"); // nothing to ask about
});

test("a key relabels a shape that was selected; after drawing it sets the next label and says so", () => {
  const said = [];
  const dropped = [];
  const imageShapes = shapesOf();
  const screen = {
    imageShapes,
    info: { read_only: false, labels: [] },
    label: "apple",
    drawing: { keepUnnamed: () => false },
    notices: {
      say: (_, text, { step }) => said.push([text, step]),
      drop: (key) => dropped.push(key),
    },
    changed: () => {},
    shown: () => {},
  };
  const changes = new Changes(screen);
  imageShapes.add(BOX, { select: true, isNew: true });
  changes.chooseLabel("pear");
  assert.deepEqual([screen.label, imageShapes.shape.label, said.length], ["pear", "apple", 1]);
  assert.match(said[0][0], /Next shape: “\u2068pear\u2069”/);
  dropped.length = 0;
  changes.chooseLabel("apple"); // the label of the drawn shape again
  assert.deepEqual([screen.label, said.length, dropped], ["apple", 1, ["hint"]]);
  said[0][1].run(); // its button changes the drawn one after all
  assert.equal(imageShapes.shape.label, "pear");
  changes.chooseLabel("pear");
  imageShapes.select(0);
  changes.chooseLabel("plum");
  assert.deepEqual([imageShapes.shape.label, said.length], ["plum", 1]);
});

test("a note on a shape or on the image is one step, leaves the status, and is not copied", () => {
  const imageShapes = shapesOf({ shapes: [BOX], status: "needs_review", note: "dark" });
  let saved = 0;
  const screen = {
    imageShapes,
    hidden: new Set(),
    info: { read_only: false, labels: [{ label: "apple" }] },
    changed: () => {
      saved += 1;
    },
  };
  const changes = new Changes(screen);
  imageShapes.select(0);
  changes.setNote("shape", " half hidden ");
  assert.deepEqual([imageShapes.shape.note, imageShapes.note], ["half hidden", "dark"]);
  changes.setNote("shape", "half hidden"); // as it is
  changes.setNote("image", "");
  assert.deepEqual([imageShapes.note, imageShapes.status, saved], ["", "needs_review", 2]);
  changes.duplicate();
  assert.deepEqual(
    imageShapes.shapes.map(({ note }) => note),
    ["half hidden", null],
  );
  for (let step = 0; step < 3; step += 1) imageShapes.undo();
  assert.deepEqual([imageShapes.shapes, imageShapes.note], [[BOX], "dark"]);
});

test("an image says who has rejected it and why, until it is labelled again", () => {
  const rejected = { by: "ann", reason: "boxes are loose" };
  const imageShapes = shapesOf({ rejected });
  assert.equal(imageShapes.rejection, rejected);
  imageShapes.add(BOX);
  assert.equal(imageShapes.rejection, null);
  imageShapes.undo();
  assert.equal(imageShapes.rejection, rejected);
  imageShapes.renewPredictions({}); // labelled by now
  assert.deepEqual([imageShapes.rejection, shapesOf().rejection], [null, null]);
  assert.equal(rejectionText(rejected), "Rejected by \u2068ann\u2069: \u2068boxes are loose\u2069");
  assert.equal(rejectionText({ by: "ann", reason: "" }), "Rejected by \u2068ann\u2069");
});

test("suggestions stay until they are settled, when those of models are shown", () => {
  const [rejected, other] = [
    { by: "ann", reason: "" },
    { ...BOX, left: 60, confidence: 0.5 },
  ];
  const [suggested, free] = [
    { ...BOX, confidence: 1 },
    { ...BOX, top: 60, confidence: 1 },
  ];
  const imageShapes = shapesOf({ rejected, predictions: [suggested, free] });
  imageShapes.change({ shapes: [BOX], accepted: [suggested] });
  imageShapes.renewPredictions({ predictions: [other] });
  assert.deepEqual(imageShapes.predictions, [free]);
  imageShapes.change({ dropped: [free] });
  imageShapes.renewPredictions({ predictions: [other] });
  assert.deepEqual(imageShapes.predictions, [other]);
});
