// The panels beside the picture: labels, tools and view on the left; what is on the image on the right.

import { element, keyHint, setText, show } from "../shared/dom.js";
import { findLabels } from "../shared/rows.js";

const SHOWN_LABELS = 60;

function section(title, ...children) {
  return element("section", {}, element("h4", { text: title }), ...children);
}

function row(text, key, { onClick, name = null } = {}) {
  return element("button", { type: "button", class: "row", data: name ? { name } : {}, on: { click: onClick } }, element("span", { class: "grow", text }), key && keyHint(key));
}

export class LeftSide {
  // `on` has label(name), add(name), tool(name), fit(), guides(), filter({ brightness, contrast }), instructions(), leave().
  constructor(on) {
    this.on = on;
    this.list = element("div", { class: "list", attributes: { role: "listbox", "aria-label": "labels" } });
    this.field = element("input", {
      type: "text", class: "finder", maxLength: 256, placeholder: "+ add or find…", attributes: { "aria-label": "find or add a label" },
      on: { input: () => this._fill(), keydown: (event) => this._key(event) },
    });
    this.tools = { box: row("▭ Box", "B", { onClick: () => this._leaveTo(() => on.tool("box")) }), polygon: row("⬠ Polygon", "P", { onClick: () => this._leaveTo(() => on.tool("polygon")) }) };
    this.guides = row("Guides", "G", { onClick: () => this._leaveTo(on.guides) });
    const slider = (label) => {
      const input = element("input", { type: "range", min: 20, max: 220, value: 100, attributes: { "aria-label": label }, on: { input: () => this._filter(), dblclick: () => { input.value = 100; this._filter(); }, change: () => on.leave() } });
      return input;
    };
    this.brightness = slider("brightness");
    this.contrast = slider("contrast");
    this.words = element("p", { class: "faint" });
    this.node = element(
      "div", { class: "side left" },
      section("Labels", this.list, this.field),
      section("Draw", this.tools.box, this.tools.polygon),
      section("View", row("Fit", "F", { onClick: () => this._leaveTo(on.fit) }), this.guides,
        element("label", { class: "row" }, element("span", { class: "grow", text: "Brightness" }), this.brightness),
        element("label", { class: "row" }, element("span", { class: "grow", text: "Contrast" }), this.contrast)),
      element("section", {}, element("h4", {}, "Instructions ", element("button", { type: "button", class: "plain", text: "…", title: "show and edit", attributes: { "aria-label": "show and edit instructions" }, on: { click: on.instructions } })), this.words),
    );
  }

  _leaveTo(action) {
    this.on.leave();
    action();
  }

  _filter() {
    this.on.filter({ brightness: this.brightness.value / 100, contrast: this.contrast.value / 100 });
  }

  update({ labels, current, counts, hidden, locked, tool, guides, instructions, readOnly }) {
    Object.assign(this, { labels, current, counts, hidden, locked });
    this._fill();
    for (const [name, node] of Object.entries(this.tools)) node.classList.toggle("current", name === tool);
    this.guides.classList.toggle("current", guides);
    setText(this.words, instructions.split("\n").slice(0, 6).join("\n") || "Nobody has written down yet how to label here.");
    show(this.field, !readOnly);
  }

  _fill() {
    const found = this.field.value.trim() ? findLabels(this.labels, this.field.value) : this.labels;
    const keys = new Map(this.labels.slice(0, 9).map(({ label }, index) => [label, String(index + 1)]));
    this.list.replaceChildren(...found.slice(0, SHOWN_LABELS).map(({ label, colour }) => element(
      "button", {
        type: "button", class: `row label${label === this.current ? " current" : ""}`, title: label, data: { label },
        style: { "--label-colour": colour }, attributes: { role: "option", "aria-selected": String(label === this.current) },
        on: { click: () => this._leaveTo(() => this.on.label(label)) },
      },
      element("span", { class: "key", text: keys.get(label) ?? "" }), element("bdi", { class: "grow", text: label }),
      element("span", { class: "count", text: this.hidden.has(label) ? "hidden" : this.locked.has(label) ? "locked" : this.counts.get(label) || "" }),
    )));
    if (!this.labels.length) this.list.append(element("p", { class: "faint", text: "No label yet: type the first one." }));
    if (found.length > SHOWN_LABELS) this.list.append(element("p", { class: "faint", text: `and ${found.length - SHOWN_LABELS} more` }));
  }

  find() {
    this.field.focus();
    this.field.select();
  }

