// Layout of the quick test and its painting after changes.

import { element, hint, takeKeys, keyHint, setText, show } from "../shared/dom.js";
import { fileChooser, watchDrops } from "../shared/incoming.js";
import { Notices } from "../shared/notices.js";
import { Panel } from "../shared/panel.js";
import { helpButton, openKeys } from "../shared/panels.js";
import { Adding } from "./adding.js";
import { AnswerList } from "./answer_list.js";
import {
  byLabel,
  countedRows,
  figureOf,
  nothingSentence,
  takenRows,
  takenWords,
  NO_CHOICE,
  withoutLabel,
} from "./answers.js";
import { Sources, Thresholds } from "./toolbars.js";
import { Lens } from "./camera.js";
import { QUICK_TEST_KEYS } from "./keys.js";
import { Picture } from "./picture.js";
import { Filmstrip } from "./filmstrip.js";

const MOST_CHIPS = 12;

export class TryingScreen {
  constructor(el) {
    this.state = {
      models: [],
      model: "",
      threshold: null,
      project: null,
      current: null,
      most_bytes: Infinity,
    };
    this.trials = [];
    this.trial = null; // the shown photo: { number, name, width, height, added, answer, view }
    this.choice = NO_CHOICE;
    this.asking = 0; // number of pending requests
    this.doing = ""; // current operation of the model
    this.lens = new Lens();
    this.live = null; // predictions for the camera frame: { answer, width, height }
    this.isAdding = false; // a photo is being added to the dataset
    this.savedState = null; // its kind and text
    this._build(el);
    this.resizing = new ResizeObserver(() => this._fold());
    this.resizing.observe(this.root);
  }

  // What the subclass does: with photos, the model, the shown predictions, the dataset and the camera.
  _files(_files) {}
  _url(_url) {}
  _incoming(_files, _url) {}
  _paste(_event) {}
  _show(_number) {}
  _choose(_name) {}
  _power() {}
  _setThreshold(_value) {}
  _toggle(_index) {}
  _decide(_choice) {}
  _ownLabel(_label) {}
  _add(_split) {}
  _undo() {}
  _film() {}
  _shoot() {}
  _stopFilming() {}
  _key(_event) {}

