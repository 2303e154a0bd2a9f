import assert from "node:assert/strict";
import { test } from "node:test";

import { recall, remember } from "../../customlabels_nb/widgets/static/shared/remembered.js";

test("a choice is kept in the browser, or in the page where there is no storage", () => {
  const stored = new Map([["customlabels_nb left", "folded"]]);
  const storage = {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, text) => stored.set(key, text),
  };
  Object.defineProperty(globalThis, "localStorage", { configurable: true, get: () => storage });
  assert.equal(recall("left"), "folded");
  assert.equal(recall("right"), null);
  remember("right", "open");
  assert.equal(stored.get("customlabels_nb right"), "open");
  Object.defineProperty(globalThis, "localStorage", {
    configurable: true,
    get: () => {
      throw new Error("SecurityError");
    },
  });
  remember("left", "open");
  assert.equal(recall("left"), "open");
  assert.equal(recall("other"), null);
});
