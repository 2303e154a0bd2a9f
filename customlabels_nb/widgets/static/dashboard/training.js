// What waits, what the next training would use, and what a check found.

import { element, show } from "../shared/dom.js";
import { SIDES, counted, momentText, numeral } from "./text.js";

const QUEUE_NAMES = { unlabelled: "to label by hand", predicted: "with a model's prediction to accept", needs_review: "to review" };

export class Training {
  // `on` has open(split, link, words), check(), stop().
  constructor(on) {
    this.on = on;
    this.queue = element("div", { class: "queue" });
    this.words = element("div", { class: "training-words" });
    this.checkWords = element("p", { class: "faint" });
    this.checkButton = element("button", { type: "button", class: "check", text: "Check", title: "Look for what will limit the next training: labels, files, boxes, copies", on: { click: on.check } });
    this.stopButton = element("button", { type: "button", text: "Stop", hidden: true, on: { click: on.stop } });
    this.findings = element("ul", { class: "findings" });
    this.node = element(
      "div", { class: "pair" },
      element("section", { class: "next", attributes: { "aria-label": "queue and next training" } }, element("h3", { text: "Queue" }), this.queue, element("h3", { text: "Next training" }), this.words),
      element("section", { class: "checked", attributes: { "aria-label": "check" } }, element("div", { class: "title" }, element("h3", { text: "Before training" }), this.checkButton, this.stopButton), this.checkWords, this.findings),
    );
  }

  // Numbers by dataset, each a link to its images.
  _links(counts, link, what) {
    const some = SIDES.filter((split) => counts[split]);
    return some.flatMap((split, index) => [
      index ? element("span", { class: "faint", text: " · " }) : null,
      element("button", {
        type: "button", class: "plain number link", text: `${numeral(counts[split])} ${split}`, title: `${counted(counts[split], "image")} ${what}, ${split}: show them`,
        data: { figure: `${Object.keys(link)[0]} ${Object.values(link)[0]} ${split}` },
        on: { click: () => this.on.open(split, link, `${counted(counts[split], "image")} ${what}, ${split}`) },
      }),
    ]);
  }

  draw({ queue, usable, version, labels }) {
    const rows = Object.entries(queue).filter(([, [train, test]]) => train + test);
    this.queue.replaceChildren(...(rows.length ? rows.map(([kind, [train, test]]) => element(
      "div", { class: "queue-row" }, element("strong", { text: numeral(train + test) }), element("span", { text: QUEUE_NAMES[kind] }), element("span", {}, ...this._links({ train, test }, { queue: kind }, QUEUE_NAMES[kind])),
    )) : [element("p", { class: "faint", text: "Nothing waits." })]));
    const lines = [];
    const inUse = labels.filter(([, , train]) => train).length;
    if (!usable.train) lines.push(element("p", { text: "There is no labelled training image yet." }));
    else lines.push(element("p", { text: `${counted(usable.train, "labelled training image")} of ${counted(inUse, "label")}, ${counted(usable.test, "labelled test image")}${usable.test ? "" : ": a share of the others would be set aside"}.` }));
    if (version) lines.push(...this._version(version));
    else lines.push(element("p", { class: "faint", text: "No model was trained yet: project.train() makes the first version." }));
    this.words.replaceChildren(...lines);
  }

  _version({ name, created, f1, changes, changed_at: changedAt, labelled }) {
    const score = f1 === null ? "" : `, F1 ${f1.toFixed(3)}`;
    const latest = element("p", {}, "Latest version ", element("bdi", { text: name }), ` (${momentText(created)}${score}).`);
    if (!changes) return [latest, element("p", { class: "faint", text: "Nothing was changed since: training again would make the same model." })];
    const links = this._links(labelled, { since: created }, "labelled since");
    return [latest, element("p", {}, `Changed since ${momentText(changedAt)}: ${counted(changes, "action")}`, ...(links.length ? [", labelled: ", ...links] : []), ".")];
  }

  drawCheck({ state, progress, error, result }, seen) {
    show(this.stopButton, state === "running");
    this.checkButton.disabled = state === "running";
    this.checkButton.textContent = result ? "Check again" : "Check";
    this.checkWords.textContent = this._checkWords(state, progress, error, result, seen);
    if (!result) {
      this.findings.replaceChildren();
      return;
    }
    const plan = result.plan.map((text) => element("li", { class: "finding-row plan" }, element("span", { class: "severity", text: "training" }), element("span", { class: "said" }, element("span", { text }))));
    this.findings.replaceChildren(...plan, ...result.findings.map((finding, number) => element(
      "li", { class: `finding-row ${finding.severity}` }, element("span", { class: "severity", text: finding.severity }),
      element("span", { class: "said" }, element("span", { text: finding.message }), element("span", { class: "faint", text: finding.advice }), element("span", {}, ...this._links(finding.splits, { finding: number }, "with this finding"))),
    )));
  }

  _checkWords(state, progress, error, result, seen) {
    if (state === "running") return progress ? `Looking at ${progress.phase}: ${numeral(progress.done)}${progress.total ? ` of ${numeral(progress.total)}` : ""}…` : "Looking…";
    if (state === "failed") return `The check failed: ${error}`;
    if (state === "stopped") return "The check was stopped.";
    if (!result) return "Not checked yet. A check says what will limit the result: labels, files, boxes, copies on both sides.";
    const stale = result.seen === seen ? "" : " Something was changed since.";
    return (result.findings.length ? "The worst comes first." : "Nothing was found that would limit the result.") + stale;
  }
}
