import assert from "node:assert/strict";
import { test } from "node:test";

import { KeyboardBox } from "../../customlabels_nb/widgets/static/annotator/keyboard_box.js";
import { DRAWING_HELP, drawingCommand } from "../../customlabels_nb/widgets/static/annotator/keys.js";
import { SMALLEST } from "../../customlabels_nb/widgets/static/shared/geometry.js";
import { forMany, isWithin, randomPoint, randomSize } from "./random.js";

const key = (name, more = {}) => drawingCommand({ key: name, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...more });

test("keys mean what the list of keys says", () => {
  assert.deepEqual(key("3"), { do: "label", number: 3 });
  assert.deepEqual(key("b"), { do: "tool", tool: "box" });
  assert.deepEqual(key("P"), { do: "tool", tool: "polygon" }); // with Caps Lock, too
  assert.deepEqual(key("ArrowLeft"), { do: "arrow", by: [-1, 0] });
  assert.deepEqual(key("ArrowDown", { shiftKey: true }), { do: "arrow", by: [0, 10] });
  assert.deepEqual(key("Tab", { shiftKey: true }), { do: "cycle", by: -1 });
  assert.deepEqual(key("z", { ctrlKey: true }), { do: "undo" });
  assert.deepEqual(key("Z", { metaKey: true, shiftKey: true }), { do: "redo" });
  assert.deepEqual(key("y", { ctrlKey: true }), { do: "redo" });
  assert.deepEqual(key("v", { metaKey: true }), { do: "paste" });
  assert.deepEqual(key("Backspace"), { do: "remove" });
  assert.deepEqual(key("n"), { do: "status", status: "labelled" });
  assert.deepEqual(key("0"), { do: "status", status: "skipped" });
  assert.ok(DRAWING_HELP.every((row) => row.length === 2 && row.every((text) => typeof text === "string" && text)));
});

test("other keys are left to others", () => {
  for (const name of ["q", "F5", "Shift", "Control", "ä", "Dead"]) assert.equal(key(name), null);
  for (const name of ["s", "a", "f", "1", "p"]) assert.equal(key(name, { ctrlKey: true }), null); // the browser's, Lab's
  assert.equal(key("b", { altKey: true }), null);
  assert.equal(key("b", { isComposing: true }), null);
});

test("arrows place a corner, Enter, arrows draw the opposite one, Enter", () => {
  const made = new KeyboardBox();
  made.begin([50.4, 40.2], { width: 200, height: 100 });
  assert.deepEqual(made.box, { left: 50, top: 40, width: 20, height: 20 });
  made.move(10, -10);
  assert.equal(made.enter(), null);
  made.move(-5, 20);
  assert.deepEqual(made.enter(), { left: 60, top: 30, width: 15, height: 40 });
  assert.equal(made.isOn, false);
  assert.equal(made.box, null);
});

test("a box by keys stays in the image, whatever arrows do, and begins large enough to be seen", () => {
  forMany(300, (random) => {
    const size = randomSize(random);
    const made = new KeyboardBox();
    made.begin(randomPoint(random, size, 0.5), size);
    assert.ok(made.box.width >= SMALLEST && made.box.height >= SMALLEST, JSON.stringify([made.box, size]));
    for (let step = 0; step < 20; step += 1) {
      made.move(random.pick([-10, -1, 0, 1, 10]), random.pick([-10, -1, 0, 1, 10]));
      assert.ok(isWithin(made.box, size));
      if (random.next() < 0.05 && !made.sizing) made.enter();
    }
    made.cancel();
    assert.equal(made.box, null);
  });
});
