import assert from "node:assert/strict";
import { test } from "node:test";

import {
  curvePath,
  cursorAfter,
  extent,
  nearestIndex,
  niceRange,
  pointAt,
  stepsOf,
} from "../../customlabels_nb/widgets/static/training_view/curves.js";
import { RunState } from "../../customlabels_nb/widgets/static/training_view/run_state.js";
import { labelsOf, verdictOf } from "../../customlabels_nb/widgets/static/training_view/samples.js";
import {
  amountText,
  barOf,
  bestText,
  captionOf,
  clockText,
  durationText,
  figureText,
  leftText,
  phaseText,
} from "../../customlabels_nb/widgets/static/training_view/text.js";
import { forMany } from "./random.js";

const figure = (values, more = {}) => ({
  name: "loss",
  kind: "loss",
  generation: 0,
  from: 0,
  best: null,
  points: values.map((value, index) => [10 * index, index, value]),
  ...more,
});
const news = (more = {}) => ({
  title: "t",
  status: "running",
  words: "",
  kept: "",
  seconds: 1,
  left: null,
  phase: null,
  over: [],
  figures: [],
  ...more,
});

test("ranges are round, reach both ends, and stand for a single value, too", () => {
  assert.deepEqual(niceRange(0, 1), { low: 0, high: 1, ticks: [0, 0.5, 1] });
  assert.deepEqual(niceRange(0, 0.3).ticks, [0, 0.1, 0.2, 0.3]);
  assert.deepEqual(niceRange(0, 0), { low: 0, high: 1, ticks: [0, 0.5, 1] });
  assert.equal(niceRange(5, 5).low, 0);
  assert.equal(niceRange(-5, -5).high, 0);
  forMany(500, ({ between }) => {
    const [low, high] = [-(10 ** between(-3, 3)), 10 ** between(-3, 3)];
    const range = niceRange(low, high);
    assert.ok(
      range.low <= low * 0.999999 && range.high >= high * 0.999999,
      `${low} ${high}: ${range.ticks}`,
    );
    assert.ok(range.ticks.length >= 2 && range.ticks.length <= 9, `${low} ${high}: ${range.ticks}`);
    assert.ok(range.ticks.every((tick, index) => !index || tick > range.ticks[index - 1]));
  });
});

test("shares reach to 1, losses to their highest value", () => {
  assert.deepEqual(extent([figure([0.2, 0.4], { kind: "figure" })]), [0, 1]);
  assert.deepEqual(extent([figure([0.2, 0.4])]), [0, 0.4]);
  assert.deepEqual(extent([figure([-2, null, 3], { kind: "figure" })]), [-2, 3]);
  assert.deepEqual(extent([]), [0, 0]);
});

test("a curve is interrupted where there is no number, and a lonely point is a dot", () => {
  const same = (value) => value;
  const path = (values) => curvePath(figure(values).points, same, same);
  assert.equal(path([1, 2]), "M0.0 1.0L10.0 2.0");
  assert.equal(path([1]), "M0.0 1.0h0");
  assert.equal(path([1, null, 2, 3]), "M0.0 1.0h0M20.0 2.0L30.0 3.0");
  assert.equal(path([null]), "");
});

test("the step that is pointed at is the nearest one", () => {
  assert.equal(nearestIndex([], 3), -1);
  assert.deepEqual(
    [-5, 4, 5, 6, 99].map((at) => nearestIndex([0, 10, 20], at)),
    [0, 0, 0, 1, 2],
  );
  assert.deepEqual(
    stepsOf([
      figure([1, 1]),
      figure([1], {
        points: [
          [5, 0, 1],
          [10, 0, 1],
        ],
      }),
    ]),
    [0, 5, 10],
  );
  const { points } = figure([1, 2, 3]);
  assert.deepEqual(
    [-1, 0, 9, 10, 19, 99].map((step) => pointAt(points, step)[2]),
    [1, 1, 1, 2, 2, 3],
  );
  assert.equal(pointAt([], 3), null);
});

test("keys lead from step to step and not beyond", () => {
  assert.equal(cursorAfter("ArrowLeft", null, 5), 3);
  assert.equal(cursorAfter("ArrowRight", null, 5), 4);
  assert.equal(cursorAfter("ArrowLeft", 0, 5), 0);
  assert.equal(cursorAfter("PageUp", 1, 5), 4);
  assert.equal(cursorAfter("Home", 3, 5), 0);
  assert.equal(cursorAfter("End", 3, 5), 4);
  assert.equal(cursorAfter("x", 3, 5), null);
  assert.equal(cursorAfter("End", null, 0), null);
});

