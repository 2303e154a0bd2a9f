import assert from "node:assert/strict";
import { test } from "node:test";

import { RightSide } from "../../customlabels_nb/widgets/static/annotator/right_side.js";
import { ImageShapes } from "../../customlabels_nb/widgets/static/annotator/shapes.js";
import { openPage } from "./fake_dom.js";

test("a labelling job has no fields for notes, which it would lose", () => {
  const page = openPage();
  const right = new RightSide({ hover() {} });
  page.append(right.node);
  const image = { name: "a.jpg", short: "a.jpg", width: 90, height: 80 };
  const shape = { label: "lime", left: 1, top: 2, width: 9, height: 8, polygon: null, note: null };
  const imageShapes = new ImageShapes(image, { shapes: [shape], status: "labelled", note: "" });
  imageShapes.select(0);
  const view = {
    imageShapes,
    prediction: null,
    offered: null,
    colorOf: () => "#112233",
    labels: [],
    task: "boxes",
    readOnly: false,
    tolerance: 1,
  };
  const hidden = () => Object.values(right.notes).map((field) => Boolean(field.hidden));
  right.update(view);
  assert.deepEqual(hidden(), [false, false]);
  right.update({ ...view, hasNotes: false });
  assert.deepEqual(hidden(), [true, true]);
});
