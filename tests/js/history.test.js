import assert from "node:assert/strict";
import { test } from "node:test";

import {
  momentText,
  slotCaption,
  slotText,
} from "../../customlabels_nb/widgets/static/dashboard/text.js";
import { HistoryList } from "../../customlabels_nb/widgets/static/history/list.js";
import {
  dayText,
  itemsOf,
  moreText,
  offerOf,
} from "../../customlabels_nb/widgets/static/history/state.js";
import { openPage } from "./fake_dom.js";

const row = (more) => ({
  what: "label cat",
  undoable: true,
  undoes: null,
  undone_by: null,
  ...more,
});

test("an action is undone or redone in one place", () => {
  assert.equal(offerOf(row()), "Undo");
  assert.equal(offerOf(row({ what: "redo from scratch" })), "Undo"); // not a redo, whatever it is called
  assert.equal(offerOf(row({ undoable: false })), null);
  assert.equal(offerOf(row({ undone_by: 3 })), null);
  const undo = { what: "undo label cat", undoes: 2 };
  assert.equal(offerOf(row(undo)), "Redo");
  assert.equal(offerOf(row({ ...undo, undone_by: 4 })), null);
  assert.equal(offerOf(row({ what: "redo label cat", undoes: 3 })), null); // the original has the button
});

test("each day comes once, before its actions", () => {
  const [today, before] = [new Date(2026, 0, 5, 0, 5), new Date(2026, 0, 4, 23, 59)];
  assert.equal(dayText(today.getTime() * 1000, today.getTime()), "today");
  assert.equal(dayText(before.getTime() * 1000, today.getTime()), "yesterday");
  const rows = [today, today, before].map((date, id) => ({ ...row(), id, created: date * 1000 }));
  const items = itemsOf({ rows, opened: 1, details: "details", read_only: false });
  assert.deepEqual(
    items.map(({ day, id, isOpen, details, offer }) => day ?? [id, isOpen, details, offer]),
    [
      "Jan 5, 2026",
      [0, false, null, "Undo"],
      [1, true, "details", "Undo"],
      "Jan 4, 2026",
      [2, false, null, "Undo"],
    ],
  );
  assert.equal(itemsOf({ rows, opened: null, read_only: true })[1].offer, null);
  assert.equal(
    moreText({ names: ["a", "b"], images: { train: 1_000, test: 3 } }),
    " and 1,001 more",
  );
  assert.equal(moreText({ names: ["a"], images: { train: 1 } }), "");
});

// A list of two pages of two actions, and the requests that it sends.
async function openList(more = {}, on = {}) {
  openPage();
  const sent = [];
  const rows = (ids) => ids.map((id) => ({ ...row(more), id, created: id, who: "ann" }));
  const answers = {
    history: ({ before }) => ({
      seen: 4,
      more: true,
      people: { "<b>": 4 },
      read_only: false,
      project: "p",
      rows: rows(before ? [2, 1] : [4, 3]),
    }),
    "history details": () => ({ names: ["a.png"], images: { train: 3 }, refusal: null }),
    "history undo": () => ({ images: 3, undone_by: 5 }),
  };
  const request = async (kind, content) => {
    sent.push([kind, content]);
    return [answers[kind](content)];
  };
  const list = new HistoryList(request, { said() {}, ...on });
  await list.load();
  return { list, sent, all: (selector) => list.node.querySelectorAll(selector) };
}

const settled = () => new Promise(setImmediate);

test("times begin at 00:00", async () => {
  const created = new Date(2026, 0, 5, 0, 5, 7).getTime() * 1000;
  const { list, all } = await openList();
  list.state.rows = [{ ...row(), id: 1, created, who: "ann" }];
  list.paint();
  assert.equal(all(".when")[0].textContent, "00:05:07");
  assert.match(momentText(created), /2026\D+00:05$/);
  assert.match(slotText(created, "hour"), /00:05\D+01:05$/);
  assert.equal(slotCaption(created, "hour"), "00:05");
});

test("a double click shows older actions once", async () => {
  const { list, all } = await openList();
  const older = all("button").find((node) => node.textContent === "Show older");
  older.click();
  older.click();
  await settled();
  assert.deepEqual(
    list.state.rows.map(({ id }) => id),
    [4, 3, 2, 1],
  );
});

test("an action opens in its row, which stays, and is undone and redone", async () => {
  const said = [];
  const opened = [];
  const on = { said: (...what) => said.push(what), open: (...what) => opened.push(what) };
  const { sent, all } = await openList({ what: "<i>", note: "<u>", labels: "<s>" }, on);
  const [first] = all(".action");
  all(".action-line")[0].click();
  await settled();
  assert.equal(all(".details").length, 1);
  assert.equal(first.querySelector(".names-of").textContent, "a.png and 2 more");
  assert.equal(first.querySelector(".what").textContent, "<i><u><s>");
  all(".details button")[0].click();
  assert.deepEqual(opened, [["train", 4, "3 images of action 4, train"]]);
  first.querySelector(".undo").click();
  await settled();
  assert.equal(all(".action")[0], first);
  assert.match(said[0][0], /^Undone: .*<i>.*: 3 images changed\.$/);
  said[0][1].step.run();
  await settled();
  assert.deepEqual(
    sent.filter(([kind]) => kind === "history undo").map(([, { id }]) => id),
    [4, 5],
  );
  all(".action-line")[0].click();
  assert.equal(all(".details").length, 0);
  assert.deepEqual(
    all("option").map((node) => node.textContent),
    ["everyone", "<b> (4)"],
  );
});
