// Panel beside a disputed image: the answers as cards, the consensus, and what else can be done. Each with its key.

import { chip, colorOf } from "../shared/chips.js";
import { svgElement } from "../shared/charts.js";
import { element, keyHint, leaving, setText, show } from "../shared/dom.js";
import {
  countedLabels,
  differencesOf,
  offerOf,
  shapeWords,
  takeKey,
  usualLabel,
  whyNotAsk,
} from "./job_decisions.js";
import { STROKES } from "./disputed_image.js";

const AWAY = {
  ask: "One person more is asked. The image comes back here after their answer.",
  reject: "The image is in the queue again, and everybody is asked again.",
};
const OFFERS = { consensus: "Consensus", accept: "Leave without result", null: "No majority" };

export class DecisionPanel {
  // `on` has leave(), take(number), approve(), fix(), ask(), reject() and look(which): a letter, "consensus" or null.
  constructor(on, labels) {
    this.on = on;
    this.labels = labels;
    this.head = element("h4", {});
    this.cards = element("div", { class: "cards" });
    this.away = element("p", { class: "faint away", hidden: true });
    const action = (text, key, title, run) =>
      element(
        "button",
        {
          class: "plain action",
          title,
          on: { click: leaving(on, run) },
        },
        element("span", { text }),
        keyHint(key),
      );
    this.fix = action("", "E", "Edit them below", on.fix);
    this.ask = action(
      "Ask one person more",
      "R",
      "The image comes back after their answer",
      on.ask,
    );
    this.reject = action("Back to the queue", "Delete", "Everybody is asked again", on.reject);
    this.rest = element(
      "div",
      { class: "rest" },
      element("h4", { text: "or" }),
      labels,
      this.fix,
      this.ask,
      this.reject,
    );
    this.node = element(
      "aside",
      { class: "side", attributes: { "aria-label": "Answers" } },
      this.head,
      this.cards,
      this.away,
      this.rest,
    );
  }

  // The cards stay while the row is the same, so that they keep the focus.
  update(row, { labels, draws, task, agreement, read_only: readOnly }) {
    const state = JSON.stringify([row, labels, agreement, readOnly]);
    if (state === this.state) return;
    this.state = state;
    if (row.name !== this.name) this.node.scrollTop = 0;
    this.name = row.name;
    const many = (count, singular, more = `${singular}s`) =>
      `${count} ${count === 1 ? singular : more}`;
    const isSkip = row.skips.length > 0;
    setText(
      this.head,
      row.gone
        ? "waits"
        : isSkip
          ? `skipped by ${row.skips.length}`
          : many(row.answers.length, "answer"),
    );
    show(this.away, Boolean(row.gone));
    setText(this.away, AWAY[row.gone] ?? "");
    show(this.rest, !row.gone && !readOnly);
    show(this.fix, draws);
    setText(this.fix.firstChild, `Edit the ${shapeWords(task)[1]}`);
    show(this.ask, !whyNotAsk(row));
    const chips = (list, options = {}) =>
      list.map(([label, count]) =>
        chip(label, colorOf(label, labels), { count: count || 1, ...options }),
      );
    const faint = (text) => element("span", { class: "status", text });
    const missed = (letter) =>
      differencesOf({ ...row, reviewed: false })
        .filter(({ missing }) => missing.includes(letter))
        .map((object) =>
          element(
            "span",
            { class: "chip predicted missed" },
            "no ",
            element("bdi", { text: usualLabel(object) }),
          ),
        );
    const answers = row.answers.map((answer, index) => {
      const parts = [...chips(countedLabels(answer)), ...(draws ? missed(answer.letter) : [])];
      return this._card({
        key: takeKey(index),
        name: answer.letter,
        line: draws ? STROKES[index % STROKES.length] : null,
        which: answer.letter,
        isOff: readOnly,
        note: answer.person ?? (draws ? many(answer.shapes.length, ...shapeWords(task)) : ""),
        parts: parts.length ? parts : [faint("nothing here")],
        title: `Take answer ${answer.letter}`,
        run: () => this.on.take(index + 1),
      });
    });
    const skips = row.skips.map(({ reason, person }) =>
      element(
        "div",
        { class: "card said" },
        element("bdi", { text: reason || "no reason" }),
        element("bdi", { class: "note", text: person ?? "" }),
      ),
    );
    const outcome = row.gone
      ? []
      : [
          ...skips,
          ...answers,
          this._outcome(row, { labels, draws, agreement, readOnly, chips, faint }),
        ];
    this.cards.replaceChildren(...outcome);
  }

  _outcome(row, { labels, draws, agreement, readOnly, chips, faint }) {
    const counts = new Map();
    for (const label of [...row.labels, ...row.boxes])
      counts.set(label, (counts.get(label) ?? 0) + 1);
    if (row.reviewed) {
      const parts = row.accepted ? [faint("stays without a result")] : chips([...counts]);
      return element(
        "div",
        { class: "card said decided" },
        element("strong", { text: "✓ Decided" }),
        ...(parts.length ? parts : [faint("nothing here")]),
      );
    }
    const offer = offerOf(row);
    const sure = row.candidates.map(([label, confidence]) => {
      const node = chip(label, colorOf(label, labels), { confidence, drawn: true });
      node.title = `${label}: ${confidence.toFixed(2)}`;
      return node;
    });
    const notes = {
      consensus:
        row.agreement === null
          ? ""
          : `${row.agreement.toFixed(2)}${row.agreement < agreement ? ` < ${agreement.toFixed(2)}` : ""}`,
      accept: "",
      null: "",
    };
    return this._card({
      key: "⏎",
      name: OFFERS[offer],
      line: null,
      which: draws ? "consensus" : null,
      note: notes[offer],
      kind: "offer",
      isOff: readOnly || offer === null,
      parts:
        offer === "accept"
          ? [faint("nobody is asked again")]
          : sure.length
            ? sure
            : [faint("nothing here")],
      title: offer === null ? "Take one of the answers, or choose a label" : OFFERS[offer],
      run: this.on.approve,
    });
  }

  _card({ key, name, line, which, note, parts, title, run, kind = "", isOff = false }) {
    const look = (what) => () => this.on.look(what);
    const move = ({ screenX, screenY }) => {
      // not if a new card comes under the pointer
      if (this.pointer !== `${screenX} ${screenY}`) this.on.look(which);
      this.pointer = `${screenX} ${screenY}`;
    };
    const sample =
      line === null
        ? null
        : svgElement(
            "svg",
            { class: "sample", viewBox: "0 0 34 4", "aria-hidden": "true" },
            svgElement("line", { x1: 0, y1: 2, x2: 34, y2: 2, "stroke-dasharray": line }),
          );
    return element(
      "button",
      {
        class: `card ${kind}`,
        title,
        disabled: isOff,
        data: { which: which ?? "" },
        on: {
          click: leaving(this.on, run),
          pointermove: move,
          pointerleave: look(null),
          focus: look(which),
          blur: look(null),
        },
      },
      keyHint(key),
      element("strong", { text: name }),
      sample,
      element("bdi", { class: "note", text: note }),
      element("span", { class: "parts" }, ...parts),
    );
  }
}
