// Right panel: shapes on the image, numbers of the selected shape, labels and status of the image.

import { bringInto, element, leaving, setText, setValue, show } from "../shared/dom.js";
import { rowButton, section } from "./left_side.js";
import { nextTolerance, pointsText, TOLERANCES } from "./rings.js";

const SHOWN_SHAPES = 200;
const SHOWN_WHOLE = 30;
const SAID = { unlabelled: "not labelled yet", skipped: "skipped", needs_review: "", labelled: "" };

export class RightSide {
  // `on` has select(index, prediction), add(index) to the selection or from it, hover(kind, index) for rows under the
  // pointer, accept(index), simplify(tolerance), number(name, text), note("shape" or "image", text), whole(label),
  // status(name) and leave().
  constructor(on) {
    this.on = on;
    this.title = element("h4", {});
    this.rows = []; // of the list: kind ("shapes" or "predictions"), index, node
    this.list = element("div", {
      class: "list shapes",
      on: { keydown: (event) => this._listKey(event), pointerleave: () => this.on.hover(null) },
    });
    this.fields = {};
    this.numbers = section(
      "Selected",
      ...["left", "top", "width", "height"].map((name) => this._field(name)),
    );
    this.notes = { shape: this._noteField("shape"), image: this._noteField("image") };
    this.numbers.append(this.notes.shape);
    this.fewer = element("input", {
      type: "range",
      min: 0,
      max: TOLERANCES.length - 1,
      step: 1,
      title: "Fewer points ([ and ])",
      attributes: { "aria-label": "Fewer points" },
      on: { input: () => on.simplify(TOLERANCES[this.fewer.value]), change: () => on.leave() },
    });
    this.tolerance = element("span", { class: "unit" });
    this.simplifying = element(
      "section",
      { class: "fewer", hidden: true },
      element(
        "label",
        { class: "row" },
        element("span", { class: "grow", text: "Fewer points" }),
        this.tolerance,
        this.fewer,
      ),
    );
    this.whole = element("div", { class: "list" });
    this.wholeSection = section("Image labels", this.whole);
    const status = (text, key, name, title) =>
      rowButton(text, key, {
        title,
        onClick: leaving(on, () => on.status(name)),
      });
    this.nothing = status("Nothing here", "N", "labelled", "This image has no objects to draw (N)");
    this.review = status("Needs review", "R", "needs_review", "Mark for review (R)");
    this.skipped = status("Skip", "0", "skipped", "Leave this image out of training (0)");
    this.opener = rowButton("+ image labels", "", {
      title: "Labels that apply to the entire image",
      onClick: () => {
        on.leave();
        this.isOpen = !this.isOpen;
        this.on.again();
      },
    });
    this.said = element("p", { class: "faint" });
    this.node = element(
      "div",
      { class: "side right" },
      element("section", {}, this.title, this.list),
      this.simplifying,
      this.numbers,
      this.wholeSection,
      section(
        "Image",
        this.nothing,
        this.review,
        this.skipped,
        this.opener,
        this.said,
        this.notes.image,
      ),
    );
  }

  _field(name) {
    const input = element("input", {
      type: "number",
      step: 1,
      attributes: { "aria-label": name },
      on: {
        change: () => this.on.number(name, input.value),
        keydown: (event) => this._fieldKey(event),
      },
    });
    this.fields[name] = input;
    return element(
      "label",
      { class: "row" },
      element("span", { class: "grow", text: name }),
      input,
      element("span", { class: "unit", text: "px" }),
    );
  }

  _noteField(kind) {
    const field = element("textarea", {
      class: "note",
      rows: 1,
      maxLength: 1_000,
      placeholder: "Note (M)",
      title: `Note on the ${kind} (M)`,
      attributes: { "aria-label": `Note on the ${kind}` },
      on: {
        change: () => this.on.note(kind, field.value),
        keydown: (event) => this._fieldKey(event),
      },
    });
    return field;
  }

  _fieldKey(event) {
    const { key, target, shiftKey, isComposing } = event;
    event.stopPropagation();
    if (key === "Escape") target.value = target.defaultValue;
    if (key !== "Escape" && (key !== "Enter" || shiftKey || isComposing)) return;
    event.preventDefault();
    this.on.leave();
  }

