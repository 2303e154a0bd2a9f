// Tags with the names of boxes, placed so that they overlap neither each other nor, if possible, the boxes. All sizes
// are in screen pixels.

import { svgElement } from "./charts.js";
import { inkOn } from "./colors.js";

export const TAG_HEIGHT = 18;
const TAG_FONT = "600 11px system-ui, sans-serif";
const TAG_PADDING = 5;
const LONGEST_NAME = 24; // characters
const OWN_BOX = 0.6; // cost of covering the box itself
const OTHER_BOX = 0.25;
const NEXT_PLACE = 0.02;

function shared(a, b) {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}

function areaOfTag({ left, top, right, bottom }) {
  return Math.max(1, (right - left) * (bottom - top));
}

// Return the scale at which an image fits. Small images are enlarged a little to leave space for captions.
export function fitInto(picture, room) {
  const scale = Math.min(room.width / picture.width, room.height / picture.height);
  const most = Math.max(1, Math.min(4, 320 / Math.max(picture.width, picture.height)));
  return Math.max(Math.min(scale, most), 1e-6);
}

// Return the screen corners of a box [left, top, width, height], clipped to the image and large enough to be visible.
export function cornersOf([left, top, width, height], scale, size) {
  const within = (value, end) => Math.min(Math.max(value, 0), end);
  let [x0, x1] = [within(left * scale, size.width), within((left + width) * scale, size.width)];
  let [y0, y1] = [within(top * scale, size.height), within((top + height) * scale, size.height)];
  const [wide, high] = [Math.max(0, 4 - (x1 - x0)) / 2, Math.max(0, 4 - (y1 - y0)) / 2];
  [x0, x1] = [within(x0 - wide, size.width), within(x1 + wide, size.width)];
  [y0, y1] = [within(y0 - high, size.height), within(y1 + high, size.height)];
  return { left: x0, top: y0, right: x1, bottom: y1 };
}

// Return the caption position { left, top, width, short } for each box ({ left, top, right, bottom }), first box first,
// or null if there is no space at a cost of `most`. `widths` are [full caption, short caption]. `short` means that only
// the short one fits. Boxes beyond `widths` have no caption.
export function placeTags(boxes, widths, size, most = Infinity) {
  const taken = [];
  return widths.map((pair, index) => {
    for (const [short, width] of pair.entries()) {
      const corner = freePlace(boxes, index, width, size, taken, most);
      if (!corner) continue;
      taken.push(corner);
      return { left: corner.left, top: corner.top, width, short: short === 1 };
    }
    return null;
  });
}

function freePlace(boxes, index, width, size, taken, most) {
  if (width > size.width) return null;
  const { left, top, right, bottom } = boxes[index];
  const spots = [
    [left, top - TAG_HEIGHT],
    [left, top],
    [right - width, top - TAG_HEIGHT],
    [left, bottom],
    [right - width, bottom],
    [right - width, top],
    [left, bottom - TAG_HEIGHT],
    [right - width, bottom - TAG_HEIGHT],
    [right, top],
    [left - width, top],
  ];
  let best = null;
  spots.forEach(([x, y], order) => {
    const start = Math.min(Math.max(x, 0), size.width - width);
    const spot = { left: start, top: y, right: start + width, bottom: y + TAG_HEIGHT };
    if (spot.top < 0 || spot.bottom > size.height || taken.some((other) => shared(spot, other)))
      return;
    let cost = NEXT_PLACE * order;
    boxes.forEach((box, other) => {
      cost += (other === index ? OWN_BOX : OTHER_BOX) * (shared(spot, box) / areaOfTag(box));
    });
    if (cost < (best?.cost ?? most)) best = { ...spot, cost };
  });
  return best;
}

// Shorten a label, isolated so that its text direction does not affect others.
export function shortLabel(label, most = LONGEST_NAME) {
  const signs = [...label];
  return `\u2068${signs.length > most ? `${signs.slice(0, most - 1).join("")}…` : label}\u2069`;
}

let tagPen = null;
const tagWidths = new Map();

export function tagWidth(text) {
  tagPen ??= document.createElement("canvas").getContext("2d");
  tagPen.font = TAG_FONT;
  if (!tagWidths.has(text))
    tagWidths.set(text, Math.ceil(tagPen.measureText(text).width) + 2 * TAG_PADDING);
  return tagWidths.get(text);
}

export function tagNode(color, text, { left, top, width }, name = "tag") {
  const words = svgElement("text", {
    x: left + TAG_PADDING,
    y: top + TAG_HEIGHT / 2 + 4,
    fill: inkOn(color),
    text,
  });
  return svgElement(
    "g",
    { class: name },
    svgElement("rect", { x: left, y: top, width, height: TAG_HEIGHT, rx: 2, fill: color }),
    words,
  );
}
