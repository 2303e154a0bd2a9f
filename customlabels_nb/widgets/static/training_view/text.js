// Format times, amounts and metrics of the training view.

import { numeral } from "../shared/numbers.js";

const CAPTIONS = {
  ap50: "AP50",
  ap: "AP",
  f1: "F1",
  map: "mAP",
  loss: "loss",
  accuracy: "accuracy",
  learning_rate: "learning rate",
  lr: "learning rate",
  loss_classifier: "labels",
  loss_box_reg: "boxes",
  loss_objectness: "objectness",
  loss_rpn_box_reg: "proposals",
};

// Return the display name of a metric.
export function captionOf(name) {
  return Object.hasOwn(CAPTIONS, name) ? CAPTIONS[name] : name.replaceAll("_", " ");
}

// 0.4 → "under 1 s", 75 → "1 min 15 s", 3,700 → "1 h 1 min".
export function durationText(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 1) return "under 1 s";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
}

// Format elapsed time as in a log: "0:07", "12:40", "1:02:03".
export function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3_600);
  return `${hours ? `${hours}:${two(Math.floor((whole % 3_600) / 60))}` : Math.floor(whole / 60)}:${two(whole % 60)}`;
}

// Format with three decimals for values around 0 to 1, three digits for others, and "–" if not a number.
export function figureText(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.001 || size >= 1_000_000) return value.toExponential(2);
  return size < 10 ? value.toFixed(3) : Number(value.toPrecision(4)).toLocaleString("en");
}

export function amountText({ done, total, unit }) {
  return total === null || total === undefined
    ? `${numeral(done)} ${unit}`
    : `${numeral(done)} of ${numeral(total)} ${unit}`;
}

// Describe a finished phase: "training 300 steps in 5 s", or "60 images" for a phase "images".
export function phaseText({ name, done, unit, seconds }) {
  return [
    name === unit ? "" : name,
    `${done.toLocaleString("en")} ${unit}`,
    seconds >= 1 ? `in ${durationText(seconds)}` : "",
  ]
    .filter(Boolean)
    .join(" ");
}

export function leftText(seconds) {
  if (seconds === null || seconds === undefined) return "";
  return `${seconds < 1 ? "" : "about "}${durationText(Math.max(0, seconds))} left`;
}

// Describe the best point of a measured metric, and which network was kept if the run has tried another one.
export function bestText(figure, kept) {
  if (!figure) return kept;
  const [step, value] = figure.best;
  const best = `best ${captionOf(figure.name)} ${figureText(value)} at step ${step.toLocaleString("en")}`;
  return kept ? `${best} · ${kept}` : best;
}

// → { name, share } of the progress bar. `share` is null if unknown, as before the first phase.
export function barOf(phase) {
  if (!phase) return { name: "preparing", share: null };
  return { name: phase.name, share: phase.total ? Math.min(1, phase.done / phase.total) : null };
}
