// Chart arithmetic. Points are [step, seconds, value]. A value is null if it was not a finite number.

// Return about `wished` round numbers that cover a range, with the range extended to the first and last of them.
export function niceRange(low, high, wished = 4) {
  if (!(high > low)) [low, high] = low ? [Math.min(low, 0), Math.max(low, 0)] : [0, 1];
  const rough = (high - low) / Math.max(1, wished);
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].map((factor) => factor * power).find((item) => item >= rough * 0.999);
  const first = Math.floor(low / size + 1e-9);
  const last = Math.ceil(high / size - 1e-9);
  const ticks = [];
  for (let index = first; index <= last; index += 1)
    ticks.push(Number((index * size).toPrecision(12)));
  return { low: ticks[0], high: ticks.at(-1), ticks };
}

// Return the lowest and highest value of curves. 0 is always included, because truncated axes mislead, and 1 for
// ratios.
export function extent(figures) {
  let [low, high] = [0, 0];
  for (const { points } of figures) {
    for (const [, , value] of points) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  const areShares =
    high > 0 && high <= 1 && low >= 0 && figures.every(({ kind }) => kind === "figure");
  return [low, areShares ? 1 : high];
}

// Return the SVG path of a curve, with gaps where there is no number. Isolated points become dots.
export function curvePath(points, x, y) {
  const parts = [];
  let isOpen = false;
  points.forEach(([step, , value], index) => {
    if (value === null) {
      isOpen = false;
      return;
    }
    const point = `${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
    const isAlone = !isOpen && (index + 1 === points.length || points[index + 1][2] === null);
    parts.push(isOpen ? `L${point}` : isAlone ? `M${point}h0` : `M${point}`);
    isOpen = true;
  });
  return parts.join("");
}

// Return all steps at which any curve has a value, ascending.
export function stepsOf(figures) {
  return [...new Set(figures.flatMap(({ points }) => points.map(([step]) => step)))].sort(
    (a, b) => a - b,
  );
}

// Return the index of the number closest to `wanted` in ascending numbers, or -1.
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

// Return the last point at or before a step, else the first point, or null without points.
export function pointAt(points, step) {
  const steps = points.map(([item]) => item);
  const position = nearestIndex(steps, step);
  if (position < 0) return null;
  return points[steps[position] > step && position > 0 ? position - 1 : position];
}

// Return the index that a key leads to among `count` steps, or null. `at` is null before the first key.
export function cursorAfter(key, index, count) {
  const from = index ?? count - 1;
  const target = {
    ArrowRight: from + 1,
    ArrowLeft: from - 1,
    PageUp: from + 10,
    PageDown: from - 10,
    Home: 0,
    End: count - 1,
  }[key];
  return target === undefined || !count ? null : Math.max(0, Math.min(count - 1, target));
}
