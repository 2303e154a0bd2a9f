// Controls for thresholds: mode, sliders, and the IoU threshold.

import { element, setText, setValue, show } from "../shared/dom.js";
import { ASSUMED, CROSS_VALIDATED, MOST_CONFIDENT, ONE, PER_LABEL } from "./engine.js";

const MODES = [
  [
    MOST_CONFIDENT,
    "most confident",
    "The answer for each image is its most confident label, without thresholds",
  ],
  [ASSUMED, "assumed", "The threshold of each label with the highest F1 on these test images"],
  [
    CROSS_VALIDATED,
    "cross-validated",
    "Thresholds chosen by 5-fold cross-validation on the test images, for unbiased metrics",
  ],
  [ONE, "one for all", "One threshold for all labels"],
  [PER_LABEL, "per label", "Select a label in the table and move its threshold"],
];

// Return true if the model decides like this already. `kept` has its thresholds by label, or is "most confident".
export function areKept(labels, { isTop, thresholds }, kept) {
  if (isTop || kept === MOST_CONFIDENT) return Boolean(isTop) && kept === MOST_CONFIDENT;
  return labels.every(
    ({ label }, index) =>
      !Object.hasOwn(kept, label) || Math.abs(kept[label] - thresholds[index]) < 1e-9,
  );
}

export class Controls {
  // `onMove(position, isSettled)`, `onKeep()`.
  constructor({ onMove, onKeep }) {
    this.onMove = onMove;
    this.tabs = MODES.map(([mode, text, title]) =>
      element("button", {
        class: "tab",
        text,
        title,
        data: { mode },
        attributes: { "aria-pressed": "false" },
        on: { click: () => this._mode(mode) },
      }),
    );
    const slider = (name, words, step, onInput) =>
      element("input", {
        type: "range",
        class: `slider ${name}`,
        min: "0",
        max: "1",
        step: String(step),
        attributes: { "aria-label": words },
        on: { input: () => onInput(false), change: () => onInput(true) },
      });
    this.threshold = slider("threshold", "threshold", 0.005, (isSettled) => this._slide(isSettled));
    this.value = element("output", { class: "value" });
    this.of = element("bdi", { class: "faint of" });
    this.iouThreshold = slider("iou-threshold", "IoU threshold", 0.01, (isSettled) =>
      this._moveIou(isSettled),
    );
    this.iouValue = element("output", { class: "value" });
    this.iouBar = element(
      "label",
      {
        class: "iou-band",
        title: "Minimum intersection over union at which a predicted box matches a true box",
      },
      "IoU",
      this.iouThreshold,
      this.iouValue,
    );
    this.keep = element("button", {
      class: "primary keep",
      on: { click: onKeep },
    });
    this.node = element(
      "div",
      { class: "band labelbar controls" },
      element("span", { class: "what", text: "Threshold" }),
      element(
        "span",
        { class: "tabs", attributes: { role: "group", "aria-label": "Thresholds" } },
        ...this.tabs,
      ),
      this.threshold,
      this.value,
      this.of,
      this.iouBar,
      element("span", { class: "spring" }),
      this.keep,
    );
  }

  // `kept` has the thresholds of the model by label, or is "most confident".
  build({ engine, canKeep, kept }) {
    this.engine = engine;
    this.kept = kept;
    show(this.tabs[0], engine.isSingle);
    show(this.iouBar, engine.isDetection);
    this.iouThreshold.min = String(engine.facts.least_iou_threshold);
    show(this.tabs[2], engine.canCrossValidate);
    show(this.keep, canKeep);
  }

  show(state, label) {
    this.state = state;
    this.label = label;
    const { position } = state;
    for (const tab of this.tabs) {
      const current = tab.dataset.mode === position.mode;
      tab.classList.toggle("current", current);
      tab.setAttribute("aria-pressed", String(current));
    }
    const { isTop } = state;
    const isWaiting = position.mode === PER_LABEL && label === null;
    for (const node of [this.threshold, this.of]) show(node, !isTop);
    show(this.value, !isTop && !isWaiting);
    this.threshold.disabled = isWaiting;
    this.keep.disabled = areKept(this.engine.facts.labels, state, this.kept ?? {});
    setText(this.keep, isTop ? "Save: most confident label" : "Save thresholds");
    this.keep.title =
      "Save in the model version: model.detect() " +
      (isTop ? "answers with the most confident label from now on" : "uses them from now on");
    const value = isTop ? position.one : this.shownThreshold();
    if (document.activeElement !== this.threshold || Number(this.threshold.value) !== value)
      this.threshold.value = String(value);
    setText(this.value, value.toFixed(3));
    setText(this.of, position.mode === ONE ? "" : isWaiting ? "select a label" : (label ?? "mean"));
    this.of.title = this.of.textContent;
    if (position.iou_threshold !== null) {
      setValue(this.iouThreshold, String(position.iou_threshold));
      setText(this.iouValue, position.iou_threshold.toFixed(2));
    }
  }

  // Take note of what the model decides by now.
  keepAs(kept) {
    this.kept = kept;
    this.show(this.state, this.label);
  }

  // Return the threshold that is marked in the chart.
  shownThreshold() {
    const { state, label, engine } = this;
    const index =
      label === null ? -1 : engine.facts.labels.findIndex((item) => item.label === label);
    if (state.position.mode === ONE) return state.position.one;
    return index < 0 ? state.means.threshold : state.thresholds[index];
  }

  // A moved threshold applies to all labels, or to the selected label.
  moveTo(value, isSettled) {
    if (this.threshold.disabled) return;
    const { position } = this.state;
    const ofLabel = this.label !== null && position.mode !== ONE;
    if (!ofLabel) this.onMove({ ...position, mode: ONE, one: value }, isSettled);
    else
      this.onMove(
        { ...position, mode: PER_LABEL, own: { ...this._own(), [this.label]: value } },
        isSettled,
      );
  }

  _own() {
    const { position, thresholds } = this.state;
    if (position.mode === PER_LABEL) return position.own;
    if ([ASSUMED, MOST_CONFIDENT].includes(position.mode)) return {};
    return Object.fromEntries(
      this.engine.facts.labels.map(({ label }, index) => [label, thresholds[index]]),
    );
  }

  _slide(isSettled) {
    this.moveTo(Number(this.threshold.value), isSettled);
  }

  _moveIou(isSettled) {
    this.onMove(
      { ...this.state.position, iou_threshold: Number(this.iouThreshold.value) },
      isSettled,
    );
  }

  _mode(mode) {
    const { position } = this.state;
    if (mode === ONE)
      this.onMove(
        {
          ...position,
          mode,
          one:
            position.mode === MOST_CONFIDENT
              ? position.one
              : Math.round(this.shownThreshold() * 200) / 200,
        },
        true,
      );
    else if (mode === PER_LABEL)
      this.onMove(
        { ...position, mode, own: position.mode === PER_LABEL ? position.own : this._own() },
        true,
      );
    else this.onMove({ ...position, mode }, true);
  }
}
