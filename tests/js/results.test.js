import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  chooseImages,
  countedItems,
  countsOf,
  itemAt,
  itemsOf,
  mistakesOf,
  NO_FILTER,
  shortName,
  spanOf,
} from "../../customlabels_nb/widgets/static/results/choosing.js";
import {
  colorDistance,
  mistakeColor,
} from "../../customlabels_nb/widgets/static/results/colors.js";
import { areKept } from "../../customlabels_nb/widgets/static/results/controls.js";
import { gridPath } from "../../customlabels_nb/widgets/static/results/curves.js";
import {
  Engine,
  GRID,
  samePosition,
  unpackArrays,
} from "../../customlabels_nb/widgets/static/results/engine.js";
import { ImageGallery } from "../../customlabels_nb/widgets/static/results/gallery.js";
import { iou } from "../../customlabels_nb/widgets/static/shared/geometry.js";
import {
  averagePrecisions,
  bestThreshold,
  fillThresholds,
  matchBoxes,
  rivalsOf,
  takenFor,
} from "../../customlabels_nb/widgets/static/results/matching.js";
import {
  cellAfter,
  confusionsOf,
  sharesOf,
  strengthOf,
} from "../../customlabels_nb/widgets/static/results/matrix.js";
import { shapesOfItems } from "../../customlabels_nb/widgets/static/results/overlay.js";
import { strokesOf } from "../../customlabels_nb/widgets/static/shared/overlay.js";
import { sortedRows } from "../../customlabels_nb/widgets/static/results/table.js";
import { viewerPlace, zoomedView } from "../../customlabels_nb/widgets/static/results/viewer.js";
import {
  cellText,
  certainSign,
  deltaText,
  imagesText,
  certaintyText,
  intervalText,
  itemText,
  metricText,
  numberText,
  selectedImagesText,
  summaryText,
} from "../../customlabels_nb/widgets/static/results/text.js";
import { openPage } from "./fake_dom.js";
import { forMany } from "./random.js";

const labels = [
  { label: "apple", color: "#ff0000" },
  { label: "pear", color: "#00ff00" },
];

// Four images of two labels; the third shows nothing, the pear of the fourth is missed.
function multiLabel() {
  const facts = {
    task: "multi-label",
    images: ["a/1.jpg", "a/2.jpg", "b/10.jpg", "b/9.jpg"],
    labels,
    rows: ["apple", "pear"],
    columns: ["apple", "pear"],
    targets: [2, 1],
    assumed: [0.5, 0.5],
    slices: [{ column: "camera", values: [{ name: "left", start: 0, count: 2 }] }],
    groups: { suspects: [2] },
    iou_threshold: null,
  };
  const arrays = {
    confidence: Float64Array.of(0.9, 0.1, 0.4, 0.2, 0.7, 0.1, 0.8, 0.3),
    truth: Uint8Array.of(1, 0, 1, 0, 0, 0, 0, 1),
    rank: Int32Array.of(0, 1, 3, 2),
    slices: Int32Array.of(0, 2),
    fold: Uint8Array.of(0, 1, 0, 1),
    fold_thresholds: Float64Array.of(0.3, 0.3, 0.5, 0.1),
  };
  return new Engine(facts, arrays);
}

const at = (mode, more = {}) => ({ mode, one: 0.5, own: {}, iou_threshold: null, ...more });

test("a confidence that is the threshold counts, and one below it doesn't", () => {
  const engine = multiLabel();
  assert.deepEqual([...engine.state(at("one", { one: 0.4 })).tp], [2, 0]);
  assert.deepEqual([...engine.state(at("one", { one: 0.4000001 })).tp], [1, 0]);
  const state = engine.state(at("assumed"));
  assert.deepEqual(
    [[...state.tp], [...state.fp], [...state.fn]],
    [
      [1, 0],
      [2, 0],
      [1, 1],
    ],
  );
  assert.equal(state.means.f1, (2 / 5 + 0) / 2);
});

