import assert from "node:assert/strict";
import { test } from "node:test";

import { commandOf } from "../../customlabels_nb/widgets/static/shared/keymap.js";

const press = (key, modifiers = {}) => commandOf({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, isComposing: false, ...modifiers });

test("digits are labels, zero skips", () => {
  for (let number = 1; number <= 9; number += 1) assert.deepEqual(press(String(number)), { do: "label", number });
  assert.deepEqual(press("0"), { do: "skip" });
});

test("arrows move, with Shift they select", () => {
  assert.deepEqual(press("ArrowLeft"), { do: "move", direction: "left", select: false });
  assert.deepEqual(press("ArrowDown", { shiftKey: true }), { do: "move", direction: "down", select: true });
});

test("undo and redo on every keyboard", () => {
  for (const modifier of ["ctrlKey", "metaKey"]) {
    assert.deepEqual(press("z", { [modifier]: true }), { do: "undo" });
    assert.deepEqual(press("Z", { [modifier]: true, shiftKey: true }), { do: "redo" });
    assert.deepEqual(press("y", { [modifier]: true }), { do: "redo" });
    assert.deepEqual(press("a", { [modifier]: true }), { do: "all" });
    assert.deepEqual(press("Enter", { [modifier]: true }), { do: "submit" });
    assert.equal(press("c", { [modifier]: true }), null); // copying text stays possible
  }
});

test("letters of any script begin the search for a label", () => {
  assert.deepEqual(press("b"), { do: "find", text: "b" });
  assert.deepEqual(press("Ö", { shiftKey: true }), { do: "find", text: "Ö" });
  assert.deepEqual(press("字"), { do: "find", text: "字" });
  assert.deepEqual(press("/"), { do: "find", text: "" });
});

test("what isn't ours is left to the page", () => {
  for (const key of ["Tab", "F5", "Shift", "Control", "Dead", "Unidentified"]) assert.equal(press(key), null);
  assert.equal(press("1", { altKey: true }), null);
  assert.equal(press("k", { isComposing: true }), null);
});
