// Tile of one image under review: labels, annotator and prediction.

import { chip, chipsOf, colorOf, described, findingChips } from "../shared/chips.js";
import { element } from "../shared/dom.js";
import { rejectedBadge, Tile } from "../shared/tile.js";
import { correctable, whenSaid } from "./decisions.js";
import { suspectLine, suspectText } from "./suspects.js";

const BARE = { unlabelled: "no label", skipped: "skipped" };
const STANDS = { unlabelled: "to label again", needs_review: "needs review" };

export class ReviewTile extends Tile {
  _showRow(row, labels) {
    const ownChips = chipsOf({ ...row, predicted: null, prelabels: [] }, labels);
    const parts = ownChips.length
      ? ownChips
      : [
          element("span", {
            class: `status ${row.status}`,
            text: BARE[row.status] ?? "nothing here",
          }),
        ];
    const lines = [element("div", { class: "line said" }, ...parts), this._source(row)];
    if (row.suspects?.length) lines.push(suspectLine(row.suspects[0]));
    else if (row.rejected) lines.push(element("div", { class: "line" }, rejectedBadge(row)));
    else if (row.predicted) lines.push(this._model(row, labels));
    if (row.findings.length) lines.push(element("div", { class: "line" }, ...findingChips(row)));
    this.caption.replaceChildren(...lines);
    this.node.title = row.name;
    this.node.classList.toggle("reviewed", row.reviewed);
    this.node.classList.toggle("rejected", row.status === "unlabelled");
    this.node.classList.toggle("disagrees", row.agrees === false);
    this.node.setAttribute("aria-label", this._described(row));
  }

  _source(row) {
    const when = row.when ? whenSaid(row.when) : "";
    const who = row.by.join(", ");
    const title = row.when ? `${who || "unknown"}, ${new Date(row.when).toLocaleString()}` : who;
    const word = row.reviewed ? "✓ reviewed" : STANDS[row.status];
    return element(
      "div",
      { class: "line source", title },
      word
        ? element("span", { class: `status ${row.reviewed ? "reviewed" : row.status}`, text: word })
        : null,
      element("bdi", { class: "who", text: who || (when ? "unknown" : "") }),
      element("span", { class: "time", text: when }),
    );
  }

  _model(row, labels) {
    const [label, confidence] = row.predicted;
    const correct = (event) => {
      event.stopPropagation();
      this.onAccept(row);
    };
    const isOffered = correctable(row);
    const node = chip(label, colorOf(label, labels), {
      confidence,
      onAccept: isOffered ? correct : null,
      drawn: !isOffered && !row.agrees,
    });
    if (row.agrees) node.title = `Prediction agrees: ${label}, confidence ${confidence.toFixed(2)}`;
    else if (isOffered)
      node.title = `Prediction: ${label}, confidence ${confidence.toFixed(2)}. Click to correct to it.`;
    const isSaid = row.labels.length || row.boxes.length || row.status === "labelled";
    const word = row.agrees
      ? element("span", { class: "agreement", text: "= agrees" })
      : element("span", { class: "disagreement", text: "≠ disagrees" });
    return element("div", { class: "line model" }, node, isSaid ? word : null);
  }

  _described(row) {
    const parts = [described(row)];
    if (row.by.length) parts.push(`labelled by ${row.by.join(", ")}`);
    if (row.predicted && !row.rejected)
      parts.push(
        `prediction ${row.agrees ? "agrees" : row.predicted[0]}, confidence ${row.predicted[1].toFixed(2)}`,
      );
    for (const suspect of row.suspects ?? []) parts.push(suspectText(suspect));
    parts.push(row.reviewed ? "reviewed" : row.status.replace("_", " "));
    return parts.join("; ");
  }
}
