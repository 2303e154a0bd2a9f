import assert from "node:assert/strict";
import { test } from "node:test";

import {
  decimals,
  intervalText,
  seenText,
  settingsText,
  spanOn,
} from "../../customlabels_nb/widgets/static/dashboard/job_parts.js";

test("numbers without a value are a dash", () => {
  assert.deepEqual([0.5, 1, -0.126, null].map(decimals), ["0.50", "1.00", "-0.13", "–"]);
  assert.deepEqual([intervalText(0.4, 0.61), intervalText(null, null)], ["[0.40, 0.61]", ""]);
});

test("people were seen now, some time ago, or never", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  const ago = (minutes) => 1000 * (now - minutes * 60_000);
  assert.deepEqual(
    [0, 5, 150, 3000].map((minutes) => seenText(ago(minutes), now)),
    ["now", "5 min ago", "2 h ago", "2 days ago"],
  );
  assert.equal(seenText(null, now), "never");
});

test("settings are a phrase", () => {
  const figures = (annotators, most, people) => ({
    images: 1240,
    settings: { annotators, max_annotators: most },
    people,
  });
  assert.equal(
    settingsText(figures(3, 5, [1, 2])),
    "1,240 images · 3 answers each, at most 5 · 2 people",
  );
  assert.equal(
    settingsText({ ...figures(1, 1, [1]), images: 1 }),
    "1 image · 1 answer each · 1 person",
  );
  assert.equal(settingsText(figures(2, 2, undefined)), "1,240 images · 2 answers each");
});

test("intervals stay on their track", () => {
  assert.deepEqual(spanOn(0.25, 0.75), [25, 50]);
  assert.deepEqual(spanOn(-0.4, 1.2), [0, 100]);
});
