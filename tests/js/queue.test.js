import assert from "node:assert/strict";
import { test } from "node:test";

import { asideOf, clusterColumns } from "../../customlabels_nb/widgets/static/gallery/queue.js";
import { decided } from "../../customlabels_nb/widgets/static/review/decisions.js";
import {
  suggestedLabels,
  suspectText,
} from "../../customlabels_nb/widgets/static/review/suspects.js";
import { edited, offeredLabels } from "../../customlabels_nb/widgets/static/shared/rows.js";

const row = (change = {}) =>
  Object.freeze({
    name: "a.jpg",
    labels: Object.freeze([]),
    boxes: [],
    predicted: null,
    prelabels: [],
    status: "unlabelled",
    ...change,
  });
const offered = row({
  predicted: ["apple", 0.95],
  prelabels: [
    ["apple", 0.95],
    ["pear", 0.9],
  ],
});

test("all prelabels of an image are accepted together", () => {
  const after = edited(offered, { op: "accept" });
  assert.deepEqual([after.labels, after.status], [["apple", "pear"], "labelled"]);
  const labelled = row({ ...offered, labels: ["fig"], status: "labelled" });
  assert.equal(edited(labelled, { op: "accept" }), labelled);
  assert.deepEqual(edited(row({ predicted: ["fig", 0.4] }), { op: "accept" }).labels, ["fig"]);
  assert.deepEqual(
    [offered, labelled, row({ predicted: ["fig", 0.4], predicted_drawn: true })].map(offeredLabels),
    [["apple", "pear"], [], []],
  );
});

test("clearing an image without labels rejects its prelabels", () => {
  const after = edited(offered, { op: "clear" });
  assert.deepEqual([after.prelabels, after.predicted, after.status], [[], null, "unlabelled"]);
  const labelled = edited(row({ ...offered, labels: ["fig"], status: "labelled" }), {
    op: "clear",
  });
  assert.deepEqual(
    [labelled.labels, labelled.status, labelled.prelabels.length],
    [[], "unlabelled", 2],
  );
});

test("what leaves a cluster page without a label was taken out, or waits", () => {
  const rows = [
    row({ name: "a", labels: ["fig"], status: "labelled" }),
    row({ name: "b" }),
    row({ name: "c" }),
    row({ name: "d", status: "skipped" }),
  ];
  assert.deepEqual(
    asideOf(rows, (index) => index !== 2),
    [["c"], ["b"]],
  );
  assert.deepEqual(
    asideOf([], () => true),
    [[], []],
  );
});

test("a cluster page has two rows of large tiles where there is space", () => {
  assert.equal(clusterColumns(9, 1096), 5); // a place is left for the hints
  assert.equal(clusterColumns(4, 1096), 3);
  assert.equal(clusterColumns(1, 1096), 2);
  assert.equal(clusterColumns(9, 700), 4);
  assert.equal(clusterColumns(100, 1500), 8);
  assert.equal(clusterColumns(9, 100), 1);
});

test("suspects are sentences", () => {
  const say = (kind, given, suggested) => suspectText([kind, given, suggested, false]);
  assert.equal(say("swapped", "lime", "lemon"), "given lime, probably lemon");
  assert.equal(say("missed", null, "lemon"), "probably missed: lemon");
  assert.match(say("spurious", "lime", null), /lime.*not there/);
  assert.match(say("badly_located", "lime", "lime"), /box of lime.*badly located/);
  assert.match(say("duplicate", "lime", null), /box of lime.*duplicate/);
  assert.match(say("new kind", "lime", null), /lime/);
});

test("a suggestion replaces, adds or removes labels of the image, never of boxes", () => {
  const suspected = (labels, ...suspects) =>
    row({ labels, suspects, status: "labelled", reviewed: false, by: [], agrees: null });
  assert.deepEqual(
    suggestedLabels(suspected(["lime", "fig"], ["swapped", "lime", "lemon", false])),
    ["fig", "lemon"],
  );
  assert.deepEqual(
    suggestedLabels(
      suspected(["lime"], ["missed", null, "fig", false], ["spurious", "lime", null, false]),
    ),
    ["fig"],
  );
  const drawn = suspected([], ["missed", null, "fig", true]);
  assert.equal(suggestedLabels(drawn), null);
  assert.equal(decided(drawn, { op: "suggest" }), drawn);
  const after = decided(suspected(["lime"], ["spurious", "lime", null, false]), { op: "suggest" });
  assert.deepEqual([after.labels, after.status, after.reviewed], [[], "unlabelled", false]);
});
