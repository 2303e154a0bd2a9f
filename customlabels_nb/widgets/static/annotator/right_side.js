// Right panel: shapes on the image, numbers of the selected shape, labels and status of the image.

import { bringInto, element, setText, show } from "../shared/dom.js";
import { rowButton, section } from "./left_side.js";

const SHOWN_SHAPES = 200;
const SHOWN_WHOLE = 30;
const SAID = { unlabelled: "not labelled yet", skipped: "skipped", needs_review: "", labelled: "" };

export class RightSide {
  // `on` has select(index), accept(index), number(name, text), whole(label), status(name) and leave().
  constructor(on) {
    this.on = on;
    this.title = element("h4", {});
    this.list = element("div", { class: "list shapes" });
    this.fields = {};
    this.numbers = section("Selected", ...["left", "top", "width", "height"].map((name) => this._field(name)));
    this.whole = element("div", { class: "list" });
    this.wholeSection = section("Image labels", this.whole);
    const status = (text, key, name, title) => rowButton(text, key, { title, onClick: () => { on.leave(); on.status(name); } });
    this.nothing = status("Nothing here", "N", "labelled", "This image has no objects to draw (N)");
    this.review = status("Needs review", "R", "needs_review", "Mark for review (R)");
    this.skipped = status("Skip", "0", "skipped", "Leave this image out of training (0)");
    this.opener = rowButton("+ image labels", "", { title: "Labels that apply to the entire image", onClick: () => { on.leave(); this.isOpen = !this.isOpen; this.on.again(); } });
    this.said = element("p", { class: "faint" });
    this.node = element("div", { class: "side right" }, element("section", {}, this.title, this.list), this.numbers, this.wholeSection, section("Image", this.nothing, this.review, this.skipped, this.opener, this.said));
  }

  _field(name) {
    const input = element("input", {
      type: "number", step: 1, attributes: { "aria-label": name },
      on: {
        change: () => this.on.number(name, input.value),
        keydown: (event) => {
          event.stopPropagation();
          if (event.key === "Escape") input.value = input.defaultValue;
          if (event.key === "Escape" || event.key === "Enter") this.on.leave();
        },
      },
    });
    this.fields[name] = input;
    return element("label", { class: "row" }, element("span", { class: "grow", text: name }), input, element("span", { class: "unit", text: "px" }));
  }

  update({ imageShapes, prediction, offered, colourOf, labels, task, readOnly }) {
    const count = imageShapes ? imageShapes.shapes.length : 0;
    setText(this.title, `Shapes · ${count}`);
    this._fillList(imageShapes, prediction, colourOf);
    const shape = imageShapes?.shape ?? null;
    show(this.numbers, Boolean(shape));
    for (const [name, input] of Object.entries(this.fields)) {
      input.disabled = readOnly;
      if (!shape) continue;
      input.defaultValue = String(Math.round(shape[name] * 100) / 100);
      if (input !== input.ownerDocument.activeElement) input.value = input.defaultValue;
    }
    const drawn = task === "boxes" || task === "polygons";
    const unfolded = !drawn || imageShapes?.labels.length || this.isOpen;
    const showWhole = Boolean(imageShapes && labels.length && (unfolded || offered));
    show(this.wholeSection, showWhole);
    show(this.opener, Boolean(imageShapes && drawn && !imageShapes.labels.length && labels.length && !readOnly));
    setText(this.opener.firstChild, this.isOpen ? "− image labels" : "+ image labels");
    if (showWhole) this._fillWhole(imageShapes, unfolded ? labels : labels.filter(({ label }) => label === offered[0]), offered, readOnly);
    const bare = Boolean(imageShapes?.isBare);
    const mark = (node, current, disabled) => {
      node.classList.toggle("current", Boolean(current));
      node.setAttribute("aria-pressed", String(Boolean(current)));
      node.disabled = disabled || readOnly || !imageShapes;
    };
    mark(this.nothing, bare && imageShapes.status === "labelled", !bare);
    mark(this.review, imageShapes?.status === "needs_review", false);
    mark(this.skipped, imageShapes?.status === "skipped", false);
    setText(this.said, !imageShapes ? "" : bare && imageShapes.status === "labelled" ? "nothing here" : SAID[imageShapes.status] ?? "");
  }

  _fillList(imageShapes, prediction, colourOf) {
    const line = (shape, { current, right, onClick, dashed }) => element(
      "button", {
        type: "button", class: `row${current ? " current" : ""}${dashed ? " dashed" : ""}`, title: shape.label, style: { "--label-colour": colourOf(shape.label) },
        attributes: { "aria-pressed": String(Boolean(current)) }, on: { click: () => { this.on.leave(); onClick(); } },
      },
      element("i", { class: "dot" }), element("bdi", { class: "grow", text: shape.label }), element("span", { class: "count", text: right }),
    );
    const shapes = (imageShapes?.shapes ?? []).slice(0, SHOWN_SHAPES).map((shape, index) => line(shape, {
      current: index === imageShapes.selected, right: `${Math.round(shape.width)} × ${Math.round(shape.height)}`, onClick: () => this.on.select(index),
    }));
    const dashed = (imageShapes?.predictions ?? []).slice(0, SHOWN_SHAPES).map((shape, index) => line(shape, {
      dashed: true, current: index === prediction, right: `${shape.confidence.toFixed(2)} · accept${index === prediction ? " ⏎" : ""}`, onClick: () => this.on.accept(index),
    }));
    this.list.replaceChildren(...shapes, ...dashed);
    bringInto(this.list, this.list.querySelector(".current"));
    const more = (imageShapes?.shapes.length ?? 0) - SHOWN_SHAPES;
    if (more > 0) this.list.append(element("p", { class: "faint", text: `and ${more} more` }));
    if (dashed.length > 1) this.list.append(element("p", { class: "faint", text: "Press A to accept all predictions." }));
  }

  // `offered` is a prediction: its label is dashed, and a click accepts it.
  _fillWhole(imageShapes, labels, offered, readOnly) {
    const isFirst = ({ label }) => imageShapes.labels.includes(label) || label === offered?.[0];
    const own = labels.filter(isFirst);
    const others = labels.filter((each) => !isFirst(each));
    const shown = labels.length > SHOWN_WHOLE ? [...own, ...others].slice(0, Math.max(own.length, SHOWN_WHOLE)) : labels;
    this.whole.replaceChildren(...shown.map(({ label, colour }) => {
      const has = imageShapes.labels.includes(label);
      const confidence = label === offered?.[0] ? offered[1].toFixed(2) : null;
      const title = confidence ? `${label}: predicted for the entire image with confidence ${confidence}. Click or press A to accept.` : label;
      return element(
        "button", {
          type: "button", class: `row${has ? " current" : ""}${confidence ? " dashed" : ""}`, title, disabled: readOnly, style: { "--label-colour": colour }, data: { whole: label },
          attributes: { "aria-pressed": String(has) }, on: { click: () => { this.on.leave(); this.on.whole(label); } },
        },
        element("i", { class: "dot" }), element("bdi", { class: "grow", text: label }), element("span", { class: "count", text: has ? "✓" : confidence ? `${confidence} · accept` : "" }),
      );
    }));
  }
}
