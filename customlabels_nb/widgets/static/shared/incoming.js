// File uploads: drop, paste or choose files, and send them to the kernel in chunks.

import { element, show } from "./dom.js";

const PART = 1 << 20;
const WEB = /^https?:\/\/\S+$/i;

export const PICTURE_TYPES = "image/*,.dcm,.dicom,.tif,.tiff";

// Return the dropped or pasted files, or the URL that was dragged from another page or copied as text.
export function incomingOf(transfer) {
  const files = [...(transfer?.files ?? [])];
  if (files.length) return { files, url: null };
  const lines = (transfer?.getData("text/uri-list") || transfer?.getData("text/plain") || "").split(
    /\r?\n/,
  );
  const url = lines.map((line) => line.trim()).find((line) => line && !line.startsWith("#"));
  return { files: [], url: url && WEB.test(url) ? url : null };
}

// Return true if a drag contains files or a URL. Its data cannot be read before the drop.
function bringsSomething(event, urls) {
  const types = [...(event.dataTransfer?.types ?? [])];
  return types.includes("Files") || (urls && types.includes("text/uri-list"));
}

// Pass what is dropped on `root` to `take(files, url)` and show `words` during a drag. URLs, such as those of images of
// another page, are accepted only with `urls`.
export function watchDrops(root, words, take, { urls = false } = {}) {
  const hint = element("div", { class: "drop-hint", hidden: true, text: words });
  root.append(hint);
  let depth = 0;
  const follow = (type, action) =>
    root.addEventListener(type, (event) => {
      if (bringsSomething(event, urls)) action(event);
    });
  follow("dragenter", () => {
    depth += 1;
    show(hint, true);
  });
  follow("dragleave", () => {
    depth -= 1;
    show(hint, depth > 0);
  });
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

// Create a hidden file input. `chooser.click()` opens the browser's dialog.
export function fileChooser(take, accept = PICTURE_TYPES) {
  const chooser = element("input", {
    type: "file",
    multiple: true,
    hidden: true,
    accept,
    on: {
      change: () => {
        const files = [...chooser.files];
        chooser.value = "";
        take(files);
      },
    },
  });
  return chooser;
}

// Send a file in chunks, at least one, and await `send(part, isFirst)` for each.
export async function inParts(file, send) {
  for (let index = 0; index === 0 || index < file.size; index += PART)
    await send(await file.slice(index, index + PART).arrayBuffer(), index === 0);
}
