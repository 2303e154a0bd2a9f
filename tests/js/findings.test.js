import assert from "node:assert/strict";
import { test } from "node:test";

import { Training } from "../../customlabels_nb/widgets/static/dashboard/training.js";
import { openPage } from "./fake_dom.js";

test("the boxes of a finding open as crops", () => {
  openPage();
  const opened = [];
  const training = new Training({ open: (...given) => opened.push(given) });
  const finding = { severity: "warning", message: "m", advice: "a", splits: { train: 2 } };
  const findings = [
    { ...finding, code: "IMAGE_VERY_DARK", boxes: { train: 0 } },
    { ...finding, code: "BOX_REPEATED", boxes: { train: 3 } },
  ];
  training.drawCheck({ state: "done", result: { plan: [], findings, seen: 1 } }, 1);
  const [dark, twins] = training.findings.children;
  assert.equal(dark.querySelectorAll("button").length, 1);
  assert.match(twins.textContent, /Remove the twins: 3 train/);
  const [images, boxes] = twins.querySelectorAll("button");
  for (const button of [images, boxes]) button.click();
  assert.deepEqual(opened, [
    ["train", { finding: 1 }, "2 images with this issue, train"],
    ["train", { boxes: 1 }, "3 boxes with this issue, train"],
  ]);
});
