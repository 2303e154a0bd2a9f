// Canvas of the map: paints the points, moves and zooms them, and selects with the lasso and with clicks.

import { Camera } from "../annotator/camera.js";
import { shortLabel } from "../shared/tags.js";
import { nearestPoint, pointsInside } from "./geometry.js";
import { putStamp, stampOf } from "./stamps.js";

const WORLD = { width: 1000, height: 1000 };
const MARGIN = 26;
const CLICK = 4; // pixels that a click may move
const REACH = 9; // pixels around a point
const QUICK = 12; // ms to paint all points, from which gestures move the last picture
const SHARP_AFTER = 60;
const CARD_AFTER = 60; // ms of the pointer before the image under it is shown
const MANY = 5_000; // points, from which they are put at whole pixels
const NAME_FONT = "600 12px system-ui, sans-serif";
const NAME_LINE = 15;

export class Plane {
  // `on` has press(), lasso(points, how), click(point or null, how) and rest(point or null). `how` is "only" or "more".
  constructor(node, on) {
    this.node = node;
    this.on = on;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "points";
    this.shot = document.createElement("canvas"); // the points alone
    node.append(this.canvas);
    this.world = new Float32Array();
    this.codes = new Int16Array();
    this.hollow = new Uint8Array();
    this.palette = [];
    this.picked = new Uint8Array();
    this.pickedCount = 0;
    this.rings = [];
    this.names = []; // [text, x, y]
    this.size = { width: 0, height: 0 }; // of the canvas: the node has none for a moment while the theme changes
    this.camera = null;
    this.isWhole = true;
    this.tool = "lasso";
    this.pointers = new Map();
    this.lasso = null;
    this.cost = 0;
    const listen = (type, run, options = undefined) => node.addEventListener(type, run, options);
    listen("pointerdown", (event) => this._down(event));
    listen("pointermove", (event) => this._move(event));
    listen("pointerup", (event) => this._up(event));
    listen("pointercancel", (event) => this._cancel(event));
    listen("pointerleave", () => this._rest(null));
    listen("wheel", (event) => this._wheel(event), { passive: false });
    this.resizing = new ResizeObserver(() => this._resize());
    this.resizing.observe(node);
    this.theming = new MutationObserver(() => this.repaint());
    this.theming.observe(document.body, { attributeFilter: ["data-jp-theme-name"] });
  }

  close() {
    this.resizing.disconnect();
    this.theming.disconnect();
    clearTimeout(this.sharpening);
    clearTimeout(this.resting);
    cancelAnimationFrame(this.frame);
  }

  // `xy` has places between -1 and 1.
  setPlaces(xy) {
    this.world = xy.map((value) => (value + 1) * 500);
    this.repaint();
  }

  setColors(codes, hollow, palette) {
    Object.assign(this, { codes, hollow, palette });
    this.repaint();
  }

  setPicked(points) {
    this.picked = new Uint8Array(this.world.length / 2);
    for (const point of points) this.picked[point] = 1;
    this.pickedCount = points.length;
    this.repaint();
  }

  setRings(points) {
    this.rings = points;
    this.paintSoon();
  }

  setNames(names) {
    this.names = names;
    this.paintSoon();
  }

  setTool(tool) {
    this.tool = tool;
    this._cursor();
  }

  holdSpace(held) {
    this.spaceHeld = held;
    this._cursor();
  }

  _cursor() {
    this.node.style.cursor = this.tool === "move" || this.spaceHeld ? "grab" : "crosshair";
  }

  get whole() {
    return Camera.fit(WORLD, this.size, MARGIN);
  }

  fit() {
    this._look(this.whole);
    this.isWhole = true;
  }

  zoom(factor, point = [this.size.width / 2, this.size.height / 2]) {
    if (this.camera) this._look(this.camera.zoomedWithin(point, factor, WORLD, this.size));
  }

  _look(camera) {
    this.camera = camera;
    this.isWhole = false;
    clearTimeout(this.sharpening);
    this.sharpening = setTimeout(() => this._sharpen(), SHARP_AFTER);
    this.paintSoon();
  }

  _sharpen() {
    clearTimeout(this.sharpening);
    if (this.shotAt !== this.camera) this.repaint();
  }

