import assert from "node:assert/strict";
import { test } from "node:test";

import { drawnShapes } from "../../customlabels_nb/widgets/static/review/disputed_image.js";
import {
  answerText,
  countedLabels,
  decisionText,
  differencesOf,
  differenceText,
  JOB_REVIEW_KEYS,
  jobDecided,
  jobReviewCommand,
  offerOf,
  reasonText,
  takeKey,
  usualLabel,
  whyNotAsk,
} from "../../customlabels_nb/widgets/static/review/job_decisions.js";

const answer = (letter, labels, change = {}) =>
  Object.freeze({ letter, labels, shapes: [], person: null, ...change });
const box = (label, object = 0) => ({
  label,
  left: 1,
  top: 2,
  width: 3,
  height: 4,
  polygon: null,
  object,
});
const row = (change = {}) =>
  Object.freeze({
    name: "x/a.jpg",
    short: "a.jpg",
    labels: ["lime"],
    boxes: [],
    predicted: null,
    findings: [],
    status: "needs_review",
    revision: 1,
    by: [],
    when: null,
    reviewed: false,
    agrees: null,
    answers: [answer("A", ["lemon"]), answer("B", ["lime"]), answer("C", [])],
    agreement: 0.6,
    candidates: [["lime", 0.6]],
    tie: false,
    skips: [],
    shapes: [],
    accepted: false,
    acceptable: false,
    reasons: [["mixed", "lemon", "lime"]],
    ...change,
  });
const press = (key, change = {}) =>
  jobReviewCommand({
    key,
    code: "",
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    altKey: false,
    isComposing: false,
    ...change,
  });

test("Shift and a number take an answer on every keyboard layout, and the number alone is a label", () => {
  assert.deepEqual(press("!", { code: "Digit1", shiftKey: true }), { do: "take", number: 1 });
  assert.deepEqual(press("=", { code: "Digit9", shiftKey: true }), { do: "take", number: 9 });
  assert.deepEqual(press("/", { code: "Digit7", shiftKey: true }), { do: "take", number: 7 });
  assert.deepEqual(press("1", { code: "Digit1" }), { do: "label", number: 1 });
  assert.equal(press("!", { code: "Digit1", shiftKey: true, altKey: true }), null);
  assert.equal(press("!", { code: "Digit1", shiftKey: true, isComposing: true }), null);
});

test("keys of decisions", () => {
  assert.deepEqual(press("Enter"), { do: "approve" });
  assert.deepEqual(press("r"), { do: "ask" });
  assert.deepEqual(press("R", { shiftKey: true }), { do: "ask" });
  assert.deepEqual(press("e"), { do: "fix" });
  assert.deepEqual(press("Delete"), { do: "reject" });
  assert.deepEqual(press("z", { ctrlKey: true }), { do: "undo" });
  assert.deepEqual(press("a"), { do: "take", number: 1 });
  assert.deepEqual(press("D"), { do: "take", number: 4 });
  assert.deepEqual(press("h"), { do: "hide" });
  assert.deepEqual(press("Tab"), { do: "difference", by: 1 });
  assert.deepEqual(press("Tab", { shiftKey: true }), { do: "difference", by: -1 });
  assert.deepEqual([0, 3, 4].map(takeKey), ["a", "d", "⇧5"]);
  assert.equal(press("r", { ctrlKey: true }), null);
  assert.equal(press("+"), null);
  assert.equal(
    JOB_REVIEW_KEYS.help.every(([keys, words]) => keys && words),
    true,
  );
});

test("taking an answer shows it as decided", () => {
  const after = jobDecided(row(), { op: "take", number: 1 });
  assert.deepEqual([after.labels, after.status, after.reviewed], [["lemon"], "labelled", true]);
  assert.deepEqual(jobDecided(row(), { op: "take", number: 3 }).labels, []);
  const same = row();
  assert.equal(jobDecided(same, { op: "take", number: 4 }), same);
});

