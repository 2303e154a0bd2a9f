// Commands of the label manager: its keys, buttons and fields.

import { counted } from "../shared/numbers.js";
import { after, foundText, hasLabel, placeOf, questionText } from "./state.js";
import { quoted, shownOf, stepBefore } from "./state.js";

const FINDING_TAKES = 600_000; // milliseconds; a large dataset is read completely to find its labels

const ORDER = { needs: "label", repeats: true };

/**
 * Those with `needs` run only if labels can be edited, and with "label" only if one is in focus.
 *
 * @type {Record<string, import("../shared/page/commands.js").Command>}
 */
export const LABEL_COMMANDS = {
  rename: { needs: "label", keys: ["F2", "Enter"], help: ["F2", "rename"], run: startRenaming },
  shiftUp: {
    ...ORDER,
    keys: ["Alt+ArrowUp"],
    help: ["Alt ↑↓", "move"],
    run: (pane) => shift(pane, -1),
  },
  shiftDown: { ...ORDER, keys: ["Alt+ArrowDown"], run: (pane) => shift(pane, 1) },
  merge: {
    needs: "label",
    keys: ["m"],
    help: ["M", "merge"],
    run: (pane) => merge(pane, pane.state.at),
  },
  color: { needs: "label", keys: ["c"], help: ["C", "color"], run: recolor },
  remove: { needs: "label", keys: ["Delete", "Backspace"], help: ["Del", "remove"], run: remove },
  search: { keys: ["/"], help: ["/", "filter"], run: ({ view }) => view.focus("filter") },
  up: { keys: ["ArrowUp"], repeats: true, run: (pane) => step(pane, -1) },
  down: { keys: ["ArrowDown"], repeats: true, run: (pane) => step(pane, 1) },
  first: { keys: ["Home"], run: (pane) => focusAt(pane, 0) },
  last: { keys: ["End"], run: (pane) => focusAt(pane, -1) },
  name: { needs: "edit", keys: ["+"], run: ({ view }) => view.focus("adder") },
  undo: { needs: "edit", keys: ["Ctrl+z"], run: (pane) => pane.takeBack("undo") },
  redo: { needs: "edit", keys: ["Ctrl+Shift+z", "Ctrl+y"], run: (pane) => pane.takeBack("redo") },
  // mouse and fields
  add: { needs: "edit", run: addTyped },
  import: { needs: "edit", run: importNames },
  focus: { run: (pane, label) => pane.focusOn(label) },
  leave: { run: ({ view }) => view.focus("list") },
  text: { run: change }, // { query } or { typed }
  point: { run: (pane, pointed) => change(pane, { pointed }) },
  drag: { needs: "edit", run: (pane, drag) => change(pane, { drag }) },
  drop: { run: drop },
  renameText: {
    run: ({ state }, { target }) => Object.assign(state.renaming, { text: target.value }),
  },
  endRenaming: { run: endRenaming },
  // the open question
  choose: { run: (pane, { currentTarget }) => pane.answer(currentTarget.value || null) },
  close: { run: (pane) => pane.answer(null) },
  confirm: { run: confirm },
  answerText: { run: (pane, { target }) => pane.update({ text: target.value, isStale: true }) },
  look: { run: look },
};

function change(pane, values) {
  Object.assign(pane.state, values);
  pane.paint();
}

function focusAt(pane, index) {
  pane.focusOn(shownOf(pane.state).at(index)?.label ?? null);
}

function step(pane, by) {
  const last = shownOf(pane.state).length - 1;
  focusAt(pane, Math.min(Math.max(placeOf(pane.state) + by, 0), Math.max(last, 0)));
}

// -- order --------------------------------------------------------------------------------------------
function shift(pane, by) {
  const { state } = pane;
  const before = stepBefore(shownOf(state), state.labels, state.at, by);
  if (before !== undefined) move(pane, state.at, before);
}

function drop(pane, isDone) {
  const { drag, labels } = pane.state;
  const { from, to } = drag;
  change(pane, { drag: null });
  if (!isDone || to === null || to === from || to === from + 1) return;
  const shown = shownOf(pane.state);
  const before = to < shown.length ? shown[to].label : after(labels, shown.at(-1).label);
  move(pane, shown[from].label, before);
}

function move(pane, label, before) {
  pane.change({ op: "move", label, before });
  pane.focusOn(label);
}

// -- names --------------------------------------------------------------------------------------------
function startRenaming(pane) {
  const { at, renaming } = pane.state;
  if (renaming?.label !== at) change(pane, { renaming: { label: at, text: at } });
}

