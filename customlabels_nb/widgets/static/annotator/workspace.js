// Layout of the annotator and its display. The actions are in the subclass (annotator.js).

import { element, hint, leaving, setText, show, takeKeys, turnFullScreen } from "../shared/dom.js";
import { colorOf, rejectionText } from "../shared/chips.js";
import { hitTest } from "./hits.js";
import { openLabelManager } from "../label_manager/opening.js";
import { askWhoElse, JobBar } from "../shared/job_bar.js";
import { Notices } from "../shared/notices.js";
import { counted } from "../shared/numbers.js";
import { Panel } from "../shared/panel.js";
import { helpButton, openInstructions, openKeys } from "../shared/panels.js";
import { recall, remember } from "../shared/remembered.js";
import { showSavedState } from "../shared/sending.js";
import { Toast } from "../shared/toast.js";
import { undoButtons } from "../shared/undo_buttons.js";
import { Canvas } from "./canvas.js";
import { Drawing } from "./drawing.js";
import { ANNOTATOR_KEYS } from "./keys.js";
import { LeftSide } from "./left_side.js";
import { RightSide } from "./right_side.js";
import { Filmstrip } from "./filmstrip.js";
import { Outlining } from "./outlining.js";
import { toolHints, Tools } from "./tools.js";

const NARROW = 760;
const FOLDS = { left: 900, right: 1000 }; // below, a side panel is folded until it is opened
const RAIL = 46;
const SIDES = { left: 190, right: 200 };
const number = (value) => value.toLocaleString("en");

/**
 * @import { Changes } from "./changes.js"
 * @import { Commands } from "./commands.js"
 * @import { Saving } from "./saving.js"
 * @import { ImageShapes } from "./shapes.js"
 * @import { AnnotationStore } from "./store.js"
 * @import { Listing } from "../shared/listing.js"
 * @import { makeRequester } from "../shared/requests.js"
 * @typedef {{ lock?: (keys: string[]) => Promise<void>, unlock?: () => void }} Keyboard
 */

// Subclasses create the fields declared here, and implement the methods after them.
export class Workspace {
  /** @type {ReturnType<typeof makeRequester>} */ request;
  /** @type {Listing} */ listing;
  /** @type {AnnotationStore} */ store;
  /** @type {Changes} */ changes;
  /** @type {Commands} */ commands;
  /** @type {ImageShapes | null} */ imageShapes;
  /** @type {string | null} */ label;
  /** @type {Set<string>} */ hidden;
  /** @type {Set<string>} */ locked;
  /** @type {number} */ place;
  /** @type {boolean} */ finished;
  /** @type {boolean} */ closed;
  /** @type {boolean} */ isTurning;
  isNameless = false;
  pointed = null; // shape or prediction under the pointer
  held = null; // prediction that was selected when a pointer was pressed
  /** @type {Saving | undefined} */ saving;
  info;

  turn(_by) {}
  go(_place) {}
  done() {}
  changed() {}
  detail(_region, _pixels) {}
  saveInstructions(_text) {}
  _follow(_options) {}

