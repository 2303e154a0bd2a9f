import assert from "node:assert/strict";
import { test } from "node:test";

import { element } from "../../customlabels_nb/widgets/static/shared/dom.js";
import { besideTile, Preview } from "../../customlabels_nb/widgets/static/shared/preview.js";
import { openPage } from "./fake_dom.js";

const BOUNDS = { left: 0, top: 100, right: 900, bottom: 600 };
const AROUND = { x: 18, y: 60 };
const tileAt = (left, top, width = 110) => ({
  left,
  top,
  right: left + width,
  bottom: top + width + 40,
});

function inside(box, bounds = BOUNDS) {
  return (
    box.left >= bounds.left &&
    box.top >= bounds.top &&
    box.left + box.width <= bounds.right &&
    box.top + box.height <= bounds.bottom
  );
}

test("a preview is beside its tile and inside the visible part, wherever the tile is", () => {
  for (const full of [
    { width: 1024, height: 768 },
    { width: 300, height: 4000 },
    { width: 4000, height: 300 },
  ]) {
    for (let left = 0; left <= 790; left += 79) {
      for (const top of [40, 100, 300, 560]) {
        const tile = tileAt(left, top);
        const box = besideTile(tile, BOUNDS, full, AROUND);
        assert.ok(inside(box), JSON.stringify([tile, box]));
        assert.ok(box.left >= tile.right || box.left + box.width <= tile.left);
      }
    }
  }
});

test("without space there is no preview, unless it was asked for", () => {
  const tile = tileAt(20, 120, 860);
  assert.equal(besideTile(tile, BOUNDS, { width: 400, height: 300 }, AROUND), null);
  assert.ok(
    inside(besideTile(tile, BOUNDS, { width: 400, height: 300 }, AROUND, { anywhere: true })),
  );
});

test("a preview opens after the pointer has moved, not after tiles have moved below it", (context) => {
  openPage();
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const asked = [];
  const preview = new Preview(async ({ name }) => asked.push(name), {
    within: () => document.body,
    labels: () => [],
  });
  const tiles = ["a", "b"].map((name) => element("div", { class: "tile", data: { name } }));
  const grid = element("div", {}, ...tiles);
  preview.watch(grid, ({ target }) => ({ name: target.dataset.name }));
  const move = (tile, movementX) => tile.fire("pointermove", { pointerType: "mouse", movementX });
  const askedFor = () => {
    context.mock.timers.tick(1_000);
    return asked.splice(0).join("");
  };
  move(tiles[0], 1);
  assert.equal(askedFor(), "a");
  preview.close();
  move(tiles[1], 0); // scrolled
  assert.equal(askedFor(), "");
  move(tiles[0], 1);
  tiles[0].fire("pointerout");
  assert.equal(askedFor(), "");
  move(tiles[0], 1);
  preview.turned(["a", "c"]);
  assert.equal(askedFor(), "");
});
