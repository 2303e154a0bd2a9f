import assert from "node:assert/strict";
import { test } from "node:test";

import { Gallery } from "../../customlabels_nb/widgets/static/gallery.js";
import { ReviewPages } from "../../customlabels_nb/widgets/static/review/review_pages.js";
import { Editing } from "../../customlabels_nb/widgets/static/shared/editing.js";
import { GALLERY_KEYS } from "../../customlabels_nb/widgets/static/shared/keymap.js";
import { Listing } from "../../customlabels_nb/widgets/static/shared/listing.js";
import { PicturePages } from "../../customlabels_nb/widgets/static/shared/picture_pages.js";
import { makeRequester } from "../../customlabels_nb/widgets/static/shared/requests.js";
import { Selection } from "../../customlabels_nb/widgets/static/shared/selection.js";
import { Verify } from "../../customlabels_nb/widgets/static/verify.js";
import { openPage } from "./fake_dom.js";

const TOTAL = 6;
const NONE = { label: null, queue: null };
const settled = () =>
  new Promise((resolve) => {
    setTimeout(resolve, 2);
  });
let project = 0;

function pageOf({ place = 0, size }, list) {
  const rows = Array.from({ length: size }, (_, index) => ({
    name: `${list} ${place + index}`,
    labels: [],
    boxes: [],
    status: "unlabelled",
    revision: 1,
  }));
  return { place, total: TOTAL, rows, thumbs: rows.map(() => "none") };
}

// Pages of two images, without DOM. `held` has the requests of the kinds in `holds`, answered by their answer() or
// fail(). Other requests are answered at once. The names of images are those of the list that is shown.
function opened({ holds = [], single = false, Kind = PicturePages } = {}) {
  const asked = [];
  const held = [];
  const said = [];
  const revisions = new Map();
  let view = 1;
  const answers = {
    show: ({ query, split, ...content }) => [
      {
        info: { query, split, view: ++view },
        page: pageOf(content, `${query.show} ${query.label}`),
      },
      [],
    ],
    page: (content) => [pageOf(content, `list ${content.view}`), []],
    edit: ({ images, labels, label, split }) => [
      {
        split,
        rows: images.map((name) => {
          revisions.set(name, (revisions.get(name) ?? 1) + 1);
          return {
            name,
            labels: labels ?? [label],
            boxes: [],
            status: "labelled",
            revision: revisions.get(name),
          };
        }),
        info: {},
        conflicts: [],
        images,
      },
    ],
    undo: () => {
      const edit = asked.findLast(([kind]) => kind === "edit")[1];
      return answers.edit({ ...edit, labels: [] });
    },
    select: () => [{}],
    "add label": ({ label }) => [{ info: {}, label }],
  };
  const request = (kind, content) => {
    asked.push([kind, structuredClone(content)]);
    if (!holds.includes(kind)) return Promise.resolve(answers[kind](content));
    return new Promise((resolve, reject) => {
      held.push({
        answer: () => resolve(answers[kind](content)),
        fail: () => reject(new Error("failed")),
      });
    });
  };
  const nothing = () => {};
  const page = Object.assign(Object.create(Kind.prototype), {
    request,
    single,
    info: {
      screen: "a",
      split: "train",
      query: { show: "all", ...NONE },
      labels: [],
      counts: {},
      statuses: {},
      alone: false,
    },
    listing: new Listing(request, () => 160),
    selection: new Selection(),
    focus: 0,
    columns: 2,
    tiles: [],
    turning: 0,
    turned: null,
    asked: null,
    closed: false,
    toast: { say: nothing, close: nothing },
    notices: { say: (name, text) => said.push(text), drop: nothing },
    root: { classList: { add: nothing, remove: nothing, toggle: nothing } },
    preview: { close: nothing, turned: nothing },
    _pixels: () => 160,
    _layout: nothing,
    _paint: nothing,
    _mark: nothing,
    _sendSelection: nothing,
    showToolbars: nothing,
    showCounts: nothing,
    showState: nothing,
    repaint: nothing,
  });
  page.actions = (command) => ({
    ...Kind.prototype.actions.call(page, command),
    label: () => {
      page.editing.edit({ op: "label", label: command.label });
      if (single) page._advance();
    },
  });
  page.listing.prefetch = nothing;
  page.listing.begin(1, pageOf({ size: 2 }, "list 1"), [], 2);
  page.editing = new Editing({
    request,
    listing: page.listing,
    screen: page,
    key: `pages ${++project}`,
  });
  return {
    page,
    asked,
    held,
    said,
    of: (wanted) => asked.filter(([kind]) => kind === wanted).map(([, content]) => content),
  };
}

