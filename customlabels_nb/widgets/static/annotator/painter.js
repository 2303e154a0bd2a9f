// Paint shapes on a separate canvas above the image: 500 boxes within one frame. Read-only.

import { inkOn } from "../shared/colors.js";
import { HANDLES, handlePoint, outline, pointsOf, ringsOf } from "../shared/geometry.js";
import { shortLabel, TAG_HEIGHT } from "../shared/tags.js";
import { covers, smallBoxes, tagSpot } from "./tag_spots.js";

const HANDLE = 8;
const FONT = "600 12px system-ui, sans-serif";
const MOST_NAMED = 15; // with more shapes, names would hide the image

export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.still = canvas.ownerDocument.createElement("canvas");
    this.pen = canvas.getContext("2d");
    this.widths = new Map();
    this.stillOf = [];
    this.taken = []; // small boxes and tags, which no other tag should cover
    this.untagged = new Set(); // shapes without a free place for their tag
  }

  resize({ width, height }, ratio) {
    this.ratio = ratio;
    this.size = { width, height };
    this.canvas.width = this.still.width = Math.round(width * ratio);
    this.canvas.height = this.still.height = Math.round(height * ratio);
    this.stillOf = [];
    this.canvas.style.width = `${this.canvas.width / ratio}px`; // one canvas pixel per screen pixel
    this.canvas.style.height = `${this.canvas.height / ratio}px`;
  }

  // `scene`: { camera, shapes, predictions, asks, selected, also, band, prediction, corner, draft, prompts, colorOf,
  // isHidden, isNameless, isSuggested, guides, hovered, pointed }. `hovered` is the shape of a row, `pointed` is under
  // the pointer. If `isSuggested`, predictions are what a person had drawn.
  paint(scene) {
    this._clear(this.pen);
    if (!scene) return;
    this._paintStill(scene);
    this.pen.drawImage(
      this.still,
      0,
      0,
      this.canvas.width / this.ratio,
      this.canvas.height / this.ratio,
    );
    const { shapes, selected, draft } = scene;
    if (shapes[selected] && draft?.index !== selected && !draft?.moves?.has(selected))
      this._tag(
        this.pen,
        this._shape(this.pen, scene, shapes[selected], { strong: true, number: selected + 1 }),
      );
    const all = [...shapes, ...scene.predictions];
    const isCrowded = all.length > MOST_NAMED;
    const over = draft ? null : (scene.hovered ?? (isCrowded ? scene.pointed : null));
    const index = all.indexOf(over);
    const isStrong =
      [selected, ...scene.also].includes(index) || over === scene.predictions[scene.prediction];
    if (index >= 0 && (scene.hovered || !isStrong)) {
      const tag = this._shape(this.pen, scene, over, {
        lit: Boolean(scene.hovered),
        isWhole: true,
        dashed: index >= shapes.length,
        number: index + 1,
      });
      if (this.untagged.has(over) || isCrowded) this._tag(this.pen, tag);
    }
    if (draft)
      for (const shape of draft.moves?.values() ?? [draft.shape])
        this._shape(this.pen, scene, shape, { strong: true, drawn: true });
    if (scene.band) this._prompts({ box: scene.band, points: [] }, scene.camera);
    if (scene.prompts) this._prompts(scene.prompts, scene.camera);
    if (scene.guides) this._guides(scene.guides);
  }

  _clear(pen) {
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.lineJoin = "round";
  }

  // Paint all shapes except the selected and the drawn one to a buffer. While the pointer moves, each frame reuses it:
  // the cost does not depend on the number of shapes.
  _paintStill(scene) {
    const { camera, shapes, predictions, prediction, selected, also, draft } = scene;
    const looks = new Map();
    const look = (shape) => {
      if (!looks.has(shape.label))
        looks.set(shape.label, `${scene.colorOf(shape.label)} ${scene.isHidden(shape)}`);
    };
    predictions.forEach(look);
    shapes.forEach(look);
    const now = [
      camera,
      shapes,
      predictions,
      prediction,
      selected,
      also,
      draft?.index,
      scene.isNameless,
      [...looks.values()].join(),
    ];
    if (now.every((value, index) => value === this.stillOf[index])) return;
    this.stillOf = now;
    const pen = this.still.getContext("2d");
    this._clear(pen);
    const tags = predictions.map((shape, index) =>
      this._shape(pen, scene, shape, {
        dashed: true,
        strong: prediction === index,
        number: shapes.length + index + 1,
      }),
    );
    shapes.forEach((shape, index) => {
      if (index !== draft?.index && !draft?.moves?.has(index) && index !== selected) {
        const strong = also.includes(index);
        tags.push(this._shape(pen, scene, shape, { strong, number: index + 1 }));
      }
    });
    const chosen = shapes[selected] ? [pointsOf(outline(shapes[selected]))] : [];
    this.taken = smallBoxes(
      [
        ...tags.flatMap((tag) => (tag ? [tag.points] : [])),
        ...chosen.map((points) => points.map((point) => camera.toScreen(point))),
      ],
      this.size,
    );
    this.untagged.clear();
    for (const tag of tags) {
      const bounds = this._tag(pen, tag, { isAlways: false });
      if (bounds) this.taken.push(bounds);
      else if (tag) this.untagged.add(tag.shape);
    }
  }

  // Paint a shape, and return its tag, or null if it has none: { texts, points, color, shape }. Its second text is
  // short.
  _shape(
    pen,
    scene,
    shape,
    { strong = false, dashed = false, drawn = false, lit = false, isWhole = strong, number = 0 },
  ) {
    if (scene.isHidden(shape) && !strong && !lit) return null;
    const color = scene.colorOf(shape.label);
    const rings = ringsOf(outline(shape)).map((ring) =>
      ring.map((point) => scene.camera.toScreen(point)),
    );
    const points = rings.flat();
    pen.beginPath();
    for (const ring of rings) {
      ring.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      if (!shape.open) pen.closePath();
    }
    if ((strong || lit) && !shape.open) {
      pen.globalAlpha = lit ? 0.35 : 0.12;
      pen.fillStyle = color;
      pen.fill("evenodd");
      pen.globalAlpha = 1;
    }
    pen.globalAlpha = 0.6;
    pen.lineWidth = strong ? 4 : 3.5;
    pen.strokeStyle = inkOn(color); // a halo, also between dashes: one of both colors contrasts with any photo
    pen.stroke();
    pen.globalAlpha = 1;
    pen.setLineDash(dashed ? [6, 4] : []);
    pen.lineWidth = strong ? 2.5 : 1.8;
    pen.strokeStyle = color;
    pen.stroke();
    pen.setLineDash([]);
    const hasHandles = !dashed || !(shape.polygon || scene.asks.has(shape));
    if (strong && hasHandles && !scene.also.length) this._handles(pen, shape, points, color, scene);
    if (shape.open || drawn || scene.isNameless) return null;
    const short = `${number}${scene.asks.has(shape) ? "?" : ""}${shape.note ? "✎" : ""}`;
    const confidence = dashed && !scene.isSuggested ? ` ${shape.confidence.toFixed(2)}` : "";
    const key = dashed && strong ? " ⏎" : "";
    const text = `${short} ${shortLabel(shape.label)}${confidence}${key}`;
    const isCrowded = scene.shapes.length + scene.predictions.length > MOST_NAMED;
    const texts = isCrowded ? [isWhole ? text : short] : [text, short];
    return { texts, points, color, shape };
  }

  _handles(pen, shape, points, color, { camera, corner }) {
    const places = shape.polygon
      ? points
      : HANDLES.map((name) => camera.toScreen(handlePoint(shape, name)));
    const path = ([x, y]) => {
      if (shape.polygon) {
        pen.moveTo(x + HANDLE / 2, y);
        pen.arc(x, y, HANDLE / 2, 0, 2 * Math.PI);
      } else pen.rect(x - HANDLE / 2, y - HANDLE / 2, HANDLE, HANDLE);
    };
    pen.lineWidth = 1.5;
    pen.strokeStyle = color;
    for (const [fill, own] of [
      ["#fff", places],
      [color, shape.polygon && places[corner] ? [places[corner]] : []],
    ]) {
      pen.fillStyle = fill;
      pen.beginPath();
      own.forEach(path);
      pen.fill();
      pen.stroke();
    }
  }

  // Clicks and the box that an outline follows from: green adds, red takes away.
  _prompts({ box, points }, camera) {
    const { pen } = this;
    if (box) {
      const [[left, top], [right, bottom]] = [
        [box.left, box.top],
        [box.left + box.width, box.top + box.height],
      ].map((point) => camera.toScreen(point));
      for (const [style, dash] of [
        ["rgba(0, 0, 0, .6)", []],
        ["#fff", [4, 4]],
      ]) {
        pen.setLineDash(dash);
        pen.lineWidth = 1;
        pen.strokeStyle = style;
        pen.strokeRect(
          Math.round(left) + 0.5,
          Math.round(top) + 0.5,
          Math.round(right - left),
          Math.round(bottom - top),
        );
      }
      pen.setLineDash([]);
    }
    for (const { x, y, inside } of points) {
      const [sx, sy] = camera.toScreen([x, y]);
      pen.beginPath();
      pen.arc(sx, sy, 9, 0, 2 * Math.PI);
      pen.fillStyle = inside ? "#1e7e34" : "#b3261e";
      pen.fill();
      pen.lineWidth = 2;
      pen.strokeStyle = "#fff";
      pen.moveTo(sx - 4, sy);
      pen.lineTo(sx + 4, sy);
      if (inside) {
        pen.moveTo(sx, sy - 4);
        pen.lineTo(sx, sy + 4);
      }
      pen.stroke();
    }
  }

  // Paint a tag, and return its bounds, or null if it would cover a small box or another tag, unless `isAlways`.
  _tag(pen, tag, { isAlways = true } = {}) {
    if (!tag) return null;
    const { texts, points, color } = tag;
    pen.font = FONT;
    const place = (text) => {
      if (!this.widths.has(text)) this.widths.set(text, pen.measureText(text).width);
      const width = this.widths.get(text) + 10;
      return { text, width, ...tagSpot(points, width, this.size, this.taken) };
    };
    let { text, width, spot, isFree } = place(texts[0]);
    if (!isFree && texts[1]) ({ text, width, spot } = place(texts[1]));
    const [x, y] = spot;
    if (!isAlways && this.taken.some((bounds) => covers(x, y, width, bounds))) return null;
    pen.fillStyle = color;
    pen.fillRect(x, y, width, TAG_HEIGHT - 1);
    pen.fillStyle = inkOn(color);
    pen.textBaseline = "middle";
    pen.fillText(text, x + 5, y + 9);
    return { left: x, top: y, right: x + width, bottom: y + TAG_HEIGHT };
  }

  _guides([x, y]) {
    const { pen } = this;
    const [width, height] = [this.canvas.width / this.ratio, this.canvas.height / this.ratio];
    for (const [style, dash] of [
      ["rgba(0, 0, 0, .6)", []],
      ["rgba(255, 255, 255, .9)", [4, 4]],
    ]) {
      pen.beginPath();
      pen.setLineDash(dash);
      pen.lineWidth = 1;
      pen.strokeStyle = style;
      pen.moveTo(Math.round(x) + 0.5, 0);
      pen.lineTo(Math.round(x) + 0.5, height);
      pen.moveTo(0, Math.round(y) + 0.5);
      pen.lineTo(width, Math.round(y) + 0.5);
      pen.stroke();
    }
    pen.setLineDash([]);
  }
}
