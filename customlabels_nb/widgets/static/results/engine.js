// Computes all metrics of the results screen for any slider position from the arrays of the kernel: counts, ratios,
// averages, confusion matrix, curves, and the result of each image. Needs neither the model nor the kernel.

import { assumedOf, averagePrecisions, matchBoxes, rivalsOf, takenFor } from "./matching.js";

export const ASSUMED = "assumed";
export const CROSS_VALIDATED = "cross-validated";
export const ONE = "one";
export const PER_LABEL = "per label";
export const MOST_CONFIDENT = "most confident";

// Return true if two positions give the same predictions, whatever they keep for other modes.
export function samePosition(first, other) {
  const key = ({ mode, one: value, own, iou_threshold: iouThreshold }) =>
    JSON.stringify([
      mode,
      iouThreshold,
      mode === ONE ? value : null,
      mode === PER_LABEL ? own : null,
    ]);
  return key(first) === key(other);
}

export const TP = 1;
export const FP = 2;
export const FN = 4;

const MISTAKE = 1; // added to the score of mistakes, so that they rank above all correct predictions

export const GRID = 200; // steps of a curve

const TYPES = {
  int32: Int32Array,
  uint8: Uint8Array,
  float32: Float32Array,
  float64: Float64Array,
};

// Decode arrays. `described` has [name, type] of each buffer.
export function unpackArrays(described, buffers) {
  return Object.fromEntries(
    described.map(([name, type], index) => {
      const buffer = buffers[index];
      const bytes =
        buffer instanceof ArrayBuffer
          ? buffer.slice(0)
          : buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength);
      return [name, new TYPES[type](bytes)];
    }),
  );
}

function partOf(facts, [column, name]) {
  const { values } = facts.slices.find((item) => item.column === column) ?? { values: [] };
  return values.find((item) => item.name === name);
}

// Return a mask of the images in a slice [column, name].
export function sliceMask({ facts, arrays, n }, slice) {
  const mask = new Uint8Array(n);
  const value = partOf(facts, slice);
  if (value)
    for (const index of arrays.slices.subarray(value.start, value.start + value.count))
      mask[index] = 1;
  return mask;
}

export const ratio = (above, below) => (below > 0 ? above / below : 0);

export class Engine {
  constructor(facts, arrays) {
    this.facts = facts;
    this.arrays = arrays;
    this.isDetection = facts.task === "boxes" || facts.task === "polygons";
    this.isSingle = facts.task === "single-label";
    this.n = facts.images.length;
    this.k = facts.labels.length;
    this.foldCount = arrays.fold
      ? arrays.fold.reduce((most, fold) => Math.max(most, fold), 0) + 1
      : 0;
    this.noFold = new Uint8Array(this.n);
    this.top = null; // most confident label of each image
    this.none = new Float64Array(this.k); // thresholds that every prediction reaches
    this.matched = new Map(); // by IoU threshold, the latest ones
    this.choose(null);
  }

  // Count only the images of a slice [column, name], or all with null. Thresholds stay those of all images. Return true
  // if the slice has changed.
  choose(slice) {
    const key = JSON.stringify(slice);
    if (key === this.chosen) return false;
    this.chosen = key;
    const part = slice && partOf(this.facts, slice);
    this.inside = slice ? sliceMask(this, slice) : new Uint8Array(this.n).fill(1);
    this.size = part ? part.count : this.n;
    this.targets = part ? part.targets : this.facts.targets;
    this.tested = this.targets.map((targets) => targets > 0);
    return true;
  }

  get canCrossValidate() {
    return this.foldCount > 1;
  }

  // -- thresholds ---------------------------------------------------------------------------------------
  // Return the matches at an IoU threshold, and the assumed thresholds that result.
  at(iouThreshold) {
    let matching = this.matched.get(iouThreshold);
    if (!matching) {
      matching = matchBoxes(this.arrays, iouThreshold, this.facts.whole);
      if (this.matched.size > 30) this.matched.delete(this.matched.keys().next().value);
      this.matched.set(iouThreshold, matching);
    }
    return matching;
  }

  assumed(iouThreshold) {
    if (!this.isDetection) return Float64Array.from(this.facts.assumed);
    const matching = this.at(iouThreshold);
    matching.assumed ??= assumedOf(this.arrays, matching, this.k, this.facts.fallback);
    return matching.assumed;
  }

