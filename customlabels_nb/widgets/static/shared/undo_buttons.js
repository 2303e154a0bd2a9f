// Undo and redo buttons.

import { element, leaving } from "./dom.js";

// `on` has leave() and takeBack(kind), called with "undo" or "redo".
export function undoButtons(on) {
  const button = (text, kind, keys) =>
    element("button", {
      class: kind,
      text,
      title: `${kind} (${keys})`,
      attributes: { "aria-label": kind },
      on: { click: leaving(on, () => on.takeBack(kind)) },
    });
  return [button("↶", "undo", "Ctrl Z"), button("↷", "redo", "Ctrl Shift Z")];
}
