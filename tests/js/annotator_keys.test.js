import assert from "node:assert/strict";
import { test } from "node:test";

import { Commands } from "../../customlabels_nb/widgets/static/annotator/commands.js";
import { Turning } from "../../customlabels_nb/widgets/static/annotator/turning.js";
import { KeyboardBox } from "../../customlabels_nb/widgets/static/annotator/keyboard_box.js";
import { ANNOTATOR_KEYS } from "../../customlabels_nb/widgets/static/annotator/keys.js";
import { commandFor } from "../../customlabels_nb/widgets/static/shared/keymap.js";
import { SMALLEST } from "../../customlabels_nb/widgets/static/shared/geometry.js";
import { forMany, isWithin, randomPoint, randomSize } from "./random.js";

const key = (name, more = {}) =>
  commandFor(ANNOTATOR_KEYS, {
    key: name,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    altKey: false,
    ...more,
  });

test("keys mean what the list of keys says", () => {
  assert.deepEqual(key("3"), { do: "label", number: 3 });
  assert.deepEqual(key("b"), { do: "tool", tool: "box" });
  assert.deepEqual(key("P"), { do: "tool", tool: "polygon" }); // with Caps Lock, too
  assert.deepEqual(key("v"), { do: "tool", tool: "select" });
  assert.deepEqual(
    [key("F"), key("F", { shiftKey: true })],
    [{ do: "fit" }, { do: "full screen" }],
  );
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
  assert.deepEqual(key("a", { metaKey: true }), { do: "select all" });
  assert.ok(
    ANNOTATOR_KEYS.help.every(
      (row) => row.length === 2 && row.every((text) => typeof text === "string" && text),
    ),
  );
});

test("keys of other scripts count by their place", () => {
  assert.deepEqual(key("я", { code: "KeyZ", ctrlKey: true }), { do: "undo" });
  assert.deepEqual(key("с", { code: "KeyC", ctrlKey: true }), { do: "copy" });
  assert.deepEqual(key("и", { code: "KeyB" }), { do: "tool", tool: "box" });
  assert.deepEqual(key("ב", { code: "KeyC" }), null);
  assert.deepEqual(key("z", { code: "KeyY", ctrlKey: true }), { do: "undo" });
});

test("a held key repeats moves and gradual changes only", () => {
  const repeat = true;
  for (const name of ["Enter", "Delete", "a", "n", "0", "3", "h"])
    assert.deepEqual(key(name, { repeat }), { do: "held" }, name);
  for (const name of ["ArrowLeft", "Tab", "PageDown", "+", "["])
    assert.deepEqual(key(name, { repeat }), key(name), name);
  const { screen, commands } = slowScreen();
  let prevented = 0;
  const press = (more) =>
    commands.key({
      key: "n",
      target: { closest: () => null },
      preventDefault: () => {
        prevented += 1;
      },
      stopPropagation: () => {},
      ...more,
    });
  press({});
  press({ repeat });
  assert.deepEqual([screen.done, prevented], [[["labelled", 0]], 2]);
});

test("other keys are left to others", () => {
  for (const name of ["q", "F5", "Shift", "Control", "ä", "Dead"]) assert.equal(key(name), null);
  // the browser's, Lab's
  for (const name of ["s", "f", "1", "p"]) assert.equal(key(name, { ctrlKey: true }), null);
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
    assert.ok(
      made.box.width >= SMALLEST && made.box.height >= SMALLEST,
      JSON.stringify([made.box, size]),
    );
    for (let step = 0; step < 20; step += 1) {
      made.move(random.pick([-10, -1, 0, 1, 10]), random.pick([-10, -1, 0, 1, 10]));
      assert.ok(isWithin(made.box, size));
      if (random.next() < 0.05 && !made.sizing) made.enter();
    }
    made.cancel();
    assert.equal(made.box, null);
  });
});