  _key(event) {
    event.stopPropagation();
    if (event.key === "Escape") this._done();
    else if (event.key === "Enter" && !event.isComposing) {
      const text = this.field.value.trim();
      const [first] = findLabels(this.labels, text);
      this._done();
      if (first && (first.label === text || first.label.toLocaleLowerCase().startsWith(text.toLocaleLowerCase()))) this.on.label(first.label);
      else if (text) this.on.add(text);
    }
  }

  _done() {
    this.field.value = "";
    this._fill();
    this.on.leave();
  }
}

export class RightSide {
  // `on` has select(index), accept(index), number(name, value), toggleLabel(label), status(name), leave().
  constructor(on) {
    this.on = on;
    this.title = element("h4", {});
    this.list = element("div", { class: "list shapes" });
    this.fields = {};
    const field = (name) => {
      const input = element("input", {
        type: "number", step: 1, attributes: { "aria-label": name },
        on: { change: () => on.number(name, Number(input.value)), keydown: (event) => { event.stopPropagation(); if (event.key === "Enter" || event.key === "Escape") on.leave(); } },
      });
      this.fields[name] = input;
      return element("label", { class: "row" }, element("span", { class: "grow", text: name }), input, element("span", { class: "unit", text: "px" }));
    };
    this.numbers = section("Selected", ...["left", "top", "width", "height"].map(field));
    this.whole = element("div", { class: "list" });
    this.wholeSection = section("Whole image", this.whole);
    this.nothing = row("Nothing here", "N", { onClick: () => { on.leave(); on.status("labelled"); } });
    this.review = row("Needs review", "R", { onClick: () => { on.leave(); on.status("needs_review"); } });
    this.said = element("p", { class: "faint" });
    this.node = element("div", { class: "side right" }, element("section", {}, this.title, this.list), this.numbers, this.wholeSection, section("Image", this.nothing, this.review, this.said));
  }

  update({ sheet, predictions, colourOf, labels, readOnly, showWhole }) {
    const count = sheet ? sheet.shapes.length : 0;
    setText(this.title, `On this image · ${count}`);
    const line = (shape, { current, right, onClick, dashed }) => element(
      "button", { type: "button", class: `row${current ? " current" : ""}${dashed ? " dashed" : ""}`, style: { "--label-colour": colourOf(shape.label) }, on: { click: () => { this.on.leave(); onClick(); } } },
      element("i", { class: "dot" }), element("bdi", { class: "grow", text: shape.label }), element("span", { class: "count", text: right }),
    );
    const shapes = (sheet?.shapes ?? []).slice(0, 200).map((shape, index) => line(shape, {
      current: index === sheet.selected, right: `${Math.round(shape.width)} × ${Math.round(shape.height)}`, onClick: () => this.on.select(index),
    }));
    const dashed = predictions.slice(0, 100).map((shape, index) => line(shape, {
      dashed: true, right: `${shape.confidence.toFixed(2)} · accept`, onClick: () => this.on.accept(index),
    }));
    this.list.replaceChildren(...shapes, ...dashed);
    if (count > 200) this.list.append(element("p", { class: "faint", text: `and ${count - 200} more` }));
    const shape = sheet?.shape ?? null;
    show(this.numbers, Boolean(shape));
    for (const [name, input] of Object.entries(this.fields)) {
      if (shape && input !== input.ownerDocument.activeElement) input.value = String(Math.round(shape[name] * 100) / 100);
      input.disabled = readOnly;
    }
    show(this.wholeSection, Boolean(showWhole && sheet));
    if (showWhole && sheet) {
      this.whole.replaceChildren(...labels.slice(0, 30).map(({ label, colour }) => element(
        "button", { type: "button", class: `row${sheet.labels.includes(label) ? " current" : ""}`, style: { "--label-colour": colour }, attributes: { "aria-pressed": String(sheet.labels.includes(label)) }, on: { click: () => { this.on.leave(); this.on.toggleLabel(label); } } },
        element("i", { class: "dot" }), element("bdi", { class: "grow", text: label }),
      )));
    }
    const bare = sheet && !sheet.shapes.length && !sheet.labels.length;
    this.nothing.classList.toggle("current", Boolean(bare && sheet.status === "labelled"));
    this.nothing.disabled = !bare || readOnly;
    this.review.classList.toggle("current", sheet?.status === "needs_review");
    this.review.disabled = readOnly || !sheet;
    setText(this.said, sheet ? { unlabelled: "not looked at yet", labelled: bare ? "looked at: nothing here" : "", skipped: "skipped", needs_review: "" }[sheet.status] ?? "" : "");
  }
}
