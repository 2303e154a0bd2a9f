// Drawing canvas: the image on a layer that the browser moves, the shapes painted above it, and pointer input.

import { element } from "../shared/dom.js";
import { Camera } from "./camera.js";
import { cursorFor } from "./hits.js";
import { Painter } from "./painter.js";

const TOLERANCE = 7; // CSS pixels
const TOUCH_TOLERANCE = 2 * TOLERANCE; // fingers are less precise than a mouse
const DETAIL_AFTER = 180;
const RESTS_AFTER = 200;

export class Canvas {
  // `drawing` is the state machine of gestures. `scene()` returns what else to paint. `on` has press(), changed(),
  // selected(), pointed(point, tolerance) or pointed(null), zoomed(scale) and detail(region, pixels) →
  // Promise of an image of the region.
  constructor({ drawing, scene, on }) {
    this.drawing = drawing;
    this.scene = scene;
    this.on = on;
    this.picture = element("img", { class: "photo", alt: "", draggable: false });
    this.closeUp = element("img", { class: "photo", alt: "", draggable: false, hidden: true });
    this.paper = element("canvas", { class: "paper" });
    this.node = element(
      "div",
      { class: "canvas", attributes: { role: "img" } },
      this.picture,
      this.closeUp,
      this.paper,
    );
    this.painter = new Painter(this.paper);
    this.camera = new Camera();
    this.image = null;
    this.size = { width: 1, height: 1 };
    this.pointers = new Map();
    this.guides = false;
    this.spaceHeld = false;
    this.isAsleep = false; // another image is loading
    this.node.addEventListener("pointerdown", (event) => this._down(event));
    this.node.addEventListener("pointermove", (event) => this._move(event));
    this.node.addEventListener("pointerup", (event) => this._up(event));
    this.node.addEventListener("pointercancel", (event) => this._lost(event));
    this.node.addEventListener("lostpointercapture", (event) => {
      if (this.pointers.has(event.pointerId)) this._lost(event);
    });
    this.node.addEventListener("pointerleave", () => {
      this.at = null;
      this.on.pointed(null);
      this.paintSoon();
    });
    this.node.addEventListener("dblclick", () => this._settle(this.drawing.closePolygon()));
    this.node.addEventListener("wheel", (event) => this._wheel(event), { passive: false });
    this.node.addEventListener("contextmenu", (event) => event.preventDefault());
    this.watching = new ResizeObserver(() => this.measure());
    this.watching.observe(this.node);
  }

