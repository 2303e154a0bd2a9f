// From a key to what it means in the quick test.

export const TRYING_HELP = [
  ["O", "choose photos from the disk"],
  ["Ctrl V", "paste a photo, or the address of one"],
  ["U", "type the address of a photo"],
  ["C", "the camera; Space takes the picture, Esc ends it"],
  ["← →", "photos that were tried"],
  ["− +", "move the threshold by 0.05"],
  ["A", "each label's own threshold"],
  ["1 – 9", "take or leave what stands there in the list"],
  ["L", "another label for the photo"],
  ["Ctrl Enter", "add the photo with its labels to the dataset"],
  ["Ctrl Z", "take the latest addition back"],
  ["S", "start or stop the model"],
  ["?", "this list"],
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

// `key`, `ctrlKey`, `metaKey`, `shiftKey`, `altKey` as a KeyboardEvent has them; null where the key means nothing here.
export function meaningOf(event) {
  if (event.isComposing || event.altKey) return null;
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "Enter") return { do: "add" };
    return event.key.toLowerCase() === "z" && !event.shiftKey ? { do: "undo" } : null;
  }
  if (/^[1-9]$/.test(event.key)) return { do: "toggle", number: Number(event.key) };
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return Object.hasOwn(NAMED_KEYS, name) ? NAMED_KEYS[name] : null;
}
