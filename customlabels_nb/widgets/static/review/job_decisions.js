// Keys and decisions of the review of a labelling job. Rows are those of the review with { answers, skips, agreement,
// candidates, tie, acceptable, reasons, shapes, accepted, size }. An answer has { letter, labels, shapes, person },
// and the person only after the decision. `gone` is the edit after which the image left the review: "ask" or
// "reject".

import { commandFor, HELP_ENTRY, keyTable, PAGE_REPEATING } from "../shared/keymap.js";
import { decided } from "./decisions.js";
import { REVIEW_KEYS } from "./keys.js";

const LETTER_KEYS = "abcd"; // more answers are taken with Shift and their number

export const JOB_REVIEW_KEYS = keyTable(
  [
    {
      run: Object.fromEntries(
        Object.entries(REVIEW_KEYS.presses).filter(
          ([, command]) => !["accept", "note", "remove"].includes(command.do),
        ),
      ),
    },
    {
      keys: "A – D",
      help: "take this answer",
      run: Object.fromEntries(
        [...LETTER_KEYS].map((letter, index) => [letter, { do: "take", number: index + 1 }]),
      ),
    },
    { keys: "Shift 1 – Shift 9", help: "take answer A, B, C …" }, // see jobReviewCommand
    {
      keys: "Enter",
      help: "take the consensus, or leave an image without a result that people skipped",
    },
    { keys: "1 – 9", help: "decide for this label" },
    { keys: "/", help: "find a label and decide for it" },
    {
      keys: "Tab, Shift Tab",
      help: "next, previous difference between boxes or polygons",
      run: { Tab: { do: "difference", by: 1 }, "Shift+Tab": { do: "difference", by: -1 } },
    },
    {
      keys: "H",
      help: "hide the answers and show the consensus",
      run: { h: { do: "hide" } },
    },
    { keys: ".", help: "hide or show boxes, polygons and their names" },
    { keys: "E", help: "edit the boxes or polygons", run: { e: { do: "fix" } } },
    { keys: "R", help: "ask one person more", run: { r: { do: "ask" } } },
    { keys: "Delete or X", help: "return to the queue: everybody is asked again" },
    { keys: "Ctrl Z, Ctrl Shift Z", help: "undo, redo a decision" },
    { keys: "← →", help: "previous, next image (Home, End: first or last)" },
    HELP_ENTRY,
  ],
  { repeating: [...PAGE_REPEATING, "difference"] },
);

export function jobReviewCommand(event) {
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code ?? ""); // with Shift, `key` depends on the layout
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat;
  if (event.shiftKey && digit && isPlain && !event.isComposing)
    return { do: "take", number: Number(digit[1]) };
  return commandFor(JOB_REVIEW_KEYS, event);
}

export function takeKey(index) {
  return index < LETTER_KEYS.length ? LETTER_KEYS[index] : `⇧${index + 1}`;
}

const isBare = (row) => !row.labels.length && !row.boxes.length;

// Return what Enter does: "accept" that there is no result, take the "consensus", go on after a decision ("next"), or
// null.
export function offerOf(row) {
  if (row.gone || row.reviewed) return "next";
  if (row.acceptable && isBare(row)) return "accept";
  return row.tie && isBare(row) ? null : "consensus";
}

// Return the row after the edit: a new object, or the same one if nothing changes.
export function jobDecided(row, edit, { alone = false } = {}) {
  if (row.gone) return row;
  const settled = { ...row, status: "labelled", reviewed: true, accepted: false };
  if (edit.op === "take") {
    const answer = row.answers[edit.number - 1];
    if (!answer) return row;
    const isDrawn = answer.shapes.length > 0;
    const outlines = answer.shapes.map(
      ({ polygon, left, top, width, height }) => polygon ?? [left, top, width, height],
    );
    return {
      ...settled,
      labels: isDrawn ? [] : answer.labels,
      boxes: answer.shapes.map(({ label }) => label),
      outlines,
      shapes: answer.shapes,
    };
  }
  if (edit.op === "approve") {
    const offer = offerOf(row);
    return offer === "consensus" || offer === "accept"
      ? { ...settled, accepted: offer === "accept" }
      : row;
  }
  if (edit.op === "ask" || edit.op === "reject")
    return { ...decided(row, { op: "reject" }), gone: edit.op, shapes: [] };
  return { ...decided(row, edit, { alone }), accepted: false };
}

