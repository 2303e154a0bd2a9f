import assert from "node:assert/strict";
import { test } from "node:test";

import { Changes } from "../../customlabels_nb/widgets/static/annotator/changes.js";
import { Sheet } from "../../customlabels_nb/widgets/static/annotator/sheet.js";
import { forMany, randomBox } from "./random.js";

const IMAGE = { name: "a.jpg", width: 100, height: 80 };
const BOX = { label: "apple", left: 1, top: 2, width: 10, height: 10, polygon: null };
const sheetOf = (facts = {}) => new Sheet(IMAGE, { shapes: [], status: "unlabelled", revision: 1, ...facts });

// Something that people do, at random.
function doSomething(sheet, random) {
  const at = random.whole(0, Math.max(0, sheet.shapes.length - 1));
  const does = {
    add: () => sheet.add(randomBox(random, IMAGE), { select: random.next() < 0.5 }),
    replace: () => sheet.shapes.length && sheet.replace(at, randomBox(random, IMAGE), { merge: random.pick([null, "nudge"]) }),
    remove: () => sheet.shapes.length && sheet.remove(at),
    select: () => sheet.select(sheet.shapes.length ? at : null),
    label: () => sheet.change({ labels: random.pick([[], ["apple"], ["apple", "pear"]]) }),
    status: () => sheet.change({ status: random.pick(["needs_review", "skipped", "unlabelled"]) }),
    drop: () => sheet.change({ predictions: sheet.predictions.slice(1) }),
  };
  does[random.pick(Object.keys(does))]();
}

test("undo goes back through every state, and redo forth again", () => {
  forMany(100, (random) => {
    const sheet = sheetOf({ predictions: [BOX, BOX] });
    const states = [sheet.state];
    for (let step = 0; step < 40; step += 1) {
      const { state } = sheet;
      const steps = sheet.past.length;
      doSomething(sheet, random);
      if (sheet.past.length > steps) states.push(sheet.state);
      else if (sheet.state !== state) states[states.length - 1] = sheet.state; // it was merged into the step before
    }
    for (let at = states.length - 2; at >= 0; at -= 1) {
      assert.equal(sheet.undo(), true);
      assert.equal(sheet.state, states[at]);
    }
    assert.equal(sheet.undo(), false);
    for (let at = 1; at < states.length; at += 1) {
      assert.equal(sheet.redo(), true);
      assert.equal(sheet.state, states[at]);
    }
    assert.equal(sheet.redo(), false);
  });
});

test("what is selected is always a shape that is there", () => {
  forMany(200, (random) => {
    const sheet = sheetOf();
    for (let step = 0; step < 60; step += 1) {
      const random4 = random.whole(0, 3);
      if (random4 === 0) sheet.undo();
      else if (random4 === 1) sheet.redo();
      else doSomething(sheet, random);
      assert.ok(sheet.selected === null || sheet.shape, `${sheet.selected} of ${sheet.shapes.length}`);
    }
  });
});

test("a new change ends what could be done again; nothing that was is changed in place", () => {
  const sheet = sheetOf();
  sheet.add(BOX);
  const before = sheet.shapes;
  sheet.add({ ...BOX, label: "pear" });
  assert.equal(before.length, 1);
  assert.throws(() => before.push(BOX), TypeError);
  sheet.undo();
  sheet.add({ ...BOX, label: "plum" });
  assert.equal(sheet.redo(), false);
  assert.deepEqual(sheet.shapes.map(({ label }) => label), ["apple", "plum"]);
});

test("a status follows from what is drawn, and says when nothing is", () => {
  const sheet = sheetOf();
  sheet.add(BOX);
  assert.equal(sheet.status, "labelled");
  sheet.remove(0);
  assert.equal(sheet.status, "unlabelled"); // taking the last one away isn't saying that there is nothing
  sheet.change({ status: "labelled" });
  assert.equal(sheet.status, "labelled"); // nothing here
  sheet.undo();
  assert.equal(sheet.status, "unlabelled");
  sheet.change({ labels: ["apple"] });
  assert.equal(sheet.status, "labelled");
  const skipped = sheetOf({ status: "skipped" });
  skipped.add(BOX);
  assert.equal(skipped.status, "labelled");
});