// A screen that turns to an image only when it is told that the image came.
function slowScreen() {
  const done = [];
  const screen = {
    done,
    place: 0,
    isTurning: false,
    info: { read_only: false, labels: [{ label: "apple" }] },
    imageShapes: { shape: null, shapes: [], predictions: [], select: () => {} },
    drawing: { gesture: null, corners: null, cancel: () => false },
    outlining: { end: () => false },
    canvas: { paintSoon: () => {}, fit: () => done.push(["fit", screen.place]) },
    changes: {
      prediction: null,
      setStatus: (status) => done.push([status, screen.place]),
      chooseLabel: (label) => done.push([label, screen.place]),
    },
    notices: { drop: () => {} },
    shown: () => {},
    turn: (by) => {
      screen.next = (screen.next ?? screen.place) + by;
      screen.isTurning = true;
    },
    came: () => {
      screen.place = screen.next;
      screen.next = null;
      screen.isTurning = false;
    },
  };
  const commands = new Commands(screen);
  return { screen, commands };
}

test("keys for an image do nothing before it is shown, and others act at once", () => {
  const { screen, commands } = slowScreen();
  const nothing = { do: "status", status: "labelled" };
  const next = { do: "arrow", by: [1, 0] };
  screen.imageShapes.shape = {}; // selected on the image before
  for (const command of [{ do: "turn", by: 1 }, nothing, { do: "enter" }, next, { do: "fit" }])
    commands.run(command);
  commands.run({ do: "label", number: 1 });
  assert.deepEqual([screen.done, screen.label], [[["fit", 0]], "apple"]);
  screen.came();
  commands.run(nothing);
  assert.deepEqual(screen.done, [
    ["fit", 0],
    ["labelled", 2],
  ]);
});

test("Enter accepts what is dashed in an open image of the queue of predictions, elsewhere it only goes on", () => {
  const { screen, commands } = slowScreen();
  screen.changes.acceptAll = () => screen.done.push(["accepted", screen.place]);
  for (const [queue, wasOpen] of [
    ["prelabelled", true],
    ["prelabelled", false],
    ["manual", true],
    [null, true],
  ]) {
    screen.info.query = { queue };
    screen.imageShapes = { ...screen.imageShapes, wasOpen };
    commands.run({ do: "enter" });
    screen.came();
  }
  assert.deepEqual([screen.done, screen.place], [[["accepted", 0]], 4]);
});

test("a digit without a label says so, and Accept never goes to the next image", () => {
  const { screen, commands } = slowScreen();
  screen.changes.hint = (text) => screen.done.push(text);
  screen.changes.accept = ([{ label }]) => screen.done.push(label);
  commands.run({ do: "label", number: 2 });
  assert.equal(commands.accept(), false);
  Object.assign(screen.changes, { prediction: 3, picked: { label: "pear" } });
  assert.equal(commands.accept(), true);
  assert.deepEqual(
    [screen.done, screen.isTurning],
    [["Label 2 does not exist. Press / to type one.", "pear"], false],
  );
});

test("an image is opened after all if the list that was to replace it does not arrive", async () => {
  const screen = Object.create(Turning.prototype);
  const nothing = () => {};
  const opened = [];
  let open = nothing;
  Object.assign(screen, {
    info: { split: "train", query: {} },
    going: 0,
    canvas: {},
    commands: { cancelBox: nothing },
    drawing: { cancel: nothing },
    notices: { say: nothing, drop: nothing },
    root: { classList: { add: nothing, remove: nothing } },
    listing: { total: 2, startOf: () => 0, load: nothing, rowAt: (at) => ({ name: "ab"[at] }) },
    store: { open: (name) => new Promise((resolve) => (open = () => resolve(name))) },
    request: async (kind) => {
      if (kind === "show") throw new Error("The kernel does not respond.");
    },
    showFilmstrip: nothing,
    showCounts: nothing,
    _open: (name) => opened.push(name),
    _prepareNext: nothing,
  });
  const settled = async () => {
    for (let turn = 0; turn < 9; turn += 1) await Promise.resolve();
  };
  screen.go(1);
  screen._showAgain({ query: {} });
  for (let time = 0; time < 2; time += 1) {
    await settled();
    open();
  }
  await settled();
  assert.deepEqual([opened, screen.isTurning], [["b"], false]);
});
