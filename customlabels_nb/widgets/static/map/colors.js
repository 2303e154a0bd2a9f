// Colors of points by a label, a group or a number.

const STOPS = ["#3b528b", "#21918c", "#5ec962", "#f2e33a", "#f98e09"]; // readable on light and on dark ground
export const SCALE_STEPS = 32;
// as far from each other as the palette of labels; the last one is of the other groups
const GROUP_COLORS = [
  "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#9467bd", "#8c564b",
  "#2ca02c", "#e377c2", "#bcbd22", "#17becf", "#8a8f98",
]; // biome-ignore format: one line of colors

const parts = (color) => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));

// Return the color of a number from 0 to 1.
export function scaleColor(share) {
  const place = Math.min(Math.max(share, 0), 1) * (STOPS.length - 1);
  const first = Math.min(Math.floor(place), STOPS.length - 2);
  const [from, to] = [parts(STOPS[first]), parts(STOPS[first + 1])];
  const mixed = from.map((value, at) => Math.round(value + (to[at] - value) * (place - first)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

// Return the palette of a legend: of a scale, or of groups, each in its own color or that of the label of its name.
export function paletteOf(legend, labels) {
  if (!legend.groups)
    return Array.from({ length: SCALE_STEPS }, (_, step) => scaleColor(step / (SCALE_STEPS - 1)));
  const known = new Map(labels.map(({ label, color }) => [label, color]));
  return legend.groups.map(
    ([name, , color], at) => color ?? known.get(name) ?? GROUP_COLORS[at % GROUP_COLORS.length],
  );
}

// Return the number of each value's color in the palette, -1 without a value.
export function colorCodes(legend, values) {
  const isScale = !legend.groups;
  return Int16Array.from(values, (value) =>
    Number.isNaN(value)
      ? -1
      : isScale
        ? Math.min(Math.floor(value * SCALE_STEPS), SCALE_STEPS - 1)
        : value,
  );
}

// Return a number for a legend.
export function legendNumber(value) {
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
}