  _build(el) {
    this.root = takeKeys(
      element("div", {
        class: "clnb clnb-quick-test loading",
        tabIndex: 0,
        attributes: { role: "application", "aria-label": "Try a model on photos" },
      }),
    );
    this.leave = () => {
      if (!this.panel.isOpen) this.root.focus({ preventScroll: true }); // also after an answer of the kernel
    };
    this.panel = new Panel({ onClose: this.leave });
    this.notices = new Notices();
    this.chooser = fileChooser((files) => this._files(files));
    this.sources = new Sources({
      leave: this.leave,
      model: (name) => this._choose(name),
      power: () => this._power(),
      open: () => this.chooser.click(),
      url: (text) => this._url(text),
      camera: () => this._film(),
    });
    this.thresholds = new Thresholds({ threshold: (value) => this._setThreshold(value) });
    const point = (index) => {
      this.picture.point(index);
      this.list.point(index);
    };
    this.picture = new Picture({ point, choose: (index) => this._toggle(index) });
    this.list = new AnswerList({
      point,
      toggle: (index) => this._toggle(index),
      unlabel: (label) => this._decide(withoutLabel(this.choice, label)),
    });
    this.adding = new Adding({
      leave: this.leave,
      add: (split) => this._add(split),
      undo: () => this._undo(),
      label: (label) => this._ownLabel(label),
    });
    this.chips = element("div", {
      class: "chips",
      attributes: { role: "status", "aria-label": "Predictions above the threshold" },
    });
    this.shutter = element(
      "button",
      { class: "primary", on: { click: () => this._shoot() } },
      element("span", { text: "Take photo " }),
      element("span", { text: "␣", attributes: { "aria-hidden": "true" } }),
    );
    this.camera = element(
      "div",
      { class: "camera-bar", hidden: true },
      this.shutter,
      element("button", {
        text: "Close",
        title: "Esc",
        on: { click: () => this._stopFilming() },
      }),
    );
    this.first = element("button", {
      class: "primary",
      text: "Choose photos…",
      on: { click: () => this.chooser.click() },
    });
    this.empty = element(
      "div",
      { class: "empty" },
      element(
        "p",
        {},
        "Drop photos here, or paste one ",
        keyHint("Ctrl V"),
        ". You can also enter a URL or use the camera. Photos are only saved if you add them to the dataset.",
      ),
      this.first,
    );
    this.heading = element("h4", { text: "Predictions" });
    this.columns = element(
      "div",
      { class: "columns faint", attributes: { "aria-hidden": "true" } },
      element("span", { text: "confidence" }),
      element("span", { text: "threshold" }),
    );
    this.side = element(
      "div",
      { class: "side" },
      element("div", { class: "side-head" }, this.heading, this.columns),
      this.list.node,
      this.adding.node,
    );
    this.viewport = element("div", { class: "stage" }, this.picture.node, this.empty, this.camera);
    this.workspace = element(
      "div",
      { class: "desk" },
      element("div", { class: "left" }, this.viewport, this.chips),
      this.side,
    );
    this.filmstrip = new Filmstrip((number) => this._show(number));
    this.facts = element("span", { class: "position facts" });
    this.hints = element("span", { class: "hints" });
    this.saved = element("span", { class: "saved-words state", attributes: { role: "status" } });
    this.help = helpButton(() => openKeys(this.panel, QUICK_TEST_KEYS.help));
    this.footer = element(
      "div",
      { class: "band foot" },
      this.facts,
      this.hints,
      this.saved,
      this.help,
    );
    this.root.append(
      this.chooser,
      this.sources.node,
      this.thresholds.node,
      this.notices.node,
      this.workspace,
      this.filmstrip.node,
      this.footer,
      this.panel.node,
    );
    watchDrops(this.root, "Drop photos to try them", (files, url) => this._incoming(files, url), {
      urls: true,
    });
    this.root.addEventListener("paste", (event) => this._paste(event));
    this.root.addEventListener("keydown", (event) => this._key(event));
    el.append(this.root);
    this._draw();
  }

  get answer() {
    return (this.lens.isOn ? this.live?.answer : this.trial?.answer) ?? null;
  }

  get taken() {
    return takenRows(this.answer, this.state.threshold, this.choice);
  }

  get canTake() {
    return Boolean(
      this.state.project && !this.state.project.read_only && !this.trial?.added && !this.lens.isOn,
    );
  }

  // -- painting ---------------------------------------------------------------------------------------
  _draw() {
    if (this.closed) return;
    const { state, trial, answer } = this;
    const counted = answer ? countedRows(answer.rows, state.threshold) : [];
    const taken = this.taken;
    this.sources.draw(
      state,
      this.doing ||
        (this.asking &&
        !state.models.some(({ name, device }) => name === state.model && device) &&
        state.models.length
          ? "starting…"
          : ""),
    );
    this.sources.filming(this.lens.isOn);
    this.thresholds.draw(state.threshold, answer ? this._summary(counted) : "");
    this._drawPicture(counted, new Set(taken));
    this._drawChips(counted);
    this.list.draw(
      answer,
      state.threshold,
      taken,
      this.choice.labels,
      this.canTake && Boolean(answer),
    );
    this.adding.draw({
      project: this.lens.isOn ? null : state.project,
      answer,
      added: trial?.added ?? null,
      words: answer ? takenWords(answer, taken, this.choice.labels) : "",
      isBusy: Boolean(this.isAdding || this.asking),
    });
    this.filmstrip.draw(this.trials, trial?.number ?? null);
    show(this.empty, !trial && !this.lens.isOn && !this.asking);
    show(this.camera, this.lens.isOn);
    show(this.side, Boolean(answer));
    this.workspace.classList.toggle("alone", !answer);
    this._drawFooter();
    this._fold();
  }

