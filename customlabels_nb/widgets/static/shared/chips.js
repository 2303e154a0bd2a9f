// Label chips with color and name, the same in all widgets: solid if assigned, dashed if predicted.

import { element } from "./dom.js";

export const ELSEWHERE = "Accept boxes and polygons in project.annotate().";

export function colorOf(label, labels) {
  return labels.find((item) => item.label === label)?.color ?? "#6b7280";
}

// A predicted shape (`drawn`) is shown but cannot be accepted here. All `trusted` predictions have one guarantee, so
// their confidence is only in the tooltip.
export function chip(
  label,
  color,
  { confidence = null, count = 1, onAccept = null, drawn = false, trusted = false } = {},
) {
  const predicted = confidence !== null;
  const accepts = predicted && !drawn && onAccept !== null;
  const how = accepts ? " Click to accept." : drawn ? ` ${ELSEWHERE}` : "";
  // not a button, which screen readers cannot reach in a tile, an option of a list: A accepts, too
  const node = element(
    "span",
    {
      class: `chip${predicted ? " predicted" : ""}${accepts ? " accepts" : ""}`,
      style: { "--label-color": color },
      title: predicted
        ? `${label}: predicted with confidence ${confidence.toFixed(2)}.${how}`
        : label,
      on: accepts ? { click: onAccept } : undefined,
    },
    element("i", { class: "dot", attributes: { "aria-hidden": "true" } }),
    element("bdi", { text: label }),
  );
  if (predicted && !trusted)
    node.append(element("span", { class: "number", text: confidence.toFixed(2) }));
  if (count > 1) node.append(element("span", { class: "number", text: `×${count}` }));
  return node;
}

// Say who rejected the annotations that are suggested, and why.
export function rejectionText({ by, reason }) {
  return `Rejected by \u2068${by}\u2069${reason && `: \u2068${reason}\u2069`}`;
}

// Create the chips of a row: labels, boxes by label with their count, and the prediction if there are no labels. In an
// evaluation, a row is `right` or not and has its prediction beside the labels.
export function chipsOf(row, labels, onAccept = null) {
  const chips = row.labels.map((label) => chip(label, colorOf(label, labels)));
  const boxes = new Map();
  for (const label of row.boxes) boxes.set(label, (boxes.get(label) ?? 0) + 1);
  for (const [label, count] of boxes) chips.push(chip(label, colorOf(label, labels), { count }));
  const isJudged = row.right !== undefined;
  if (!isJudged && (row.labels.length || (row.predicted_drawn && row.boxes.length))) return chips;
  const hasPrelabels = Boolean(row.prelabels?.length);
  const isShown = row.predicted && !(row.rejected && row.predicted_drawn); // else their badge says it
  const offered = hasPrelabels ? row.prelabels : isShown ? [row.predicted] : [];
  for (const [label, confidence] of offered) {
    const node = chip(label, colorOf(label, labels), {
      confidence,
      onAccept: isJudged ? null : onAccept,
      drawn: row.predicted_drawn && !isJudged,
      trusted: hasPrelabels || Boolean(row.rejected),
    });
    if (row.rejected) node.title = rejectionText(row.rejected);
    chips.push(node);
  }
  return chips;
}

export function findingChips({ findings }) {
  return findings.map(([code, message]) =>
    element("span", {
      class: "finding",
      text: code.replace(/^(ERROR|WARNING)_/, ""),
      title: `${code}: ${message}`,
    }),
  );
}

export const STATUS_WORDS = {
  unlabelled: "no label",
  skipped: "skipped",
  needs_review: "needs review",
  labelled: "nothing here",
  removed: "removed",
  confirmed: "✓",
};

// Return the accessible description of a row, with the words of its tile.
export function described(row) {
  const note = row.note ? [`note: ${row.note}`] : [];
  if (row.crop) {
    const said = row.predicted ? [`predicted ${row.predicted[0]}`] : [];
    const why = row.rejected && row.status === "predicted" ? [rejectionText(row.rejected)] : [];
    return [...row.boxes, ...said, row.short, row.status, ...why, ...note].join("; ");
  }
  const names = [...row.labels, ...new Set(row.boxes)];
  const parts = [row.short];
  if (names.length) parts.push(names.join(", "));
  if (row.predicted && !row.rejected && (!names.length || row.right !== undefined))
    parts.push(`predicted ${row.predicted[0]} ${row.predicted[1].toFixed(2)}`);
  else if (!names.length) parts.push(STATUS_WORDS[row.status]);
  if (row.right === false) parts.push("wrong");
  if (row.rejected) parts.push(rejectionText(row.rejected));
  for (const [code] of row.findings) parts.push(code);
  return [...parts, ...note].join("; ");
}
