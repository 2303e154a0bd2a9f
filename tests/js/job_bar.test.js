import assert from "node:assert/strict";
import { test } from "node:test";

import { Listing } from "../../customlabels_nb/widgets/static/shared/listing.js";
import { commandFor, GALLERY_KEYS } from "../../customlabels_nb/widgets/static/shared/keymap.js";
import {
  areNewInstructions,
  askReason,
  askWhoElse,
  endText,
  giveBackAtEnd,
  growListing,
  takeFocus,
} from "../../customlabels_nb/widgets/static/shared/job_bar.js";
import { Panel } from "../../customlabels_nb/widgets/static/shared/panel.js";
import { openPage, press } from "./fake_dom.js";

const row = (name) => ({ name, status: "unlabelled" });

// A view of the kernel with these images. `asked` are the requested pages.
function listingOf(names, asked, { fails = false } = {}) {
  const request = async (kind, { place, size }) => {
    asked.push(place);
    if (fails) throw new Error("gone");
    const shown = names.slice(place, place + size);
    return [
      { place, total: names.length, rows: shown.map(row), thumbs: shown.map(() => "unreadable") },
      [],
    ];
  };
  const listing = new Listing(request, () => 160);
  listing.begin(
    1,
    { place: 0, total: 2, rows: names.slice(0, 2).map(row), thumbs: ["unreadable", "unreadable"] },
    [],
    4,
  );
  return listing;
}

test("new tasks are loaded at the end of the list, whose images stay where they are", async () => {
  const asked = [];
  const listing = listingOf(["a", "b", "c", "d", "e"], asked);
  assert.equal(await growListing(listing, { total: 2 }), false);
  assert.equal(await growListing(listing, undefined), false); // no labelling job
  assert.deepEqual(asked, []);
  assert.equal(await growListing(listing, { total: 5 }), true);
  assert.deepEqual([asked, listing.total, listing.names], [[0], 5, ["a", "b", "c", "d"]]);
  listing.start = 4;
  assert.equal(await growListing(listing, { total: 5 }), false);
});

test("new tasks that could not be loaded are tried again", async () => {
  const asked = [];
  const listing = listingOf(["a", "b", "c"], asked, { fails: true });
  assert.equal(await growListing(listing, { total: 3 }), false);
  assert.equal(listing.total, 2);
  assert.equal(await growListing(listing, { total: 3 }), false);
  assert.equal(asked.length, 2);
});

test("a view that was replaced meanwhile does not grow", async () => {
  const listing = listingOf(["a", "b", "c"], []);
  const growing = growListing(listing, { total: 3 });
  listing.begin(2, { place: 0, total: 1, rows: [row("x")], thumbs: ["unreadable"] }, [], 4);
  assert.equal(await growing, false);
  assert.deepEqual([listing.total, listing.names], [1, ["x"]]);
});

test("tasks are given back when the page or the screen is closed, once it is one of a job", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  globalThis.document = { hidden: false };
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
  const asked = [];
  const screen = {
    info: null,
    request: async (kind) => {
      asked.push(kind);
      throw new Error("the page is closed");
    },
  };
  const giveBack = giveBackAtEnd(screen);
  page.dispatchEvent(new Event("pagehide"));
  screen.info = {};
  page.dispatchEvent(new Event("pagehide"));
  assert.deepEqual(asked, []);
  screen.info = { job: {} };
  page.dispatchEvent(new Event("pagehide"));
  assert.deepEqual(asked, ["leave"]);
  context.mock.timers.tick(60_000); // a visible page polls
  globalThis.document = { hidden: true };
  context.mock.timers.tick(20_000);
  assert.deepEqual(asked.splice(1), ["here"]);
  giveBack();
  context.mock.timers.tick(60_000);
  page.dispatchEvent(new Event("pagehide"));
  assert.deepEqual(asked, ["leave", "leave"]);
});

test("instructions are shown first, again only if they have changed, and only in jobs", () => {
  const info = { job: {}, key: "k", instructions: "Look." };
  assert.equal(areNewInstructions({ ...info, job: undefined }), false);
  assert.equal(areNewInstructions({ ...info, instructions: " \n" }), false);
  assert.equal(areNewInstructions(info), true);
  assert.equal(areNewInstructions(info), false);
  assert.equal(areNewInstructions({ ...info, key: "another job" }), true);
  assert.equal(areNewInstructions({ ...info, instructions: "Look twice." }), true);
});

test("the end has a sentence, and minus says that there is nothing", () => {
  assert.equal(endText({ end: "The job is paused." }), "The job is paused.");
  assert.match(endText({ end: "" }), /Waiting/);
  assert.deepEqual(commandFor(GALLERY_KEYS, { key: "-" }), { do: "nothing" });
});

test("the screen of a job takes the focus that the question for a name had, and no other", () => {
  const body = {};
  const root = { focus: () => (document.activeElement = root) };
  const focused = (info, activeElement) => {
    globalThis.document = { body, activeElement };
    takeFocus({ info, root });
    return document.activeElement;
  };
  const field = {};
  assert.equal(focused({ job: {} }, body), root);
  assert.equal(focused({ job: {} }, field), field);
  assert.equal(focused({}, body), body);
});

test("somebody else may enter their name once the answers of this person are saved", async () => {
  const calls = [];
  const request = async (kind) => calls.push(kind);
  const screen = { request, notices: { say: (_, text) => calls.push(text) } };
  const sending = { pending: [{}], settled: async () => calls.push("settled") };
  await askWhoElse(screen, sending);
  sending.pending = [];
  await askWhoElse(screen, sending);
  const refused = "Your last answers are not saved yet. Try again later.";
  assert.deepEqual(calls, ["settled", refused, "settled", "other person"]);
});

test("a reason is a digit, typed words, or none, and Esc gives none away", async () => {
  const page = openPage();
  const panel = new Panel({ onClose: () => {} });
  page.append(panel.node);
  const ask = () =>
    askReason(panel, {
      title: "Reject",
      text: "Why?",
      reasons: ["wrong label", "<b>box</b> missing"],
      enter: "rejects",
      optional: true,
    });
  const answers = [];
  const asked = (keys) => {
    const answer = ask();
    keys();
    answers.push(answer);
  };
  asked(() => press("2"));
  asked(() => press("Enter"));
  asked(() => press("Escape"));
  asked(() => {
    press("b"); // goes to the field
    document.activeElement.value = " 2 boxes overlap ";
    press("2");
    press("Enter");
  });
  assert.deepEqual(await Promise.all(answers), ["<b>box</b> missing", "", null, "2 boxes overlap"]);
});
