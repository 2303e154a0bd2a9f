// Keyboard commands of the annotator and their actions.

import { commandFor, noLabelText } from "../shared/keymap.js";
import { ANNOTATOR_KEYS } from "./keys.js";
import { nextTolerance } from "./rings.js";
import { KeyboardBox } from "./keyboard_box.js";

// Commands that concern no image in particular. All others do nothing while an image is loading, because it has not
// been seen.
const OF_ANY_IMAGE = new Set([
  "turn",
  "arrow",
  "label",
  "names",
  "hide",
  "lock",
  "escape",
  "help",
  "find",
  "guides",
  "tool",
  "zoom",
  "fit",
  "one to one",
  "full screen",
  "space",
]);
const CHANGES = new Set([
  "remove",
  "remove ring",
  "simplify",
  "paste",
  "duplicate",
  "select all",
  "undo",
  "redo",
  "accept all",
  "status",
  "keyboard box",
]);

export class Commands {
  // `screen` has what Changes needs, and changes, outlining, canvas, left, isTurning, turn(by), useTool(name),
  // toggleGuides(), help().
  constructor(screen) {
    this.screen = screen;
    this.keyboardBox = new KeyboardBox();
    this.leaving = false; // the next Tab leaves the widget
  }

  key(event) {
    const { screen } = this;
    if (event.defaultPrevented || event.target.closest("input, select, textarea")) return;
    const onButton = event.target.closest("button, a");
    if (onButton && ["Enter", " ", "Tab"].includes(event.key)) return;
    const command = event.key === " " ? { do: "space" } : commandFor(ANNOTATOR_KEYS, event);
    if (!command || (command.do === "cycle" && this._leavesByTab())) return;
    event.preventDefault();
    event.stopPropagation();
    if (screen.info && command.do !== "held") this.run(command);
  }

  // Tab cycles through the shapes. After Esc, or without shapes, it moves to the next element as usual.
  _leavesByTab() {
    const { imageShapes } = this.screen;
    const leaves =
      this.leaving || !imageShapes || !(imageShapes.shapes.length + imageShapes.predictions.length);
    this.leaving = false;
    return leaves;
  }

  run(command) {
    const { screen } = this;
    const { canvas, changes, drawing } = screen;
    if (command.do !== "escape") this.leaving = false;
    if (screen.isTurning && !OF_ANY_IMAGE.has(command.do)) return;
    // during a pointer gesture, only Esc and view commands are available
    if (CHANGES.has(command.do) && (screen.info.read_only || drawing.gesture)) return;
    const actions = {
      label: () => {
        const entry = screen.info.labels[command.number - 1];
        if (entry && screen.isTurning) screen.label = entry.label;
        else if (entry) changes.chooseLabel(entry.label);
        else changes.hint(noLabelText(command.number));
      },
      tool: () => screen.useTool(command.tool),
      combine: () =>
        command.else && !screen.imageShapes?.shape?.polygon
          ? this.run(command.else)
          : screen.useTool(command.tool),
      find: () => screen.left.find(),
      arrow: () => this._arrow(command.by),
      cycle: () => changes.cycle(command.by),
      enter: () => this._enter(),
      escape: () => this._escape(),
      remove: () => changes.remove(),
      "remove ring": () => changes.removeRing(),
      simplify: () => changes.simplify(nextTolerance(changes.tolerance, command.by)),
      copy: () => changes.copy(),
      paste: () => changes.paste(),
      "select all": () => changes.selectAll(),
      duplicate: () => changes.duplicate(),
      undo: () => changes.takeBack("undo"),
      redo: () => changes.takeBack("redo"),
      "accept all": () => changes.acceptAll(),
      status: () => changes.setStatus(command.status),
      turn: () => screen.turn(command.by),
      zoom: () => canvas.zoom(command.by, canvas.at ?? undefined),
      fit: () => canvas.fit(),
      "one to one": () => canvas.oneToOne(),
      guides: () => screen.toggleGuides(),
      names: () => screen.toggleNames(),
      note: () => screen.writeNote(),
      "full screen": () => screen.toggleFullScreen(),
      hide: () => changes.toggle("hidden", screen.label),
      lock: () => changes.toggle("locked", screen.label),
      "keyboard box": () => this._beginBox(),
      space: () => this.holdSpace(true),
      help: () => screen.help(),
    };
    actions[command.do]();
    canvas.paintSoon();
  }

  holdSpace(held) {
    this.screen.canvas.holdSpace(held);
  }

  // -- boxes drawn with the keyboard --------------------------------------------------------------------
  _beginBox() {
    const { imageShapes, canvas } = this.screen;
    if (!imageShapes) return;
    this.screen.drawing.cancel();
    imageShapes.select(null);
    this.keyboardBox.begin(canvas.middle, imageShapes.image);
    this._showBox();
  }

  _showBox() {
    const { drawing, notices, canvas } = this.screen;
    drawing.keyed = this.keyboardBox.box;
    if (this.keyboardBox.isOn) notices.say("hint", this.keyboardBox.words);
    else notices.drop("hint");
    canvas.paintSoon();
  }

  cancelBox() {
    if (!this.keyboardBox.isOn) return false;
    this.keyboardBox.cancel();
    this._showBox();
    return true;
  }

  _arrow([dx, dy]) {
    const { imageShapes, changes, drawing, isTurning } = this.screen;
    if (this.keyboardBox.isOn) {
      this.keyboardBox.move(dx, dy);
      this._showBox();
    } else if (drawing.gesture) return;
    else if (imageShapes?.shape && !isTurning) changes.nudge(dx, dy);
    else if (dx) this.screen.turn(Math.sign(dx));
  }

  // Accept the box of the keyboard, the polygon or outline being drawn, or the selected prediction. Returns false if
  // there is none.
  accept() {
    const { drawing, changes, outlining } = this.screen;
    if (this.keyboardBox.isOn) {
      const box = this.keyboardBox.enter();
      this._showBox();
      if (box && drawing.keep(box)) this.screen.changed();
    } else if (drawing.corners) {
      if (drawing.closePolygon()) this.screen.changed();
    } else if (drawing.tool === "outline" && outlining.keep()) this.screen.shown();
    else if (changes.prediction !== null && !drawing.gesture) changes.accept([changes.picked]);
    else return false;
    this.screen.canvas.paintSoon();
    return true;
  }

  _enter() {
    if (this.accept() || this.screen.drawing.gesture) return;
    const { imageShapes, info, changes } = this.screen;
    if (info.query.queue === "prelabelled" && imageShapes?.wasOpen) changes.acceptAll();
    this.screen.turn(1);
  }

  _escape() {
    const { drawing, changes, imageShapes, notices, outlining } = this.screen;
    notices.drop("hint");
    if (!this.cancelBox() && !drawing.cancel() && !outlining.end()) {
      imageShapes?.select(null);
      changes.prediction = null;
      this.leaving = true;
    }
    this.screen.shown();
  }
}
