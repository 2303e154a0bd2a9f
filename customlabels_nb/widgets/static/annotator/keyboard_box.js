// A box without a pointer: arrows place its first corner, Enter, arrows draw the opposite one, Enter.

import { boxFromCorners, clipPoint } from "../shared/geometry.js";

export class KeyboardBox {
  constructor() {
    this.cancel();
  }

  get isOn() {
    return this.corners !== null;
  }

  begin(point, size) {
    const corner = clipPoint(point.map(Math.round), size);
    this.size = size;
    const length = Math.max(10, Math.round(Math.min(size.width, size.height) / 5));
    this.length = length;
    this.corners = [corner, clipPoint([corner[0] + length, corner[1] + length], size)];
    this.sizing = false;
  }

  move(dx, dy) {
    const shift = ([x, y]) => clipPoint([x + dx, y + dy], this.size);
    if (this.sizing) this.corners = [this.corners[0], shift(this.corners[1])];
    else {
      const first = shift(this.corners[0]);
      this.corners = [first, clipPoint([first[0] + this.length, first[1] + this.length], this.size)];
    }
  }

  get box() {
    return this.corners && boxFromCorners(...this.corners);
  }

  get words() {
    return this.sizing ? "Arrows draw the opposite corner (Shift: 10 px); Enter keeps the box, Esc drops it." : "Arrows place the first corner (Shift: 10 px); then Enter.";
  }

  // The finished box after the second Enter, null before.
  enter() {
    if (!this.sizing) {
      this.sizing = true;
      return null;
    }
    const { box } = this;
    this.cancel();
    return box;
  }

  cancel() {
    this.corners = null;
    this.sizing = false;
  }
}
