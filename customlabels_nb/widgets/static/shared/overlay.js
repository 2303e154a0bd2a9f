// Boxes and polygons over an image: ground truth solid, predictions dashed, mistakes in a color of their own. Drawn
// in image pixels with strokes of constant width, so they are sharp at any size. Boxes of one style are combined into
// one path for speed. Polygons are filled, so each has its own path. Names are tags in screen pixels.

import { svgElement } from "./charts.js";
import { colorOf } from "./chips.js";
import { inkOn } from "./colors.js";
import { boundsOf, outlinePath, pointsOf } from "./geometry.js";
import { cornersOf, placeTags, shortLabel, tagNode, tagWidth } from "./tags.js";

const DENSE = 300; // shapes from which lines are thin, without edges and names
const MOST_NAMES = 60; // of the largest shapes
const MOST_COVERED = 0.12; // cost of the place of a name, see placeTags
const LEAST_NAMED = 200; // CSS pixels of an image from which its shapes have names
const SHORTEST_NAME = 8; // characters

const pathData = ({ left, top, width, height, polygon }) =>
  polygon
    ? outlinePath(polygon)
    : `M${left} ${top}h${Math.max(width, 0.5)}v${Math.max(height, 0.5)}h${-Math.max(width, 0.5)}Z`;

// Return the shapes to draw of a row (see add_shapes of session.py): its own, or else the predicted ones.
export function shapesOfRow({ boxes, outlines = [], guesses = [], rejected = null }, labels) {
  const colors = new Map(labels.map(({ label, color }) => [label, color]));
  const matches = boxes.length
    ? boxes.map((label, index) => [label, null, outlines[index]])
    : guesses;
  return matches
    .filter(([, , outline]) => outline?.length)
    .map(([label, confidence, outline]) => {
      const isBox = typeof outline[0] === "number";
      const [left, top, width, height] = isBox ? outline : [];
      const kind = boxes.length ? "truth" : "predicted";
      const shape = {
        kind,
        color: colors.get(label) ?? colorOf(label, []),
        label,
        number: rejected ? undefined : confidence?.toFixed(2),
      };
      return {
        ...shape,
        ...(isBox
          ? { left, top, width, height }
          : { ...boundsOf(pointsOf(outline)), polygon: outline }),
      };
    });
}

// Group shapes into strokes: [{ kind, color, isWrong, isMask, outline }], one per style or polygon.
export function strokesOf(shapes) {
  const strokes = new Map();
  for (const shape of shapes) {
    const { kind, color, isWrong = false } = shape;
    const isMask = Boolean(shape.polygon);
    const key = `${kind} ${isMask ? strokes.size : isWrong ? "wrong" : color}`;
    const stroke = strokes.get(key);
    if (stroke) stroke.outline += pathData(shape);
    else strokes.set(key, { kind, color, isWrong, isMask, outline: pathData(shape) });
  }
  return [...strokes.values()];
}

function pathOf(outline, name, color) {
  const path = svgElement("path", {
    d: outline,
    fill: "none",
    "fill-rule": "evenodd",
    "vector-effect": "non-scaling-stroke",
    class: name,
  });
  if (color) path.style.setProperty("--label-color", color);
  return path;
}

// Create an SVG of the image size to overlay on the image. Some shapes may be `marked`. With `scale`, the CSS pixels
// of an image pixel, shapes with a `label` have names.
export function overlayOf(shapes, size, { marked = [], scale = 0 } = {}) {
  const svg = svgElement("svg", {
    class: shapes.length > DENSE ? "overlay dense" : "overlay",
    viewBox: `0 0 ${size[0]} ${size[1]}`,
    preserveAspectRatio: "xMidYMid meet",
    "aria-hidden": "true",
  });
  const strokes = strokesOf(shapes);
  const styleOf = ({ kind, isWrong, isMask }) =>
    `${kind}${isWrong ? " wrong" : ""}${isMask ? " mask" : ""}`;
  for (const ink of ["#000", "#fff"]) {
    // also between dashes: one of both colors contrasts with any photo
    const outlines = strokes
      .filter(({ color, isWrong }) => (isWrong ? "#fff" : inkOn(color)) === ink)
      .map(({ outline }) => outline);
    if (outlines.length) svg.append(pathOf(outlines.join(""), "halo", ink));
  }
  for (const stroke of strokes) svg.append(pathOf(stroke.outline, styleOf(stroke), stroke.color));
  for (const stroke of strokesOf(marked))
    svg.append(pathOf(stroke.outline, `${styleOf(stroke)} marked`, stroke.color));
  if (scale) svg.append(namesOf(shapes, size, scale));
  return svg;
}

// Name the largest shapes where a name fits, whole or shortened, without covering what is drawn.
function namesOf(shapes, [width, height], scale) {
  if (shapes.length > DENSE) return svgElement("g", { class: "names" });
  const room = { width: width * scale, height: height * scale };
  const ordered = [...shapes].sort((a, b) => b.width * b.height - a.width * a.height);
  const corners = ordered.map((shape) =>
    cornersOf([shape.left, shape.top, shape.width, shape.height], scale, room),
  );
  const texts = ordered
    .slice(0, MOST_NAMES)
    .map(({ label, number }) =>
      label === undefined
        ? []
        : [undefined, SHORTEST_NAME].map((most) =>
            [shortLabel(label, most), number].filter(Boolean).join(" "),
          ),
    );
  const places = placeTags(
    corners,
    texts.map((pair) => pair.map(tagWidth)),
    room,
    MOST_COVERED,
  );
  const tags = places.map(
    (position, index) =>
      position &&
      tagNode(
        ordered[index].color,
        texts[index][position.short ? 1 : 0],
        position,
        ordered[index].isWrong ? "tag wrong" : "tag",
      ),
  );
  return svgElement("g", { class: "names", transform: `scale(${1 / scale})` }, ...tags);
}

// Overlay of an image that fills `frame` without being cropped. Its names follow the size of the frame.
export class ShapeOverlay {
  constructor(frame, picture) {
    this.frame = frame;
    this.picture = picture;
    this.node = null;
    this.room = null;
    this.resizing = null;
  }

  // `shapes` and the `size` of the image, null if there is nothing to draw.
  show(shapes, size) {
    this.node?.remove();
    this.node = size && shapes.length ? overlayOf(shapes, size) : null;
    if (!this.node) return;
    this.shapes = shapes;
    this.size = size;
    this.picture.after(this.node);
    this.resizing ??= new ResizeObserver(([{ contentRect }]) => {
      this.room = contentRect;
      this._name();
    });
    this.resizing.observe(this.frame);
    this._name();
  }

  _name() {
    if (!this.node || !this.room) return;
    const [width, height] = this.size;
    const scale = Math.min(this.room.width / width, this.room.height / height);
    this.node.querySelector(".names")?.remove();
    if (scale * width >= LEAST_NAMED) this.node.append(namesOf(this.shapes, this.size, scale));
  }
}
