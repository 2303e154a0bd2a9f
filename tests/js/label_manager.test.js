import assert from "node:assert/strict";
import { test } from "node:test";

import {
  after,
  changed,
  dropPlace,
  quoted,
  reordered,
  someOf,
  stepBefore,
  usesText,
  withText,
} from "../../customlabels_nb/widgets/static/label_manager/state.js";
import { counted } from "../../customlabels_nb/widgets/static/shared/numbers.js";
import { commandOfKey } from "../../customlabels_nb/widgets/static/shared/page/commands.js";
import { LABEL_COMMANDS } from "../../customlabels_nb/widgets/static/label_manager/commands.js";
import { LabelPane } from "../../customlabels_nb/widgets/static/label_manager/pane.js";
import { openPage, press } from "./fake_dom.js";

const list = (...names) => names.map((label) => ({ label, color: "#000000" }));
const named = (labels) => labels.map(({ label }) => label);
const ABC = list("a", "b", "c");

test("an edit is shown before the kernel has answered", () => {
  assert.deepEqual(named(changed(ABC, { op: "rename", label: "b", name: "B" })), ["a", "B", "c"]);
  assert.equal(changed(ABC, { op: "recolor", label: "b", color: "#ffffff" })[1].color, "#ffffff");
  assert.deepEqual(named(changed(ABC, { op: "merge", label: "a", into: "c" })), ["b", "c"]);
  assert.deepEqual(named(changed(ABC, { op: "remove", label: "c" })), ["a", "b"]);
  assert.deepEqual(named(changed(ABC, { op: "move", label: "c", before: "a" })), ["c", "a", "b"]);
  assert.equal(changed(ABC, { op: "add", labels: [["d", null]] }), ABC);
  assert.deepEqual(named(ABC), ["a", "b", "c"]);
});

test("a label goes before another one or to the end; what isn't there moves nothing", () => {
  assert.deepEqual(named(reordered(ABC, "a", "c")), ["b", "a", "c"]);
  assert.deepEqual(named(reordered(ABC, "a", null)), ["b", "c", "a"]);
  for (const [label, before] of [
    ["x", "a"],
    ["a", "x"],
    ["a", "a"],
  ])
    assert.equal(reordered(ABC, label, before), ABC);
});

test("a step among filtered labels passes those that aren't shown", () => {
  const all = list("a1", "b", "a2", "c", "a3", "d");
  const shown = withText(all, " A");
  assert.deepEqual(named(shown), ["a1", "a2", "a3"]);
  assert.equal(withText(all, "  "), all);
  assert.equal(stepBefore(shown, all, "a1", 1), "c");
  assert.deepEqual(named(reordered(all, "a1", "c")), ["b", "a2", "a1", "c", "a3", "d"]);
  assert.equal(stepBefore(shown, all, "a3", -1), "a2");
  assert.equal(stepBefore(shown, all, "a2", 1), "d");
  assert.equal(stepBefore(ABC, ABC, "b", 1), null);
  assert.equal(stepBefore(ABC, ABC, "a", -1), undefined);
  assert.equal(stepBefore(ABC, ABC, "c", 1), undefined);
  assert.equal(stepBefore(ABC, ABC, "x", 1), undefined);
  assert.equal(after(ABC, "c"), null);
});

test("what is dropped goes between the middles of rows", () => {
  const middles = [10, 30, 50];
  assert.deepEqual(
    [0, 10, 11, 40, 99].map((y) => dropPlace(middles, y)),
    [0, 0, 1, 2, 3],
  );
  assert.equal(dropPlace([], 5), 0);
});

test("counts and names are put into words, and no name turns a sentence round", () => {
  assert.equal(counted(1, "image"), "1 image");
  assert.equal(counted(12_345, "label"), "12,345 labels");
  assert.equal(usesText([0, 0, 0]), "This label is not used.");
  assert.match(usesText([2, 0, 3]), /^3 \D+ 2 \D+\b2 \D+train\D*$/);
  assert.match(usesText([1, 1, 2]), /^2 \D+ 2 \D+\b1 \D+train\b\D+\b1 \D+test\b\D*$/);
  assert.equal(quoted("\u202eltr"), "“\u2068\u202eltr\u2069”");
  assert.equal(someOf(["a", "b", "c"], 2), "\u2068a\u2069, \u2068b\u2069 and 1 more");
});

test("keys on the list", () => {
  const key = (name, more = {}) => commandOfKey(LABEL_COMMANDS, { key: name, ...more });
  for (const [name, command, more] of [
    ["ArrowDown", "down"],
    ["ArrowDown", "shiftDown", { altKey: true }],
    ["ArrowDown", "shiftDown", { altKey: true, repeat: true }],
    ["F2", "rename"],
    ["z", "undo", { ctrlKey: true }],
    ["Z", "redo", { metaKey: true, shiftKey: true }],
    ["m", "merge"],
    ["M", "merge", { shiftKey: true }],
    ["я", "undo", { code: "KeyZ", ctrlKey: true }],
    ["ь", "merge", { code: "KeyM" }],
    ["Delete", "held", { repeat: true }],
    ["m", "held", { repeat: true }],
    ["m", null, { ctrlKey: true }],
    ["m", null, { altKey: true }],
    ["x", null],
    ["Enter", null, { isComposing: true }],
    ["toString", null],
  ])
    assert.equal(key(name, more), command, name);
});

