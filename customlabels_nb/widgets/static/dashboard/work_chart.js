// Labelling activity: images by hour or day, and by person.

import { counted, numeral } from "../shared/numbers.js";
import {
  Marks,
  bar,
  barChart,
  barLength,
  captionedSlots,
  niceTicks,
  stackedSpans,
  svgElement,
  svgText,
} from "../shared/charts.js";
import { element, show } from "../shared/dom.js";
import { SIDES, isolated, paceText, slotCaption, slotText } from "./text.js";

const HEIGHT = 130;
const LEFT = 38;
const BOTTOM = 18;
const TOP = 6;
const PERSON = 22;

export class WorkChart {
  // `unit(name)` requests hours or days.
  constructor(tooltip, open, unit) {
    this.open = open;
    this.units = ["hour", "day"].map((name) =>
      element("button", {
        class: "tab",
        text: `by ${name}`,
        data: { unit: name },
        attributes: { role: "tab" },
        on: { click: () => unit(name) },
      }),
    );
    this.slots = element("div", { class: "slots" });
    this.people = element("div", { class: "people" });
    this.empty = element("p", {
      class: "faint",
      hidden: true,
      text: "No images labelled yet. Activity is shown by hour.",
    });
    this.nobody = element("p", { class: "faint", hidden: true, text: "No annotators yet." });
    this.node = element(
      "section",
      { class: "work-chart", attributes: { "aria-label": "Labelling activity" } },
      element(
        "div",
        { class: "title" },
        element("h3", { text: "Images labelled" }),
        element(
          "span",
          { class: "legend" },
          ...SIDES.map((split) =>
            element("span", { class: "head" }, element("i", { class: `swatch ${split}` }), split),
          ),
        ),
        element(
          "div",
          { class: "tabs", attributes: { role: "tablist", "aria-label": "Hours or days" } },
          ...this.units,
        ),
      ),
      this.slots,
      this.empty,
      element("h3", { text: "By person" }),
      this.people,
      this.nobody,
    );
    this.slotMarks = new Marks(this.slots, tooltip);
    this.peopleMarks = new Marks(this.people, tooltip);
  }

  draw({ work, unit, annotators }, width) {
    for (const tab of this.units) {
      tab.classList.toggle("current", tab.dataset.unit === unit);
      tab.setAttribute("aria-selected", String(tab.dataset.unit === unit));
    }
    show(this.empty, !work.length);
    show(this.slots, work.length > 0);
    if (work.length) this.slotMarks.replace(this.slots, this._slots(work, unit, width));
    show(this.nobody, !annotators.length);
    this.peopleMarks.replace(this.people, ...this._people(annotators, width));
  }

  _slots(work, unit, width) {
    const ticks = niceTicks(Math.max(...work.map(([, train, test]) => train + test)), 3);
    const room = width - LEFT;
    const tall = HEIGHT - BOTTOM - TOP;
    const step = Math.min(40, room / work.length);
    const chart = barChart(width, HEIGHT, `Images labelled by ${unit}`);
    for (const tick of ticks) {
      const y = TOP + tall - (tick / ticks.at(-1)) * tall;
      chart.append(
        svgElement("line", {
          class: tick ? "grid-line" : "axis-line",
          x1: LEFT,
          x2: width,
          y1: y,
          y2: y,
        }),
        svgText(LEFT - 5, y + 4, numeral(tick), { class: "scale", "text-anchor": "end" }),
      );
    }
    const captioned = new Set(captionedSlots(work.length, step * work.length, 52));
    work.forEach(([start, ...counts], index) => {
      const x = LEFT + index * step;
      let floor = TOP + tall;
      SIDES.forEach((split, side) => {
        const height = barLength(counts[side], ticks.at(-1), tall);
        if (!height) return;
        const text = `${slotText(start, unit)}, ${split}: ${counted(counts[side], "image")}`;
        floor -= height;
        chart.append(
          bar({
            x: x + 1,
            y: floor,
            width: Math.max(1, step - 2),
            height: Math.max(1, height - (side ? 1 : 0)),
            key: `${start} ${split}`,
            kind: `amount ${split}`,
            said: text,
            onOpen: () => this.open(split, { work: [start, unit] }, text),
          }),
        );
      });
      if (captioned.has(index))
        chart.append(
          svgText(Math.min(x + step / 2, width - 18), HEIGHT - 4, slotCaption(start, unit), {
            class: "scale",
            "text-anchor": "middle",
          }),
        );
    });
    return chart;
  }

  _people(annotators, width) {
    const most = Math.max(0, ...annotators.map(([, train, test]) => train + test));
    const space = Math.max(50, width - Math.min(130, width * 0.3) - 130);
    return annotators.flatMap(([name, train, test, pace]) => {
      const counts = [train, test];
      const length = barLength(train + test, most, space);
      const spans = stackedSpans(counts, length);
      const chart = barChart(space, PERSON, `Images labelled by ${name}`);
      SIDES.forEach((split, side) => {
        const [x, size] = spans[side];
        const text = `${isolated(name)}, ${split}: ${counted(counts[side], "image")}`;
        if (size)
          chart.append(
            bar({
              x,
              y: 5,
              width: size,
              height: 12,
              key: `${name} ${split}`,
              kind: `amount ${split}`,
              said: text,
              onOpen: () => this.open(split, { annotator: name }, text),
            }),
          );
      });
      return [
        element("div", { class: "name", title: name }, element("bdi", { text: name })),
        chart,
        element("span", { class: "number", text: numeral(train + test) }),
        element("span", {
          class: "number faint",
          text: paceText(pace),
          title: "Images per hour of labelling, without imports and pauses of more than 10 minutes",
        }),
      ];
    });
  }
}