// Say what an edit did, for the toast.
export function decisionText(row, edit) {
  const name = `\u2068${row.short}\u2069`;
  if (edit.op === "ask")
    return `${name}: one person more is asked. It comes back here after their answer.`;
  if (edit.op === "reject")
    return (
      `${name} is in the queue again: everybody is asked ` +
      `again${row.skips.length && !row.reviewed ? "." : ", and the answers do not count any more."}`
    );
  if (edit.op === "approve" && offerOf(row) === "accept") return `${name} stays without a result.`;
  const quoted = (label) => `\u2068${label}\u2069`;
  if (edit.op === "label")
    return `${name}${edit.instead_of ? `: ${quoted(edit.instead_of)}` : ""} → ${quoted(edit.label)}`;
  const after = jobDecided(row, edit);
  return `${name} → ${[...new Set([...after.labels, ...after.boxes])].map(quoted).join(", ") || "nothing here"}`;
}

// Return the labels of an answer with their numbers, such as [["lime", 2]].
export function countedLabels(answer) {
  const counts = new Map(answer.labels.map((label) => [label, 0]));
  for (const { label } of answer.shapes) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts];
}

export function answerText({ letter, person, ...answer }) {
  const text = countedLabels(answer)
    .map(([label, count]) => (count > 1 ? `${label} ×${count}` : label))
    .join(", ");
  return `${person === null ? letter : `${letter}, ${person}`}: ${text || "nothing here"}`;
}

// Return why nobody more can be asked about an image, or null.
export function whyNotAsk({ skips, reasons }) {
  if (skips.length)
    return "People skipped this image. Return it to the queue with Delete, so that they are asked again.";
  const isAlone = reasons.some(([kind]) => kind === "alone");
  return isAlone
    ? "Nobody is left to ask about this image. A manager can invite more people: job.invite([…])."
    : null;
}

// -- what people disagree about -------------------------------------------------------------------------
const REASON_WORDS = {
  missed: "one missed it",
  tie: "no majority",
  skipped: "skipped",
  alone: "nobody left to ask",
};

// Return what the answers consist of, for one and for several.
export function shapeWords(task) {
  return task === "polygons" ? ["polygon", "polygons"] : ["box", "boxes"];
}

export function reasonText([kind, label, other], { draws = false } = {}) {
  if (kind === "mixed")
    return `\u2068${label}\u2069 ↔ ${other === null ? "nothing" : `\u2068${other}\u2069`}`;
  return REASON_WORDS[kind] ?? (draws ? "place or size" : "low agreement");
}

// Return the objects that the answers draw differently, each with its shapes as [letter, label], and the letters
// without it. If people only disagree about place and size, these are all objects.
export function differencesOf({ answers, reviewed }) {
  if (reviewed) return [];
  const objects = new Map();
  for (const { letter, shapes } of answers) {
    for (const { object, label } of shapes)
      objects.set(object, [...(objects.get(object) ?? []), [letter, label]]);
  }
  const differences = [...objects]
    .map(([object, drawn]) => ({
      object,
      drawn,
      missing: answers
        .map(({ letter }) => letter)
        .filter((letter) => !drawn.some(([item]) => item === letter)),
    }))
    .sort((first, other) => first.object - other.object);
  const clear = differences.filter(
    ({ drawn, missing }) => missing.length || new Set(drawn.map(([, label]) => label)).size > 1,
  );
  return clear.length ? clear : differences;
}

export function differenceText({ drawn, missing }) {
  const text = drawn.map(([letter, label]) => `${letter} \u2068${label}\u2069`);
  return [...text, ...missing.map((letter) => `${letter} nothing`)].join(" · ");
}

// Return the label that most answers give to an object.
export function usualLabel({ drawn }) {
  const counts = new Map();
  for (const [, label] of drawn) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].reduce((best, item) => (item[1] > best[1] ? item : best))[0];
}
