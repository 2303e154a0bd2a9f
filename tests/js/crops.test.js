import assert from "node:assert/strict";
import { test } from "node:test";

import { indexOfBox } from "../../customlabels_nb/widgets/static/annotator/hits.js";
import {
  CROP_KEYS,
  changeToCrops,
  cropEditText,
  cropPlaceText,
  editedCrop,
  isMoved,
  isOpenCrop,
  labelsOfCrops,
  noCropsText,
  selectedCropsText,
} from "../../customlabels_nb/widgets/static/gallery/crops.js";
import { described } from "../../customlabels_nb/widgets/static/shared/chips.js";
import {
  BOX_GALLERY_KEYS,
  commandFor,
  GALLERY_KEYS,
} from "../../customlabels_nb/widgets/static/shared/keymap.js";
import { shapesOfRow } from "../../customlabels_nb/widgets/static/shared/overlay.js";
import { countChangeText } from "../../customlabels_nb/widgets/static/shared/pages.js";

const OUTLINE = Object.freeze([10, 10, 30, 20]);
const row = (change = {}) =>
  Object.freeze({
    name: "a.jpg#xywh=10,10,30,20",
    short: "a.jpg",
    crop: true,
    labels: [],
    corner: [5, 5],
    size: [40, 30],
    boxes: ["pear"],
    outlines: [OUTLINE],
    guesses: [],
    predicted: null,
    status: "unconfirmed",
    ...change,
  });
const suspect = row({ predicted: ["apple", 0.9] });
const prediction = row({
  boxes: [],
  outlines: [],
  guesses: [["apple", 0.8, OUTLINE]],
  predicted: ["apple", 0.8],
  status: "predicted",
});
const stateOf = ({ boxes, outlines, guesses, predicted, status }) => [
  boxes.join(),
  outlines.length,
  guesses.length,
  predicted?.[0] ?? null,
  status,
];

test("edits of boxes and of predictions are foreseen", () => {
  const after = (from, op, label) => stateOf(editedCrop(from, { op, label }));
  assert.deepEqual(after(suspect, "label", "fig"), ["fig", 1, 0, null, "confirmed"]);
  assert.deepEqual(after(suspect, "accept"), ["apple", 1, 0, null, "confirmed"]);
  assert.deepEqual(after(suspect, "submit"), ["pear", 1, 0, null, "confirmed"]);
  assert.deepEqual(after(prediction, "label", "fig"), ["fig", 1, 0, null, "confirmed"]);
  assert.deepEqual(after(prediction, "accept"), ["apple", 1, 0, null, "confirmed"]);
  assert.deepEqual(after(prediction, "submit"), ["apple", 1, 0, null, "confirmed"]);
  for (const from of [suspect, prediction])
    assert.equal(editedCrop(from, { op: "clear" }).status, "removed");
});

test("what an edit does not change stays the same row", () => {
  const confirmed = row({ status: "confirmed" });
  const same = [
    [confirmed, { op: "submit" }],
    [confirmed, { op: "label", label: "pear" }],
    [row(), { op: "accept" }],
    ...["label", "submit", "accept", "clear"].map((op) => [
      row({ status: "removed", predicted: ["fig", 0.5] }),
      { op, label: "fig" },
    ]),
  ];
  for (const [from, edit] of same) assert.equal(editedCrop(from, edit), from);
});

test("a page is confirmed without what was confirmed or removed before", () => {
  const statuses = ["unconfirmed", "confirmed", "predicted", "removed"];
  assert.deepEqual(
    statuses.filter((status) => isOpenCrop({ status })),
    ["unconfirmed", "predicted"],
  );
});

test("a box has another picture once it was moved, not once it was removed or relabelled", () => {
  for (const change of [{ outlines: [[11, 10, 30, 20]] }, { corner: [6, 5] }, { size: [41, 30] }])
    assert.equal(isMoved(suspect, row(change)), true);
  for (const edit of [{ op: "clear" }, { op: "label", label: "fig" }])
    assert.equal(isMoved(suspect, editedCrop(suspect, edit)), false);
  assert.equal(isMoved(prediction, editedCrop(prediction, { op: "submit" })), false);
});