test("own thresholds stand beside assumed ones, folds have theirs", () => {
  const engine = multiLabel();
  assert.deepEqual(
    [...engine.state(at("per label", { own: { pear: 0.25, constructor: 0 } })).thresholds],
    [0.5, 0.25],
  );
  const state = engine.state(at("cross-validated"));
  assert.deepEqual([...state.thresholds], [0.4, 0.2]);
  assert.deepEqual([...state.tp], [1, 1]); // 0.4 is below the second fold's threshold, 0.3 above it
});

test("images are found by what is wrong on them, and the surest mistake comes first", () => {
  const engine = multiLabel();
  const state = engine.state(at("assumed"));
  const choose = (filter) => chooseImages(engine, state, { ...NO_FILTER, ...filter });
  assert.deepEqual(choose({}), [3, 2, 1]); // 0.8 said of a pear, 0.7 of nothing, missed with 0.4
  assert.deepEqual(choose({ show: "all", sort: "name" }), [0, 1, 3, 2]);
  assert.deepEqual(choose({ show: "all", sort: "unsure" }), [1, 2, 3, 0]); // 0.1, 0.2, and twice 0.2 or more
  assert.deepEqual(choose({ show: "fn", label: "pear" }), [3]);
  assert.deepEqual(choose({ show: "all", pair: ["pear", "apple"] }), [3]);
  assert.deepEqual(choose({ show: "all", slice: ["camera", "left"], sort: "given" }), [0, 2]);
  assert.deepEqual(choose({ show: "all", search: "A/", sort: "given" }), [0, 1]);
  assert.deepEqual(choose({ show: "all", search: "10", sort: "given" }), [2]);
  assert.deepEqual(choose({ show: "suspects" }), [2]);
  assert.deepEqual(choose({ show: "fixed" }), []);
  assert.deepEqual(countsOf(engine, engine.bits(state), { suspects: [2] }), {
    all: 4,
    mistakes: 3,
    tp: 1,
    fp: 2,
    fn: 2,
    suspects: 1,
  });
  const ofPear = countsOf(engine, engine.bits(state, 1), { suspects: [2, 3] }, true);
  assert.deepEqual(
    [ofPear.all, ofPear.suspects],
    [choose({ show: "all", label: "pear" }).length, 1],
  );
  assert.deepEqual(
    itemsOf(engine, state, 3).map(({ label, result }) => [label, result]),
    [
      [0, "fp"],
      [1, "fn"],
    ],
  );
  assert.equal(itemText(itemsOf(engine, state, 3)[1], labels), "pear (false negative) 0.30");
});

test(
  "labels that an image rightly has together are no confusion, and each cell counts " +
    "the images that it shows",
  () => {
    const facts = { ...multiLabel().facts, images: ["both", "swapped", "missed"], targets: [2, 2] };
    const arrays = {
      confidence: Float64Array.of(0.9, 0.9, 0.8, 0.1, 0.2, 0.9),
      truth: Uint8Array.of(1, 1, 0, 1, 1, 1),
      rank: Int32Array.of(0, 1, 2),
    };
    const engine = new Engine(facts, arrays);
    const state = engine.state(at("assumed"));
    // apple predicted instead of pear on one image alone
    assert.deepEqual([...engine.matrix(state).cells], [1, 0, 1, 2]);
    assert.deepEqual(
      [0, 1, 2].map((image) => engine.isWrong(state, image)),
      [false, true, true],
    );
    const { rows, columns } = facts;
    const shown = rows.flatMap((truth) =>
      columns.map(
        (predicted) =>
          chooseImages(engine, state, { ...NO_FILTER, show: "all", pair: [truth, predicted] })
            .length,
      ),
    );
    assert.deepEqual(shown, [...engine.matrix(state).images]);
  },
);