// A pane whose edits are answered by `answers`, one function each.
function paneWith(answers) {
  const page = openPage();
  const told = { labels: ABC, palette: [], done: 0, seen: 1, read_only: false, can_undo: false };
  const request = async (kind) => {
    if (kind === "labels uses") return [{ uses: [] }];
    return kind === "labels" ? [told] : answers.shift()(told);
  };
  const pane = new LabelPane({ request });
  page.append(pane.node);
  const all = (selector) => pane.node.querySelectorAll(selector);
  const [adder] = all(".adder");
  const type = (field, text) => {
    field.value = text;
    field.fire("input");
  };
  return { pane, all, adder, type };
}

const settled = () => new Promise(setImmediate);

test("a label can be typed while the one before it is added", async () => {
  let answer;
  const { pane, adder, type } = paneWith([
    (told) =>
      new Promise((resolve) => {
        answer = () => resolve([{ ...told, labels: list("a", "b", "c", "cat"), count: 0 }]);
      }),
  ]);
  await pane.follow();
  type(adder, "cat");
  adder.focus();
  press("Enter");
  assert.equal(adder.value, "");
  type(adder, "dog");
  await settled();
  answer();
  await settled();
  assert.deepEqual([adder.value, named(pane.state.labels)], ["dog", ["a", "b", "c", "cat"]]);
  pane.close();
});

test("a label that could not be added is typed again, unless another one is there", async () => {
  const refuse = () => {
    throw new Error("no");
  };
  const { pane, adder, type } = paneWith([refuse, refuse]);
  await pane.follow();
  for (const [typed, remaining] of [
    ["", "cat"],
    ["dog", "dog"],
  ]) {
    type(adder, "cat");
    pane.do("add");
    type(adder, typed);
    await settled();
    assert.equal(adder.value, remaining);
  }
  pane.close();
});

test("a question is asked below its label, and closed with the row", async () => {
  const { pane, all, type } = paneWith([]);
  await pane.follow();
  const [list_] = all(".label-list");
  list_.focus();
  press("ArrowDown");
  press("m");
  const [row, question] = list_.children.slice(1, 3);
  assert.deepEqual([row.dataset.label, question.className], ["b", "question"]);
  const [field, main] = [question.querySelector("input"), question.querySelector(".primary")];
  assert.equal(document.activeElement, field);
  assert.equal(main.disabled, true);
  type(field, " c ");
  assert.equal(main.disabled, false);
  type(all(".search")[0], "a");
  assert.deepEqual([all(".question").length, document.activeElement], [0, list_]);
  press("c");
  assert.equal(all(".question")[0].getAttribute("aria-label"), `Color of ${quoted("a")}`);
  press("Escape");
  assert.deepEqual([all(".question").length, document.activeElement], [0, list_]);
  pane.close();
});

test("keys reach the list after a button that removes a label or undoes", async () => {
  const { pane, all } = paneWith([
    (told) => [{ ...told, labels: list("b", "c"), can_undo: true, count: 0 }],
    (told) => [{ ...told, said: "" }],
  ]);
  const [list_] = all(".label-list");
  await pane.follow();
  pane.state.uses = new Map([["a", [0, 0, 0]]]);
  for (const text of ["Remove…", "Undo"]) {
    const button = all("button").find(({ textContent }) => textContent === text);
    button.focus();
    button.click();
    assert.ok(document.activeElement === list_, text);
    await settled();
  }
  assert.deepEqual(named(pane.state.labels), ["a", "b", "c"]);
  pane.close();
});

test("a name that is typed is refused with the reason if its label is gone", async () => {
  let labels = ABC;
  const { pane, all, type } = paneWith([
    () => {
      throw new Error("'a' was removed");
    },
  ]);
  const { request } = pane;
  pane.request = async (kind, ...more) => {
    const [answer] = await request(kind, ...more);
    return [answer.labels ? { ...answer, labels } : answer];
  };
  await pane.follow();
  all(".label-list")[0].focus();
  press("F2");
  const [field] = all(".renaming");
  assert.equal(document.activeElement, field);
  type(field, "z");
  labels = list("b", "c");
  await pane.follow();
  await settled();
  assert.deepEqual(named(pane.state.labels), ["b", "c"]);
  assert.match(all(".notice")[0].textContent, /'a' was removed/);
  assert.equal(all(".renaming").length, 0);
  pane.close();
});