  // Return the average precision of each label at an IoU threshold, and the means over the tested labels.
  averages(iouThreshold) {
    const matching = this.at(iouThreshold);
    if (matching.averages?.chosen !== this.chosen) {
      const { image } = this.arrays;
      const ignored = matching.ignored.map((is, index) => is | (1 - this.inside[image[index]]));
      const { average, recall } = averagePrecisions(
        this.arrays,
        { match: matching.match, ignored },
        this.targets,
      );
      matching.averages = {
        chosen: this.chosen,
        average_precision: average,
        mAP: this._mean(average),
        mAR: this._mean(recall),
      };
    }
    return matching.averages;
  }

  // Return the concatenated thresholds of the folds.
  foldThresholds(iouThreshold) {
    if (!this.isDetection) return this.arrays.fold_thresholds;
    const matching = this.at(iouThreshold);
    if (!matching.folds) {
      matching.folds = new Float64Array(this.foldCount * this.k);
      const { fold } = this.arrays;
      for (let item = 0; item < this.foldCount; item += 1) {
        matching.folds.set(
          assumedOf(
            this.arrays,
            matching,
            this.k,
            this.facts.fallback,
            (image) => fold[image] !== item,
          ),
          item * this.k,
        );
      }
    }
    return matching.folds;
  }

  // Return thresholds by label for display, and by fold and label for computation.
  thresholds({ mode, one, own, iou_threshold: iouThreshold }) {
    if (mode === MOST_CONFIDENT)
      return { shown: this.none.map(() => NaN), applied: this.none, fold: this.noFold };
    if (mode === CROSS_VALIDATED && this.canCrossValidate) {
      const folds = this.foldThresholds(iouThreshold);
      const shown = new Float64Array(this.k);
      for (let label = 0; label < this.k; label += 1) {
        let sum = 0;
        for (let fold = 0; fold < this.foldCount; fold += 1) sum += folds[fold * this.k + label];
        shown[label] = sum / this.foldCount;
      }
      return { shown, applied: folds, fold: this.arrays.fold };
    }
    const shown =
      mode === ONE
        ? new Float64Array(this.k).fill(one)
        : Float64Array.from(this.assumed(iouThreshold));
    if (mode === PER_LABEL)
      this.facts.labels.forEach(({ label }, index) => {
        if (Object.hasOwn(own, label)) shown[index] = own[label];
      });
    return { shown, applied: shown, fold: this.noFold };
  }

  // -- metrics ------------------------------------------------------------------------------------------
  state(position) {
    const { shown, applied, fold } = this.thresholds(position);
    const state = {
      position,
      thresholds: shown,
      applied,
      fold,
      isTop: position.mode === MOST_CONFIDENT && this.isSingle,
      targets: this.targets,
      size: this.size,
    };
    const counts = this.isDetection ? this._countBoxes(state) : this._countPairs(state);
    return Object.assign(
      state,
      counts,
      this._figures(counts, shown),
      this.isSingle ? { accuracy: this._accuracy(counts.answer) } : {},
      this.isDetection ? this.averages(position.iou_threshold) : {},
    );
  }

  // Return a test for cells [image × k + label] that have a prediction: the given ones, or the most confident ones.
  _cellTest({ isTop }) {
    const {
      k,
      arrays: { given },
    } = this;
    if (isTop) {
      const { mostConfident } = this;
      return (cell, image) => mostConfident[image] === cell - image * k;
    }
    return given ? (cell) => given[cell] === 1 : () => true;
  }

  // Most confident label of each image, or -1 if it has no predictions.
  get mostConfident() {
    this.top ??= this._countPairs({ applied: this.none, fold: this.noFold }).answer;
    return this.top;
  }

  // Return the share of the labelled images whose answer is right.
  _accuracy(answer) {
    const { true_label: true_ } = this.arrays;
    const right = answer.reduce(
      (sum, label, image) => sum + (this.inside[image] && label >= 0 && label === true_[image]),
      0,
    );
    return ratio(
      right,
      true_.reduce((sum, label, image) => sum + (this.inside[image] && label >= 0), 0),
    );
  }

  // Count by label, and collect the results of each image as bits, and its answer: the most confident label that
  // reaches its threshold, the first of several, or -1.
  _countPairs(state) {
    const {
      n,
      k,
      inside,
      arrays: { confidence, truth },
    } = this;
    const { applied, fold } = state;
    const isGiven = this._cellTest(state);
    const tp = new Int32Array(k);
    const fp = new Int32Array(k);
    const bits = new Uint8Array(n);
    const answer = new Int32Array(n);
    for (let image = 0, cell = 0; image < n; image += 1) {
      const base = fold[image] * k;
      let [seen, best, highest] = [0, -1, -1];
      for (let label = 0; label < k; label += 1, cell += 1) {
        if (confidence[cell] >= applied[base + label] && isGiven(cell, image)) {
          if (confidence[cell] > highest) [best, highest] = [label, confidence[cell]];
          if (!inside[image]) continue;
          if (truth[cell]) {
            tp[label] += 1;
            seen |= TP;
          } else {
            fp[label] += 1;
            seen |= FP;
          }
        } else if (truth[cell] && inside[image]) seen |= FN;
      }
      bits[image] = seen;
      answer[image] = best;
    }
    return {
      tp,
      fp,
      fn: Int32Array.from(tp, (hits, label) => this.targets[label] - hits),
      bits,
      answer,
    };
  }

