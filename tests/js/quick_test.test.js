import assert from "node:assert/strict";
import { test } from "node:test";

import { commandFor } from "../../customlabels_nb/widgets/static/shared/keymap.js";
import {
  byLabel,
  countedRows,
  figureOf,
  NO_CHOICE,
  nothingSentence,
  takenRows,
  takenWords,
  toggledRow,
  withLabel,
  withoutLabel,
} from "../../customlabels_nb/widgets/static/quick_test/answers.js";
import { Adding } from "../../customlabels_nb/widgets/static/quick_test/adding.js";
import { whyNoCamera } from "../../customlabels_nb/widgets/static/quick_test/camera.js";
import { QUICK_TEST_KEYS } from "../../customlabels_nb/widgets/static/quick_test/keys.js";
import {
  cornersOf,
  fitInto,
  placeTags,
  TAG_HEIGHT,
} from "../../customlabels_nb/widgets/static/shared/tags.js";
import { incomingOf, inParts } from "../../customlabels_nb/widgets/static/shared/incoming.js";
import { openPage, press } from "./fake_dom.js";
import { forMany } from "./random.js";

const row = (label, confidence, limit = 0.5, box = null) => ({
  label,
  color: "#c8553d",
  confidence,
  limit,
  box,
});
const single = {
  one_label: true,
  detects: false,
  rows: [row("apple", 0.55), row("pear", 0.3, 0.2), row("plum", 0.15)],
};
const several = { ...single, one_label: false };
const boxes = {
  one_label: false,
  detects: true,
  rows: [
    row("pear", 0.9, 0.4, [0, 0, 1, 1]),
    row("apple", 0.5, 0.5, [0, 0, 1, 1]),
    row("pear", 0.2, 0.4, [0, 0, 1, 1]),
  ],
};
const choose = (answer, threshold, ...indexes) =>
  indexes.reduce((choice, index) => toggledRow(answer, threshold, choice, index), NO_CHOICE);

test("each label's own threshold counts, or one for all; what equals it counts", () => {
  assert.deepEqual(countedRows(single.rows, null), [0, 1]);
  assert.deepEqual(countedRows(single.rows, 0.55), [0]);
  assert.deepEqual(countedRows(single.rows, 0), [0, 1, 2]);
  assert.deepEqual(countedRows([], null), []);
});

test("where an image has one label the surest is taken, and at most one", () => {
  assert.deepEqual(takenRows(single, null, NO_CHOICE), [0]);
  assert.deepEqual(takenRows(single, 0.9, NO_CHOICE), []);
  assert.deepEqual(takenRows(single, null, choose(single, null, 2)), [2]); // below its threshold: the model was wrong
  assert.deepEqual(takenRows(single, null, choose(single, null, 2, 1)), [1]);
  assert.deepEqual(takenRows(single, null, choose(single, null, 0)), []);
  assert.deepEqual(takenRows(single, null, choose(single, null, 0, 0)), [0]);
  assert.deepEqual(takenRows(null, null, NO_CHOICE), []);
  forMany(300, ({ between }) => {
    let choice = NO_CHOICE;
    for (let step = 0; step < 6; step += 1) {
      const index = Math.floor(between(0, 3));
      const before = takenRows(single, 0.2, choice);
      choice = toggledRow(single, 0.2, choice, index);
      const after = takenRows(single, 0.2, choice);
      assert.ok(after.length <= 1);
      assert.equal(after.includes(index), !before.includes(index));
    }
  });
});

test("where it has several, each is taken or left for itself, whatever the threshold does", () => {
  assert.deepEqual(takenRows(several, null, NO_CHOICE), [0, 1]);
  const choice = choose(several, null, 1, 2);
  assert.deepEqual(takenRows(several, null, choice), [0, 2]);
  assert.deepEqual(takenRows(several, 1, choice), [2]);
});

test("boxes below the threshold are never taken: they aren't shown", () => {
  assert.deepEqual(takenRows(boxes, null, NO_CHOICE), [0, 1]);
  const choice = choose(boxes, 0, 2, 2);
  assert.deepEqual(takenRows(boxes, 0, choice), [0, 1, 2]);
  assert.deepEqual(takenRows(boxes, null, choice), [0, 1]);
  assert.deepEqual(takenRows(boxes, null, choose(boxes, null, 0)), [1]);
});

