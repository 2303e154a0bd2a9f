// Full view of one test image with zoom and pan, next to a list of its labels with result and confidence.

import { element, keepKeys, setText, show } from "../shared/dom.js";
import { itemAt, itemsOf, shortName } from "./choosing.js";
import { overlayOf } from "../shared/overlay.js";
import { shapesOfItems } from "./overlay.js";
import { itemText } from "./text.js";

const MOST_ZOOM = 40;
const SHARE_OF_WINDOW = 0.9;

// Return scale and shift of a viewport after zooming by `factor` around a fixed point.
export function zoomedView({ scale, x, y }, [px, py], factor) {
  const next = Math.min(MOST_ZOOM, Math.max(1, scale * factor));
  const ratio = next / scale;
  return next === 1
    ? { scale: 1, x: 0, y: 0 }
    : { scale: next, x: px - (px - x) * ratio, y: py - (py - y) * ratio };
}

// Return { top, height } of the viewer in a widget of this height that is in sight from the pixel `first`, in a window.
export function viewerPlace(height, first, windowHeight) {
  const viewerHeight = Math.min(height, SHARE_OF_WINDOW * windowHeight);
  return { top: Math.max(0, Math.min(first, height - viewerHeight)), height: viewerHeight };
}

// Return the first pixel of an element that is not scrolled out of sight, and the height of what it scrolls in.
function inSight(node) {
  let [first, last] = [0, window.innerHeight];
  for (
    let ancestor = node.parentElement;
    ancestor && ancestor !== document.body;
    ancestor = ancestor.parentElement
  ) {
    if (getComputedStyle(ancestor).overflowY === "visible") continue;
    const { top, bottom } = ancestor.getBoundingClientRect();
    [first, last] = [Math.max(first, top), Math.min(last, bottom)];
  }
  return [Math.max(0, first - node.getBoundingClientRect().top), last - first];
}

export class Viewer {
  // `load(image)` → Promise of { uri, size }. `onStep(by)` goes to a neighbour. `actions(image)` are its buttons.
  // `counted(items)` returns the items to point out, and `onEdit(image, box)` opens the image for correction.
  constructor({ load, onStep, actions, counted, onEdit, onClose }) {
    this.counted = counted;
    this.onEdit = onEdit;
    this.load = load;
    this.onStep = onStep;
    this.actions = actions;
    this.onClose = onClose;
    this.view = { scale: 1, x: 0, y: 0 };
    this.picture = element("img", { alt: "", draggable: false });
    this.layer = element("div", { class: "layer" }, this.picture);
    this.excuse = element("p", { class: "excuse", hidden: true });
    this.viewport = element(
      "div",
      {
        class: "stage",
        on: {
          wheel: (event) => this._wheel(event),
          pointerdown: (event) => this._hold(event),
          pointermove: (event) => {
            this._drag(event);
            this._point(event);
          },
          pointerleave: () => this._mark(null),
          pointerup: () => {
            this.held = null;
          },
          pointercancel: () => {
            this.held = null;
          },
          dblclick: () => this._zoom(this._centre(), this.view.scale > 1 ? 0 : 3),
        },
      },
      this.layer,
      this.excuse,
    );
    this.title = element("strong", { class: "title" });
    this.list = element("div", { class: "items", attributes: { role: "list" } });
    this.buttons = element("div", { class: "choices" });
    const button = (text, label, run, name = "plain") =>
      element("button", {
        class: name,
        text,
        title: label,
        attributes: { "aria-label": label },
        on: { click: run },
      });
    this.node = keepKeys(
      element(
        "div",
        {
          class: "viewer",
          hidden: true,
          tabIndex: -1,
          attributes: { role: "dialog", "aria-label": "Test image" },
          on: { keydown: (event) => this._key(event) },
        },
        element(
          "div",
          { class: "band" },
          button("‹", "Previous image (←)", () => this.onStep(-1)),
          button("›", "Next image (→)", () => this.onStep(1)),
          this.title,
          element("span", { class: "spring" }),
          button("−", "Zoom out", () => this._zoom(this._centre(), 1 / 1.5)),
          button("+", "Zoom in", () => this._zoom(this._centre(), 1.5)),
          button("Fit", "Fit (0)", () => this._zoom(this._centre(), 0)),
          button("×", "Close (Esc)", () => this.close()),
        ),
        element(
          "div",
          { class: "inside" },
          this.viewport,
          element(
            "aside",
            {},
            this.list,
            element("p", { class: "faint legend", text: "ground truth solid, predictions dashed" }),
            this.buttons,
          ),
        ),
      ),
    );
  }

  get isOpen() {
    return !this.node.hidden;
  }

  async open(engine, state, image, preview) {
    const isNew = !this.isOpen || image !== this.image;
    this.engine = engine;
    this.state = state;
    this.image = image;
    const wasOpen = this.isOpen;
    show(this.node, true);
    if (!wasOpen) this._place();
    if (isNew) {
      this.view = { scale: 1, x: 0, y: 0 };
      this.size = preview?.size ?? null;
      this.marked = null;
      setText(this.title, shortName(engine.facts.images[image]));
      this.title.title = engine.facts.images[image];
      if (preview?.uri) this.picture.src = preview.uri;
      else this.picture.removeAttribute("src");
      show(this.picture, Boolean(preview?.uri));
      show(this.excuse, false);
      this.buttons.replaceChildren(...this.actions(image));
    }
    this.refresh(state);
    if (!wasOpen) this.node.focus({ preventScroll: true });
    if (!isNew) return;
    try {
      const full = await this.load(image);
      if (this.image !== image || !this.isOpen) return;
      this.picture.src = full.uri;
      this.size = full.size;
      show(this.picture, true);
      this.refresh(this.state);
    } catch (error) {
      if (this.image !== image || preview?.uri) return;
      setText(this.excuse, error.message);
      show(this.excuse, true);
    }
  }