  _countBoxes({ position, applied, fold }) {
    const {
      k,
      inside,
      arrays: { image, label, confidence, truth_crowd: crowd, truth_image: where },
    } = this;
    const { match, ignored } = this.at(position.iou_threshold);
    const tp = new Int32Array(k);
    const fp = new Int32Array(k);
    const bits = new Uint8Array(this.n);
    const accepted = new Uint8Array(image.length);
    const missed = new Uint8Array(crowd.length);
    for (let index = 0; index < missed.length; index += 1)
      missed[index] = crowd[index] ? 0 : inside[where[index]];
    for (let index = 0; index < accepted.length; index += 1) {
      const code = label[index];
      if (!inside[image[index]]) continue;
      if (confidence[index] < applied[fold[image[index]] * k + code] || ignored[index]) continue;
      accepted[index] = 1;
      if (match[index] < 0) {
        fp[code] += 1;
        bits[image[index]] |= FP;
      } else {
        tp[code] += 1;
        bits[image[index]] |= TP;
        missed[match[index]] = 0;
      }
    }
    for (let index = 0; index < missed.length; index += 1)
      if (missed[index]) bits[where[index]] |= FN;
    return {
      tp,
      fp,
      fn: Int32Array.from(tp, (hits, item) => this.targets[item] - hits),
      bits,
      match,
      ignored,
      accepted,
      missed,
    };
  }

  _figures({ tp, fp, fn }, thresholds) {
    const precision = Float64Array.from(tp, (hits, index) => ratio(hits, hits + fp[index]));
    const recall = Float64Array.from(tp, (hits, index) => ratio(hits, hits + fn[index]));
    const f1 = Float64Array.from(tp, (hits, index) =>
      ratio(2 * hits, 2 * hits + fp[index] + fn[index]),
    );
    const means = {
      f1: this._mean(f1),
      precision: this._mean(precision),
      recall: this._mean(recall),
      threshold: this._mean(thresholds),
    };
    return { precision, recall, f1, means };
  }

  // Return the mean over the labels that test images have.
  _mean(values) {
    let sum = 0;
    let count = 0;
    for (let index = 0; index < this.k; index += 1)
      if (this.tested[index]) {
        sum += values[index];
        count += 1;
      }
    return ratio(sum, count);
  }

  // -- confusion matrix -----------------------------------------------------------------------------------
  // Return cells [truth × width + predicted] and the number of images in each. For boxes, the last row and column are
  // the background. For single labels, the last column is for images without an answer, if there can be some.
  matrix(state) {
    const { rows, columns } = this.facts;
    const canLack =
      this.isSingle &&
      (state.applied.some((threshold) => threshold > 0) ||
        state.answer.some((label, image) => label < 0 && this.inside[image]));
    const width = columns.length - Number(this.isSingle && !canLack);
    const cells = new Int32Array(rows.length * width);
    const images = this.isDetection ? new Int32Array(cells.length) : cells;
    const last = new Int32Array(images === cells ? 0 : cells.length).fill(-1);
    this._eachCell(state, (image, row, column) => {
      const position = row * width + column;
      cells[position] += 1;
      if (images !== cells && last[position] !== image) images[position] += 1;
      last[position] = image;
    });
    return { cells, images, width };
  }

  // Return a mask of the images that one cell counts.
  cellImages(state, wantedRow, wantedColumn) {
    const mask = new Uint8Array(this.n);
    this._eachCell(state, (image, row, column) => {
      if (row === wantedRow && column === wantedColumn) mask[image] = 1;
    });
    return mask;
  }