test("a cell of boxes says in how many images they are", () => {
  assert.ok(
    cellText({ task: "boxes" }, ["pear", "apple"], 12, 9).startsWith("12 boxes in 9 images"),
  );
  assert.ok(cellText({ task: "boxes" }, ["pear", "pear"], 1, 1).startsWith("1 box in 1 image:"));
  assert.ok(
    cellText({ task: "polygons" }, ["pear", "pear"], 2, 1).startsWith("2 masks in 1 image:"),
  );
  assert.ok(
    cellText({ task: "multi-label" }, ["pear", "apple"], 1200, 1200).startsWith("1,200 images:"),
  );
});

test("each prediction takes the box that it overlaps most, the most confident first", () => {
  const boxes = {
    image: new Int32Array(3),
    truth_image: new Int32Array(2),
    on_crowd: Float64Array.of(0, 0, 0.9),
    pair_prediction: Int32Array.of(0, 0, 1, 1),
    pair_truth: Int32Array.of(1, 0, 1, 0),
    pair_iou: Float64Array.of(0.8, 0.6, 0.9, 0.55),
  };
  assert.deepEqual([...matchBoxes(boxes, 0.5, 1).match], [1, 0, -1]);
  assert.deepEqual([...matchBoxes(boxes, 0.56, 1).match], [1, -1, -1]);
  assert.deepEqual([...matchBoxes(boxes, 0.5, 1).ignored], [0, 0, 1]);
  assert.deepEqual([...matchBoxes(boxes, 0.95, 1).ignored], [0, 0, 0]);
  const others = {
    other_prediction: Int32Array.of(2, 2, 1, 0),
    other_truth: Int32Array.of(0, 1, 1, 0),
    other_iou: Float64Array.of(0.4, 0.7, 0.7, 0.9),
  };
  const rivals = rivalsOf(others, 0.5, 1, Int32Array.of(0, -1, -1));
  assert.deepEqual([...rivals], [1, 2]);
  const found = takenFor(others, rivals, {
    accepted: Uint8Array.of(1, 1, 1),
    missed: Uint8Array.of(1, 1),
  });
  assert.deepEqual([...found], [-1, -1, 1]);
});

test("the best threshold lies in the middle of the widest of the best intervals", () => {
  assert.equal(bestThreshold([0.9, 0.8, 0.2], [1, 1, 0], 3, 2), 0.5);
  assert.equal(bestThreshold([0.6, 0.6], [0, 1], 2, 1), 0.3);
  assert.ok(Number.isNaN(bestThreshold([0.9], [0], 1, 4)));
  assert.ok(Number.isNaN(bestThreshold([], [], 0, 4)));
  assert.deepEqual([...fillThresholds([NaN, 0.2, 0.6], 0.5)], [0.4, 0.2, 0.6]);
  assert.deepEqual([...fillThresholds([NaN], 0.5)], [0.5]);
});

test("curves count what reaches each step, whatever a float makes of it", () => {
  forMany(60, ({ whole, next }) => {
    const count = whole(1, 40);
    const confidence = Float64Array.from({ length: count }, () =>
      next() < 0.5 ? whole(0, GRID) / GRID : next(),
    );
    const truth = Uint8Array.from({ length: count }, () => whole(0, 1));
    const targets = [truth.reduce((sum, one) => sum + one, 0)];
    const engine = new Engine(
      {
        task: "multi-label",
        images: Array(count).fill("x"),
        labels: labels.slice(0, 1),
        targets,
        assumed: [0.5],
      },
      { confidence, truth },
    );
    const { f1 } = engine.curve(null, 0);
    for (const step of [0, 1, 7, 100, 199, GRID])
      assert.equal(f1[step], engine.state(at("one", { one: step / GRID })).f1[0], `step ${step}`);
  });
});

test("arrays come from views that begin anywhere in a buffer", () => {
  const whole = new ArrayBuffer(21);
  new DataView(whole).setFloat64(5, 0.25, true);
  new DataView(whole).setInt32(13, -7, true);
  const found = unpackArrays(
    [
      ["a", "float64"],
      ["b", "int32"],
    ],
    [new DataView(whole, 5, 8), new DataView(whole, 13, 4)],
  );
  assert.deepEqual([found.a[0], found.b[0]], [0.25, -7]);
});

