// Words and figures of the assist card.

import { counted, numeral, percentText } from "../shared/numbers.js";
import { shareText } from "./text.js";

export const STEPS = ["featurization", "training", "validation", "inference"];

const WHAT_IT_DOES = "orders, groups and prelabels the training images; never shown on test images";
const ON_TEST = "orders, groups and prelabels the images; also shown on test images";

// Say what assist does, and while it is off, whether a training is still stopping.
export function purposeText({ on, read_only: readOnly, running, test }) {
  if (on) return test ? ON_TEST : WHAT_IT_DOES;
  if (readOnly) return `Off, and this project is read-only. Assist ${WHAT_IT_DOES}.`;
  return running?.stopping ? "Off, and its last training is stopping…" : WHAT_IT_DOES;
}

export function agoText(iso, now = Date.now()) {
  const minutes = Math.floor((now - Date.parse(iso)) / 60_000);
  if (!(minutes >= 1)) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return `${Math.floor(minutes / 1440)} days ago`;
}

// Features that took no time were kept by earlier runs.
export function tookText(seconds) {
  if (!(seconds > 0)) return "kept";
  if (seconds < 9.95) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

// Describe the next or the running training: words around a large number or name, the share of the bar, its caption.
export function nextParts({ running, next, every, new: labels }) {
  if (running) {
    const { phase, done, total } = running;
    const share = total ? done / total : 0;
    return {
      before: "",
      large: phase,
      after: "now",
      share,
      caption: total
        ? `${numeral(done)} of ${numeral(total)}`
        : done
          ? `${numeral(done)} so far`
          : "starting…",
    };
  }
  const caption = `${numeral(labels)} of ${numeral(every)} new since the last`;
  if (next <= 0)
    return { before: "", large: "soon", after: "with the labels so far", share: 1, caption };
  return {
    before: "after",
    large: numeral(next),
    after: `more ${next === 1 ? "label" : "labels"}`,
    share: Math.min(1, labels / Math.max(1, every)),
    caption,
  };
}

// Return [name, amount, time, state] of each step, of the running training or else of the last one.
export function stepRows({ running, steps }) {
  const stage = running ? STEPS.indexOf(running.phase) : STEPS.length;
  const last = Object.fromEntries(steps.map((step) => [step.phase, step]));
  return STEPS.map((name, index) => {
    if (running)
      return [
        name,
        "",
        index < stage ? "done" : index === stage ? "running" : "",
        index === stage ? "current" : "",
      ];
    const step = last[name];
    return [
      name,
      step ? `${numeral(step.count)} ${step.unit}` : "",
      step ? tookText(index === 0 && step.seconds < 0.1 ? 0 : step.seconds) : "–",
      "",
    ];
  });
}

// Describe what is guaranteed, or what is missing until something can be.
export function promiseParts({ promise, needed, evidence, target, left, ended }) {
  if (promise) {
    const { right, shown, bound } = promise;
    const least = Math.floor(1000 * bound + 1e-6) / 1000;
    return {
      large: `≥ ${percentText(target)}`,
      after: "right",
      faint: "guaranteed for what is shown",
      measured: shareText(right, shown),
      of: `of ${counted(shown, "check image")}, lower bound ${percentText(least)}`,
    };
  }
  const none = { large: "not yet", after: "", faint: "", measured: "", of: "" };
  if (!ended || !evidence) return { ...none, of: "measured by the first training" };
  if (left === 0) return { ...none, large: "none left", of: "no image is left to predict" };
  const aim = percentText(target);
  if (needed > (left ?? Infinity))
    return {
      ...none,
      faint: `too few images left to guarantee ${aim}`,
      of: `about ${counted(needed, "more label")} would be needed`,
    };
  const more = needed ? `about ${counted(needed, "more label")} in the queue assist` : "";
  const { items, right, wanted } = evidence;
  if (right === null && items >= wanted)
    return { ...none, of: `${counted(items, "check image")} labelled, nothing is predicted yet` };
  if (items < wanted)
    return {
      ...none,
      large: `${numeral(items)} of ${numeral(wanted)}`,
      after: "check images",
      faint: `are needed at least to guarantee ${aim}`,
      of: more || `${numeral(right ?? 0)} predicted right so far`,
    };
  return {
    ...none,
    faint: `too many errors to guarantee ${aim}`,
    measured: shareText(right, items),
    of: `of ${counted(items, "check image")} predicted right${more && `; ${more}`}`,
  };
}

// Return a confidence as text. None is rounded to 1.
export const sureText = (confidence) =>
  Math.min(confidence, 0.999).toFixed(confidence < 0.99 ? 2 : 3);

// Return the first value of the axis on which a precision and its target are drawn. It ends at 1.
export function axisStart(target, low = target) {
  const start = Math.min(2 * target - 1, Math.floor(low * 20 + 1e-9) / 20);
  return Math.max(0, Math.round(start * 1000) / 1000);
}

// Return the label that the advice is about, with the words around it.
export function adviceParts(advice, { ended = null, note = "" } = {}) {
  const missing = ended
    ? note || "A forecast needs more labelled check images."
    : "Advice follows the first training.";
  if (!advice) return { before: missing, label: null, after: "" };
  const { more, gain, low, high, label, minutes, text } = advice;
  if (!Number.isFinite(gain)) return { before: text ?? "", label: null, after: "" };
  const pace = minutes ? `; about ${counted(Math.round(minutes) || 1, "minute")} at your pace` : "";
  return {
    before: `The next ${numeral(more)} ${more === 1 ? "label" : "labels"} would raise F1 by`,
    gain: gain.toFixed(2),
    interval: `(${low.toFixed(2)}–${high.toFixed(2)})`,
    label: label ?? null,
    after: `${pace}.`,
  };
}

// Return the length of each queue's bar, relative to the longest.
export function queueShares(queues) {
  const most = Math.max(1, ...Object.values(queues));
  return Object.fromEntries(
    Object.entries(queues).map(([name, count]) => [name, count ? Math.max(0.03, count / most) : 0]),
  );
}
