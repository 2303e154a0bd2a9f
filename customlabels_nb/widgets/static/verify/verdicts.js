// Apply verdicts to the shown rows before the kernel has responded, and map keys to them. Rows are those of the gallery
// with { guesses }, a list of [label, confidence, box or null].

import { commandOf, letterOf } from "../shared/keymap.js";

export const VERIFY_HELP = [
  ["Enter", "right: the selected images, or all of the page that are not judged yet"],
  ["A", "right: the selected images, or the one in focus"],
  ["Delete or X", "wrong: the selected images, or the one in focus"],
  ["1 – 9", "another label instead (for several labels: add or remove it)"],
  ["/", "find or add another label"],
  ["E", "fix the boxes in the annotator, and draw missed ones"],
  ["Ctrl Z, Ctrl Shift Z", "undo, redo"],
  ["arrows", "move the focus (with Shift: extend the selection)"],
  ["Space", "select or deselect the image"],
  ["Ctrl A", "select the page, then all shown images"],
  ["Esc", "clear the selection"],
  ["Page Up, Page Down", "previous or next page (Home, End: first or last image)"],
  ["Shift Space", "show the full image"],
  ["H or .", "hide or show boxes and their names"],
  ["?", "show these shortcuts"],
];

const LETTERS = { a: { do: "right" }, x: { do: "wrong" }, e: { do: "fix" }, h: { do: "shapes" } };
const RENAMED = { submit: "page right", clear: "wrong" };

export function verifyCommand(event) {
  if (event.isComposing || event.altKey) return null;
  const isPlain = !event.ctrlKey && !event.metaKey;
  if (isPlain && !event.repeat && letterOf(event) in LETTERS) return LETTERS[letterOf(event)];
  const command = commandOf(event);
  if (
    !command ||
    ["skip", "accept", "like"].includes(command.do) ||
    (command.do === "find" && command.text)
  )
    return null;
  return command.do in RENAMED ? { do: RENAMED[command.do] } : command;
}

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
