// Keys of the screens. Each screen has one table of entries { keys, help, run }, from which its shortcuts and its help
// (?) are made: `keys` is what the help shows, and `run` has the command of each press. Presses are written like "a",
// "Ctrl+z" or "Shift+Tab". "1-9" is any of these digits and adds its `number`, "letter" is any letter and adds its
// `text`. Entries without `run` describe the mouse, and entries without `keys` are not shown. `notInJobs` are those
// that do nothing for the labeler of a job, whose images have no predictions and whose answers have no notes.

const HELD = { do: "held" }; // nothing is done, here and by the browser

/**
 * @typedef {{ help: string[][], jobHelp: string[][], presses: Record<string, object>, repeating: string[] }} KeyTable
 */

/**
 * Return a table. Commands that are named in `repeating` run again while their key is held.
 *
 * @returns {KeyTable}
 */
export function keyTable(entries, { repeating = [] } = {}) {
  const shown = entries.filter(({ keys }) => keys);
  return {
    help: shown.map(({ keys, help }) => [keys, help]),
    jobHelp: shown.filter((entry) => !entry.notInJobs).map(({ keys, help }) => [keys, help]),
    presses: Object.assign({}, ...entries.map(({ run }) => run)),
    repeating,
  };
}

// Return the lower-case letter of a shortcut. Where letters are not Latin, it is the one on a Latin keyboard.
export function letterOf({ key, code }) {
  const isOther = /[\p{L}\p{M}]/u.test(key) && !/\p{Script=Latin}/u.test(key);
  return ((isOther && /^Key([A-Z])$/.exec(code)?.[1]) || key).toLowerCase();
}

// Return the command of a KeyboardEvent, HELD if its key repeats and the command does not, or null for other keys.
export function commandFor({ presses, repeating }, event) {
  if (event.isComposing || event.altKey) return null;
  const command = commandOfPress(presses, event);
  return event.repeat && command && !repeating.includes(command.do) ? HELD : command;
}

// A press with Shift that has no command of its own is the press without.
function commandOfPress(presses, event) {
  const { key, shiftKey } = event;
  const isSingle = [...key].length === 1;
  const control = event.ctrlKey || event.metaKey ? "Ctrl+" : "";
  const name = isSingle ? letterOf(event) : key;
  const names = [...(shiftKey ? [`${control}Shift+${name}`] : []), control + name];
  const press = names.find((each) => Object.hasOwn(presses, each));
  if (press) return presses[press];
  if (control) return null;
  if (presses["1-9"] && /^[1-9]$/.test(key)) return { ...presses["1-9"], number: Number(key) };
  return presses.letter && isSingle && /\p{L}/u.test(key) ? { ...presses.letter, text: key } : null;
}

export const noLabelText = (number) => `Label ${number} does not exist. Press / to type one.`;

// Return the presses of the arrow keys. `command` gets the name of the direction and whether Shift is pressed.
export function arrowKeys(command) {
  const names = ["left", "right", "up", "down"];
  return Object.fromEntries(
    names.flatMap((direction) => {
      const key = `Arrow${direction[0].toUpperCase()}${direction.slice(1)}`;
      return [
        [key, command(direction, false)],
        [`Shift+${key}`, command(direction, true)],
      ];
    }),
  );
}

// -- pages of images: entries that their screens share ------------------------------------------------

