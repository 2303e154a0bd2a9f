import { percentText } from "../../customlabels_nb/widgets/static/shared/numbers.js";
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  adviceParts,
  agoText,
  axisStart,
  nextParts,
  promiseParts,
  purposeText,
  queueShares,
  stepRows,
  sureText,
  tookText,
} from "../../customlabels_nb/widgets/static/dashboard/assist_text.js";

const state = (more = {}) => ({
  target: 0.95,
  running: null,
  next: 14,
  every: 25,
  new: 11,
  ended: null,
  steps: [],
  promise: null,
  needed: 41,
  evidence: { items: 80, right: 70, wanted: 59 },
  ...more,
});

test("the bar counts to the next training, or shows the one in progress", () => {
  assert.deepEqual(nextParts(state()), {
    before: "after",
    large: "14",
    after: "more labels",
    share: 0.44,
    caption: "11 of 25 new since the last",
  });
  assert.equal(nextParts(state({ next: 1, new: 24 })).after, "more label");
  assert.deepEqual(
    [nextParts(state({ next: 0, new: 25 })).large, nextParts(state({ next: 0, new: 31 })).share],
    ["soon", 1],
  );
  assert.equal(nextParts(state({ next: 5, every: 0, new: 0 })).share, 0);
  const running = nextParts(state({ running: { phase: "inference", done: 63, total: 252 } }));
  assert.deepEqual(running, {
    before: "",
    large: "inference",
    after: "now",
    share: 0.25,
    caption: "63 of 252",
  });
  assert.deepEqual(
    [nextParts(state({ running: { phase: "training", done: 0, total: null } }))].map(
      ({ share, caption }) => [share, caption],
    ),
    [[0, "starting…"]],
  );
});

test("the purpose says whether test images are shown, the project is read-only or a training is stopping", () => {
  const running = { phase: "training", done: 0, total: null, stopping: true };
  assert.match(purposeText(state({ on: true, running })), /never shown on test images$/);
  assert.match(purposeText(state({ on: true, test: true })), /also shown on test images$/);
  assert.equal(
    purposeText(state({ on: false, running })),
    "Off, and its last training is stopping…",
  );
  assert.match(
    purposeText(state({ on: false, running: { ...running, stopping: false } })),
    /^orders, groups/,
  );
  assert.match(
    purposeText(state({ on: false, read_only: true, running })),
    /^Off, and this project is read-only/,
  );
});

test("always four steps, of the running training or the last", () => {
  const steps = [
    { phase: "featurization", count: 4120, unit: "images", seconds: 0.04 },
    { phase: "training", count: 160, unit: "labels", seconds: 0.31 },
  ];
  assert.deepEqual(stepRows(state({ steps })), [
    ["featurization", "4,120 images", "kept", ""],
    ["training", "160 labels", "0.3 s", ""],
    ["validation", "", "–", ""],
    ["inference", "", "–", ""],
  ]);
  const rows = stepRows(state({ steps, running: { phase: "validation", done: 0, total: null } }));
  assert.deepEqual(
    rows.map(([, , took, kind]) => [took, kind]),
    [
      ["done", ""],
      ["done", ""],
      ["running", "current"],
      ["", ""],
    ],
  );
  assert.deepEqual([0.004, 9.96, 75, 400, null].map(tookText), [
    "0.1 s",
    "10 s",
    "75 s",
    "7 min",
    "kept",
  ]);
});

test("a promise has its evidence, and without one it says what is missing", () => {
  const promise = {
    shown: 184,
    right: 179,
    bound: 0.951,
    threshold: 0.93,
  };
  const parts = promiseParts(state({ promise }));
  assert.deepEqual(
    [parts.large, parts.measured, parts.of],
    ["≥ 95 %", "97 %", "of 184 check images, lower bound 95.1 %"],
  );
  assert.equal(promiseParts(state({ promise: { ...promise, right: 183 } })).measured, "> 99 %"); // not 100 %
  assert.equal(promiseParts(state({ promise, left: 0 })).large, "≥ 95 %");
  assert.deepEqual([0.9, 0.95, 0.995, 1].map(percentText), ["90 %", "95 %", "99.5 %", "100 %"]);
  assert.deepEqual([0.926, 0.9961, 0.9999].map(sureText), ["0.93", "0.996", "0.999"]);
});

