import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import {
  overlayOf,
  ShapeOverlay,
  shapesOfRow,
} from "../../customlabels_nb/widgets/static/shared/overlay.js";
import { Preview } from "../../customlabels_nb/widgets/static/shared/preview.js";
import { placeTags, TAG_HEIGHT } from "../../customlabels_nb/widgets/static/shared/tags.js";
import { Tile } from "../../customlabels_nb/widgets/static/shared/tile.js";
import { openPage } from "./fake_dom.js";
import { forMany } from "./random.js";

const labels = [
  { label: "apple", color: "#8b1a1a" },
  { label: "pear", color: "#f0e442" },
];
const SQUARE = [
  [0, 0],
  [90, 0],
  [90, 90],
  [0, 90],
];
const HOLE = [
  [20, 20],
  [40, 20],
  [40, 40],
];
const row = (change = {}) => ({
  name: "a.jpg",
  short: "a.jpg",
  labels: [],
  boxes: [],
  outlines: [],
  guesses: [],
  findings: [],
  predicted: null,
  status: "labelled",
  size: [400, 300],
  ...change,
});
const boxed = row({ boxes: ["apple"], outlines: [[100, 100, 200, 150]] });

let resize;
beforeEach(() => {
  openPage();
  globalThis.ResizeObserver = class {
    constructor(listener) {
      resize = (width, height) => listener([{ contentRect: { width, height } }]);
    }

    observe() {}
  };
});

const pathsOf = (node) =>
  node.querySelectorAll("path").map((path) => [path.getAttribute("class"), path.getAttribute("d")]);
const namesIn = (node) =>
  node
    .querySelectorAll("text")
    .map(({ textContent }) => textContent.replace(/[\u2068\u2069]/g, ""));

function shown(given, width, height) {
  const frame = document.createElement("div");
  const picture = document.createElement("img");
  frame.append(picture);
  new ShapeOverlay(frame, picture).show(shapesOfRow(given, labels), given.size);
  resize?.(width, height);
  return frame;
}

test("own shapes are solid, and predicted ones dashed where there are none", () => {
  const guesses = [
    ["pear", 0.874, [1, 2, 3, 4]],
    ["apple", 0.5, null],
  ];
  assert.deepEqual(
    shapesOfRow({ ...boxed, guesses }, labels).map(({ kind, label, left }) => [kind, label, left]),
    [["truth", "apple", 100]],
  );
  const [predicted, ...others] = shapesOfRow(row({ guesses }), labels);
  assert.deepEqual(
    [predicted.kind, predicted.number, predicted.color, others],
    ["predicted", "0.87", "#f0e442", []],
  );
  // outlines that are not known
  assert.deepEqual(shapesOfRow(row({ boxes: ["apple", "plum"], outlines: [null] }), labels), []);
});

test("boxes and rings of polygons are drawn in pixels of the upright image", () => {
  const shapes = shapesOfRow(
    row({
      boxes: ["apple", "pear"],
      outlines: [
        [10, 20, 30, 40],
        [SQUARE, HOLE],
      ],
    }),
    labels,
  );
  const svg = overlayOf(shapes, [400, 300]);
  assert.equal(svg.getAttribute("viewBox"), "0 0 400 300");
  const polygon = "M0 0L90 0L90 90L0 90ZM20 20L40 20L40 40Z";
  assert.deepEqual(pathsOf(svg).slice(2), [
    ["truth", "M10 20h30v40h-30Z"],
    ["truth mask", polygon],
  ]);
  assert.deepEqual(
    pathsOf(svg)
      .slice(0, 2)
      .map(([, path]) => path),
    [polygon, "M10 20h30v40h-30Z"],
  ); // an edge in both inks
  assert.ok(
    svg
      .querySelectorAll("path")
      .every(
        (path) =>
          path.getAttribute("fill-rule") === "evenodd" &&
          path.getAttribute("vector-effect") === "non-scaling-stroke",
      ),
  );
});

