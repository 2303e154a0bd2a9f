// Files on their way into a widget: dropped or pasted on it, chosen from the disk, sent to the kernel in parts.

import { element, show } from "./dom.js";

const PART = 1 << 20;
const WEB = /^https?:\/\/\S+$/i;

export const PICTURE_TYPES = "image/*,.dcm,.dicom,.tif,.tiff";

// Files of a drop or of the clipboard, or the URL of what was dragged from another page or copied as text.
export function incomingOf(transfer) {
  const files = [...(transfer?.files ?? [])];
  if (files.length) return { files, url: null };
  const lines = (transfer?.getData("text/uri-list") || transfer?.getData("text/plain") || "").split(/\r?\n/);
  const url = lines.map((line) => line.trim()).find((line) => line && !line.startsWith("#"));
  return { files: [], url: url && WEB.test(url) ? url : null };
}

// Whether a drag brings something; its data can't be read before it is dropped.
function bringsSomething(event, urls) {
  const types = [...(event.dataTransfer?.types ?? [])];
  return types.includes("Files") || (urls && types.includes("text/uri-list"));
}

// What is dropped on `root` goes to `take(files, url)`; `words` are shown while something is dragged over it. URLs, such
// as those of pictures of another page, only if `urls` says so.
export function watchDrops(root, words, take, { urls = false } = {}) {
  const hint = element("div", { class: "drop-hint", hidden: true, text: words });
  root.append(hint);
  let depth = 0;
  const follow = (type, action) => root.addEventListener(type, (event) => { if (bringsSomething(event, urls)) action(event); });
  follow("dragenter", () => { depth += 1; show(hint, true); });
  follow("dragleave", () => { depth -= 1; show(hint, depth > 0); });
  follow("dragover", (event) => event.preventDefault());
  follow("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    depth = 0;
    show(hint, false);
    const { files, url } = incomingOf(event.dataTransfer);
    if (files.length || urls) take(files, url);
  });
}

// A hidden field that opens the browser's dialogue: `chooser.click()`.
export function fileChooser(take, accept = PICTURE_TYPES) {
  const chooser = element("input", {
    type: "file", multiple: true, hidden: true, accept,
    on: { change: () => { const files = [...chooser.files]; chooser.value = ""; take(files); } },
  });
  return chooser;
}

// Gives the bytes of a file part by part, at least one: `send(part, isFirst)` is waited for.
export async function inParts(file, send) {
  for (let at = 0; at === 0 || at < file.size; at += PART) await send(await file.slice(at, at + PART).arrayBuffer(), at === 0);
}
