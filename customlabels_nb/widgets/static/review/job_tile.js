// Tile of a disputed image in the strip: its picture, and the answers as A, B, C beside it, or what became of it.

import { chip, colorOf, described } from "../shared/chips.js";
import { element } from "../shared/dom.js";
import { shapesOfRow } from "../shared/overlay.js";
import { Tile } from "../shared/tile.js";
import { answerText, countedLabels } from "./job_decisions.js";

const LINES = 3;
const AWAY_WORDS = { ask: "one more is asked", reject: "in the queue again" };

export class DisputedTile extends Tile {
  // The consensus is dashed until it is decided.
  shapesOf(row, labels) {
    return shapesOfRow(row, labels).map((shape) => ({
      ...shape,
      kind: row.reviewed ? "truth" : "predicted",
    }));
  }

  _showRow(row, labels) {
    const status = (text) => element("span", { class: "status", text });
    const chips = (names, lead = "") => {
      const [first, ...rest] = new Set(names);
      if (first === undefined) return [element("strong", { text: lead }), status("nothing here")];
      return [
        element("strong", { text: lead }),
        chip(first, colorOf(first, labels)),
        rest.length ? element("span", { class: "count", text: `+${rest.length}` }) : null,
      ];
    };
    const line = (...parts) => element("div", { class: "line" }, ...parts);
    const answers = row.answers.length > LINES ? row.answers.slice(0, LINES - 1) : row.answers;
    let lines = answers.map((answer) =>
      line(
        ...chips(
          countedLabels(answer).map(([label]) => label),
          answer.letter,
        ),
      ),
    );
    if (answers.length < row.answers.length)
      lines.push(line(status(`and ${row.answers.length - answers.length} more`)));
    if (row.gone) lines = [line(status(AWAY_WORDS[row.gone]))];
    else if (row.accepted) lines = [line(element("strong", { text: "✓" }), status("no result"))];
    else if (row.reviewed) lines = [line(...chips([...row.labels, ...row.boxes], "✓"))];
    else if (row.skips.length) lines = [line(status(`skipped by ${row.skips.length}`))];
    else if (!answers.length) lines = [line(status("no answers"))];
    this.caption.replaceChildren(...lines);
    this.node.title = row.name;
    this.node.classList.toggle("reviewed", row.reviewed);
    this.node.classList.toggle("rejected", Boolean(row.gone));
    const state = row.gone
      ? AWAY_WORDS[row.gone]
      : row.reviewed
        ? "decided"
        : row.skips.length
          ? `skipped by ${row.skips.length}`
          : row.tie
            ? "no majority"
            : "to decide";
    this.node.setAttribute(
      "aria-label",
      [described(row), ...row.answers.map(answerText), state].join("; "),
    );
  }
}
