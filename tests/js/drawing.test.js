import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Drawing,
  HINT_SMALL,
  HINT_UNNAMED,
} from "../../customlabels_nb/widgets/static/annotator/drawing.js";
import { ImageShapes } from "../../customlabels_nb/widgets/static/annotator/shapes.js";
import {
  HANDLES,
  handlePoint,
  ringsOf,
  SMALLEST,
} from "../../customlabels_nb/widgets/static/shared/geometry.js";
import { forMany, isWithin, randomBox, randomPoint, randomSize } from "./random.js";

const SIZE = { width: 200, height: 100 };
const box = (left, top, width, height, label = "apple") => ({
  label,
  left,
  top,
  width,
  height,
  polygon: null,
});
const TRIANGLE = {
  label: "pear",
  left: 20,
  top: 20,
  width: 60,
  height: 40,
  polygon: [
    [20, 20],
    [80, 20],
    [80, 60],
  ],
};

function begun({ shapes = [], selected = null, size = SIZE, tool = "box", ...options } = {}) {
  const hints = [];
  const drawing = new Drawing({
    label: () => "apple",
    hint: (text) => hints.push(text),
    ...options,
  });
  const imageShapes = new ImageShapes(
    { name: "a", ...size },
    { shapes, status: shapes.length ? "labelled" : "unlabelled", revision: 1 },
  );
  drawing.tool = tool;
  drawing.show(imageShapes);
  imageShapes.select(selected);
  return { drawing, imageShapes, hints };
}

// Press, move, release; returns whether the shapes changed.
function drag(drawing, from, to, more = {}) {
  const pressed = drawing.press(from, { tolerance: 3, ...more });
  drawing.move([(from[0] + to[0]) / 2, (from[1] + to[1]) / 2]);
  drawing.move(to);
  return drawing.release(to) || pressed;
}

const click = (drawing, point, more = {}) => drag(drawing, point, point, more);
const sides = ({ left, top, width, height }) => [left, top, width, height];

test("a drag is a box, from any corner, clipped to the image", () => {
  const { drawing, imageShapes } = begun();
  assert.equal(drag(drawing, [50, 60], [20, 10]), true);
  assert.deepEqual(imageShapes.shapes, [box(20, 10, 30, 50)]);
  assert.deepEqual([imageShapes.selected, imageShapes.isNew], [0, true]);
  drag(drawing, [150, 50], [900, -900]);
  assert.deepEqual(sides(imageShapes.shapes[1]), [150, 0, 50, 50]);
  drag(drawing, [-30, -30], [10, 8]); // begun beside the image
  assert.deepEqual(sides(imageShapes.shapes[2]), [0, 0, 10, 8]);
});

test("whatever the hand does, nothing on the image is too small or outside", () => {
  forMany(150, (random) => {
    const size = randomSize(random);
    const shapes = Array.from({ length: random.whole(0, 4) }, () => randomBox(random, size));
    const { drawing, imageShapes } = begun({
      shapes,
      size,
      tool: random.pick(["box", "polygon", "part", "hole"]),
    });
    const tolerance = random.between(0.2, 12);
    for (let step = 0; step < 60; step += 1) {
      const point =
        random.next() < 0.3 && imageShapes.shape
          ? handlePoint(imageShapes.shape, random.pick(HANDLES))
          : randomPoint(random, size, 0.2);
      const does = {
        press: () =>
          drawing.press(point, {
            tolerance,
            fresh: random.next() < 0.2,
            removes: random.next() < 0.2,
          }),
        move: () => drawing.move(point),
        release: () => drawing.release(point),
        cancel: () => drawing.cancel(),
        lost: () => drawing.stop(),
        close: () => drawing.closePolygon(),
        back: () => drawing.dropCorner(),
        remove: () => drawing.removeCorner(),
        nudge: () => !drawing.isBusy && drawing.nudge(random.whole(-10, 10), random.whole(-10, 10)),
        select: () =>
          !drawing.isBusy &&
          imageShapes.select(
            imageShapes.shapes.length ? random.whole(0, imageShapes.shapes.length - 1) : null,
          ),
        tool: () => {
          drawing.cancel();
          drawing.tool = random.pick(["box", "polygon", "part", "hole"]);
        },
      };
      const before = imageShapes.state;
      const does_ = random.pick(Object.keys(does));
      const told = does[does_]();
      if (["press", "release", "close", "remove", "nudge"].includes(does_))
        assert.equal(Boolean(told), imageShapes.state !== before, does_);
      else assert.equal(imageShapes.state, before, does_);
      void drawing.draft;
      for (const shape of imageShapes.shapes) {
        assert.ok(isWithin(shape, size), `${does_}: ${JSON.stringify([shape, size])}`);
        assert.ok(
          shape.width >= SMALLEST - 1e-6 && shape.height >= SMALLEST - 1e-6,
          `${does_}: ${JSON.stringify(shape)}`,
        );
        assert.ok(ringsOf(shape.polygon).every((ring) => ring.length >= 3));
      }
    }
  });
});

