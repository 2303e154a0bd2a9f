import assert from "node:assert/strict";
import { test } from "node:test";

import { Listing } from "../../customlabels_nb/widgets/static/shared/listing.js";

const SIZE = 4;
const bytes = (text) => new Uint8Array([...text].map((letter) => letter.codePointAt(0)));

function pageOf(place, total) {
  const rows = [];
  for (let at = place; at < Math.min(place + SIZE, total); at += 1)
    rows.push({ name: `image ${at}`, labels: [] });
  return [
    { place, total, rows, thumbs: rows.map((_, index) => index) },
    rows.map((row) => bytes(row.name)),
  ];
}

function listingOf(total) {
  const asked = [];
  const listing = new Listing(
    async (kind, content) => {
      asked.push(content.place);
      return pageOf(content.place, total);
    },
    () => 160,
  );
  listing.begin(1, ...pageOf(0, total), SIZE);
  return { listing, asked };
}

test("new predictions drop the rows of other pages", async () => {
  const { listing, asked } = listingOf(10);
  await listing.load(SIZE);
  assert.equal(listing.renew([], undefined), false);
  assert.equal(listing.renew([{ name: "image 0", labels: ["fig"] }], 2), true);
  assert.deepEqual(
    [listing.rowAt(0).labels, listing.isKnown(0), listing.isKnown(SIZE)],
    [["fig"], true, false],
  );
  await listing.load(SIZE);
  assert.deepEqual(asked, [SIZE, SIZE]);
  assert.equal(listing.renew([], 2), false);
});

test("rows of large edits, which have no outlines, keep those that are known", () => {
  const { listing } = listingOf(10);
  listing.renew([{ name: "image 0", boxes: ["fig"], outlines: [[1, 2, 3, 4]], gone: "ask" }]);
  listing.renew([{ name: "image 0", boxes: ["pear"] }]);
  assert.deepEqual(
    [listing.rowAt(0).boxes, listing.rowAt(0).outlines, listing.rowAt(0).gone],
    [["pear"], [[1, 2, 3, 4]], undefined],
  );
  listing.renew([{ name: "image 0", boxes: [], outlines: [] }]);
  assert.deepEqual(listing.rowAt(0).outlines, []);
});

// stands for the browser's: notes what it is to decode
function withImages(t) {
  const decoded = [];
  const before = globalThis.Image;
  globalThis.Image = class {
    async decode() {
      decoded.push(atob(this.src.split(",")[1]));
    }
  };
  t.after(() => {
    globalThis.Image = before;
  });
  return decoded;
}

test("the next page is fetched and decoded once this one has had its time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const decoded = withImages(t);
  const { listing, asked } = listingOf(10);
  listing.prefetch();
  t.mock.timers.tick(50);
  assert.deepEqual(asked, []);
  t.mock.timers.tick(500);
  await new Promise(setImmediate);
  assert.deepEqual(asked, [4]);
  assert.deepEqual(decoded, ["image 4", "image 5", "image 6", "image 7"]);
  assert.ok(listing.isKnown(4));

  listing.start = 4; // a page that is known is decoded all the same, one that is no full page, too
  listing.prefetch();
  t.mock.timers.tick(500);
  await new Promise(setImmediate);
  assert.deepEqual(asked, [4, 8]);
  assert.deepEqual(decoded.slice(4), ["image 8", "image 9"]);

  listing.start = 8;
  listing.prefetch();
  t.mock.timers.tick(500);
  await new Promise(setImmediate);
  assert.deepEqual(asked, [4, 8]);
});

test("a page that somebody turned away from has nothing decoded", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const decoded = withImages(t);
  const { listing, asked } = listingOf(20);
  const { request } = listing;
  listing.request = async (kind, content) => {
    listing.start = 12;
    return request(kind, content);
  };
  listing.prefetch();
  t.mock.timers.tick(500);
  await new Promise(setImmediate);
  assert.deepEqual(asked, [4]);
  assert.deepEqual(decoded, []);
});

// A listing whose page and later answers have pictures of only the names in `ready`.
function lateListing(ready) {
  const asked = [];
  const late = ([answer, buffers], names) => [
    { ...answer, thumbs: names.map((name, at) => (ready.has(name) ? at : null)) },
    buffers,
  ];
  const namesOf = ([{ rows }]) => rows.map(({ name }) => name);
  const arrived = [];
  const listing = new Listing(
    async (kind, { place, images }) => {
      asked.push(images ?? place);
      if (kind === "page") return late(pageOf(place, 10), namesOf(pageOf(place, 10)));
      ready.add(images[0]);
      return late([{}, images.map(bytes)], images);
    },
    () => 160,
    (names) => arrived.push([...names].filter((name) => listing.pictures.has(name))),
  );
  listing.begin(1, ...late(pageOf(0, 10), namesOf(pageOf(0, 10))), SIZE);
  return { listing, asked, arrived };
}

test("pictures that did not come with the page are fetched until all are there", async () => {
  const { listing, asked, arrived } = lateListing(new Set(["image 0", "image 2"]));
  assert.equal(listing.pictures.get("image 1"), null);
  await listing.fill();
  assert.deepEqual(asked, [["image 1", "image 3"], ["image 3"]]);
  assert.deepEqual(arrived, [["image 1"], ["image 3"]]);
  assert.equal(atob(listing.pictures.get("image 3").split(",")[1]), "image 3");
});

test("the next page is fetched after the pictures of this one, and filled", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const decoded = withImages(t);
  const { listing, asked } = lateListing(new Set(["image 0", "image 2", "image 3", "image 4"]));
  assert.ok(listing.isKnown(0));
  listing.prefetch();
  t.mock.timers.tick(500);
  await new Promise(setImmediate);
  assert.deepEqual(asked.slice(0, 3), [["image 1"], 4, ["image 5", "image 6", "image 7"]]);
  assert.deepEqual(decoded, ["image 4", "image 5", "image 6", "image 7"]);
});

test("pictures of a page that somebody turned away from are not asked for again", async () => {
  const { listing, asked, arrived } = lateListing(new Set());
  await listing.load(SIZE);
  const before = listing.fill();
  listing.start = SIZE;
  await Promise.all([before, listing.fill()]);
  assert.equal(asked.filter((images) => images.includes?.("image 3")).length, 1);
  assert.deepEqual(arrived.flat(), listing.namesOnPage());
});

test("a picture that cannot be fetched leaves the page as it is", async () => {
  const { listing } = lateListing(new Set());
  listing.request = () => Promise.reject(new Error("gone"));
  await listing.fill();
  assert.equal(listing.pictures.has("image 0"), false);
});

test("rows that arrive after another list was shown are returned, and not shown in it", async () => {
  const { listing } = listingOf(10);
  let arrive = null;
  listing.request = () =>
    new Promise((resolve) => {
      arrive = resolve;
    });
  const fetched = listing.fetchRows([[4, 5]]);
  listing.begin(2, ...pageOf(0, 10), SIZE);
  arrive([{ places: [4, 5], rows: [{ name: "old 4" }, { name: "old 5" }] }]);
  assert.deepEqual(
    (await fetched).map(({ name }) => name),
    ["old 4", "old 5"],
  );
  assert.equal(listing.rowAt(4), undefined);
});
