import assert from "node:assert/strict";
import { test } from "node:test";

import { problemText, Upload } from "../../customlabels_nb/widgets/static/gallery/upload.js";
import { Panel } from "../../customlabels_nb/widgets/static/shared/panel.js";
import { openPage, press } from "./fake_dom.js";

test("a problem is named once with its files, and the rest is counted", () => {
  assert.equal(
    problemText({ message: "No image.", count: 1, files: ["a.png"] }),
    "\u2068a.png\u2069: No image.",
  );
  assert.equal(
    problemText({ message: "No image.", count: 1_202, files: ["a", "b"] }),
    "\u2068a\u2069, \u2068b\u2069 and 1,200 more: No image.",
  );
});

// An upload whose requests are answered by `answer()`, with `said` reports and `sent` requests.
function uploadWith(answer) {
  const [root, said, sent] = [openPage(), [], []];
  const panel = new Panel({ onClose: () => {} });
  root.append(panel.node);
  const request = async (kind, content, buffers, options) => {
    sent.push([kind, options?.patience, content]);
    return kind === "upload begin" ? [{ batch: "b" }] : answer(kind);
  };
  const upload = new Upload({
    root,
    panel,
    request,
    labels: () => [],
    done: (report) => said.push(report.text),
  });
  upload.ask([Object.assign(new Blob(["x"]), { name: "a.png" })]);
  return {
    panel,
    said,
    sent,
    ended: async () => {
      for (let turn = 0; turn < 1_000 && !said.length; turn += 1) await new Promise(setImmediate);
    },
  };
}

test("an upload has minutes for every request, and closes its panel", async () => {
  const { panel, sent, ended } = uploadWith(() => [{ text: "1 image was added." }]);
  press("Enter");
  await ended();
  assert.deepEqual(
    sent.map(([kind]) => kind),
    ["upload begin", "upload part", "upload end"],
  );
  for (const [, patience] of sent) assert.ok(patience >= 120_000, patience);
  assert.equal(panel.isOpen, false);
});

test("an upload says what happens to images that the dataset has", async () => {
  for (const [chosen, text] of [
    [null, "fill"],
    ["replace", "replace"],
  ]) {
    const { panel, sent, ended } = uploadWith(() => [{ text: "1 image was added." }]);
    if (chosen) panel.node.querySelector("select").value = chosen;
    press("Enter");
    await ended();
    assert.deepEqual(sent.at(-1)[2], { batch: "b", label: null, on_known: text });
  }
});

test("Enter that ends the composition of a label does not start the upload", () => {
  const { sent } = uploadWith(() => [{}]);
  press("Enter", { isComposing: true });
  assert.deepEqual(sent, []);
});

test("an upload ends without closing a panel that was opened meanwhile, and says so if it failed", async () => {
  for (const [fails, words] of [
    [false, "1 image was added."],
    [true, "Could not add the images: full disk"],
  ]) {
    const { panel, said, ended } = uploadWith((kind) => {
      if (kind === "upload part") panel.open("Instructions");
      if (kind === "upload end" && fails) throw new Error("full disk");
      return [{ text: "1 image was added." }];
    });
    press("Enter");
    await ended();
    assert.deepEqual([said, panel.isOpen], [[words], true]);
  }
});