test("thousands of boxes are few nodes", () => {
  const boxes = Array.from({ length: 5_000 }, (_, at) => labels[at % 2].label);
  const frame = shown(
    row({ boxes, outlines: boxes.map((_, at) => [at % 390, at % 290, 8, 8]) }),
    800,
    600,
  );
  assert.equal(frame.querySelectorAll("path").length, 4);
  assert.deepEqual(
    [frame.querySelector(".overlay").className, namesIn(frame)],
    ["overlay dense", []],
  );
  const fewer = boxes.slice(0, 200);
  assert.ok(
    namesIn(
      shown(
        row({ boxes: fewer, outlines: fewer.map((_, at) => [at % 390, at % 290, 8, 8]) }),
        800,
        600,
      ),
    ).length <= 60,
  );
});

test("names are text, and are shortened or left out on small images", () => {
  const hostile = "<img src=x onerror=alert(1)>";
  const given = row({ boxes: [hostile], outlines: [[200, 150, 80, 90]] });
  const [name] = namesIn(shown(given, 800, 600));
  assert.equal(name, `${hostile.slice(0, 23)}…`);
  assert.deepEqual(namesIn(shown(given, 150, 112)), []);
  assert.equal(shown(given, 800, 600).querySelectorAll("img").length, 1); // the photo
});

test("names follow the size of an image with bars beside it", () => {
  const frame = shown(boxed, 150, 112);
  assert.equal(frame.querySelectorAll("path").length, 2);
  resize(1000, 300);
  assert.deepEqual(namesIn(frame), ["apple"]);
  assert.equal(frame.querySelector(".names").getAttribute("transform"), "scale(1)");
  resize(1000, 600);
  assert.equal(frame.querySelector(".names").getAttribute("transform"), "scale(0.5)");
});

test("names with a limit leave their boxes visible", () => {
  forMany(200, ({ between }) => {
    const size = { width: between(60, 700), height: between(40, 500) };
    const boxes = Array.from({ length: Math.ceil(between(1, 30)) }, () => {
      const [left, top] = [between(0, size.width - 5), between(0, size.height - 5)];
      return {
        left,
        top,
        right: between(left + 4, size.width),
        bottom: between(top + 4, size.height),
      };
    });
    placeTags(
      boxes,
      boxes.map(() => [between(24, 150), 24]),
      size,
      0.12,
    ).forEach((tag, at) => {
      if (!tag) return;
      const { left, top, right, bottom } = boxes[at];
      const wide = Math.min(right, tag.left + tag.width) - Math.max(left, tag.left);
      const high = Math.min(bottom, tag.top + TAG_HEIGHT) - Math.max(top, tag.top);
      assert.ok(
        wide <= 0 || high <= 0 || wide * high <= 0.2 * (right - left) * (bottom - top) + 1e-6,
      );
    });
  });
});

test("a tile and an open preview follow an edit", async () => {
  const tile = new Tile({ id: "t", onAccept() {} });
  const preview = new Preview(async () => ({ uri: "data:,", width: 400, height: 300 }), {
    within: () => document.body,
    labels: () => labels,
  });
  preview._place = () => {};
  tile.show(boxed, labels, { uri: "data:,", place: 0 });
  await preview.open(boxed, tile.node, { pinned: true });
  const after = { ...boxed, outlines: [[5, 6, 7, 8]] };
  tile.show(after, labels, { uri: "data:,", place: 0 });
  preview.refresh(after);
  preview.refresh({ ...boxed, name: "b.jpg" }); // of another image
  for (const node of [tile.node, preview.node])
    assert.deepEqual(pathsOf(node).at(-1), ["truth", "M5 6h7v8h-7Z"]);
  tile.show(row(), labels, { uri: "data:,", place: 0 });
  assert.equal(tile.node.querySelector(".overlay"), null);
});
