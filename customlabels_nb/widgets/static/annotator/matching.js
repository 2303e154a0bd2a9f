// Which predictions are drawn already. Predictions and shapes are matched one to one by the overlap of their boxes.

import { clipBox, iou } from "../shared/geometry.js";

const SAME_OBJECT = 0.5; // IoU from which two boxes are probably of one object

/** @import { Shape, Size } from "../shared/geometry.js" */

/**
 * Match predictions to shapes: first those that were accepted or have the same label, then by overlap. A prediction
 * that matches a shape of its label is confirmed and not shown. Any other one on a shape is a question: `asks` has the
 * index of the shape that it matches, whose label it doubts, or null if it would be a second shape there.
 *
 * @template {Shape} Prediction
 * @param {readonly Shape[]} shapes
 * @param {Prediction[]} predictions
 * @param {readonly Prediction[]} accepted predictions that became shapes
 * @param {Size} size
 * @returns {{ shown: Prediction[], asks: Map<Prediction, number | null> }}
 */
export function matchPredictions(shapes, predictions, accepted, size) {
  const pairs = [];
  for (const prediction of [...accepted, ...predictions]) {
    const box = clipBox(prediction, size);
    shapes.forEach((shape, index) => {
      const overlap = iou(box, shape);
      if (overlap < SAME_OBJECT) return;
      const isFirst = accepted.includes(prediction) || prediction.label === shape.label;
      pairs.push({ prediction, index, rank: Number(isFirst) + overlap });
    });
  }
  pairs.sort((a, b) => b.rank - a.rank);
  const matches = new Map();
  const taken = new Set();
  for (const { prediction, index } of pairs) {
    if (matches.has(prediction) || taken.has(index)) continue;
    matches.set(prediction, index);
    taken.add(index);
  }
  const shown = predictions.filter((each) => shapes[matches.get(each)]?.label !== each.label);
  const near = new Set(pairs.map(({ prediction }) => prediction));
  return {
    shown,
    asks: new Map(
      shown.filter((each) => near.has(each)).map((each) => [each, matches.get(each) ?? null]),
    ),
  };
}

/**
 * Return the predictions without those that are probably of the same object as a more confident one.
 *
 * @param {(Shape & { confidence?: number })[]} predictions
 * @param {Size} size
 */
export function withoutTwins(predictions, size) {
  const kept = new Map(); // prediction → its box in the image
  for (const each of [...predictions].sort((a, b) => b.confidence - a.confidence)) {
    const box = clipBox(each, size);
    if ([...kept.values()].every((other) => iou(box, other) < SAME_OBJECT)) kept.set(each, box);
  }
  return predictions.filter((each) => kept.has(each));
}