  update({
    imageShapes,
    prediction,
    offered,
    colorOf,
    labels,
    task,
    readOnly,
    tolerance,
    hasNotes = true,
  }) {
    const count = imageShapes ? imageShapes.shapes.length : 0;
    setText(this.title, `Shapes · ${count}`);
    this._fillList(imageShapes, prediction, colorOf);
    const shape = imageShapes?.shape ?? null;
    const several = imageShapes?.also.length ?? 0;
    show(this.numbers, Boolean(shape));
    setText(this.numbers.firstChild, several ? `${several + 1} selected` : "Selected");
    show(this.simplifying, Boolean(shape?.polygon) && !readOnly);
    this.fewer.value = TOLERANCES.indexOf(nextTolerance(tolerance));
    this.fewer.setAttribute("aria-valuetext", `${tolerance} px`);
    setText(this.tolerance, `${tolerance} px`);
    const subject = JSON.stringify([imageShapes?.image.name, imageShapes?.chosen]);
    const fill = (field, value) => {
      field.disabled = readOnly || !imageShapes;
      field.defaultValue = value ?? "";
      const isTyped = field === field.ownerDocument.activeElement && subject === this.subject;
      if (!isTyped) setValue(field, field.defaultValue);
    };
    for (const [name, input] of Object.entries(this.fields)) {
      show(input.parentElement, !several);
      fill(input, shape && String(Math.round(shape[name] * 100) / 100));
    }
    fill(this.notes.shape, shape?.note);
    fill(this.notes.image, imageShapes?.note);
    this.subject = subject;
    show(this.notes.shape, hasNotes && !several);
    show(this.notes.image, hasNotes); // those of a labelling job would be lost
    const drawn = task === "boxes" || task === "polygons";
    const unfolded = !drawn || imageShapes?.labels.length || this.isOpen;
    const showWhole = Boolean(imageShapes && labels.length && (unfolded || offered));
    show(this.wholeSection, showWhole);
    show(
      this.opener,
      Boolean(imageShapes && drawn && !imageShapes.labels.length && labels.length && !readOnly),
    );
    setText(this.opener.firstChild, this.isOpen ? "− image labels" : "+ image labels");
    if (showWhole)
      this._fillWhole(
        imageShapes,
        unfolded ? labels : labels.filter(({ label }) => label === offered[0]),
        offered,
        readOnly,
      );
    const bare = Boolean(imageShapes?.isBare);
    const mark = (node, current, disabled) => {
      node.classList.toggle("current", Boolean(current));
      node.setAttribute("aria-pressed", String(Boolean(current)));
      node.disabled = disabled || readOnly || !imageShapes;
    };
    mark(this.nothing, bare && imageShapes.status === "labelled", !bare);
    mark(this.review, imageShapes?.status === "needs_review", false);
    mark(this.skipped, imageShapes?.status === "skipped", false);
    setText(
      this.said,
      !imageShapes
        ? ""
        : bare && imageShapes.status === "labelled"
          ? "nothing here"
          : (SAID[imageShapes.status] ?? ""),
    );
  }

  // Update only changed rows, so that the focus stays in the list. It is one Tab stop, with arrow keys inside.
  _fillList(imageShapes, prediction, colorOf) {
    const { shapes = [], predictions = [], asks = null } = imageShapes ?? {};
    const line = (kind) => (shape, index) => ({
      kind,
      index,
      label: shape.label,
      color: colorOf(shape.label),
      points: shape.polygon ? pointsText(shape.polygon) : null,
      number: index + 1 + (kind === "predictions" ? shapes.length : 0),
      size: [shape.width, shape.height].map(Math.round).join(" × "),
      confidence: imageShapes.rejected ? "" : shape.confidence?.toFixed(2),
      doubts: asks.get(shape),
    });
    const lines = [
      ...shapes.slice(0, SHOWN_SHAPES).map(line("shapes")),
      ...predictions.slice(0, SHOWN_SHAPES).map(line("predictions")),
    ];
    const state = JSON.stringify([lines, shapes.length]);
    const held = this.list.contains(this.list.ownerDocument.activeElement);
    if (state !== this.listState) this._buildList(lines, shapes.length - SHOWN_SHAPES);
    const isCurrent = ({ kind, index }) =>
      kind === "shapes" ? imageShapes.chosen.includes(index) : index === prediction;
    const stop = this.rows.find(isCurrent) ?? this.rows[0];
    for (const row of this.rows) {
      const current = isCurrent(row);
      row.node.className = `row${current ? " current" : ""}${row.kind === "predictions" ? " dashed" : ""}`;
      row.node.setAttribute("aria-pressed", String(current));
      row.node.tabIndex = row === stop ? 0 : -1;
      const { note } = row.kind === "shapes" ? shapes[row.index] : {};
      row.node.title = row.label + (note ? `: ${note}` : doubtText(row.doubts));
      if (row.kind === "predictions")
        setText(row.node.lastChild, acceptText(row) + (current ? " ⏎" : ""));
    }
    bringInto(this.list, this.list.querySelector(".current"));
    if (held && state !== this.listState)
      stop ? stop.node.focus({ preventScroll: true }) : this.on.leave();
    this.listState = state;
  }

