// Tile of one test image: its thumbnail with boxes, ground truth and predictions.

import { element, show } from "../shared/dom.js";
import { shortName } from "./choosing.js";
import { overlayOf } from "../shared/overlay.js";
import { PictureTile } from "../shared/picture_tile.js";
import { shapesOfItems } from "./overlay.js";
import { itemText, summaryText } from "./text.js";

const MOST_CHIPS = 2; // one a line
const MOST_BOX_CHIPS = 3;

// Create a chip of a label: ground truth solid, predictions dashed, mistakes in their own color, with confidence. A
// short chip of what is missed has none, to leave space for the name.
export function resultChip(item, labels, { isShort = false } = {}) {
  const { label, color } = labels[item.label];
  const kind = { tp: "", fn: "missed", fp: "predicted wrong" }[item.result];
  const node = element(
    "span",
    { class: `chip ${kind}`, style: { "--label-color": color }, title: itemText(item, labels) },
    element("i", { class: "dot", attributes: { "aria-hidden": "true" } }),
    element("bdi", { text: label }),
  );
  if (item.result === "fn")
    node.append(
      element("span", {
        class: "word",
        text: item.confidence && !isShort ? `missed ${item.confidence.toFixed(2)}` : "missed",
      }),
    );
  else
    node.append(
      element("span", {
        class: "number",
        text: `${item.result === "tp" ? "✓ " : "✗ "}${item.confidence.toFixed(2)}`,
      }),
    );
  return node;
}

export class ResultTile extends PictureTile {
  constructor() {
    super();
    this.tick = element("button", {
      class: "tick",
      text: "✓",
      tabIndex: -1,
      attributes: { "aria-label": "Select" },
    });
    this.frame = element("div", { class: "frame" }, this.picture, this.excuse, this.tick);
    this.node = element(
      "div",
      { class: "tile", attributes: { role: "option", "aria-selected": "false" } },
      this.frame,
      this.caption,
    );
  }

  // `picture` is { uri, failure, size }, as far as known.
  // `marked` are the items to point out.
  show({ image, name, items, marked, labels, isDetection, picture, place }) {
    this.image = image;
    this.node.dataset.place = place;
    this.node.title = name;
    const shown = items.filter(({ result }) => result !== "tn");
    const key = shown
      .map((item) => [item.label, item.result, item.confidence, marked.includes(item)])
      .join();
    if (name !== this.name || key !== this.key || labels !== this.labels) {
      this.name = name;
      this.key = key;
      this.labels = labels;
      this._caption(shown, labels, isDetection, name);
      this.shapes = null;
    }
    this.showPicture(picture?.uri, picture?.failure && `${shortName(name)}\n${picture.failure}`);
    if (isDetection && picture?.size && (!this.shapes || this.shapesOf !== image)) {
      this.overlay?.remove();
      this.overlay = overlayOf(shapesOfItems(shown, labels), picture.size, {
        marked: shapesOfItems(marked, labels),
      });
      this.frame.append(this.overlay);
      this.shapes = true;
      this.shapesOf = image;
    } else if (!isDetection || !picture?.size) {
      this.overlay?.remove();
      this.overlay = null;
      this.shapes = null;
    }
    show(this.node, true);
  }

  _caption(items, labels, isDetection, name) {
    const wrong = items.some(({ result }) => result !== "tp");
    this.node.classList.toggle("mistaken", wrong);
    const counts = { tp: 0, fp: 0, fn: 0 };
    for (const { result } of items) counts[result] += 1;
    // show mistakes first if space is limited: missed labels before wrong predictions, boxes by confidence
    const order = { fn: 0, fp: 1, tp: 2 };
    const sorted = [...items].sort(
      (a, b) => order[a.result] - order[b.result] || b.confidence - a.confidence,
    );
    const listed = isDetection
      ? items.filter(({ result }) => result !== "tp").sort((a, b) => b.confidence - a.confidence)
      : sorted;
    const chips = listed
      .slice(0, isDetection ? MOST_BOX_CHIPS : MOST_CHIPS)
      .map((item) => resultChip(item, labels, { isShort: isDetection || listed.length > 1 }));
    if (listed.length > chips.length && !isDetection)
      chips.push(element("span", { class: "faint", text: `+${listed.length - chips.length}` }));
    if (isDetection && sorted.length)
      chips.unshift(element("span", { class: "summary", text: summaryText(counts) }));
    this.caption.classList.toggle("of-boxes", isDetection);
    if (!chips.length)
      chips.push(element("span", { class: "name" }, element("bdi", { text: shortName(name) })));
    this.caption.replaceChildren(...chips);
    const text = sorted.map((item) => itemText(item, labels)).join("; ");
    this.node.setAttribute(
      "aria-label",
      `${shortName(name)}: ${text || "no labels, no predictions"}`,
    );
  }
}
