// Apply verdicts to the shown rows before the kernel has responded, and map keys to them. Rows are those of the gallery
// with { guesses }, a list of [label, confidence, box or null].

import {
  keyTable,
  HELP_ENTRY,
  LOOK_ENTRY,
  MOVE_ENTRY,
  PAGE_ENTRY,
  PAGE_REPEATING,
  SELECTION_ENTRIES,
  UNDO_ENTRY,
} from "../shared/keymap.js";

export const VERIFY_KEYS = keyTable(
  [
    {
      keys: "Enter",
      help: "right: the selected images, or all of the page that are not judged yet",
      run: { Enter: { do: "page right" }, "Ctrl+Enter": { do: "page right" } },
    },
    {
      keys: "A",
      help: "right: the selected images, or the one in focus",
      run: { a: { do: "right" } },
    },
    {
      keys: "Delete or X",
      help: "wrong: the selected images, or the one in focus",
      run: { Delete: { do: "wrong" }, Backspace: { do: "wrong" }, x: { do: "wrong" } },
    },
    {
      keys: "1 – 9",
      help: "another label instead (for several labels: add or remove it)",
      run: { "1-9": { do: "label" } },
    },
    { keys: "/", help: "find or add another label", run: { "/": { do: "find", text: "" } } },
    {
      keys: "E",
      help: "fix the boxes in the annotator, and draw missed ones",
      run: { e: { do: "fix" } },
    },
    UNDO_ENTRY,
    MOVE_ENTRY,
    ...SELECTION_ENTRIES,
    PAGE_ENTRY,
    LOOK_ENTRY,
    {
      keys: "H or .",
      help: "hide or show boxes and their names",
      run: { h: { do: "shapes" }, ".": { do: "shapes" } },
    },
    HELP_ENTRY,
  ],
  { repeating: PAGE_REPEATING },
);

// Return true if a person has said what is in the image.
export const isStated = (row) => row.status === "labelled";

// Return the boxes of a row in the form of guesses.
export const drawnOf = ({ boxes, outlines = [] }) =>
  boxes.map((label, index) => [label, 1, outlines[index] ?? []]);

export const isWaiting = (row) => row.status === "unlabelled" || row.status === "skipped";

// Return the labels that the image has, or that would be confirmed.
export function statedLabels(row) {
  return isStated(row) ? [...row.labels, ...row.boxes] : row.guesses.map(([label]) => label);
}

export function verdictOf(row) {
  if (isWaiting(row)) return "waiting";
  if (row.status === "needs_review") return "wrong";
  const keyOf = (marks, labels) =>
    JSON.stringify([
      [...labels].sort(),
      marks
        .filter(([, , box]) => box)
        .map(([label, , box]) => [label, ...box.map((side) => Math.round(side))])
        .map(String)
        .sort(),
    ]);
  return keyOf(drawnOf(row), [...row.labels, ...row.boxes]) ===
    keyOf(
      row.guesses,
      row.guesses.map(([label]) => label),
    )
    ? "right"
    : "corrected";
}

// Return the row after the verdict.
export function judged(row, { op, label }, { alone = false } = {}) {
  if (op === "wrong")
    return { ...row, labels: [], boxes: [], outlines: [], status: "needs_review" };
  let marks = row.guesses;
  if (op !== "right") {
    if (isStated(row)) marks = [...row.labels.map((item) => [item, 1, null]), ...drawnOf(row)];
    if (marks.some(([, , box]) => box)) marks = marks.map(([, , box]) => [label, 1, box]);
    else if (alone) marks = op === "label" ? [[label, 1, null]] : [];
    else
      marks = [
        ...marks.filter(([item]) => item !== label),
        ...(op === "label" ? [[label, 1, null]] : []),
      ];
  }
  const drawn = marks.filter(([, , box]) => box);
  const labels = marks.filter(([, , box]) => !box).map(([item]) => item);
  return {
    ...row,
    labels: [...new Set(labels)],
    boxes: drawn.map(([item]) => item),
    outlines: drawn.map(([, , box]) => box),
    status: "labelled",
  };
}
