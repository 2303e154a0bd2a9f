import assert from "node:assert/strict";
import { test } from "node:test";

import { EditQueue, queueFor } from "../../customlabels_nb/widgets/static/shared/edits.js";
import { KernelGone } from "../../customlabels_nb/widgets/static/shared/requests.js";

function memory(start = {}) {
  const kept = new Map(Object.entries(start));
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
}

const settled = () => new Promise((resolve) => { setTimeout(resolve, 1); });
const KEY = "customlabels_nb edits p";

test("edits are sent one after another, in order, and each is kept until its answer", async () => {
  const storage = memory();
  const queue = new EditQueue({ key: "p", storage });
  const sent = [];
  const answers = [];
  queue.connect((edit) => new Promise((resolve) => { sent.push(edit); answers.push(resolve); }));
  queue.add({ op: "label", label: "a" });
  queue.add({ op: "label", label: "b" });
  await settled();
  assert.deepEqual(sent.map(({ label }) => label), ["a"]);
  assert.equal(queue.state, "saving");
  assert.equal(JSON.parse(storage.kept.get(KEY)).length, 2);
  answers[0]({});
  await settled();
  assert.deepEqual(sent.map(({ label }) => label), ["a", "b"]);
  answers[1]({});
  await settled();
  assert.equal(queue.state, "saved");
  assert.equal(storage.kept.has(KEY), false);
});

test("a kernel that is gone loses nothing: what wasn't answered is sent to the next", async () => {
  const storage = memory();
  const queue = new EditQueue({ key: "p", storage, retryAfter: 60_000 });
  queue.connect(() => Promise.reject(new KernelGone("gone")));
  queue.add({ op: "label", label: "a" });
  await settled();
  assert.equal(queue.state, "lost");
  const sent = [];
  queue.connect(async (edit) => { sent.push(edit.label); });
  await settled();
  assert.deepEqual(sent, ["a"]);
  assert.equal(queue.state, "saved");
  clearTimeout(queue.timer);
});

test("it tries again by itself", async () => {
  const queue = new EditQueue({ key: "p", retryAfter: 5 });
  let calls = 0;
  queue.connect(async () => {
    calls += 1;
    if (calls === 1) throw new KernelGone("busy");
  });
  queue.add({ op: "clear" });
  await new Promise((resolve) => { setTimeout(resolve, 30); });
  assert.equal(calls, 2);
  assert.equal(queue.state, "saved");
});

test("a refusal is told and not tried again; the next edits go on", async () => {
  const queue = new EditQueue({ key: "p" });
  const told = [];
  queue.listen((event) => { if (event.type !== "state") told.push(event.type); });
  queue.connect(async (edit) => {
    if (edit.label === "bad") throw new Error("no such label");
  });
  queue.add({ op: "label", label: "bad" });
  queue.add({ op: "label", label: "good" });
  await settled();
  assert.deepEqual(told, ["refused", "answer"]);
  assert.equal(queue.state, "saved");
});

test("after the page was loaded again the tab's storage still has them", async () => {
  const storage = memory({ [KEY]: JSON.stringify([{ op: "label", label: "kept" }]) });
  const queue = new EditQueue({ key: "p", storage });
  assert.equal(queue.size, 1);
  const sent = [];
  queue.connect(async (edit) => { sent.push(edit.label); });
  await settled();
  assert.deepEqual(sent, ["kept"]);
});

test("a storage that refuses or holds nonsense does no harm", () => {
  const broken = { getItem: () => "{not json", setItem: () => { throw new Error("full"); }, removeItem: () => {} };
  const queue = new EditQueue({ key: "p", storage: broken });
  queue.add({ op: "clear" });
  assert.equal(queue.size, 1);
});

test("widgets of one project share a queue", () => {
  assert.equal(queueFor("one"), queueFor("one"));
  assert.notEqual(queueFor("one"), queueFor("two"));
});

test("when the screen that sends is closed, the one before it sends", async () => {
  const queue = new EditQueue({ key: "p" });
  const sent = [];
  queue.connect(async () => { sent.push("first"); });
  const end = queue.connect(async () => { sent.push("second"); });
  queue.add({});
  await settled();
  end();
  queue.add({});
  await settled();
  assert.deepEqual(sent, ["second", "first"]);
  assert.equal(queue.state, "saved");
});

test("what is dropped is not sent", async () => {
  const storage = memory();
  const queue = new EditQueue({ key: "p", storage });
  const [one, two] = [{ label: "a" }, { label: "b" }];
  queue.add(one);
  queue.add(two);
  queue.drop([one]);
  assert.deepEqual(JSON.parse(storage.kept.get(KEY)), [two]);
  queue.drop([two]);
  assert.equal(storage.kept.has(KEY), false);
});
