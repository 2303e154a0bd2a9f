import assert from "node:assert/strict";
import { test } from "node:test";

import {
  barAfter,
  barLength,
  captionedSlots,
  niceTicks,
  stackedSpans,
} from "../../customlabels_nb/widgets/static/shared/charts.js";
import { paceText, shareText } from "../../customlabels_nb/widgets/static/dashboard/text.js";

test("ticks are whole round numbers that reach the largest value", () => {
  assert.deepEqual(niceTicks(0), [0, 1]);
  assert.deepEqual(niceTicks(1), [0, 1]);
  assert.deepEqual(niceTicks(4), [0, 1, 2, 3, 4]);
  assert.deepEqual(niceTicks(16, 3), [0, 10, 20]);
  assert.deepEqual(niceTicks(250_000, 4), [0, 100_000, 200_000, 300_000]);
  for (let most = 1; most < 3_000; most += 7) {
    for (const wished of [2, 3, 4, 6]) {
      const ticks = niceTicks(most, wished);
      assert.ok(ticks.at(-1) >= most && ticks.at(-2) < most, `${most}: ${ticks}`);
      assert.ok(ticks.length <= wished + 2 && ticks.every(Number.isInteger), `${most}: ${ticks}`);
    }
  }
});

test("a stacked bar is as long as its room, and one in a million can be seen", () => {
  assert.deepEqual(stackedSpans([0, 0], 100), [
    [0, 0],
    [0, 0],
  ]);
  assert.deepEqual(stackedSpans([1, 1], 101), [
    [0, 50],
    [51, 50],
  ]);
  for (const values of [
    [999_999, 1, 0, 0],
    [5, 0, 3, 2],
    [1, 1, 1, 1_000_000],
    [0, 0, 7, 0],
    [1, 2, 3, 4],
  ]) {
    const spans = stackedSpans(values, 300);
    const counted = spans.filter((_, index) => values[index]);
    assert.ok(
      counted.every(([, size]) => size >= 2.9),
      JSON.stringify(spans),
    );
    const end = Math.max(...counted.map(([at, size]) => at + size));
    assert.ok(Math.abs(end - 300) < 1e-6, JSON.stringify(spans));
    spans.forEach(([, size], index) => assert.equal(size === 0, values[index] === 0));
  }
});

test("more segments than there is room for stay inside it", () => {
  const spans = stackedSpans([1, 1, 1, 1], 6);
  assert.ok(spans.at(-1)[0] + spans.at(-1)[1] <= 6 + 1e-9);
});

test("a bar is never shorter than can be seen, nor there where nothing counts", () => {
  assert.equal(barLength(0, 10, 100), 0);
  assert.equal(barLength(5, 0, 100), 0);
  assert.equal(barLength(5, 10, 100), 50);
  assert.equal(barLength(1, 1_000_000, 100), 2);
});

test("captions don't touch, and the last slot has one", () => {
  assert.deepEqual(captionedSlots(4, 400, 50), [0, 1, 2, 3]);
  assert.deepEqual(captionedSlots(24, 240, 50), [3, 8, 13, 18, 23]);
  assert.deepEqual(captionedSlots(0, 240, 50), []);
});

test("arrows lead from bar to bar and not beyond", () => {
  assert.equal(barAfter("ArrowRight", 0, 3), 1);
  assert.equal(barAfter("ArrowDown", 2, 3), null);
  assert.equal(barAfter("ArrowLeft", 0, 3), null);
  assert.equal(barAfter("End", 0, 3), 2);
  assert.equal(barAfter("Home", 2, 3), 0);
  assert.equal(barAfter("x", 1, 3), null);
});

test("shares are never rounded to all or nothing", () => {
  assert.equal(shareText(0, 0), "–");
  assert.equal(shareText(0, 5), "0 %");
  assert.equal(shareText(1, 3), "33 %");
  assert.equal(shareText(1, 1_000), "< 1 %");
  assert.equal(shareText(999, 1_000), "> 99 %");
  assert.equal(shareText(1_000, 1_000), "100 %");
  assert.equal(paceText(null), "");
  assert.equal(paceText(3.14), "3.1/h");
  assert.equal(paceText(1234.5), "1,235/h");
});