  // Call `visit(image, true, predicted)` for everything that the matrix counts, image by image in each cell.
  _eachCell(state, visit) {
    const {
      n,
      k,
      inside,
      arrays: {
        truth,
        true_label: single,
        image: imageOf,
        label: labelOf,
        truth_image: where,
        truth_label: true_,
      },
    } = this;
    if (this.isDetection) {
      const { accepted, match, missed } = state;
      const other = this.others(state);
      const left = missed.slice();
      for (let index = 0; index < accepted.length; index += 1) {
        if (!accepted[index]) continue;
        const partner = match[index] >= 0 ? match[index] : other[index];
        if (partner >= 0) left[partner] = 0;
        visit(imageOf[index], partner < 0 ? k : true_[partner], labelOf[index]);
      }
      for (let index = 0; index < left.length; index += 1)
        if (left[index]) visit(where[index], true_[index], k);
    } else if (this.isSingle) {
      const { answer } = state;
      for (let image = 0; image < n; image += 1)
        if (single[image] >= 0 && inside[image])
          visit(image, single[image], answer[image] < 0 ? k : answer[image]);
    } else {
      const test = this._acceptance(state);
      for (let image = 0; image < n; image += 1) {
        if (!inside[image]) continue;
        const [wrong, missed] = [[], []];
        for (let label = 0; label < k; label += 1) {
          const isAccepted = test(image, label);
          if (isAccepted && truth[image * k + label]) visit(image, label, label);
          else if (isAccepted) wrong.push(label);
          else if (truth[image * k + label]) missed.push(label);
        }
        for (const label of wrong) for (const instead of missed) visit(image, instead, label);
      }
    }
  }

  others(state) {
    const matching = this.at(state.position.iou_threshold);
    matching.rivals ??= rivalsOf(
      this.arrays,
      state.position.iou_threshold,
      this.facts.whole,
      matching.match,
    );
    state.others ??= takenFor(this.arrays, matching.rivals, state);
    return state.others;
  }

  isAccepted(state, image, label) {
    return this._acceptance(state)(image, label);
  }

  _acceptance(state) {
    const {
      k,
      arrays: { confidence },
    } = this;
    const { applied, fold } = state;
    const isGiven = this._cellTest(state);
    return (image, label) =>
      confidence[image * k + label] >= applied[fold[image] * k + label] &&
      isGiven(image * k + label, image);
  }

  // -- images -----------------------------------------------------------------------------------------------
  // Return the result bits of each image, optionally for one label only. Consistent with
  // customlabels_nb/evaluation/exploring/filtering.py, like `scores`.
  bits(state, label = null) {
    if (label === null) return state.bits;
    const bits = new Uint8Array(this.n);
    if (this.isDetection) {
      const { image, label: labelOf, truth_image: where, truth_label: true_ } = this.arrays;
      const { accepted, match, missed } = state;
      for (let index = 0; index < accepted.length; index += 1)
        if (accepted[index] && labelOf[index] === label)
          bits[image[index]] |= match[index] >= 0 ? TP : FP;
      for (let index = 0; index < missed.length; index += 1)
        if (missed[index] && true_[index] === label) bits[where[index]] |= FN;
    } else {
      const test = this._acceptance(state);
      for (let image = 0, cell = label; image < this.n; image += 1, cell += this.k) {
        if (!this.inside[image]) continue;
        if (test(image, label)) bits[image] = this.arrays.truth[cell] ? TP : FP;
        else if (this.arrays.truth[cell]) bits[image] = FN;
      }
    }
    return bits;
  }

  // Return what images are sorted by, optionally for one label only: their most confident result, mistakes first, and
  // their distance from the threshold. Among mistakes, wrong predictions count, and otherwise what is missed.
  scores(state, label = null) {
    const [wrong, missed, right] = [0, 1, 2].map(() => new Float64Array(this.n).fill(-1));
    const margin = new Float64Array(this.n).fill(Infinity);
    const best = { wrong, missed, right, margin };
    if (this.isDetection) this._scoreBoxes(state, label, best);
    else this._scorePairs(state, label, best);
    const score = wrong.map((value, image) => {
      const mistake = value >= 0 ? value : missed[image];
      return mistake >= 0 ? MISTAKE + mistake : right[image];
    });
    return { score, margin };
  }

  // Return true if an image has a mistake.
  isWrong(state, image) {
    return (state.bits[image] & (FP | FN)) > 0;
  }

  _scorePairs(state, only, { wrong, missed, right, margin }) {
    const {
      n,
      k,
      arrays: { confidence, truth },
    } = this;
    const { applied, fold } = state;
    const test = this._cellTest(state);
    const first = only ?? 0;
    const end = only === null ? k : only + 1;
    for (let image = 0; image < n; image += 1) {
      const base = fold[image] * k;
      for (let label = first, cell = image * k + first; label < end; label += 1, cell += 1) {
        const value = confidence[cell];
        const distance = value - applied[base + label];
        const isGiven = test(cell, image);
        if (isGiven) margin[image] = Math.min(margin[image], Math.abs(distance));
        const isAccepted = isGiven && distance >= 0;
        if (!isAccepted && !truth[cell]) continue;
        const kind = isAccepted ? (truth[cell] ? right : wrong) : missed;
        kind[image] = Math.max(kind[image], value);
      }
    }
  }

