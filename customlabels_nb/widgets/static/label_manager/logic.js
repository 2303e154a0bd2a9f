// Apply edits to the list of labels before the kernel has responded, and compute positions. Pure functions. A list is
// [{ label, color }, …] in order.

import { counted } from "../shared/numbers.js";
import { letterOf } from "../shared/keymap.js";

// Return labels whose name contains the text, in order.
export function withText(labels, text) {
  const wanted = text.trim().toLocaleLowerCase();
  return wanted ? labels.filter(({ label }) => label.toLocaleLowerCase().includes(wanted)) : labels;
}

export function changed(labels, edit) {
  const { op, label } = edit;
  if (op === "rename")
    return labels.map((item) => (item.label === label ? { ...item, label: edit.name } : item));
  if (op === "recolor")
    return labels.map((item) => (item.label === label ? { ...item, color: edit.color } : item));
  if (op === "merge" || op === "remove") return labels.filter((item) => item.label !== label);
  if (op === "move") return reordered(labels, label, edit.before);
  return labels; // the kernel chooses the colors of new labels
}

// Move `label` before the label `before`, or to the end with null.
export function reordered(labels, label, before) {
  const moved = labels.find((item) => item.label === label);
  if (!moved || label === before) return labels;
  const rest = labels.filter((item) => item !== moved);
  const index = before === null ? rest.length : rest.findIndex((item) => item.label === before);
  return index < 0 ? labels : [...rest.slice(0, index), moved, ...rest.slice(index)];
}

// Return the label to move before when `label` goes up (-1) or down (1) among the shown ones, or undefined.
export function stepBefore(shown, all, label, by) {
  const index = shown.findIndex((item) => item.label === label);
  const next = shown[index + by];
  if (index < 0 || !next) return undefined;
  return by < 0 ? next.label : after(all, next.label);
}

// Return the label after `label` in the complete list, or null.
export function after(all, label) {
  return all[all.findIndex((item) => item.label === label) + 1]?.label ?? null;
}

// Return the number of rows with a middle above `y`, which is the position of a dropped row.
export function dropPlace(middles, y) {
  let position = 0;
  while (position < middles.length && middles[position] < y) position += 1;
  return position;
}

// Describe the use of a label, [images in train, images in test, annotations].
export function usesText([train, test, annotations]) {
  if (!annotations) return "This label is not used.";
  const sides = [
    [train, "train"],
    [test, "test"],
  ]
    .filter(([count]) => count)
    .map(([count, name]) => `${count.toLocaleString("en")} in ${name}`);
  return `${counted(annotations, "annotation")} on ${counted(train + test, "image")} (${sides.join(", ")}).`;
}

// Quote a name in a sentence, isolated from the text direction of the sentence.
export function quoted(name) {
  return `“\u2068${name}\u2069”`;
}

// "a, b, c and 9 more"
export function someOf(names, most) {
  const shown = names
    .slice(0, most)
    .map((name) => `\u2068${name}\u2069`)
    .join(", ");
  return names.length > most
    ? `${shown} and ${(names.length - most).toLocaleString("en")} more`
    : shown;
}

/** @typedef {[name: string, argument?: number]} Command */
/** @type {Map<string, Command>} */
const COMMANDS = new Map([
  ["ArrowUp", ["move", -1]],
  ["ArrowDown", ["move", 1]],
  ["Home", ["edge", 0]],
  ["End", ["edge", -1]],
  ["F2", ["rename"]],
  ["Enter", ["rename"]],
  ["Delete", ["remove"]],
  ["Backspace", ["remove"]],
  ["m", ["merge"]],
  ["c", ["color"]],
  ["/", ["filter"]],
  ["+", ["add"]],
]);

/**
 * Map a key on the list to a command. Only moves repeat while their key is held.
 *
 * @returns {Command | null}
 */
export function labelCommand(event) {
  const command = labelCommandOfPress(event);
  return event.repeat && command && !["move", "shift"].includes(command[0]) ? ["held"] : command;
}

/** @returns {Command | null} */
function labelCommandOfPress(event) {
  const { key, altKey, shiftKey } = event;
  if (event.isComposing) return null;
  if (event.ctrlKey || event.metaKey) {
    const letter = letterOf(event);
    if (letter === "z") return [shiftKey ? "redo" : "undo"];
    return letter === "y" ? ["redo"] : null;
  }
  if (altKey) return key === "ArrowUp" ? ["shift", -1] : key === "ArrowDown" ? ["shift", 1] : null;
  return COMMANDS.get(key) ?? COMMANDS.get(letterOf(event)) ?? null;
}
