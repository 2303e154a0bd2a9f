// Left column of the review of a job: what people disagree about, with the number of images, and the instructions.

import { colorOf } from "../shared/chips.js";
import { element, leaving, show } from "../shared/dom.js";
import { instructionNodes } from "../shared/panels.js";
import { reasonText, shapeWords } from "./job_decisions.js";

const MOST_PAIRS = 12;

export class ReasonList {
  // `on` has leave(), choose(reason) with null for all, and request(kind, content).
  constructor(on) {
    this.on = on;
    this.list = element("div", {
      class: "reason-groups",
      attributes: { role: "toolbar", "aria-label": "Reasons", "aria-orientation": "vertical" },
    });
    this.text = element("div", { class: "instructions" });
    this.about = element(
      "div",
      { class: "about-job" },
      element("h4", { text: "instructions" }),
      this.text,
    );
    this.node = element("nav", { class: "reasons" }, this.list, this.about);
  }

  update({ reasons, query, labels, draws, task, review, instructions }) {
    const state = JSON.stringify([reasons, query.reason, query.show, labels, review]);
    if (state !== this.state) this._build({ reasons, query, labels, draws, task, review });
    this.state = state;
    if (instructions === this.instructions) return;
    this.instructions = instructions;
    show(this.about, Boolean(instructions.trim()));
    this.text.replaceChildren(...instructionNodes(instructions, this.on.request));
  }

  _build({ reasons, query, labels, draws, task, review }) {
    const focused = this.list.contains(this.list.ownerDocument.activeElement);
    const isKnown =
      !query.reason ||
      reasons.some(([reason]) => JSON.stringify(reason) === JSON.stringify(query.reason));
    const all = isKnown ? reasons : [...reasons, [query.reason, 0]];
    const ofKinds = (...kinds) => all.filter(([[kind]]) => kinds.includes(kind));
    const total =
      { reviewed: review.done, to_review: review.left }[query.show] ?? review.left + review.done;
    const chosen = JSON.stringify(query.reason ?? null);
    const entry = (reason, text, count) =>
      element(
        "button",
        {
          class: "plain reason",
          title: text,
          attributes: { "aria-pressed": String(JSON.stringify(reason) === chosen) },
          on: { click: leaving(this.on, () => this.on.choose(reason)) },
        },
        ...(reason?.[0] === "mixed"
          ? reason
              .slice(1)
              .filter((label) => label !== null)
              .map((label) =>
                element("i", {
                  class: "square",
                  style: { "--label-color": colorOf(label, labels) },
                }),
              )
          : []),
        element("bdi", { text }),
        element("span", { class: "count", text: count.toLocaleString("en") }),
      );
    const group = (title, entries) =>
      entries.length
        ? [
            element("h4", { text: title }),
            ...entries.map(([reason, count]) =>
              entry(reason, reasonText(reason, { draws }), count),
            ),
          ]
        : [];
    const mixed = ofKinds("mixed"),
      isChosen = mixed.findIndex(([reason]) => JSON.stringify(reason) === chosen) >= MOST_PAIRS;
    this.list.replaceChildren(
      entry(null, "all reasons", total),
      ...group("mixed up", isChosen ? mixed : mixed.slice(0, MOST_PAIRS)),
      ...group(
        draws ? `${shapeWords(task)[1]} differ` : "unclear",
        ofKinds("unsure", "missed", "tie"),
      ),
      ...group("too few answers", ofKinds("skipped", "alone")),
    );
    if (focused) this.on.leave();
  }
}
