// Color of mistakes: the candidate that differs most from all label colors.

const CANDIDATES = ["#e5252a", "#ff0050", "#e600e6", "#ff9500", "#0a84ff", "#00b7c7", "#7a3cff"];
const FAR = 0.25; // of the largest distance of two colors, from which the first candidate is far enough

const channels = (color) => [1, 3, 5].map((index) => parseInt(color.slice(index, index + 2), 16));

// Return the distance of two colors as people see it, 0 to about 1 (the "redmean" formula).
export function colorDistance(first, other) {
  const [[r, g, b], [red, green, blue]] = [channels(first), channels(other)];
  const mean = (r + red) / 2;
  return (
    Math.sqrt(
      (2 + mean / 256) * (r - red) ** 2 +
        4 * (g - green) ** 2 +
        (2 + (255 - mean) / 256) * (b - blue) ** 2,
    ) / 765
  );
}

// Return red if it is far from every label color, otherwise the candidate that is furthest from them.
export function mistakeColor(colors) {
  const valid = colors.filter((color) => /^#[0-9a-f]{6}$/i.test(color));
  const nearest = (candidate) =>
    Math.min(FAR, ...valid.map((color) => colorDistance(candidate, color)));
  return CANDIDATES.reduce((best, candidate) =>
    nearest(candidate) > nearest(best) ? candidate : best,
  );
}