test("news add to what is known, and a gap is noticed", () => {
  const run = new RunState();
  assert.ok(
    run.take(
      news({
        figures: [figure([3, 2])],
        messages: {
          from: 0,
          lines: [
            [0, "a"],
            [1, "b"],
          ],
        },
      }),
    ),
  );
  assert.ok(
    run.take(
      news({
        figures: [figure([1], { from: 2, points: [[20, 2, 1]] })],
        messages: {
          from: 1,
          lines: [
            [1, "b"],
            [2, "c"],
          ],
        },
      }),
    ),
  );
  assert.deepEqual(
    run.figures.get("loss").points.map(([, , value]) => value),
    [3, 2, 1],
  );
  assert.deepEqual(
    run.messages.map(([, text]) => text),
    ["a", "b", "c"],
  );
  // the same again changes nothing
  assert.ok(
    run.take(
      news({
        figures: [figure([1], { from: 2, points: [[20, 2, 1]] })],
        messages: { from: 2, lines: [[2, "c"]] },
      }),
    ),
  );
  assert.equal(run.figures.get("loss").points.length, 3);
  assert.equal(run.messages.length, 3);
  // what was missed has to be asked for
  assert.ok(!run.take(news({ figures: [figure([1], { from: 4 })] })));
  assert.ok(!run.take(news({ messages: { from: 5, lines: [[9, "f"]] } })));
  assert.equal(run.figures.get("loss").points.length, 3);
  // thinned out: everything anew, and what comes after of the new ones only
  assert.ok(run.take(news({ figures: [figure([3, 1], { generation: 1 })] })));
  assert.equal(run.figures.get("loss").points.length, 2);
  assert.ok(!run.take(news({ figures: [figure([1], { generation: 2, from: 2 })] })));
});

test("a page that comes late begins with the messages that are left", () => {
  const run = new RunState();
  assert.ok(run.take(news({ messages: { from: 700, lines: [[9, "x"]] } })));
  assert.deepEqual([run.told, run.messages.length], [701, 1]);
  for (let index = 0; index < 800; index += 1)
    run.take(news({ messages: { from: 701 + index, lines: [[9, `${index}`]] } }));
  assert.deepEqual([run.told, run.messages.length], [1501, 500]);
});

test("samples stay until others come, with their own bytes", () => {
  const run = new RunState();
  run.take(news({ samples: { step: 3, pictures: [{ image: "a" }, { image: "b" }] } }), ["A", "B"]);
  run.take(news());
  assert.deepEqual(
    run.samples.pictures.map(({ image, data }) => image + data),
    ["aA", "bB"],
  );
  assert.equal(run.totalSteps, null);
  run.take(news({ phase: { name: "training", unit: "steps", done: 1, total: 9 }, status: "done" }));
  assert.equal(run.totalSteps, 9);
  assert.ok(run.isOver);
});

test("a picture with labels is right only with just the true ones", () => {
  const mark = (label, more = {}) => ({ label, color: "#000", box: null, ...more });
  assert.equal(verdictOf([mark("a")], [mark("a", { confidence: 0.4 })]), "right");
  assert.equal(verdictOf([mark("a")], [mark("a"), mark("b")]), "wrong");
  assert.equal(verdictOf([mark("a")], []), "wrong");
  assert.equal(verdictOf([mark("a", { box: [0, 0, 1, 1] })], []), "");
  assert.equal(verdictOf([], []), "");
  const own = labelsOf([
    mark("a", { confidence: 0.4 }),
    mark("a", { confidence: 0.9 }),
    mark("__proto__"),
  ]);
  assert.deepEqual(
    [own.get("a").count, own.get("a").confidence, own.get("__proto__").count],
    [2, 0.9, 1],
  );
});

test("the bar is there before the first phase and has no share while the total is unknown", () => {
  assert.deepEqual(barOf(null), { name: "preparing", share: null });
  assert.deepEqual(barOf({ name: "reading", done: 3, total: null }), {
    name: "reading",
    share: null,
  });
  assert.deepEqual(barOf({ name: "training", done: 3, total: 12 }), {
    name: "training",
    share: 0.25,
  });
  assert.equal(barOf({ name: "training", done: 13, total: 12 }).share, 1);
});

test("the best value names the network that was kept", () => {
  const best = { name: "held_out_log_loss", best: [1_200, 0.2314] };
  assert.equal(bestText(best, ""), "best held out log loss 0.231 at step 1,200");
  assert.equal(
    bestText(best, "discarded, the head was kept"),
    "best held out log loss 0.231 at step 1,200 · discarded, the head was kept",
  );
  assert.equal(bestText(undefined, ""), "");
});

test("times and figures read as people say them", () => {
  assert.deepEqual([0.2, 1, 59.6, 75, 3_725, -1, NaN].map(durationText), [
    "under 1 s",
    "1 s",
    "1 min 0 s",
    "1 min 15 s",
    "1 h 2 min",
    "",
    "",
  ]);
  assert.deepEqual([-3, 0.9, 1, 75, null].map(leftText), [
    "under 1 s left",
    "under 1 s left",
    "about 1 s left",
    "about 1 min 15 s left",
    "",
  ]);
  assert.equal(
    phaseText({ name: "images", done: 1_060, unit: "images", seconds: 0.2 }),
    "1,060 images",
  );
  assert.equal(
    phaseText({ name: "training", done: 20, unit: "steps", seconds: 48 }),
    "training 20 steps in 48 s",
  );
  assert.deepEqual([-1, 7.9, 760, 3_723].map(clockText), ["0:00", "0:07", "12:40", "1:02:03"]);
  assert.deepEqual([0, 0.91449, 12.3456, 0.00012, 1234.5, -0.5, null, Infinity].map(figureText), [
    "0",
    "0.914",
    "12.35",
    "1.20e-4",
    "1,235",
    "-0.500",
    "–",
    "–",
  ]);
  assert.equal(captionOf("ap50"), "AP50");
  assert.equal(captionOf("held_out_log_loss"), "held out log loss");
  assert.equal(captionOf("constructor"), "constructor");
  assert.equal(amountText({ done: 1_200, total: 2_000, unit: "steps" }), "1,200 of 2,000 steps");
  assert.equal(amountText({ done: 3, total: null, unit: "images" }), "3 images");
});
