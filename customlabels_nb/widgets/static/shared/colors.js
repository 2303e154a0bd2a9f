// Text colors on label colors.

// Return black or white, whichever is more readable on a color #rrggbb, with a contrast of at least 4.5:1.
export function inkOn(color) {
  const [r, g, b] = [1, 3, 5]
    .map((index) => Number.parseInt(color.slice(index, index + 2), 16) / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}