test("rows are sorted with what is unknown last, and equal ones as they stand", () => {
  assert.deepEqual(sortedRows([0.5, null, 0.9, 0.5], true), [2, 0, 3, 1]);
  assert.deepEqual(sortedRows([0.5, NaN, 0.9, 0.5], false), [0, 3, 2, 1]);
  assert.deepEqual(sortedRows(["b", "a", "c"], false), [1, 0, 2]);
});

test("confusions come most frequent first, shares are those of a row", () => {
  assert.deepEqual(confusionsOf(Int32Array.of(5, 1, 0, 3, 7, 2), 3), [
    [1, 0, 3],
    [1, 2, 2],
    [0, 1, 1],
  ]);
  assert.deepEqual([...sharesOf(Int32Array.of(6, 2, 0, 0, 1, 1), 3)], [0.75, 0.25, 0, 0, 0.5, 0.5]);
  assert.deepEqual([...sharesOf(Int32Array.of(6, 2, 0, 0), 2, [10, 1])], [0.6, 0.2, 0, 0]);
});

test("small shares of the matrix differ visibly", () => {
  const [none, least, some, all] = [0, 0.01, 0.12, 1].map(strengthOf);
  assert.equal(none, 0);
  assert.ok(least > 0.05 && some > 2 * least && all <= 0.5);
});

test("a curve is interrupted where nothing is accepted", () => {
  const values = new Float64Array(GRID + 1).fill(NaN);
  values[0] = values[1] = values[9] = 1;
  assert.equal(gridPath(values).match(/M/g).length, 2);
});

test("a zoom keeps the point under the pointer, and fits again at its least", () => {
  const view = zoomedView({ scale: 1, x: 0, y: 0 }, [100, 50], 2);
  assert.deepEqual(view, { scale: 2, x: -100, y: -50 });
  assert.deepEqual(zoomedView(view, [10, 10], 0), { scale: 1, x: 0, y: 0 });
  assert.equal(zoomedView(view, [0, 0], 1e9).scale, 40);
});

test("the image view fills most of the window, wherever a tall widget is scrolled", () => {
  assert.deepEqual(viewerPlace(3_000, 1_200, 1_000), { top: 1_200, height: 900 });
  assert.deepEqual(viewerPlace(3_000, 2_900, 1_000), { top: 2_100, height: 900 }); // the page scrolls
  assert.deepEqual(viewerPlace(200, 0, 1_000), { top: 0, height: 200 });
});

test("a cell or counter opens as crops with its kind of mistake and its labels", () => {
  const kinds = (filter) =>
    mistakesOf({ ...NO_FILTER, ...filter }, "none").map(({ mistake, label, predicted }) =>
      [mistake, label ?? "", predicted ?? ""].join(),
    );
  assert.deepEqual(kinds({ pair: ["none", "pear"] }), ["false positives,none,pear"]);
  assert.deepEqual(kinds({ pair: ["pear", "none"] }), ["false negatives,pear,none"]);
  assert.deepEqual(kinds({ pair: ["apple", "pear"] }), ["wrong label,apple,pear"]);
  assert.deepEqual(kinds({ pair: ["pear", "pear"] }), []);
  assert.deepEqual(kinds({ show: "tp" }), []);
  assert.deepEqual(kinds({ show: "fn", label: "pear" }), [
    "false negatives,pear,",
    "wrong label,pear,",
  ]);
  assert.deepEqual(kinds({ show: "fp", label: "pear" }), [
    "false positives,,pear",
    "wrong label,,pear",
    "badly placed,pear,",
  ]);
  assert.deepEqual(kinds({ label: "pear" }), [
    "false positives,,pear",
    "false negatives,pear,",
    "wrong label,pear,",
    "badly placed,pear,",
  ]);
});

