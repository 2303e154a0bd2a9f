// Bar charts as SVG: layout (pure arithmetic), elements, one tooltip, and keyboard navigation from bar to bar.

import { element, keepKeys, setText, show } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

// Return about `wished` round integer ticks from 0 to at least `most`.
export function niceTicks(most, wished = 4) {
  if (!(most > 0)) return [0, 1];
  const rough = most / Math.max(1, wished);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(
    1,
    [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999),
  );
  const ticks = [];
  for (let tick = 0; tick < most + step * 0.999; tick += step) ticks.push(tick);
  return ticks;
}

// Return [start, length] of each value in a stacked bar of this `length`. Positive values get at least `least`.
export function stackedSpans(values, length, { least = 3, gap = 1 } = {}) {
  const sum = (some) => some.reduce((total, value) => total + value, 0);
  const counted = values.filter((value) => value > 0);
  const room = Math.max(0, length - gap * (counted.length - 1));
  const isThin = (value) => (value / sum(counted)) * room < least;
  const thick = counted.filter((value) => !isThin(value));
  const shared = thick.length ? thick : counted; // share the space that thin bars leave
  const left = thick.length ? Math.max(0, room - least * (counted.length - thick.length)) : room;
  let position = 0;
  return values.map((value) => {
    if (!(value > 0)) return [position, 0];
    const size = thick.length && isThin(value) ? least : (value / sum(shared)) * left;
    const span = [position, size];
    position += size + gap;
    return span;
  });
}

// Return the bar length of `value` if `most` has this `length`. Positive values are always visible.
export function barLength(value, most, length) {
  if (!(value > 0) || !(most > 0)) return 0;
  return Math.max(2, (value / most) * length);
}

// Return the slots of `count` that get a caption, so that captions of this `width` do not overlap in `length`.
export function captionedSlots(count, length, width) {
  if (!count) return [];
  const every = Math.max(1, Math.ceil((width * count) / Math.max(1, length)));
  return Array.from(
    { length: Math.ceil(count / every) },
    (_, index) => count - 1 - index * every,
  ).reverse();
}

// Return the index of the bar that an arrow key leads to, or null.
export function barAfter(key, index, count) {
  const target = {
    ArrowRight: index + 1,
    ArrowDown: index + 1,
    ArrowLeft: index - 1,
    ArrowUp: index - 1,
    Home: 0,
    End: count - 1,
  }[key];
  return target === undefined || target < 0 || target >= count ? null : target;
}

export function svgElement(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null) continue;
    if (name === "text") node.textContent = value;
    else node.setAttribute(name, String(value));
  }
  node.append(...children.filter(Boolean));
  return node;
}

export function svgText(x, y, text, attributes = {}) {
  return svgElement("text", { x, y, text, ...attributes });
}

// Create an empty chart of bars. `words` are its accessible name.
export function barChart(width, height, words) {
  return svgElement("svg", { class: "chart", width, height, role: "group", "aria-label": words });
}

// Create a chart of one bar, stacked of `parts`: { count, key, kind, said, onOpen } as in bar().
export function stackedBar(parts, width, height, words) {
  const chart = barChart(width, height, words);
  chart.append(svgElement("rect", { class: "track", x: 0, y: 0, width, height, rx: 3 }));
  const spans = stackedSpans(
    parts.map(({ count }) => count),
    width,
  );
  parts.forEach((part, index) => {
    const [x, length] = spans[index];
    if (length) chart.append(bar({ ...part, x, y: 0, width: length, height }));
  });
  return chart;
}

// Create a bar that can be hovered, focused and clicked. `said` is its tooltip and accessible name. `key` identifies it
// in its chart, so that it keeps the focus when the chart is redrawn.
export function bar({
  x,
  y,
  width,
  height,
  key,
  said,
  kind = "",
  color = null,
  onOpen,
  room = null,
}) {
  const rect = svgElement("rect", {
    class: "fill",
    x,
    y,
    width,
    height,
    rx: Math.min(2, width / 2, height / 2),
  });
  const node = svgElement(
    "g",
    { class: `mark ${kind}`, role: "button", tabindex: -1, "aria-label": said, "data-key": key },
    room && svgElement("rect", { class: "room", ...room }),
    rect,
  );
  if (color) node.style.setProperty("--label-color", color);
  keepKeys(node);
  node.openImages = onOpen;
  return node;
}

// Tooltip for all charts of a widget, next to the hovered or focused bar.
export class Tooltip {
  constructor(root) {
    this.root = root;
    this.node = element("div", {
      class: "tooltip",
      hidden: true,
      attributes: { "aria-hidden": "true" },
    });
  }

  show(mark) {
    setText(this.node, mark.getAttribute("aria-label"));
    show(this.node, true);
    const frame = this.root.getBoundingClientRect();
    const markBox = (mark.querySelector?.(".fill") ?? mark).getBoundingClientRect();
    const left = markBox.left + markBox.width / 2 - frame.left - this.node.offsetWidth / 2;
    const above = markBox.top - frame.top - this.node.offsetHeight - 6;
    this.node.style.left = `${Math.max(4, Math.min(left, this.root.clientWidth - this.node.offsetWidth - 4))}px`;
    this.node.style.top = `${above > 2 ? above : markBox.bottom - frame.top + 6}px`;
  }

  hide() {
    show(this.node, false);
  }
}

// Interaction of one chart: roving focus (Tab leaves the chart), tooltip and opening of images.
export class Marks {
  constructor(node, tooltip) {
    this.node = node;
    this.tooltip = tooltip;
    const markOf = (event) => event.target.closest?.(".mark");
    node.addEventListener("pointerover", (event) => {
      const mark = markOf(event);
      if (mark) tooltip.show(mark);
    });
    node.addEventListener("pointerout", (event) => {
      if (!markOf({ target: event.relatedTarget ?? node })) tooltip.hide();
    });
    node.addEventListener("focusin", (event) => {
      const mark = markOf(event);
      if (mark) {
        this._current(mark);
        tooltip.show(mark);
      }
    });
    node.addEventListener("focusout", () => tooltip.hide());
    node.addEventListener("click", (event) => {
      markOf(event)?.openImages?.();
    });
    node.addEventListener("keydown", (event) => this._key(event, markOf(event)));
  }

  all() {
    return [...this.node.querySelectorAll(".mark")];
  }

  // Replace the bars of `holder` and keep the focus on the same bar, if it still exists.
  replace(holder, ...children) {
    const active = /** @type {HTMLElement} */ (document.activeElement);
    const focused = this.node.contains(active) ? active.dataset?.key : null;
    const before = this.all().find((mark) => mark.getAttribute("tabindex") === "0")?.dataset.key;
    holder.replaceChildren(...children);
    const marks = this.all();
    const current = marks.find((mark) => mark.dataset.key === (focused ?? before)) ?? marks[0];
    if (current) this._current(current);
    if (focused && current) current.focus({ preventScroll: true });
  }

  _current(mark) {
    for (const other of this.all()) other.setAttribute("tabindex", other === mark ? "0" : "-1");
  }

  _key(event, mark) {
    if (!mark) return;
    const marks = this.all();
    const next = barAfter(event.key, marks.indexOf(mark), marks.length);
    if (event.key === "Enter" || event.key === " ") mark.openImages?.();
    else if (event.key === "Escape") this.tooltip.hide();
    else if (next !== null) marks[next].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
