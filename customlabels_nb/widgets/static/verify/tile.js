// Tile of one image with the predicted labels and boxes (dashed), or with those of the verdict (solid).

import { chip, colorOf, findingChips } from "../shared/chips.js";
import { element } from "../shared/dom.js";
import { shapesOfRow } from "../shared/overlay.js";
import { Tile } from "../shared/tile.js";
import { drawnOf, isStated, verdictOf } from "./verdicts.js";

const WORDS = { right: "✓ right", corrected: "✎ corrected", wrong: "✗ wrong" };

export class VerifyTile extends Tile {
  shapesOf(row, labels) {
    return shapesOfRow(isStated(row) ? { ...row, guesses: [] } : { ...row, boxes: [] }, labels);
  }

  _showRow(row, labels) {
    const verdict = verdictOf(row);
    const marks = isStated(row)
      ? [...row.labels.map((label) => [label, 1, null]), ...drawnOf(row)]
      : row.guesses;
    const counts = new Map();
    for (const [label, confidence] of marks)
      counts.set(label, [
        (counts.get(label)?.[0] ?? 0) + 1,
        Math.min(confidence, counts.get(label)?.[1] ?? 1),
      ]);
    const chips = [...counts].map(([label, [count, confidence]]) => {
      const node = chip(label, colorOf(label, labels), {
        count,
        confidence: marks === row.guesses ? confidence : null,
        drawn: true,
      });
      node.title =
        marks === row.guesses
          ? `${label}: predicted with confidence ${confidence.toFixed(2)}`
          : label;
      return node;
    });
    const words = WORDS[verdict]
      ? [element("span", { class: `status verdict ${verdict}`, text: WORDS[verdict] })]
      : [];
    const bare = chips.length ? [] : [element("span", { class: "status", text: "nothing found" })];
    this.caption.replaceChildren(
      element("span", { class: "name" }, element("bdi", { text: row.short })),
      element("div", { class: "line" }, ...words, ...chips, ...bare, ...findingChips(row)),
    );
    this.node.title = row.name;
    this.node.dataset.verdict = verdict;
    this.node.setAttribute(
      "aria-label",
      [
        row.short,
        [...counts.keys()].join(", ") || "nothing found",
        verdict === "waiting" ? "predicted, not judged" : verdict,
      ].join("; "),
    );
  }
}
