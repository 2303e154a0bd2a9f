// Match predicted to true boxes of a test set at any IoU threshold, and find the threshold with the highest F1 of each
// label. Same rules, including ties, as in customlabels_nb/evaluation (matching.py, thresholds.py).

// Return the match of each prediction at an IoU threshold (-1 for none), and the predictions on crowds, which are
// ignored. Pairs are sorted by prediction.
export function matchBoxes(boxes, iouThreshold, whole) {
  const { pair_prediction: asks, pair_truth: wanted, pair_iou: iou, on_crowd: onCrowd } = boxes;
  const least = Math.min(iouThreshold, whole);
  const match = new Int32Array(boxes.image.length).fill(-1);
  const taken = new Uint8Array(boxes.truth_image.length);
  for (let index = 0; index < asks.length; index += 1) {
    const prediction = asks[index];
    if (iou[index] < least || match[prediction] >= 0 || taken[wanted[index]]) continue;
    match[prediction] = wanted[index];
    taken[wanted[index]] = 1;
  }
  const ignored = new Uint8Array(match.length);
  for (let index = 0; index < match.length; index += 1)
    if (match[index] < 0 && onCrowd[index] >= least) ignored[index] = 1;
  return { match, ignored };
}

// Return the pairs of an unmatched prediction and a true box of another label that overlap enough, as positions.
export function rivalsOf(boxes, iouThreshold, whole, match) {
  const { other_prediction: asks, other_iou: iou } = boxes;
  const least = Math.min(iouThreshold, whole);
  const pairs = [];
  for (let index = 0; index < asks.length; index += 1)
    if (iou[index] >= least && match[asks[index]] < 0) pairs.push(index);
  return Int32Array.from(pairs);
}

// For each unmatched accepted prediction, return the missed true box of another label that it overlaps, or -1.
export function takenFor(boxes, rivals, { accepted, missed }) {
  const { other_prediction: asks, other_truth: wanted } = boxes;
  const other = new Int32Array(accepted.length).fill(-1);
  const taken = new Uint8Array(missed.length);
  for (let index = 0; index < rivals.length; index += 1) {
    const prediction = asks[rivals[index]];
    const truth = wanted[rivals[index]];
    if (!accepted[prediction] || other[prediction] >= 0 || !missed[truth] || taken[truth]) continue;
    other[prediction] = truth;
    taken[truth] = 1;
  }
  return other;
}

// Return the threshold with the highest F1 of one label, or NaN if F1 is 0 everywhere. `confidences` are descending,
// `hits` are true for correct predictions.
export function bestThreshold(confidences, hits, count, targets) {
  let best = 0;
  let width = -1;
  let chosen = NaN;
  let right = 0;
  for (let index = 0; index < count; index += 1) {
    right += hits[index];
    const score = confidences[index];
    if (index + 1 < count && confidences[index + 1] === score) continue;
    const f1 = (2 * right) / (index + 1 + targets);
    const below = index + 1 < count ? confidences[index + 1] : 0;
    if (f1 > best || (f1 === best && f1 > 0 && score - below > width)) {
      best = f1;
      width = score - below;
      const middle = (score + below) / 2;
      chosen = middle > below ? middle : score;
    }
  }
  return chosen;
}

const MOST_PREDICTIONS = 100; // per label and image, as in COCO
const RECALL_STEPS = 100;

const beyondLimit = new WeakMap(); // by arrays, because it does not depend on the sliders

// Return 1 for each place of `by_label` whose image has enough predictions of the label that are more confident.
function beyondOf(boxes) {
  const { by_label: order, image, label } = boxes;
  if (beyondLimit.has(boxes)) return beyondLimit.get(boxes);
  const beyond = new Uint8Array(order.length);
  let inImage = new Map();
  for (let index = 0; index < order.length; index += 1) {
    if (index && label[order[index]] !== label[order[index - 1]]) inImage = new Map();
    const seen = (inImage.get(image[order[index]]) ?? 0) + 1;
    inImage.set(image[order[index]], seen);
    beyond[index] = seen > MOST_PREDICTIONS ? 1 : 0;
  }
  beyondLimit.set(boxes, beyond);
  return beyond;
}

// Return COCO's average precision and the highest recall of each label, 0 without true boxes.
export function averagePrecisions(boxes, { match, ignored }, targets) {
  const { by_label: order, label } = boxes;
  const result = {
    average: new Float64Array(targets.length),
    recall: new Float64Array(targets.length),
  };
  const beyond = beyondOf(boxes);
  const precision = new Float64Array(order.length);
  let position = 0;
  targets.forEach((count, item) => {
    let hits = 0;
    for (let taken = 0; position < order.length && label[order[position]] === item; position += 1) {
      const prediction = order[position];
      if (beyond[position] || ignored[prediction]) continue;
      taken += 1;
      if (match[prediction] < 0) continue;
      precision[hits] = (hits + 1) / taken;
      hits += 1;
    }
    if (!count) return;
    result.recall[item] = hits / count;
    for (let hit = hits - 2; hit >= 0; hit -= 1)
      precision[hit] = Math.max(precision[hit], precision[hit + 1]);
    let sum = 0;
    for (let step = 0, hit = 0; step <= RECALL_STEPS; step += 1) {
      const recall = step === RECALL_STEPS ? 1 : step * 0.01;
      while (hit < hits && (hit + 1) / count < recall) hit += 1;
      if (hit < hits) sum += precision[hit];
    }
    result.average[item] = sum / (RECALL_STEPS + 1);
  });
  return result;
}

// Fill thresholds of labels without one with the median of the others.
export function fillThresholds(thresholds, fallback) {
  const known = [...thresholds].filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const half = known.length >> 1;
  const median = !known.length
    ? fallback
    : known.length % 2
      ? known[half]
      : (known[half - 1] + known[half]) / 2;
  return Float64Array.from(thresholds, (value) => (Number.isNaN(value) ? median : value));
}

// Compute the assumed threshold of each label from the images that `isIn(image)` selects.
export function assumedOf(boxes, { match, ignored }, labelCount, fallback, isIn = null) {
  const { by_label: order, image, label, confidence } = boxes;
  const targets = new Int32Array(labelCount);
  for (let index = 0; index < boxes.truth_label.length; index += 1) {
    if (!boxes.truth_crowd[index] && (!isIn || isIn(boxes.truth_image[index])))
      targets[boxes.truth_label[index]] += 1;
  }
  const confidences = new Float64Array(order.length);
  const hits = new Uint8Array(order.length);
  const averages = new Float64Array(labelCount).fill(NaN);
  let position = 0;
  for (let item = 0; item < labelCount; item += 1) {
    let count = 0;
    for (; position < order.length && label[order[position]] === item; position += 1) {
      const prediction = order[position];
      if (ignored[prediction] || (isIn && !isIn(image[prediction]))) continue;
      confidences[count] = confidence[prediction];
      hits[count] = match[prediction] >= 0 ? 1 : 0;
      count += 1;
    }
    averages[item] = bestThreshold(confidences, hits, count, targets[item]);
  }
  return fillThresholds(averages, fallback);
}
