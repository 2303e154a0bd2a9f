// Left panel: labels and view settings.

import { bringInto, element, keyHint, leaving, setText, show } from "../shared/dom.js";
import { instructionNodes } from "../shared/panels.js";
import { findLabels } from "../shared/rows.js";
import { inkOn } from "../shared/colors.js";

const SHOWN_LABELS = 60;
const ADDED = -1; // index of the typed text, which becomes a new label
const FIND_OR_ADD = "Find or add a label";
const NORMAL = 100; // per cent, for brightness and contrast

export function section(title, ...children) {
  return element("section", {}, element("h4", { text: title }), ...children);
}

// A folded panel shows only its key.
export function rowButton(text, key, { onClick, title = text }) {
  const node = element("button", { class: "row", title, on: { click: onClick } });
  node.append(element("span", { class: "grow", text }), ...(key ? [keyHint(key)] : []));
  return node;
}

export class LeftSide {
  // `on` has label(name), toggle(set, name), add(name), fit(), guides(), filter({ brightness, contrast }),
  // instructions(), finding(), called before the field is focused, and leave(), which returns the focus to the canvas.
  constructor(on) {
    this.on = on;
    this.labels = [];
    this.at = ADDED;
    this.list = element("div", {
      class: "list",
      attributes: { role: "group", "aria-label": "Labels" },
    });
    this.field = element("input", {
      type: "text",
      class: "finder",
      maxLength: 256,
      placeholder: "Find or add…",
      attributes: { "aria-label": FIND_OR_ADD },
      on: { input: () => this._searched(), keydown: (event) => this._key(event) },
    });
    this.opener = element(
      "div",
      { class: "rail-only" },
      rowButton(FIND_OR_ADD, "/", { onClick: () => this.find() }),
    );
    this.guides = rowButton("Guides", "G", { onClick: leaving(on, on.guides) });
    this.sliders = Object.fromEntries(
      ["brightness", "contrast"].map((name) => [name, this._slider(name)]),
    );
    this.reset = element("button", {
      class: "plain",
      text: "Reset",
      hidden: true,
      on: { click: leaving(on, () => this._resetFilter()) },
    });
    this.words = element("div", { class: "faint" });
    const more = element("button", {
      class: "plain",
      text: "…",
      title: "Show and edit instructions",
      attributes: { "aria-label": "Show and edit instructions" },
      on: { click: on.instructions },
    });
    this.node = element(
      "div",
      { class: "side left" },
      section("Labels", this.list, this.field, this.opener),
      element(
        "section",
        {},
        element("h4", {}, "View ", this.reset),
        rowButton("Fit", "F", { onClick: leaving(on, on.fit) }),
        this.guides,
        ...Object.values(this.sliders).map(({ row }) => row),
      ),
      element("section", {}, element("h4", {}, "Instructions ", more), this.words),
    );
  }

  _slider(name) {
    const input = element("input", {
      type: "range",
      min: 20,
      max: 220,
      value: NORMAL,
      attributes: { "aria-label": name },
      on: { input: () => this._filter(), change: () => this.on.leave() },
    });
    return {
      input,
      row: element(
        "label",
        { class: "row" },
        element("span", { class: "grow", text: name[0].toUpperCase() + name.slice(1) }),
        input,
      ),
    };
  }

  _filter() {
    const { brightness, contrast } = this.sliders;
    const [light, range] = [Number(brightness.input.value), Number(contrast.input.value)];
    show(this.reset, light !== NORMAL || range !== NORMAL);
    this.on.filter({ brightness: light / 100, contrast: range / 100 });
  }

  _resetFilter() {
    for (const { input } of Object.values(this.sliders)) input.value = NORMAL;
    this._filter();
  }

  update({ labels, current, counts, hidden, locked, guides, instructions, readOnly, isFixed }) {
    this.labels = labels;
    this.isFixed = isFixed; // no labels can be added
    this.field.placeholder = isFixed ? "Find a label…" : "Find or add…";
    const name = isFixed ? "Find a label" : FIND_OR_ADD;
    this.field.setAttribute("aria-label", name);
    const opener = /** @type {HTMLElement} */ (this.opener.firstChild);
    opener.title = name;
    setText(opener.firstChild, name);
    this.current = current;
    this.counts = counts;
    this.hidden = hidden;
    this.locked = locked;
    this._fill();
    this.guides.classList.toggle("current", guides);
    this.guides.setAttribute("aria-pressed", String(guides));
    const start = instructions.split("\n").slice(0, 6).join("\n");
    if (start !== this.start)
      this.words.replaceChildren(
        ...instructionNodes(start || "There are no labelling instructions yet."),
      );
    this.start = start;
    show(this.field, !readOnly);
    show(this.opener, !readOnly);
  }

