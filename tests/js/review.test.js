import assert from "node:assert/strict";
import { test } from "node:test";

import { commandFor } from "../../customlabels_nb/widgets/static/shared/keymap.js";
import {
  agreesWith,
  correctable,
  countIn,
  decided,
  rejectQuestion,
  whenSaid,
} from "../../customlabels_nb/widgets/static/review/decisions.js";
import { REVIEW_KEYS } from "../../customlabels_nb/widgets/static/review/keys.js";

const row = (change = {}) =>
  Object.freeze({
    name: "a.jpg",
    labels: Object.freeze(["apple"]),
    boxes: Object.freeze([]),
    predicted: null,
    findings: [],
    status: "labelled",
    revision: 1,
    by: ["anna"],
    when: "2024-05-01T10:00:00+00:00",
    reviewed: false,
    agrees: null,
    ...change,
  });
const press = (key, modifiers = {}) =>
  commandFor(REVIEW_KEYS, {
    key,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    altKey: false,
    isComposing: false,
    ...modifiers,
  });

test("approving is for what is labelled", () => {
  const after = decided(row({ status: "needs_review" }), { op: "approve" });
  assert.deepEqual([after.status, after.reviewed, after.labels], ["labelled", true, ["apple"]]);
  const bare = row({ status: "unlabelled", labels: [] });
  assert.equal(decided(bare, { op: "approve" }), bare);
});

test("rejecting leaves nothing", () => {
  const after = decided(
    row({ boxes: ["pear"], reviewed: true, predicted: ["apple", 0.9], agrees: true }),
    { op: "reject" },
  );
  assert.deepEqual(
    [after.labels, after.boxes, after.status, after.reviewed, after.agrees],
    [[], [], "unlabelled", false, false],
  );
});

test("a correction takes the place of one label or stands beside others", () => {
  const labels = (start, edit, options) =>
    decided(row(start), { op: "label", ...edit }, options).labels;
  assert.deepEqual(labels({}, { label: "pear" }, { alone: true }), ["pear"]);
  assert.deepEqual(labels({}, { label: "pear" }), ["apple", "pear"]);
  assert.deepEqual(labels({ labels: ["apple", "fig"] }, { label: "pear", instead_of: "apple" }), [
    "fig",
    "pear",
  ]);
  assert.deepEqual(labels({ labels: ["fig"] }, { label: "pear", instead_of: "apple" }), [
    "fig",
    "pear",
  ]);
  assert.deepEqual(labels({ labels: ["apple", "pear"] }, { label: "pear", instead_of: "apple" }), [
    "pear",
  ]);
  assert.deepEqual(labels({}, { label: "apple", instead_of: "apple" }), ["apple"]);
});

test("shapes follow a correction, and an image of shapes gets no label of its own", () => {
  const after = (start, edit) => {
    const { labels, boxes } = decided(row({ labels: [], ...start }), { op: "label", ...edit });
    return [labels, boxes];
  };
  assert.deepEqual(after({ boxes: ["apple", "apple"] }, { label: "pear" }), [[], ["pear", "pear"]]);
  assert.deepEqual(after({ boxes: ["apple", "fig"] }, { label: "pear", instead_of: "apple" }), [
    [],
    ["pear", "fig"],
  ]);
  assert.deepEqual(
    after({ labels: ["apple"], boxes: ["apple"] }, { label: "pear", instead_of: "apple" }),
    [["pear"], ["pear"]],
  );
});

test("taking the last label away ends the review of the image", () => {
  assert.equal(
    decided(row({ labels: ["apple", "pear"] }), { op: "unlabel", label: "pear" }).reviewed,
    true,
  );
  const bare = decided(row(), { op: "unlabel", label: "apple" });
  assert.deepEqual([bare.status, bare.reviewed], ["unlabelled", false]);
});

test("whether the model agrees follows the label", () => {
  assert.equal(agreesWith(row()), null);
  const wrong = row({ predicted: ["pear", 0.8], agrees: false });
  assert.equal(decided(wrong, { op: "label", label: "pear" }, { alone: true }).agrees, true);
});