test("another label for the picture", () => {
  const one = withLabel(single, null, NO_CHOICE, "quince", true);
  assert.deepEqual([takenRows(single, null, one), one.labels], [[], ["quince"]]);
  assert.deepEqual(withLabel(single, null, one, "medlar", true).labels, ["medlar"]);
  assert.deepEqual(takenRows(single, null, withoutLabel(one, "quince")), [0]);
  const back = toggledRow(single, null, one, 1); // one of the model's takes its place
  assert.deepEqual([takenRows(single, null, back), back.labels], [[1], []]);
  const known = withLabel(several, null, NO_CHOICE, "plum", false);
  assert.deepEqual([takenRows(several, null, known), known.labels], [[0, 1, 2], []]);
  const more = withLabel(
    several,
    null,
    withLabel(several, null, NO_CHOICE, "quince", false),
    "__proto__",
    false,
  );
  assert.deepEqual(
    [takenRows(several, null, more), more.labels],
    [
      [0, 1],
      ["quince", "__proto__"],
    ],
  );
  assert.deepEqual(withLabel(several, null, more, "quince", false), more);
  assert.deepEqual([...NO_CHOICE.rows, ...NO_CHOICE.labels], []);
});

test("chips, figures and sentences read as detect writes them", () => {
  const entries = byLabel([row("pear", 0.9), row("constructor", 0.5), row("pear", 0.2)]);
  assert.deepEqual(
    entries.map(({ label }) => label),
    ["pear", "constructor"],
  );
  assert.deepEqual(entries.map(figureOf), ["×2 0.20–0.90", "0.50"]);
  assert.equal(figureOf({ count: 2, high: 0.501, low: 0.499 }), "×2 0.50");
  assert.equal(nothingSentence({ rows: [] }, null), "Nothing was found.");
  assert.match(nothingSentence(single, 0.9), /\bapple\b\D+\b0\.550\b\D+\b0\.900\b\D*$/);
  assert.match(
    nothingSentence({ rows: [row("a", 0.49996)] }, null),
    /with 0\.49996 \(threshold 0\.500\)\./,
  );
  assert.match(nothingSentence({ rows: [row("a", 0.49999999)] }, null), /with just under 0\.500/);
  assert.equal(takenWords(boxes, [0, 1, 2], []), "2 pear, apple");
  assert.equal(takenWords(single, [], ["a", "b", "c", "d"]), "a, b, c and 1 more");
  assert.equal(takenWords(single, [], []), "nothing in this image");
});

test("a picture is shown whole; small ones are enlarged a little", () => {
  assert.equal(fitInto({ width: 4000, height: 3000 }, { width: 800, height: 400 }), 400 / 3000);
  assert.equal(fitInto({ width: 80, height: 40 }, { width: 800, height: 400 }), 4);
  assert.equal(fitInto({ width: 200, height: 100 }, { width: 800, height: 400 }), 1.6);
  assert.equal(fitInto({ width: 600, height: 300 }, { width: 800, height: 400 }), 1);
});

test("boxes stay in the picture and can be seen", () => {
  const size = { width: 100, height: 60 };
  assert.deepEqual(cornersOf([10, 10, 20, 20], 2, size), {
    left: 20,
    top: 20,
    right: 60,
    bottom: 60,
  });
  assert.deepEqual(cornersOf([-10, -10, 500, 500], 1, size), {
    left: 0,
    top: 0,
    right: 100,
    bottom: 60,
  });
  const tiny = cornersOf([30, 30, 0, 0.1], 1, size);
  assert.ok(tiny.right - tiny.left > 3.999 && tiny.bottom - tiny.top > 3.999);
});

test("words at boxes never cover other words, and stay in the picture", () => {
  const overlap = (a, b) =>
    Math.min(a.left + a.width, b.left + b.width) > Math.max(a.left, b.left) &&
    Math.abs(a.top - b.top) < TAG_HEIGHT;
  forMany(200, ({ between }) => {
    const size = { width: between(60, 700), height: between(40, 500) };
    const found = Array.from({ length: Math.ceil(between(1, 30)) }, () => {
      const [left, top] = [between(0, size.width - 5), between(0, size.height - 5)];
      return {
        left,
        top,
        right: between(left + 4, size.width),
        bottom: between(top + 4, size.height),
      };
    });
    const widths = found.map(() => {
      const figure = between(24, 40);
      return [figure + between(10, 150), figure];
    });
    const tags = placeTags(found, widths, size);
    assert.equal(tags.length, found.length);
    const there = tags.filter(Boolean);
    there.forEach((tag, index) => {
      assert.ok(tag.left >= -1e-6 && tag.left + tag.width <= size.width + 1e-6);
      assert.ok(tag.top >= 0 && tag.top + TAG_HEIGHT <= size.height);
      for (const other of there.slice(0, index)) assert.ok(!overlap(tag, other));
    });
  });
  const [alone] = placeTags([{ left: 50, top: 50, right: 150, bottom: 150 }], [[60, 30]], {
    width: 300,
    height: 300,
  });
  assert.deepEqual(alone, { left: 50, top: 50 - TAG_HEIGHT, width: 60, short: false });
  assert.equal(
    placeTags([{ left: 0, top: 0, right: 40, bottom: 40 }], [[90, 30]], {
      width: 40,
      height: 60,
    })[0].short,
    true,
  );
  assert.equal(
    placeTags([{ left: 0, top: 0, right: 9, bottom: 9 }], [[90, 30]], { width: 20, height: 60 })[0],
    null,
  );
});