  _build(el) {
    const leave = () => this.root.focus({ preventScroll: true });
    this.root = takeKeys(
      element("div", {
        class: "clnb clnb-annotator loading",
        tabIndex: 0,
        attributes: { role: "application", "aria-label": "Boxes and polygons on images" },
        on: {
          keydown: (event) => this.commands.key(event),
          keyup: (event) => {
            if (event.key === " ") this.commands.holdSpace(false);
          },
          blur: () => this.commands.holdSpace(false),
          pointerup: ({ pointerType }) => {
            if (pointerType === "touch") this.root.classList.add("touch");
          },
          fullscreenchange: () => this._fullScreenChanged(),
        },
      }),
    );
    this.root.classList.toggle("touch", matchMedia("(pointer: coarse)").matches);
    this.panel = new Panel({ onClose: leave });
    this.notices = new Notices();
    this.outlining = new Outlining(this);
    this.tolerance = 1.5; // of the next outline, in pixels
    this.toast = new Toast(() => {
      leave();
      this.changes.takeBack("undo");
    });
    this.tools = new Tools({
      tool: (tool) => {
        leave();
        this.useTool(tool);
      },
      remove: () => {
        leave();
        this.commands.run({ do: "remove" });
      },
      accept: () => {
        leave();
        if (!this.isTurning) this.commands.accept();
      },
    });
    this._buildDrawing();
    this._buildSides(leave);
    this._buildFolds(leave);
    this._buildCanvas(leave);
    this.header = this._header(leave);
    this.jobBar = new JobBar(
      {
        leave,
        other: () => askWhoElse(this, this.saving),
        back: () => this.turn(-1),
        instructions: () => this._instructions(),
        nothing: () => this.commands.run({ do: "status", status: "labelled" }),
        skip: () => this.commands.run({ do: "status", status: "skipped" }),
      },
      { nothingKey: "N" },
    );
    this.empty = element("div", { class: "empty", hidden: true });
    this.work = element(
      "div",
      { class: "work", hidden: true, attributes: { role: "status" } },
      element("progress"),
      element("span"),
    );
    this.filmstrip = new Filmstrip((position) => {
      leave();
      this.go(position);
    });
    this.spoken = element("span", { class: "spoken", attributes: { "aria-live": "polite" } });
    this.root.append(
      this.header,
      this.tools.node,
      this.jobBar.node,
      element(
        "div",
        { class: "desk" },
        this.left.node,
        element(
          "div",
          { class: "middle" },
          this.canvas.node,
          this.empty,
          this.work,
          this.notices.node,
          this.toast.node,
        ),
        this.right.node,
      ),
      this.filmstrip.node,
      this._footer(),
      this.spoken,
      this.panel.node,
    );
    this.narrowing = new ResizeObserver(() => this._arrange());
    this.narrowing.observe(this.root);
    el.append(this.root);
  }

  _buildDrawing() {
    this.drawing = new Drawing({
      label: () => this.label,
      usable: (shape) =>
        !this.hidden.has(shape.label) && !this.locked.has(shape.label) && !this.info?.read_only,
      mayDraw: () => !this.info?.read_only,
      hint: (text) => this.changes.hint(text),
      drawn: (label) => this.hidden.delete(label),
      nameless: () => this.left.find(),
      missed: (point, tolerance) => this._selectPrediction(point, tolerance),
      take: (point, tolerance) => this._takePrediction(point, tolerance),
      outlined: (prompt) => this.outlining.add(prompt),
      isOutlined: () => Boolean(this.outlining.current),
    });
  }

  _selectPrediction(point, tolerance) {
    const hit = hitTest(point, this.imageShapes.predictions, {
      tolerance,
      usable: (shape) => !this.hidden.has(shape.label),
    });
    this.changes.prediction = hit?.index ?? null;
    return Boolean(hit);
  }

  // Accept the predicted box that was selected before the press if a handle of it is at the point, and select it.
  _takePrediction(point, tolerance) {
    const { held, changes, imageShapes } = this;
    if (!imageShapes.predictions.includes(held) || held.polygon || imageShapes.asks.has(held))
      return false;
    if (hitTest(point, [held], { selected: 0, tolerance })?.part !== "handle") return false;
    const before = imageShapes.shapes.length;
    changes.accept([held]);
    const isTaken = imageShapes.shapes.length > before;
    if (isTaken) changes.select(before);
    return isTaken;
  }

