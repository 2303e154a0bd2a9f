import assert from "node:assert/strict";
import { test } from "node:test";

import { editText } from "../../customlabels_nb/widgets/static/shared/toast.js";

test("an edit is described with its number of images", () => {
  assert.equal(editText({ op: "label", label: "cat" }, 12), "12 → \u2068cat\u2069");
  assert.equal(editText({ op: "unlabel", label: "cat" }, 1_200), "1,200 without \u2068cat\u2069");
  assert.equal(editText({ op: "status", status: "skipped" }, 3), "3 skipped");
  assert.equal(editText({ op: "approve" }, 3), "3 approved");
  assert.equal(editText({ op: "submit" }, 3), null);
  assert.equal(editText({ op: "clear" }, 1), "1 without labels");
  assert.equal(editText({ op: "clear" }, 1, { isJob: true }), "1 answer withdrawn");
});