test("needs review lasts while one draws on, if it was said here; else drawing settles it", () => {
  const sheet = sheetOf();
  sheet.change({ status: "needs_review" });
  sheet.add(BOX);
  sheet.add(BOX);
  assert.equal(sheet.status, "needs_review");
  sheet.change({ status: "labelled" });
  sheet.remove(0);
  assert.equal(sheet.status, "labelled");
  const given = sheetOf({ status: "needs_review" });
  given.add(BOX);
  assert.equal(given.status, "labelled");
});

test("dropping a prediction is a step of its own and no label", () => {
  const sheet = sheetOf({ predictions: [BOX] });
  sheet.change({ predictions: [] });
  assert.equal(sheet.status, "unlabelled");
  sheet.undo();
  assert.equal(sheet.predictions.length, 1);
});

test("what a model says of the whole image is offered while nobody has said anything of it", () => {
  const said = ["apple", 0.9];
  assert.equal(sheetOf().offered, null);
  assert.equal(sheetOf({ predicted: said, predicted_drawn: true }).offered, null);
  const sheet = sheetOf({ predicted: said });
  assert.deepEqual(sheet.offered, said);
  sheet.add(BOX);
  assert.deepEqual(sheet.offered, said);
  sheet.change({ labels: ["pear"] });
  assert.equal(sheet.offered, null);
  sheet.undo();
  assert.deepEqual(sheet.offered, said);
  sheet.undo();
  sheet.change({ status: "labelled" }); // nothing here
  assert.equal(sheet.offered, null);
});

test("steps with one name in a row are one, until something else is done or selected", () => {
  const sheet = sheetOf({ shapes: [BOX, BOX] });
  sheet.select(0);
  for (let left = 2; left < 9; left += 1) sheet.replace(0, { ...BOX, left }, { merge: "nudge 0" });
  sheet.select(1);
  sheet.select(0);
  sheet.replace(0, { ...BOX, left: 50 }, { merge: "nudge 0" });
  sheet.undo();
  assert.equal(sheet.shapes[0].left, 8);
  sheet.undo();
  assert.equal(sheet.shapes[0].left, 1);
  assert.equal(sheet.undo(), false);
});

test("a long day's steps are bounded", () => {
  const sheet = sheetOf({ shapes: [BOX] });
  for (let left = 0; left < 1_000; left += 1) sheet.replace(0, { ...BOX, left });
  assert.equal(sheet.past.length, 200);
  while (sheet.undo());
  assert.equal(sheet.shapes[0].left, 799);
});

test("an image that has something on it is skipped without it, or not at all; undo brings it back", async () => {
  for (const [answer, status, shapes] of [[null, "labelled", 1], ["keep", "labelled", 1], ["remove", "skipped", 0]]) {
    const sheet = sheetOf();
    sheet.add(BOX);
    const asked = [];
    const panel = { ask: async (title, text, choices) => { asked.push(choices.map(({ value }) => value)); return answer; } };
    const screen = { sheet, panel, info: { read_only: false, labels: [] }, changed: () => {} };
    await new Changes(screen).setStatus("skipped");
    assert.deepEqual(asked, [["keep", "remove", null]]);
    assert.deepEqual([sheet.status, sheet.shapes.length], [status, shapes]);
    if (answer === "remove") sheet.undo();
    assert.deepEqual([sheet.status, sheet.shapes.length], ["labelled", 1]);
  }
  const bare = sheetOf();
  await new Changes({ sheet: bare, info: { read_only: false, labels: [] }, changed: () => {} }).setStatus("skipped");
  assert.equal(bare.status, "skipped"); // nothing to ask about
});
