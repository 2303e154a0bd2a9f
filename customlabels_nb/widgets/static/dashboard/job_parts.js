// Parts of a labelling job's dashboard: the bar of states, the chart of agreement over time, and intervals.

import { numeral } from "../shared/numbers.js";
import { Marks, stackedBar, svgElement, svgText } from "../shared/charts.js";
import { element } from "../shared/dom.js";
import { curvePath, niceRange } from "../training_view/curves.js";
import { agoText } from "./assist_text.js";
import { shareText, slotCaption } from "./text.js";

export const STATE_NAMES = {
  done: "done",
  review: "to review",
  working: "being answered",
  waiting: "waiting",
  skipped: "skipped",
};
const BAR_HEIGHT = 20;
const CHART_HEIGHT = 170;
const MARGIN = { left: 34, right: 46, top: 10, bottom: 22 };
const LONG = 36 * 3_600_000_000; // microseconds; longer times are shown by day

export function decimals(value) {
  return value === null ? "–" : value.toFixed(2);
}

export function intervalText(low, high) {
  return low === null ? "" : `[${decimals(low)}, ${decimals(high)}]`;
}

// "now" for somebody who was here in the last minute.
export function seenText(microseconds, now = Date.now()) {
  return microseconds === null
    ? "never"
    : agoText(new Date(microseconds / 1000).toISOString(), now).replace("just now", "now");
}

// Describe what the job asks for: "300 images · 3 answers each, at most 5 · 30 people".
export function settingsText({ images, settings, people }) {
  const { annotators, max_annotators: most } = settings;
  const answers =
    `${numeral(annotators)} ${annotators === 1 ? "answer" : "answers"} ` +
    `each${most > annotators ? `, at most ${most}` : ""}`;
  return [
    `${numeral(images)} ${images === 1 ? "image" : "images"}`,
    answers,
    ...(people ? [`${numeral(people.length)} ${people.length === 1 ? "person" : "people"}`] : []),
  ].join(" · ");
}

// Return [left, width] of an interval on a track from 0 to 1, as percentages.
export function spanOn(low, high) {
  const [from, to] = [low, high].map((value) => 100 * Math.max(0, Math.min(1, value)));
  return [from, to - from];
}

// Draw a value on a track from 0 to 1, with its interval.
export function track(value, low = null, high = null) {
  /**
   * @param {string} kind
   * @param {number[]} span
   */
  const bounds = (kind, [left, width]) =>
    element("i", { class: kind, style: { left: `${left}%`, width: `${width}%` } });
  return element(
    "span",
    { class: "track", attributes: { "aria-hidden": "true" } },
    low !== null ? bounds("range", spanOn(low, high)) : null,
    value !== null ? bounds("point", spanOn(value, value)) : null,
  );
}

export class StateBar {
  // `open(state, words)` shows the images in a state.
  constructor(tooltip, open) {
    this.open = open;
    this.node = element("div", { class: "state-bar" });
    this.marks = new Marks(this.node, tooltip);
  }

  draw(states, width) {
    const names = Object.keys(STATE_NAMES);
    const total = names.reduce((sum, state) => sum + states[state], 0);
    const parts = names.map((state) => ({
      count: states[state],
      key: state,
      kind: `of-${state}`,
      said:
        `${numeral(states[state])} of ${numeral(total)} ${STATE_NAMES[state]} ` +
        `(${shareText(states[state], total)})`,
      onOpen: () => this.open(state),
    }));
    this.marks.replace(this.node, stackedBar(parts, width, BAR_HEIGHT, "States of the images"));
  }
}

// Chart of [time, value, low, high] with a band for the intervals.
export function agreementChart(course, width) {
  const chart = svgElement("svg", {
    class: "chart course",
    width,
    height: CHART_HEIGHT,
    role: "img",
    "aria-label": `Agreement over time: ${course.map(([, value]) => decimals(value)).join(", ")}`,
  });
  const [first, last] = [course[0][0], course.at(-1)[0]];
  const range = niceRange(Math.min(...course.map(([, value, low]) => low ?? value ?? 1)), 1);
  const x = (time) =>
    MARGIN.left +
    ((time - first) / Math.max(1, last - first)) * (width - MARGIN.left - MARGIN.right);
  const y = (value) =>
    CHART_HEIGHT -
    MARGIN.bottom -
    ((value - range.low) / (range.high - range.low)) * (CHART_HEIGHT - MARGIN.top - MARGIN.bottom);
  for (const tick of range.ticks) {
    chart.append(
      svgElement("path", {
        class: "grid-line",
        d: `M${MARGIN.left} ${y(tick)}H${width - MARGIN.right}`,
      }),
      svgText(MARGIN.left - 6, y(tick) + 4, String(tick), { class: "scale", "text-anchor": "end" }),
    );
  }
  const known = course.filter(([, , low]) => low !== null);
  const edge = [
    ...known.map(([time, , , high]) => [time, high]),
    ...known.map(([time, , low]) => [time, low]).reverse(),
  ];
  if (known.length > 1)
    chart.append(
      svgElement("path", {
        class: "within",
        d: `M${edge.map(([time, value]) => `${x(time).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}Z`,
      }),
    );
  chart.append(
    svgElement("path", {
      class: "curve",
      d: curvePath(
        course.map(([time, value]) => [time, 0, value]),
        x,
        y,
      ),
    }),
  );
  const [time, value] = course.findLast(([, item]) => item !== null) ?? [];
  if (time !== undefined)
    chart.append(
      svgElement("circle", { class: "latest", cx: x(time), cy: y(value), r: 4 }),
      svgText(x(time) + 9, y(value) + 4, decimals(value), { class: "value" }),
    );
  const unit = last - first > LONG ? "day" : "hour";
  chart.append(
    svgText(MARGIN.left, CHART_HEIGHT - 5, slotCaption(first, unit), { class: "scale" }),
    svgText(width - MARGIN.right, CHART_HEIGHT - 5, slotCaption(last, unit), {
      class: "scale",
      "text-anchor": "end",
    }),
  );
  return chart;
}
