// Draw a box with the keyboard: arrows move the first corner, Enter, arrows move the opposite corner, Enter.

import { boxFromCorners, clipPoint } from "../shared/geometry.js";

const LEAST_LENGTH = 10;

/** @import { Point } from "../shared/geometry.js" */

export class KeyboardBox {
  /** @type {[Point, Point] | null} */
  corners = null;

  constructor() {
    this.cancel();
  }

  get isOn() {
    return this.corners !== null;
  }

  begin(point, size) {
    this.size = size;
    this.sizing = false;
    this.length = Math.max(LEAST_LENGTH, Math.round(Math.min(size.width, size.height) / 5));
    this._place(clipPoint(point.map(Math.round), size));
  }

  // Keep the first corner away from the far edges, so that the box is visible.
  /** @param {number[]} point */
  _place([x, y]) {
    const [left, top] = [x, y].map((value, axis) => {
      const room = axis ? this.size.height : this.size.width;
      return Math.max(0, Math.min(value, room - Math.min(this.length, room)));
    });
    this.corners = [[left, top], clipPoint([left + this.length, top + this.length], this.size)];
  }

  move(dx, dy) {
    const shifted = ([x, y]) => clipPoint([x + dx, y + dy], this.size);
    if (this.sizing) this.corners = [this.corners[0], shifted(this.corners[1])];
    else this._place(shifted(this.corners[0]));
  }

  get box() {
    return this.corners && boxFromCorners(...this.corners);
  }

  get words() {
    return this.sizing
      ? "Move the opposite corner with the arrow keys (Shift: 10 px). Enter adds the box, Esc cancels."
      : "Move the first corner with the arrow keys (Shift: 10 px), then press Enter.";
  }

  // Return the finished box after the second Enter, or null before.
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
