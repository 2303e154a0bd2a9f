// Page arithmetic. A page begins at a place of the list; places count from 0.

export const PAGE_SIZES = [4, 6, 9, 24, 48, 100];

export function pageStart(place, size, total) {
  const last = Math.max(0, Math.ceil(total / size) - 1);
  return Math.min(last, Math.max(0, Math.floor(place / size))) * size;
}

export function pageEnd(start, size, total) {
  return Math.min(start + size, total);
}

export function positionText(start, size, total) {
  if (!total) return "nothing to show";
  const number = (value) => value.toLocaleString("en");
  return `${number(start + 1)}–${number(pageEnd(start, size, total))} of ${number(total)}`;
}

// How many columns a page of `size` tiles has in `width` pixels: tiles as large as the page's size lets them be.
export function columnsFor(size, width) {
  const wished = { 4: 2, 6: 3, 9: 3, 24: 8, 48: 8, 100: 10 }[size] ?? Math.ceil(Math.sqrt(size));
  const narrowest = size <= 9 ? 160 : 84;
  return Math.max(1, Math.min(wished, Math.floor(width / narrowest)));
}

// Where an arrow leads from `place`: within the list, null where there is nothing.
export function neighbour(place, direction, columns, total) {
  const step = { left: -1, right: 1, up: -columns, down: columns }[direction];
  const target = place + step;
  return target >= 0 && target < total ? target : null;
}

// The width in pixels at which thumbnails are asked for, from a few so that they can be kept.
export function thumbnailSize(tileWidth, pixelRatio = 1) {
  const wanted = tileWidth * Math.min(pixelRatio, 2);
  return [160, 320, 640].find((size) => size >= wanted * 0.9) ?? 640;
}
