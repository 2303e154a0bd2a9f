// Large view of a disputed image with the boxes of the answers: one color a label, and one line style a person.

import { svgElement } from "../shared/charts.js";
import { colorOf } from "../shared/chips.js";
import { inkOn } from "../shared/colors.js";
import { element, show } from "../shared/dom.js";
import { outlinePath } from "../shared/geometry.js";
import { SingleImage } from "../gallery/single_image.js";

export const STROKES = ["", "9 5", "4 3", "12 3 3 3"]; // of A, B, C, D, and so on from the start
const CONSENSUS = "6 4";
const CORNERS = ["top left", "top right", "bottom right", "bottom left"]; // of the names of A, B, C, D
const EDGE = 0.08; // share of the image in which a name is inside of its box

// Return the shapes to draw, each with its name, line style and corner. `only` is the letter of one answer, or
// "consensus". Shapes of other objects than `object` are dim.
export function drawnShapes(row, { only = null, object = null } = {}) {
  if (only === null ? row.reviewed : only === "consensus") {
    const name = row.reviewed ? "✓" : "⏎";
    return row.shapes.map((shape) => ({
      ...shape,
      name,
      dashes: row.reviewed ? "" : CONSENSUS,
      corner: CORNERS[0],
      dim: false,
    }));
  }
  return row.answers.flatMap(({ letter, shapes }, index) =>
    (only === null || only === letter ? shapes : []).map((shape) => ({
      ...shape,
      name: letter,
      dashes: STROKES[index % STROKES.length],
      corner: CORNERS[index % CORNERS.length],
      dim: object !== null && shape.object !== object,
    })),
  );
}

export class DisputedImage {
  // `load(row)` → Promise of { uri, width, height }.
  constructor(load) {
    this.single = new SingleImage(
      load,
      () => {},
      () => [],
    );
    this.canvas = element("div", { class: "canvas", attributes: { "aria-hidden": "true" } });
    this.node = this.single.node;
    this.single.frame.append(this.canvas);
  }

  // `words` are shown below. `options` are those of drawnShapes.
  show(row, labels, small, words, options) {
    this.single.show(row, labels, small);
    this.single.caption.replaceChildren(
      element("span", { text: words, attributes: { role: "status" } }),
    );
    const shapes = row.size && !row.gone ? drawnShapes(row, options) : [];
    show(this.canvas, shapes.length > 0);
    if (!shapes.length) return this.canvas.replaceChildren();
    const [width, height] = row.size;
    this.canvas.style.setProperty("--ratio", String(width / height));
    const svg = svgElement("svg", {
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: "none",
    });
    const names = [];
    for (const shape of shapes) {
      const color = colorOf(shape.label, labels);
      svg.append(
        outlineNode(shape, { stroke: inkOn(color), class: "edge" }),
        outlineNode(shape, { stroke: color, "stroke-dasharray": shape.dashes }),
      );
      if (!shape.dim) names.push(nameTag(shape, color, width, height));
    }
    return this.canvas.replaceChildren(svg, ...names);
  }
}

function outlineNode({ left, top, width, height, polygon, dim }, attributes) {
  const geometry = polygon ? { d: outlinePath(polygon) } : { x: left, y: top, width, height };
  return svgElement(polygon ? "path" : "rect", {
    ...geometry,
    fill: "none",
    "vector-effect": "non-scaling-stroke",
    opacity: dim ? 0.25 : null,
    ...attributes,
  });
}

function nameTag({ name, label, corner, left, top, width, height }, color, wide, high) {
  const [side, end] = corner.split(" ");
  const edge = side === "top" ? top / high : 1 - (top + height) / high;
  const style = { [side]: `${100 * edge}%`, "--label-color": color, "--label-ink": inkOn(color) };
  style[end] = `${(100 * (end === "left" ? left : wide - left - width)) / wide}%`;
  return element(
    "span",
    { class: `name-tag ${side}${edge < EDGE ? " inside" : ""}`, style },
    element("strong", { text: `${name} ` }),
    element("bdi", { text: label }),
  );
}
