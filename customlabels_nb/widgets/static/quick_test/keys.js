// Keys of the quick test.

import { keyTable } from "../shared/keymap.js";

export const QUICK_TEST_KEYS = keyTable(
  [
    { keys: "O", help: "choose photos", run: { o: { do: "open" } } },
    { keys: "Ctrl V", help: "paste a photo or its URL" },
    { keys: "U", help: "type the URL of a photo", run: { u: { do: "url" } } },
    {
      keys: "C",
      help: "camera (Space: take photo, Esc: close)",
      run: { c: { do: "camera" }, " ": { do: "take" }, Escape: { do: "escape" } },
    },
    {
      keys: "← →",
      help: "previous, next photo",
      run: { ArrowLeft: { do: "turn", by: -1 }, ArrowRight: { do: "turn", by: 1 } },
    },
    {
      keys: "− +",
      help: "move the threshold by 0.05",
      run: {
        "-": { do: "nudge", by: -0.05 },
        "+": { do: "nudge", by: 0.05 },
        "=": { do: "nudge", by: 0.05 },
      },
    },
    { keys: "A", help: "follow the model's own decision", run: { a: { do: "assumed" } } },
    {
      keys: "1 – 9",
      help: "select or deselect this prediction in the list",
      run: { "1-9": { do: "toggle" } },
    },
    { keys: "L", help: "add a label to the photo", run: { l: { do: "label" } } },
    {
      keys: "Ctrl Enter",
      help: "add the photo with its labels to the dataset",
      run: { "Ctrl+Enter": { do: "add" } },
    },
    {
      keys: "Ctrl Z",
      help: "undo: remove the photo that was added last",
      run: { "Ctrl+z": { do: "undo" }, "Ctrl+Shift+z": null },
    },
    { keys: "S", help: "start or stop the model", run: { s: { do: "power" } } },
    { keys: "?", help: "show these shortcuts", run: { "?": { do: "help" } } },
  ],
  { repeating: ["turn", "nudge"] },
);
