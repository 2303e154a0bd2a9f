// Line chart of metrics by step. The legend shows the latest values, or those at the hovered step.

import { svgElement, svgText } from "../shared/charts.js";
import { element, keepKeys, setText } from "../shared/dom.js";
import {
  curvePath,
  cursorAfter,
  extent,
  nearestIndex,
  niceRange,
  pointAt,
  stepsOf,
} from "./curves.js";
import { captionOf, clockText, figureText } from "./text.js";

const HEIGHT = 150;
const MARGIN = { left: 40, right: 12, top: 10, bottom: 22 };
export const MOST_CURVES = 5;

export class CurveChart {
  // `point(step or null)` is called with the hovered step, in any chart.
  constructor(title, point) {
    this.point = point;
    this.figures = [];
    this.cursor = null;
    this.title = element("h3", { text: title });
    this.place = element("span", { class: "place faint" });
    this.legend = element("div", { class: "legend" });
    this.svg = svgElement("svg", { class: "chart", height: HEIGHT, "aria-hidden": "true" });
    this.lines = svgElement("g", {});
    this.pointer = svgElement("g", { class: "pointer" });
    this.svg.append(this.lines, this.pointer);
    this.plot = keepKeys(
      element(
        "div",
        {
          class: "plot",
          tabIndex: 0,
          attributes: { role: "slider", "aria-label": `${title} by step`, "aria-valuemin": "0" },
        },
        this.svg,
      ),
    );
    this.node = element(
      "section",
      { class: "curves" },
      element("div", { class: "title" }, this.title, this.place),
      this.legend,
      this.plot,
    );
    this.plot.addEventListener("pointermove", (event) => this._follow(event));
    this.plot.addEventListener("pointerleave", () => this.point(null));
    this.plot.addEventListener("blur", () => this.point(null));
    this.plot.addEventListener("keydown", (event) => this._key(event));
  }

  draw(figures, total, width) {
    this.figures = figures.slice(0, MOST_CURVES);
    this.steps = stepsOf(this.figures);
    const right = width - MARGIN.right;
    const last = Math.max(total ?? 0, this.steps.at(-1) ?? 1, 1);
    const range = niceRange(...extent(this.figures), 4);
    this.last = last;
    this.x = (step) => MARGIN.left + (step / last) * (right - MARGIN.left);
    this.y = (value) =>
      HEIGHT -
      MARGIN.bottom -
      ((value - range.low) / (range.high - range.low)) * (HEIGHT - MARGIN.bottom - MARGIN.top);
    this.svg.setAttribute("width", width);
    const parts = range.ticks.flatMap((tick) => [
      svgElement("path", {
        class: tick === range.low ? "axis-line" : "grid-line",
        d: `M${MARGIN.left} ${this.y(tick)}H${right}`,
      }),
      svgText(MARGIN.left - 6, this.y(tick) + 4, Number(tick.toPrecision(6)).toLocaleString("en"), {
        class: "scale",
        "text-anchor": "end",
      }),
    ]);
    const room = (right - MARGIN.left) / 70;
    for (const step of niceRange(0, last, Math.max(1, Math.min(5, Math.floor(room)))).ticks) {
      if (step <= last && Number.isInteger(step))
        parts.push(
          svgText(this.x(step), HEIGHT - 6, step.toLocaleString("en"), {
            class: "scale",
            "text-anchor": step === last ? "end" : "middle",
          }),
        );
    }
    this.figures.forEach((figure, index) => {
      parts.push(
        svgElement("path", {
          class: `curve curve-${index}`,
          d: curvePath(figure.points, this.x, this.y),
        }),
      );
      if (figure.best)
        parts.push(
          svgElement("circle", {
            class: `best curve-${index}`,
            cx: this.x(figure.best[0]),
            cy: this.y(figure.best[1]),
            r: 4.5,
          }),
        );
    });
    this.lines.replaceChildren(...parts);
    this.plot.setAttribute("aria-valuemax", String(last));
    this.mark(this.cursor);
  }

  // Show the values at a step, or the latest ones for null.
  mark(cursor) {
    this.cursor = cursor;
    if (!this.x) return;
    const step = cursor ?? this.steps.at(-1) ?? 0;
    const points = this.figures.map((figure) => pointAt(figure.points, step));
    this._describe(points);
    const nearest = points.find(Boolean);
    setText(
      this.place,
      cursor === null || !nearest
        ? ""
        : `step ${cursor.toLocaleString("en")} · ${clockText(nearest[1])}`,
    );
    this.pointer.replaceChildren(
      ...(cursor === null
        ? []
        : [
            svgElement("path", {
              class: "cursor",
              d: `M${this.x(step)} ${MARGIN.top}V${HEIGHT - MARGIN.bottom}`,
            }),
            ...points.map(
              (point, index) =>
                point &&
                point[2] !== null &&
                svgElement("circle", {
                  class: `dot-at curve-${index}`,
                  cx: this.x(point[0]),
                  cy: this.y(point[2]),
                  r: 3.5,
                }),
            ),
          ].filter(Boolean)),
    );
    const text = this.figures.map(
      (figure, index) => `${captionOf(figure.name)} ${figureText(points[index]?.[2])}`,
    );
    this.plot.setAttribute("aria-valuenow", String(step));
    this.plot.setAttribute("aria-valuetext", `step ${step}: ${text.join(", ")}`);
  }

  _describe(points) {
    while (this.legend.childElementCount > this.figures.length) this.legend.lastChild.remove();
    this.figures.forEach((figure, index) => {
      if (!this.legend.children[index]) this.legend.append(legendEntry(index));
      const [, name, value, best] = this.legend.children[index].children;
      setText(name, captionOf(figure.name));
      name.title = figure.name;
      setText(value, figureText(points[index]?.[2]));
      setText(
        best,
        figure.best && index
          ? `● best ${figureText(figure.best[1])} at step ${figure.best[0].toLocaleString("en")}`
          : "",
      );
    });
  }

  _follow(event) {
    if (!this.steps?.length) return;
    const frame = this.svg.getBoundingClientRect();
    const step =
      ((event.clientX - frame.left - MARGIN.left) / (frame.width - MARGIN.left - MARGIN.right)) *
      this.last;
    this.point(this.steps[nearestIndex(this.steps, step)]);
  }

  _key(event) {
    const steps = this.steps ?? [];
    if (event.key === "Escape" && this.cursor !== null) this.point(null);
    else {
      const next = cursorAfter(
        event.key,
        this.cursor === null ? null : nearestIndex(steps, this.cursor),
        steps.length,
      );
      if (next === null) return;
      this.point(steps[next]);
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

function legendEntry(index) {
  const sample = svgElement(
    "svg",
    { class: "stroke", width: 22, height: 8, "aria-hidden": "true" },
    svgElement("path", { class: `curve curve-${index}`, d: "M1 4H21" }),
  );
  return element(
    "span",
    { class: "entry" },
    sample,
    element("bdi", {}),
    element("strong", { class: "value" }),
    element("span", { class: "faint best-words" }),
  );
}
