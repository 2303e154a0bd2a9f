// Open work, summary of the training data, and results of the check.

import { counted, numeral } from "../shared/numbers.js";
import { element, show } from "../shared/dom.js";
import { SIDES, momentText } from "./text.js";

const QUEUE_NAMES = {
  unlabelled: "to label",
  predicted: "with predictions to accept",
  needs_review: "to review",
};

export class Training {
  // `on` has open(split, link, words), check(), stop().
  constructor(on) {
    this.on = on;
    this.queue = element("div", { class: "queue" });
    this.words = element("div", { class: "training-words" });
    this.checkWords = element("p", { class: "faint" });
    this.checkButton = element("button", {
      class: "check",
      text: "Check",
      title: "Check labels, files, boxes and duplicates before training",
      on: { click: on.check },
    });
    this.stopButton = element("button", {
      text: "Stop",
      hidden: true,
      on: { click: on.stop },
    });
    this.findings = element("ul", { class: "findings" });
    this.node = element(
      "div",
      { class: "pair" },
      element(
        "section",
        { class: "next", attributes: { "aria-label": "Open work and training data" } },
        element("h3", { text: "Open work" }),
        this.queue,
        element("h3", { text: "Training data" }),
        this.words,
      ),
      element(
        "section",
        { class: "checked", attributes: { "aria-label": "Check" } },
        element(
          "div",
          { class: "title" },
          element("h3", { text: "Before training" }),
          this.checkButton,
          this.stopButton,
        ),
        this.checkWords,
        this.findings,
      ),
    );
  }

  // Create numbers by dataset as links to their images or boxes.
  _links(counts, link, what, unit = ["image"]) {
    const some = SIDES.filter((split) => counts[split]);
    return some.flatMap((split, index) => [
      index ? element("span", { class: "faint", text: " · " }) : null,
      element("button", {
        class: "plain number link",
        text: `${numeral(counts[split])} ${split}`,
        title: `Show ${counted(counts[split], ...unit)} ${what}, ${split}`,
        data: { figure: `${Object.keys(link)[0]} ${Object.values(link)[0]} ${split}` },
        on: {
          click: () =>
            this.on.open(split, link, `${counted(counts[split], ...unit)} ${what}, ${split}`),
        },
      }),
    ]);
  }

  draw({ queue, usable, version, labels }) {
    const rows = Object.entries(queue).filter(([, [train, test]]) => train + test);
    this.queue.replaceChildren(
      ...(rows.length
        ? rows.map(([kind, [train, test]]) =>
            element(
              "div",
              { class: "queue-row" },
              element("strong", { text: numeral(train + test) }),
              element("span", { text: QUEUE_NAMES[kind] }),
              element(
                "span",
                {},
                ...this._links({ train, test }, { queue: kind }, QUEUE_NAMES[kind]),
              ),
            ),
          )
        : [element("p", { class: "faint", text: "The queue is empty." })]),
    );
    const lines = [];
    const inUse = labels.filter(([, , train]) => train).length;
    if (!usable.train)
      lines.push(element("p", { text: "There are no labelled training images yet." }));
    else
      lines.push(
        element("p", {
          text:
            `${counted(usable.train, "labelled training image")} of ${counted(inUse, "label")}, ` +
            counted(usable.test, "labelled test image") +
            (usable.test ? "." : " (some training images will be set aside for testing)."),
        }),
      );
    if (version) lines.push(...this._version(version));
    else
      lines.push(
        element("p", {
          class: "faint",
          text: "No model has been trained yet.",
        }),
      );
    this.words.replaceChildren(...lines);
  }

  _version({ name, created, f1, changes, changed_at: changedAt, labelled }) {
    const score = f1 === null ? "" : `, F1 ${f1.toFixed(3)} as trained`;
    const latest = element(
      "p",
      {},
      "Latest version ",
      element("bdi", { text: name }),
      ` (${momentText(created)}${score}).`,
    );
    if (!changes)
      return [
        latest,
        element("p", {
          class: "faint",
          text: "No changes since then. Training again would give the same model.",
        }),
      ];
    const links = this._links(labelled, { since: created }, "labelled since");
    return [
      latest,
      element(
        "p",
        {},
        `Changed since ${momentText(changedAt)}: ${counted(changes, "action")}`,
        ...(links.length ? [", labelled: ", ...links] : []),
        ".",
      ),
    ];
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
    const plan = result.plan.map((text) =>
      element(
        "li",
        { class: "finding-row plan" },
        element("span", { class: "severity", text: "training" }),
        element("span", { class: "said" }, element("span", { text })),
      ),
    );
    this.findings.replaceChildren(
      ...plan,
      ...result.findings.map((finding, number) =>
        element(
          "li",
          { class: `finding-row ${finding.severity}` },
          element("span", { class: "severity", text: finding.severity }),
          element(
            "span",
            { class: "said" },
            element("span", { text: finding.message }),
            element("span", { class: "faint", text: finding.advice }),
            element(
              "span",
              {},
              ...this._links(finding.splits, { finding: number }, "with this issue"),
            ),
            this._crops(finding, number),
          ),
        ),
      ),
    );
  }

  // Link to the boxes of a finding, or return nothing if it is about images.
  _crops({ code, boxes }, number) {
    const links = this._links(boxes, { boxes: number }, "with this issue", ["box", "boxes"]);
    const what = code === "BOX_REPEATED" ? "Remove the twins: " : "As crops: ";
    return links.length ? element("span", {}, what, ...links) : null;
  }

  _checkWords(state, progress, error, result, seen) {
    if (state === "running")
      return progress
        ? `Checking ${progress.phase}: ` +
            `${numeral(progress.done)}${progress.total ? ` of ${numeral(progress.total)}` : ""}…`
        : "Checking…";
    if (state === "failed") return `Check failed: ${error}`;
    if (state === "stopped") return "Check stopped.";
    if (!result)
      return "Not checked yet. A check finds problems with labels, files, boxes, and duplicates in train and test.";
    const stale = result.seen === seen ? "" : " The project has changed since then.";
    return (result.findings.length ? "Most severe issues first." : "No issues found.") + stale;
  }
}