  _buildSides(leave) {
    this.left = new LeftSide({
      leave,
      label: (label) => this.changes.chooseLabel(label),
      toggle: (set, label) => this.changes.toggle(set, label),
      add: (label) => this.changes.addLabel(label),
      fit: () => this.canvas.fit(),
      guides: () => this.toggleGuides(),
      filter: (filter) => this.canvas.setFilter(filter),
      finding: () => this._cover("left"),
      instructions: () => this._instructions(),
    });
    this.right = new RightSide({
      leave,
      again: () => this.shown(),
      select: (index, prediction) => this.changes.select(index, prediction),
      add: (index) => {
        this.imageShapes.toggle(index);
        this.shown();
      },
      hover: (kind, index) => {
        this.hover = kind && { kind, index };
        this.canvas.paintSoon();
      },
      accept: (index) => this.changes.accept([this.imageShapes.predictions[index]]),
      simplify: (tolerance) => this.changes.simplify(tolerance),
      number: (name, text) => this.changes.setNumber(name, text),
      note: (kind, text) => this.changes.setNote(kind, text),
      whole: (label) => this.changes.toggleWhole(label),
      status: (status) => this.changes.setStatus(status),
    });
  }

  // A folded panel is a rail of keys and icons. It covers the image while a label or a note is typed.
  _buildFolds(leave) {
    this.folds = {};
    for (const side of Object.keys(SIDES)) {
      const fold = element("button", {
        class: "plain fold",
        on: {
          click: () => {
            leave();
            remember(`${side} panel`, this._isFolded(side) ? "open" : "folded");
            this._arrange();
          },
        },
      });
      const { node } = this[side];
      node.append(fold);
      node.addEventListener("focusout", ({ relatedTarget }) => {
        if (relatedTarget && !node.contains(relatedTarget)) this._cover(null);
      });
      this.folds[side] = fold;
    }
  }

  _isFolded(side) {
    const width = this.root.clientWidth;
    const chosen = recall(`${side} panel`);
    return width >= NARROW && (chosen ? chosen === "folded" : width < FOLDS[side]);
  }

  _cover(side) {
    this.covering = side;
    this._arrange();
  }

  _arrange() {
    const { root } = this;
    if (!root.clientWidth) return;
    root.classList.toggle("narrow", root.clientWidth < NARROW);
    root.style.setProperty("--width", `${root.clientWidth}px`);
    for (const [side, width] of Object.entries(SIDES)) {
      const folded = this._isFolded(side);
      const over = folded && side === this.covering;
      root.style.setProperty(`--${side}`, `${folded ? RAIL : width}px`);
      this[side].node.classList.toggle("rail", folded && !over);
      this[side].node.classList.toggle("over", over);
      setText(this.folds[side], folded === (side === "left") ? "»" : "«");
      this.folds[side].title = folded ? "Open the panel" : "Fold the panel";
      this.folds[side].setAttribute("aria-label", `${this.folds[side].title} (${side})`);
      this.folds[side].setAttribute("aria-expanded", String(!folded));
    }
  }

  _buildCanvas(leave) {
    this.canvas = new Canvas({
      drawing: this.drawing,
      scene: () => ({
        predictions: this.imageShapes.predictions,
        asks: this.imageShapes.asks,
        prediction: this.changes.prediction,
        prompts: this.outlining.current,
        colorOf: (label) => this.colorOf(label),
        isHidden: (shape) => this.hidden.has(shape.label),
        isNameless: this.isNameless,
        isSuggested: Boolean(this.imageShapes.rejected),
        pointed: this.pointed,
        hovered: this.hover && this.imageShapes[this.hover.kind][this.hover.index],
      }),
      on: {
        press: () => {
          leave();
          this.commands.cancelBox();
          this.notices.drop("hint");
          this.held = this.changes.picked;
          this.changes.prediction = null;
        },
        changed: () => this.changed(),
        selected: () => this.shown(),
        pointed: (point, tolerance) => this._point(point, tolerance),
        zoomed: (scale) =>
          setText(this.zoomed, `${Math.round(100 * scale * (globalThis.devicePixelRatio || 1))} %`),
        detail: (region, pixels) => this.detail(region, pixels),
      },
    });
  }

