// From a key to what it means in a page of images. Letters begin the search for a label.

export const HELP = [
  ["1 – 9", "give the label to the selected images; the same key again takes it away"],
  ["a letter or /", "find a label by its name, or add one"],
  ["arrows", "move; with Shift: select on the way"],
  ["Space", "select or not"],
  ["Ctrl A", "select the page; again: all that are shown"],
  ["Esc", "select nothing"],
  ["Shift click", "select a range, also across pages"],
  ["Delete", "take all labels of the selected images away"],
  ["+", "accept the predicted labels (dashed) of the selected images"],
  ["0", "skip the selected images, else the one in focus"],
  ["Enter", "submit the page and go on"],
  ["Page Up, Page Down", "turn the page; Home, End: first or last image of it"],
  ["Ctrl Z, Ctrl Shift Z", "undo, redo"],
  ["Shift Space", "look at the image in full"],
  ["?", "this list"],
];

const MOVES = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
const NAMED = {
  Escape: { do: "escape" },
  Enter: { do: "submit" },
  Delete: { do: "clear" },
  Backspace: { do: "clear" },
  PageDown: { do: "page", by: 1 },
  PageUp: { do: "page", by: -1 },
  Home: { do: "edge", at: "first" },
  End: { do: "edge", at: "last" },
  "+": { do: "accept" },
  "/": { do: "find", text: "" },
  "?": { do: "help" },
  0: { do: "skip" },
};

// `key`, `ctrlKey`, `metaKey`, `shiftKey`, `altKey` as a KeyboardEvent has them; null where the key means nothing here.
export function commandOf(event) {
  const { key, shiftKey } = event;
  if (event.isComposing || event.altKey) return null;
  if (event.ctrlKey || event.metaKey) {
    const letter = key.toLowerCase();
    if (letter === "z") return { do: shiftKey ? "redo" : "undo" };
    if (letter === "y") return { do: "redo" };
    if (letter === "a") return { do: "all" };
    return key === "Enter" ? { do: "submit" } : null;
  }
  if (key in MOVES) return { do: "move", direction: MOVES[key], select: shiftKey };
  if (key === " ") return { do: shiftKey ? "look" : "select" };
  if (key in NAMED) return NAMED[key];
  if (/^[1-9]$/.test(key)) return { do: "label", number: Number(key) };
  if ([...key].length === 1 && /\p{L}/u.test(key)) return { do: "find", text: key };
  return null;
}
