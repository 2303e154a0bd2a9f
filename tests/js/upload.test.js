import assert from "node:assert/strict";
import { test } from "node:test";

import { problemText } from "../../customlabels_nb/widgets/static/gallery/upload.js";

test("a problem is named once with its files, and the rest is counted", () => {
  assert.equal(problemText({ message: "No image.", count: 1, files: ["a.png"] }), "\u2068a.png\u2069: No image.");
  assert.equal(problemText({ message: "No image.", count: 1_202, files: ["a", "b"] }), "\u2068a\u2069, \u2068b\u2069 and 1,200 more: No image.");
});
