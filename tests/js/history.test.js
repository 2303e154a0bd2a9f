import assert from "node:assert/strict";
import { test } from "node:test";

import {
  momentText,
  slotCaption,
  slotText,
} from "../../customlabels_nb/widgets/static/dashboard/text.js";
import { HistoryList, offerOf } from "../../customlabels_nb/widgets/static/history/list.js";
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

test("times begin at 00:00", () => {
  openPage();
  const created = new Date(2026, 0, 5, 0, 5, 7).getTime() * 1000;
  const list = new HistoryList(() => {}, {});
  list.rows = [{ ...row(), id: 1, created, who: "ann" }];
  list._draw();
  assert.equal(list.list.querySelector(".when").textContent, "00:05:07");
  assert.match(momentText(created), /2026\D+00:05$/);
  assert.match(slotText(created, "hour"), /00:05\D+01:05$/);
  assert.equal(slotCaption(created, "hour"), "00:05");
});

test("a double click shows older actions once", async () => {
  openPage();
  const rows = (ids) => ids.map((id) => ({ ...row(), id, created: id, who: "ann" }));
  const answer = { seen: 4, more: true, people: {}, read_only: false, project: "p" };
  const request = async (_, { before }) => [{ ...answer, rows: rows(before ? [2, 1] : [4, 3]) }];
  const list = new HistoryList(request, { said() {} });
  await list.load();
  await Promise.all([list._older(), list._older()]);
  assert.deepEqual(
    list.rows.map(({ id }) => id),
    [4, 3, 2, 1],
  );
});