test("Esc or a lost pointer leaves nothing, whatever was on its way", () => {
  forMany(100, (random) => {
    const shapes = [box(20, 20, 60, 40), TRIANGLE];
    const { drawing, imageShapes } = begun({
      shapes,
      selected: random.pick([null, 0, 1]),
      tool: random.pick(["box", "polygon", "part", "hole"]),
    });
    const before = imageShapes.state;
    drawing.press(randomPoint(random, SIZE), { tolerance: 5, fresh: random.next() < 0.5 });
    drawing.move(randomPoint(random, SIZE));
    drawing.move(randomPoint(random, SIZE));
    if (random.next() < 0.5) drawing.cancel();
    else drawing.stop();
    assert.equal(drawing.release(randomPoint(random, SIZE)), false);
    assert.equal(imageShapes.state, before);
    assert.equal(drawing.draft, null);
    assert.equal(drawing.isBusy, false);
  });
});

test("smaller than 2 × 2 is refused with a hint, and so is what may not be drawn", () => {
  const { drawing, imageShapes, hints } = begun();
  assert.equal(drag(drawing, [10, 10], [60, 11]), false);
  assert.deepEqual(hints, [HINT_SMALL]);
  assert.equal(imageShapes.shapes.length, 0);
  const readOnly = begun({ mayDraw: () => false });
  drag(readOnly.drawing, [10, 10], [60, 60]);
  assert.deepEqual([readOnly.hints, readOnly.imageShapes.shapes.length], [[], 0]);
});

test("what is drawn before there is a label waits for it", () => {
  let label = null;
  let asked = 0;
  const { drawing, imageShapes, hints } = begun({
    label: () => label,
    nameless: () => {
      asked += 1;
    },
  });
  assert.equal(drag(drawing, [10, 10], [60, 60]), false);
  assert.deepEqual(
    [hints, asked, imageShapes.shapes.length, drawing.isBusy],
    [[HINT_UNNAMED], 1, 0, true],
  );
  assert.deepEqual(sides(drawing.draft.shape), [10, 10, 50, 50]); // it stays in sight
  drawing.show(imageShapes); // news of the same image
  assert.equal(drawing.keepUnnamed(), false);
  label = "apple";
  assert.equal(drawing.keepUnnamed(), true);
  assert.deepEqual(imageShapes.shapes, [box(10, 10, 50, 50)]);
  assert.deepEqual([drawing.keepUnnamed(), drawing.isBusy, drawing.draft], [false, false, null]);
});

test("what waits for its label goes with Esc, with another image, and with the next press", () => {
  const other = new ImageShapes(
    { name: "b", ...SIZE },
    { shapes: [], status: "unlabelled", revision: 1 },
  );
  const leaves = [
    (drawing) => drawing.cancel(),
    (drawing) => drawing.show(other),
    (drawing) => drawing.press([5, 5], { tolerance: 3 }),
  ];
  for (const leave of leaves) {
    let label = null;
    const { drawing } = begun({ label: () => label });
    drag(drawing, [10, 10], [60, 60]);
    leave(drawing);
    label = "apple";
    assert.equal(drawing.keepUnnamed(), false);
  }
});

