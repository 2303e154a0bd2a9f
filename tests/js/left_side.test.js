import assert from "node:assert/strict";
import { test } from "node:test";

import { LeftSide } from "../../customlabels_nb/widgets/static/annotator/left_side.js";
import { openPage } from "./fake_dom.js";

test("labels are offered for adding only where that is allowed", () => {
  openPage();
  for (const [isFixed, placeholder, added] of [
    [false, "Find or add…", ["pea"]],
    [true, "Find a label…", []],
  ]) {
    const side = new LeftSide({ instructions() {} });
    side.update({
      labels: [{ label: "fig", color: "#000000" }],
      current: null,
      counts: new Map(),
      hidden: new Set(),
      locked: new Set(),
      guides: false,
      instructions: "",
      readOnly: false,
      isFixed,
    });
    assert.equal(side.field.placeholder, placeholder);
    const name = side.field.getAttribute("aria-label");
    assert.deepEqual(
      [name, side.opener.children[0].title],
      [side.opener.textContent.replace("/", ""), name],
    );
    side.field.value = "pea";
    side.field.fire("input");
    assert.deepEqual(
      side.list.querySelectorAll(".addition bdi").map((node) => node.textContent),
      added,
    );
  }
});