  _header(leave) {
    const button = (text, title, action, more = {}) =>
      element("button", {
        text,
        title,
        on: { click: leaving({ leave }, action) },
        ...more,
      });
    this.title = element("strong", {}, element("bdi", {}));
    this.size = element("span", { class: "faint size" });
    this.zoomed = button("", "Fit to window (F)", () => this.canvas.fit(), { class: "zoomed" });
    this.unfold = button(
      "Panels",
      "Show or hide the side panels",
      () => {
        this.unfold.setAttribute("aria-expanded", String(this.root.classList.toggle("unfolded")));
      },
      { class: "unfold", attributes: { "aria-expanded": "false" } },
    );
    this.labels = button(
      "Labels…",
      "Add, rename, recolor, reorder, merge and remove labels",
      () => this._editLabels(),
      { class: "manager" },
    );
    this.fullScreen = button("", "Full screen (Shift F)", () => this.toggleFullScreen(), {
      class: "full-screen",
      hidden: !document.fullscreenEnabled,
      attributes: { "aria-label": "Full screen", "aria-pressed": "false" },
    });
    this.fullScreen.append(element("i", {}));
    const previous = button(
      "‹",
      "Save and go to the previous image (Page Up)",
      () => this.turn(-1),
      { class: "previous", attributes: { "aria-label": "Previous image" } },
    );
    previous.append(element("span", { text: " Previous" })); // hidden on narrow screens
    return element(
      "div",
      { class: "band toolbar" },
      this.title,
      this.size,
      element("span", { class: "spring" }),
      this.unfold,
      this.labels,
      ...undoButtons({ leave, takeBack: (kind) => this.changes.takeBack(kind) }),
      this.zoomed,
      this.fullScreen,
      previous,
      button("Next ›", "Save and go to the next image (Page Down)", () => this.turn(1), {
        class: "primary",
      }),
      button("Done", "Show progress and remaining images", () => this.done(), { class: "done" }),
    );
  }

  _footer() {
    this.position = element("span", { class: "position" });
    this.bar = element("span", { class: "bar" }, element("span"));
    const hints = [
      ["1–9", "label"],
      ["Tab", "next shape"],
      ["⌫", "delete"],
      ["Ctrl Z", "undo"],
      ["Space", "pan"],
      ["?", "all keys"],
    ];
    this.hints = element(
      "span",
      { class: "hints" },
      ...hints.map(([keys, what]) => hint(keys, what)),
    );
    this.acceptHint = element(
      "span",
      { class: "accept", hidden: true },
      hint("⏎", "accept"),
      hint("A", "accept all"),
    );
    this.hints.prepend(this.acceptHint);
    this.toolHints = element("span", { class: "hints tool-hints", hidden: true });
    this.state = element("span", { class: "state" });
    const help = helpButton(() => this.help());
    return element(
      "div",
      { class: "band foot" },
      this.position,
      this.bar,
      this.hints,
      this.toolHints,
      this.state,
      help,
    );
  }

  // -- showing ----------------------------------------------------------------------------------------
  colorOf(label) {
    return colorOf(label, this.info?.labels ?? []);
  }

