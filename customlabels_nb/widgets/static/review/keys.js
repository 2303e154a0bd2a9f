// Keys of the review. Letters are decisions, so only "/" starts the search for a label.

import {
  EDIT_ENTRY,
  keyTable,
  HELP_ENTRY,
  LOOK_ENTRY,
  MOVE_ENTRY,
  NOTE_ENTRY,
  PAGE_ENTRY,
  PAGE_REPEATING,
  RANGE_ENTRY,
  SELECTION_ENTRIES,
  UNDO_ENTRY,
} from "../shared/keymap.js";

export const REVIEW_KEYS = keyTable(
  [
    {
      keys: "Enter or A",
      help: "approve the selected images, or the one in focus",
      run: { Enter: { do: "approve" }, "Ctrl+Enter": { do: "approve" }, a: { do: "approve" } },
    },
    {
      keys: "1 – 9",
      help: "correct to this label; among all labels of images with several, add or remove it",
      run: { "1-9": { do: "label" } },
    },
    { keys: "/", help: "find a label for the same", run: { "/": { do: "find", text: "" } } },
    {
      keys: "+",
      help: "correct to the predicted (dashed) label; in the queue of suspects, take the suggestion",
      run: { "+": { do: "accept" } },
    },
    {
      keys: "Delete or X",
      help: "reject: label the image again, with the labels as suggestions",
      run: { Delete: { do: "reject" }, Backspace: { do: "reject" }, x: { do: "reject" } },
    },
    {
      keys: "Shift Delete or Shift X",
      help: "remove the labels, without suggestions",
      run: { "Shift+Delete": { do: "remove" }, "Shift+x": { do: "remove" } },
    },
    EDIT_ENTRY,
    UNDO_ENTRY,
    MOVE_ENTRY,
    ...SELECTION_ENTRIES,
    RANGE_ENTRY,
    NOTE_ENTRY,
    PAGE_ENTRY,
    LOOK_ENTRY,
    {
      keys: "H or .",
      help: "hide or show boxes, polygons and their names",
      run: { h: { do: "shapes" }, ".": { do: "shapes" } },
    },
    HELP_ENTRY,
  ],
  { repeating: PAGE_REPEATING },
);