test("the boxes that a cell or counter counts are pointed out", () => {
  const items = [
    { id: "found", label: 0, result: "tp", truthAt: 0 },
    { id: "taken for an apple", label: 1, result: "fp", takenFor: 0, takenAt: 1 },
    { id: "nowhere", label: 1, result: "fp" },
    { id: "missed as pear", label: 0, result: "fn", truthAt: 1 },
    { id: "missed", label: 0, result: "fn", truthAt: 2 },
  ];
  const ids = (filter) =>
    countedItems(items, { ...NO_FILTER, ...filter }, ["apple", "pear", "none"]).map(({ id }) => id);
  assert.deepEqual(ids({ pair: ["none", "pear"] }), ["nowhere"]);
  assert.deepEqual(ids({ pair: ["apple", "none"] }), ["missed"]);
  assert.deepEqual(ids({ pair: ["apple", "pear"] }), ["taken for an apple", "missed as pear"]);
  assert.deepEqual(ids({ pair: ["apple", "apple"] }), []);
  assert.deepEqual(ids({ show: "fp" }), ["taken for an apple", "nowhere"]);
  assert.deepEqual(ids({ show: "fn", label: "pear" }), []);
  assert.deepEqual(ids({}), []); // all mistakes have a color of their own
});

test("arrow keys lead from cell to cell of the matrix and not beyond", () => {
  assert.deepEqual(
    ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End", "x"].map((key) =>
      cellAfter(key, [1, 0], 3, 3),
    ),
    [[0, 0], [2, 0], null, [1, 1], [1, 0], [1, 2], null],
  );
  assert.deepEqual(cellAfter("ArrowRight", [1, 1], 2, 3), [1, 2]); // "(no answer)"
  assert.equal(cellAfter("ArrowDown", [1, 1], 2, 3), null);
});

test("positions are the same if they give the same predictions", () => {
  assert.ok(samePosition(at("assumed"), at("assumed", { one: 0.9, own: { pear: 0.1 } })));
  assert.ok(!samePosition(at("one"), at("one", { one: 0.9 })));
  assert.ok(!samePosition(at("assumed"), at("assumed", { iou_threshold: 0.5 })));
  assert.ok(!samePosition(at("per label"), at("per label", { own: { pear: 0.1 } })));
});

test("boxes of one look are one stroke, truth below predictions, what is wrong apart", () => {
  const box = { left: 1, top: 2, width: 3, height: 4 };
  const items = [
    { label: 0, result: "fp", confidence: 0.8, box },
    { label: 0, result: "tp", confidence: 0.9, box, truth: box },
    { label: 1, result: "fn", confidence: 0, truth: box },
    { label: 0, result: "tp", confidence: 0.7, box, truth: box },
  ];
  const strokes = strokesOf(shapesOfItems(items, labels));
  assert.deepEqual(
    strokes.map(({ kind, isWrong }) => [kind, isWrong]),
    [
      ["truth", false],
      ["truth", true],
      ["predicted", true],
      ["predicted", false],
    ],
  );
  assert.equal(strokes[0].outline, "M1 2h3v4h-3ZM1 2h3v4h-3Z");
});

test("numbers are said as people read them", () => {
  assert.deepEqual([1234567, 999, 0, 1000].map(numberText), ["1,234,567", "999", "0", "1,000"]);
  assert.deepEqual([0.0804, -0.25, 0, null].map(deltaText), ["+0.080", "−0.250", "±0.000", ""]);
  assert.equal(intervalText([0.821, 1]), "[0.82, 1.00]");
  assert.equal(intervalText([null, null]), "");
  assert.match(certaintyText([1, 1], 30), /^No mistakes .* 30 test images\. .* about 10% of new/);
  assert.deepEqual([certaintyText([0.9, 1], 30), certaintyText([1, 1], 301)], ["", ""]);
  assert.equal(metricText(NaN), "–");
  assert.equal(imagesText(1), "1 image");
  assert.equal(selectedImagesText(["a.jpg"]), "1 selected image");
  assert.equal(selectedImagesText(["a.jpg", "b.jpg"]), "2 selected images");
  assert.equal(shortName("s3://bucket/a/b.jpg"), "b.jpg");
  assert.equal(shortName("images/leaf-59c0bf0eca5f137f.jpg"), "leaf.jpg");
  assert.deepEqual(spanOf(Int32Array.of(0, 0, 2, 2, 2, 5), 2), [2, 5]);
  assert.deepEqual(spanOf(Int32Array.of(0, 0, 2), 1), [2, 2]);
});

