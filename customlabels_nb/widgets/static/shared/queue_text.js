// Why a queue of assist is empty.

import { counted, percentText } from "./numbers.js";

const ANSWERED = {
  clustered: "All clustered images are labelled or skipped.",
  suspect: "No labels are suspected to be wrong, or all suspects are reviewed.",
};

// `guarantee` has target, promise (null without one) and evidence: items, right and wanted.
export function emptyQueueText(queue, assist) {
  if (assist?.trained) {
    if (queue === "prelabelled") return noPredictionsText(assist);
    return ANSWERED[queue] ?? "All images of this queue are labelled or skipped.";
  }
  if (!assist?.on) return "Assist has not trained yet. project.assist.start() turns it on.";
  return `This queue appears here after the first training${progressText(assist.running)}.`;
}

// Return true if nothing can be trusted because too few check images are labelled.
export function lacksChecks(assist) {
  const { promise, evidence } = assist?.guarantee ?? {};
  return Boolean(assist?.trained && evidence && !promise && evidence.items < evidence.wanted);
}

function progressText(running) {
  if (!running) return "";
  const { done, total } = running;
  const phase = running.phase === "featurization" ? "reading the images" : running.phase;
  if (!total) return ` (${phase})`;
  return ` (${phase}, ${done.toLocaleString("en")} of ${total.toLocaleString("en")})`;
}

function noPredictionsText(assist) {
  const { guarantee } = assist;
  if (!guarantee?.evidence || guarantee.promise)
    return "All predictions that can be trusted are answered.";
  const { items, right, wanted } = guarantee.evidence;
  const none = `No prediction can be trusted at ${percentText(guarantee.target)} yet`;
  return lacksChecks(assist)
    ? `${none}: ${items} of at least ${counted(wanted, "check image")} are labelled. ` +
        "The queue “assist” has more of them."
    : `${none}: ${right} of ${counted(items, "check image")} are predicted right.`;
}
