import assert from "node:assert/strict";
import { test } from "node:test";

import { commandFor } from "../../customlabels_nb/widgets/static/shared/keymap.js";
import {
  isWaiting,
  judged,
  statedLabels,
  verdictOf,
  VERIFY_KEYS,
} from "../../customlabels_nb/widgets/static/verify/verdicts.js";

const row = (change = {}) =>
  Object.freeze({
    name: "a.jpg",
    labels: [],
    boxes: [],
    outlines: [],
    guesses: [["apple", 0.9, null]],
    status: "unlabelled",
    ...change,
  });
const press = (key, modifiers = {}) =>
  commandFor(VERIFY_KEYS, {
    key,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    altKey: false,
    isComposing: false,
    ...modifiers,
  });
const boxes = row({
  guesses: [
    ["apple", 0.9, [1, 2, 3, 4]],
    ["pear", 0.8, [5, 6, 7, 8]],
  ],
});

test("a verdict says what is in the image", () => {
  assert.equal(verdictOf(row()), "waiting");
  const right = judged(row(), { op: "right" });
  assert.deepEqual(
    [right.labels, right.status, verdictOf(right)],
    [["apple"], "labelled", "right"],
  );
  const other = judged(row(), { op: "label", label: "pear" }, { alone: true });
  assert.deepEqual([other.labels, verdictOf(other)], [["pear"], "corrected"]);
  const wrong = judged(right, { op: "wrong" });
  assert.deepEqual([wrong.labels, verdictOf(wrong), isWaiting(wrong)], [[], "wrong", false]);
  assert.deepEqual(judged(wrong, { op: "right" }).labels, ["apple"]);
  assert.equal(verdictOf(judged(row({ guesses: [] }), { op: "right" })), "right");
});

test("with several labels, keys change the predicted ones", () => {
  const both = row({
    guesses: [
      ["apple", 0.9, null],
      ["pear", 0.7, null],
    ],
  });
  assert.deepEqual(statedLabels(both), ["apple", "pear"]);
  const less = judged(both, { op: "unlabel", label: "apple" });
  assert.deepEqual([less.labels, statedLabels(less)], [["pear"], ["pear"]]);
  assert.deepEqual(judged(less, { op: "label", label: "plum" }).labels, ["pear", "plum"]);
  assert.deepEqual(judged(judged(both, { op: "wrong" }), { op: "label", label: "plum" }).labels, [
    "apple",
    "pear",
    "plum",
  ]);
});

test("boxes stay where they are", () => {
  const right = judged(boxes, { op: "right" });
  assert.deepEqual([right.labels, right.boxes, verdictOf(right)], [[], ["apple", "pear"], "right"]);
  const other = judged(boxes, { op: "label", label: "plum" });
  assert.deepEqual(
    [other.boxes, other.outlines],
    [
      ["plum", "plum"],
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ],
    ],
  );
  assert.equal(verdictOf(other), "corrected");
  assert.equal(
    verdictOf({
      ...right,
      outlines: [
        [1, 2, 3, 9],
        [5, 6, 7, 8],
      ],
    }),
    "corrected",
  );
  assert.equal(
    verdictOf({ ...right, boxes: ["pear", "apple"], outlines: right.outlines.toReversed() }),
    "right",
  );
});

test("keys", () => {
  assert.deepEqual(
    ["Enter", "a", "Delete", "x", "Backspace", "e", "h", ".", "?"].map((key) => press(key)?.do),
    ["page right", "right", "wrong", "wrong", "wrong", "fix", "shapes", "shapes", "help"],
  );
  assert.deepEqual(press("3"), { do: "label", number: 3 });
  assert.deepEqual(
    ["0", "+", "=", "b"].map((key) => press(key)),
    [null, null, null, null],
  );
  assert.equal(press("a", { ctrlKey: true }).do, "all");
  assert.deepEqual(
    [
      press("ф", { code: "KeyA" })?.do,
      press("a", { repeat: true })?.do,
      press("Enter", { repeat: true })?.do,
    ],
    ["right", "held", "held"],
  );
  assert.ok(VERIFY_KEYS.help.length > 10);
});
