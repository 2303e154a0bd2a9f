// Map keys to commands in a page of images. Letters start the search for a label.

export const HELP = [
  [
    "1 – 9",
    "set this label on the selected images (with several labels per image: add or remove it)",
  ],
  ["a letter or /", "find or add a label"],
  ["arrows", "move the focus (with Shift: extend the selection)"],
  ["Space", "select or deselect the image"],
  ["Ctrl A", "select the page, then all shown images"],
  ["Esc", "clear the selection"],
  ["Shift click", "select a range, also across pages"],
  ["Delete", "remove all labels of the selected images (in a labelling job: withdraw your answer)"],
  ["+", "accept the predicted (dashed) labels of the selected images"],
  ["0", "skip the selected images, or the one in focus"],
  ["−", "nothing here (in a labelling job)"],
  ["Enter", "submit the page and go to the next one"],
  ["Page Up, Page Down", "previous or next page (Home, End: first or last image)"],
  ["Ctrl Z, Ctrl Shift Z", "undo, redo"],
  ["Shift Space", "show the full image"],
  [".", "hide or show boxes, polygons and their names"],
  ["=", "sort by similarity to the image in focus"],
  [
    "in a queue",
    "of clusters, click or Space takes an image out; of predictions, Enter accepts the page and Delete rejects",
  ],
  ["drag", "select images with a rectangle (with Ctrl: in addition)"],
  ["?", "show these shortcuts"],
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
  "=": { do: "like" },
  "/": { do: "find", text: "" },
  ".": { do: "shapes" },
  "?": { do: "help" },
  0: { do: "skip" },
  "-": { do: "nothing" },
};

const HELD = { do: "held" }; // nothing is done, here and by the browser

// Return the lower-case letter of a shortcut. Where letters are not Latin, it is the one on a Latin keyboard.
export function letterOf({ key, code }) {
  const isOther = /[\p{L}\p{M}]/u.test(key) && !/\p{Script=Latin}/u.test(key);
  return ((isOther && /^Key([A-Z])$/.exec(code)?.[1]) || key).toLowerCase();
}

// Return the command, or HELD if its key repeats and the command is not one of `repeating`.
export function unlessHeld(event, command, repeating) {
  return event.repeat && command && !repeating.includes(command.do) ? HELD : command;
}

// Return the command of a KeyboardEvent, or null for other keys.
export function commandOf(event) {
  return unlessHeld(event, commandOfPress(event), ["move", "page"]);
}

function commandOfPress(event) {
  const { key, shiftKey } = event;
  if (event.isComposing || event.altKey) return null;
  if (event.ctrlKey || event.metaKey) {
    const letter = letterOf(event);
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
