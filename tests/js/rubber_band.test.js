import assert from "node:assert/strict";
import { test } from "node:test";

import { overlapped, RubberBand } from "../../customlabels_nb/widgets/static/shared/rubber_band.js";
import { openPage } from "./fake_dom.js";

test("a rectangle selects the tiles that it touches, drawn in any direction", () => {
  const boxes = [0, 1, 2, 3, 4, 5].map((index) => ({
    left: 110 * (index % 3),
    top: 150 * Math.floor(index / 3),
    width: 100,
    height: 140,
  }));
  assert.deepEqual(overlapped(boxes, [50, 50], [120, 60]), [0, 1]);
  assert.deepEqual(overlapped(boxes, [120, 200], [50, 100]), [0, 1, 3, 4]);
  assert.deepEqual(overlapped(boxes, [101, 10], [109, 300]), []);
});

test("a press whose release was missed does not become a drag", () => {
  const body = openPage();
  Object.assign(body, {
    clientWidth: 800,
    scrollLeft: 0,
    scrollTop: 0,
    setPointerCapture: () => {},
  });
  const told = [];
  const tile = { offsetLeft: 0, offsetTop: 0, offsetWidth: 100, offsetHeight: 100 };
  new RubberBand(body, {
    tiles: () => [tile],
    begin: () => told.push("begin"),
    select: (found) => told.push(found),
    end: () => told.push("end"),
  });
  const fire = (type, x, buttons) =>
    body.fire(type, { pointerType: "mouse", button: 0, buttons, clientX: x, clientY: x });
  fire("pointerdown", 5, 1);
  fire("pointermove", 50, 0);
  fire("pointermove", 90, 1); // another button, pressed elsewhere
  assert.deepEqual(told, []);
  fire("pointerdown", 5, 1);
  fire("pointermove", 50, 1);
  fire("pointermove", 60, 0);
  fire("pointermove", 70, 0);
  assert.deepEqual(told, ["begin", [0], "end"]);
});
