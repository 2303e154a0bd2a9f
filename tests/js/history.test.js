import assert from "node:assert/strict";
import { test } from "node:test";

import { offerOf } from "../../customlabels_nb/widgets/static/history/list.js";

const row = (more) => ({ what: "label cat", undoable: true, undoes: null, undone_by: null, ...more });

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
