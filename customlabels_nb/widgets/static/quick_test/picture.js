// Photo with its predictions, drawn sharp at any size. The camera replaces it while it is on.

import { svgElement } from "../shared/charts.js";
import { element, show } from "../shared/dom.js";
import { mapCorners, outlinePath } from "../shared/geometry.js";
import { cornersOf, fitInto, placeTags, shortLabel, tagNode, tagWidth } from "../shared/tags.js";

export class Picture {
  // `on` has point(index or null) for the hovered box, and choose(index) for a clicked one.
  constructor(on) {
    this.on = on;
    this.image = element("img", { alt: "", draggable: false, hidden: true });
    this.marks = svgElement("svg", { class: "marks", "aria-hidden": "true" });
    this.video = element("video", {
      hidden: true,
      muted: true,
      playsInline: true,
      attributes: { "aria-label": "Camera" },
    });
    this.frame = element("div", { class: "sheet" }, this.image, this.video, this.marks);
    this.node = element("div", { class: "picture" }, this.frame);
    this.video.addEventListener("resize", () => this._arrange());
    this.boxes = [];
    this.resizing = new ResizeObserver(() => this._arrange());
    this.resizing.observe(this.node);
  }

  show(uri, size, words) {
    this.size = size;
    if (this.image.src !== uri) this.image.src = uri;
    this.image.alt = words;
    show(this.image, !this.isFilming);
  }

  // `boxes`: [{ index, label, color, confidence, box, taken }], by descending confidence, in pixels of `size`, which
  // is the size of the photo or of the camera frame.
  draw(boxes, size = this.size) {
    this.boxes = boxes;
    this.sizeOfBoxes = size;
    this._arrange();
  }

  point(index) {
    this.pointed = index;
    for (const node of this.marks.children)
      node.classList.toggle("pointed", node.dataset.index === String(index));
  }

  wait(isWaiting) {
    this.node.classList.toggle("waiting", isWaiting);
  }

  _arrange() {
    const { videoWidth, videoHeight } = this.video;
    const whole = this.isFilming ? { width: videoWidth, height: videoHeight } : this.size;
    if (!whole?.width) return this.marks.replaceChildren();
    const room = { width: this.node.clientWidth, height: this.node.clientHeight };
    if (!room.width || !room.height) return null;
    const scale = fitInto(whole, room);
    const shown = {
      width: Math.max(1, Math.round(whole.width * scale)),
      height: Math.max(1, Math.round(whole.height * scale)),
    };
    for (const node of [this.frame, this.marks]) {
      node.style.width = `${shown.width}px`;
      node.style.height = `${shown.height}px`;
    }
    this.marks.setAttribute("viewBox", `0 0 ${shown.width} ${shown.height}`);
    const unit = shown.width / this.sizeOfBoxes?.width;
    const corners = this.boxes.map(({ box }) => cornersOf(box, unit, shown));
    const words = this.boxes.map(({ label, confidence }) => [
      `${shortLabel(label)} ${confidence.toFixed(2)}`,
      confidence.toFixed(2),
    ]);
    const tags = placeTags(
      corners,
      words.map((pair) => pair.map(tagWidth)),
      shown,
    );
    // draw the most confident box on top, and all captions above all boxes
    const outlines = this.boxes
      .map((mark, index) => this._outline(mark, corners[index], unit))
      .reverse();
    const labels = this.boxes.map((mark, index) =>
      tags[index] ? tag(mark, tags[index], words[index][tags[index].short ? 1 : 0]) : null,
    );
    this.marks.replaceChildren(...outlines, ...labels.filter(Boolean));
    return this.point(this.pointed);
  }

  _outline({ index, color, taken, polygon }, { left, top, right, bottom }, unit) {
    const frame = {
      x: left + 1,
      y: top + 1,
      width: Math.max(1, right - left - 2),
      height: Math.max(1, bottom - top - 2),
    };
    const path = polygon && {
      d: outlinePath(mapCorners(polygon, ([x, y]) => [x * unit, y * unit])),
      "fill-rule": "evenodd",
    };
    const [rim, line] = ["rim", "line"].map((name) =>
      path
        ? svgElement("path", { class: `${name} mask`, ...path })
        : svgElement("rect", { class: name, ...frame }),
    );
    const node = svgElement("g", { class: taken ? "mark" : "mark left-out" }, rim, line);
    node.dataset.index = String(index);
    node.style.setProperty("--label-color", color);
    node.addEventListener("pointerenter", () => this.on.point(index));
    node.addEventListener("pointerleave", () => this.on.point(null));
    node.addEventListener("click", () => this.on.choose(index));
    return node;
  }

  // Show the camera stream instead of the photo. null restores the photo.
  film(stream) {
    this.video.srcObject = stream;
    this.isFilming = Boolean(stream);
    show(this.video, this.isFilming);
    show(this.image, !this.isFilming && Boolean(this.size));
    if (stream) this.video.play().catch(() => {}); // the stream may have ended
    this.draw([]);
  }

  close() {
    this.resizing.disconnect();
  }
}

function tag({ index, color, taken }, frame, text) {
  const node = tagNode(color, text, frame, taken ? "tag" : "tag left-out");
  node.dataset.index = String(index);
  return node;
}
