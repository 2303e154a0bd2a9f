// Drag and drop of list rows by their grips.

import { dropPlace } from "./logic.js";

const EDGE = 28; // distance in pixels from the edge at which the list scrolls

// Make the rows of `list` draggable. `rows()` returns the shown rows in order. `drop(from, to)` is called with the
// index of the row, and the index of the row that it moves in front of.
export function makeDraggable(list, { rows, drop }) {
  let from = null;
  let to = null;
  let pointer = null;

  const mark = (markAt) => {
    const shown = rows();
    shown.forEach((row, index) => {
      row.node.classList.toggle("drop-before", index === markAt);
      row.node.classList.toggle(
        "drop-after",
        markAt === shown.length && index === shown.length - 1,
      );
    });
  };
  const end = (event) => {
    if (from === null || event.pointerId !== pointer) return;
    const [start, target] = [from, to];
    rows()[start]?.node.classList.remove("dragged");
    mark(null);
    from = to = pointer = null;
    if (event.type === "pointerup" && target !== null && target !== start && target !== start + 1)
      drop(start, target);
  };

  list.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.target.closest(".grip")) return;
    from = rows().findIndex((row) => row.node.contains(event.target));
    if (from < 0) {
      from = null;
      return;
    }
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
    const middles = rows().map((row) => {
      const { top, height } = row.node.getBoundingClientRect();
      return top + height / 2;
    });
    to = dropPlace(middles, event.clientY);
    mark(to);
  });
  list.addEventListener("pointerup", end);
  list.addEventListener("pointercancel", end);
}