  // Handle typed text: Enter chooses the first matching label, or adds the text as a label. Arrow keys choose another
  // one.
  _searched() {
    const text = this.field.value.trim();
    const [first] = findLabels(this.labels, text);
    this.at = first?.label.toLocaleLowerCase().startsWith(text.toLocaleLowerCase()) ? 0 : ADDED;
    this._fill();
  }

  // Update only changed elements, so that a click is not lost because its button was replaced.
  _fill() {
    const text = this.field.value.trim();
    const matches = text ? findLabels(this.labels, text) : this.labels;
    const isNew =
      Boolean(text) && !this.isFixed && !this.labels.some(({ label }) => label === text);
    this.choices = [...(isNew ? [ADDED] : []), ...matches.slice(0, SHOWN_LABELS).keys()];
    const shown = matches.slice(0, SHOWN_LABELS).map(({ label, color }, index) => ({
      label,
      color,
      key: this.labels.slice(0, 9).findIndex((item) => item.label === label) + 1,
      count: this.counts.get(label) ?? 0,
      current: label === this.current,
      hidden: this.hidden.has(label),
      locked: this.locked.has(label),
      next: Boolean(text) && index === this.at,
    }));
    const state = JSON.stringify([shown, matches.length, isNew && [text, this.at]]);
    if (state === this.state) return;
    this.state = state;
    this.list.replaceChildren(
      ...(isNew ? [this._addition(text)] : []),
      ...shown.map((line) => this._line(line)),
    );
    bringInto(this.list, this.list.querySelector(".next"));
    if (!this.labels.length && !isNew)
      this.list.append(
        element("p", { class: "faint", text: "No labels yet. Type the first one." }),
      );
    if (matches.length > SHOWN_LABELS)
      this.list.append(
        element("p", { class: "faint", text: `and ${matches.length - SHOWN_LABELS} more` }),
      );
  }

  _addition(text) {
    return element(
      "button",
      {
        class: `row addition${this.at === ADDED ? " next" : ""}`,
        on: { click: () => this._take(ADDED) },
      },
      element("span", { class: "count", text: "Add" }),
      element("bdi", { class: "grow", text }),
    );
  }

  _line({ label, color, key, count, current, hidden, locked, next }) {
    const style = { "--label-color": color, "--label-ink": inkOn(color) };
    const choose = element(
      "button",
      {
        class: `row label${current ? " current" : ""}`,
        title: label,
        data: { label },
        style,
        attributes: { "aria-pressed": String(current) },
        on: { click: leaving(this.on, () => this.on.label(label)) },
      },
      element("span", { class: "key", text: key ? String(key) : "" }),
      element("bdi", { class: "grow", text: label }),
      element("span", { class: "count", text: count ? String(count) : "" }),
    );
    const toggle = (set, text, pressed, title) =>
      element("button", {
        class: `toggle ${set}`,
        text,
        title,
        data: { label },
        attributes: { "aria-pressed": String(pressed), "aria-label": `${title}: ${label}` },
        on: { click: leaving(this.on, () => this.on.toggle(set, label)) },
      });
    return element(
      "div",
      { class: `line${current ? " current" : ""}${next ? " next" : ""}` },
      choose,
      toggle(
        "hidden",
        hidden ? "hidden" : "hide",
        hidden,
        hidden ? "Show shapes (H)" : "Hide shapes (H)",
      ),
      toggle(
        "locked",
        locked ? "locked" : "lock",
        locked,
        locked ? "Unlock shapes (L)" : "Lock shapes (L)",
      ),
    );
  }

  find() {
    this.on.finding();
    this.field.focus();
    this.field.select();
  }

  _key(event) {
    event.stopPropagation();
    if (event.key === "Escape") this._done();
    else if (event.key === "Enter" && !event.isComposing) this._take(this.at);
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && this.field.value.trim()) {
      event.preventDefault();
      const { choices } = this;
      this.at =
        choices[
          (choices.indexOf(this.at) + (event.key === "ArrowDown" ? 1 : -1) + choices.length) %
            choices.length
        ];
      this._fill();
    }
  }

  // Choose the found label at this index, or add the text as a new label.
  _take(index) {
    const text = this.field.value.trim();
    const entry = findLabels(this.labels, text)[index];
    this._done();
    if (!text) return;
    if (entry) this.on.label(entry.label);
    else this.on.add(text);
  }

  _done() {
    this.field.value = "";
    this._fill();
    this.on.leave();
  }
}
