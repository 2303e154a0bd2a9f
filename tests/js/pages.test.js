import assert from "node:assert/strict";
import { test } from "node:test";

import {
  PAGE_SIZES,
  columnsFor,
  neighbour,
  pageEnd,
  pageStart,
  positionText,
  thumbnailSize,
} from "../../customlabels_nb/widgets/static/shared/pages.js";

test("a page begins at a multiple of its size and never beyond the last", () => {
  assert.equal(pageStart(0, 24, 100), 0);
  assert.equal(pageStart(25, 24, 100), 24);
  assert.equal(pageStart(99, 24, 100), 96);
  assert.equal(pageStart(5_000, 24, 100), 96);
  assert.equal(pageStart(-3, 24, 100), 0);
  assert.equal(pageStart(48, 24, 48), 24);
  assert.equal(pageStart(7, 24, 0), 0);
});

test("every place is on exactly one page", () => {
  for (const size of PAGE_SIZES) {
    for (const total of [1, size - 1, size, size + 1, 5 * size + 2]) {
      let seen = 0;
      for (let start = 0; start < total; start += size) {
        assert.equal(pageStart(start, size, total), start);
        seen += pageEnd(start, size, total) - start;
      }
      assert.equal(seen, total);
    }
  }
});

test("the position is told in words", () => {
  assert.equal(positionText(24, 24, 1204), "25–48 of 1,204");
  assert.equal(positionText(1200, 24, 1204), "1,201–1,204 of 1,204");
  assert.equal(positionText(0, 24, 0), "no images");
});

test("arrows stay in the list", () => {
  assert.equal(neighbour(0, "left", 8, 20), null);
  assert.equal(neighbour(0, "right", 8, 20), 1);
  assert.equal(neighbour(3, "down", 8, 20), 11);
  assert.equal(neighbour(15, "down", 8, 20), null);
  assert.equal(neighbour(9, "up", 8, 20), 1);
  assert.equal(neighbour(19, "right", 8, 20), null);
});

test("columns follow the page's size and shrink with the width", () => {
  assert.equal(columnsFor(24, 1100), 8);
  assert.equal(columnsFor(100, 1100), 10);
  assert.equal(columnsFor(4, 1100), 2);
  assert.equal(columnsFor(24, 300), 2);
  assert.equal(columnsFor(24, 10), 1);
  assert.equal(columnsFor(24, 1100, 220), 5); // as chosen with the slider
  assert.equal(columnsFor(4, 1100, 100), 4);
  assert.equal(columnsFor(24, 300, 400), 1);
});

test("thumbnails come in few sizes, larger where the screen is denser", () => {
  assert.equal(thumbnailSize(130), 160);
  assert.equal(thumbnailSize(130, 2), 320);
  assert.equal(thumbnailSize(130, 5), 320);
  assert.equal(thumbnailSize(540), 640);
  assert.equal(thumbnailSize(540, 2), 1280); // four per page on a dense screen
  assert.equal(thumbnailSize(2_000), 1280);
});
