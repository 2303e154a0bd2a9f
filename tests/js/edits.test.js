import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { EditQueue, queueFor } from "../../customlabels_nb/widgets/static/shared/edits.js";
import { KernelGone } from "../../customlabels_nb/widgets/static/shared/requests.js";

function memory(start = {}) {
  const kept = new Map(Object.entries(start));
  return {
    kept,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
}

const soon = async () => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};
const settled = () =>
  new Promise((resolve) => {
    setTimeout(resolve, 1);
  });
const KEY = "customlabels_nb edits p";
const refusal = (text) => Object.assign(new Error(text), { refused: true });
const gone = async () => {
  throw new KernelGone();
};

// A screen that lists in `sent` what it sends.
function screenOf(send = async () => {}, { id = "one", helps = true } = {}) {
  const screen = {
    id,
    sent: [],
    mayHelp: () => helps,
    send: (edit) => {
      screen.sent.push(edit.label);
      return send(edit);
    },
  };
  return screen;
}

// This module as another widget brings it: a copy with classes of its own.
function copyOf(...names) {
  const source = names.map((name) =>
    readFileSync(
      new URL(`../../customlabels_nb/widgets/static/shared/${name}`, import.meta.url),
      "utf8",
    ),
  );
  return import(
    `data:text/javascript,${encodeURIComponent(source.join("\n").replaceAll(/^import .*$/gm, ""))}`
  );
}

test("edits are sent one after another, in order, and each is kept until its answer", async () => {
  const storage = memory();
  const queue = new EditQueue({ key: "p", storage });
  const answers = [];
  const screen = screenOf(
    () =>
      new Promise((resolve) => {
        answers.push(resolve);
      }),
  );
  queue.connect(screen);
  queue.add({ by: "one", label: "a" });
  queue.add({ by: "one", label: "b" });
  await settled();
  assert.deepEqual(screen.sent, ["a"]);
  assert.equal(queue.state(), "saving");
  assert.equal(JSON.parse(storage.kept.get(KEY)).length, 2);
  answers[0]({});
  await settled();
  assert.deepEqual(screen.sent, ["a", "b"]);
  answers[1]({});
  await settled();
  assert.equal(queue.state(), "saved");
  assert.equal(storage.kept.has(KEY), false);
});

test("a kernel that is gone loses nothing: what wasn't answered is sent to the next", async () => {
  const storage = memory();
  const queue = new EditQueue({ key: "p", storage, retryAfter: 60_000 });
  queue.connect(screenOf(gone));
  queue.add({ by: "one", label: "a" });
  await settled();
  assert.equal(queue.state(), "lost");
  assert.equal(JSON.parse(storage.kept.get(KEY)).length, 1);
  const next = screenOf(undefined, { id: "two" });
  queue.connect(next);
  await settled();
  assert.deepEqual(next.sent, ["a"]);
  assert.equal(queue.state(), "saved");
  clearTimeout(queue.timer);
});

test("it tries again by itself, in the order in which edits were made", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const queue = new EditQueue({ key: "p" });
  let isGone = true;
  const screen = screenOf(async () => {
    if (isGone) throw new KernelGone();
  });
  queue.connect(screen);
  queue.add({ by: "one", label: "a" });
  queue.add({ by: "one", label: "b" });
  await soon();
  assert.equal(queue.state(), "lost");
  isGone = false;
  context.mock.timers.tick(2_000);
  await soon();
  assert.deepEqual(screen.sent, ["a", "a", "b"]);
  assert.equal(queue.state(), "saved");
});

test("a refusal is told and not tried again; the next edits go on", async () => {
  const queue = new EditQueue({ key: "p" });
  const told = [];
  queue.listen((event) => {
    if (event.type !== "state") told.push(event.type);
  });
  queue.connect(
    screenOf(async (edit) => {
      if (edit.label === "bad") throw refusal("no such label");
    }),
  );
  queue.add({ by: "one", label: "bad" });
  queue.add({ by: "one", label: "good" });
  await settled();
  assert.deepEqual(told, ["refused", "answer"]);
  assert.equal(queue.state(), "saved");
});

test("an edit that another copy of the code could not send is no refusal", async () => {
  const { EditQueue: OtherQueue } = await copyOf("requests.js", "edits.js");
  const queue = new OtherQueue({ key: "p", retryAfter: 60_000 });
  const told = [];
  queue.listen(({ type }) => told.push(type));
  queue.connect(screenOf(gone));
  queue.add({ by: "one", label: "a" });
  await settled();
  assert.deepEqual([queue.pending("one").length, queue.state("one")], [1, "lost"]);
  assert.ok(!told.includes("refused"));
  clearTimeout(queue.timer);
});

test("each screen sends its own edits, whichever connected last", async () => {
  const queue = new EditQueue({ key: "p" });
  const [one, two] = [screenOf(), screenOf(undefined, { id: "two" })];
  queue.connect(one);
  queue.connect(two);
  queue.add({ by: "one", label: "a" });
  queue.add({ by: "two", label: "b" });
  await settled();
  assert.deepEqual([one.sent, two.sent], [["a"], ["b"]]);
});

