// Selection of tiles by dragging a rectangle with the mouse.

import { element } from "./dom.js";

const STARTS_AFTER = 6; // pixels; shorter drags are clicks
const SCROLL_EDGE = 30; // pixels from the upper and lower edge of the list in which it scrolls

// Return the indices of the boxes { left, top, width, height } that overlap the rectangle between two points [x, y].
export function overlapped(boxes, from, to) {
  const [left, right] = [from[0], to[0]].sort((a, b) => a - b);
  const [top, bottom] = [from[1], to[1]].sort((a, b) => a - b);
  const hits = (box) =>
    box.left < right &&
    box.left + box.width > left &&
    box.top < bottom &&
    box.top + box.height > top;
  return boxes.flatMap((box, index) => (hits(box) ? [index] : []));
}

export class RubberBand {
  // `body` is the scrolling, positioned parent of the tiles. `tiles()` returns the nodes of the shown tiles.
  // `begin(event)` is called when a drag starts, select(indices) on every move, and end(event) when it ends.
  constructor(body, on) {
    this.body = body;
    this.on = on;
    this.from = null;
    this.dragging = false;
    this.node = element("div", { class: "rubber-band", hidden: true });
    body.append(this.node);
    body.addEventListener("pointerdown", (event) => this._down(event));
    body.addEventListener("pointermove", (event) => this._move(event));
    for (const type of ["pointerup", "pointercancel"])
      body.addEventListener(type, (event) => this._end(event));
    body.addEventListener(
      "click",
      (event) => {
        if (this.wasDragged) event.stopPropagation();
        this.wasDragged = false;
      },
      { capture: true },
    );
  }

  _at(event) {
    const box = this.body.getBoundingClientRect();
    return [
      event.clientX - box.left + this.body.scrollLeft,
      event.clientY - box.top + this.body.scrollTop,
    ];
  }

  _down(event) {
    this.wasDragged = false;
    if (
      event.pointerType !== "mouse" ||
      event.button ||
      event.target.closest("button, input, a, .stage, .empty")
    )
      return;
    if (event.clientX > this.body.getBoundingClientRect().left + this.body.clientWidth) return; // the scroll bar
    this.from = this._at(event);
  }

  _move(event) {
    if (!this.from) return;
    if (!event.buttons) {
      // the release happened outside the window
      this._end(event);
      return;
    }
    const to = this._at(event);
    if (!this.dragging) {
      if (Math.hypot(to[0] - this.from[0], to[1] - this.from[1]) < STARTS_AFTER) return;
      this.dragging = true;
      this.boxes = this.on.tiles().map(({ offsetLeft, offsetTop, offsetWidth, offsetHeight }) => ({
        left: offsetLeft,
        top: offsetTop,
        width: offsetWidth,
        height: offsetHeight,
      }));
      this.body.setPointerCapture(event.pointerId);
      this.on.begin(event);
    }
    const bounds = this.body.getBoundingClientRect();
    if (event.clientY < bounds.top + SCROLL_EDGE) this.body.scrollTop -= SCROLL_EDGE / 2;
    else if (event.clientY > bounds.bottom - SCROLL_EDGE) this.body.scrollTop += SCROLL_EDGE / 2;
    const sides = {
      left: Math.min(to[0], this.from[0]),
      top: Math.min(to[1], this.from[1]),
      width: Math.abs(to[0] - this.from[0]),
      height: Math.abs(to[1] - this.from[1]),
    };
    for (const [name, value] of Object.entries(sides))
      this.node.style.setProperty(name, `${value}px`);
    this.node.hidden = false;
    this.on.select(overlapped(this.boxes, this.from, to));
  }

  _end(event) {
    this.wasDragged = this.dragging;
    if (this.dragging) this.on.end(event);
    this.from = null;
    this.dragging = false;
    this.node.hidden = true;
  }
}
