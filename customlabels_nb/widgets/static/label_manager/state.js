// State of the label manager, edits before the kernel has responded, positions and texts. Plain values and pure
// functions. A list of labels is [{ label, color }, …] in order.

import { counted, numeral } from "../shared/numbers.js";

const NAMES_SHOWN = 12;

export function newState() {
  return {
    info: null, // last answer of the kernel
    labels: [],
    uses: new Map(), // label → [images in train, in test, annotations]
    waiting: 0, // edits that are not saved yet
    lost: false,
    said: "", // message in place of the keyboard hints
    query: "", // text of the filter
    typed: "", // text of the field for new labels
    at: null, // label in focus
    pointed: null, // label whose row has the buttons
    renaming: null, // { label, text }
    drag: null, // { from, to, pointer }: position of the dragged row, and of the row that it moves in front of
    question: null, // { kind, label, text, counts, … }, see questionText
  };
}

export function hasLabel(labels, label) {
  return labels.some((item) => item.label === label);
}

export function shownOf({ labels, query }) {
  return withText(labels, query);
}

// Return the position of the label in focus among the shown ones, or -1.
export function placeOf(state) {
  return shownOf(state).findIndex(({ label }) => label === state.at);
}

// Return the items of the list: all labels, also those that the filter hides, and the question below its label.
export function itemsOf(state) {
  const { labels, uses, renaming, question, drag } = state;
  const shown = new Set(shownOf(state));
  let place = -1; // among the shown labels
  return labels.flatMap((item, position) => {
    const { label } = item;
    const isShown = shown.has(item);
    if (isShown) place += 1;
    const isLast = place === shown.size - 1;
    const row = {
      ...item,
      key: label,
      position,
      uses: uses.get(label),
      isShown,
      isRenaming: renaming?.label === label,
      isDragged: place === drag?.from,
      isDropBefore: place === drag?.to,
      isDropAfter: isLast && drag?.to === shown.size,
    };
    return question?.label === label ? [row, { key: question, question }] : [row];
  });
}

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

// -- texts --------------------------------------------------------------------------------------------
export function countText({ labels }, shown) {
  const all = counted(labels.length, "label");
  return shown.length < labels.length ? `${numeral(shown.length)} of ${all}` : all;
}

export function emptyText({ labels, info }, shown) {
  if (shown.length) return "";
  if (labels.length) return "No labels match the filter.";
  return info.read_only
    ? "There are no labels."
    : "No labels yet. Type the first one above, or import names.";
}

// → { className, text } of the state of saving.
export function savingText({ info, lost, waiting }) {
  if (lost) return { className: "state lost", text: "not saved – the kernel does not respond" };
  if (info?.read_only) return { className: "read-only-state", text: "read-only" };
  return waiting
    ? { className: "state saving", text: "saving…" }
    : { className: "state saved", text: "saved" };
}

export function foundText({ total, labels }) {
  if (!total) return "No labels found.";
  const all = counted(total, "label");
  if (!labels.length) return `${all} found, no new ones.`;
  const names = labels.map(([name]) => name);
  return `${all}, ${numeral(names.length)} of them new: ${someOf(names, NAMES_SHOWN)}`;
}

const QUESTION_TEXTS = {
  merge: ({ label, counts, others, text }) => ({
    title: `Merge ${quoted(label)} into`,
    words: counts ? `${usesText(counts)} Undo restores ${quoted(label)}.` : "Counting…",
    main: counts?.[2] ? `Merge ${counted(counts[2], "annotation")}` : "Merge",
    ready: others.includes(text.trim()),
  }),
  remove: ({ label, counts }) => ({
    title: `Remove ${quoted(label)}?`,
    words: !counts
      ? "Counting…"
      : counts[2]
        ? `${usesText(counts)} They will be removed, too. Images without another label become unlabelled.`
        : usesText(counts),
    main: counts?.[2] ? `Remove with ${counted(counts[2], "annotation")}` : "Remove",
    ready: true,
  }),
  review({ names, done }) {
    const what = names.length === 1 ? quoted(names[0]) : counted(names.length, "label");
    const [are, they] = done === 1 ? ["is", "it"] : ["are", "they"];
    const title = `${counted(done, "image")} ${are} already done. Should ${they} be checked for ${what}?`;
    return { title };
  },
  color: ({ label }) => ({ title: `Color of ${quoted(label)}` }),
  import: ({ found, isStale, words }) => ({
    title: "Import label names from",
    words:
      words ??
      "A project folder, or a file or folder in a supported format. Only label names are imported, not images.",
    main: found?.length ? `Add ${counted(found.length, "label")}` : "Add",
    ready: Boolean(found?.length) && !isStale,
  }),
};

// → { title, words, main, ready } of a question: `main` is the text of the main button, which is enabled if `ready`.
export function questionText(question) {
  return QUESTION_TEXTS[question.kind](question);
}
