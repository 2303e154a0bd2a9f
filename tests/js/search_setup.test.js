import assert from "node:assert/strict";
import { test } from "node:test";

import { SearchSetup } from "../../customlabels_nb/widgets/static/shared/search_setup.js";
import { openPage } from "./fake_dom.js";

const settled = () =>
  new Promise((resolve) => {
    setTimeout(resolve, 2);
  });
const READY = { text: "", button: "", question: "", error: "", running: false };

test("the field of the search appears when everything is there, and a download asks first", async () => {
  openPage();
  const field = document.createElement("input");
  const setup = new SearchSetup(field, () => {});
  setup.draw(true);
  const answers = [
    {
      ...READY,
      text: "Search needs a model.",
      button: "Get the model (1.5 GB)…",
      question: "Download?",
    },
    READY,
  ];
  const asked = [];
  let says = null;
  const page = {
    request: async (_kind, { start }) => [
      asked.push(start) && answers[Math.min(1, asked.length - 1)],
    ],
    panel: { ask: async () => says },
  };
  await setup.ask(page);
  assert.deepEqual([field.hidden, setup.button.textContent], [true, "⌕ Get the model (1.5 GB)…"]);
  setup.button.click();
  await settled();
  assert.deepEqual(asked, [false]);
  says = true;
  setup.button.click();
  await settled();
  assert.deepEqual([asked, field.hidden, setup.node.hidden], [[false, true], false, true]);
});

test("the field stays while somebody types, and a lost answer is asked for again", async (context) => {
  const body = openPage();
  const field = document.createElement("input");
  const setup = new SearchSetup(field, () => {});
  setup.draw(true);
  field.focus();
  const answers = [[{ ...READY, text: "Search: vectors…", running: true }], null, [READY]];
  let asked = 0;
  const page = {
    request: async () => {
      asked += 1;
      return answers[asked - 1] ?? Promise.reject(new Error("The kernel does not respond."));
    },
  };
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const soon = async () => {
    context.mock.timers.tick(1_000);
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  };
  await setup.ask(page);
  assert.equal(field.hidden, false);
  body.focus();
  field.fire("blur");
  assert.equal(field.hidden, true);
  await soon();
  await soon();
  assert.deepEqual([asked, field.hidden], [3, false]);
});