  _resize() {
    const { clientWidth: width, clientHeight: height } = this.node;
    if (!width || !height) return;
    const ratio = globalThis.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.shot])
      Object.assign(canvas, { width: width * ratio, height: height * ratio });
    const before = this.size;
    this.size = { width, height };
    if (!this.camera || this.isWhole) this.camera = this.whole;
    else this.camera = this.camera.panned((width - before.width) / 2, (height - before.height) / 2);
    this.repaint();
  }

  // -- painting ---------------------------------------------------------------------------------------
  // Paint the points again, not only what is above them.
  repaint() {
    this.shotAt = null;
    this.paintSoon();
  }

  paintSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this._paint();
    });
  }

  _paint() {
    if (!this.camera || !this.canvas.width) return;
    const isMoved = this.shotAt !== null && this.shotAt !== this.camera;
    if (this.shotAt === null || (isMoved && this.cost < QUICK)) this._paintPoints();
    const pen = this._pen(this.canvas);
    const { camera, shotAt, size } = this;
    const share = camera.scale / shotAt.scale;
    pen.drawImage(
      this.shot,
      camera.x - shotAt.x * share,
      camera.y - shotAt.y * share,
      size.width * share,
      size.height * share,
    );
    const style = getComputedStyle(this.node);
    this._paintRings(pen, style);
    this._paintNames(pen, style);
    if (this.lasso?.length > 1) this._paintLasso(pen, style);
  }

  _pen(canvas) {
    const pen = canvas.getContext("2d");
    const ratio = globalThis.devicePixelRatio || 1;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    return pen;
  }

  get radius() {
    const count = this.world.length / 2;
    const zoomed = this.camera.scale / this.whole.scale;
    return (count > 30_000 ? 1.6 : count > 5_000 ? 2.2 : 3) * Math.min(2, zoomed ** 0.25);
  }

  _paintPoints() {
    const began = performance.now();
    const pen = this._pen(this.shot);
    const { world, camera, codes, hollow, picked, size, radius } = this;
    const style = getComputedStyle(this.node);
    const reach = radius + 2;
    const ratio = globalThis.devicePixelRatio || 1;
    const picture =
      world.length > 2 * MANY ? pen.createImageData(this.shot.width, this.shot.height) : null;
    const stamps = new Map();
    for (const chosen of this.pickedCount ? [0, 1] : [0])
      for (let index = 0; 2 * index < world.length; index += 1) {
        if (picked[index] !== chosen && this.pickedCount) continue;
        const x = world[2 * index] * camera.scale + camera.x;
        const y = world[2 * index + 1] * camera.scale + camera.y;
        // NaN compares as false
        if (!(x > -reach && y > -reach && x < size.width + reach && y < size.height + reach))
          continue;
        const key = (codes[index] + 2) * 4 + hollow[index] * 2 + chosen;
        if (!stamps.has(key)) {
          const made = this._stamp(codes[index], hollow[index], chosen, radius, style);
          const { canvas } = made;
          stamps.set(
            key,
            picture ? stampOf(made.getImageData(0, 0, canvas.width, canvas.height)) : canvas,
          );
        }
        const stamp = stamps.get(key);
        const [left, top] = [x - reach, y - reach];
        if (picture) putStamp(picture, stamp, Math.round(left * ratio), Math.round(top * ratio));
        else pen.drawImage(stamp, left, top, 2 * reach, 2 * reach);
      }
    if (picture) pen.putImageData(picture, 0, 0);
    this.shotAt = camera;
    this.cost = performance.now() - began;
  }

  // Return a pen with the picture of a point. Those that are not selected are paler.
  _stamp(code, isHollow, chosen, radius, style) {
    const ratio = globalThis.devicePixelRatio || 1;
    const stamp = document.createElement("canvas");
    const middle = radius + 2;
    stamp.width = stamp.height = Math.ceil(2 * middle * ratio);
    const pen = stamp.getContext("2d");
    pen.setTransform(stamp.width / (2 * middle), 0, 0, stamp.width / (2 * middle), 0, 0);
    const text = style.getPropertyValue("--clnb-text");
    const color = code >= 0 ? this.palette[code] : style.getPropertyValue("--clnb-faint");
    pen.globalAlpha = chosen ? 1 : this.pickedCount ? 0.55 : 0.8;
    pen.beginPath();
    pen.arc(middle, middle, radius - (isHollow ? 0.4 : 0), 0, 2 * Math.PI);
    pen.fillStyle = isHollow ? style.getPropertyValue("--clnb-ground") : color;
    pen.fill();
    if (isHollow || chosen) {
      pen.lineWidth = chosen ? 1.4 : 1;
      pen.strokeStyle = chosen ? text : color;
      pen.stroke();
    }
    return pen;
  }

  _paintRings(pen, style) {
    pen.strokeStyle = style.getPropertyValue("--clnb-brand");
    pen.lineWidth = 2;
    for (const point of this.rings) {
      const [x, y] = this.camera.toScreen([this.world[2 * point], this.world[2 * point + 1]]);
      pen.beginPath();
      pen.arc(x, y, this.radius + 4.5, 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  // Paint the names of labels, the largest first. A name gives way downwards, or is left out.
  _paintNames(pen, style) {
    pen.font = NAME_FONT;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    pen.lineWidth = 4;
    pen.strokeStyle = style.getPropertyValue("--clnb-ground");
    pen.fillStyle = style.getPropertyValue("--clnb-text");
    const taken = [];
    for (const [name, wx, wy] of this.names) {
      const text = shortLabel(name);
      const half = pen.measureText(text).width / 2 + 3;
      const [x, middle] = this.camera.toScreen([wx, wy]);
      let y = middle;
      const isTaken = (box) =>
        Math.abs(box.x - x) < box.half + half && Math.abs(box.y - y) < NAME_LINE;
      for (let step = 0; step < 4 && taken.some(isTaken); step += 1) y += NAME_LINE;
      if (taken.some(isTaken)) continue;
      taken.push({ x, y, half });
      pen.strokeText(text, x, y);
      pen.fillText(text, x, y);
    }
  }

  _paintLasso(pen, style) {
    const brand = style.getPropertyValue("--clnb-brand");
    pen.beginPath();
    for (const [x, y] of this.lasso) pen.lineTo(x, y);
    pen.closePath();
    pen.globalAlpha = 0.12;
    pen.fillStyle = brand;
    pen.fill();
    pen.globalAlpha = 1;
    pen.lineWidth = 1.5;
    pen.strokeStyle = brand;
    pen.setLineDash([5, 4]);
    pen.stroke();
    pen.setLineDash([]);
  }

  // Return the number of points in a box of the screen.
  countIn(left, top, right, bottom) {
    const { world, camera } = this;
    let count = 0;
    for (let index = 0; index < world.length; index += 2) {
      const x = world[index] * camera.scale + camera.x;
      const y = world[index + 1] * camera.scale + camera.y;
      if (x > left && x < right && y > top && y < bottom) count += 1;
    }
    return count;
  }

  // -- pointer ----------------------------------------------------------------------------------------
  _place(event) {
    const box = this.node.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  pointAt(place) {
    return nearestPoint(this.world, this.camera.toImage(place), REACH / this.camera.scale);
  }

  _down(event) {
    if (event.target !== this.canvas || (event.button !== 0 && event.button !== 1)) return;
    event.preventDefault();
    const place = this._place(event);
    this.node.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, place);
    this._rest(null);
    this.pan = null;
    if (this.pointers.size > 1) {
      this.lasso = null;
      this.pinch = this._fingers();
    } else if (event.button === 1 || this.spaceHeld || this.tool === "move") {
      this.pan = place;
      this.panned = 0;
    } else this.lasso = [place];
    this.on.press();
  }

  _fingers() {
    const [[ax, ay], [bx, by]] = [...this.pointers.values()];
    return { middle: [(ax + bx) / 2, (ay + by) / 2], length: Math.hypot(ax - bx, ay - by) || 1 };
  }

  _move(event) {
    const place = this._place(event);
    if (!this.pointers.has(event.pointerId)) return this._hover(event, place);
    this.pointers.set(event.pointerId, place);
    if (this.pinch && this.pointers.size > 1) {
      const { middle, length } = this._fingers();
      const [x, y] = this.pinch.middle;
      const moved = this.camera.panned(middle[0] - x, middle[1] - y);
      this._look(moved.zoomedWithin(middle, length / this.pinch.length, WORLD, this.size));
      this.pinch = { middle, length };
    } else if (this.pan) {
      const [dx, dy] = [place[0] - this.pan[0], place[1] - this.pan[1]];
      this.panned += Math.abs(dx) + Math.abs(dy);
      this.pan = place;
      this._look(this.camera.panned(dx, dy).kept(WORLD, this.size));
    } else if (this.lasso) {
      const [x, y] = this.lasso.at(-1);
      if (Math.hypot(place[0] - x, place[1] - y) >= 2) this.lasso.push(place);
      this.paintSoon();
    }
    return undefined;
  }

  _up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { lasso, pan, pinch } = this;
    if (!this.pointers.size) [this.lasso, this.pan, this.pinch] = [null, null, null];
    if (pinch) return;
    if (this.panned && pan) this._sharpen(); // the gesture is over: the next frame is sharp
    const how = event.shiftKey || event.ctrlKey || event.metaKey ? "more" : "only";
    const isClick = lasso
      ? lasso.every(([x, y]) => Math.hypot(x - lasso[0][0], y - lasso[0][1]) < CLICK)
      : pan && event.button === 0 && this.panned < CLICK;
    if (isClick) this.on.click(this.pointAt(this._place(event)), how);
    else if (lasso)
      this.on.lasso(
        pointsInside(
          this.world,
          lasso.map((place) => this.camera.toImage(place)),
        ),
        how,
      );
    this.paintSoon();
  }

  _cancel(event) {
    this.pointers.delete(event.pointerId);
    [this.lasso, this.pan, this.pinch] = [null, null, null];
    this.paintSoon();
  }

  _hover(event, place) {
    if (event.pointerType !== "mouse" || !this.camera) return;
    this._rest(event.target === this.canvas ? this.pointAt(place) : null);
  }

  _rest(point) {
    if (point === this.rested) return;
    this.rested = point;
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.on.rest(point), point === null ? 0 : CARD_AFTER);
  }

  // The wheel scrolls the notebook until the map has the focus.
  _wheel(event) {
    if (!this.camera || !event.cancelable) return;
    if (!event.ctrlKey && !event.metaKey && !this.node.closest(".clnb:focus-within")) return;
    event.preventDefault();
    const step = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    this.zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.0016)), this._place(event));
  }
}
