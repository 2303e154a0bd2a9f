// What of an answer counts at a threshold, and which of it a person takes. Pure functions. A row of an answer is
// { label, colour, confidence, box, limit }: box is [left, top, width, height] in pixels or null, limit its label's threshold.

export function limitFor(row, threshold) {
  return threshold ?? row.limit;
}

// A confidence equal to the threshold counts.
export function counts(row, threshold) {
  return row.confidence >= limitFor(row, threshold);
}

// Rows come with the highest confidence first.
export function countedRows(rows, threshold) {
  return rows.flatMap((row, index) => (counts(row, threshold) ? [index] : []));
}

// What a person has said of an answer: `rows` by position true or false, and labels of the whole picture beside them. Where
// an image has one label, the last word is `rows`' only true one, or the label.
export const NO_CHOICE = Object.freeze({ rows: new Map(), labels: [] });

// The rows that will be added: those that count, unless the person said otherwise.
export function takenRows(answer, threshold, choice) {
  if (!answer) return [];
  const counted = countedRows(answer.rows, threshold);
  if (isOneLabel(answer)) {
    if (choice.labels.length) return [];
    const chosen = [...choice.rows].find(([, taken]) => taken);
    if (chosen) return [chosen[0]];
    return counted.slice(0, 1).filter((index) => choice.rows.get(index) !== false);
  }
  const isTaken = (index) => (choice.rows.has(index) ? choice.rows.get(index) : counts(answer.rows[index], threshold));
  // a box below the threshold isn't shown, and what isn't shown isn't added
  return answer.rows.map((_, index) => index).filter((index) => isTaken(index) && (!answer.detects || counts(answer.rows[index], threshold)));
}

function isOneLabel(answer) {
  return Boolean(answer.one_label && !answer.detects);
}

// The choice after a row was taken or left.
export function toggledRow(answer, threshold, choice, index) {
  const taken = !takenRows(answer, threshold, choice).includes(index);
  if (!isOneLabel(answer)) return { ...choice, rows: new Map(choice.rows).set(index, taken) };
  if (taken) return { rows: new Map([[index, true]]), labels: [] };
  return { rows: new Map(answer.rows.map((_, at) => [at, false])), labels: [] };
}

// The choice with a label of the whole picture more: if a row has it, that row.
export function withLabel(answer, threshold, choice, label, oneLabel) {
  const index = answer && !answer.detects ? answer.rows.findIndex((row) => row.label === label) : -1;
  if (index >= 0) return takenRows(answer, threshold, choice).includes(index) ? choice : toggledRow(answer, threshold, choice, index);
  if (choice.labels.includes(label)) return choice;
  return { ...choice, labels: oneLabel ? [label] : [...choice.labels, label] };
}

export function withoutLabel(choice, label) {
  return { ...choice, labels: choice.labels.filter((own) => own !== label) };
}

// One entry a label, in the order in which they first come: how many rows it has, and their highest and lowest confidence.
export function byLabel(rows) {
  const found = new Map();
  for (const { label, colour, confidence } of rows) {
    const own = found.get(label) ?? { label, colour, count: 0, high: confidence, low: confidence };
    own.count += 1;
    own.high = Math.max(own.high, confidence);
    own.low = Math.min(own.low, confidence);
    found.set(label, own);
  }
  return [...found.values()];
}

export function figureOf({ count, high, low }) {
  const [first, last] = [low.toFixed(2), high.toFixed(2)];
  if (count === 1) return last;
  return `×${count} ${first === last ? last : `${first}–${last}`}`;
}

// Why nothing is shown.
export function nothingSentence(answer, threshold) {
  const [best] = answer.rows;
  if (!best) return "Nothing was found.";
  const limit = limitFor(best, threshold);
  return `No label reaches its threshold. The nearest is ${best.label} with ${below(best.confidence, limit)}, its threshold is ${limit.toFixed(3)}.`;
}

// With as many decimals as it takes to look smaller than the limit.
function below(confidence, limit) {
  for (let decimals = 3; decimals < 7; decimals += 1) {
    if (Number(confidence.toFixed(decimals)) < Number(limit.toFixed(3))) return confidence.toFixed(decimals);
  }
  return `just under ${limit.toFixed(3)}`;
}

// What would be added, in a few words.
export function takenWords(answer, taken, labels) {
  const entries = byLabel(taken.map((index) => answer.rows[index]));
  const boxes = entries.map(({ label, count }) => (count > 1 ? `${count} ${label}` : label));
  const words = [...boxes, ...labels];
  if (!words.length) return "nothing on it";
  const shown = words.slice(0, 3).join(", ");
  return words.length > 3 ? `${shown} and ${words.length - 3} more` : shown;
}
