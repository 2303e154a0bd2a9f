// One test image in the gallery: its picture with boxes, what it is and what was predicted.

import { element, setText, show } from "../shared/dom.js";
import { shortName } from "./choosing.js";
import { overlayOf } from "./overlay.js";
import { itemText, summaryText } from "./words.js";

const MOST_CHIPS = 4;

// A chip of a label: true ones solid, predicted ones dashed with their confidence, wrong ones red with a word. It is there
// once and says other things later: while a slider moves hundreds of them do.
class ResultChip {
  constructor() {
    this.name = element("bdi");
    this.said = element("span", { class: "number" });
    this.node = element("span", { class: "chip" }, element("i", { class: "dot", attributes: { "aria-hidden": "true" } }), this.name, this.said);
  }

  show(item, labels) {
    const { label, colour } = labels[item.label];
    const missed = item.result === "fn";
    const kind = { tp: "chip", fn: "chip missed", fp: "chip predicted wrong" }[item.result];
    if (this.node.className !== kind) {
      this.node.className = kind;
      this.said.className = missed ? "word" : "number";
    }
    if (this.colour !== colour) this.node.style.setProperty("--label-colour", this.colour = colour);
    this.node.title = itemText(item, labels);
    setText(this.name, label);
    setText(this.said, missed ? "missed" : `${item.result === "tp" ? "✓ " : "✗ "}${item.confidence.toFixed(2)}`);
  }
}

export class ResultTile {
  constructor() {
    this.picture = element("img", { alt: "", draggable: false, decoding: "async" });
    this.excuse = element("span", { class: "excuse", hidden: true });
    this.tick = element("button", { type: "button", class: "tick", text: "✓", tabIndex: -1, attributes: { "aria-label": "select" } });
    this.frame = element("div", { class: "frame" }, this.picture, this.excuse, this.tick);
    this.chips = [];
    this.more = element("span", { class: "faint", hidden: true });
    this.nothing = element("bdi");
    this.plain = element("span", { class: "name", hidden: true }, this.nothing);
    this.caption = element("div", { class: "caption" }, this.more, this.plain);
    this.node = element("div", { class: "tile", attributes: { role: "option", "aria-selected": "false" } }, this.frame, this.caption);
  }

  // `picture` is { uri, failure, size } as far as it is known.
  show({ image, name, items, labels, isDetection, picture, place }) {
    this.image = image;
    this.node.dataset.place = place;
    this.node.title = name;
    const shown = items.filter(({ result }) => result !== "tn");
    const key = shown.map((item) => `${item.label} ${item.result} ${item.confidence}`).join();
    if (name !== this.name || key !== this.key || labels !== this.labels) {
      [this.name, this.key, this.labels] = [name, key, labels];
      this._caption(shown, labels, isDetection, name);
      this.shapes = null;
    }
    if (picture?.uri !== this.uri || picture?.failure !== this.failure) {
      [this.uri, this.failure] = [picture?.uri, picture?.failure];
      if (this.uri) this.picture.src = this.uri;
      else this.picture.removeAttribute("src");
      show(this.picture, Boolean(this.uri));
      show(this.excuse, Boolean(this.failure));
      setText(this.excuse, this.failure ?? "");
    }
    if (isDetection && picture?.size && (!this.shapes || this.shapesOf !== image)) {
      this.overlay?.remove();
      this.overlay = overlayOf(shown, labels, picture.size);
      this.frame.append(this.overlay);
      [this.shapes, this.shapesOf] = [true, image];
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
    // what is wrong comes first where there isn't room for everything, a true label before what was said instead
    const order = { fn: 0, fp: 1, tp: 2 };
    const sorted = [...items].sort((a, b) => order[a.result] - order[b.result] || b.confidence - a.confidence);
    const count = sorted.length > MOST_CHIPS ? MOST_CHIPS - 1 : sorted.length;
    while (this.chips.length < count) {
      this.chips.push(new ResultChip());
      this.more.before(this.chips.at(-1).node);
    }
    this.chips.forEach((chip, at) => {
      show(chip.node, at < count);
      if (at < count) chip.show(sorted[at], labels);
    });
    show(this.more, sorted.length > count);
    if (sorted.length > count) setText(this.more, isDetection ? summaryText(counts) : `+${sorted.length - count}`);
    show(this.plain, !sorted.length);
    setText(this.nothing, sorted.length ? "" : shortName(name));
    const said = sorted.map((item) => itemText(item, labels)).join("; ");
    this.node.setAttribute("aria-label", `${shortName(name)}: ${said || "nothing there, nothing predicted"}`);
  }

  mark({ selected, focused }) {
    this.node.classList.toggle("selected", selected);
    this.node.classList.toggle("focused", focused);
    this.node.setAttribute("aria-selected", String(selected));
  }

  hide() {
    show(this.node, false);
    this.node.classList.remove("selected", "focused");
  }
}