  close() {
    this.watching.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.detailing);
    clearTimeout(this.resting);
  }

  measure() {
    const { clientWidth: width, clientHeight: height } = this.node;
    if (!width || !height) return;
    const wasFit = this.isFit;
    this.size = { width, height };
    this.painter.resize(this.size, ratio());
    if (this.image && wasFit) this.fit();
    this.paint();
  }

  // `view` is { uri, width, height } of the shown image. `image` has the size of the upright original.
  show(image, view, { keepCamera = false } = {}) {
    this.image = image;
    this.picture.src = view.uri;
    this.sharpness = view.width / image.width;
    this._forgetDetail();
    if (keepCamera && !this.isFit) this._setCamera(this.camera);
    else this.fit();
  }

  hide() {
    this.image = null;
    this.picture.removeAttribute("src");
    this._forgetDetail();
    this.paint();
  }

  // -- the camera -----------------------------------------------------------------------------------
  fit() {
    if (!this.image) return;
    this._setCamera(Camera.fit(this.image, this.size).snapped(ratio()));
    this.isFit = true;
  }

  oneToOne() {
    if (!this.image) return;
    this._glide(
      this.camera
        .zoomed(this.at ?? this._centre, 1 / ratio() / this.camera.scale)
        .kept(this.image, this.size),
    );
  }

  get _centre() {
    return [this.size.width / 2, this.size.height / 2];
  }

  // Region of the image that is shown, in whole pixels.
  get visible() {
    const [left, top] = this.camera.toImage([0, 0]).map((value) => Math.max(0, Math.floor(value)));
    const [right, bottom] = this.camera.toImage([this.size.width, this.size.height]);
    return {
      left,
      top,
      width: Math.ceil(Math.min(this.image.width, right) - left),
      height: Math.ceil(Math.min(this.image.height, bottom) - top),
    };
  }

  // Image point in the middle of the canvas.
  get middle() {
    return this.camera.toImage(this._centre);
  }

  zoom(factor, point = this._centre) {
    if (this.image) this._glide(this.camera.zoomedWithin(point, factor, this.image, this.size));
  }

  // During a movement, the image is a layer that the browser only shifts and scales at full resolution. At rest, it is
  // painted at its display size, which is sharper and makes drawing faster.
  _glide(camera) {
    const hint = (text) => {
      for (const layer of [this.picture, this.closeUp]) layer.style.willChange = text;
    };
    hint("transform");
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      hint("");
      const { isFit } = this;
      if (this.image) this._setCamera(this.camera.snapped(ratio()));
      this.isFit = isFit;
    }, RESTS_AFTER);
    this._setCamera(camera);
    const fit = Camera.fit(this.image, this.size);
    this.isFit = ["scale", "x", "y"].every((name) => camera[name] === fit[name]);
  }

  _setCamera(camera) {
    this.camera = camera;
    this.isFit = false;
    const { width, height } = this.image;
    this.picture.style.width = `${width}px`;
    this.picture.style.height = `${height}px`;
    this.picture.style.transform = `matrix(${camera.scale}, 0, 0, ${camera.scale}, ${camera.x}, ${camera.y})`;
    this.picture.style.imageRendering = camera.scale >= 4 ? "pixelated" : "auto";
    this._placeDetail();
    this._wantDetail();
    this.on.zoomed(camera.scale);
    this.paintSoon();
  }

  // Load a sharp version of the visible region if the image is shown downscaled.
  _wantDetail() {
    clearTimeout(this.detailing);
    if (
      !this.image ||
      this.sharpness >= 0.999 ||
      this.camera.scale * ratio() <= this.sharpness * 1.2
    )
      return;
    this.detailing = setTimeout(async () => {
      const { image, visible: region } = this;
      if (region.width <= 0 || region.height <= 0) return;
      const uri = await this.on
        .detail(region, Math.ceil(Math.max(this.size.width, this.size.height) * ratio()))
        .catch(() => null);
      if (!uri || image !== this.image) return;
      this.region = region;
      this.closeUp.src = uri;
      this.closeUp.hidden = false;
      this._placeDetail();
    }, DETAIL_AFTER);
  }

  _placeDetail() {
    if (!this.region) return;
    const [x, y] = this.camera.toScreen([this.region.left, this.region.top]);
    this.closeUp.style.width = `${this.region.width}px`;
    this.closeUp.style.height = `${this.region.height}px`;
    this.closeUp.style.transform = `matrix(${this.camera.scale}, 0, 0, ${this.camera.scale}, ${x}, ${y})`;
  }

  _forgetDetail() {
    clearTimeout(this.detailing);
    this.region = null;
    this.closeUp.hidden = true;
    this.closeUp.removeAttribute("src");
  }

  setFilter({ brightness, contrast }) {
    for (const layer of [this.picture, this.closeUp])
      layer.style.filter =
        brightness === 1 && contrast === 1 ? "" : `brightness(${brightness}) contrast(${contrast})`;
  }

  // -- painting -------------------------------------------------------------------------------------
  paintSoon() {
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const { imageShapes } = this.drawing;
    if (!this.image || !imageShapes) {
      this.painter.paint(null);
      return;
    }
    const guides = this.guides && this.at && !this.pan ? this.at : null;
    this.painter.paint({
      camera: this.camera,
      shapes: imageShapes.shapes,
      selected: imageShapes.selected,
      also: imageShapes.also,
      band: this.drawing.band,
      corner: this.drawing.corner,
      draft: this.drawing.draft,
      guides,
      ...this.scene(),
    });
  }

  // -- pointers -------------------------------------------------------------------------------------
  _place(event) {
    const box = this.node.getBoundingClientRect();
    return [
      event.clientX - box.left - this.node.clientLeft,
      event.clientY - box.top - this.node.clientTop,
    ];
  }

  _down(event) {
    if (!this.image || this.isAsleep || (event.button !== 0 && event.button !== 1)) return;
    event.preventDefault();
    this.on.press();
    const point = this._place(event);
    this.node.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, point);
    if (this.pointers.size > 1) {
      // two fingers: pinch
      this.drawing.stop();
      this.pan = null;
      this.pinch = this._fingers();
    } else if (event.button === 1 || this.spaceHeld) this.pan = point;
    else {
      const tolerance =
        (event.pointerType === "touch" ? TOUCH_TOLERANCE : TOLERANCE) / this.camera.scale;
      if (
        this.drawing.press(this.camera.toImage(point), {
          tolerance,
          fresh: event.ctrlKey || event.metaKey,
          removes: event.altKey,
          adds: event.shiftKey,
        })
      )
        this.on.changed();
    }
    this.paintSoon();
  }

  _fingers() {
    const [[ax, ay], [bx, by]] = [...this.pointers.values()];
    return {
      middle: [(ax + bx) / 2, (ay + by) / 2],
      length: Math.max(1, Math.hypot(bx - ax, by - ay)),
    };
  }

  _move(event) {
    const point = this._place(event);
    this.at = point;
    if (this.pointers.has(event.pointerId)) {
      if (event.pointerType === "mouse" && !event.buttons)
        this._lost(event); // the button was released outside the page
      else this.pointers.set(event.pointerId, point);
    }
    if (!this.image) return;
    if (this.pinch) {
      if (this.pointers.size < 2) return;
      const now = this._fingers();
      this._glide(
        this.camera
          .panned(now.middle[0] - this.pinch.middle[0], now.middle[1] - this.pinch.middle[1])
          .zoomedWithin(now.middle, now.length / this.pinch.length, this.image, this.size),
      );
      this.pinch = now;
    } else if (this.pan) {
      this._glide(
        this.camera
          .panned(point[0] - this.pan[0], point[1] - this.pan[1])
          .kept(this.image, this.size),
      );
      this.pan = point;
    } else {
      this.drawing.move(this.camera.toImage(point));
      if (!this.drawing.gesture) this._showCursor(point, event.ctrlKey || event.metaKey);
    }
    if (this.drawing.isBusy || this.guides) this.paintSoon();
  }

  holdSpace(held) {
    this.spaceHeld = held;
    this.node.style.cursor = held ? "grab" : "";
  }

  _showCursor(point, fresh) {
    const there = [this.camera.toImage(point), TOLERANCE / this.camera.scale];
    const hit = fresh ? null : this.drawing.hit(...there);
    this.on.pointed(...there);
    const style = this.spaceHeld
      ? "grab"
      : cursorFor(hit, { grabs: this.drawing.grabs(hit), draws: this.drawing.tool !== "select" });
    if (this.node.style.cursor !== style) this.node.style.cursor = style;
  }

  _up(event) {
    const point = this._place(event);
    const known = this.pointers.delete(event.pointerId);
    if (this.pinch) {
      if (!this.pointers.size) this.pinch = null;
      return;
    }
    if (!known) return;
    if (this.pan) this.pan = null;
    else this._settle(this.drawing.release(this.camera.toImage(point)));
  }

  _settle(changed) {
    if (changed) this.on.changed();
    else this.on.selected();
    this.paintSoon();
  }

  _lost(event) {
    this.pointers.delete(event.pointerId);
    this.pan = null;
    if (!this.pointers.size) this.pinch = null;
    this.drawing.stop();
    this.paintSoon();
  }

  _wheel(event) {
    if (!this.image || !event.cancelable) return; // do not interrupt a page that already scrolls
    if (!event.ctrlKey && !event.metaKey && !this.node.closest(".clnb:focus-within")) return; // the page scrolls
    event.preventDefault();
    const step = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    this.zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.0016)), this._place(event));
  }
}

function ratio() {
  return globalThis.devicePixelRatio || 1;
}