test("a polygon and a box by keys wait for their label, too", () => {
  let label = null;
  const { drawing, imageShapes } = begun({ label: () => label, tool: "polygon" });
  for (const point of TRIANGLE.polygon) click(drawing, point);
  assert.equal(drawing.closePolygon(), false);
  label = "pear";
  assert.equal(drawing.keepUnnamed(), true);
  assert.deepEqual(imageShapes.shapes, [TRIANGLE]);
  label = null;
  drawing.keep({ left: 1, top: 2, width: 30, height: 40 });
  label = "apple";
  drawing.keepUnnamed();
  assert.deepEqual([imageShapes.shapes[1], imageShapes.selected], [box(1, 2, 30, 40), 1]);
});

test("each of the eight handles resizes, and turns the box over", () => {
  for (const handle of HANDLES) {
    const { drawing, imageShapes } = begun({ shapes: [box(50, 30, 40, 20)], selected: 0 });
    const from = handlePoint(imageShapes.shapes[0], handle);
    assert.equal(drag(drawing, from, [from[0] + 5, from[1] + 6]), true);
    const [left, top, width, height] = sides(imageShapes.shapes[0]);
    assert.equal(left, handle.includes("w") ? 55 : 50);
    assert.equal(left + width, handle.includes("e") ? 95 : 90);
    assert.equal(top, handle.includes("n") ? 36 : 30);
    assert.equal(top + height, handle.includes("s") ? 56 : 50);
    assert.equal(imageShapes.selected, 0);
  }
  const { drawing, imageShapes } = begun({ shapes: [box(50, 30, 40, 20)], selected: 0 });
  drag(drawing, [90, 50], [20, 10]);
  assert.deepEqual(sides(imageShapes.shapes[0]), [20, 10, 30, 20]);
});

test("a click selects; a drag inside the selected one moves it, in others it draws", () => {
  const { drawing, imageShapes } = begun({ shapes: [box(20, 20, 100, 60), box(40, 30, 30, 30)] });
  assert.equal(click(drawing, [55, 45]), false);
  assert.equal(imageShapes.selected, 1);
  drag(drawing, [55, 45], [65, 40]);
  assert.deepEqual(sides(imageShapes.shapes[1]), [50, 25, 30, 30]);
  click(drawing, [190, 90]);
  assert.equal(imageShapes.selected, null);
  drag(drawing, [55, 45], [75, 50]);
  assert.equal(imageShapes.shapes.length, 3);
  drag(drawing, [100, 20], [110, 25]); // so does an edge
  assert.deepEqual(sides(imageShapes.shapes[0]), [20, 20, 100, 60]);
  assert.equal(imageShapes.shapes.length, 4);
  assert.equal(click(drawing, [100, 80]), false); // clicked, it selects
  assert.deepEqual([imageShapes.selected, imageShapes.isNew], [0, false]);
  drag(drawing, [100, 80], [110, 85]); // and moves
  assert.deepEqual(sides(imageShapes.shapes[0]), [30, 25, 100, 60]);
  const start = imageShapes.shapes.length;
  drag(drawing, [60, 60], [80, 70], { fresh: true }); // the key draws inside the selected one
  assert.equal(imageShapes.shapes.length, start + 1);
});