  _buildList(lines, more) {
    this.on.hover(null);
    this.pointed = null;
    this.rows = lines.map((line) => ({ ...line, node: this._listRow(line) }));
    const isFree = ({ kind, doubts }) => kind === "predictions" && doubts === undefined;
    const words = [
      more > 0 && `and ${more} more`,
      lines.filter(isFree).length > 1 && "Press A to accept all predictions.",
    ];
    this.list.replaceChildren(
      ...this.rows.map(({ node }) => node),
      ...words.filter(Boolean).map((text) => element("p", { class: "faint", text })),
    );
  }

  _listRow({ kind, index, label, color, points, number, size }) {
    const act = ({ shiftKey }) => {
      if (kind === "predictions") this.on.accept(index);
      else if (shiftKey) this.on.add(index);
      else this.on.select(index);
    };
    return element(
      "button",
      {
        class: "row",
        style: { "--label-color": color },
        on: {
          click: (event) => {
            this.on.leave();
            act(event);
          },
          pointerenter: () => this.on.hover(kind, index),
        },
      },
      element("span", { class: "number", text: String(number) }),
      element("i", { class: points ? "dot polygon" : "dot" }),
      element("bdi", { class: "grow", text: label }),
      element("span", { class: "count", text: points ?? size }),
    );
  }

  _listKey(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = this.rows[this.rows.findIndex(({ node }) => node === event.target) + by];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    if (!row) return;
    this.on.select(...(row.kind === "shapes" ? [row.index] : [null, row.index]));
    row.node.focus();
  }

  // Mark the row of the shape under the pointer, by its number, null for none.
  point(pointed) {
    if (pointed === this.pointed) return;
    this.pointed = pointed;
    for (const { number, node } of this.rows)
      node.toggleAttribute("data-hover", number === pointed);
  }

  // `offered` is a prediction: its label is dashed, and a click accepts it.
  _fillWhole(imageShapes, labels, offered, readOnly) {
    const isFirst = ({ label }) => imageShapes.labels.includes(label) || label === offered?.[0];
    const chosen = labels.filter(isFirst);
    const others = labels.filter((each) => !isFirst(each));
    const shown =
      labels.length > SHOWN_WHOLE
        ? [...chosen, ...others].slice(0, Math.max(chosen.length, SHOWN_WHOLE))
        : labels;
    this.whole.replaceChildren(
      ...shown.map(({ label, color }) => {
        const has = imageShapes.labels.includes(label);
        const confidence = label === offered?.[0] ? offered[1].toFixed(2) : null;
        const title = confidence
          ? `${label}: predicted for the entire image with confidence ${confidence}. Click or press A to accept.`
          : label;
        return element(
          "button",
          {
            class: `row${has ? " current" : ""}${confidence ? " dashed" : ""}`,
            title,
            disabled: readOnly,
            style: { "--label-color": color },
            data: { whole: label },
            attributes: { "aria-pressed": String(has) },
            on: { click: leaving(this.on, () => this.on.whole(label)) },
          },
          element("i", { class: "dot" }),
          element("bdi", { class: "grow", text: label }),
          element("span", {
            class: "count",
            text: has ? "✓" : confidence ? `${confidence} · accept` : "",
          }),
        );
      }),
    );
  }
}

// `doubts` is undefined for predictions where nothing is drawn.
function acceptText({ confidence, doubts }) {
  const words = doubts === undefined ? "accept" : doubts === null ? "add?" : "relabel?";
  return confidence ? `${confidence} · ${words}` : words;
}

function doubtText(doubts) {
  if (doubts === undefined) return "";
  return doubts === null
    ? ": overlaps a shape that is drawn already. Click to add another one."
    : `: is another label for shape ${doubts + 1}. Click to change its label.`;
}
