// Paints shapes on a canvas of their own above the picture: 500 boxes within a frame. Nothing here changes anything.

import { HANDLES, handlePoint, outline } from "../shared/geometry.js";

const HANDLE = 8;
const FONT = "600 12px system-ui, sans-serif";

// Black or white, whichever is easier to read on a colour #rrggbb.
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.3 ? "#111" : "#fff";
}

export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.widths = new Map();
  }

  resize({ width, height }, ratio) {
    this.ratio = ratio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
  }

  // `scene`: { camera, image, shapes, predictions, selected, draft, colourOf, isHidden, guides }
  paint(scene) {
    const { pen } = this;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!scene) return;
    pen.lineJoin = "round";
    const { shapes, predictions, selected, draft } = scene;
    predictions.forEach((shape, index) => this._shape(scene, shape, { dashed: true, strong: scene.selectedPrediction === index }));
    shapes.forEach((shape, index) => {
      if (index !== draft?.index && index !== selected) this._shape(scene, shape, {});
    });
    if (selected !== null && shapes[selected] && draft?.index !== selected) this._shape(scene, shapes[selected], { strong: true });
    if (draft) this._shape(scene, draft.shape, { strong: true, drawn: true });
    if (scene.guides) this._guides(scene.guides, scene);
  }

  _shape(scene, shape, { strong = false, dashed = false, drawn = false }) {
    if (scene.isHidden(shape) && !strong) return;
    const { pen } = this;
    const colour = scene.colourOf(shape.label);
    const points = (shape.polygon ?? outline(shape)).map((point) => scene.camera.toScreen(point));
    pen.beginPath();
    points.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (!shape.open) pen.closePath();
    if (strong && !shape.open) {
      pen.globalAlpha = 0.12;
      pen.fillStyle = colour;
      pen.fill();
      pen.globalAlpha = 1;
    }
    pen.setLineDash(dashed ? [6, 4] : []);
    pen.lineWidth = strong ? 4 : 3.5;
    pen.strokeStyle = "rgba(0, 0, 0, .45)"; // a dark rim: light colours stay visible on light photos
    pen.stroke();
    pen.lineWidth = strong ? 2.5 : 1.8;
    pen.strokeStyle = colour;
    pen.stroke();
    pen.setLineDash([]);
    if (strong) this._handles(shape, points, colour, scene.camera);
    if (!shape.open && !drawn) this._tag(shape, points, colour);
  }

  _handles(shape, points, colour, camera) {
    const places = shape.polygon ? points : HANDLES.map((name) => camera.toScreen(handlePoint(shape, name)));
    const { pen } = this;
    pen.lineWidth = 1.5;
    pen.strokeStyle = colour;
    pen.fillStyle = "#fff";
    for (const [x, y] of places) {
      pen.beginPath();
      if (shape.polygon) pen.arc(x, y, HANDLE / 2, 0, 2 * Math.PI);
      else pen.rect(x - HANDLE / 2, y - HANDLE / 2, HANDLE, HANDLE);
      pen.fill();
      pen.stroke();
    }
  }

  _tag(shape, points, colour) {
    const { pen } = this;
    const said = shape.confidence !== undefined && shape.predicted ? `${shape.label} ${shape.confidence.toFixed(2)}` : shape.label;
    const text = said.length > 32 ? `${said.slice(0, 31)}…` : said;
    const left = Math.min(...points.map(([x]) => x));
    const top = Math.min(...points.map(([, y]) => y));
    pen.font = FONT;
    if (!this.widths.has(text)) this.widths.set(text, pen.measureText(text).width);
    const width = this.widths.get(text) + 10;
    const y = top >= 18 ? top - 18 : top;
    pen.fillStyle = colour;
    pen.fillRect(left - 1, y, width, 17);
    pen.fillStyle = inkOn(colour);
    pen.textBaseline = "middle";
    pen.fillText(text, left + 4, y + 9);
  }

  _guides([x, y]) {
    const { pen } = this;
    const [width, height] = [this.canvas.width / this.ratio, this.canvas.height / this.ratio];
    for (const [style, dash] of [["rgba(0, 0, 0, .6)", []], ["rgba(255, 255, 255, .9)", [4, 4]]]) {
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
