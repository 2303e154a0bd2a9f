import assert from "node:assert/strict";
import { test } from "node:test";

import { Export } from "../../customlabels_nb/widgets/static/dashboard/export.js";
import { askPath } from "../../customlabels_nb/widgets/static/results/dialogs.js";
import { element } from "../../customlabels_nb/widgets/static/shared/dom.js";
import { Panel } from "../../customlabels_nb/widgets/static/shared/panel.js";
import {
  askNote,
  instructionNodes,
  openInstructions,
} from "../../customlabels_nb/widgets/static/shared/panels.js";
import { openPage, press } from "./fake_dom.js";

function newPanel() {
  const page = openPage();
  const panel = new Panel({ onClose: () => {} });
  page.append(panel.node);
  return panel;
}

test("the key that opened a question does not answer it while it is held", async () => {
  const panel = newPanel();
  const asked = panel.ask("Submit", "2 images have no label.", [
    { value: "submit", label: "Submit", primary: true },
  ]);
  press("Enter", { repeat: true });
  assert.equal(panel.isOpen, true);
  press("Enter");
  assert.equal(await asked, "submit");
  const field = element("textarea", { data: { first: "" } });
  panel.open("Instructions", field);
  assert.equal(press("Enter", { repeat: true }).defaultPrevented, false); // new lines
});

test("a note is asked for with the former one, and Esc keeps that", async () => {
  const panel = newPanel();
  const asked = askNote(panel, "a.png", "<b>cut</b>");
  const field = document.activeElement;
  assert.equal(field.value, "<b>cut</b>");
  field.value = " loose ";
  press("Enter", { ctrlKey: true });
  assert.equal(await asked, "loose");
  const again = askNote(panel, "a.png", "");
  press("Escape");
  assert.equal(await again, null);
});

test("Tab goes round the elements that can be focused and are shown", () => {
  const panel = newPanel();
  const [first, last] = [element("button", { data: { first: "" } }), element("button")];
  panel.open(
    "Instructions",
    first,
    last,
    element("button", { hidden: true }),
    element("p", { hidden: true }, element("input")),
    element("button", { tabIndex: -1 }),
  );
  last.focus();
  assert.equal(press("Tab").defaultPrevented, true);
  const closer = document.activeElement;
  assert.equal(closer.getAttribute("aria-label"), "Close");
  press("Tab", { shiftKey: true });
  assert.equal(document.activeElement, last);
  first.focus();
  assert.equal(press("Tab").defaultPrevented, false);
});

test("Esc closes a panel, but not while a word is composed", () => {
  const panel = newPanel();
  panel.open("Instructions", element("textarea", { data: { first: "" } }));
  press("Escape", { isComposing: true });
  assert.equal(panel.isOpen, true);
  press("Escape");
  assert.equal(panel.isOpen, false);
});

test("Enter that ends the composition of a path does not write there", async () => {
  const panel = newPanel();
  const path = askPath(panel, { page: "report.html" });
  press("Enter", { isComposing: true });
  assert.equal(panel.isOpen, true);
  press("Enter");
  assert.deepEqual(await path, { what: "page", path: "report.html" });
  const begun = [];
  const sides = { labelled: 1, needs_review: 0, skipped: 0, unlabelled: 0 };
  new Export(panel, { begin: async ({ folder }) => begun.push(folder) }).open(
    ["coco"],
    { statuses: { train: sides, test: sides } },
    null,
  );
  panel.body.querySelector("[data-choice='folder']").focus();
  press("Enter", { isComposing: true });
  assert.deepEqual(begun, []);
  press("Enter");
  assert.deepEqual(begun, ["export"]);
});

test("instructions that are shown before the first task start it with Enter", () => {
  const panel = newPanel();
  openInstructions(panel, "Look twice.", { readOnly: true, isNew: true });
  assert.equal(document.activeElement.textContent, "Start");
  press("Enter");
  assert.equal(panel.isOpen, false);
  openInstructions(panel, "Look twice.", { readOnly: true });
  assert.equal(panel.body.textContent.includes("Start"), false);
});

test("a picture of the instructions is asked for by its line", async () => {
  const page = openPage();
  const text = "Look twice.\n![ripe](../ripe.jpg)\n![](/etc/passwd)";
  const asked = [];
  const request = async (kind, content) => {
    asked.push([kind, content]);
    if (content.line === 2) throw new Error("cannot be shown");
    return [{ mime: "image/jpeg" }, [new Uint8Array([1, 2])]];
  };
  page.append(...instructionNodes(text, request));
  await new Promise((resolve) => {
    setTimeout(resolve);
  });
  assert.deepEqual(asked, [
    ["picture", { instructions: text, line: 1, nth: 0 }],
    ["picture", { instructions: text, line: 2, nth: 0 }],
  ]);
  assert.equal(page.querySelector("img").src, "data:image/jpeg;base64,AQI=");
  assert.equal(page.querySelector("em").textContent, "cannot be shown");
  assert.equal(instructionNodes(text)[1].textContent, "../ripe.jpg");
});

test("instructions have links, bold words, lists and pictures as in Markdown", () => {
  const page = openPage();
  const text =
    "Label the **main** thing, see [the wiki](https://example.org/a) or https://example.org/b.\n" +
    "- ripe: ![](r.jpg) ![](s.jpg)\n2 * 3 **";
  const asked = [];
  const request = (_, { line, nth }) => {
    asked.push([line, nth]);
    return new Promise(() => {});
  };
  page.append(...instructionNodes(text, request));
  const [first, second, third] = page.querySelectorAll("p");
  assert.equal(first.querySelector("strong").textContent, "main");
  assert.deepEqual(
    [...first.querySelectorAll("a")].map((link) => [link.textContent, link.href]),
    [
      ["the wiki", "https://example.org/a"],
      ["https://example.org/b", "https://example.org/b"],
    ],
  );
  assert.equal(first.textContent, "Label the main thing, see the wiki or https://example.org/b.");
  assert.equal(second.textContent, "• ripe:  ");
  assert.deepEqual(asked, [
    [1, 0],
    [1, 1],
  ]);
  assert.equal(third.textContent, "2 * 3 **");
  asked.length = 0;
  instructionNodes("**see ![](a.jpg)** ![](b.jpg)", request); // the kernel counts the bold one, too
  assert.deepEqual(asked, [[0, 1]]);
  const script = instructionNodes("[click](javascript:alert(1))")[0];
  assert.equal(script.querySelector("a"), null);
});