test("keys", () => {
  const key = (name, more = {}) => commandFor(QUICK_TEST_KEYS, { key: name, ...more });
  assert.deepEqual(key("3"), { do: "toggle", number: 3 });
  assert.deepEqual(key("+", { shiftKey: true }), { do: "nudge", by: 0.05 });
  assert.deepEqual(key("O", { shiftKey: true }), { do: "open" });
  assert.deepEqual(key("Enter", { ctrlKey: true }), { do: "add" });
  assert.deepEqual(key("Z", { metaKey: true }), { do: "undo" });
  assert.deepEqual(
    [key("я", { code: "KeyZ", ctrlKey: true }), key("щ", { code: "KeyO" })],
    [{ do: "undo" }, { do: "open" }],
  );
  for (const [name, more] of [["Enter", { ctrlKey: true }], ["s"], ["3"], [" "]])
    assert.deepEqual(key(name, { ...more, repeat: true }), { do: "held" });
  for (const name of ["ArrowLeft", "+"]) assert.deepEqual(key(name, { repeat: true }), key(name));
  for (const [name, more] of [
    ["v", { ctrlKey: true }],
    ["Z", { ctrlKey: true, shiftKey: true }],
    ["a", { altKey: true }],
    ["a", { isComposing: true }],
    ["Enter"],
    ["0"],
    ["constructor"],
    ["x"],
  ])
    assert.equal(key(name, more), null);
  assert.ok(QUICK_TEST_KEYS.help.every((entry) => entry.length === 2));
});

test("what a drop or the clipboard brings: files before addresses, and no other text", () => {
  const transfer = (types, files = []) => ({ files, getData: (type) => types[type] ?? "" });
  assert.deepEqual(incomingOf(transfer({ "text/plain": "https://example.org/a.jpg" }, ["f"])), {
    files: ["f"],
    url: null,
  });
  assert.equal(
    incomingOf(
      transfer({ "text/uri-list": "# from a page\r\nhttp://example.org/a.jpg\r\nhttp://b" }),
    ).url,
    "http://example.org/a.jpg",
  );
  assert.equal(
    incomingOf(transfer({ "text/plain": "  https://example.org/a.jpg \n" })).url,
    "https://example.org/a.jpg",
  );
  for (const text of [
    "file:///etc/passwd",
    "javascript:alert(1)",
    "hello https://example.org",
    "https://a b",
    "",
  ])
    assert.equal(incomingOf(transfer({ "text/plain": text })).url, null);
  assert.deepEqual(incomingOf(null), { files: [], url: null });
});

test("a file goes in parts of a megabyte, an empty one as one", async () => {
  const sent = async (size) => {
    const parts = [];
    await inParts(new Blob([new Uint8Array(size)]), async (part, first) => {
      parts.push([part.byteLength, first]);
    });
    return parts;
  };
  assert.deepEqual(await sent(0), [[0, true]]);
  assert.deepEqual(await sent(2 ** 20), [[2 ** 20, true]]);
  assert.deepEqual(await sent(2 ** 20 + 5), [
    [2 ** 20, true],
    [5, false],
  ]);
});

test("why there is no camera", () => {
  assert.match(whyNoCamera({ name: "NotAllowedError" }), /Allow it/);
  assert.match(whyNoCamera({ name: "NotFoundError" }), /No camera/);
  assert.equal(whyNoCamera(new Error("odd")), "Cannot use the camera: odd");
  assert.match(whyNoCamera({ name: "constructor", message: "x" }), /Cannot use the camera: x/);
});

test("Enter that ends the composition of a label does not add it", () => {
  const page = openPage();
  const added = [];
  const adding = new Adding({ label: (label) => added.push(label), leave: () => added.push(null) });
  page.append(adding.node);
  adding.field.value = "りんご";
  adding.field.focus();
  for (const key of ["Enter", "Escape"]) press(key, { isComposing: true });
  assert.deepEqual([added, adding.field.value], [[], "りんご"]);
  press("Enter");
  assert.deepEqual(added, ["りんご"]);
});
