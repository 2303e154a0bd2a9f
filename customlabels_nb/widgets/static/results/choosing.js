// Filter and sort test images, consistent with customlabels_nb/evaluation/exploring/filtering.py.

import { areaOf, iou, isInside } from "../shared/geometry.js";
import { FN, FP, sliceMask, TP } from "./engine.js";

export const BITS_OF = { mistakes: FP | FN, tp: TP, fp: FP, fn: FN };
export const NO_FILTER = Object.freeze({
  show: "mistakes",
  label: null,
  pair: null,
  slice: null,
  search: "",
  images: null,
  sort: "confident",
});

// Return the last part of a path or URL, without the hash of a copied file, as `last_part` does in Python.
export function shortName(name) {
  const plain = name.replace(/^((?:images|\d+)\/.+)-[0-9a-f]{16}((?:[.][a-z0-9]{1,5})?)$/, "$1$2");
  return plain.replace(/\/+$/, "").split("/").pop();
}

// Count the images of each value of `show`, independent of other filters except the slice and the label.
export function countsOf(engine, bits, groups, isLabelled = false) {
  const isCounted = (image) => engine.inside[image] && (!isLabelled || bits[image] > 0);
  const counts = {
    all: isLabelled ? bits.filter(Boolean).length : engine.size,
    mistakes: 0,
    tp: 0,
    fp: 0,
    fn: 0,
  };
  for (const item of bits) {
    counts.mistakes += item & BITS_OF.mistakes ? 1 : 0;
    counts.tp += item & TP ? 1 : 0;
    counts.fp += item & FP ? 1 : 0;
    counts.fn += item & FN ? 1 : 0;
  }
  for (const [name, images] of Object.entries(groups))
    counts[name] = images.filter(isCounted).length;
  return counts;
}

// Return the index of a label, or null.
export function labelAt({ facts }, label) {
  const index = label === null ? -1 : facts.labels.findIndex((item) => item.label === label);
  return index < 0 ? null : index;
}

// Return the positions of the filtered images, in order. With a label, they are evaluated with respect to it only.
export function chooseImages(engine, state, filter) {
  const { facts, arrays, n } = engine;
  const label = labelAt(engine, filter.label);
  const kept = wantedImages(engine, engine.bits(state, label), filter.show, label !== null);
  const narrow = (mask) => {
    for (let index = 0; index < n; index += 1) if (!mask[index]) kept[index] = 0;
  };
  if (filter.pair)
    narrow(
      engine.cellImages(
        state,
        facts.rows.indexOf(filter.pair[0]),
        facts.columns.indexOf(filter.pair[1]),
      ),
    );
  if (filter.slice) narrow(sliceMask(engine, filter.slice));
  if (filter.images) {
    const names = new Set(filter.images);
    narrow(facts.images.map((name) => names.has(name)));
  }
  const text = filter.search.trim().toLowerCase();
  if (text)
    narrow(
      facts.images.map((name) =>
        (text.includes("/") ? name : shortName(name)).toLowerCase().includes(text),
      ),
    );
  const images = [];
  for (let index = 0; index < n; index += 1) if (kept[index]) images.push(index);
  return sortImages(images, filter.sort, () => engine.scores(state, label), arrays.rank);
}

function wantedImages({ facts, n }, bits, show, isLabelled) {
  const kept = new Uint8Array(n);
  if (BITS_OF[show])
    for (let index = 0; index < n; index += 1) kept[index] = bits[index] & BITS_OF[show] ? 1 : 0;
  else if (show === "all")
    for (let index = 0; index < n; index += 1) kept[index] = !isLabelled || bits[index] ? 1 : 0;
  else
    for (const index of facts.groups[show] ?? []) kept[index] = !isLabelled || bits[index] ? 1 : 0;
  return kept;
}

// Stable sort: equal images stay in the order of the test set.
function sortImages(images, sort, scores, rank) {
  if (sort === "name") return images.sort((a, b) => rank[a] - rank[b]);
  if (sort !== "confident" && sort !== "unsure") return images;
  const { score, margin } = scores();
  if (sort === "confident") return images.sort((a, b) => score[b] - score[a]);
  return images.sort((a, b) => (margin[a] === margin[b] ? 0 : margin[a] - margin[b]));
}

// Return the correct and wrong predictions of one image: { label, confidence, result, box, taken } of each label or
// box, most confident first. For classifiers, true negatives are included.
export function itemsOf(engine, state, image) {
  return (
    engine.isDetection ? boxItems(engine, state, image) : labelItems(engine, state, image)
  ).sort((a, b) => b.confidence - a.confidence);
}

function labelItems(engine, state, image) {
  const {
    k,
    arrays: { confidence, truth, given },
  } = engine;
  const items = [];
  for (let label = 0; label < k; label += 1) {
    const cell = image * k + label;
    if (!truth[cell] && given && !given[cell]) continue;
    const accepted = engine.isAccepted(state, image, label);
    const result = truth[cell] ? (accepted ? "tp" : "fn") : accepted ? "fp" : "tn";
    items.push({
      label,
      confidence: confidence[cell],
      result,
      threshold: state.applied[state.fold[image] * k + label],
    });
  }
  return items;
}

const MISTAKES = ["false positives", "false negatives", "wrong label", "badly placed"];
const MISTAKES_SHOWN = {
  tp: [],
  fp: ["false positives", "wrong label", "badly placed"],
  fn: ["false negatives", "wrong label"],
};

