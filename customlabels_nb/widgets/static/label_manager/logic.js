// What an edit makes of the list of labels before the kernel has answered, and where a label goes. Pure functions; a
// list is [{ label, colour }, …] in order.

// Labels whose name has the text in it, in their order.
export function withText(labels, text) {
  const wanted = text.trim().toLocaleLowerCase();
  return wanted ? labels.filter(({ label }) => label.toLocaleLowerCase().includes(wanted)) : labels;
}

export function changed(labels, edit) {
  const { op, label } = edit;
  if (op === "rename") return labels.map((own) => (own.label === label ? { ...own, label: edit.name } : own));
  if (op === "recolour") return labels.map((own) => (own.label === label ? { ...own, colour: edit.colour } : own));
  if (op === "merge" || op === "remove") return labels.filter((own) => own.label !== label);
  if (op === "move") return reordered(labels, label, edit.before);
  return labels; // what is added gets its colour from the kernel
}

// With `label` before the label `before`, or with null at the end.
export function reordered(labels, label, before) {
  const own = labels.find((item) => item.label === label);
  if (!own || label === before) return labels;
  const rest = labels.filter((item) => item !== own);
  const at = before === null ? rest.length : rest.findIndex((item) => item.label === before);
  return at < 0 ? labels : [...rest.slice(0, at), own, ...rest.slice(at)];
}

// Before which label `label` goes one step up (-1) or down (1) among those shown; undefined where there is no way.
export function stepBefore(shown, all, label, by) {
  const at = shown.findIndex((own) => own.label === label);
  const next = shown[at + by];
  if (at < 0 || !next) return undefined;
  return by < 0 ? next.label : after(all, next.label);
}

// The label that follows `label` in the whole list, null after the last.
export function after(all, label) {
  return all[all.findIndex((own) => own.label === label) + 1]?.label ?? null;
}

// Among rows with these middles (top to bottom), how many lie above `y`: the place where something dropped there goes.
export function dropPlace(middles, y) {
  let place = 0;
  while (place < middles.length && middles[place] < y) place += 1;
  return place;
}

export function counted(number, thing) {
  return `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
}

// The end of "… follow": what a label is used for, [images in train, images in test, annotations].
export function usesText([train, test, annotations]) {
  if (!annotations) return "It isn't used.";
  const sides = [[train, "train"], [test, "test"]].filter(([count]) => count).map(([count, name]) => `${count.toLocaleString("en")} of ${name}`);
  return `${counted(annotations, "annotation")} on ${counted(train + test, "image")} (${sides.join(", ")}).`;
}

// A name in a sentence, whose direction of writing it can't change.
export function quoted(name) {
  return `“\u2068${name}\u2069”`;
}

// "a, b, c and 9 more"
export function someOf(names, most) {
  const shown = names.slice(0, most).map((name) => `\u2068${name}\u2069`).join(", ");
  return names.length > most ? `${shown} and ${(names.length - most).toLocaleString("en")} more` : shown;
}

const COMMANDS = new Map([
  ["ArrowUp", ["move", -1]], ["ArrowDown", ["move", 1]], ["Home", ["edge", 0]], ["End", ["edge", -1]],
  ["F2", ["rename"]], ["Enter", ["rename"]], ["Delete", ["remove"]], ["Backspace", ["remove"]],
  ["m", ["merge"]], ["c", ["colour"]], ["/", ["filter"]], ["+", ["add"]],
]);

// From a key on the list to [what it does, and how]; null where it means nothing here.
export function labelCommand(event) {
  const { key, altKey, shiftKey } = event;
  if (event.isComposing) return null;
  if (event.ctrlKey || event.metaKey) {
    const letter = key.toLowerCase();
    if (letter === "z") return [shiftKey ? "redo" : "undo"];
    return letter === "y" ? ["redo"] : null;
  }
  if (altKey) return key === "ArrowUp" ? ["shift", -1] : key === "ArrowDown" ? ["shift", 1] : null;
  return COMMANDS.get(key) ?? null;
}
