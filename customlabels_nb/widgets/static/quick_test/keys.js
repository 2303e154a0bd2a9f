// Map keys to commands of the quick test.

import { letterOf, unlessHeld } from "../shared/keymap.js";

export const TRYING_HELP = [
  ["O", "choose photos"],
  ["Ctrl V", "paste a photo or its URL"],
  ["U", "type the URL of a photo"],
  ["C", "camera (Space: take photo, Esc: close)"],
  ["← →", "previous, next photo"],
  ["− +", "move the threshold by 0.05"],
  ["A", "use each label's own threshold"],
  ["1 – 9", "select or deselect this prediction in the list"],
  ["L", "add a label to the photo"],
  ["Ctrl Enter", "add the photo with its labels to the dataset"],
  ["Ctrl Z", "undo: remove the photo that was added last"],
  ["S", "start or stop the model"],
  ["?", "show these shortcuts"],
];

const NAMED_KEYS = {
  ArrowLeft: { do: "turn", by: -1 },
  ArrowRight: { do: "turn", by: 1 },
  "-": { do: "nudge", by: -0.05 },
  "+": { do: "nudge", by: 0.05 },
  "=": { do: "nudge", by: 0.05 },
  " ": { do: "take" },
  Escape: { do: "escape" },
  "?": { do: "help" },
  o: { do: "open" },
  u: { do: "url" },
  c: { do: "camera" },
  a: { do: "assumed" },
  l: { do: "label" },
  s: { do: "power" },
};

// Return the command of a KeyboardEvent, or null for other keys.
export function meaningOf(event) {
  return unlessHeld(event, meaningOfPress(event), ["turn", "nudge"]);
}

function meaningOfPress(event) {
  if (event.isComposing || event.altKey) return null;
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "Enter") return { do: "add" };
    return letterOf(event) === "z" && !event.shiftKey ? { do: "undo" } : null;
  }
  if (/^[1-9]$/.test(event.key)) return { do: "toggle", number: Number(event.key) };
  const name = event.key.length === 1 ? letterOf(event) : event.key;
  return Object.hasOwn(NAMED_KEYS, name) ? NAMED_KEYS[name] : null;
}