// Return the mistakes of boxes that a filter is about, with labels as in Report.crops: { mistake, label, predicted }.
export function mistakesOf({ pair, show, label }, background) {
  if (pair) {
    const [truth, predicted] = pair;
    const mistake = { [truth]: "false positives", [predicted]: "false negatives" }[background];
    return truth === predicted
      ? []
      : [{ mistake: mistake ?? "wrong label", label: truth, predicted }];
  }
  return (MISTAKES_SHOWN[show] ?? MISTAKES).map((mistake) => {
    const isOfPredicted =
      mistake === "false positives" || (mistake === "wrong label" && show === "fp");
    return { mistake, [isOfPredicted ? "predicted" : "label"]: label };
  });
}

// Return the boxes of an image that a cell of the matrix, or the counter of false positives or negatives, counts.
// `rows` are the labels, followed by the background.
export function countedItems(items, { pair, show, label }, rows) {
  const cellOf = ({ result, label: own, takenFor, truthAt }) =>
    result === "fp"
      ? [takenFor ?? rows.length - 1, own]
      : [own, items.find(({ takenAt }) => takenAt === truthAt)?.label ?? rows.length - 1];
  return items.filter((item) => {
    if (item.result === "tp") return false;
    if (pair) return cellOf(item).every((at, side) => rows[at] === pair[side]);
    return item.result === show && (label === null || rows[item.label] === label);
  });
}

// Return the range [first, end] of an image in arrays that are sorted by image.
export function spanOf(images, image) {
  const first = firstFrom(images, image);
  return [first, firstFrom(images, image + 1, first)];
}

function firstFrom(images, image, from = 0) {
  let [low, high] = [from, images.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (images[middle] < image) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Return a true ("truth_") or predicted ("") box, with its polygon if it has one.
function boxAt(arrays, kind, index) {
  const [left, top, width, height] = arrays[`${kind}box`].subarray(4 * index, 4 * index + 4);
  const polygon = arrays.polygon_end ? polygonAt(arrays, kind, index) : [];
  return { left, top, width, height, ...(polygon.length ? { polygon } : {}) };
}

function polygonAt(arrays, kind, index) {
  const [ends, rings, points] = ["polygon_end", "ring_end", "points"].map(
    (name) => arrays[kind + name],
  );
  const ring = (number) => {
    const corners = [];
    for (let point = number ? rings[number - 1] : 0; point < rings[number]; point += 1)
      corners.push([points[2 * point], points[2 * point + 1]]);
    return corners;
  };
  const first = index ? ends[index - 1] : 0;
  return Array.from({ length: ends[index] - first }, (_, number) => ring(first + number));
}

// Return the smallest box at a point of the image, or null.
export function itemAt(items, x, y) {
  const boxOf = (item) => item.box ?? item.truth;
  const area = (item) => areaOf(boxOf(item));
  const hits = items.filter((item) => boxOf(item) && isInside([x, y], boxOf(item)));
  return hits.length ? hits.reduce((best, item) => (area(item) < area(best) ? item : best)) : null;
}

// Add to each mask its IoU from the pairs of the kernel: with its true mask, otherwise the highest with any of its
// label.
function addMaskIous(items, { arrays }, state, [first, end]) {
  const { pair_prediction: prediction, pair_truth: truth, pair_iou: iou } = arrays;
  for (const item of items) item.iou = 0;
  for (
    let index = firstFrom(prediction, first);
    index < prediction.length && prediction[index] < end;
    index += 1
  ) {
    for (const item of items) {
      const isOwn =
        item.result === "tp"
          ? item.at === prediction[index] && item.truthAt === truth[index]
          : item.result === "fp"
            ? item.at === prediction[index]
            : item.truthAt === truth[index] && state.accepted[prediction[index]];
      if (isOwn) item.iou = Math.max(item.iou, iou[index]);
    }
  }
  return items;
}

// Add to each box its IoU: with its true box, otherwise the highest with any box of its label that it could match.
function addIous(items) {
  for (const item of items) {
    const iouWith = (other, key) =>
      other.label === item.label && other[key] ? iou(item.box ?? item.truth, other[key]) : 0;
    item.iou =
      item.result === "tp"
        ? iou(item.box, item.truth)
        : Math.max(
            0,
            ...items.map((other) => iouWith(other, item.result === "fp" ? "truth" : "box")),
          );
  }
  return items;
}

function boxItems(engine, state, image) {
  const { arrays, k } = engine;
  const items = [];
  const other = engine.others(state);
  const [first, end] = spanOf(arrays.image, image);
  for (let index = first; index < end; index += 1) {
    if (!state.accepted[index]) continue;
    const match = state.match[index];
    const item = {
      label: arrays.label[index],
      confidence: arrays.confidence[index],
      result: match >= 0 ? "tp" : "fp",
      at: index,
      box: boxAt(arrays, "", index),
    };
    item.threshold = state.applied[state.fold[image] * k + item.label];
    if (match >= 0) Object.assign(item, { truth: boxAt(arrays, "truth_", match), truthAt: match });
    if (other[index] >= 0)
      Object.assign(item, { takenFor: arrays.truth_label[other[index]], takenAt: other[index] });
    items.push(item);
  }
  const [start, stop] = spanOf(arrays.truth_image, image);
  const would = start < stop ? engine.wouldMatch(state) : null;
  for (let index = start; index < stop; index += 1) {
    if (!state.missed[index]) continue;
    const label = arrays.truth_label[index];
    items.push({
      label,
      confidence: would[index],
      result: "fn",
      truth: boxAt(arrays, "truth_", index),
      truthAt: index,
      threshold: state.applied[state.fold[image] * k + label],
    });
  }
  return arrays.polygon_end ? addMaskIous(items, engine, state, [first, end]) : addIous(items);
}
