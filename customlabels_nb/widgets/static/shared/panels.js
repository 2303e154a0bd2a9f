// Panels of the gallery: keyboard shortcuts, instructions and their editor.

import { dataUri, element, keyHint, show } from "./dom.js";
import { counted } from "./numbers.js";

// `help` has pairs of keys and descriptions.
export function openKeys(panel, help) {
  const rows = help.map(([keys, what]) =>
    element("tr", {}, element("td", {}, keyHint(keys)), element("td", { text: what })),
  );
  panel.open("Keys", element("table", { class: "keys" }, ...rows));
}

export function helpButton(click) {
  return element("button", {
    class: "turn",
    text: "?",
    title: "Keyboard shortcuts (?)",
    attributes: { "aria-label": "Keyboard shortcuts" },
    on: { click },
  });
}

const CANCEL = { value: null, label: "Cancel" };

const LONGEST_NOTE = 1_000;

// Ask for the note on what the words name. Resolves with the text, or null if the panel is closed.
export async function askNote(panel, words, note) {
  const field = element("textarea", {
    value: note,
    rows: 4,
    maxLength: LONGEST_NOTE,
    data: { first: "" },
    attributes: { "aria-label": "Note" },
  });
  const save = { value: field, label: "Save", primary: true };
  return (await panel.ask(`Note on ${words}`, field, [save, CANCEL]))?.value.trim() ?? null;
}

// Ask what to do with the labels of `count` images (undefined if unknown): "keep", "remove" or null to cancel.
export function askToSkip(panel, count) {
  const [text, what] =
    count === 1
      ? ["1 image is labelled", "label"]
      : [`${count ?? "Some"} images are labelled`, "labels"];
  return panel.ask("Skip images", `${text}. A skipped image has no labels, boxes or polygons.`, [
    { value: "keep", label: `Keep ${what}`, primary: true },
    { value: "remove", label: `Remove ${what} and skip`, danger: true },
    CANCEL,
  ]);
}

export function askToSkipPage(panel, count) {
  const skip = {
    value: "skip",
    label: `Skip ${count === 1 ? "1 unlabelled image" : `${count} unlabelled images`} on this page`,
    primary: true,
  };
  return panel.ask(
    "Skip images",
    `No image is selected${count ? "" : ", and this page has no unlabelled images"}.`,
    count ? [skip, CANCEL] : [CANCEL],
  );
}

// Ask before a page of clusters is left without labels. Resolves to true to leave it.
export async function askToLeave(panel, count, { areChecks }) {
  const bare = areChecks
    ? counted(count, "check image has", "check images have")
    : counted(count, "image has", "images have");
  const why = areChecks ? " Check images measure how far predictions can be trusted." : "";
  const answer = await panel.ask("Go on without labels", `${bare} no label yet.${why}`, [
    { value: "stay", label: count === 1 ? "Label it" : "Label them", primary: true },
    { value: "leave", label: "Not now" },
  ]);
  return answer === "leave";
}

// A picture, a link with a text, bold words, or a URL.
const PICTURE = /!\[([^\]]*)\]\(([^)]+)\)/g;
const LINK = /\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/;
const ADDRESS = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/;
const MARK = new RegExp(
  [PICTURE, LINK, /\*\*([^*]+)\*\*/, ADDRESS].map(({ source }) => source).join("|"),
  "g",
);

// Convert instructions to nodes: a paragraph for each line, with pictures, links, bold words and items of a list as
// Markdown writes them. The kernel reads a picture by its line and place there, never by a name from the page. Without
// `request`, the name is shown.
export function instructionNodes(text, request = null) {
  return text.split("\n").map((line, number) => {
    const words = line.replace(/^\s*[-*] /, "• ");
    const parts = [];
    let position = 0;
    for (const mark of words.matchAll(MARK)) {
      const [all, caption, path, shown, url, bold] = mark;
      parts.push(words.slice(position, mark.index));
      position = mark.index + all.length;
      if (path) {
        const nth = [...words.slice(0, mark.index).matchAll(PICTURE)].length; // as the kernel counts them
        const place = { instructions: text, line: number, nth };
        parts.push(request ? pictureNode(caption, path, request("picture", place)) : fallen(path));
      } else if (bold) parts.push(element("strong", { text: bold }));
      else parts.push(linkNode(shown ?? all, url ?? all));
    }
    return element("p", {}, ...parts, words.slice(position));
  });
}

function linkNode(text, href) {
  return element("a", { text, href, target: "_blank", rel: "noopener noreferrer" });
}

function pictureNode(caption, path, answer) {
  const image = element("img", { alt: caption || path, title: caption });
  answer.then(
    ([{ mime }, [bytes]]) => {
      image.src = dataUri(bytes, mime);
    },
    (error) => image.replaceWith(fallen(error.message)),
  );
  return image;
}

// What is shown instead of a picture.
function fallen(text) {
  return element("em", { text });
}

// `save(text)` → Promise. With `readOnly` the text cannot be edited. With `isNew` it has a button to start labelling.
export function openInstructions(panel, text, { save, request, readOnly, isNew = false }) {
  const shown = element("div", { class: "instructions" });
  const show_ = (value) =>
    shown.replaceChildren(
      ...(value.trim()
        ? instructionNodes(value, request)
        : [element("p", { class: "faint", text: "There are no labelling instructions yet." })]),
    );
  show_(text);
  const field = element("textarea", {
    value: text,
    rows: 8,
    hidden: true,
    attributes: { "aria-label": "Instructions" },
  });
  const faint = element("p", {
    class: "faint",
    hidden: true,
    text: "As in Markdown: **bold**, [text](URL), lists with -, and pictures: ![ripe](examples/ripe.jpg).",
  });
  const edit = element("button", { text: "Edit", data: { first: "" } });
  const keep = element("button", { class: "primary", text: "Save", hidden: true });
  const toggle = (editing) => {
    for (const node of [field, faint, keep]) show(node, editing);
    for (const node of [shown, edit]) show(node, !editing);
    if (editing) field.focus();
  };
  edit.addEventListener("click", () => toggle(true));
  keep.addEventListener("click", async () => {
    try {
      await save(field.value);
      show_(field.value);
      toggle(false);
    } catch (error) {
      faint.textContent = `Not saved: ${error.message}`;
    }
  });
  const start = element("button", {
    class: "primary",
    text: "Start",
    data: { first: "" },
    on: { click: () => panel.close() },
  });
  panel.open(
    "Instructions",
    shown,
    field,
    faint,
    element(
      "div",
      { class: "choices" },
      ...(readOnly ? [] : [edit, keep]),
      ...(isNew ? [start] : []),
    ),
  );
}