  shown() {
    const { imageShapes, info, changes } = this;
    if (!info) return;
    const named = imageShapes?.image ?? (this.finished ? null : this.listing.rowAt(this.place));
    setText(this.title.firstChild, named?.short ?? "");
    this.title.title = named?.name ?? "";
    const size = imageShapes && `${imageShapes.image.width} × ${imageShapes.image.height}`;
    setText(this.size, size ? size + (imageShapes.note ? " ✎" : "") : "");
    this.size.title = imageShapes?.note ?? "";
    show(this.labels, info.manages_labels);
    this._showLeft();
    this.right.update({
      imageShapes,
      prediction: changes.prediction,
      offered: changes.offered,
      colorOf: (label) => this.colorOf(label),
      labels: info.labels,
      task: info.task,
      readOnly: info.read_only,
      tolerance: changes.tolerance,
      hasNotes: !info.job,
    });
    const { corners, tool, keyed } = this.drawing;
    const isOpen = Boolean(imageShapes && (corners || changes.prediction !== null));
    this.tools.update({
      tool,
      canRemove: isOpen || Boolean(imageShapes?.shape),
      canAccept: isOpen || Boolean(keyed || this.outlining.current),
      readOnly: info.read_only,
      hasPolygon: info.task === "polygons" || Boolean(imageShapes?.shape?.polygon),
    });
    const drawn = imageShapes?.predictions.length ?? 0;
    show(this.acceptHint, Boolean((drawn || changes.offered) && !info.read_only));
    show(this.acceptHint.firstChild, drawn > 0);
    this._speak();
    this._showRejection();
    this.showCounts();
    this.canvas.paintSoon();
  }

  _showLeft() {
    const counts = new Map();
    for (const { label } of this.imageShapes?.shapes ?? [])
      counts.set(label, (counts.get(label) ?? 0) + 1);
    this.left.update({
      labels: this.info.labels,
      current: this.label,
      counts,
      hidden: this.hidden,
      locked: this.locked,
      guides: this.canvas.guides,
      instructions: this.info.instructions,
      readOnly: this.info.read_only,
      isFixed: Boolean(this.info.job),
    });
  }

  // The notice can be dismissed, until it changes.
  _showRejection() {
    const { rejection = null, image = null } = this.imageShapes ?? {};
    const shown = rejection && `${image.name} ${rejectionText(rejection)}`;
    if (this.rejection === shown) return;
    this.rejection = shown;
    if (rejection) this.notices.say("rejected", rejectionText(rejection));
    else this.notices.drop("rejected");
  }

  // Announce the selected shape, or else the image, to screen readers.
  _speak() {
    const { imageShapes, changes } = this;
    const predicted = imageShapes?.predictions[changes.prediction];
    const { image, shape = null, shapes = [], chosen = [] } = imageShapes ?? {};
    const place = `, ${shapes.indexOf(shape) + 1} of ${shapes.length}`;
    const whole = image ? `${image.short}, ${counted(shapes.length, "shape")}` : "";
    const textOf = ({ label, left, top, width, height }) =>
      `${label}, ${[width, height].map(Math.round).join(" by ")} at ${[left, top].map(Math.round).join(", ")}`;
    const selected =
      chosen.length > 1 ? `${chosen.length} shapes selected` : shape && textOf(shape) + place;
    setText(this.spoken, predicted ? `predicted: ${textOf(predicted)}` : (selected ?? whole));
    this.canvas.node.setAttribute("aria-label", whole);
  }

  showCounts() {
    const statuses = this.info?.statuses ?? {};
    const total = Object.values(statuses).reduce((sum, count) => sum + count, 0);
    const left = statuses.unlabelled ?? 0;
    setText(
      this.position,
      this.listing.total
        ? `${number(this.place + 1)} of ${number(this.listing.total)} · ${number(left)} left`
        : "no images",
    );
    this.bar.firstChild.style.width = total ? `${(100 * (total - left)) / total}%` : "0";
  }

  showFilmstrip() {
    const { listing } = this;
    const frames = [];
    for (let position = listing.start; position < listing.end; position += 1) {
      const row = listing.rowAt(position);
      if (row)
        frames.push({
          place: position,
          row,
          uri: listing.pictures.get(row.name),
          failure: listing.pictures.failure(row.name),
        });
    }
    this.filmstrip.update(frames, this.place);
  }

  showState(state, waiting) {
    showSavedState(this.state, state, waiting);
  }

