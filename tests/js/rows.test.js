import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { edited, findLabels, labelOp } from "../../customlabels_nb/widgets/static/shared/rows.js";

const row = (change = {}) => ({
  name: "a.jpg",
  labels: [],
  boxes: [],
  predicted: null,
  findings: [],
  status: "unlabelled",
  revision: 1,
  ...change,
});

test("taking the last label away makes it unlabelled, unless there are boxes", () => {
  const labelled = row({ labels: ["apple"], status: "labelled" });
  assert.equal(edited(labelled, { op: "unlabel", label: "apple" }).status, "unlabelled");
  assert.equal(edited({ ...labelled, boxes: ["cat"] }, { op: "clear" }).status, "labelled");
});

test("an edit that changes nothing returns the same row", () => {
  for (const same of [row(), row({ boxes: ["cat"], status: "labelled" })]) {
    for (const edit of [{ op: "clear" }, { op: "unlabel", label: "apple" }, { op: "accept" }])
      assert.equal(edited(same, edit), same);
  }
  const confirmed = row({ labels: ["apple"], status: "labelled" });
  assert.equal(edited(confirmed, { op: "label", label: "apple" }, { alone: true }), confirmed);
  assert.equal(edited(row({ status: "skipped" }), { op: "clear" }).status, "unlabelled");
});

test("submitting skips what has no label and leaves the rest", () => {
  assert.equal(edited(row(), { op: "submit" }).status, "skipped");
  const review = row({ status: "needs_review" });
  assert.equal(edited(review, { op: "submit" }), review);
  const boxed = row({ boxes: ["cat"] });
  assert.equal(edited(boxed, { op: "submit" }), boxed);
});

test("an image is skipped without its labels, or not at all", () => {
  const skip = { op: "status", status: "skipped" };
  assert.equal(edited(row(), skip).status, "skipped");
  for (const kept of [
    row({ labels: ["apple"], status: "labelled" }),
    row({ boxes: ["cat"], status: "needs_review" }),
  ]) {
    assert.equal(edited(kept, skip), kept);
    const after = edited(kept, { ...skip, remove_labels: true });
    assert.deepEqual([after.status, after.labels, after.boxes], ["skipped", [], []]);
    assert.equal(edited(kept, { op: "status", status: "needs_review" }).labels, kept.labels);
  }
});

test("a prediction is accepted where no label is", () => {
  assert.deepEqual(edited(row({ predicted: ["pear", 0.8] }), { op: "accept" }).labels, ["pear"]);
  const own = row({ predicted: ["pear", 0.8], labels: ["apple"] });
  assert.equal(edited(own, { op: "accept" }), own);
  const none = row();
  assert.equal(edited(none, { op: "accept" }), none);
  const box = row({ predicted: ["pear", 0.8], predicted_drawn: true }); // which is no label of the whole image
  assert.equal(edited(box, { op: "accept" }), box);
});

test("a note changes nothing else of a row", () => {
  const row = { name: "a", labels: ["cat"], boxes: [], status: "labelled", note: "" };
  assert.deepEqual(edited(row, { op: "note", note: "?" }), { ...row, note: "?" });
});

test("rows are never changed in place", () => {
  const before = Object.freeze(row({ labels: Object.freeze(["apple"]) }));
  for (const edit of [
    { op: "label", label: "x" },
    { op: "unlabel", label: "apple" },
    { op: "clear" },
    { op: "status", status: "skipped" },
  ])
    edited(before, edit);
});

for (const { name, alone, before, key, after } of JSON.parse(
  readFileSync(new URL("../labeling/label_keys.json", import.meta.url)),
)) {
  test(`as in tests/labeling/test_session.py: ${name}`, () => {
    const rows = before.map((labels) =>
      row({ labels, status: labels.length ? "labelled" : "unlabelled" }),
    );
    const edit = { op: labelOp(rows, key, { alone }), label: key };
    const found = rows.map((each) => edited(each, edit, { alone }));
    assert.deepEqual(
      found.map(({ labels }) => labels),
      after,
    );
    assert.deepEqual(
      found.map(({ status }) => status),
      after.map((labels) => (labels.length ? "labelled" : "unlabelled")),
    );
  });
}

test("labels are found by any part of the name, those that begin with it first", () => {
  const labels = ["crab apple", "Apple", "pear"].map((label) => ({ label }));
  assert.deepEqual(
    findLabels(labels, " app").map(({ label }) => label),
    ["Apple", "crab apple"],
  );
  assert.equal(findLabels(labels, "").length, 3);
  const alike = ["carrot", "Car", "car", "scar"].map((label) => ({ label }));
  assert.deepEqual(
    findLabels(alike, "car").map(({ label }) => label),
    ["car", "Car", "carrot", "scar"],
  );
});

// The kernel is compared with the same cases in tests/widgets/test_edit_cases.py.
test("every edit in every state is foreseen as the kernel stores it", () => {
  const cases = JSON.parse(readFileSync(new URL("../widgets/edit_cases.json", import.meta.url)));
  assert.deepEqual(Object.keys(cases), ["single-label", "multi-label"]);
  for (const [task, list] of Object.entries(cases)) {
    assert.ok(list.length >= 60);
    for (const [before, edit, after] of list) {
      const { labels, status } = edited(row(before), edit, { alone: task === "single-label" });
      assert.deepEqual({ labels, status }, after, JSON.stringify([task, before, edit]));
    }
  }
});

test("clearing keeps what a person rejected, which is not the prelabel of a model", () => {
  const row = { name: "a", labels: [], boxes: [], status: "unlabelled", prelabels: [["fig", 1]] };
  const rejected = { by: "ann", reason: "" };
  assert.deepEqual(edited(row, { op: "clear" }).prelabels, []);
  assert.equal(edited({ ...row, rejected }, { op: "clear" }).prelabels?.length, 1);
});
