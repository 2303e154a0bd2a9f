// Select predictions by threshold and by the user's choice. Pure functions. A row of a result is { label, color,
// confidence, box, polygon, limit, answer }: box is [left, top, width, height] in pixels or null, polygon the outline
// of the object or null, limit its label's threshold or null if there is none, and answer is true if the model returns
// the row.

export function limitFor(row, threshold) {
  return threshold ?? row.limit;
}

// A confidence equal to the threshold counts.
export function counts(row, threshold) {
  const least = limitFor(row, threshold);
  return least === null ? row.answer : row.confidence >= least;
}

// Rows are sorted by descending confidence.
export function countedRows(rows, threshold) {
  return rows.flatMap((row, index) => (counts(row, threshold) ? [index] : []));
}

// The user's choice: `rows` maps row index to true or false, and `labels` are additional labels of the entire image. If
// an image has one label, the last choice is the only true one in `rows`, or the label.
export const NO_CHOICE = Object.freeze({ rows: new Map(), labels: [] });

// Return the rows that will be added: those above the threshold, unless the user chose otherwise.
export function takenRows(answer, threshold, choice) {
  if (!answer) return [];
  const counted = countedRows(answer.rows, threshold);
  if (isOneLabel(answer)) {
    if (choice.labels.length) return [];
    const chosen = [...choice.rows].find(([, taken]) => taken);
    if (chosen) return [chosen[0]];
    return counted.slice(0, 1).filter((index) => choice.rows.get(index) !== false);
  }
  const isTaken = (index) =>
    choice.rows.has(index) ? choice.rows.get(index) : counts(answer.rows[index], threshold);
  // boxes below the threshold are not shown, and only what is shown is added
  return answer.rows
    .map((_, index) => index)
    .filter(
      (index) => isTaken(index) && (!answer.detects || counts(answer.rows[index], threshold)),
    );
}

function isOneLabel(answer) {
  return Boolean(answer.one_label && !answer.detects);
}

// Return the choice after a row was selected or deselected.
export function toggledRow(answer, threshold, choice, index) {
  const taken = !takenRows(answer, threshold, choice).includes(index);
  if (!isOneLabel(answer)) return { ...choice, rows: new Map(choice.rows).set(index, taken) };
  if (taken) return { rows: new Map([[index, true]]), labels: [] };
  return { rows: new Map(answer.rows.map((_, index) => [index, false])), labels: [] };
}

// Return the choice with another label of the entire image. If a row has this label, that row is selected.
export function withLabel(answer, threshold, choice, label, oneLabel) {
  const index =
    answer && !answer.detects ? answer.rows.findIndex((row) => row.label === label) : -1;
  if (index >= 0)
    return takenRows(answer, threshold, choice).includes(index)
      ? choice
      : toggledRow(answer, threshold, choice, index);
  if (choice.labels.includes(label)) return choice;
  return { ...choice, labels: oneLabel ? [label] : [...choice.labels, label] };
}

export function withoutLabel(choice, label) {
  return { ...choice, labels: choice.labels.filter((item) => item !== label) };
}

// Group rows by label in order of first appearance, with count and highest and lowest confidence.
export function byLabel(rows) {
  const summaries = new Map();
  for (const { label, color, confidence } of rows) {
    const entry = summaries.get(label) ?? {
      label,
      color,
      count: 0,
      high: confidence,
      low: confidence,
    };
    entry.count += 1;
    entry.high = Math.max(entry.high, confidence);
    entry.low = Math.min(entry.low, confidence);
    summaries.set(label, entry);
  }
  return [...summaries.values()];
}

export function figureOf({ count, high, low }) {
  const [first, last] = [low.toFixed(2), high.toFixed(2)];
  if (count === 1) return last;
  return `×${count} ${first === last ? last : `${first}–${last}`}`;
}

// Explain why no predictions are shown.
export function nothingSentence(answer, threshold) {
  const [best] = answer.rows;
  if (!best) return "Nothing was found.";
  const limit = limitFor(best, threshold);
  return (
    `No label reaches its threshold. The closest is ${best.label} with ` +
    `${below(best.confidence, limit)} (threshold ${limit.toFixed(3)}).`
  );
}

// Format with enough decimals to be visibly smaller than the limit.
function below(confidence, limit) {
  for (let decimals = 3; decimals < 7; decimals += 1) {
    if (Number(confidence.toFixed(decimals)) < Number(limit.toFixed(3)))
      return confidence.toFixed(decimals);
  }
  return `just under ${limit.toFixed(3)}`;
}

// Summarise what would be added.
export function takenWords(answer, taken, labels) {
  const entries = byLabel(taken.map((index) => answer.rows[index]));
  const boxes = entries.map(({ label, count }) => (count > 1 ? `${count} ${label}` : label));
  const words = [...boxes, ...labels];
  if (!words.length) return "nothing in this image";
  const shown = words.slice(0, 3).join(", ");
  return words.length > 3 ? `${shown} and ${words.length - 3} more` : shown;
}