test("taking an answer with boxes gives the image no labels", () => {
  const drawn = row({
    labels: [],
    boxes: ["lime"],
    answers: [answer("A", ["lime", "fig"], { shapes: [box("lime"), box("fig"), box("lime")] })],
  });
  const after = jobDecided(drawn, { op: "take", number: 1 });
  assert.deepEqual(
    [after.labels, after.boxes, after.outlines],
    [
      [],
      ["lime", "fig", "lime"],
      drawn.answers[0].shapes.map(({ left, top, width, height }) => [left, top, width, height]),
    ],
  );
});

test("without a majority there is no consensus to take", () => {
  const tied = row({ labels: [], tie: true });
  assert.equal(jobDecided(tied, { op: "approve" }), tied);
  assert.equal(jobDecided(row(), { op: "approve" }).reviewed, true);
  assert.deepEqual(jobDecided(tied, { op: "label", label: "fig" }, { alone: true }).labels, [
    "fig",
  ]);
});

test("images that wait for answers have no label", () => {
  for (const op of ["ask", "reject"]) {
    const after = jobDecided(row(), { op });
    assert.deepEqual(
      [after.labels, after.status, after.reviewed, after.gone],
      [[], "unlabelled", false, op],
    );
    assert.equal(offerOf(after), "next");
    assert.equal(jobDecided(after, { op: "take", number: 1 }), after);
  }
});

test("a skip is accepted, or something else is decided", () => {
  const skipped = row({
    labels: [],
    answers: [],
    skips: [{ reason: "blurred", person: null }],
    acceptable: true,
  });
  assert.equal(offerOf(skipped), "accept");
  assert.equal(jobDecided(skipped, { op: "approve" }).accepted, true);
  assert.equal(
    decisionText(skipped, { op: "approve" }),
    "\u2068a.jpg\u2069 stays without a result.",
  );
  const named = jobDecided(skipped, { op: "label", label: "fig" }, { alone: true });
  assert.deepEqual([named.labels, named.accepted, offerOf(named)], [["fig"], false, "next"]);
});

test("an image about which nobody is left to ask has the consensus of its answers, or no result without any", () => {
  const reasons = [["alone"]];
  assert.equal(offerOf(row({ reasons })), "consensus");
  assert.equal(
    offerOf(
      row({
        reasons,
        labels: [],
        answers: [answer("A", [])],
        skips: [{ reason: "", person: null }],
      }),
    ),
    "consensus",
  );
  assert.equal(offerOf(row({ reasons, labels: [], answers: [], acceptable: true })), "accept");
  assert.match(whyNotAsk(row({ reasons })), /Nobody is left to ask/);
  assert.match(
    whyNotAsk(row({ skips: [{ reason: "", person: null }] })),
    /People skipped this image/,
  );
  assert.equal(whyNotAsk(row()), null);
});

test("the toast says what a decision did", () => {
  const plain = (edit, change) => decisionText(row(change), edit).replace(/[\u2068\u2069]/g, "");
  assert.equal(plain({ op: "approve" }), "a.jpg → lime");
  assert.equal(plain({ op: "take", number: 3 }), "a.jpg → nothing here");
  assert.equal(plain({ op: "label", label: "fig", instead_of: null }), "a.jpg → fig");
  assert.equal(plain({ op: "label", label: "fig", instead_of: "lime" }), "a.jpg: lime → fig");
  assert.match(plain({ op: "ask" }), /one person more is asked\. It comes back here/);
  assert.match(
    plain({ op: "reject" }),
    /everybody is asked again, and the answers do not count any more/,
  );
  assert.doesNotMatch(
    plain({ op: "reject" }, { skips: [{ reason: "", person: null }] }),
    /do not count/,
  );
});

