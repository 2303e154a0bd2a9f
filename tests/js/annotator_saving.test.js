import assert from "node:assert/strict";
import { test } from "node:test";

import { AnnotationStore } from "../../customlabels_nb/widgets/static/annotator/store.js";
import { Saving } from "../../customlabels_nb/widgets/static/annotator/saving.js";
import { ImageShapes } from "../../customlabels_nb/widgets/static/annotator/shapes.js";
import { KernelGone } from "../../customlabels_nb/widgets/static/shared/requests.js";

const BOX = {
  label: "apple",
  left: 1,
  top: 2,
  width: 10,
  height: 10,
  polygon: null,
  crowd: false,
  confidence: 1,
};
const settled = () =>
  new Promise((resolve) => {
    setTimeout(resolve, 2);
  });
let project = 0;

// A project as the kernel has it: refuses what is based on an older revision, unless nothing differs.
function kernel() {
  const images = new Map();
  const of = (name) => images.get(name) ?? { shapes: [], revision: 1 };
  const save = (edit) => {
    const now = of(edit.image);
    const same = JSON.stringify(now.shapes) === JSON.stringify(edit.shapes);
    const conflict = !same && edit.revision !== now.revision;
    if (!same && !conflict)
      images.set(edit.image, { shapes: edit.shapes, revision: now.revision + 1 });
    return { image: edit.image, revision: of(edit.image).revision, conflict, rows: [] };
  };
  return { of, save };
}

function screenOf(events) {
  return {
    events,
    info: {},
    notices: {
      say: (name) => {
        if (name !== "gone") events.push(["said", name]);
      },
      drop: () => {},
    },
    showState: () => {},
    stored: (answer, own) => events.push(["stored", answer.image, answer.revision, own]),
    conflict: (answer, edit) => events.push(["conflict", answer.image, edit.shapes.length]),
    removed: (answer, edit) => events.push(["removed", answer.image, edit.shapes.length]),
    refused: (edit, error) => events.push(["refused", edit.image, error.message]),
  };
}

function opened({ request, key = `p${++project}` }) {
  const events = [];
  const saving = new Saving({
    request: async (kind, edit) => [await request(edit)],
    screen: screenOf(events),
    key,
  });
  return { saving, events, key };
}

const shapesOf = (name, revision = 1) =>
  new ImageShapes(
    { name, width: 100, height: 100 },
    { shapes: [], status: "unlabelled", revision },
  );

test("each change is sent, and what comes on top of one on its way is based on what that makes", async () => {
  const base = kernel();
  const sent = [];
  const answers = [];
  const { saving, events } = opened({
    request: (edit) => {
      sent.push(edit);
      return new Promise((resolve) => {
        answers.push(() => resolve(base.save(edit)));
      });
    },
  });
  const imageShapes = shapesOf("a");
  for (let count = 1; count <= 4; count += 1) {
    imageShapes.add(BOX);
    saving.save("train", imageShapes);
  }
  assert.equal(saving.isPending("a"), true);
  await settled();
  answers.shift()();
  await settled();
  answers.shift()();
  await settled();
  assert.deepEqual(
    sent.map(({ shapes, revision }) => [shapes.length, revision]),
    [
      [1, 1],
      [4, 2],
    ],
  ); // two in between were not needed
  const names = Object.keys(sent[0].shapes[0]);
  assert.equal(names.join(), "label,left,top,width,height,polygon,note");
  assert.deepEqual(events, [
    ["stored", "a", 2, true],
    ["stored", "a", 3, true],
  ]);
  assert.equal(saving.isDone, true);
  saving.close();
});