  // Redraw the same image at the current thresholds.
  refresh(state) {
    if (!this.isOpen) return;
    this.state = state;
    const { engine, image } = this;
    const { labels } = engine.facts;
    this.items = itemsOf(engine, state, image);
    this.marked = null;
    this.lines = this.items.map((item) => this._line(item, labels));
    this.list.replaceChildren(
      ...(this.lines.length
        ? this.lines
        : [element("p", { class: "faint", text: "No labels and no predictions." })]),
    );
    this._paint();
  }

  _line(item, labels) {
    const { color } = labels[item.label];
    return element(
      "div",
      {
        class: `item ${item.result}`,
        style: { "--label-color": color },
        title: this.state.isTop ? "" : `Threshold ${item.threshold.toFixed(3)}`,
        attributes: { role: "listitem" },
        on: { pointerenter: () => this._mark(item), pointerleave: () => this._mark(null) },
      },
      element("i", { class: "dot", attributes: { "aria-hidden": "true" } }),
      element("bdi", { text: itemText(item, labels) }),
    );
  }

  // Highlight one item in the picture and in the list.
  _mark(item) {
    if (item === (this.marked ?? null)) return;
    this.marked = item;
    this.lines.forEach((line, index) =>
      line.classList.toggle("marked", this.items[index] === item),
    );
    this._paint();
  }

  // Highlight the box under the pointer, and scroll the list to it.
  _point({ clientX, clientY }) {
    if (this.held || !this.size || !this.engine.isDetection) return;
    const frame = this.viewport.getBoundingClientRect();
    const [scale, inset] = [this._scale(), 8 * this.view.scale];
    const offset = (shown, start, edge, side, pixels) =>
      (shown - start - edge - inset - (side * this.view.scale - pixels * scale) / 2) / scale;
    const x = offset(
      clientX,
      frame.left,
      this.view.x,
      this.viewport.clientWidth - 16,
      this.size[0],
    );
    const y = offset(
      clientY,
      frame.top,
      this.view.y,
      this.viewport.clientHeight - 16,
      this.size[1],
    );
    const item = itemAt(this.items, x, y);
    this._mark(item);
    if (item) this.lines[this.items.indexOf(item)].scrollIntoView({ block: "nearest" });
  }

  _paint() {
    this.overlay?.remove();
    const isDrawn = this.size && this.engine.isDetection;
    const shapesOf = (items) => shapesOfItems(items, this.engine.facts.labels);
    this.overlay = isDrawn
      ? overlayOf(shapesOf(this.items), this.size, {
          marked: shapesOf(this._pointedOut()),
          scale: this._scale(),
        })
      : null;
    if (this.overlay) this.layer.append(this.overlay);
    const { scale, x, y } = this.view;
    this.layer.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.viewport.classList.toggle("zoomed", scale > 1);
  }

  _pointedOut() {
    return this.marked ? [this.marked] : this.counted(this.items);
  }

  // Edit the image, with the box under the pointer selected, or the first one that is pointed out.
  edit() {
    const [item] = this.engine.isDetection ? this._pointedOut() : [];
    const shape = item && (item.box ?? item.truth);
    this.onEdit(this.image, shape ? [shape.left, shape.top, shape.width, shape.height] : null);
  }

  // CSS pixels per image pixel.
  _scale() {
    const [width, height] = this.size;
    return (
      Math.min(
        (this.viewport.clientWidth - 16) / width,
        (this.viewport.clientHeight - 16) / height,
      ) * this.view.scale
    );
  }

  // Open in the part of a tall widget that is in sight, and scroll to the rest.
  _place() {
    const root = this.node.parentElement;
    const { top, height } = viewerPlace(root.clientHeight, ...inSight(root));
    this.node.style.height = `${height}px`;
    this.node.style.top = `${top}px`;
    this.node.scrollIntoView({ block: "nearest" });
  }

  _centre() {
    return [this.viewport.clientWidth / 2, this.viewport.clientHeight / 2];
  }

  _zoom(point, factor) {
    this.view = zoomedView(this.view, point, factor);
    this._paint();
  }

  _wheel(event) {
    event.preventDefault();
    const frame = this.viewport.getBoundingClientRect();
    this._zoom([event.clientX - frame.left, event.clientY - frame.top], 1.0015 ** -event.deltaY);
  }

  _hold(event) {
    if (this.view.scale === 1) return;
    this.held = [event.clientX - this.view.x, event.clientY - this.view.y];
    this.viewport.setPointerCapture(event.pointerId);
  }

  _drag(event) {
    if (!this.held) return;
    this.view = { ...this.view, x: event.clientX - this.held[0], y: event.clientY - this.held[1] };
    this._paint();
  }

  _key(event) {
    if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey) return;
    const actions = {
      e: () => this.edit(),
      Escape: () => this.close(),
      ArrowRight: () => this.onStep(1),
      ArrowLeft: () => this.onStep(-1),
      "+": () => this._zoom(this._centre(), 1.5),
      "-": () => this._zoom(this._centre(), 1 / 1.5),
      0: () => this._zoom(this._centre(), 0),
    };
    if (!actions[event.key]) return;
    actions[event.key]();
    event.preventDefault();
    event.stopPropagation();
  }

  close() {
    if (!this.isOpen) return;
    show(this.node, false);
    this.picture.removeAttribute("src");
    this.image = null;
    this.onClose();
  }
}