test("differences are objects with other labels or missing boxes, or all objects if only the place differs", () => {
  const drawn = (...answers) =>
    row({ answers: answers.map((shapes, at) => answer("ABC"[at], [], { shapes })) });
  const found = differencesOf(
    drawn([box("lime", 4), box("fig", 5)], [box("lemon", 4), box("fig", 5)], [box("lime", 4)]),
  );
  assert.deepEqual(
    found.map(({ object }) => object),
    [4, 5],
  );
  assert.equal(
    differenceText(found[0]).replace(/[\u2068\u2069]/g, ""),
    "A lime · B lemon · C lime",
  );
  assert.equal(
    differenceText(found[1]).replace(/[\u2068\u2069]/g, ""),
    "A fig · B fig · C nothing",
  );
  assert.equal(usualLabel(found[0]), "lime");
  assert.deepEqual(
    differencesOf(drawn([box("lime", 1), box("fig", 2)], [box("lime", 1)])).map(
      ({ object }) => object,
    ),
    [2],
  );
  assert.equal(differencesOf(drawn([box("lime", 1)], [box("lime", 1)])).length, 1);
  assert.deepEqual(differencesOf({ ...drawn([box("lime", 1)], []), reviewed: true }), []);
});

test("reasons are said in words", () => {
  const plain = (reason, options) => reasonText(reason, options).replace(/[\u2068\u2069]/g, "");
  assert.equal(plain(["mixed", "lemon", "lime"]), "lemon ↔ lime");
  assert.equal(plain(["mixed", "lime", null]), "lime ↔ nothing");
  assert.equal(plain(["alone"]), "nobody left to ask");
  assert.deepEqual(
    [plain(["unsure"], { draws: true }), plain(["unsure"]), plain(["tie"])],
    ["place or size", "low agreement", "no majority"],
  );
});

test("one line style a person, and the consensus dashed", () => {
  const drawn = row({
    shapes: [box("lime")],
    answers: [
      answer("A", [], { shapes: [box("lime", 1)] }),
      answer("B", [], { shapes: [box("fig", 1), box("fig", 2)] }),
    ],
  });
  const shown = drawnShapes(drawn);
  assert.deepEqual(
    shown.map(({ name }) => name),
    ["A", "B", "B"],
  );
  assert.equal(shown[0].dashes, "");
  assert.notEqual(shown[1].dashes, "");
  assert.notEqual(shown[0].corner, shown[1].corner);
  assert.deepEqual(
    drawnShapes(drawn, { object: 2 }).map(({ dim }) => dim),
    [true, true, false],
  );
  assert.deepEqual(
    drawnShapes(drawn, { only: "A" }).map(({ name }) => name),
    ["A"],
  );
  assert.deepEqual(
    drawnShapes(drawn, { only: "consensus" }).map(({ name, dashes }) => [name, dashes !== ""]),
    [["⏎", true]],
  );
  assert.deepEqual(
    drawnShapes({ ...drawn, reviewed: true }).map(({ name, dashes }) => [name, dashes]),
    [["✓", ""]],
  );
});

test("answers are said with the name only after the decision", () => {
  assert.equal(answerText(answer("A", ["lemon"])), "A: lemon");
  assert.equal(answerText(answer("B", ["lemon"], { person: "ben" })), "B, ben: lemon");
  assert.equal(answerText(answer("C", [])), "C: nothing here");
  const drawn = answer("A", ["lime", "fig"], { shapes: [box("lime"), box("fig"), box("lime")] });
  assert.deepEqual(countedLabels(drawn), [
    ["lime", 2],
    ["fig", 1],
  ]);
  assert.equal(answerText(drawn), "A: lime ×2, fig");
});

test("a held key decides once, and letters are those of a Latin keyboard", () => {
  assert.notEqual(press("b", { repeat: true })?.do, "take");
  assert.notEqual(press("r", { repeat: true })?.do, "ask");
  assert.equal(press("Tab", { repeat: true }).do, "difference");
  assert.deepEqual(press("и", { code: "KeyB" }), { do: "take", number: 2 });
});
