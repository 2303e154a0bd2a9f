// Sample images with ground truth (solid) and predictions (dashed), updated during training.

import { svgElement } from "../shared/charts.js";
import { dataUri, element, setText } from "../shared/dom.js";

const MOST_CHIPS = 6;

export class Samples {
  constructor() {
    this.when = element("span", { class: "place faint" });
    this.row = element("div", { class: "sample-row" });
    this.of = element("h3");
    this.node = element(
      "section",
      { class: "samples", hidden: true },
      element(
        "div",
        { class: "title" },
        this.of,
        element("span", { class: "faint", text: "solid: ground truth · dashed: prediction" }),
        this.when,
      ),
      this.row,
    );
    this.shown = null;
  }

  draw(samples) {
    this.node.hidden = !samples?.pictures.length;
    if (samples === this.shown || this.node.hidden) return;
    this.shown = samples;
    setText(this.of, samples.of);
    setText(this.when, `after step ${samples.step.toLocaleString("en")}`);
    this.row.style.setProperty("--count", samples.pictures.length);
    this.row.replaceChildren(...samples.pictures.map(card));
  }
}

function card({ image, size, data, true: truth, predicted }) {
  const [width, height] = size;
  const picture = element("img", { alt: "", draggable: false, src: data ? dataUri(data) : "" });
  const marks = svgElement(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    ...truth.flatMap((mark) => outline(mark, "true")),
    ...predicted.flatMap((mark) => outline(mark, "predicted")),
  );
  const frame = element("div", { class: "frame" }, picture, marks);
  const chips = [...chipsFor(truth, false), ...chipsFor(predicted, true)];
  const verdict = verdictOf(truth, predicted);
  const words =
    `${shortName(image)}: ${said(truth)}, predicted: ` +
    `${said(predicted)}${verdict === "wrong" ? " (wrong)" : ""}`;
  return element(
    "figure",
    { class: `sample ${verdict}`, title: image, attributes: { role: "img", "aria-label": words } },
    frame,
    element(
      "figcaption",
      {},
      ...chips,
      verdict
        ? element("span", { class: "verdict", text: verdict === "wrong" ? "✗ wrong" : "✓" })
        : null,
    ),
  );
}

// Draw a box in its color, with an outline that stands out from any image.
function outline({ box, color }, kind) {
  if (!box) return [];
  const [x, y, width, height] = box;
  return ["case ", ""].map((part) => {
    const rect = svgElement("rect", {
      class: `${part}${kind}`,
      x,
      y,
      width,
      height,
      "vector-effect": "non-scaling-stroke",
    });
    rect.style.setProperty("--label-color", color);
    return rect;
  });
}

// Create one chip per label, with the number of boxes and the highest confidence.
function chipsFor(marks, isPredicted) {
  const labels = labelsOf(marks);
  const chips = [...labels.values()]
    .slice(0, MOST_CHIPS)
    .map(({ label, color, count, confidence }) =>
      element(
        "span",
        {
          class: `chip ${isPredicted ? "said" : ""}`,
          style: { "--label-color": color },
          title: label,
        },
        element("i", { class: "dot" }),
        element("bdi", { text: label }),
        count > 1 ? element("span", { class: "number", text: `×${count}` }) : null,
        confidence === null
          ? null
          : element("span", { class: "number", text: confidence.toFixed(2) }),
      ),
    );
  if (labels.size > MOST_CHIPS)
    chips.push(element("span", { class: "faint", text: `and ${labels.size - MOST_CHIPS} more` }));
  return chips.length
    ? chips
    : [element("span", { class: "faint", text: isPredicted ? "no predictions" : "nothing here" })];
}

export function labelsOf(marks) {
  const labels = new Map();
  for (const { label, color, confidence = null } of marks) {
    const entry = labels.get(label) ?? { label, color, count: 0, confidence: null };
    entry.count += 1;
    if (confidence !== null) entry.confidence = Math.max(entry.confidence ?? 0, confidence);
    labels.set(label, entry);
  }
  return labels;
}

// Compare labels of an image with the predictions. Returns "" for boxes.
export function verdictOf(truth, predicted) {
  if (!truth.length || [...truth, ...predicted].some(({ box }) => box)) return "";
  const [wanted, predictedLabels] = [labelsOf(truth), labelsOf(predicted)];
  return wanted.size === predictedLabels.size &&
    [...wanted.keys()].every((label) => predictedLabels.has(label))
    ? "right"
    : "wrong";
}

function said(marks) {
  const parts = [...labelsOf(marks).values()].map(({ label, count, confidence }) =>
    [label, count > 1 ? `${count} times` : "", confidence === null ? "" : confidence.toFixed(2)]
      .filter(Boolean)
      .join(" "),
  );
  return parts.join(", ") || "nothing";
}

function shortName(image) {
  return image.replaceAll("\\", "/").replace(/\/+$/, "").split("/").at(-1) || image;
}
