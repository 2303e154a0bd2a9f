// Page arithmetic. Positions in the list count from 0.

export const PAGE_SIZES = [4, 6, 9, 24, 48, 100];

/**
 * @param {number} position
 * @param {number} size
 * @param {number} total
 */
export function pageStart(position, size, total) {
  const last = Math.max(0, Math.ceil(total / size) - 1);
  return Math.min(last, Math.max(0, Math.floor(position / size))) * size;
}

/**
 * @param {number} start
 * @param {number} size
 * @param {number} total
 */
export function pageEnd(start, size, total) {
  return Math.min(start + size, total);
}

/**
 * @param {number} start
 * @param {number} size
 * @param {number} total
 */
export function positionText(start, size, total) {
  if (!total) return "no images";
  const number = (value) => value.toLocaleString("en");
  return `${number(start + 1)}–${number(pageEnd(start, size, total))} of ${number(total)}`;
}

// Return how many images were added or removed since a view with the info `before` has asked, as text, or null. Another
// view of its widget may have got the number. A labelling job shows its new tasks at once.
export function countChangeText({ more, whole, info }, before) {
  const count = ({ statuses }) => Object.values(statuses).reduce((sum, value) => sum + value, 0);
  const isMissed = whole && !info.job && info.split === before.split;
  const change = isMissed ? Math.abs(count(info) - count(before)) : more;
  if (!change) return null;
  const [one, many] = before.query?.crops ? ["box", "boxes"] : ["image", "images"];
  return `${change === 1 ? `1 ${one} was` : `${change.toLocaleString("en")} ${many} were`} added or removed.`;
}

// Return the number of columns for `size` tiles in `width` pixels. Fewer tiles per page are larger. `tile` is a chosen
// tile width.
export function columnsFor(size, width, tile = null) {
  if (tile) return Math.max(1, Math.min(size, Math.floor(width / tile)));
  const wished = { 4: 2, 6: 3, 9: 3, 24: 8, 48: 8, 100: 10 }[size] ?? Math.ceil(Math.sqrt(size));
  const narrowest = size <= 9 ? 160 : 104; // a chip with its confidence
  return Math.max(1, Math.min(wished, Math.floor(width / narrowest)));
}

// Return the position that an arrow key leads to, or null at the edge.
export function neighbour(position, direction, columns, total) {
  const step = { left: -1, right: 1, up: -columns, down: columns }[direction];
  const target = position + step;
  return target >= 0 && target < total ? target : null;
}

// Return the thumbnail width in pixels to request, one of a few values so that thumbnails can be cached.
export function thumbnailSize(tileWidth, pixelRatio = 1) {
  const wanted = tileWidth * Math.min(pixelRatio, 2);
  return [160, 320, 640, 1280].find((size) => size >= wanted * 0.9) ?? 1280;
}