test("what was just drawn is selected: keys move it, its handles resize it, other drags draw the next one", () => {
  const { drawing, imageShapes } = begun();
  drag(drawing, [20, 20], [120, 80]);
  assert.equal(drawing.nudge(5, 0), true);
  assert.deepEqual([sides(imageShapes.shapes[0]), imageShapes.isNew], [[25, 20, 100, 60], true]);
  assert.equal(drag(drawing, [125, 80], [130, 90]), true);
  assert.deepEqual([sides(imageShapes.shapes[0]), imageShapes.isNew], [[25, 20, 105, 70], true]);
  assert.equal(drag(drawing, [130, 40], [180, 70]), true); // from its edge
  assert.equal(drag(drawing, [140, 50], [160, 60]), true); // inside the second
  assert.deepEqual(imageShapes.shapes.map(sides), [
    [25, 20, 105, 70],
    [130, 40, 50, 30],
    [140, 50, 20, 10],
  ]);
  click(drawing, [150, 55]);
  assert.equal(imageShapes.isNew, false);
  drag(drawing, [150, 55], [155, 55]);
  assert.deepEqual(sides(imageShapes.shapes[2]), [145, 50, 20, 10]);
  imageShapes.remove(2);
  assert.deepEqual([imageShapes.selected, imageShapes.isNew], [null, false]);
});

test("with the tool to select, a drag moves any shape, and nothing is drawn", () => {
  const { drawing, imageShapes, hints } = begun({
    shapes: [box(20, 20, 100, 60), TRIANGLE],
    tool: "select",
  });
  assert.equal(drag(drawing, [110, 70], [120, 75]), true);
  assert.deepEqual([sides(imageShapes.shapes[0]), imageShapes.selected], [[30, 25, 100, 60], 0]);
  assert.equal(drag(drawing, [150, 10], [190, 90]), false);
  assert.deepEqual([imageShapes.shapes.length, imageShapes.selected, hints], [2, null, []]);
  assert.equal(drag(drawing, [150, 10], [190, 90], { fresh: true }), false);
  click(drawing, [75, 30]);
  assert.deepEqual([imageShapes.selected, drawing.corners], [1, null]);
});

test("with the tool for polygons, a click on an edge selects and a drag from it begins a polygon", () => {
  const { drawing, imageShapes } = begun({ shapes: [TRIANGLE], tool: "polygon" });
  click(drawing, [50, 20]);
  assert.deepEqual([imageShapes.selected, drawing.corners], [0, null]);
  imageShapes.select(null);
  assert.equal(drag(drawing, [50, 20], [55, 5]), false);
  assert.deepEqual([drawing.corners, imageShapes.shapes[0]], [[[55, 5]], TRIANGLE]);
  for (const point of [
    [100, 5],
    [100, 15],
    [55, 5],
  ])
    click(drawing, point);
  assert.deepEqual(
    [imageShapes.shapes.length, imageShapes.selected, imageShapes.isNew],
    [2, 1, true],
  );
  click(drawing, [80, 5]); // selects the new one, and adds no corner yet
  assert.deepEqual([imageShapes.shapes[1].polygon.length, imageShapes.isNew], [3, false]);
  const readOnly = begun({ shapes: [TRIANGLE], tool: "polygon", mayDraw: () => false });
  assert.equal(drag(readOnly.drawing, [50, 20], [55, 5]), false);
  assert.equal(readOnly.drawing.isBusy, false);
});

test("a drag of a pixel gives a message, a click gives none", () => {
  const { drawing, imageShapes, hints } = begun({
    shapes: [box(100, 20, 60, 60)],
    missed: ([x]) => x > 180,
  });
  const short = (from, to) => {
    hints.length = 0;
    drag(drawing, from, to, { tolerance: 10 });
    return [...hints];
  };
  assert.deepEqual(short([10, 10], [11, 11]), [HINT_SMALL]);
  assert.match(short([10, 10], [13, 13])[0], /Drag further/);
  assert.deepEqual(short([10, 10], [10, 10]), []);
  assert.deepEqual(short([-30, 10], [-30, 10]), []); // beside the image
  assert.deepEqual(short([190, 10], [191, 11]), []); // selects something else
  assert.deepEqual([short([130, 50], [131, 51]), imageShapes.selected], [[], 0]);
  assert.equal(imageShapes.shapes.length, 1);
});