test("a predicted box corrects shapes, and never the whole image", () => {
  const said = (change) => correctable(row({ predicted: ["pear", 0.8], agrees: false, ...change }));
  assert.equal(said({}), true);
  assert.equal(said({ agrees: true }), false);
  assert.equal(said({ predicted: null }), false);
  const drawn = { predicted_drawn: true };
  assert.equal(said(drawn), false);
  assert.equal(said({ ...drawn, labels: [] }), false);
  assert.equal(said({ ...drawn, labels: ["apple"], boxes: ["apple"] }), false);
  assert.equal(said({ ...drawn, labels: [], boxes: ["apple"] }), true);
});

test("the progress counts what is left by label", () => {
  const progress = { left: 0, done: 0, by_label: {} };
  const rows = [
    row(),
    row({ labels: [], boxes: ["pear", "pear"] }),
    row({ labels: [] }),
    row({ status: "unlabelled", labels: [] }),
  ];
  for (const own of rows) countIn(progress, own, 1);
  assert.deepEqual(progress, { left: 3, done: 0, by_label: { apple: 1, pear: 1, "": 1 } });
  countIn(progress, rows[0], -1);
  countIn(progress, decided(rows[0], { op: "approve" }), 1);
  assert.deepEqual(progress, { left: 2, done: 1, by_label: { apple: 0, pear: 1, "": 1 } });
});

test("letters decide, only the slash begins the search", () => {
  for (const key of ["Enter", "a", "A"]) assert.deepEqual(press(key), { do: "approve" });
  for (const key of ["h", "H", "."]) assert.deepEqual(press(key), { do: "shapes" });
  for (const key of ["Delete", "Backspace", "x", "X"])
    assert.deepEqual(press(key), { do: "reject" });
  assert.deepEqual(press("3"), { do: "label", number: 3 });
  assert.deepEqual(press("/"), { do: "find", text: "" });
  assert.deepEqual(press("a", { ctrlKey: true }), { do: "all" });
  assert.deepEqual(press("z", { metaKey: true }), { do: "undo" });
  for (const key of ["b", "ä", "0", "Tab", "x"].slice(0, 4)) assert.equal(press(key), null);
  assert.equal(press("x", { ctrlKey: true }), null); // cutting text stays possible
  assert.equal(press("a", { isComposing: true }), null);
  assert.ok(REVIEW_KEYS.help.every(([keys, what]) => keys && what));
});

test("times are said as people do", () => {
  const now = new Date("2024-05-02T12:00:00");
  const before = (minutes) => new Date(now - minutes * 60_000).toISOString();
  assert.deepEqual(
    [0, 5, 59, 60, 300].map((minutes) => whenSaid(before(minutes), now)),
    ["just now", "5 min ago", "59 min ago", "1 h ago", "5 h ago"],
  );
  assert.equal(whenSaid(before(60 * 24), now), "2024-05-01");
  assert.equal(whenSaid("no date", now), "");
});

test("a held key decides once, and letters are those of a Latin keyboard", () => {
  assert.equal(press("a", { repeat: true })?.do === "approve", false);
  assert.equal(press("Enter", { repeat: true }).do, "held");
  assert.deepEqual(press("ф", { code: "KeyA" }), { do: "approve" });
});

test("rejecting and removing are separate keys, and shapes are edited by a letter", () => {
  for (const key of ["Delete", "X"])
    assert.deepEqual(press(key, { shiftKey: true }), { do: "remove" });
  assert.deepEqual(press("e"), { do: "fix" });
  const removed = decided(row({ boxes: ["pear"], reviewed: true }), { op: "remove" });
  assert.deepEqual([removed.labels, removed.boxes, removed.status], [[], [], "unlabelled"]);
});

test("the reasons to reject fit the task", () => {
  const reasons = (task, alone = true) => rejectQuestion({ task, alone }, 1).reasons;
  assert.ok(reasons("boxes").includes("box is loose"));
  assert.ok(reasons("multi-label").includes("label missing"));
  assert.equal(reasons("single-label").includes("label missing"), false);
  assert.deepEqual(reasons(null), reasons("single-label"));
  assert.deepEqual(reasons(null, false), reasons("multi-label"));
  assert.equal(rejectQuestion({ task: "boxes" }, 1200).title, "Reject 1,200 images");
});
