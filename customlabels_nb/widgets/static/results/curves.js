// Chart of F1, precision and recall by threshold, of one label or averaged, with a marker at the current threshold.

import { svgElement, svgText } from "../shared/charts.js";
import { element, setText } from "../shared/dom.js";
import { GRID } from "./engine.js";
import { metricText } from "./text.js";

const WIDTH = 320;
const HEIGHT = 190;
const EDGE = { left: 30, right: 8, top: 20, bottom: 34 };
export const CURVES = ["precision", "recall", "f1"];
const CURVE_NAMES = { f1: "F1", precision: "precision", recall: "recall" };

const across = (threshold) => EDGE.left + threshold * (WIDTH - EDGE.left - EDGE.right);
const down = (value) => EDGE.top + (1 - value) * (HEIGHT - EDGE.top - EDGE.bottom);

// Return the SVG path of a curve, with gaps where there is no value.
export function gridPath(values) {
  let path = "";
  let isDrawn = false;
  for (let step = 0; step < values.length; step += 1) {
    if (Number.isNaN(values[step])) isDrawn = false;
    else {
      path += `${isDrawn ? "L" : "M"}${across(step / GRID).toFixed(1)} ${down(values[step]).toFixed(1)}`;
      isDrawn = true;
    }
  }
  return path;
}

export class CurveView {
  // `onThreshold(value, isSettled)` is called when another threshold is selected in the chart.
  constructor({ onThreshold }) {
    this.paths = Object.fromEntries(
      CURVES.map((name) => [name, svgElement("path", { class: `curve ${name}`, fill: "none" })]),
    );
    this.dots = Object.fromEntries(
      CURVES.map((name) => [name, svgElement("circle", { class: `dot-${name}`, r: 3.5 })]),
    );
    this.line = svgElement("line", { class: "here", y1: EDGE.top, y2: HEIGHT - EDGE.bottom });
    this.said = svgText(0, EDGE.top - 6, "", { class: "here-text", "text-anchor": "middle" });
    const grid = [0, 0.5, 1].flatMap((value) => [
      svgElement("line", {
        class: "grid-line",
        x1: across(0),
        x2: across(1),
        y1: down(value),
        y2: down(value),
      }),
      svgText(EDGE.left - 6, down(value) + 4, String(value), {
        class: "scale",
        "text-anchor": "end",
      }),
      svgText(across(value), HEIGHT - EDGE.bottom + 14, String(value), {
        class: "scale",
        "text-anchor": "middle",
      }),
    ]);
    this.svg = svgElement(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "curves-plot" },
      ...grid,
      svgText(across(0.5), HEIGHT - 4, "threshold", { class: "scale", "text-anchor": "middle" }),
      ...Object.values(this.paths),
      this.line,
      ...Object.values(this.dots),
      this.said,
    );
    this.title = element("bdi", { class: "of" });
    this.values = Object.fromEntries(CURVES.map((name) => [name, element("b")]));
    this.legend = element(
      "div",
      { class: "legend" },
      ...[...CURVES]
        .reverse()
        .map((name) =>
          element(
            "span",
            { class: `key-${name}` },
            element("i", { class: "stroke", attributes: { "aria-hidden": "true" } }),
            `${CURVE_NAMES[name]} `,
            this.values[name],
          ),
        ),
    );
    this.node = element(
      "div",
      { class: "curves" },
      element("div", { class: "curves-title" }, this.title),
      this.svg,
      this.legend,
    );
    this._follow(onThreshold);
  }

  _follow(onThreshold) {
    const thresholdAt = (event) => {
      const frame = this.svg.getBoundingClientRect();
      const x = ((event.clientX - frame.left) / frame.width) * WIDTH;
      return Math.min(
        1,
        Math.max(0, Math.round(((x - EDGE.left) / (WIDTH - EDGE.left - EDGE.right)) * 200) / 200),
      );
    };
    let isHeld = false;
    this.svg.addEventListener("pointerdown", (event) => {
      isHeld = true;
      this.svg.setPointerCapture(event.pointerId);
      onThreshold(thresholdAt(event), false);
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (isHeld) onThreshold(thresholdAt(event), false);
    });
    const end = (event) => {
      if (isHeld) onThreshold(thresholdAt(event), true);
      isHeld = false;
    };
    this.svg.addEventListener("pointerup", end);
    this.svg.addEventListener("pointercancel", () => {
      isHeld = false;
    });
  }

  // `curve` has values on the grid. `now` has the current metrics, which lie on the curves if all labels share one
  // threshold (`isOn`). Without `isMarked`, there is no threshold.
  show({ curve, threshold, now, title, isOn, isMarked = true }) {
    if (curve !== this.curve) {
      this.curve = curve;
      for (const name of CURVES) this.paths[name].setAttribute("d", gridPath(curve[name]));
    }
    setText(this.title, title);
    const x = isMarked ? across(threshold) : 0;
    for (const node of [this.line, this.said]) node.style.display = isMarked ? "" : "none";
    this.line.setAttribute("x1", x);
    this.line.setAttribute("x2", x);
    this.said.setAttribute("x", Math.min(WIDTH - 16, Math.max(16, x)));
    setText(this.said, threshold.toFixed(2));
    for (const name of CURVES) {
      this.dots[name].style.display = isOn ? "" : "none";
      this.dots[name].setAttribute("cx", x);
      this.dots[name].setAttribute("cy", down(now[name]));
      setText(this.values[name], metricText(now[name]));
    }
    this.svg.setAttribute(
      "aria-label",
      `${title}: ` +
        `${isMarked ? `at threshold ${threshold.toFixed(2)}` : "by the most confident label"} F1 ` +
        `${metricText(now.f1)}, precision ${metricText(now.precision)}, recall ` +
        `${metricText(now.recall)}`,
    );
  }
}
