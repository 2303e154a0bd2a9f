import assert from "node:assert/strict";
import { test } from "node:test";

import {
  commandFor,
  GALLERY_KEYS,
  letterOf,
} from "../../customlabels_nb/widgets/static/shared/keymap.js";

const press = (key, modifiers = {}) =>
  commandFor(GALLERY_KEYS, {
    key,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    altKey: false,
    isComposing: false,
    ...modifiers,
  });

test("digits are labels, zero skips", () => {
  for (let number = 1; number <= 9; number += 1)
    assert.deepEqual(press(String(number)), { do: "label", number });
  assert.deepEqual(press("0"), { do: "skip" });
});

test("Shift M writes a note, and M finds a label", () => {
  assert.equal(press("M", { shiftKey: true }).do, "note");
  assert.equal(press("m").do, "find");
});

test("arrows move, with Shift they select", () => {
  assert.deepEqual(press("ArrowLeft"), { do: "move", direction: "left", select: false });
  assert.deepEqual(press("ArrowDown", { shiftKey: true }), {
    do: "move",
    direction: "down",
    select: true,
  });
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

test(
  "where letters are not Latin, a shortcut is at the place of the Latin letter; else " +
    "the letter counts, wherever it is",
  () => {
    for (const [key, code, command] of [
      ["я", "KeyZ", "undo"],
      ["ф", "KeyA", "all"],
      ["ζ", "KeyZ", "undo"],
      ["ש", "KeyA", "all"],
      ["ئ", "KeyZ", "undo"],
      ["ผ", "KeyZ", "undo"],
    ]) {
      assert.deepEqual(press(key, { code, ctrlKey: true }), { do: command }, key);
    }
    assert.deepEqual(press("z", { code: "KeyY", ctrlKey: true }), { do: "undo" }); // QWERTZ
    assert.deepEqual(press("a", { code: "KeyQ", ctrlKey: true }), { do: "all" }); // AZERTY
    assert.equal(press("q", { code: "KeyA", ctrlKey: true }), null);
    assert.equal(press("ß", { code: "KeyZ", ctrlKey: true }), null);
    assert.deepEqual(
      [
        letterOf({ key: "Я", code: "KeyZ" }),
        letterOf({ key: "لا", code: "KeyB" }),
        letterOf({ key: "б", code: "Comma" }),
        letterOf({ key: "é" }),
      ],
      ["z", "b", "б", "é"],
    );
  },
);

test("moves repeat while their key is held; all else is done once, and is not left to the browser either", () => {
  const repeat = true;
  for (const key of ["Enter", " ", "Delete", "Escape", "0", "3", "+", "?", "/", ".", "b"])
    assert.deepEqual(press(key, { repeat }), { do: "held" }, key);
  for (const key of ["a", "z", "Enter"])
    assert.deepEqual(press(key, { ctrlKey: true, repeat }), { do: "held" }, key);
  for (const key of ["ArrowLeft", "ArrowDown", "PageUp"])
    assert.deepEqual(press(key, { repeat }), press(key), key);
  assert.equal(press("F5", { repeat }), null);
});

test("the help of a labelling job leaves out what has no effect there", () => {
  const keys = ({ help, jobHelp }) => [help, jobHelp].map((rows) => rows.map(([key]) => key));
  const [all, ofJobs] = keys(GALLERY_KEYS);
  assert.deepEqual(
    all.filter((key) => !ofJobs.includes(key)),
    ["+", "Shift M", "in a queue"],
  );
  assert.ok(ofJobs.includes("Delete"));
});

test("a key hides boxes, and letters do not, because they find labels", () => {
  assert.deepEqual(press("."), { do: "shapes" });
  assert.deepEqual(press("h"), { do: "find", text: "h" });
  assert.ok(GALLERY_KEYS.help.some(([keys]) => keys === "."));
});

test("letters of any script begin the search for a label", () => {
  assert.deepEqual(press("b"), { do: "find", text: "b" });
  assert.deepEqual(press("Ö", { shiftKey: true }), { do: "find", text: "Ö" });
  assert.deepEqual(press("字"), { do: "find", text: "字" });
  assert.deepEqual(press("/"), { do: "find", text: "" });
});

test("what isn't ours is left to the page", () => {
  for (const key of ["Tab", "F5", "Shift", "Control", "Dead", "Unidentified"])
    assert.equal(press(key), null);
  assert.equal(press("1", { altKey: true }), null);
  assert.equal(press("k", { isComposing: true }), null);
});
