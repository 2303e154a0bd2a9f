// Keys of the annotator.

import { arrowKeys, keyTable } from "../shared/keymap.js";

const ARROW_STEPS = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] };
const ZOOM_IN = { do: "zoom", by: 1.25 };
const ZOOM_OUT = { do: "zoom", by: 0.8 };
const toolCommand = (name) => ({ do: "tool", tool: name });
const statusCommand = (name) => ({ do: "status", status: name });

export const ANNOTATOR_KEYS = keyTable(
  [
    {
      keys: "1 – 9",
      help: "choose the label of the next shape (after a click or Tab on a shape: change its label)",
      run: { "1-9": { do: "label" } },
    },
    { keys: "/", help: "find or add a label", run: { "/": { do: "find" } } },
    {
      keys: "drag",
      help: "draw a box (hold Ctrl inside a selected box), or resize the selected one or prediction by a handle",
    },
    {
      keys: "V, B, P",
      help: "select and move, draw boxes, draw polygons (click corners, then Enter, double click or the first corner)",
      run: { v: toolCommand("select"), b: toolCommand("box"), p: toolCommand("polygon") },
    },
    {
      keys: "O",
      help:
        "outline an object: drag a box around it or click it, then click what is missing, " +
        "Alt click what is too much, Enter",
      run: { o: toolCommand("outline") },
    },
    {
      keys: "Shift +, Shift −",
      help:
        "add a part to the selected polygon, cut a hole or part out of it (Alt click " +
        "deletes one, Shift Delete too)",
      // "+" is typed with Shift on some keyboards. Without a selected polygon it zooms there, too.
      run: {
        "Shift++": { do: "combine", tool: "part", else: ZOOM_IN },
        "Shift+*": { do: "combine", tool: "part" },
        "Shift+-": { do: "combine", tool: "hole", else: ZOOM_OUT },
        "Shift+_": { do: "combine", tool: "hole" },
        "Shift+Delete": { do: "remove ring" },
        "Shift+Backspace": { do: "remove ring" },
      },
    },
    {
      keys: "[ ]",
      help: "fewer or more points of the selected polygon",
      run: { "[": { do: "simplify", by: 1 }, "]": { do: "simplify", by: -1 } },
    },
    {
      keys: "click",
      help: "select a shape, or add a corner on an edge of the selected polygon",
    },
    {
      keys: "Shift click, Shift drag, Ctrl A",
      help: "select several shapes: one more or less, all in a rectangle, all of the image",
      run: { "Ctrl+a": { do: "select all" } },
    },
    {
      keys: "Alt click",
      help: "delete a corner of the selected polygon (or click it, then Delete)",
    },
    {
      keys: "K",
      help: "draw a box with the arrow keys: first corner, Enter, opposite corner, Enter",
      run: { k: { do: "keyboard box" } },
    },
    {
      keys: "Tab, Shift Tab",
      help: "next, previous shape (Esc, then Tab, leaves the widget)",
      run: {
        Tab: { do: "cycle", by: 1 },
        "Shift+Tab": { do: "cycle", by: -1 },
        Escape: { do: "escape" },
      },
    },
    {
      keys: "arrows",
      help: "move the drawn or selected shapes or corner by 1 px (Shift: 10 px), or go to the previous, next image",
      run: arrowKeys((direction, isLarge) => ({
        do: "arrow",
        by: ARROW_STEPS[direction].map((pixels) => (isLarge ? 10 * pixels : pixels)),
      })),
    },
    {
      keys: "Delete",
      help: "delete the selected shapes, or discard the selected prediction",
      run: { Delete: { do: "remove" }, Backspace: { do: "remove" } },
    },
    {
      keys: "Ctrl C, V, D",
      help: "copy, paste (also to another image), duplicate the selected shapes",
      run: { "Ctrl+c": { do: "copy" }, "Ctrl+v": { do: "paste" }, "Ctrl+d": { do: "duplicate" } },
    },
    {
      keys: "Ctrl Z, Ctrl Shift Z",
      help: "undo, redo on this image",
      run: { "Ctrl+z": { do: "undo" }, "Ctrl+Shift+z": { do: "redo" }, "Ctrl+y": { do: "redo" } },
    },
    {
      keys: "Enter",
      help: "accept the selected prediction or question (?), keep the outline, or go to the next image",
      run: { Enter: { do: "enter" } },
    },
    {
      keys: "A",
      help: "accept all predictions (dashed) where nothing is drawn, and the predicted label of the image",
      notInJobs: true,
      run: { a: { do: "accept all" } },
    },
    {
      keys: "N, R, 0",
      help: "nothing here, needs review, skip",
      run: {
        n: statusCommand("labelled"),
        r: statusCommand("needs_review"),
        0: statusCommand("skipped"),
      },
    },
    {
      keys: "M",
      help: "write a note on the selected shape, or else on the image (Enter: keep it, Esc: discard it)",
      notInJobs: true,
      run: { m: { do: "note" } },
    },
    {
      keys: "Page Up, Page Down",
      help: "save and go to the previous, next image",
      run: { PageUp: { do: "turn", by: -1 }, PageDown: { do: "turn", by: 1 } },
    },
    {
      keys: "wheel, + −",
      help: "zoom, by wheel after a click on the image or with Ctrl (F: fit, Shift O: 1:1, Space and drag: pan)",
      run: {
        "+": ZOOM_IN,
        "=": ZOOM_IN,
        "-": ZOOM_OUT,
        f: { do: "fit" },
        "Shift+o": { do: "one to one" },
      },
    },
    {
      keys: "G, H, L",
      help: "show guides, hide or lock the shapes of the chosen label",
      run: { g: { do: "guides" }, h: { do: "hide" }, l: { do: "lock" } },
    },
    {
      keys: "Shift H",
      help: "hide or show names and confidences (of more than 15 shapes, only the one under the pointer has them)",
      run: { "Shift+h": { do: "names" } },
    },
    { keys: "Shift F", help: "full screen", run: { "Shift+f": { do: "full screen" } } },
    { keys: "?", help: "show these shortcuts", run: { "?": { do: "help" } } },
  ],
  { repeating: ["arrow", "cycle", "turn", "zoom", "combine", "simplify"] },
);