test("messages, places and empty pages speak of boxes", () => {
  assert.equal(cropEditText({ op: "label", label: "fig" }, 3), "3 boxes are now “\u2068fig\u2069”");
  assert.equal(cropEditText({ op: "label", label: "fig" }, 1), "1 box is now “\u2068fig\u2069”");
  assert.equal(cropEditText({ op: "clear" }, 2), "2 boxes removed");
  assert.equal(cropEditText({ op: "submit" }, 1_032), "1,032 boxes confirmed");
  assert.equal(cropEditText({ op: "submit" }, 0), null);
  assert.equal(cropPlaceText("1–32 of 61", 61, 18), "1–32 of 61 boxes on 18 images");
  assert.equal(cropPlaceText("1–1 of 1", 1, 1), "1–1 of 1 box on 1 image");
  assert.equal(cropPlaceText("no images", 0, 0), "no boxes");
  assert.equal(selectedCropsText(1), "1 box selected");
  assert.deepEqual(noCropsText({ show: "all" }, {}), [
    "There are no boxes yet: draw some in project.annotate().",
    false,
  ]);
  const done = { confirmed: 3, unconfirmed: 0 };
  assert.deepEqual(noCropsText({ show: "unconfirmed" }, done), ["All boxes are confirmed.", true]);
  assert.deepEqual(noCropsText({ show: "all" }, done), ["No boxes match the filter.", true]);
  const news = { more: 2, whole: false, info: {} };
  assert.equal(countChangeText(news, { query: { crops: true } }), "2 boxes were added or removed.");
});

test("the selection names each label once, also predicted ones", () => {
  assert.deepEqual(labelsOfCrops([row(), prediction, suspect, row()]), ["pear", "apple"]);
});

test("boxes have notes, predictions have none", () => {
  const edit = { op: "note", note: "loose" };
  const noted = editedCrop(suspect, edit);
  assert.deepEqual(noted, { ...suspect, note: "loose" });
  assert.equal(described(noted), "pear; predicted apple; a.jpg; unconfirmed; note: loose");
  assert.equal(editedCrop(prediction, edit), prediction);
});

test("a crop is described by its label, its image and its status", () => {
  assert.equal(described(suspect), "pear; predicted apple; a.jpg; unconfirmed");
  assert.equal(described(prediction), "predicted apple; a.jpg; predicted");
  const rejected = { ...prediction, rejected: { by: "ada", reason: "too large" } };
  assert.match(described(rejected), /predicted; Rejected by .ada.: .too large.$/);
});

test("a prediction is drawn dashed until it is accepted", () => {
  const drawn = (shown) => shapesOfRow(shown, []).map(({ kind, label }) => [kind, label]);
  assert.deepEqual(drawn(prediction), [["predicted", "apple"]]);
  assert.deepEqual(drawn(editedCrop(prediction, { op: "accept" })), [["truth", "apple"]]);
});

test("E opens the annotator where there are boxes, and finds a label elsewhere", () => {
  const press = (keys) => commandFor(keys, { key: "e", code: "KeyE" });
  assert.deepEqual([CROP_KEYS, BOX_GALLERY_KEYS].map(press), [{ do: "fix" }, { do: "fix" }]);
  assert.deepEqual(press(GALLERY_KEYS), { do: "find", text: "e" });
  assert.equal(commandFor(CROP_KEYS, { key: "0" }), null); // boxes cannot be skipped
  assert.ok(CROP_KEYS.help.every(([, help]) => !/submit|image/.test(help)));
});

test("changing between images and crops keeps the filter by label", () => {
  const query = { label: "pear", queue: "manual", like: "a.jpg", show: "labelled", sort: "name" };
  const shown = { ...query, ...changeToCrops(true) };
  assert.deepEqual(shown, {
    crops: true,
    label: "pear",
    queue: null,
    like: null,
    show: "all",
    sort: "doubt",
  });
  assert.deepEqual([changeToCrops(false).crops, changeToCrops(false).sort], [false, "random"]);
});

test("the shape of a box is found in the annotator, also if it is a polygon", () => {
  const shapes = [
    { left: 10, top: 10, width: 31, height: 20 },
    { left: 10, top: 10, width: 30, height: 20 },
    {
      left: 60,
      top: 10,
      width: 30,
      height: 30,
      polygon: [
        [60, 10],
        [90, 10],
        [90, 40],
      ],
    },
  ];
  assert.equal(indexOfBox(shapes, [10.001, 10, 30, 20]), 1);
  assert.equal(indexOfBox(shapes, [60, 10, 30, 30]), 2);
  assert.equal(indexOfBox(shapes, [70, 10, 30, 30]), null);
});
