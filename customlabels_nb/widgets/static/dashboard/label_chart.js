// Chart of images by label: train and test side by side with separate scales, labels in order.

import { counted, numeral } from "../shared/numbers.js";
import {
  Marks,
  bar,
  barChart,
  barLength,
  niceTicks,
  svgElement,
  svgText,
} from "../shared/charts.js";
import { element, show } from "../shared/dom.js";
import { SIDES, isolated } from "./text.js";

const ROW = 22;
const THICK = 12;
const AXIS = 18;
const SHOWN_FIRST = 20;

export class LabelChart {
  constructor(tooltip, open) {
    this.open = open;
    this.all = false;
    this.rows = element("div", { class: "label-rows" });
    this.more = element("button", {
      class: "plain",
      hidden: true,
      on: {
        click: () => {
          this.all = !this.all;
          this.redraw();
        },
      },
    });
    this.empty = element("p", {
      class: "faint",
      hidden: true,
      text: "No labels yet. Add some in the gallery or with project.labels.add(…).",
    });
    this.node = element(
      "section",
      { class: "label-chart", attributes: { "aria-label": "Images by label" } },
      element("h3", { text: "Images by label" }),
      this.rows,
      this.more,
      this.empty,
    );
    this.marks = new Marks(this.node, tooltip);
  }

  draw({ labels }, width) {
    this.redraw = () => this._draw(labels, width);
    this.redraw();
  }

  _draw(labels, width) {
    const shown = this.all ? labels : labels.slice(0, SHOWN_FIRST);
    show(this.empty, !labels.length);
    show(this.rows, labels.length > 0);
    show(this.more, labels.length > SHOWN_FIRST);
    this.more.textContent = this.all
      ? `Show the first ${SHOWN_FIRST}`
      : `Show all ${numeral(labels.length)} labels`;
    this.rows.classList.toggle("many", this.all && labels.length > SHOWN_FIRST);
    const names = element(
      "div",
      { class: "names", style: { "padding-top": `${AXIS}px` } },
      ...shown.map(([label, color]) =>
        element(
          "div",
          { class: "name", title: label, style: { "--label-color": color, height: `${ROW}px` } },
          element("i", { class: "dot", attributes: { "aria-hidden": "true" } }),
          element("bdi", { text: label }),
        ),
      ),
    );
    const space = Math.max(70, (width - Math.min(150, width * 0.3) - 30) / 2);
    this.marks.replace(
      this.rows,
      names,
      ...SIDES.map((split, index) => this._side(split, shown, index + 2, labels, space)),
    );
  }

  _side(split, shown, column, labels, width) {
    const most = Math.max(0, ...labels.map((row) => row[column]));
    const ticks = niceTicks(most, width < 140 ? 2 : 3);
    const room = width - 14 - 7 * numeral(most).length;
    const height = AXIS + shown.length * ROW;
    const chart = barChart(width, height, `Images by label, ${split}`);
    chart.append(svgText(0, 11, split, { class: "side-name" }));
    for (const tick of ticks.slice(1)) {
      const x = (tick / ticks.at(-1)) * room;
      chart.append(
        svgElement("line", { class: "grid-line", x1: x, x2: x, y1: AXIS - 3, y2: height }),
      );
      // ticks must not cover the name of the dataset
      if (x - 3.5 * numeral(tick).length > 32)
        chart.append(svgText(x, 11, numeral(tick), { class: "scale", "text-anchor": "middle" }));
    }
    chart.append(
      svgElement("line", { class: "axis-line", x1: 0.5, x2: 0.5, y1: AXIS - 3, y2: height }),
    );
    shown.forEach((row, index) => {
      const [label, color] = row;
      const text = `${isolated(label)}, ${split}: ${counted(row[column], "image")}`;
      const y = AXIS + index * ROW;
      const length = barLength(row[column], ticks.at(-1), room);
      if (length)
        chart.append(
          bar({
            x: 1,
            y: y + (ROW - THICK) / 2,
            width: length,
            height: THICK,
            key: `${split} ${label}`,
            kind: `labelled-bar ${split}`,
            color,
            said: text,
            room: { x: 0, y, width: room, height: ROW },
            onOpen: () => this.open(split, { label }, text),
          }),
        );
      chart.append(
        svgText(length + 6, y + ROW / 2 + 4, numeral(row[column]), {
          class: row[column] ? "value" : "value none",
        }),
      );
    });
    return chart;
  }
}
