import assert from "node:assert/strict";
import { test } from "node:test";

import { Editing } from "../../customlabels_nb/widgets/static/shared/editing.js";
import { KernelGone } from "../../customlabels_nb/widgets/static/shared/requests.js";

const turn = () =>
  new Promise((resolve) => {
    setTimeout(resolve, 2);
  });
let project = 0;

// A gallery of 5,000 images of which the page has one row. `request` answers, or throws.
function opened(request) {
  const said = [];
  const screen = {
    info: { screen: "a", split: "train" },
    notices: { say: (_, text) => said.push(text), drop: () => {} },
    target: () => [[0, 4_999]],
    repaint: () => {},
    showToolbars: () => {},
    showState: () => {},
    announce: () => {},
    showCounts: () => {},
    show: () => {},
    foresee: (row) => row,
    count: () => {},
    conflictWords: () => "",
  };
  const listing = {
    view: 3,
    rows: new Map(),
    rowsAt: () => null,
    renew: () => {},
    fetchRows: () => {
      throw new Error("too many");
    },
  };
  const editing = new Editing({ request, listing, screen, key: `editing ${++project}` });
  return { editing, said };
}

const answer = { split: "train", rows: [], info: {}, conflicts: [] };
const one = { rows: [{ name: "x", revision: 1 }] };

test("an edit of many images waits for those before it", async () => {
  const sent = [];
  const { editing } = opened(async (kind, edit) => {
    sent.push([edit.label, "begun"]);
    await turn();
    sent.push([edit.label, "done"]);
    return [answer];
  });
  await editing.edit({ op: "label", label: "apple" }, one);
  await editing.edit({ op: "label", label: "pear" });
  assert.deepEqual(sent, [
    ["apple", "begun"],
    ["apple", "done"],
    ["pear", "begun"],
    ["pear", "done"],
  ]);
});

test("an edit of many images is refused while others wait for the kernel, and says so", async () => {
  const sent = [];
  const { editing, said } = opened(async (kind, edit) => {
    sent.push(edit.label);
    throw new KernelGone("The kernel does not respond.");
  });
  await editing.edit({ op: "label", label: "apple" }, one);
  await turn();
  await editing.edit({ op: "label", label: "pear" });
  assert.deepEqual(sent, ["apple"]);
  assert.match(said.at(-1), /^Not saved: 1 edit is still being saved\. Try again\.$/);
  assert.equal(editing.pending.length, 1);
  editing.close();
  editing.queue.drop(editing.queue.waiting);
});

test("an accepted page carries the labels that it showed, and what is offered anew is not kept by force", async () => {
  const sent = [];
  const conflicts = [{ image: "x", short: "x", theirs: ["fig"], yours: ["pear"] }];
  const { editing, said } = opened(async (kind, edit) => {
    sent.push(edit.labels);
    return [{ ...answer, conflicts, edit: { op: "accept" } }];
  });
  const rows = [
    { name: "x", revision: 1, labels: [], prelabels: [["pear", 0.9]] },
    { name: "y", revision: 1, labels: ["fig"] },
  ];
  await editing.edit({ op: "accept" }, { rows });
  await turn();
  assert.deepEqual(sent, [{ x: ["pear"], y: [] }]);
  assert.match(said.at(-1), /^Not accepted, because it has changed: x/);
});

test("an edit of many images tells the kernel that undo doesn't reach what another one saved", async () => {
  const forgot = [];
  const { editing } = opened(async (kind, edit) => {
    forgot.push(edit.forget);
    return [answer];
  });
  editing.savedElsewhere = true;
  await editing.edit({ op: "label", label: "pear" });
  assert.deepEqual([forgot, editing.savedElsewhere], [[true], false]);
});

test("an edit says how many images it changes", async () => {
  const { editing } = opened(async () => [answer]);
  editing.screen.foresee = (row) => (row.name === "x" ? { ...row } : row);
  const [, count] = await editing.edit(
    { op: "clear" },
    {
      rows: [
        { name: "x", revision: 1 },
        { name: "y", revision: 1 },
      ],
    },
  );
  assert.equal(count, 1);
});

