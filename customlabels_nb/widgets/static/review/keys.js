// Map keys to commands of the review. Letters are decisions, so only "/" starts the search for a label.

import { commandOf, letterOf } from "../shared/keymap.js";

export const REVIEW_HELP = [
  ["Enter or A", "approve the selected images, or the one in focus"],
  ["1 – 9", "correct to this label; among all labels of images with several, add or remove it"],
  ["/", "find a label for the same"],
  ["+", "correct to the predicted (dashed) label; in the queue of suspects, take the suggestion"],
  ["Delete or X", "reject: remove the labels and label the image again"],
  ["Ctrl Z, Ctrl Shift Z", "undo, redo"],
  ["arrows", "move the focus (with Shift: extend the selection)"],
  ["Space", "select or deselect the image"],
  ["Ctrl A", "select the page, then all shown images"],
  ["Esc", "clear the selection"],
  ["Shift click", "select a range, also across pages"],
  ["Page Up, Page Down", "previous or next page (Home, End: first or last image)"],
  ["Shift Space", "show the full image"],
  ["H or .", "hide or show boxes, polygons and their names"],
  ["?", "show these shortcuts"],
];

const LETTERS = { a: { do: "approve" }, x: { do: "reject" }, h: { do: "shapes" } };
const RENAMED = { submit: "approve", clear: "reject" };

export function reviewCommand(event) {
  if (event.isComposing || event.altKey) return null;
  const isPlain = !event.ctrlKey && !event.metaKey;
  if (isPlain && !event.repeat && letterOf(event) in LETTERS) return LETTERS[letterOf(event)];
  const command = commandOf(event);
  if (!command || command.do === "skip" || (command.do === "find" && command.text)) return null;
  return command.do in RENAMED ? { do: RENAMED[command.do] } : command;
}