test("a drag resizes what is taken at its start, and otherwise draws", () => {
  const starts = [];
  const predicted = box(20, 20, 60, 40, "pear");
  const { drawing, imageShapes } = begun({
    take: (point) => {
      starts.push(point);
      if (point[0] !== 80) return false;
      imageShapes.change({ shapes: [...imageShapes.shapes, predicted], selected: null });
      imageShapes.select(imageShapes.shapes.length - 1);
      return true;
    },
  });
  click(drawing, [80, 60]);
  assert.deepEqual([starts, imageShapes.shapes], [[], []]); // a click changes nothing
  assert.equal(drag(drawing, [80, 60], [100, 70]), true);
  assert.deepEqual(imageShapes.shapes, [box(20, 20, 80, 50, "pear")]);
  imageShapes.select(null);
  drag(drawing, [80, 30], [95, 45], { fresh: true });
  drag(drawing, [120, 30], [140, 50]);
  assert.deepEqual(starts, [
    [80, 60],
    [120, 30],
  ]); // once a drag
  assert.deepEqual(imageShapes.shapes.slice(1), [box(80, 30, 15, 15), box(120, 30, 20, 20)]);
});

test("what may not be touched is passed through", () => {
  const { drawing, imageShapes } = begun({
    shapes: [box(20, 20, 100, 60, "locked")],
    usable: (shape) => shape.label !== "locked",
  });
  click(drawing, [60, 50]);
  assert.equal(imageShapes.selected, null);
  drag(drawing, [20, 50], [60, 70]);
  assert.equal(imageShapes.shapes.length, 2);
  assert.deepEqual(sides(imageShapes.shapes[0]), [20, 20, 100, 60]);
});

test("a shaking hand clicks", () => {
  const { drawing, imageShapes } = begun({ shapes: [box(20, 20, 100, 60)], selected: 0 });
  assert.equal(drag(drawing, [60, 50], [61, 50]), false);
  assert.deepEqual(sides(imageShapes.shapes[0]), [20, 20, 100, 60]);
});

test("a polygon is clicked corner by corner and closed by its first one, by key, or not at all", () => {
  const { drawing, imageShapes, hints } = begun({ tool: "polygon" });
  for (const point of [
    [20, 20],
    [80, 20],
    [500, 60],
  ])
    assert.equal(click(drawing, point), false);
  drawing.move([50, 50]);
  assert.deepEqual(drawing.draft.shape.polygon, [
    [20, 20],
    [80, 20],
    [200, 60],
    [50, 50],
  ]);
  assert.equal(click(drawing, [21, 21]), true);
  assert.deepEqual(imageShapes.shapes, [
    {
      label: "apple",
      left: 20,
      top: 20,
      width: 180,
      height: 40,
      polygon: [
        [20, 20],
        [80, 20],
        [200, 60],
      ],
    },
  ]);
  click(drawing, [150, 80]);
  click(drawing, [190, 80]);
  assert.equal(drawing.closePolygon(), false);
  assert.equal(hints.length, 1);
  assert.equal(drawing.corners.length, 2); // it stays open
  click(drawing, [190, 95]);
  assert.equal(drawing.closePolygon(), true);
  assert.equal(imageShapes.shapes.length, 2);
  click(drawing, [10, 80]);
  click(drawing, [10, 80]); // the second click of a double click is no corner
  assert.equal(drawing.corners.length, 1);
  assert.equal(drawing.dropCorner(), true);
  assert.equal(drawing.corners, null);
  assert.equal(drawing.dropCorner(), false);
});

test("a flat polygon is too small", () => {
  const { drawing, imageShapes, hints } = begun({ tool: "polygon" });
  for (const point of [
    [20, 20],
    [80, 20],
    [120, 21],
  ])
    click(drawing, point);
  assert.equal(drawing.closePolygon(), false);
  assert.deepEqual([imageShapes.shapes.length, hints, drawing.isBusy], [0, [HINT_SMALL], false]);
});

test("two fingers take the corner back that the first of them set", () => {
  const { drawing } = begun({ tool: "polygon" });
  click(drawing, [20, 20]);
  drawing.press([80, 20], { tolerance: 3 });
  drawing.stop();
  assert.deepEqual(drawing.corners, [[20, 20]]);
});

