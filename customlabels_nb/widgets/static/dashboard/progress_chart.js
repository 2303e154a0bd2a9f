// Labelling progress: one stacked bar per dataset, with clickable numbers.

import { numeral } from "../shared/numbers.js";
import { Marks, stackedBar } from "../shared/charts.js";
import { element } from "../shared/dom.js";
import { SIDES, STATUS_NAMES, shareText } from "./text.js";

const BAR_HEIGHT = 16;

export class ProgressChart {
  // `open(split, link, words)` shows images.
  constructor(tooltip, open) {
    this.open = open;
    this.table = element("div", { class: "progress-table" });
    this.node = element(
      "section",
      { class: "progress-of", attributes: { "aria-label": "Progress" } },
      this.table,
    );
    this.marks = new Marks(this.node, tooltip);
  }

  draw({ statuses }, width) {
    const space = Math.max(60, width < 620 ? width - 90 : width - 470);
    const heads = Object.entries(STATUS_NAMES).map(([status, name]) =>
      element(
        "span",
        { class: "head" },
        element("i", { class: `swatch ${status}`, attributes: { "aria-hidden": "true" } }),
        element("span", { text: name }),
      ),
    );
    const rows = SIDES.flatMap((split) => this._row(split, statuses[split], space));
    this.marks.replace(
      this.table,
      element("span", { class: "head side" }),
      element("span", { class: "head" }),
      element("span", { class: "head" }),
      ...heads,
      ...rows,
    );
  }

  _row(split, counts, space) {
    const names = Object.keys(STATUS_NAMES);
    const total = names.reduce((sum, status) => sum + counts[status], 0);
    const words = (status) =>
      `${split}: ${numeral(counts[status])} ${STATUS_NAMES[status]} of ${numeral(total)} ` +
      `(${shareText(counts[status], total)})`;
    const parts = names.map((status) => ({
      count: counts[status],
      key: `${split} ${status}`,
      kind: status,
      said: words(status),
      onOpen: () => this.open(split, { show: status }, words(status)),
    }));
    const chart = stackedBar(parts, space, BAR_HEIGHT, `Progress of ${split}`);
    const numbers = names.map((status) =>
      element("button", {
        class: "plain number",
        text: numeral(counts[status]),
        disabled: !counts[status],
        title: `Show images: ${words(status)}`,
        data: { figure: `${split} ${status}` },
        on: { click: () => this.open(split, { show: status }, words(status)) },
      }),
    );
    return [
      element("span", { class: "side", text: split }),
      element("span", { class: "track-cell" }, chart),
      element("strong", { class: "share", text: shareText(counts.labelled, total) }),
      ...numbers,
    ];
  }
}
