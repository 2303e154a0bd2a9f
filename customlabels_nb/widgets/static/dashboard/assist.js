// Card of model-assisted labelling: switch, next training, predictions that can be trusted, queues, advice. Its nodes
// stay, and all states have the same height, so that nothing moves while somebody labels.

import { counted, numeral, percentText } from "../shared/numbers.js";
import { svgElement, svgText } from "../shared/charts.js";
import { chip, colorOf } from "../shared/chips.js";
import { element, setText, show } from "../shared/dom.js";
import {
  STEPS,
  adviceParts,
  agoText,
  axisStart,
  nextParts,
  promiseParts,
  purposeText,
  queueShares,
  stepRows,
  sureText,
} from "./assist_text.js";
import { isolated } from "./text.js";

const ASSIST_QUEUES = {
  manual: ["manual", "the model is unsure"],
  clustered: ["clustered", "one key a page"],
  prelabelled: ["prelabelled", "one key accepts a page"],
  suspect: ["suspects", "labels to look at again"],
};
const TARGETS = [0.9, 0.95, 0.98, 0.99];
const BUDGETS = {
  "30s": "30 seconds",
  "1min": "1 minute",
  "2min": "2 minutes",
  "5min": "5 minutes",
  "10min": "10 minutes",
};
const MOST_MISSING = 2;
const BULB =
  "M6 15h4M6.5 13h3M8 1.5a4.3 4.3 0 0 0-2.4 7.9c.5.4.9 1 .9 1.6h3c0-.6.4-1.2.9-1.6A4.3 4.3 0 0 0 8 1.5z";

function button(text, click, properties = {}) {
  return element("button", { text, on: { click }, ...properties });
}

function meter(kind = "") {
  return element(
    "span",
    { class: `bar ${kind}`, attributes: { "aria-hidden": "true" } },
    element("span"),
  );
}

function fill(bar, share) {
  bar.firstChild.style.width = `${(100 * share).toFixed(1)}%`;
}