test("an edit of many images applies to the view in which it was made", async () => {
  const sent = [];
  const { editing } = opened(async (kind, { label, split, view }) => {
    sent.push([label, split, view]);
    await turn();
    return [answer];
  });
  await editing.edit({ op: "label", label: "apple" }, one);
  const made = editing.edit({ op: "label", label: "pear" });
  Object.assign(editing.screen.info, { split: "test" }); // while the first edit is saved
  editing.listing.view = 4;
  await made;
  assert.deepEqual(sent[1], ["pear", "train", 3]);
});

test("an edit applies to what was aimed at before, with the latest revisions", async () => {
  const sent = [];
  const { editing } = opened(async (kind, edit) => {
    sent.push([edit.split, edit.images, edit.revisions]);
    return [answer];
  });
  const { listing, screen } = editing;
  listing.rowsAt = () => [{ name: "x", revision: 1 }];
  const at = editing.aim();
  listing.rowsAt = () => [{ name: "y", revision: 1 }];
  listing.rows.set("x", { name: "x", revision: 2 });
  await editing.edit({ op: "clear" }, { at });
  await turn();
  screen.info.split = "test"; // its image of this name is another one
  screen.count = () => assert.fail("not of this dataset");
  screen.foresee = (row) => ({ ...row });
  await editing.edit({ op: "clear" }, { at });
  await turn();
  assert.deepEqual(sent, [
    ["train", ["x"], { x: 2 }],
    ["train", ["x"], { x: 1 }],
  ]);
});

test(
  "conflicts of the other dataset are told and can be overruled, and its later edits " +
    "get the new revisions",
  async () => {
    const sent = [];
    const conflicts = [{ image: "x", short: "x", theirs: ["fig"], yours: ["pear"] }];
    const { editing } = opened(async (kind, edit) => {
      sent.push([edit.split, edit.label, edit.revisions]);
      await turn();
      return [
        {
          ...answer,
          split: edit.split,
          rows: [{ name: "x", revision: 5 }],
          conflicts: sent.length === 1 ? conflicts : [],
          edit: { op: "label", label: edit.label },
        },
      ];
    });
    let step = null;
    editing.screen.notices.say = (name, text, options) => {
      ({ step } = options);
    };
    editing.edit({ op: "label", label: "pear" }, one);
    editing.edit({ op: "label", label: "kiwi" }, one);
    editing.screen.info.split = "test";
    editing.edit({ op: "label", label: "lime" }, one); // another image of the same name
    await editing.queue.whenSettled("a");
    assert.equal(step.label, "Keep mine");
    await step.run();
    await editing.queue.whenSettled("a");
    assert.deepEqual(sent, [
      ["train", "pear", { x: 1 }],
      ["train", "kiwi", { x: 5 }],
      ["test", "lime", { x: 1 }],
      ["train", "pear", { x: 5 }],
    ]);
  },
);

test("an edit whose image is not shown any more cannot be kept", async () => {
  const conflicts = [{ image: "x", short: "x", theirs: [], yours: [] }];
  const { editing } = opened(async () => [
    { ...answer, conflicts, edit: { op: "reject" }, reload: true },
  ]);
  const steps = [];
  editing.screen.notices.say = (name, text, { step }) => steps.push(step);
  editing.screen.show = () => steps.push("shown");
  await editing.edit({ op: "reject" }, one);
  await editing.queue.whenSettled("a");
  assert.deepEqual(steps, [null, "shown"]);
});

test("edits of an earlier page are announced until they are saved", async () => {
  const before = opened(async () => {
    throw new KernelGone();
  });
  await before.editing.edit({ op: "label", label: "apple" }, one);
  await turn();
  before.editing.close();
  const notices = new Map();
  const { screen } = before.editing;
  Object.assign(screen, { info: { screen: "b", split: "train" } });
  screen.notices = {
    say: (key, text) => notices.set(key, text),
    drop: (key) => notices.delete(key),
  };
  const { listing } = before.editing;
  const again = new Editing({
    request: async () => [answer],
    listing,
    screen,
    key: `editing ${project}`,
  });
  assert.match(notices.get("again"), /1 edit was not saved before/);
  await again.settled();
  await turn();
  assert.deepEqual([again.state, [...notices.keys()]], ["saved", []]);
});

test("an undo of images that were changed since says which they are", async () => {
  const conflicts = [{ short: "a.jpg" }, { short: "b.jpg" }];
  const { editing, said } = opened(async () => [{ ...answer, images: [], conflicts }]);
  await editing.takeBack("undo");
  assert.match(said.at(-1), /^Cannot undo: a\.jpg and 1 more have been changed since\./);
});
