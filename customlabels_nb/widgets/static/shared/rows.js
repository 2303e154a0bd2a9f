// Apply edits to the shown rows before the kernel has responded. A row is { name, labels, boxes, predicted,
// predicted_drawn, prelabels, findings, status, revision }.

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string[]} labels
 * @property {string[]} boxes
 * @property {string} status
 * @property {string} [note]
 * @property {[string, number] | null} [predicted]
 * @property {boolean} [predicted_drawn]
 * @property {[string, number][]} [prelabels]
 * @property {{ by: string, reason: string } | null} [rejected]
 */
/** @typedef {{ op: string, label?: string, status?: string, note?: string, remove_labels?: boolean }} Edit */

/**
 * @param {Row[]} rows
 * @param {string} label
 */
function allHave(rows, label) {
  return rows.length > 0 && rows.every((row) => row.labels.includes(label));
}

// Return the edit that a label's key makes: "label", or "unlabel" if there can be several labels and all rows have it.
export function labelOp(rows, label, { alone = false } = {}) {
  return !alone && allHave(rows, label) ? "unlabel" : "label";
}

/** @param {Row} row */
export function isAnnotated(row) {
  return row.labels.length + row.boxes.length > 0;
}

/**
 * Return the dashed labels of a row that can be accepted: its prelabels, or its prediction.
 *
 * @param {Row} row
 * @returns {string[]}
 */
export function offeredLabels(row) {
  if (row.labels.length) return [];
  if (row.prelabels?.length) return row.prelabels.map(([label]) => label);
  return row.predicted && !row.predicted_drawn ? [row.predicted[0]] : [];
}

/**
 * Return the row after the edit: a new object, or the same one if nothing changes.
 *
 * @param {Row} row
 * @param {Edit} edit
 * @returns {Row}
 */
export function edited(row, edit, { alone = false } = {}) {
  const { op, label } = edit;
  if (op === "note") return { ...row, note: edit.note };
  if (op === "label") {
    const has = row.labels.includes(label);
    if (has && row.status === "labelled" && (!alone || row.labels.length === 1)) return row;
    const labels = alone ? [label] : has ? row.labels : [...row.labels, label];
    return { ...row, labels, status: "labelled" };
  }
  if (op === "unlabel" || op === "clear") {
    const labels = op === "clear" ? [] : row.labels.filter((item) => item !== label);
    const bare = !labels.length && !row.boxes.length;
    if (op === "clear" && row.status === "unlabelled" && row.prelabels?.length && !row.rejected)
      return { ...row, prelabels: [], predicted: null }; // rejected
    if (labels.length === row.labels.length && (!bare || row.status === "unlabelled")) return row;
    return { ...row, labels, status: bare ? "unlabelled" : row.status };
  }
  if (op === "status") {
    if (edit.remove_labels) return { ...row, labels: [], boxes: [], status: edit.status };
    return edit.status === "skipped" && isAnnotated(row) ? row : { ...row, status: edit.status };
  }
  if (op === "submit")
    return row.status === "unlabelled" && !isAnnotated(row) ? { ...row, status: "skipped" } : row;
  if (op === "accept") {
    const labels = offeredLabels(row);
    return labels.length ? { ...row, labels, status: "labelled" } : row;
  }
  return row;
}

// Find labels that contain the text: exact match first, then those that start with it.
export function findLabels(labels, text) {
  const wanted = text.trim().toLocaleLowerCase();
  const fits = labels.filter(({ label }) => label.toLocaleLowerCase().includes(wanted));
  const rank = ({ label }) =>
    label === text.trim()
      ? 0
      : label.toLocaleLowerCase() === wanted
        ? 1
        : label.toLocaleLowerCase().startsWith(wanted)
          ? 2
          : 3;
  return fits.sort((a, b) => rank(a) - rank(b));
}