test("a drawing of an image that was removed is kept, and does not count as saved", async () => {
  const base = kernel();
  let isThere = false;
  const { saving, events, key } = opened({
    request: async (edit) =>
      isThere ? base.save(edit) : { image: edit.image, revision: null, gone: true, rows: [] },
  });
  const imageShapes = shapesOf("a");
  imageShapes.add(BOX);
  saving.save("train", imageShapes);
  await settled();
  imageShapes.add(BOX);
  saving.save("train", imageShapes);
  await settled();
  assert.deepEqual(events, [
    ["removed", "a", 1],
    ["removed", "a", 2],
  ]);
  assert.deepEqual([saving.state, saving.pending.length, saving.isDone], ["lost", 1, true]);
  assert.equal(saving.queue.parked.length, 1);
  const again = opened({ request: async (edit) => base.save(edit), key }); // the cell was run again
  assert.deepEqual([again.saving.pending.length, again.saving.state], [0, "saved"]);
  again.saving.close();
  isThere = true;
  saving.save("train", imageShapes);
  await settled();
  assert.deepEqual([saving.state, saving.pending.length], ["saved", 0]);
  assert.deepEqual([base.of("a").shapes.length, saving.queue.parked.length], [2, 0]);
  isThere = false; // an image without anything on it needs no place
  imageShapes.change({ shapes: [], selected: null });
  saving.save("train", imageShapes);
  await settled();
  assert.deepEqual([saving.state, saving.pending.length], ["saved", 0]);
  saving.close();
});

test("a drawing of an image that was removed is reported by the screen that is opened next", async () => {
  const request = async (edit) => ({ image: edit.image, revision: null, gone: true, rows: [] });
  const { saving, key } = opened({ request });
  const imageShapes = shapesOf("a");
  imageShapes.add(BOX);
  saving.save("train", imageShapes);
  await settled();
  saving.close();
  const next = opened({ request, key });
  await settled();
  assert.deepEqual(next.events.at(-1), ["removed", "a", 1]);
  assert.deepEqual([next.saving.state, next.saving.pending.length], ["lost", 1]);
  next.saving.close();
});

test("an answer that was lost is asked for again: no conflict with oneself", async () => {
  const base = kernel();
  let isGone = true;
  const request = async (edit) => {
    const answer = base.save(edit);
    if (isGone) throw new KernelGone("silent");
    return answer;
  };
  const { saving, events } = opened({ request });
  const imageShapes = shapesOf("a");
  for (let count = 1; count <= 3; count += 1) {
    imageShapes.add(BOX);
    saving.save("train", imageShapes);
    await settled();
  }
  assert.equal(saving.state, "lost");
  isGone = false;
  saving.responded();
  await settled();
  assert.equal(base.of("a").shapes.length, 3);
  assert.ok(events.every(([what]) => what === "stored"));
  assert.equal(saving.isDone, true);
  clearTimeout(saving.queue.timer);
  saving.close();
});

test("a conflict takes along what was done on top, and brings the last of it", async () => {
  const base = kernel();
  base.save({ image: "a", shapes: [BOX, BOX], revision: 1 });
  const answers = [];
  const { saving, events } = opened({
    request: (edit) =>
      new Promise((resolve) => {
        answers.push(() => resolve(base.save(edit)));
      }),
  });
  const imageShapes = shapesOf("a");
  for (let count = 1; count <= 3; count += 1) {
    imageShapes.add(BOX);
    saving.save("train", imageShapes);
  }
  saving.save("train", shapesOf("b"));
  await settled();
  while (answers.length) {
    answers.shift()();
    await settled();
  }
  assert.deepEqual(events, [
    ["conflict", "a", 3],
    ["stored", "b", 1, true],
  ]);
  assert.equal(base.of("a").shapes.length, 2); // theirs stands
  saving.close();
});

test("a refusal is told once, without what was built on it", async () => {
  const { saving, events } = opened({
    request: async () => {
      throw Object.assign(new Error("no such label"), { refused: true });
    },
  });
  const imageShapes = shapesOf("a");
  imageShapes.add(BOX);
  saving.save("train", imageShapes);
  imageShapes.add(BOX);
  saving.save("train", imageShapes);
  await settled();
  assert.deepEqual(events, [["refused", "a", "no such label"]]);
  assert.equal(saving.isDone, true);
  saving.close();
});

test("two screens of one project in a page: each hears of its own, and a stale edit is a conflict", async () => {
  const base = kernel();
  const one = opened({ request: async (edit) => base.save(edit) });
  const two = opened({ request: async (edit) => base.save(edit), key: one.key });
  const [mine, theirs] = [shapesOf("a"), shapesOf("a")];
  mine.add(BOX);
  one.saving.save("train", mine);
  theirs.add({ ...BOX, label: "pear" });
  theirs.add({ ...BOX, label: "pear" });
  two.saving.save("train", theirs);
  assert.equal(one.saving.isPending("a"), true);
  assert.equal(one.saving.isPending("b"), false);
  await settled();
  assert.deepEqual(one.events, [["stored", "a", 2, true]]);
  assert.deepEqual(two.events, [["conflict", "a", 2]]);
  assert.equal(base.of("a").shapes[0].label, "apple");
  two.saving.close(); // the first sends again
  mine.revision = 2;
  mine.add(BOX);
  one.saving.save("train", mine);
  await settled();
  assert.equal(base.of("a").shapes.length, 2);
  one.saving.close();
});

