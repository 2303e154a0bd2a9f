// Shapes of the labels and predictions of a test image, for overlay.js.

function shapeOf(kind, box, { label, result, confidence }, labels) {
  const isWrong = result === (kind === "truth" ? "fn" : "fp");
  const number =
    result === "fn" ? "missed" : `${result === "fp" ? "✗ " : ""}${confidence.toFixed(2)}`;
  return { ...box, kind, isWrong, color: labels[label].color, label: labels[label].label, number };
}

// Return the shapes of items, true boxes first. A true box that was found has no name, because the prediction has one.
export function shapesOfItems(items, labels) {
  const truths = items
    .filter(({ truth }) => truth)
    .map((item) => ({
      ...shapeOf("truth", item.truth, item, labels),
      ...(item.box && { label: undefined }),
    }));
  return [
    ...truths,
    ...items.filter(({ box }) => box).map((item) => shapeOf("predicted", item.box, item, labels)),
  ];
}