  // Show a message in place of the image, with buttons. The first button is the default.
  say(text, ...steps) {
    show(this.empty, true);
    this.canvas.node.hidden = true;
    const buttons = steps.map(({ label, run }) =>
      element("button", {
        text: label,
        on: {
          click: () => {
            this.root.focus({ preventScroll: true });
            run();
          },
        },
      }),
    );
    this.empty.replaceChildren(
      element("p", { text }),
      ...(buttons.length ? [element("div", { class: "choices" }, ...buttons)] : []),
    );
  }

  // -- tools ------------------------------------------------------------------------------------------
  useTool(tool) {
    this.commands.cancelBox();
    this.drawing.cancel();
    this.outlining.end();
    this.drawing.tool = tool;
    this.outlining.showWork();
    const hints = toolHints(tool);
    if (hints) this.toolHints.replaceChildren(...hints);
    show(this.toolHints, Boolean(hints));
    show(this.hints, !hints);
    if (tool === "outline" && this.imageShapes) this.outlining.prepare();
    this.shown();
  }

  showWork(text) {
    setText(this.work.lastChild, text);
    show(this.work, Boolean(text));
  }

  // Name the engine of outlines beside what clicks mean, and how to get a better one.
  showEngine({ engine, advice }) {
    if (this.drawing.tool !== "outline") return;
    const name = /** @type {HTMLElement} */ (this.toolHints.firstChild);
    setText(name, `Outline (${engine})`);
    name.title = advice;
  }

  // Show which shape or prediction is under the pointer.
  _point(point, tolerance = 0) {
    const { shapes = [], predictions = [], selected } = this.imageShapes ?? {};
    const all = [...shapes, ...predictions];
    const usable = (shape) => !this.hidden.has(shape.label);
    const index = point && hitTest(point, all, { selected, tolerance, usable })?.index;
    this.right.point(all[index] ? index + 1 : null);
    if (this.pointed !== all[index]) this.canvas.paintSoon();
    this.pointed = all[index];
  }

  writeNote() {
    if (this.info?.job) {
      this.changes.hint(
        "A labelling job keeps no notes. To tell the manager something, skip the image and say why.",
      );
      return;
    }
    if (this.root.matches(".narrow:not(.unfolded)")) this.unfold.click();
    this._cover("right");
    const { shape, image } = this.right.notes;
    (this.imageShapes?.shape && !shape.hidden ? shape : image).focus();
  }

  toggleNames() {
    this.isNameless = !this.isNameless;
    if (this.isNameless) this.changes.hint("Names are hidden. Shift H shows them.");
    else this.notices.drop("hint");
    this.shown();
  }

  toggleGuides() {
    this.canvas.guides = !this.canvas.guides;
    this.shown();
  }

  toggleFullScreen() {
    return turnFullScreen(this.root, (text) => this.changes.hint(text));
  }

  // In full screen, Esc cancels a shape as usual. Held, it leaves full screen.
  _fullScreenChanged() {
    const on = document.fullscreenElement === this.root;
    this.fullScreen.setAttribute("aria-pressed", String(on));
    this.fullScreen.title = on ? "Leave full screen (Shift F)" : "Full screen (Shift F)";
    const { keyboard } = /** @type {Navigator & { keyboard?: Keyboard }} */ (navigator);
    if (on) keyboard?.lock?.(["Escape"]).catch(() => {});
    else keyboard?.unlock?.();
    this.root.focus({ preventScroll: true });
  }

  help() {
    openKeys(this.panel, this.info?.job ? ANNOTATOR_KEYS.jobHelp : ANNOTATOR_KEYS.help);
  }

  _editLabels() {
    if (!this.info) return;
    openLabelManager(this, () => {
      this.store.readAnew();
      this._follow({ again: true });
    });
  }

  _instructions({ isNew = false } = {}) {
    if (!this.info) return;
    openInstructions(this.panel, this.info.instructions, {
      isNew,
      readOnly: this.info.read_only || Boolean(this.info.job),
      save: (text) => this.saveInstructions(text),
      request: this.request,
    });
  }
}