// End with the name in the field, or without a change.
function endRenaming(pane, isKept) {
  if (!pane.state.renaming) return;
  const { label, text } = pane.state.renaming;
  change(pane, { renaming: null });
  const name = text.trim();
  if (isKept && name && name !== label) rename(pane, label, name);
}

async function rename(pane, label, name) {
  const { state } = pane;
  if (hasLabel(state.labels, name)) {
    merge(pane, label, name);
    return;
  }
  if (state.uses.has(label)) state.uses.set(name, state.uses.get(label));
  for (const key of ["at", "pointed"]) if (state[key] === label) state[key] = name;
  await pane.change({ op: "rename", label, name }, ({ count }) => {
    const where = count ? ` in ${counted(count, "annotation")}` : "";
    return `${quoted(label)} was renamed to ${quoted(name)}${where}.`;
  });
}

async function merge(pane, label, into = null) {
  const { labels } = pane.state;
  if (!hasLabel(labels, label)) return;
  const others = labels.map((item) => item.label).filter((other) => other !== label);
  const target = await pane.ask("merge", { label, others, text: into ?? "", onEnter: "confirm" });
  if (target === null) return;
  pane.state.at = target;
  await pane.change({ op: "merge", label, into: target }, ({ count }) => {
    const what = counted(count, "annotation");
    return `${quoted(label)} was merged into ${quoted(target)}: ${what}.`;
  });
}

async function remove(pane) {
  const { state } = pane;
  const label = state.at;
  const isUsed = state.uses.get(label)?.[2] !== 0; // if this count is outdated, the kernel refuses
  if (isUsed && !(await pane.ask("remove", { label }))) return;
  const [shown, place] = [shownOf(state), placeOf(state)];
  if (state.at === label) state.at = (shown[place + 1] ?? shown[place - 1])?.label ?? null;
  await pane.change({ op: "remove", label, with_annotations: isUsed }, ({ count }) => {
    const what = count ? ` with ${counted(count, "annotation")}` : "";
    return `${quoted(label)} was removed${what}.`;
  });
}

async function recolor(pane) {
  const { at: label, info, labels } = pane.state;
  const { color } = labels.find((item) => item.label === label);
  const wanted = await pane.ask("color", { label, color, palette: info.palette });
  if (wanted && wanted !== color) await pane.change({ op: "recolor", label, color: wanted });
}

// -- new labels ---------------------------------------------------------------------------------------
async function addTyped(pane) {
  const { state } = pane;
  const name = state.typed.trim();
  if (!name) return;
  if (hasLabel(state.labels, name)) {
    pane.notices.say("edit", `Label ${quoted(name)} already exists.`, { kind: "error" });
    pane.focusOn(name);
    return;
  }
  change(pane, { typed: "" }); // for the next label, which may be typed before the answer
  const answer = await add(pane, [[name, null]]);
  if (answer) pane.view.focus("adder");
  else change(pane, { typed: state.typed || name });
}

async function importNames(pane) {
  const imported = await pane.ask("import", { found: null, onEnter: "look" });
  if (imported?.length) await add(pane, imported);
}

async function add(pane, labels) {
  const names = labels.map(([name]) => name);
  const { done } = pane.state.info;
  const fate = done ? await pane.ask("review", { names, done }) : "keep";
  if (!fate) return null;
  const isReviewed = fate === "review";
  const answer = await pane.change({ op: "add", labels, review: isReviewed }, ({ count }) => {
    const what =
      names.length === 1 ? `${quoted(names[0])} was` : `${counted(names.length, "label")} were`;
    const need = count === 1 ? "needs" : "need";
    return `${what} added${count ? `. ${counted(count, "image")} ${need} review` : ""}.`;
  });
  if (answer) pane.focusOn(names[0]);
  return answer;
}

// -- the open question --------------------------------------------------------------------------------
function confirm(pane) {
  const { question } = pane.state;
  if (questionText(question).ready)
    pane.answer(question.kind === "import" ? question.found : question.text.trim());
}

// Find the labels at the path that is typed.
async function look(pane) {
  const { question } = pane.state;
  const source = question.text.trim();
  if (!source || question.isLooking) return;
  pane.update({ isLooking: true, words: "Looking…" });
  let result = null;
  try {
    const patience = { patience: FINDING_TAKES };
    const [answer] = await pane.request("labels find", { source }, [], patience);
    result = { found: answer.labels, words: foundText(answer) };
  } catch (error) {
    result = { found: null, words: error.message };
  }
  pane.update({ ...result, isLooking: false, isStale: false }, question);
  if (pane.state.question === question) pane.view.focusAnswer();
}
