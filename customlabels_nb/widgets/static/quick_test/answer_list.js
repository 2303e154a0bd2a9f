// List of predictions: one row per label or box, with confidence, threshold, and a checkbox to add it.

import { element, keyHint, setText, show } from "../shared/dom.js";
import { counts, limitFor } from "./answers.js";

const MOST_LISTED = 100;

export class AnswerList {
  // `on` has toggle(index), point(index or null), unlabel(label).
  constructor(on) {
    this.on = on;
    this.list = element("div", {
      class: "answers",
      attributes: { role: "group", "aria-label": "Predictions" },
    });
    this.rest = element("p", { class: "faint rest", hidden: true });
    this.node = element("div", { class: "answer-list" }, this.list, this.rest);
    this.shown = [];
  }

  // `canTake`: true if there is a dataset to add predictions to.
  draw(answer, threshold, taken, labels, canTake) {
    const rows = answer?.rows ?? [];
    // show only boxes above the threshold, but all labels, so that a missed label can be selected
    const all = rows.map((_, index) => index);
    const wanted = answer?.detects ? all.filter((index) => counts(rows[index], threshold)) : all;
    this.shown = wanted.slice(0, MOST_LISTED);
    const isTaken = new Set(taken);
    // reuse rows while the threshold moves: one of them may be focused
    const state = JSON.stringify([answer?.key, this.shown, labels, canTake]);
    if (state !== this.state) {
      this.state = state;
      const focused = this.list.querySelector("input:focus")?.closest(".answer")?.dataset.index;
      this.nodes = this.shown.map((index, position) =>
        this._row(rows[index], index, position, canTake),
      );
      this.list.replaceChildren(
        ...this.nodes.map(({ node }) => node),
        ...labels.map((label) => this._ownLabel(label)),
      );
      if (focused !== undefined)
        this.list.querySelector(`.answer[data-index="${Number(focused)}"] input`)?.focus();
    }
    this.shown.forEach((index, position) =>
      this._update(this.nodes[position], rows[index], threshold, isTaken.has(index)),
    );
    const below = all.length - wanted.length;
    const more = wanted.length - this.shown.length;
    const words = [
      more ? `and ${more.toLocaleString("en")} more` : "",
      below
        ? `${below.toLocaleString("en")} ${below === 1 ? "box is" : "boxes are"} below the threshold`
        : "",
    ].filter(Boolean);
    setText(this.rest, words.join(" · "));
    show(this.rest, words.length > 0);
  }

  _row(row, index, position, canTake) {
    const box = element("input", {
      type: "checkbox",
      hidden: !canTake,
      attributes: { "aria-label": `Add ${row.label}` },
      on: { change: () => this.on.toggle(index) },
    });
    const bar = element(
      "span",
      { class: "confidence-bar" },
      element("span", { class: "filled" }),
      element("span", { class: "at" }),
    );
    const number = element("span", { class: "confidence" });
    const limit = element("span", { class: "limit faint" });
    const node = element(
      "label",
      {
        class: "answer",
        style: { "--label-color": row.color },
        data: { index: String(index) },
        on: { pointerenter: () => this.on.point(index), pointerleave: () => this.on.point(null) },
      },
      canTake && position < 9
        ? keyHint(String(position + 1))
        : element("span", { class: "no-key" }),
      box,
      element("i", { class: "dot", attributes: { "aria-hidden": "true" } }),
      element("bdi", { text: row.label, title: row.label }),
      bar,
      number,
      limit,
    );
    return { node, box, bar, number, limit };
  }

  _update({ node, box, bar, number, limit }, row, threshold, isTaken) {
    const least = limitFor(row, threshold);
    node.classList.toggle("below", !counts(row, threshold));
    box.checked = isTaken;
    bar.children[0].style.width = `${100 * row.confidence}%`;
    bar.children[1].style.left = `${100 * (least ?? 0)}%`;
    show(bar.children[1], least !== null);
    setText(number, row.confidence.toFixed(3));
    setText(limit, least === null ? "" : least.toFixed(2));
    limit.title = least === null ? "" : `Threshold ${least.toFixed(3)}`;
    node.title = row.box
      ? `${row.label}: ${row.box.map((value) => Math.round(value)).join(", ")} (left, top, width, height in pixels)`
      : row.label;
  }

  point(index) {
    for (const { node } of this.nodes ?? [])
      node.classList.toggle("pointed", node.dataset.index === String(index));
  }

  _ownLabel(label) {
    return element(
      "div",
      { class: "answer own" },
      element("span", { class: "no-key" }),
      element("span", { class: "tick", text: "✓", attributes: { "aria-hidden": "true" } }),
      element("bdi", { text: label }),
      element("span", { class: "faint", text: "added by you" }),
      element("button", {
        class: "plain",
        text: "×",
        attributes: { "aria-label": `Remove ${label}` },
        on: { click: () => this.on.unlabel(label) },
      }),
    );
  }
}
