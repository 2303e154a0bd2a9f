// Rows that are dragged by their grip to another place.

import { dropPlace } from "./logic.js";

const EDGE = 28; // so near to an edge of the list it scrolls on

// Makes the rows (`rows()` gives those shown, in order) of `list` draggable; `drop(from, to)` is told the place of the
// row, and before the row of which place it goes.
export function makeDraggable(list, { rows, drop }) {
  let from = null;
  let to = null;
  let pointer = null;

  const mark = (place) => {
    const shown = rows();
    shown.forEach((row, at) => {
      row.node.classList.toggle("drop-before", at === place);
      row.node.classList.toggle("drop-after", place === shown.length && at === shown.length - 1);
    });
  };
  const end = (event) => {
    if (from === null || event.pointerId !== pointer) return;
    const [start, target] = [from, to];
    rows()[start]?.node.classList.remove("dragged");
    mark(null);
    from = to = pointer = null;
    if (event.type === "pointerup" && target !== null && target !== start && target !== start + 1) drop(start, target);
  };

  list.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.target.closest(".grip")) return;
    from = rows().findIndex((row) => row.node.contains(event.target));
    if (from < 0) { from = null; return; }
    event.preventDefault();
    pointer = event.pointerId;
    list.setPointerCapture(pointer);
    rows()[from].node.classList.add("dragged");
  });
  list.addEventListener("pointermove", (event) => {
    if (from === null || event.pointerId !== pointer) return;
    const box = list.getBoundingClientRect();
    if (event.clientY < box.top + EDGE) list.scrollTop -= EDGE / 2;
    else if (event.clientY > box.bottom - EDGE) list.scrollTop += EDGE / 2;
    const middles = rows().map((row) => { const { top, height } = row.node.getBoundingClientRect(); return top + height / 2; });
    to = dropPlace(middles, event.clientY);
    mark(to);
  });
  list.addEventListener("pointerup", end);
  list.addEventListener("pointercancel", end);
}
