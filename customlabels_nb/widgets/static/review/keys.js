// From a key to what it means in a review. Letters decide here, so only "/" begins the search for a label.

import { commandOf } from "../shared/keymap.js";

export const REVIEW_HELP = [
  ["Enter or A", "approve the selected images, else the one in focus"],
  ["1 – 9", "correct to this label"],
  ["/", "correct to a label found by its name"],
  ["+", "correct to what the model says (dashed)"],
  ["Delete or X", "reject: the labels are taken away, the image is in the queue again"],
  ["Ctrl Z, Ctrl Shift Z", "undo, redo"],
  ["arrows", "move; with Shift: select on the way"],
  ["Space", "select or not"],
  ["Ctrl A", "select the page; again: all that are shown"],
  ["Esc", "select nothing"],
  ["Shift click", "select a range, also across pages"],
  ["Page Up, Page Down", "turn the page; Home, End: first or last image of it"],
  ["Shift Space", "look at the image in full"],
  ["?", "this list"],
];

const LETTERS = { a: { do: "approve" }, x: { do: "reject" } };
const RENAMED = { submit: "approve", clear: "reject" };

export function reviewCommand(event) {
  if (event.isComposing || event.altKey) return null;
  const isPlain = !event.ctrlKey && !event.metaKey;
  if (isPlain && event.key.toLowerCase() in LETTERS) return LETTERS[event.key.toLowerCase()];
  const command = commandOf(event);
  if (!command || command.do === "skip" || (command.do === "find" && command.text)) return null;
  return command.do in RENAMED ? { do: RENAMED[command.do] } : command;
}
