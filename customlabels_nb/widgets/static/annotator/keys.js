// From a key to what it means while drawing.

export const DRAWING_HELP = [
  ["1 – 9", "choose the label; of a selected shape: change it"],
  ["/", "find a label by its name, or add one"],
  ["drag", "draw a box; inside the selected one hold Ctrl"],
  ["B, P", "boxes, polygons (click corners; Enter, double click or the first corner closes)"],
  ["click", "select what is there; an edge always selects; on an edge of the selected polygon: a new corner"],
  ["Alt click", "take a corner of the selected polygon away; so does Delete after a click on it"],
  ["K", "a box by keyboard: arrows place its corner, Enter, arrows size it, Enter"],
  ["Tab, Shift Tab", "next, previous shape; Esc, then Tab, leaves"],
  ["arrows", "move the selected shape, or the corner clicked last, by 1 px, with Shift 10; without one: previous, next image"],
  ["Delete", "remove the selected shape, or drop the dashed one"],
  ["Ctrl C, V, D", "copy, paste (also on another image), duplicate"],
  ["Ctrl Z, Ctrl Shift Z", "undo, redo on this image"],
  ["Enter", "accept the selected dashed shape; else the next image"],
  ["A", "accept all that is dashed: shapes, and the label of the whole image"],
  ["N, R, 0", "nothing here; needs review; skip"],
  ["Page Up, Page Down", "previous, next image; both save"],
  ["wheel, + −", "zoom; F fits, O is one to one; Space and drag moves"],
  ["G, H, L", "guides; hide or lock the shapes of the chosen label"],
  ["?", "this list"],
];

const ARROW_KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const NAMED_KEYS = {
  Escape: { do: "escape" }, Enter: { do: "enter" }, Delete: { do: "remove" }, Backspace: { do: "remove" },
  PageDown: { do: "turn", by: 1 }, PageUp: { do: "turn", by: -1 }, "+": { do: "zoom", by: 1.25 }, "=": { do: "zoom", by: 1.25 },
  "-": { do: "zoom", by: 0.8 }, "?": { do: "help" }, "/": { do: "find" }, 0: { do: "status", status: "skipped" },
};
const LETTER_KEYS = {
  b: { do: "tool", tool: "box" }, p: { do: "tool", tool: "polygon" }, k: { do: "keyboard box" }, a: { do: "accept all" },
  n: { do: "status", status: "labelled" }, r: { do: "status", status: "needs_review" }, f: { do: "fit" }, o: { do: "one to one" },
  g: { do: "guides" }, h: { do: "hide" }, l: { do: "lock" },
};
const CTRL_KEYS = { c: { do: "copy" }, v: { do: "paste" }, d: { do: "duplicate" }, y: { do: "redo" } };

export function drawingCommand({ key, ctrlKey, metaKey, shiftKey, altKey, isComposing }) {
  if (isComposing || altKey) return null;
  const letter = key.toLowerCase();
  if (ctrlKey || metaKey) return letter === "z" ? { do: shiftKey ? "redo" : "undo" } : CTRL_KEYS[letter] ?? null;
  if (key in ARROW_KEYS) return { do: "arrow", by: ARROW_KEYS[key].map((v) => (shiftKey ? 10 * v : v)) };
  if (key === "Tab") return { do: "cycle", by: shiftKey ? -1 : 1 };
  if (key in NAMED_KEYS) return NAMED_KEYS[key];
  if (/^[1-9]$/.test(key)) return { do: "label", number: Number(key) };
  return LETTER_KEYS[letter] ?? null;
}
