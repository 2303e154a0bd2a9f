// Apply review decisions to the shown rows before the kernel has responded. Rows are those of the gallery with { by,
// when, reviewed, agrees }.

import { counted } from "../shared/numbers.js";
import { suggestedLabels } from "./suspects.js";

const WRONG = "wrong label";
const REASONS_TO_REJECT = {
  "single-label": [WRONG, "unclear image"],
  "multi-label": [WRONG, "label missing", "unclear image"],
  boxes: [WRONG, "box missing", "box is loose", "not this object"],
  polygons: [WRONG, "polygon missing", "outline is loose", "not this object"],
};

// Return the question why images are rejected.
export function rejectQuestion({ task, alone }, count) {
  return {
    title: `Reject ${counted(count, "image")}`,
    text: "The next person labels again, and sees what you reject and why.",
    reasons: REASONS_TO_REJECT[task ?? (alone ? "single-label" : "multi-label")],
    enter: "rejects with your own words, or without a reason",
    optional: true,
  };
}

export const REVIEWABLE = ["labelled", "needs_review"];

export function agreesWith(row) {
  return row.predicted ? [...row.labels, ...row.boxes].includes(row.predicted[0]) : null;
}

// Return true if the prediction can be accepted as a correction. A predicted box or polygon corrects the shapes of an
// image that has no image labels. It never becomes a label of the entire image.
export function correctable(row) {
  if (!row.predicted || row.agrees) return false;
  return !row.predicted_drawn || (row.boxes.length > 0 && !row.labels.length);
}

// Return the row after the edit: a new object, or the same one if nothing changes.
export function decided(row, edit, { alone = false } = {}) {
  const { op, label } = edit;
  const settled = (change) => ({ ...row, ...change, agrees: agreesWith({ ...row, ...change }) });
  if (op === "approve")
    return REVIEWABLE.includes(row.status) ? settled({ status: "labelled", reviewed: true }) : row;
  if (op === "reject" || op === "remove")
    return settled({
      labels: [],
      boxes: [],
      by: [],
      when: null,
      status: "unlabelled",
      reviewed: false,
    });
  if (op === "suggest" && !suggestedLabels(row)) return row;
  if (op === "unlabel" || op === "suggest") {
    const labels =
      op === "suggest" ? suggestedLabels(row) : row.labels.filter((item) => item !== label);
    const bare = !labels.length && !row.boxes.length;
    return settled({ labels, status: bare ? "unlabelled" : "labelled", reviewed: !bare });
  }
  if (op === "label")
    return settled({
      ...corrected(row, label, edit.instead_of ?? null, alone),
      status: "labelled",
      reviewed: true,
    });
  return row;
}

// Return labels of the image and of the shapes, with `label` in place of the one it corrects.
function corrected(row, label, insteadOf, alone) {
  const all = [...row.labels, ...row.boxes];
  const named = insteadOf !== null && all.includes(insteadOf);
  const boxes = row.boxes.map((item) => (named && item !== insteadOf ? item : label));
  if (alone && (row.labels.length || !row.boxes.length)) return { labels: [label], boxes };
  const asWhole = named
    ? row.labels.includes(insteadOf)
    : row.labels.length > 0 || !row.boxes.length;
  if (!asWhole) return { labels: row.labels, boxes };
  const kept = row.labels.filter((item) => item !== label && !(named && item === insteadOf));
  return {
    labels: row.labels.includes(label)
      ? row.labels.filter((item) => item === label || kept.includes(item))
      : [...kept, label],
    boxes,
  };
}

// Add a row to the review progress, or subtract it with -1.
export function countIn(progress, row, by) {
  if (!REVIEWABLE.includes(row.status)) return;
  if (row.reviewed) {
    progress.done += by;
    return;
  }
  progress.left += by;
  const labels = new Set([...row.labels, ...row.boxes]);
  for (const label of labels.size ? labels : [""])
    progress.by_label[label] = (progress.by_label[label] ?? 0) + by;
}

// Format a time for people: minutes or hours ago for the last 12 hours, else the date.
export function whenSaid(iso, now = new Date()) {
  const then = new Date(iso);
  const minutes = Math.floor((now.getTime() - then.getTime()) / 60_000);
  if (Number.isNaN(minutes)) return "";
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 60 * 12) return `${Math.floor(minutes / 60)} h ago`;
  const two = (value) => String(value).padStart(2, "0");
  return `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())}`;
}