test("what a page that is gone left behind is sent by the next", async () => {
  const base = kernel();
  const one = opened({
    request: async () => {
      throw new KernelGone("gone");
    },
  });
  const imageShapes = shapesOf("a");
  imageShapes.add(BOX);
  one.saving.save("train", imageShapes);
  await settled();
  one.saving.close();
  clearTimeout(one.saving.queue.timer);
  const two = opened({ request: async (edit) => base.save(edit), key: one.key });
  await settled();
  assert.deepEqual(two.events, [
    ["said", "again"],
    ["stored", "a", 2, false],
  ]);
  assert.equal(base.of("a").shapes.length, 1);
  two.saving.close();
});

// -- the images that are open ------------------------------------------------------------------------------
function storeOf({ pending = () => false } = {}) {
  const loads = [];
  const revisions = new Map();
  const store = new AnnotationStore({
    isPending: pending,
    load: async (name) => {
      loads.push(name);
      if (name === "broken") throw new Error("not an image");
      return {
        facts: {
          width: 10,
          height: 10,
          shapes: [],
          status: "unlabelled",
          revision: revisions.get(name) ?? 1,
          predicted: null,
        },
        view: { uri: name },
      };
    },
  });
  return { store, loads, revisions };
}

test("an image is asked for once; a broken one again", async () => {
  const { store, loads } = storeOf();
  const [first, second] = await Promise.all([store.open("a"), store.open("a")]);
  assert.equal(first.imageShapes, second.imageShapes);
  await assert.rejects(store.open("broken"));
  await assert.rejects(store.open("broken"));
  assert.deepEqual(loads, ["a", "broken", "broken"]);
});

test("pictures are let go, what undo needs is kept", async () => {
  const { store, loads, revisions } = storeOf();
  const { imageShapes } = await store.open("a");
  imageShapes.add(BOX);
  store.stored("a", 2);
  revisions.set("a", 2);
  for (let at = 0; at < 12; at += 1) await store.open(`other ${at}`);
  assert.equal((await store.open("a")).imageShapes, imageShapes);
  assert.equal(loads.filter((name) => name === "a").length, 2);
  revisions.set("a", 7); // somebody else changed it meanwhile
  for (let at = 0; at < 12; at += 1) await store.open(`other ${at}`);
  const again = (await store.open("a")).imageShapes;
  assert.notEqual(again, imageShapes);
  assert.equal(again.revision, 7);
});

test(
  "where many may have changed all are read before they are shown, and what didn't " +
    "change keeps its steps",
  async () => {
    const { store, loads, revisions } = storeOf();
    const shapesByName = {};
    for (const name of ["a", "b"]) shapesByName[name] = (await store.open(name)).imageShapes;
    revisions.set("b", 2);
    store.readAnew();
    assert.equal((await store.open("a")).imageShapes, shapesByName.a);
    assert.equal((await store.open("b")).imageShapes.revision, 2);
    assert.deepEqual(loads, ["a", "b", "a", "b"]);
  },
);

test("the image that is looked at keeps its picture while others are looked ahead for", async () => {
  const { store, loads } = storeOf();
  for (let at = 0; at < 8; at += 1) await store.open(`${at}`);
  await store.open("0");
  for (let at = 8; at < 12; at += 1) await store.open(`${at}`);
  await store.open("0");
  assert.equal(loads.filter((name) => name === "0").length, 1);
});

test("an image is stale when its row is newer, unless its own changes are on their way", async () => {
  let isPending = false;
  const { store } = storeOf({ pending: () => isPending });
  await store.open("a");
  const row = (revision) => ({ name: "a", revision });
  assert.equal(store.isStale(row(1)), false);
  assert.equal(store.isStale(row(0)), false); // old news that came late
  assert.equal(store.isStale(row(2)), true);
  isPending = true;
  assert.equal(store.isStale(row(2)), false);
  assert.equal(store.isStale({ name: "never opened", revision: 9 }), false);
});