test("a second change of the filter keeps the first one, which is not answered yet", async () => {
  const { page, held, of } = opened({ holds: ["show"] });
  page.show({ query: { ...page.query, show: "unlabelled" }, place: 0 });
  page.show({ query: { ...page.query, label: "pear" }, place: 0 });
  page.show({}); // read again
  assert.deepEqual(
    of("show").map(({ query, place, near }) => [query.show, query.label, place, near]),
    [
      ["unlabelled", null, 0, undefined],
      ["unlabelled", "pear", 0, undefined],
      ["unlabelled", "pear", 0, undefined],
    ],
  );
  for (const { answer } of held) answer();
  await settled();
  assert.deepEqual(page.listing.names, ["unlabelled pear 0", "unlabelled pear 1"]);
  assert.deepEqual([page.asked, page.turned, page.query.label], [null, null, "pear"]);
  page.show({});
  assert.deepEqual(of("show").at(-1).near, page.listing.names);
});

test("turns of the page wait for another list, and keys for images do nothing meanwhile", async () => {
  const { page, held, of } = opened({ holds: ["show"] });
  page.show({ query: { ...page.query, show: "unlabelled" }, place: 0 });
  page._do({ do: "label", label: "pear" });
  page._do({ do: "page", by: 1 });
  page._do({ do: "label", label: "fig" });
  page._turn(1); // not with a key: the list is about to be replaced
  assert.deepEqual([of("page"), of("edit")], [[], []]);
  held[0].answer();
  await settled();
  assert.deepEqual(
    [of("page").map(({ view, place }) => [view, place]), page.listing.start, page.info.query.show],
    [[[2, 2]], 2, "unlabelled"],
  );
  assert.deepEqual(of("edit"), []); // nobody has seen the images
});

test("another list is requested once the edits before it are saved", async () => {
  const { page, held, of } = opened({ holds: ["edit"] });
  page._do({ do: "label", label: "pear" });
  page.show({ query: { ...page.query, show: "unlabelled" }, place: 0 });
  await settled();
  assert.deepEqual([of("edit").length, of("show")], [1, []]);
  page.show({ query: { ...page.query, label: "pear" }, place: 0 });
  held[0].answer();
  await settled();
  assert.deepEqual(
    of("show").map(({ query }) => [query.show, query.label]),
    [["unlabelled", "pear"]],
  );
  assert.deepEqual(page.listing.names, ["unlabelled pear 0", "unlabelled pear 1"]);
});

test("another list is requested after the undo and the keys before it", async () => {
  const { page, asked, held } = opened({ holds: ["undo"] });
  page._do({ do: "label", label: "pear" });
  await settled();
  page._do({ do: "undo" });
  page._do({ do: "undo" });
  page._do({ do: "label", label: "fig" });
  page.show({ query: { ...page.query, show: "unlabelled" }, place: 0 });
  page.show({ query: { ...page.query, label: "pear" }, place: 0 });
  page._do({ do: "label", label: "plum" });
  await settled();
  held[0].answer();
  await settled();
  held[1].answer();
  await settled();
  const sent = asked.map(([kind, { label, query }]) => [kind, query?.show ?? label, query?.label]);
  assert.deepEqual(sent.slice(0, 4), [
    ["edit", "pear", undefined],
    ["undo", undefined, undefined],
    ["undo", undefined, undefined],
    ["edit", "fig", undefined],
  ]);
  assert.deepEqual(sent.slice(4), [["show", "unlabelled", "pear"]]);
  assert.deepEqual(page.listing.names, ["unlabelled pear 0", "unlabelled pear 1"]);
});

test("suspects of a new training are offered, and an empty queue shows them at once", async () => {
  const { page, asked, said } = opened();
  const news = (version) => ({ info: { assist: { version }, query: page.info.query }, rows: [] });
  const { request } = page;
  let version = 2;
  page.request = (kind, content) =>
    kind === "follow" ? Promise.resolve([news(version)]) : request(kind, content);
  page.info.query = { show: "left", ...NONE, queue: "suspect" };
  globalThis.document = { hidden: false };
  await page._follow();
  assert.match(said.at(-1), /found new suspects/);
  page.listing.total = 0;
  version = 3;
  await page._follow();
  await settled();
  assert.equal(asked.filter(([kind]) => kind === "show").length, 1);
  delete globalThis.document;
});

test("keys are dropped if the list fails to load", async () => {
  const { page, held, of, said } = opened({ holds: ["show"] });
  page.show({ query: { ...page.query, show: "unlabelled" }, place: 0 });
  page._do({ do: "undo" });
  held[0].fail();
  await settled();
  assert.deepEqual([of("undo"), said, page.query.show, page.turned], [[], ["failed"], "all", null]);
});

