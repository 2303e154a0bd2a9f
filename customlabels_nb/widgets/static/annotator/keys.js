// Map keys to commands of the annotator.

import { letterOf, unlessHeld } from "../shared/keymap.js";

export const DRAWING_HELP = [
  [
    "1 – 9",
    "choose the label of the next shape (after a click or Tab on a shape: change its label)",
  ],
  ["/", "find or add a label"],
  ["drag", "draw a box (hold Ctrl inside a selected box)"],
  [
    "V, B, P",
    "select and move, draw boxes, draw polygons (click corners, then Enter, double click or the first corner)",
  ],
  [
    "O",
    "outline an object: drag a box around it or click it, then click what is missing, " +
      "Alt click what is too much, Enter",
  ],
  [
    "Shift +, Shift −",
    "add a part to the selected polygon, cut a hole or part out of it (Alt click deletes one, Shift Delete too)",
  ],
  ["[ ]", "fewer or more points of the selected polygon"],
  ["click", "select a shape, or add a corner on an edge of the selected polygon"],
  ["Alt click", "delete a corner of the selected polygon (or click it, then Delete)"],
  ["K", "draw a box with the arrow keys: first corner, Enter, opposite corner, Enter"],
  ["Tab, Shift Tab", "next, previous shape (Esc, then Tab, leaves the widget)"],
  [
    "arrows",
    "move the drawn or selected shape or corner by 1 px (Shift: 10 px), or go to the previous, next image",
  ],
  ["Delete", "delete the selected shape, or discard the selected prediction"],
  ["Ctrl C, V, D", "copy, paste (also to another image), duplicate"],
  ["Ctrl Z, Ctrl Shift Z", "undo, redo on this image"],
  ["Enter", "accept the selected prediction, or go to the next image"],
  ["A", "accept all predictions (dashed): shapes, and the label of the image"],
  ["N, R, 0", "nothing here, needs review, skip"],
  ["Page Up, Page Down", "save and go to the previous, next image"],
  [
    "wheel, + −",
    "zoom, by wheel after a click on the image or with Ctrl (F: fit, Shift O: 1:1, Space and drag: pan)",
  ],
  ["G, H, L", "show guides, hide or lock the shapes of the chosen label"],
  ["Shift F", "full screen"],
  ["?", "show these shortcuts"],
];

const ARROW_KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const NAMED_KEYS = {
  Escape: { do: "escape" },
  Enter: { do: "enter" },
  Delete: { do: "remove" },
  Backspace: { do: "remove" },
  PageDown: { do: "turn", by: 1 },
  PageUp: { do: "turn", by: -1 },
  "+": { do: "zoom", by: 1.25 },
  "=": { do: "zoom", by: 1.25 },
  "-": { do: "zoom", by: 0.8 },
  "[": { do: "simplify", by: 1 },
  "]": { do: "simplify", by: -1 },
  "?": { do: "help" },
  "/": { do: "find" },
  0: { do: "status", status: "skipped" },
};
const LETTER_KEYS = {
  v: { do: "tool", tool: "select" },
  b: { do: "tool", tool: "box" },
  p: { do: "tool", tool: "polygon" },
  k: { do: "keyboard box" },
  a: { do: "accept all" },
  n: { do: "status", status: "labelled" },
  r: { do: "status", status: "needs_review" },
  f: { do: "fit" },
  o: { do: "tool", tool: "outline" },
  g: { do: "guides" },
  h: { do: "hide" },
  l: { do: "lock" },
};
// "+" is typed with Shift on some keyboards. Without a selected polygon it zooms there, too.
const SHIFT_KEYS = {
  f: { do: "full screen" },
  o: { do: "one to one" },
  delete: { do: "remove ring" },
  backspace: { do: "remove ring" },
  "+": { do: "combine", tool: "part", else: NAMED_KEYS["+"] },
  "*": { do: "combine", tool: "part" },
  "-": { do: "combine", tool: "hole", else: NAMED_KEYS["-"] },
  _: { do: "combine", tool: "hole" },
};
const CTRL_KEYS = {
  c: { do: "copy" },
  v: { do: "paste" },
  d: { do: "duplicate" },
  y: { do: "redo" },
};

export function drawingCommand(event) {
  return unlessHeld(event, drawingCommandOfPress(event), [
    "arrow",
    "cycle",
    "turn",
    "zoom",
    "combine",
    "simplify",
  ]);
}

function drawingCommandOfPress(event) {
  const { key, ctrlKey, metaKey, shiftKey } = event;
  if (event.isComposing || event.altKey) return null;
  const letter = letterOf(event);
  if (ctrlKey || metaKey)
    return letter === "z" ? { do: shiftKey ? "redo" : "undo" } : (CTRL_KEYS[letter] ?? null);
  if (shiftKey && letter in SHIFT_KEYS) return SHIFT_KEYS[letter];
  if (key in ARROW_KEYS)
    return { do: "arrow", by: ARROW_KEYS[key].map((v) => (shiftKey ? 10 * v : v)) };
  if (key === "Tab") return { do: "cycle", by: shiftKey ? -1 : 1 };
  if (key in NAMED_KEYS) return NAMED_KEYS[key];
  if (/^[1-9]$/.test(key)) return { do: "label", number: Number(key) };
  return LETTER_KEYS[letter] ?? null;
}