test("a model that predicts nothing has no errors", () => {
  const evidence = { items: 60, right: null, wanted: 59 };
  const parts = promiseParts(
    state({ promise: null, evidence, needed: 1, ended: "2026-11-22T12:00:00Z" }),
  );
  assert.deepEqual(
    [parts.faint, parts.of],
    ["", "60 check images labelled, nothing is predicted yet"],
  );
});

test("each state without a promise says what is missing", () => {
  const ended = "2026-11-22T12:00:00Z";
  const words = (more) => {
    const { large, after, faint, measured, of } = promiseParts(
      state({ ended, left: 500, ...more }),
    );
    return [large, after, faint, measured, of].filter(Boolean).join(" | ");
  };
  const few = { items: 17, right: 16, wanted: 59 };
  const errors =
    "not yet | too many errors to guarantee 95 % | 88 % | of 80 check images predicted right";
  const said = {
    "not yet | measured by the first training": { ended: null, evidence: null, needed: null },
    "0 of 59 | check images | are needed at least to guarantee 95 % | about 118 more labels in the queue assist":
      { evidence: { items: 0, right: null, wanted: 59 }, needed: 118 },
    "17 of 59 | check images | are needed at least to guarantee 95 % | about 84 more labels in the queue assist":
      { evidence: few, needed: 84 },
    "17 of 59 | check images | are needed at least to guarantee 95 % | 16 predicted right so far": {
      evidence: few,
      needed: null,
    },
    [`${errors}; about 41 more labels in the queue assist`]: {},
    [errors]: { needed: null },
    "not yet | too few images left to guarantee 95 % | about 41 more labels would be needed": {
      left: 40,
    },
    "none left | no image is left to predict": { left: 0 },
  };
  for (const [text, more] of Object.entries(said)) assert.equal(words(more), text);
  assert.match(words({ left: null }), /^not yet \| too many errors/); // not counted yet
});

test("the axis has the target in its middle, or starts below a wide interval", () => {
  assert.equal(axisStart(0.95), 0.9);
  assert.equal(axisStart(0.95, 0.94), 0.9);
  assert.equal(axisStart(0.95, 0.83), 0.8);
  assert.equal(axisStart(0.95, 0.85), 0.85);
  assert.equal(axisStart(0.99), 0.95);
  assert.equal(axisStart(0.5, 0.1), 0);
});

test("advice is a sentence with figures, or that there is none yet", () => {
  const advice = {
    more: 50,
    gain: 0.02,
    low: 0,
    high: 0.04,
    label: "lime",
    minutes: 12,
    text: "plain",
  };
  assert.deepEqual(adviceParts(advice), {
    before: "The next 50 labels would raise F1 by",
    gain: "0.02",
    interval: "(0.00–0.04)",
    label: "lime",
    after: "; about 12 minutes at your pace.",
  });
  assert.equal(adviceParts({ ...advice, minutes: null }).after, ".");
  assert.equal(adviceParts({ ...advice, minutes: 0.2 }).after, "; about 1 minute at your pace.");
  assert.equal(adviceParts({ ...advice, gain: null }).before, "plain");
  const ended = "2026-11-22T12:00:00Z";
  assert.equal(adviceParts(null).before, "Advice follows the first training.");
  assert.match(adviceParts(null, { ended }).before, /more labelled check images/);
  assert.equal(adviceParts(null, { ended, note: "Nothing yet." }).before, "Nothing yet.");
});

test("times and bars", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  const ago = (minutes) => agoText(new Date(now - 60_000 * minutes).toISOString(), now);
  assert.deepEqual([-1, 0, 4.9, 59, 61, 47 * 60, 48 * 60].map(ago), [
    "just now",
    "just now",
    "4 min ago",
    "59 min ago",
    "1 h ago",
    "47 h ago",
    "2 days ago",
  ]);
  assert.deepEqual(queueShares({ manual: 50, clustered: 100, prelabelled: 0, suspect: 1 }), {
    manual: 0.5,
    clustered: 1,
    prelabelled: 0,
    suspect: 0.03,
  });
  assert.deepEqual(queueShares({ manual: 0, clustered: 0 }), { manual: 0, clustered: 0 });
});