export const UNDO_ENTRY = {
  keys: "Ctrl Z, Ctrl Shift Z",
  help: "undo, redo",
  run: { "Ctrl+z": { do: "undo" }, "Ctrl+Shift+z": { do: "redo" }, "Ctrl+y": { do: "redo" } },
};
export const MOVE_ENTRY = {
  keys: "arrows",
  help: "move the focus (with Shift: extend the selection)",
  run: arrowKeys((direction, select) => ({ do: "move", direction, select })),
};
export const SELECTION_ENTRIES = [
  { keys: "Space", help: "select or deselect the image", run: { " ": { do: "select" } } },
  {
    keys: "Ctrl A",
    help: "select the page, then all shown images",
    run: { "Ctrl+a": { do: "all" } },
  },
  { keys: "Esc", help: "clear the selection", run: { Escape: { do: "escape" } } },
];
export const RANGE_ENTRY = { keys: "Shift click", help: "select a range, also across pages" };
export const PAGE_ENTRY = {
  keys: "Page Up, Page Down",
  help: "previous or next page (Home, End: first or last image)",
  run: {
    PageUp: { do: "page", by: -1 },
    PageDown: { do: "page", by: 1 },
    Home: { do: "edge", at: "first" },
    End: { do: "edge", at: "last" },
  },
};
export const LOOK_ENTRY = {
  keys: "Shift Space",
  help: "show the full image",
  run: { "Shift+ ": { do: "look" } },
};
export const HELP_ENTRY = { keys: "?", help: "show these shortcuts", run: { "?": { do: "help" } } };
export const PAGE_REPEATING = ["move", "page"];

export const LABEL_ENTRY = {
  keys: "1 – 9",
  help: "set this label on the selected images (with several labels per image: add or remove it)",
  run: { "1-9": { do: "label" } },
};
export const FIND_ENTRY = {
  keys: "a letter or /",
  help: "find or add a label",
  run: { "/": { do: "find", text: "" }, letter: { do: "find" } },
};
export const CLEAR_ENTRY = {
  keys: "Delete",
  help: "remove all labels of the selected images (in a labelling job: withdraw your answer)",
  run: { Delete: { do: "clear" }, Backspace: { do: "clear" } },
};
export const ACCEPT_ENTRY = {
  keys: "+",
  help: "accept the predicted (dashed) labels of the selected images",
  notInJobs: true,
  run: { "+": { do: "accept" } },
};
export const SUBMIT_ENTRY = {
  keys: "Enter",
  help: "submit the page and go to the next one",
  run: { Enter: { do: "submit" }, "Ctrl+Enter": { do: "submit" } },
};
export const NOTE_ENTRY = {
  keys: "Shift M",
  help: "write a note on the selected images",
  notInJobs: true,
  run: { "Shift+m": { do: "note" } },
};
export const SHAPES_ENTRY = {
  keys: ".",
  help: "hide or show boxes, polygons and their names",
  run: { ".": { do: "shapes" } },
};
export const LIKE_ENTRY = {
  keys: "=",
  help: "sort by similarity to the image in focus",
  run: { "=": { do: "like" } },
};
export const DRAG_ENTRY = {
  keys: "drag",
  help: "select images with a rectangle (with Ctrl: in addition)",
};
export const EDIT_ENTRY = {
  keys: "E, double click",
  help: "edit the boxes in the annotator below (Esc, Shift Tab: back)",
  run: { e: { do: "fix" } },
};

const GALLERY_ENTRIES = [
  LABEL_ENTRY,
  FIND_ENTRY,
  MOVE_ENTRY,
  ...SELECTION_ENTRIES,
  RANGE_ENTRY,
  CLEAR_ENTRY,
  ACCEPT_ENTRY,
  {
    keys: "0",
    help: "skip the selected images, or the one in focus",
    run: { 0: { do: "skip" } },
  },
  { keys: "−", help: "nothing here (in a labelling job)", run: { "-": { do: "nothing" } } },
  SUBMIT_ENTRY,
  NOTE_ENTRY,
  PAGE_ENTRY,
  UNDO_ENTRY,
  LOOK_ENTRY,
  SHAPES_ENTRY,
  LIKE_ENTRY,
  {
    keys: "in a queue",
    notInJobs: true,
    help: "of clusters, click or Space takes an image out; of predictions, Enter accepts the page and Delete rejects",
  },
  DRAG_ENTRY,
  HELP_ENTRY,
];

export const GALLERY_KEYS = keyTable(GALLERY_ENTRIES, { repeating: PAGE_REPEATING });
// of a project that draws boxes
export const BOX_GALLERY_KEYS = keyTable(
  [...GALLERY_ENTRIES.slice(0, -1), EDIT_ENTRY, HELP_ENTRY],
  { repeating: PAGE_REPEATING },
);
