import assert from "node:assert/strict";
import { test } from "node:test";

import { Selection } from "../../customlabels_nb/widgets/static/shared/selection.js";

const places = (selection) => [...selection.places].sort((a, b) => a - b);

test("a click selects one, a second with Ctrl adds and takes away", () => {
  const selection = new Selection();
  selection.only(3);
  selection.toggle(5);
  assert.deepEqual(places(selection), [3, 5]);
  selection.toggle(3);
  assert.deepEqual(places(selection), [5]);
  selection.only(1);
  assert.deepEqual(places(selection), [1]);
});

test("a range runs from the anchor, in both directions and across pages", () => {
  const selection = new Selection();
  selection.only(20);
  selection.extendTo(26);
  assert.deepEqual(selection.ranges(), [[20, 26]]);
  selection.extendTo(18); // the anchor stays
  assert.deepEqual(selection.ranges(), [[18, 20]]);
});

test("a range with Ctrl keeps what was selected; without an anchor it is one place", () => {
  const selection = new Selection();
  selection.extendTo(4);
  assert.deepEqual(places(selection), [4]);
  selection.toggle(9);
  selection.extendTo(11, { added: true });
  assert.deepEqual(selection.ranges(), [
    [4, 4],
    [9, 11],
  ]);
});

test("everything is remembered as such until something else is selected", () => {
  const selection = new Selection();
  selection.selectAll(7);
  assert.equal(selection.size, 7);
  assert.equal(selection.everything, true);
  selection.toggle(2);
  assert.equal(selection.everything, false);
  assert.deepEqual(selection.ranges(), [
    [0, 1],
    [3, 6],
  ]);
  selection.clear();
  assert.deepEqual(selection.ranges(), []);
  assert.equal(selection.anchor, null);
});

test("a page is covered when all of it is selected, and an empty one never", () => {
  const selection = new Selection();
  selection.addRange(24, 24);
  assert.equal(selection.covers(24, 24), true);
  assert.equal(selection.covers(23, 24), false);
  assert.equal(selection.covers(0, 0), false);
});

test("a quarter of a million places become few ranges", () => {
  const selection = new Selection();
  selection.selectAll(250_000);
  selection.toggle(100);
  assert.deepEqual(selection.ranges(), [
    [0, 99],
    [101, 249_999],
  ]);
});