test("a screen sends for another only while that one can't, and only if it may", async () => {
  const queue = new EditQueue({ key: "p", retryAfter: 60_000 });
  let isGone = true;
  const one = screenOf(async () => {
    if (isGone) throw new KernelGone();
  });
  const [helper, reader] = [
    screenOf(undefined, { id: "two" }),
    screenOf(undefined, { id: "three", helps: false }),
  ];
  for (const screen of [one, helper, reader]) queue.connect(screen);
  queue.add({ by: "one", label: "a" });
  await settled();
  queue.add({ by: "one", label: "b" }); // it isn't asked again before something was heard of it
  await settled();
  assert.deepEqual([one.sent, helper.sent, reader.sent], [["a"], ["a", "b"], []]);
  isGone = false;
  queue.responded(one);
  queue.add({ by: "one", label: "c" });
  await settled();
  assert.deepEqual(
    [one.sent, helper.sent],
    [
      ["a", "c"],
      ["a", "b"],
    ],
  );
});

test("a silent kernel keeps nobody else waiting, but for edits of the same images", async () => {
  const queue = new EditQueue({ key: "p", retryAfter: 60_000 });
  let fail = null;
  const silent = screenOf(
    () =>
      new Promise((resolve, reject) => {
        fail = reject;
      }),
  );
  const other = screenOf(undefined, { id: "two" });
  queue.connect(silent);
  queue.connect(other);
  queue.add({ by: "one", label: "a", images: ["x"] });
  queue.add({ by: "two", label: "b", images: ["x"] });
  queue.add({ by: "two", label: "c", images: ["y"] });
  await settled();
  assert.deepEqual(other.sent, ["c"]);
  assert.deepEqual([queue.state("one"), queue.state("two")], ["saving", "saving"]);
  fail(new KernelGone());
  await settled();
  assert.deepEqual(other.sent, ["c", "a", "b"]);
  assert.equal(queue.state(), "saved");
});

test("each screen shows its own edits and those of screens that are gone", async () => {
  const queue = new EditQueue({ key: "p", retryAfter: 60_000 });
  const end = queue.connect(screenOf(gone));
  queue.connect(screenOf(gone, { id: "two", helps: false }));
  queue.add({ by: "one", label: "a" });
  await settled();
  assert.deepEqual([queue.state("one"), queue.state("two")], ["lost", "saved"]);
  end();
  assert.deepEqual([queue.state("two"), queue.pending("two").length], ["lost", 1]);
  clearTimeout(queue.timer);
});

test("one can wait until a screen's edits are saved, or can't be for now", async () => {
  const queue = new EditQueue({ key: "p", retryAfter: 60_000 });
  let answer = null;
  queue.connect(
    screenOf(
      () =>
        new Promise((resolve, reject) => {
          answer = { resolve, reject };
        }),
    ),
  );
  const states = [];
  for (const how of ["resolve", "reject"]) {
    queue.add({ by: "one", label: how });
    const waited = queue.whenSettled("one").then(() => states.push(queue.state("one")));
    await settled();
    assert.equal(queue.state("one"), "saving");
    answer[how](new KernelGone());
    await waited;
  }
  assert.deepEqual(states, ["saved", "lost"]);
  clearTimeout(queue.timer);
});

test("after the page was loaded again the tab's storage still has them", async () => {
  const storage = memory({ [KEY]: JSON.stringify([{ op: "label", label: "kept" }]) });
  const queue = new EditQueue({ key: "p", storage });
  assert.equal(queue.pending("one").length, 1);
  const screen = screenOf();
  queue.connect(screen);
  await settled();
  assert.deepEqual(screen.sent, ["kept"]);
  assert.equal(storage.kept.has(KEY), false);
});

test("a storage that refuses or holds nonsense does no harm", () => {
  const broken = {
    getItem: () => "{not json",
    setItem: () => {
      throw new Error("full");
    },
    removeItem: () => {},
  };
  const queue = new EditQueue({ key: "p", storage: broken });
  queue.add({ op: "clear" });
  assert.equal(queue.pending().length, 1);
});

test("widgets of one project share a queue", () => {
  assert.equal(queueFor("one"), queueFor("one"));
  assert.notEqual(queueFor("one"), queueFor("two"));
});

test("what a closed screen left behind is sent by another, told there, and in no other screen", async () => {
  const queue = new EditQueue({ key: "p" });
  const [one, two, three] = [
    screenOf(gone),
    screenOf(undefined, { id: "two" }),
    screenOf(undefined, { id: "three", helps: false }),
  ];
  const end = queue.connect(one);
  queue.connect(three);
  queue.add({ by: "one", label: "a" });
  await settled();
  end();
  const told = [];
  queue.listen((event) => {
    if (event.type === "answer")
      told.push([queue.concerns(event, two), queue.concerns(event, three)]);
  });
  queue.connect(two);
  await settled();
  assert.deepEqual(two.sent, ["a"]);
  assert.deepEqual(told, [[true, false]]);
  clearTimeout(queue.timer);
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