test("average precision is that of COCO", () => {
  const boxes = {
    by_label: Int32Array.of(0, 1, 2, 3),
    image: Int32Array.of(0, 0, 1, 1),
    label: Int32Array.of(0, 0, 0, 1),
  };
  const found = averagePrecisions(
    boxes,
    { match: Int32Array.of(0, -1, 1, -1), ignored: Uint8Array.of(0, 0, 0, 0) },
    [2, 0],
  );
  assert.ok(Math.abs(found.average[0] - (51 + (50 * 2) / 3) / 101) < 1e-12);
  assert.deepEqual([found.recall[0], found.average[1], found.recall[1]], [1, 0, 0]);
});

test("the color of mistakes is far from each label color", () => {
  assert.equal(mistakeColor([]), "#e5252a");
  assert.equal(mistakeColor(["#2f7fc1", "#3a9a5b"]), "#e5252a");
  for (const red of ["#e5252a", "#ff0000", "#c8553d"])
    assert.ok(colorDistance(mistakeColor([red]), red) >= 0.24, red);
  const palette = readFileSync(
    new URL("../../customlabels_nb/core/colors.py", import.meta.url),
    "utf8",
  )
    .match(/PALETTE = \(([^)]*)\)/)[1]
    .match(/#\w{6}/g);
  assert.equal(palette.length, 20);
  for (let count = 1; count <= 20; count += 1)
    assert.equal(mistakeColor(palette.slice(0, count)), "#ff0050");
  for (const color of palette) assert.ok(colorDistance("#ff0050", color) > 0.25, color);
  assert.equal(mistakeColor(["red", "url(x)"]), "#e5252a");
});

test("a box has its IoU, and the smallest box under the pointer is found", () => {
  const box = (left, top, width, height) => ({ left, top, width, height });
  assert.equal(iou(box(0, 0, 10, 10), box(5, 0, 10, 10)), 1 / 3);
  assert.equal(iou(box(0, 0, 10, 10), box(20, 20, 1, 1)), 0);
  const items = [{ box: box(0, 0, 100, 100) }, { truth: box(10, 10, 20, 20) }];
  assert.equal(itemAt(items, 15, 15), items[1]);
  assert.equal(itemAt(items, 50, 50), items[0]);
  assert.equal(itemAt(items, 101, 50), null);
  assert.equal(
    itemText({ label: 0, result: "fp", confidence: 0.5, iou: 0.42 }, labels),
    "apple (false positive) 0.50 · IoU\u00a00.42",
  );
  assert.equal(
    itemText({ label: 0, result: "fp", confidence: 0, iou: 0.001 }, labels),
    "apple (false positive) 0.00",
  );
  assert.equal(
    itemText({ label: 0, result: "fn", confidence: 0, iou: 0 }, labels),
    "apple (false negative)",
  );
  assert.equal(summaryText({ tp: 13, fn: 5, fp: 5 }), "13 right · 5 missed · 5 false");
});

test("a change is certain if its interval excludes zero", () => {
  assert.deepEqual(
    [
      [0.1, 0.2],
      [-0.2, -0.1],
      [-0.1, 0.2],
      [0, 0.1],
      [null, null],
    ].map(([low, high]) => certainSign({ low, high })),
    [1, -1, 0, 0, 0],
  );
});

test("a decision can be saved once it differs from the model's", () => {
  const kept = { apple: 0.5, pear: 0.25, gone: 0.9 };
  const [same, other] = [
    [0.5, 0.25],
    [0.5, 0.3],
  ].map((thresholds) => ({ thresholds }));
  const top = { isTop: true, thresholds: [NaN, NaN] };
  assert.deepEqual(
    [same, other, top].map((state) => areKept(labels, state, kept)),
    [true, false, false],
  );
  assert.deepEqual(
    [same, top].map((state) => areKept(labels, state, "most confident")),
    [false, true],
  );
});

