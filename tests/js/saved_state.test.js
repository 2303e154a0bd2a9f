import assert from "node:assert/strict";
import { test } from "node:test";

import { Saving } from "../../customlabels_nb/widgets/static/annotator/saving.js";
import { ImageShapes } from "../../customlabels_nb/widgets/static/annotator/shapes.js";
import { Editing } from "../../customlabels_nb/widgets/static/shared/editing.js";
import { KernelGone } from "../../customlabels_nb/widgets/static/shared/requests.js";
import { randomFrom } from "./random.js";

const HISTORIES = 100;
const STEPS = 40;
const BOX = { label: "apple", left: 1, top: 2, width: 10, height: 10, polygon: null };
const IMAGES = ["a", "b", "c"];
const saysSaved = (state) => state === "saved" || state === "gone";
const soon = async () => {
  for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
};

// What a screen shows, and which of its edits the kernel has not answered. An edit that was refused, or whose screen
// says that it was not saved, counts as answered. Asserts that "saved" is never shown before that.
class Shown {
  open = new Set();
  state = "saved";

  endUndo() {
    this.open.delete([...this.open].find((name) => name.startsWith("undo")));
  }

  check(state = this.state) {
    this.state = state;
    const open = [...this.open].join(", ");
    assert.ok(!open || !saysSaved(state), `“${state}” while these are open: ${open}`);
  }
}

// Requests that a history answers, refuses or loses later, in any order.
function heldKernel() {
  const held = [];
  const request = (kind, content, shown) =>
    new Promise((resolve, reject) => {
      held.push({ kind, content: structuredClone(content), shown, resolve, reject });
    });
  return { held, request };
}

// A gallery of 5,000 images. Edits are of one image, of some whose rows are not loaded yet, or of all.
function openGallery(key, id, kernel) {
  const shown = new Shown();
  let made = 0;
  const screen = {
    info: { screen: id, split: "train", counts: {}, statuses: {} },
    notices: { say: (key) => key === "undo" && shown.endUndo(), drop: () => {} },
    showState: (state) => shown.check(state),
    target: () => [],
    foresee: (row) => row,
    conflictWords: () => "",
    ...Object.fromEntries(
      ["repaint", "showToolbars", "announce", "showCounts", "count", "bring", "returnTo"].map(
        (name) => [name, () => {}],
      ),
    ),
    show: async () => true,
    turnTo: async () => true,
  };
  const listing = {
    view: 1,
    rows: new Map(),
    renew: () => {},
    rowsAt: () => null,
    fetchRows: () => kernel.request("rows", { label: `${id} ${made}` }),
  };
  const request = (kind, content) => kernel.request(kind, content, shown);
  const editing = new Editing({ request, listing, screen, key });
  const edit = (at) => {
    made += 1;
    const label = `${id} ${made}`;
    shown.open.add(label);
    editing.edit({ op: "label", label }, { at }).then((isMade) => {
      if (!isMade) shown.open.delete(label); // a notice says so
    });
  };
  const aim = { split: "train", view: 1, rows: null };
  return {
    shown,
    sending: editing,
    actions: [
      (random) => edit({ ...aim, ranges: [], rows: [{ name: random.pick(IMAGES), revision: 1 }] }),
      () => edit({ ...aim, ranges: [[0, 99]] }),
      () => edit({ ...aim, ranges: [[0, 4_999]] }),
      () => {
        made += 1;
        shown.open.add(`undo ${made}`);
        editing.takeBack("undo");
      },
    ],
  };
}

// An annotator of three images. What is open is the last version of an image.
function openAnnotator(key, kernel) {
  const shown = new Shown();
  const ended = ({ image }) => shown.open.delete(image);
  const screen = {
    info: {},
    notices: { say: () => {}, drop: () => {} },
    showState: (state) => shown.check(state),
    stored: () => {},
    conflict: ended,
    refused: ended,
    removed: (answer, edit) => {
      if (!edit.shapes.length) ended(edit);
    },
  };
  const saving = new Saving({ request: kernel.request, screen, key });
  const images = new Map(
    IMAGES.map((name) => [
      name,
      new ImageShapes({ name, width: 9, height: 9 }, { shapes: [], status: "", revision: 1 }),
    ]),
  );
  return {
    shown,
    sending: saving,
    actions: [
      (random) => {
        const image = images.get(random.pick(IMAGES));
        image.add(BOX);
        shown.open.add(image.image.name);
        saving.save("train", image);
      },
    ],
    // The kernel has stored this version. A newer one may be waiting.
    stores: ({ image, shapes }) => {
      if (shapes.length === images.get(image).shapes.length) shown.open.delete(image);
    },
  };
}

// The kernel answers a request. Its edits are answered from then on.
function answer({ kind, content, shown, resolve, reject }, how, { galleries, annotator }) {
  const end = () => {
    for (const gallery of galleries) gallery.shown.open.delete(content.label);
  };
  if (how === "lost") {
    if (!content.by) end(); // it is not sent again, and a notice says so
    reject(new KernelGone("silent"));
  } else if (how === "refused") {
    end();
    reject(Object.assign(new Error("refused"), { refused: true }));
  } else if (kind === "rows") {
    resolve(IMAGES.map((name) => ({ name, revision: 1 })));
  } else if (kind === "save") {
    const [gone, conflict] = [how === "gone", how === "conflict"];
    if (!gone && !conflict) annotator.stores(content);
    resolve([{ image: content.image, revision: gone ? null : 2, gone, conflict, rows: [] }]);
  } else {
    end();
    if (kind === "undo") shown.endUndo();
    resolve([{ split: "train", rows: [], images: ["a"], info: {}, conflicts: [] }]);
  }
}

async function play(random, key, tick) {
  const kernel = heldKernel();
  const galleries = ["one", "two"].map((id) => openGallery(key, id, kernel));
  const annotator = openAnnotator(key, kernel);
  const screens = [...galleries, annotator];
  const steps = [
    () => {
      const screen = random.pick(screens);
      random.pick(screen.actions)(random);
    },
    () => {
      if (!kernel.held.length) return;
      const [request] = kernel.held.splice(random.whole(0, kernel.held.length - 1), 1);
      answer(
        request,
        random.pick(["stored", "stored", "stored", "lost", "refused", "gone", "conflict"]),
        {
          galleries,
          annotator,
        },
      );
    },
    () => random.pick(screens).sending.responded(),
    () => random.pick(screens).sending.lost(new KernelGone("silent")),
    () => tick(2_000),
  ];
  for (let step = 0; step < STEPS; step += 1) {
    random.pick([steps[0], steps[0], steps[1], steps[1], ...steps])();
    await soon();
    for (const { shown } of screens) shown.check();
  }
  for (const { sending } of screens) sending.responded();
  for (let round = 0; round < 2 * STEPS; round += 1) {
    tick(2_000);
    for (const request of kernel.held.splice(0))
      answer(request, "stored", { galleries, annotator });
    await soon();
  }
  for (const { shown, sending } of screens) {
    if (!sending.homeless?.size) assert.deepEqual([...shown.open], []);
    shown.check();
    sending.close();
  }
  return screens.filter(({ sending }) => sending.state === "saved").length;
}

test("“saved” is never shown before the kernel has answered each edit", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let saved = 0;
  for (let seed = 1; seed <= HISTORIES; seed += 1) {
    try {
      saved += await play(randomFrom(seed), `saved ${seed}`, (time) =>
        context.mock.timers.tick(time),
      );
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
  assert.ok(saved > 2 * HISTORIES); // in the end
});