test("pages of one list are turned faster than they load", async () => {
  const { page, held, of } = opened({ holds: ["page"] });
  page._do({ do: "page", by: 1 });
  page._do({ do: "jump", number: 2 });
  for (const { answer } of held) answer();
  await settled();
  assert.deepEqual([of("page").map(({ place }) => place), page.listing.start], [[2, 4], 4]);
});

test("a key after undo waits for it, and is based on its result", async () => {
  for (const holds of [["edit"], ["undo"]]) {
    // saving is slow, or the undo
    const { page, asked, held, of, said } = opened({ holds, single: true });
    const answer = async () => {
      await settled();
      held.shift().answer();
      await settled();
    };
    page._do({ do: "label", label: "pear" });
    await settled();
    page._do({ do: "undo" });
    page._do({ do: "label", label: "fig" });
    await answer();
    if (holds[0] === "edit") await answer();
    assert.deepEqual(
      asked.map(([kind]) => kind),
      ["edit", "undo", "edit"],
    );
    assert.deepEqual(
      of("edit").map(({ images, label, revisions }) => [images, label, Object.values(revisions)]),
      [
        [["list 1 0"], "pear", [1]],
        [["list 1 0"], "fig", [3]],
      ],
    );
    assert.deepEqual([page.focus, said, page.turned], [1, [], null]);
    page.editing.close();
  }
});

test("a key for an image is dropped if the undo before it has turned to the other dataset", async () => {
  const { page, asked, held, of } = opened({ holds: ["undo"] });
  page._do({ do: "label", label: "pear" });
  await settled();
  Object.assign(page.info, { split: "test" });
  for (const command of [{ do: "undo" }, { do: "label", label: "fig" }, { do: "undo" }])
    page._do(command);
  await settled();
  held.shift().answer();
  await settled();
  assert.deepEqual([page.info.split, of("edit").length], ["train", 1]);
  assert.equal(asked.at(-1)[0], "undo");
  held.shift().answer();
  await settled();
  page.editing.close();
});

// Answer `ask` once another list is shown in place of the first, and return the images that were edited.
async function answeredLate(page, of, act, choose = null) {
  let answer = choose;
  page.panel = {
    ask: () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
    open: () => {},
    onceClosed: (closed) => {
      page.panel.close = closed;
    },
  };
  page.listing.rowAt(0).labels.push("apple");
  const acted = act();
  await page.show({ query: { ...page.query, show: "unlabelled" }, place: 0 });
  answer("remove");
  await acted;
  await settled();
  return of("edit").map(({ images }) => images);
}

test("what is skipped is what was asked about, also if another page has arrived", async () => {
  for (const single of [false, true]) {
    const { page, of } = opened({ Kind: Gallery, single });
    assert.deepEqual(await answeredLate(page, of, () => page._skip()), [["list 1 0"]]);
    assert.equal(page.focus, 0); // nothing to go on from
  }
  const { page, of } = opened({ Kind: Gallery });
  assert.deepEqual(await answeredLate(page, of, () => page._skip({ ofPage: true })), [
    ["list 1 0", "list 1 1"],
  ]);
});

test("the reason of a skipped task belongs to the task that it was asked for", async (t) => {
  const before = globalThis.document;
  let click = null; // on the last button
  const node = {
    dataset: {},
    append: () => {},
    setAttribute: () => {},
    addEventListener: (type, listener) => {
      if (type === "click") click = listener;
    },
  };
  globalThis.document = { createElement: () => node };
  t.after(() => {
    globalThis.document = before;
  });
  const { page, of } = opened({ Kind: Gallery });
  assert.deepEqual(
    await answeredLate(
      page,
      of,
      () => page._skipTask(),
      () => click(),
    ),
    [["list 1 0"]],
  );
});

