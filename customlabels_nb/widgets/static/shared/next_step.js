// What to do next in a project, as next_step.py says it, and code to copy.

import { element, setText } from "./dom.js";

async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    setText(button, "copied");
  } catch {
    setText(button, "Select it and press Ctrl+C");
  }
}

export function codeBlock(code) {
  const button = element("button", {
    text: "Copy",
    on: { click: () => copyText(code, button) },
  });
  return element("div", { class: "code" }, element("pre", { text: code, tabIndex: 0 }), button);
}

// Create a sentence with a button that runs what `runOf(next)` returns, or with the line to copy if that is null.
export function nextStepNodes(next, runOf) {
  if (!next) return [];
  const run = runOf(next);
  const button = { class: "primary", text: next.button, on: { click: run } };
  return [
    element("span", {}, element("strong", { text: "Next: " }), next.text),
    run ? element("button", button) : codeBlock(next.code),
  ];
}