  _scoreBoxes(state, only, { wrong, missed: lost, right, margin }) {
    const {
      k,
      arrays: { image, label, confidence, truth_image: where, truth_label: true_ },
    } = this;
    const { applied, fold, accepted, ignored, match, missed } = state;
    const would = this.wouldMatch(state);
    for (let index = 0; index < image.length; index += 1) {
      if (ignored[index] || (only !== null && label[index] !== only)) continue;
      const photo = image[index];
      const distance = Math.abs(confidence[index] - applied[fold[photo] * k + label[index]]);
      if (distance < margin[photo]) margin[photo] = distance;
      if (!accepted[index]) continue;
      const kind = match[index] >= 0 ? right : wrong;
      kind[photo] = Math.max(kind[photo], confidence[index]);
    }
    for (let index = 0; index < where.length; index += 1)
      if (missed[index] && (only === null || true_[index] === only))
        lost[where[index]] = Math.max(lost[where[index]], would[index]);
  }

  // Return the confidence of the prediction that matches each true box, or 0.
  wouldMatch({ position: { iou_threshold: iouThreshold } }) {
    const matching = this.at(iouThreshold);
    if (!matching.would) {
      matching.would = new Float64Array(this.arrays.truth_image.length);
      for (let index = 0; index < matching.match.length; index += 1)
        if (matching.match[index] >= 0)
          matching.would[matching.match[index]] = this.arrays.confidence[index];
    }
    return matching.would;
  }

  // -- curves -------------------------------------------------------------------------------------------------
  // Count correct and all predictions of each label at each threshold of the grid, [label × (GRID + 1) + step].
  curveCounts(iouThreshold) {
    const key = `${this.chosen} ${this.isDetection ? iouThreshold : 0}`;
    const { inside } = this;
    if (this.curves?.key === key) return this.curves;
    const width = GRID + 1;
    const right = new Int32Array(this.k * width);
    const all = new Int32Array(this.k * width);
    const add = (label, confidence, hit) => {
      let step = Math.floor(confidence * GRID);
      while (step < GRID && (step + 1) / GRID <= confidence) step += 1;
      while (step > 0 && step / GRID > confidence) step -= 1;
      all[label * width + step] += 1;
      if (hit) right[label * width + step] += 1;
    };
    if (this.isDetection) {
      const { match, ignored } = this.at(iouThreshold);
      const { image, label, confidence } = this.arrays;
      for (let index = 0; index < match.length; index += 1)
        if (!ignored[index] && inside[image[index]])
          add(label[index], confidence[index], match[index] >= 0);
    } else {
      const { confidence, truth, given } = this.arrays;
      for (let cell = 0; cell < confidence.length; cell += 1)
        if ((!given || given[cell]) && inside[Math.floor(cell / this.k)])
          add(cell % this.k, confidence[cell], truth[cell]);
    }
    for (let label = 0; label < this.k; label += 1) {
      for (let index = label * width + GRID - 1; index >= label * width; index -= 1) {
        right[index] += right[index + 1];
        all[index] += all[index + 1];
      }
    }
    this.curves = { key, right, all };
    return this.curves;
  }

  // Compute F1, precision (NaN without predictions) and recall at each threshold of the grid, of one label or averaged.
  curve(iouThreshold, label = null) {
    const { right, all } = this.curveCounts(iouThreshold);
    const width = GRID + 1;
    const labels =
      label === null ? [...this.tested.keys()].filter((item) => this.tested[item]) : [label];
    const result = {
      f1: new Float64Array(width),
      precision: new Float64Array(width),
      recall: new Float64Array(width),
    };
    for (let step = 0; step < width; step += 1) {
      let [f1, precision, recall, some] = [0, 0, 0, 0];
      for (const item of labels) {
        const [hits, taken, targets] = [
          right[item * width + step],
          all[item * width + step],
          this.targets[item],
        ];
        f1 += ratio(2 * hits, taken + targets);
        recall += ratio(hits, targets);
        precision += ratio(hits, taken);
        some += taken;
      }
      const count = Math.max(1, labels.length);
      result.f1[step] = f1 / count;
      result.recall[step] = recall / count;
      result.precision[step] = some ? precision / count : NaN;
    }
    return result;
  }
}
