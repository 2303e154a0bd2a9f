// Suspected label errors of a row: lists of kind, given and suggested label, and whether it is of a box or polygon.

import { element } from "../shared/dom.js";

const SENTENCES = {
  swapped: ["given ", 1, ", probably ", 2],
  missed: ["probably missed: ", 2],
  spurious: ["given ", 1, ", probably not there"],
  badly_located: ["a box of ", 1, " is probably badly located"],
  duplicate: ["a box of ", 1, " is probably a duplicate"],
};

// Return the sentence as parts: text, or { label }.
export function suspectParts(suspect) {
  const parts = SENTENCES[suspect[0]] ?? ["given ", 1, ", probably wrong"];
  return parts.map((part) => (typeof part === "number" ? { label: suspect[part] } : part));
}

export function suspectText(suspect) {
  return suspectParts(suspect)
    .map((part) => part.label ?? part)
    .join("");
}

// Return the sentence as a line with the labels in bold.
export function suspectLine(suspect) {
  const nodes = suspectParts(suspect).map((part) =>
    part.label === undefined ? part : element("strong", {}, element("bdi", { text: part.label })),
  );
  return element(
    "div",
    { class: "line suspect", title: suspectText(suspect) },
    element("span", {}, ...nodes),
  );
}

// Return the labels of the image with all suggestions, or null if there are none for labels of the image.
export function suggestedLabels(row) {
  const suspects = (row.suspects ?? []).filter(([, , , isDrawn]) => !isDrawn);
  if (!suspects.length) return null;
  return suspects.reduce(
    (labels, [, given, suggested]) => [
      ...new Set([...labels.filter((label) => label !== given), ...(suggested ? [suggested] : [])]),
    ],
    row.labels,
  );
}
