// Crops in the gallery: every box as a picture. Filters, keys, texts, and edits of the shown rows. A row is that of an
// image (rows.js) with `crop`, its `image`, and one box in `boxes`, or one prediction in `guesses`. Its `status` is
// "unconfirmed", "confirmed", "predicted" or "removed".

import { counted } from "../shared/numbers.js";
import {
  ACCEPT_ENTRY,
  CLEAR_ENTRY,
  DRAG_ENTRY,
  EDIT_ENTRY,
  FIND_ENTRY,
  HELP_ENTRY,
  keyTable,
  LABEL_ENTRY,
  LIKE_ENTRY,
  LOOK_ENTRY,
  MOVE_ENTRY,
  NOTE_ENTRY,
  PAGE_ENTRY,
  PAGE_REPEATING,
  RANGE_ENTRY,
  SELECTION_ENTRIES,
  SHAPES_ENTRY,
  SUBMIT_ENTRY,
  UNDO_ENTRY,
} from "../shared/keymap.js";

/** @import { Edit, Row } from "../shared/rows.js" */

export const CROPS_SHOWN = [
  ["all", "all"],
  ["unconfirmed", "unconfirmed"],
  ["confirmed", "confirmed"],
  ["predicted", "predicted"],
];
export const CROP_SORTS = [
  ["doubt", "doubt"],
  ["similarity", "similarity"],
  ["uncertainty", "uncertainty"],
  ["size", "size"],
  ["aspect", "aspect"],
  ["name", "name"],
  ["added", "added"],
  ["random", "random"],
];

const ofBoxes = (entry) => ({
  ...entry,
  help: entry.help.replace("images", "boxes").replace("image", "box"),
});

export const CROP_KEYS = keyTable(
  [
    { ...LABEL_ENTRY, help: "relabel the selected boxes, or the one in focus" },
    FIND_ENTRY,
    MOVE_ENTRY,
    ...SELECTION_ENTRIES.map(ofBoxes),
    RANGE_ENTRY,
    { ...CLEAR_ENTRY, help: "remove the selected boxes, refuse the selected predictions" },
    { ...ACCEPT_ENTRY, help: "accept the predicted (dashed) labels of the selected boxes" },
    { ...SUBMIT_ENTRY, help: "confirm the page and go to the next one" },
    EDIT_ENTRY,
    ofBoxes(NOTE_ENTRY),
    ofBoxes(PAGE_ENTRY),
    UNDO_ENTRY,
    { ...LOOK_ENTRY, help: "show a large picture" },
    SHAPES_ENTRY,
    ofBoxes(LIKE_ENTRY),
    ofBoxes(DRAG_ENTRY),
    HELP_ENTRY,
  ],
  { repeating: PAGE_REPEATING },
);

// Return what a change between images and crops changes in the query. A filter by label is kept.
export function changeToCrops(crops) {
  return { crops, show: "all", sort: crops ? "doubt" : "random", queue: null, like: null };
}

/**
 * Return the row of a crop after an edit: a new object, or the same one if nothing changes.
 *
 * @param {Row & { outlines?: object[], guesses?: [string, number, object][] }} row
 * @param {Edit} edit
 */
export function editedCrop(row, { op, label, note }) {
  if (row.status === "removed" || (op === "note" && row.status === "predicted")) return row;
  if (op === "note") return { ...row, note };
  if (op === "clear")
    return { ...row, boxes: [], outlines: [], guesses: [], predicted: null, status: "removed" };
  const [own] = row.boxes;
  const offered = row.predicted?.[0];
  const wanted = { label, accept: offered, submit: own ?? offered }[op];
  if (wanted === undefined || (row.status === "confirmed" && wanted === own)) return row;
  return {
    ...row,
    boxes: [wanted],
    outlines: own === undefined ? row.guesses?.map(([, , outline]) => outline) : row.outlines,
    guesses: [],
    predicted: null,
    status: "confirmed",
  };
}

// True if confirming the page changes the row.
export function isOpenCrop({ status }) {
  return status === "unconfirmed" || status === "predicted";
}

// True if a box was moved between two states of its row, which then has another picture. `corner` is the one of the
// picture in its image.
export function isMoved(before, after) {
  const shown = (row) => JSON.stringify([row.corner, row.size, row.outlines]);
  return (
    Boolean(before?.outlines?.length && after?.outlines?.length) && shown(before) !== shown(after)
  );
}

// Describe an edit of `count` boxes, or return null if no message is needed.
export function cropEditText({ op, label }, count) {
  const boxes = counted(count, "box", "boxes");
  if (!count) return null;
  if (op === "label") return `${boxes} ${count === 1 ? "is" : "are"} now “\u2068${label}\u2069”`;
  const done = { clear: "removed", submit: "confirmed", accept: "accepted" }[op];
  return done ? `${boxes} ${done}` : null;
}

// Return the labels that boxes have, or that are predicted for them, in the order of the boxes.
export function labelsOfCrops(rows) {
  return [...new Set(rows.flatMap(({ boxes, predicted }) => boxes[0] ?? predicted?.[0] ?? []))];
}

// Return why no box is shown, and whether the filter hides some.
export function noCropsText({ show }, statuses) {
  const all = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  if (!all) return ["There are no boxes yet: draw some in project.annotate().", false];
  if (show === "unconfirmed" && !statuses.unconfirmed) return ["All boxes are confirmed.", true];
  return ["No boxes match the filter.", true];
}

// Return where the page is, such as "1–32 of 61 boxes on 18 images".
export function cropPlaceText(range, total, images) {
  if (!total) return "no boxes";
  const on = images === undefined ? "" : ` on ${counted(images, "image")}`;
  return `${range} ${total === 1 ? "box" : "boxes"}${on}`;
}

// Return the text before the labels of the selected boxes.
export function selectedCropsText(count) {
  return `${counted(count, "box", "boxes")} selected`;
}
