// Boxes over an image: ground truth solid, predictions dashed, mistakes in a colour of their own. Drawn in image pixels with strokes of
// constant width. Boxes of one style are combined into one path for speed.

import { svgElement, svgText } from "../shared/charts.js";

const outlineOf = ({ left, top, width, height }) => `M${left} ${top}h${Math.max(width, 0.5)}v${Math.max(height, 0.5)}h${-Math.max(width, 0.5)}Z`;

// Group items into strokes, true boxes first: [{ kind, colour, isWrong, outline }], one per style.
export function strokesOf(items, labels) {
  const strokes = new Map();
  const add = (kind, box, item, isWrong) => {
    const { colour } = labels[item.label];
    const key = `${kind} ${isWrong ? "wrong" : colour}`;
    const stroke = strokes.get(key);
    if (stroke) stroke.outline += outlineOf(box);
    else strokes.set(key, { kind, colour, isWrong, outline: outlineOf(box) });
  };
  for (const item of items) if (item.truth) add("truth", item.truth, item, item.result === "fn");
  for (const item of items) if (item.box) add("predicted", item.box, item, item.result === "fp");
  return [...strokes.values()];
}

function pathOf(outline, name, colour) {
  const path = svgElement("path", { d: outline, fill: "none", "vector-effect": "non-scaling-stroke", class: name });
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
  for (const { kind, colour, isWrong, outline } of strokes) svg.append(pathOf(outline, `${kind}${isWrong ? " wrong" : ""}`, colour));
  for (const { kind, colour, isWrong, outline } of marked ? strokesOf([marked], labels) : []) svg.append(pathOf(outline, `${kind}${isWrong ? " wrong" : ""} marked`, colour));
  for (const item of letters ? items : []) {
    const { left, top } = item.box ?? item.truth;
    const isInside = top < 1.3 * letters;
    svg.append(svgText(left + letters / 4, isInside ? top + 1.1 * letters : top - letters / 3, nameOf(item, labels), { "font-size": letters, "stroke-width": letters / 5 }));
  }
  return svg;
}