test("a number key reaches the kernel through nine functions", () => {
  const { page } = opened({ Kind: Gallery });
  delete page.actions;
  Object.assign(page, { keys: GALLERY_KEYS, request: null });
  page.info.labels = [{ label: "fig" }];
  let stack = "";
  page.editing.request = makeRequester({
    on: () => {},
    off: () => {},
    set: () => {},
    send: () => {
      stack = new Error().stack;
    },
  });
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 50;
  page._key({
    key: "1",
    target: { closest: () => null },
    preventDefault: () => {},
    stopPropagation: () => {},
  });
  Error.stackTraceLimit = stackTraceLimit;
  page.editing.close();
  page.editing.queue.drop(page.editing.pending);
  page.editing.request.close();
  assert.equal(stack.match(/\/widgets\/static\//g).length, 9, stack);
});

test("a new label is given to the image that was shown when it was typed", async () => {
  for (const Kind of [Gallery, Verify, ReviewPages]) {
    const { page, held, of } = opened({ Kind, holds: ["add label"] });
    page.foresee = (row) => row;
    Object.assign(page.info, { alone: true, review: { left: 0, done: 0 } });
    const adding = page._addLabel("fig");
    page._focusOn(1);
    held[0].answer();
    await adding;
    await settled();
    assert.deepEqual(
      of("edit").map(({ images, label }) => [images, label]),
      [[["list 1 0"], "fig"]],
      Kind.name,
    );
    assert.equal(page.focus, 1);
  }
});

test("a key without a label is explained", () => {
  for (const Kind of [Verify, ReviewPages]) {
    const { page, said, of } = opened({ Kind });
    Object.assign(page.info, { labels: [{ label: "fig" }], review: { left: 0, done: 0 } });
    Kind.prototype.actions.call(page, { do: "label", number: 9 }).label();
    assert.deepEqual(
      [said, of("edit")],
      [["Label 9 does not exist. Press / to type one."], []],
      Kind.name,
    );
    page.info.read_only = true;
    Kind.prototype.actions.call(page, { do: "label", number: 9 }).label();
    assert.equal(said.length, 1);
  }
});

test("a second view of a widget says that images were added, too", async () => {
  const { page, said } = opened();
  const { request } = page;
  const info = (unlabelled) => ({
    statuses: { unlabelled },
    split: "train",
    query: page.info.query,
  });
  let news;
  page.request = (kind, content) =>
    kind === "follow" ? Promise.resolve([news]) : request(kind, content);
  page.info.statuses = { unlabelled: 4, labelled: 2 };
  globalThis.document = { hidden: false };
  news = { info: info(9), rows: [], more: 0, whole: true }; // the first view has got the number
  await page._follow();
  await page._follow();
  assert.deepEqual(said, ["3 images were added or removed."]);
  news = { info: info(10), rows: [], more: 1, whole: false };
  await page._follow();
  assert.equal(said.at(-1), "1 image was added or removed.");
  news = { info: { ...info(20), job: {} }, rows: [], more: 0, whole: true };
  await page._follow();
  assert.equal(said.length, 2);
  delete globalThis.document;
});

test("an empty queue leads to the check images that are missing, or to what comes next", () => {
  openPage();
  const { page, of } = opened({ Kind: Gallery });
  const [steps, next] = [[], []];
  const say = (_text, step, more) => [steps.push(step), next.push(more)];
  Object.assign(page, { empty: {}, grid: {}, _say: say });
  page.root.focus = () => {};
  page.listing.begin(1, { place: 0, total: 0, rows: [], thumbs: [] }, [], 2);
  const step = { text: "…", button: "Label 3 images", link: { show: "unlabelled" }, split: "test" };
  const why = { text: "No prediction can be trusted", checks: true, next: step };
  Object.assign(page.info, { statuses: { unlabelled: 9 }, empty: why });
  page.info.query.queue = "prelabelled";
  page._explainEmptiness();
  why.checks = false;
  page._explainEmptiness();
  Object.assign(step, { code: "project.train()", link: null });
  page._explainEmptiness();
  assert.deepEqual(
    steps.map(({ label }) => label),
    ["Label check images", "Show all images", "Show all images"],
  );
  steps[0].run();
  assert.equal(of("show").at(-1).query.queue, "assist");
  assert.deepEqual(next[0], []);
  next[1].at(-1).click();
  const { query, split } = of("show").at(-1);
  assert.deepEqual([query.show, query.queue, split], ["unlabelled", null, "test"]);
  assert.match(next[2].at(-1).textContent, /project\.train\(\)/);
});

test("a note that is left as it is changes nothing, and different notes stay unless one is written", async () => {
  openPage();
  const { page, of } = opened();
  let typed = null;
  const panel = {
    ask: async (_title, field) => {
      if (typed !== null) field.value = typed;
      return field;
    },
  };
  Object.assign(page, { panel });
  page.selection.places.add(0);
  page.selection.places.add(1);
  const [first, second] = page.listing.names.map((name) => page.listing.rows.get(name));
  const noted = async (notes, text) => {
    [first.note, second.note] = notes;
    typed = text;
    await page.actions({}).note();
    await settled();
    return of("edit").map(({ note }) => note);
  };
  assert.deepEqual(await noted(["dark", "dark"], null), []);
  assert.deepEqual(await noted(["dark", "torn"], null), []);
  assert.deepEqual(await noted(["dark", "torn"], "wet"), ["wet"]);
  assert.deepEqual(await noted(["dark", "dark"], ""), ["wet", ""]);
});

test("screen readers are told what an edit did, and how many images are selected", async () => {
  const { page } = opened();
  const spoken = [];
  page.toast = undefined;
  page.footer = { speak: (text) => spoken.push(text) };
  await page.editing.edit({ op: "label", label: "pear" });
  page._toggleFocused();
  assert.deepEqual(spoken, ["1 → \u2068pear\u2069", "1 selected"]);
});