test("the most confident label of each image is what counts without thresholds", () => {
  const facts = {
    task: "single-label",
    images: ["a", "b"],
    labels,
    rows: ["apple", "pear"],
    columns: ["apple", "pear", "(no answer)"],
    targets: [2, 0],
    assumed: [0.5, 0.5],
  };
  const arrays = {
    confidence: Float64Array.of(0.6, 0.4, 0.1, 0.2),
    truth: Uint8Array.of(1, 0, 1, 0),
    true_label: Int32Array.of(0, 0),
  };
  const engine = new Engine(facts, arrays);
  const state = engine.state(at("most confident"));
  assert.deepEqual(
    [[...state.tp], [...state.fp], [...state.fn]],
    [
      [1, 0],
      [0, 1],
      [1, 0],
    ],
  );
  assert.deepEqual(chooseImages(engine, state, NO_FILTER), [1]);
  assert.deepEqual([...engine.matrix(state).cells], [1, 1, 0, 0]);
  assert.ok(Number.isNaN(state.means.threshold));
  const assumed = engine.state(at("assumed")); // the second image reaches no threshold
  assert.deepEqual([...engine.matrix(assumed).cells], [1, 0, 1, 0, 0, 0]);
  assert.deepEqual(
    chooseImages(engine, assumed, { ...NO_FILTER, show: "all", pair: ["apple", "(no answer)"] }),
    [1],
  );
  assert.equal(
    cellText(facts, ["apple", "(no answer)"], 1, 1),
    "1 image: \u2068apple\u2069 without an answer",
  );
});

test("answers are those of the models: the cases of Python's tests", () => {
  const cases = JSON.parse(
    readFileSync(new URL("../decision_cases.json", import.meta.url), "utf8"),
  );
  for (const { confidences, thresholds, answers, counted } of cases) {
    const names = confidences.map((_, index) => ({ label: String(index), color: "#ff0000" }));
    const facts = {
      task: "single-label",
      images: ["a"],
      labels: names,
      targets: names.map(() => 0),
    };
    const arrays = {
      confidence: Float64Array.from(confidences),
      truth: new Uint8Array(names.length),
      true_label: Int32Array.of(-1),
    };
    const engine = new Engine({ ...facts, assumed: thresholds ?? [] }, arrays);
    const state = engine.state(at(thresholds ? "assumed" : "most confident"));
    const items = itemsOf(engine, state, 0).filter(({ result }) => result === "fp");
    const found = { answers: items.map(({ label }) => label), counted: state.answer[0] };
    assert.deepEqual(found, { answers, counted: counted ?? -1 }, JSON.stringify(confidences));
  }
});