export class AssistCard {
  // `on` has ask(kind, content) → Promise of the answer's content, open(split, link, words), said(text, options).
  constructor(panel, on) {
    this.panel = panel;
    this.on = on;
    this.state = null;
    this.labels = [];
    this._buildHead();
    this.columns = element(
      "div",
      { class: "columns" },
      this._buildNext(),
      this._buildPromise(),
      this._buildQueues(),
    );
    this.words = element("span", { class: "advice-words", attributes: { role: "status" } });
    this.bulb = svgElement(
      "svg",
      { class: "bulb", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
      svgElement("path", { d: BULB }),
    );
    this.asked = button("", () => this._open("assist", `${this.asked.textContent.toLowerCase()}`), {
      class: "plain link ask",
      data: { figure: "assist" },
    });
    this.advice = element("div", { class: "advice" }, this.bulb, this.words, this.asked);
    this.node = element(
      "section",
      { class: "assist", hidden: true, attributes: { "aria-label": "Assist" } },
      this.head,
      this.columns,
      this.advice,
    );
  }

  _buildHead() {
    this.switch = button("", () => this._turn(), {
      class: "switch",
      attributes: { role: "switch", "aria-label": "Assist" },
    });
    this.switchWord = element("span", { text: "on" });
    this.purpose = element("span", { class: "faint purpose" });
    this.settings = button("Settings…", () => this._openSettings(), { class: "assist-settings" });
    this.rest = button("Label the rest…", () => this._askRest(), { class: "assist-rest" });
    this.train = button("Train now", () => this._do("train"), { class: "primary assist-train" });
    this.start = button("Switch on", () => this._turn(), { class: "primary assist-start" });
    this.head = element(
      "div",
      { class: "assist-head" },
      element("strong", { text: "Assist" }),
      this.switch,
      this.switchWord,
      this.purpose,
      element("span", { class: "actions" }, this.settings, this.rest, this.train, this.start),
    );
  }

  _buildNext() {
    this.nextWords = ["span", "strong", "span"].map((tag) => element(tag));
    this.nextBar = meter();
    this.nextCaption = element("span");
    this.ended = element("span");
    this.steps = STEPS.map((name) =>
      element(
        "div",
        { class: "step" },
        element("span", { text: name }),
        element("span"),
        element("span"),
      ),
    );
    return element(
      "section",
      { attributes: { "aria-label": "Next training" } },
      element("h4", { text: "Next training" }),
      element("p", { class: "headline" }, ...this.nextWords),
      this.nextBar,
      element("p", { class: "caption faint" }, this.nextCaption, this.ended),
      element("div", { class: "steps" }, ...this.steps),
    );
  }

  _buildPromise() {
    this.promiseWords = [element("strong"), element("span"), element("span", { class: "faint" })];
    this.measured = [
      element("span", { text: "measured" }),
      element("strong"),
      element("span", { class: "faint" }),
    ];
    this.chart = svgElement("svg", { class: "interval", height: 44, role: "img" });
    this.answers = element("p", { class: "answers faint" });
    return element(
      "section",
      { attributes: { "aria-label": "Predictions you can trust" } },
      element("h4", { text: "Predictions you can trust" }),
      element("p", { class: "headline" }, ...this.promiseWords),
      element("p", { class: "measured" }, ...this.measured),
      this.chart,
      this.answers,
    );
  }

  _buildQueues() {
    this.queues = {};
    const rows = Object.entries(ASSIST_QUEUES).map(([kind, [name, words]]) => {
      const bar = meter(kind);
      const link = button("0", () => this._open(kind, name), {
        class: "plain number link",
        data: { figure: `queue ${kind} train` },
      });
      this.queues[kind] = { bar, link };
      return element(
        "div",
        { class: "queue-line" },
        element(
          "span",
          { class: "queue-name" },
          element("span", { text: name }),
          element("span", { class: "faint", text: words }),
        ),
        bar,
        link,
      );
    });
    return element(
      "section",
      { class: "queues", attributes: { "aria-label": "Queue" } },
      element("h4", { text: "Queue" }),
      ...rows,
    );
  }

  // -- actions ----------------------------------------------------------------------------------------
  _open(queue, words) {
    this.on.open("train", { queue }, words);
  }

  // Switch on or off. The settings stay.
  _turn() {
    const { on, target, budget, test } = this.state;
    return on ? this._do("stop") : this._do("start", { target, budget, test });
  }

  async _do(what, settings = {}) {
    const focused = /** @type {HTMLButtonElement} */ (document.activeElement);
    const isFocused = [this.switch, this.start, this.train].includes(focused);
    try {
      await this.on.ask("assist", { do: what, ...settings });
      if (isFocused && (focused.hidden || focused.disabled))
        (this.state.on ? this.switch : this.start).focus({ preventScroll: true });
      return true;
    } catch (error) {
      this.on.said(error.message, { kind: "error" });
      return false;
    }
  }

  _openPanel(opener, title, ...children) {
    if (!this.panel.isOpen) this.panel.onceClosed(() => opener.focus({ preventScroll: true }));
    this.panel.open(title, ...children);
  }

  _openSettings() {
    const { target, budget, test } = this.state;
    const choice = (name, entries, value) =>
      element(
        "select",
        { data: { choice: name }, attributes: { "aria-label": name } },
        ...entries.map(([item, text]) =>
          element("option", { value: item, text, selected: String(item) === String(value) }),
        ),
      );
    const targets = [...new Set([...TARGETS, target])]
      .sort()
      .map((item) => [item, percentText(item)]);
    const budgets = Object.entries(
      BUDGETS[budget] || !budget ? BUDGETS : { [budget]: budget, ...BUDGETS },
    );
    const [aim, time] = [
      choice("target", targets, target),
      choice("budget", budgets, budget ?? "2min"),
    ];
    aim.dataset.first = "";
    const box = element("input", {
      type: "checkbox",
      checked: Boolean(test),
      data: { choice: "test" },
    });
    const save = async () => {
      if (
        await this._do("start", {
          target: Number(aim.value),
          budget: time.value,
          test: box.checked,
        })
      )
        this.panel.close();
    };
    const row = (words, field, more) =>
      element(
        "p",
        {},
        element("label", {}, words, element("span", { class: "menu" }, field)),
        element("span", { class: "faint", text: ` ${more}` }),
      );
    this._openPanel(
      this.settings,
      "Settings of assist",
      row("Promise: ", aim, "of the predictions shown are right"),
      row("Training: ", time, "at most, for each run"),
      element(
        "p",
        {},
        element(
          "label",
          { class: "choice-box" },
          box,
          element("span", { text: "Help with test images, too" }),
        ),
      ),
      element("p", {
        class: "faint",
        text: "Metrics on images that were labelled with the model's help are too optimistic. Reports say so.",
      }),
      element(
        "div",
        { class: "choices" },
        button("Save", save, { class: "primary" }),
        button("Cancel", () => this.panel.close()),
      ),
    );
  }

  async _askRest() {
    const stays = element("p", {
      class: "faint",
      text: "Training on the labels that people gave…",
      attributes: { role: "status" },
    });
    this._openPanel(
      this.rest,
      "Label the rest",
      stays,
      element(
        "div",
        { class: "choices" },
        button("Close", () => this.panel.close(), { data: { first: "" } }),
      ),
    );
    this.asking = stays;
    try {
      await this.on.ask("assist rest", {});
    } catch (error) {
      this.finish({ error: error.message });
    }
  }

  // A training for this page has ended: tell its error, or ask whether the images that it found shall be labelled.
  finish({ error, rest = null }) {
    const asking = this.asking?.isConnected;
    this.asking = null;
    if (asking && error) this.panel.close();
    if (error && error !== this.state?.error) this.on.said(error, { kind: "error" });
    if (!asking || !rest) return;
    const { text, images, labels } = rest;
    const each = labels.map(([label, count]) =>
      element("li", {}, element("bdi", { text: label }), `: ${numeral(count)}`),
    );
    const apply = images
      ? [
          button(`Label ${counted(images, "image")}`, () => this._applyRest(), {
            class: "primary",
            data: { first: "" },
          }),
        ]
      : [];
    const more =
      "These labels are marked as the model's. Training leaves them out unless you ask " +
      "for them. One undo takes all of them back.";
    this._openPanel(
      this.rest,
      "Label the rest",
      element("p", { text }),
      element("ul", { class: "losses" }, ...each),
      ...(images ? [element("p", { class: "faint", text: more })] : []),
      element(
        "div",
        { class: "choices" },
        ...apply,
        button(
          images ? "Cancel" : "Close",
          () => this.panel.close(),
          images ? {} : { data: { first: "" } },
        ),
      ),
    );
  }

  async _applyRest() {
    this.panel.close();
    try {
      const { images, action } = await this.on.ask("assist apply", {});
      const step = { label: "Undo", run: () => this._undo(action) };
      this.on.said(`The model labelled ${counted(images, "image")}.`, images ? { step } : {});
    } catch (error) {
      this.on.said(error.message, { kind: "error" });
    }
  }

  async _undo(id) {
    try {
      const { images } = await this.on.ask("history undo", { id });
      this.on.said(`The labels of ${counted(images, "image")} were taken back.`);
    } catch (error) {
      this.on.said(error.message, { kind: "error" });
    }
  }

  // -- painting ---------------------------------------------------------------------------------------
  draw(state, labels = this.labels) {
    this.state = state;
    this.labels = labels;
    show(this.node, Boolean(state));
    if (!state) return;
    this.node.classList.toggle("off", !state.on);
    const { on, read_only: readOnly, elsewhere, running } = state;
    const may = on && !readOnly;
    for (const node of [this.switch, this.switchWord, this.columns, this.advice]) show(node, on);
    for (const node of [this.settings, this.rest, this.train]) show(node, may);
    show(this.start, !on && !readOnly);
    this.switch.setAttribute("aria-checked", String(on));
    this.switch.disabled = readOnly;
    this.train.disabled = Boolean(elsewhere || running);
    setText(this.purpose, purposeText(state));
    if (!on) return;
    this._drawNext(state);
    this._drawPromise(state);
    const shares = queueShares(state.queues);
    for (const [kind, { bar, link }] of Object.entries(this.queues)) {
      const count = state.queues[kind] ?? 0;
      fill(bar, shares[kind] ?? 0);
      setText(link, numeral(count));
      link.disabled = !count;
      link.title =
        link.ariaLabel = `Show ${counted(count, "image")}: ${ASSIST_QUEUES[kind].join(", ")}`;
    }
    this._drawAdvice(state);
  }

  _drawNext(state) {
    const { before, large, after, share, caption } = nextParts(state);
    [before, large, after].forEach((text, index) => setText(this.nextWords[index], text));
    this.nextBar.classList.toggle("busy", Boolean(state.running && !state.running.total));
    fill(this.nextBar, share);
    setText(this.nextCaption, caption);
    setText(this.ended, state.running || !state.ended ? "" : agoText(state.ended));
    stepRows(state).forEach(([, amount, took, kind], index) => {
      const row = this.steps[index];
      setText(row.children[1], amount);
      setText(row.children[2], took);
      row.className = `step ${kind}`;
    });
  }

  _drawPromise(state) {
    const { large, after, faint, measured, of } = promiseParts(state);
    [large, after, faint].forEach((text, index) => setText(this.promiseWords[index], text));
    for (const node of this.measured.slice(0, 2)) show(node, Boolean(measured));
    setText(this.measured[1], measured);
    setText(this.measured[2], of);
    const { promise, accepted, corrected, target, left } = state;
    // without a promise, all labels are missing
    const missing = promise ? state.missing.filter(([, more]) => more <= (left ?? Infinity)) : [];
    const drawn = JSON.stringify([
      promise,
      missing,
      accepted,
      corrected,
      target,
      this.labels.map(([label]) => label),
    ]);
    if (drawn === this.drawn) return; // so that a focused link remains
    this.drawn = drawn;
    this._drawInterval(promise, target);
    const links = missing
      .slice(0, MOST_MISSING)
      .flatMap(([label, more], index) => [
        index ? "; " : " ",
        element("bdi", {}, this._labelLink(label)),
        index
          ? `: ${numeral(more)} more`
          : ` not yet: ${counted(more, "more label", "more labels")} until it can be trusted`,
      ]);
    const others =
      missing.length > MOST_MISSING
        ? `; and ${counted(missing.length - MOST_MISSING, "other label")}`
        : "";
    const answered =
      accepted || corrected
        ? `${numeral(accepted)} accepted as shown, ${numeral(corrected)} corrected.`
        : "Nothing accepted or corrected yet.";
    const shown = promise
      ? ` Predictions surer than ${sureText(promise.threshold)} are shown${missing.length ? ";" : "."}`
      : "";
    this.answers.replaceChildren(
      answered,
      shown,
      ...links,
      `${others}${missing.length ? "." : ""}`,
    );
  }

  _labelLink(label) {
    if (!this.labels.some(([item]) => item === label)) return label;
    return button(label, () => this.on.open("train", { label }, `train, ${isolated(label)}`), {
      class: "plain link",
      data: { figure: `missing ${label}` },
    });
  }

  _drawInterval(promise, target) {
    const start = axisStart(target, promise?.bound);
    const offset = (share) => `${(100 * Math.max(0, share - start)) / (1 - start)}%`;
    const line = (kind, from, to, y = [14, 14]) =>
      svgElement("line", { class: kind, x1: offset(from), x2: offset(to), y1: y[0], y2: y[1] });
    const words = promise
      ? `measured ${percentText(promise.right / promise.shown)}, lower bound ` +
        `${percentText(promise.bound)}; guaranteed ${percentText(target)}`
      : `nothing measured yet; to be guaranteed: ${percentText(target)}`;
    this.chart.setAttribute("aria-label", words);
    const tick = (share, anchor) =>
      svgText(offset(share), 40, percentText(share), { "text-anchor": anchor });
    this.chart.replaceChildren(
      svgElement("rect", {
        class: "promised",
        x: offset(target),
        y: 8,
        width: offset(1 - target + start),
        height: 12,
      }),
      line("axis", start, 1),
      ...(promise
        ? [
            line("range", promise.bound, 1),
            svgElement("circle", {
              class: "point",
              cx: offset(promise.right / promise.shown),
              cy: 14,
              r: 5,
            }),
          ]
        : []),
      line("aim", target, target, [4, 24]),
      tick(start, "start"),
      tick(target, "middle"),
      tick(1, "end"),
    );
  }

  // The last line has the advice or, more important, why there is no training.
  _drawAdvice({ advice: latest, left, error, elsewhere, running, ended, note }) {
    const advice = left !== 0 ? latest : { text: "All training images are labelled or skipped." };
    const trouble =
      error ||
      (elsewhere && !running
        ? "Another kernel trains this project. Its results are shown here as soon as they are ready."
        : "");
    const known = JSON.stringify([advice, trouble, ended, note, this.labels]);
    if (known === this.said) return;
    this.said = known;
    const { before, gain, interval, label, after } = adviceParts(advice, { ended, note });
    this.advice.classList.toggle("error", Boolean(error));
    const colors = this.labels.map(([item, color]) => ({ label: item, color }));
    const parts =
      gain === undefined
        ? [before]
        : [
            `${before} `,
            element("strong", { text: gain }),
            " ",
            element("span", { class: "faint", text: interval }),
            ...(label ? [", mostly for ", chip(label, colorOf(label, colors))] : []),
            after,
          ];
    this.words.replaceChildren(...(trouble ? [trouble] : parts));
    show(this.asked, !trouble && Boolean(advice?.more));
    setText(this.asked, advice?.more ? `Label these ${numeral(advice.more)}` : "");
  }
}