test("corners of a polygon are moved, added by a click on an edge, and taken away", () => {
  const { drawing, imageShapes, hints } = begun({
    shapes: [TRIANGLE],
    selected: 0,
    tool: "polygon",
  });
  assert.equal(drag(drawing, [80, 60], [70, 90]), true);
  assert.deepEqual(imageShapes.shapes[0].polygon, [
    [20, 20],
    [80, 20],
    [70, 90],
  ]);
  assert.deepEqual(sides(imageShapes.shapes[0]), [20, 20, 60, 70]);
  assert.equal(click(drawing, [50, 20]), true);
  assert.deepEqual(imageShapes.shapes[0].polygon, [
    [20, 20],
    [50, 20],
    [80, 20],
    [70, 90],
  ]);
  assert.equal(drawing.corner, 1);
  assert.equal(drawing.nudge(0, -5), true); // only that corner
  assert.deepEqual(imageShapes.shapes[0].polygon[1], [50, 15]);
  assert.equal(drawing.removeCorner(), true);
  assert.deepEqual(imageShapes.shapes[0].polygon, [
    [20, 20],
    [80, 20],
    [70, 90],
  ]);
  assert.equal(drawing.corner, null);
  assert.equal(click(drawing, [80, 20], { removes: true }), false); // three stay
  assert.equal(hints.length, 1);
  click(drawing, [75, 55]);
  assert.equal(imageShapes.shapes[0].polygon.length, 4);
  assert.equal(click(drawing, [75, 55], { removes: true }), true);
  assert.equal(imageShapes.shapes[0].polygon.length, 3);
});

test("with the tool for polygons the selected one still moves, and others are outlined anew", () => {
  const { drawing, imageShapes } = begun({ shapes: [TRIANGLE], selected: 0, tool: "polygon" });
  drag(drawing, [70, 30], [80, 35]);
  assert.deepEqual(imageShapes.shapes[0].polygon[0], [30, 25]);
  imageShapes.select(null);
  click(drawing, [80, 30]);
  assert.equal(drawing.corners.length, 1);
});

test("a nudge moves by pixels, within the image, and is one step", () => {
  const { drawing, imageShapes } = begun({ shapes: [box(50, 30, 40, 20)], selected: 0 });
  for (let step = 0; step < 5; step += 1) drawing.nudge(1, 0);
  drawing.nudge(0, -500);
  assert.deepEqual(sides(imageShapes.shapes[0]), [55, 0, 40, 20]);
  imageShapes.undo();
  assert.deepEqual(sides(imageShapes.shapes[0]), [50, 30, 40, 20]);
  imageShapes.select(null);
  assert.equal(drawing.nudge(1, 0), false);
});

test("another image ends what was drawn, but a polygon outlasts news of the same image", () => {
  const { drawing, imageShapes } = begun({ tool: "polygon" });
  click(drawing, [20, 20]);
  drawing.show(
    new ImageShapes(
      { name: "a", ...SIZE },
      { shapes: [TRIANGLE], status: "labelled", revision: 2 },
    ),
  );
  assert.equal(drawing.corners.length, 1);
  drawing.show(
    new ImageShapes({ name: "b", ...SIZE }, { shapes: [], status: "unlabelled", revision: 2 }),
  );
  assert.equal(drawing.corners, null);
  assert.equal(imageShapes.shapes.length, 0);
});

test("what is drawn is told before it is there; what is missed, too", () => {
  const told = [];
  const { drawing, imageShapes } = begun({
    drawn: (label) => told.push(label),
    missed: (point) => told.push(point),
  });
  drag(drawing, [10, 10], [60, 60]);
  click(drawing, [150, 80]);
  assert.equal(drawing.keep(box(5, 5, 1, 9)), false);
  assert.equal(drawing.keep(box(5, 5, 9, 9)), true);
  assert.equal(imageShapes.selected, 1);
  assert.deepEqual(told, ["apple", [150, 80], "apple"]);
});