  _summary(counted) {
    const { total, detects, seconds } = this.answer;
    const what = detects ? (total === 1 ? "box" : "boxes") : total === 1 ? "label" : "labels";
    return (
      `${counted.length.toLocaleString("en")} of ${total.toLocaleString("en")} ${what} · ` +
      `${seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`}`
    );
  }

  _drawPicture(counted, taken) {
    const { trial, answer, live } = this;
    const isOn = this.lens.isOn;
    this.picture.wait(this.asking > 0);
    const rows = answer?.rows ?? [];
    const boxes = counted
      .filter((index) => rows[index].box)
      .map((index) => ({ ...rows[index], index, taken: !this.canTake || taken.has(index) }));
    if (trial && !isOn) {
      const text = byLabel(counted.map((index) => rows[index]))
        .map((item) => `${item.label} ${figureOf(item)}`)
        .join(", ");
      this.picture.show(
        trial.view,
        trial,
        `${trial.name}: ${text || "no predictions above the threshold"}`,
      );
    }
    this.picture.draw(boxes, isOn ? (live ?? undefined) : (trial ?? undefined));
  }

  _drawChips(counted) {
    const { answer } = this;
    if (!answer) return this.chips.replaceChildren();
    const entries = byLabel(counted.map((index) => answer.rows[index]));
    const chips = entries
      .slice(0, MOST_CHIPS)
      .map((item) =>
        element(
          "span",
          { class: "chip predicted", style: { "--label-color": item.color }, title: item.label },
          element("i", { class: "dot", attributes: { "aria-hidden": "true" } }),
          element("bdi", { text: item.label }),
          element("span", { class: "number", text: figureOf(item) }),
        ),
      );
    if (entries.length > MOST_CHIPS)
      chips.push(
        element("span", { class: "faint", text: `and ${entries.length - MOST_CHIPS} more` }),
      );
    return this.chips.replaceChildren(
      ...(chips.length
        ? chips
        : [
            element("span", {
              class: "faint",
              text: nothingSentence(answer, this.state.threshold),
            }),
          ]),
    );
  }

  _drawFooter() {
    const { trial } = this;
    setText(
      this.facts,
      trial && !this.lens.isOn
        ? `${shortName(trial.name)} · ${trial.width.toLocaleString("en")} × ${trial.height.toLocaleString("en")} px`
        : "",
    );
    this.facts.title = trial?.name ?? "";
    const can = this.canTake && this.answer;
    const words = this.lens.isOn
      ? [hint("Space", "take photo"), hint("Esc", "close")]
      : [
          ...(can ? [hint("1–9", "select"), hint("Ctrl ⏎", "add")] : []),
          ...(this.answer ? [hint(["−", "+"], "threshold")] : []),
          ...(this.trials.length > 1 ? [hint(["←", "→"], "photos")] : []),
          hint("Ctrl V", "paste"),
          hint("O", "open"),
        ];
    const known = words.map((node) => node.textContent).join("|");
    if (known !== this.hinted) {
      this.hinted = known;
      this.hints.replaceChildren(...words);
    }
    const [kind, text] = this.savedState ?? ["", ""];
    this.saved.className = `saved-words state ${kind}`;
    setText(this.saved, text);
  }

  _fold() {
    this.root.classList.toggle("narrow", this.root.clientWidth < 700);
  }

  close() {
    this.closed = true;
    this.lens.close();
    this.picture.close();
    this.resizing.disconnect();
    this.root.remove();
  }
}

function shortName(name) {
  const path = name.includes("://") ? name.split("?")[0] : name;
  return path.replaceAll("\\", "/").replace(/\/+$/, "").split("/").at(-1) || name;
}