test("masks have their polygons, the IoU of the kernel, and a path of their own", () => {
  const facts = {
    task: "polygons",
    images: ["1.jpg"],
    labels,
    rows: ["apple", "pear", "background"],
    columns: ["apple", "pear", "background"],
    targets: [2, 0],
    test_images: [1, 0],
    slices: [],
    groups: {},
    iou_threshold: 0.5,
    least_iou_threshold: 0.05,
    whole: 1,
    fallback: 0.5,
  };
  const [boxes, square] = [Float32Array.of(0, 0, 9, 9, 20, 0, 9, 9), [0, 0, 9, 0, 9, 9, 0, 9]];
  const arrays = {
    rank: Int32Array.of(0),
    slices: new Int32Array(0),
    image: Int32Array.of(0, 0),
    label: Int32Array.of(0, 0),
    confidence: Float64Array.of(0.9, 0.8),
    box: boxes,
    on_crowd: new Float64Array(2),
    by_label: Int32Array.of(0, 1),
    truth_image: Int32Array.of(0, 0),
    truth_label: Int32Array.of(0, 0),
    truth_crowd: new Uint8Array(2),
    truth_box: boxes,
    pair_prediction: Int32Array.of(0, 1),
    pair_truth: Int32Array.of(0, 1),
    pair_iou: Float64Array.of(0.75, 0.25),
    other_prediction: new Int32Array(0),
    other_truth: new Int32Array(0),
    other_iou: new Float64Array(0),
    polygon_end: Int32Array.of(2, 2),
    ring_end: Int32Array.of(4, 7),
    points: Float32Array.of(...square, 2, 2, 4, 2, 4, 4),
    truth_polygon_end: Int32Array.of(1, 2),
    truth_ring_end: Int32Array.of(4, 7),
    truth_points: Float32Array.of(...square, 20, 0, 29, 0, 29, 9),
  };
  const engine = new Engine(facts, arrays);
  const items = itemsOf(engine, engine.state(at("one", { one: 0.5, iou_threshold: 0.5 })), 0);
  assert.deepEqual(items.map(({ result, iou }) => [result, iou]).sort(), [
    ["fn", 0.25],
    ["fp", 0.25],
    ["tp", 0.75],
  ]);
  const [hit] = items;
  assert.deepEqual(hit.box.polygon, [
    [
      [0, 0],
      [9, 0],
      [9, 9],
      [0, 9],
    ],
    [
      [2, 2],
      [4, 2],
      [4, 4],
    ],
  ]);
  assert.equal(items.find(({ result }) => result === "fp").box.polygon, undefined); // a box without a polygon
  assert.deepEqual([itemAt(items, 8, 8), itemAt(items, 3.5, 2.5)], [hit, null]); // the hole
  const strokes = strokesOf(shapesOfItems(items, labels));
  assert.deepEqual(
    strokes.filter(({ isMask }) => isMask).map(({ kind }) => kind),
    ["truth", "truth", "predicted"],
  );
  assert.equal(
    strokes.find(({ kind, isMask }) => kind === "predicted" && isMask).outline,
    "M0 0L9 0L9 9L0 9ZM2 2L4 2L4 4Z",
  );
});

test("thumbnails of an evaluation are not shown at the numbers of another", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  openPage();
  const held = [];
  const source = {
    thumbs: (images) =>
      new Promise((resolve) => {
        held.push(() => resolve(images.map(() => ({}))));
      }),
  };
  const gallery = new ImageGallery({ source });
  gallery.paint = () => {};
  const engineOf = (images) => ({ facts: { images, labels } });
  const ask = async () => {
    gallery._ask([0, 1]);
    context.mock.timers.tick(100);
    await Promise.resolve();
  };
  const answer = async () => {
    held.pop()();
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    return [...gallery.pictures.keys()];
  };
  gallery.build(engineOf(["a", "b"]));
  await ask();
  assert.deepEqual(await answer(), [0, 1]);
  gallery.build(engineOf(["a", "b"]));
  assert.equal(gallery.pictures.size, 2);
  gallery.build(engineOf(["b", "c"]));
  assert.equal(gallery.pictures.size, 0);
  await ask();
  gallery.build(engineOf(["c", "d"]));
  assert.deepEqual(await answer(), []);
});

test("thumbnails that could not be loaded are asked for again, ever more rarely", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  openPage();
  let [asked, isGone] = [0, true];
  const source = {
    thumbs: async (images) => {
      asked += 1;
      if (isGone) throw new Error("The kernel does not respond.");
      return images.map(() => ({}));
    },
  };
  const gallery = new ImageGallery({ source });
  gallery.paint = () => gallery._ask([0, 1]);
  gallery.paint();
  const pass = async (seconds) => {
    for (let at = 0; at < 100 * seconds; at += 1) {
      context.mock.timers.tick(10);
      for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    }
  };
  await pass(10);
  assert.ok(asked >= 3 && asked <= 10, asked);
  isGone = false;
  await pass(31);
  assert.deepEqual([...gallery.pictures.keys()], [0, 1]);
  const before = asked;
  await pass(1);
  assert.equal(asked, before);
});
