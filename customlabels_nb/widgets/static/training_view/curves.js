// Where curves lie: pure arithmetic. Points are [step, seconds, value]; a value may be null where it was no number.

// Round numbers around a range, about `wished` of them, the range widened to the first and the last.
export function niceRange(low, high, wished = 4) {
  if (!(high > low)) [low, high] = low ? [Math.min(low, 0), Math.max(low, 0)] : [0, 1];
  const rough = (high - low) / Math.max(1, wished);
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].map((factor) => factor * power).find((own) => own >= rough * 0.999);
  const first = Math.floor(low / size + 1e-9);
  const last = Math.ceil(high / size - 1e-9);
  const ticks = [];
  for (let at = first; at <= last; at += 1) ticks.push(Number((at * size).toPrecision(12)));
  return { low: ticks[0], high: ticks.at(-1), ticks };
}

// Lowest and highest value of some figures; 0 is always within, as curves that begin elsewhere mislead, and so is 1 where
// shares are measured.
export function extent(figures) {
  let [low, high] = [0, 0];
  for (const { points } of figures) {
    for (const [, , value] of points) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  const areShares = high > 0 && high <= 1 && low >= 0 && figures.every(({ kind }) => kind === "figure");
  return [low, areShares ? 1 : high];
}

// The path of a curve; where there is no number it is interrupted, and what stands alone is a dot.
export function curvePath(points, x, y) {
  const parts = [];
  let isOpen = false;
  points.forEach(([step, , value], index) => {
    if (value === null) { isOpen = false; return; }
    const place = `${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
    const isAlone = !isOpen && (index + 1 === points.length || points[index + 1][2] === null);
    parts.push(isOpen ? `L${place}` : isAlone ? `M${place}h0` : `M${place}`);
    isOpen = true;
  });
  return parts.join("");
}

// All steps at which any of the figures has a value, ascending.
export function stepsOf(figures) {
  return [...new Set(figures.flatMap(({ points }) => points.map(([step]) => step)))].sort((a, b) => a - b);
}

// The place of the number nearest to `wanted` in ascending numbers, -1 if there are none.
export function nearestIndex(numbers, wanted) {
  if (!numbers.length) return -1;
  let [low, high] = [0, numbers.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low > 0 && wanted - numbers[low - 1] <= numbers[low] - wanted ? low - 1 : low;
}

// The last point at or before a step, the first one where there is none; null without any.
export function pointAt(points, step) {
  const steps = points.map(([own]) => own);
  const at = nearestIndex(steps, step);
  if (at < 0) return null;
  return points[steps[at] > step && at > 0 ? at - 1 : at];
}

// Where a key leads among `count` places, null if it leads nowhere; `at` is null before the first key.
export function cursorAfter(key, at, count) {
  const from = at ?? count - 1;
  const target = { ArrowRight: from + 1, ArrowLeft: from - 1, PageUp: from + 10, PageDown: from - 10, Home: 0, End: count - 1 }[key];
  return target === undefined || !count ? null : Math.max(0, Math.min(count - 1, target));
}
