// Boxes and masks over an image: ground truth solid, predictions dashed, mistakes in a colour of their own. Drawn in image pixels with strokes
// of constant width. Boxes of one style are combined into one path for speed. Masks are filled, so each has its own path.

import { svgElement, svgText } from "../shared/charts.js";
import { outlinePath } from "../shared/geometry.js";

const outlineOf = ({ left, top, width, height, polygon }) => (polygon ? outlinePath(polygon) : `M${left} ${top}h${Math.max(width, 0.5)}v${Math.max(height, 0.5)}h${-Math.max(width, 0.5)}Z`);

// Group items into strokes, true boxes first: [{ kind, colour, isWrong, isMask, outline }], one per style or mask.
export function strokesOf(items, labels) {
  const strokes = new Map();
  const add = (kind, box, item, isWrong) => {
    const { colour } = labels[item.label];
    const isMask = Boolean(box.polygon);
    const key = `${kind} ${isMask ? strokes.size : isWrong ? "wrong" : colour}`;
    const stroke = strokes.get(key);
    if (stroke) stroke.outline += outlineOf(box);
    else strokes.set(key, { kind, colour, isWrong, isMask, outline: outlineOf(box) });
  };
  for (const item of items) if (item.truth) add("truth", item.truth, item, item.result === "fn");
  for (const item of items) if (item.box) add("predicted", item.box, item, item.result === "fp");
  return [...strokes.values()];
}

function pathOf(outline, name, colour) {
  const path = svgElement("path", { d: outline, fill: "none", "fill-rule": "evenodd", "vector-effect": "non-scaling-stroke", class: name });
  if (colour) path.style.setProperty("--label-colour", colour);
  return path;
}

// Return the caption of a box: its label and its mistake.
function nameOf({ label, result, confidence }, labels) {
  return `${labels[label].label} ${result === "fn" ? "missed" : `${result === "fp" ? "✗ " : ""}${confidence.toFixed(2)}`}`;
}

// Create an SVG of the image size to overlay on the image. One item may be highlighted. With `letters`, the font size
// in image pixels, each box has a caption.
export function overlayOf(items, labels, size, { marked = null, letters = 0 } = {}) {
  const svg = svgElement("svg", { class: "overlay", viewBox: `0 0 ${size[0]} ${size[1]}`, preserveAspectRatio: "xMidYMid meet", "aria-hidden": "true" });
  const strokes = strokesOf(items, labels);
  svg.append(pathOf(strokes.map(({ outline }) => outline).join(""), "halo"));
  const styleOf = ({ kind, isWrong, isMask }) => `${kind}${isWrong ? " wrong" : ""}${isMask ? " mask" : ""}`;
  for (const stroke of strokes) svg.append(pathOf(stroke.outline, styleOf(stroke), stroke.colour));
  for (const stroke of marked ? strokesOf([marked], labels) : []) svg.append(pathOf(stroke.outline, `${styleOf(stroke)} marked`, stroke.colour));
  for (const item of letters ? items : []) {
    const { left, top } = item.box ?? item.truth;
    const isInside = top < 1.3 * letters;
    svg.append(svgText(left + letters / 4, isInside ? top + 1.1 * letters : top - letters / 3, nameOf(item, labels), { "font-size": letters, "stroke-width": letters / 5 }));
  }
  return svg;
}