test("new predictions come to an image that is drawn on, and undo does not take them away", async () => {
  const guess = (label) => ({ ...BOX, label, confidence: 0.5 });
  let predictions = [guess("pear")];
  const store = new AnnotationStore({
    isPending: () => false,
    load: async () => ({ facts: { shapes: [], status: "unlabelled", revision: 1, predictions } }),
  });
  const { imageShapes } = await store.open("a");
  imageShapes.add(BOX, { select: true });
  imageShapes.change({ dropped: imageShapes.predictions });
  await store.renewPredictions("a");
  assert.equal(imageShapes.predictions.length, 0); // nothing is new
  predictions = [guess("pear"), guess("plum")];
  await store.renewPredictions("a");
  const shown = () => imageShapes.predictions.map(({ label }) => label).join();
  assert.deepEqual([shown(), imageShapes.shapes.length, imageShapes.selected], ["plum", 1, 0]);
  imageShapes.undo();
  imageShapes.undo();
  assert.deepEqual([shown(), imageShapes.shapes.length], ["pear,plum", 0]);
});

// An image that is read again because its row is newer. `answer(revision)` is the response.
async function readAgain() {
  const pending = new Set();
  let answer = null;
  const facts = {
    width: 100,
    height: 100,
    shapes: [],
    status: "unlabelled",
    revision: 4,
    predicted: ["apple", 0.5],
  };
  const respond = (change) => ({ facts: { ...facts, ...change }, view: {} });
  const store = new AnnotationStore({
    isPending: (name) => pending.has(name),
    load: () =>
      new Promise((resolve) => {
        answer = (change = {}) => resolve(respond(change));
      }),
  });
  const opening = store.open("a");
  answer();
  const { imageShapes } = await opening;
  store.forget("a");
  const again = store.open("a");
  const read = async (revision) => {
    answer({ revision, predicted: ["apple", 0.6] });
    return (await again).imageShapes;
  };
  return {
    store,
    pending,
    imageShapes,
    read,
    row: { name: "a", revision: 5, predicted: ["apple", 0.6] },
  };
}

test("a shape that is drawn while its image is read again is kept, saved or not", async () => {
  for (const [isSaved, revision] of [
    [false, 4],
    [true, 4],
    [true, 5],
  ]) {
    const { store, pending, imageShapes, read, row } = await readAgain();
    assert.equal(store.isStale({ ...row, revision: 4 }), false); // it is being read
    imageShapes.add(BOX);
    pending.add("a");
    const save = () => {
      pending.delete("a");
      store.stored("a", 5);
    };
    if (isSaved) save();
    assert.equal(await read(revision), imageShapes);
    if (!isSaved) save();
    assert.deepEqual(
      [imageShapes.shapes.length, imageShapes.revision, store.isStale(row)],
      [1, 5, false],
    );
  }
});

test("an image that is read again without changes is replaced", async () => {
  const { store, imageShapes, read } = await readAgain();
  const now = await read(4);
  assert.notEqual(now, imageShapes);
  assert.equal((await store.open("a")).imageShapes, now);
});

test("one can wait until all is saved, or can't be for now", async () => {
  const base = kernel();
  let answer = null;
  const { saving } = opened({
    request: (edit) =>
      new Promise((resolve, reject) => {
        answer = { save: () => resolve(base.save(edit)), fail: () => reject(new KernelGone()) };
      }),
  });
  const waited = [];
  const wait = (what) => saving.settled().then(() => waited.push(what));
  await wait("nothing was to be saved");
  const imageShapes = shapesOf("a");
  imageShapes.add(BOX);
  saving.save("train", imageShapes);
  wait("saved");
  await settled();
  assert.equal(waited.length, 1);
  answer.save();
  await settled();
  assert.deepEqual(waited, ["nothing was to be saved", "saved"]);
  imageShapes.add(BOX);
  saving.save("train", imageShapes);
  wait("lost");
  await settled();
  answer.fail();
  await settled();
  assert.deepEqual([waited.at(-1), saving.isDone], ["lost", false]);
  saving.close();
});
