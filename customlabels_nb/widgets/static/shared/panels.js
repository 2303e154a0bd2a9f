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

const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;
const PICTURE = /^!\[([^\]]*)\]\(([^)]+)\)$/;

// Convert instructions to nodes, with links, and an image for each line such as `![caption](picture.jpg)`. The kernel
// reads the image in a line of its instructions, never one by a name from the page. Without `request`, the name is
// shown.
export function instructionNodes(text, request = null) {
  return text.split("\n").map((line, number) => {
    const picture = PICTURE.exec(line.trim());
    if (picture) {
      if (!request) return element("p", {}, element("em", { text: picture[2] }));
      const image = element("img", { alt: picture[1] || picture[2], title: picture[1] });
      request("picture", { instructions: text, line: number }).then(
        ([{ mime }, [bytes]]) => {
          image.src = dataUri(bytes, mime);
        },
        (error) => image.replaceWith(element("em", { text: error.message })),
      );
      return element("p", {}, image);
    }
    const parts = [];
    let position = 0;
    for (const link of line.matchAll(LINK)) {
      parts.push(
        line.slice(position, link.index),
        element("a", {
          text: link[0],
          href: link[0],
          target: "_blank",
          rel: "noopener noreferrer",
        }),
      );
      position = link.index + link[0].length;
    }
    return element("p", {}, ...parts, line.slice(position));
  });
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
    text: "URLs become links. A line such as ![a ripe one](examples/ripe.jpg) shows an image.",
  });
  const edit = element("button", { type: "button", text: "Edit", data: { first: "" } });
  const keep = element("button", { type: "button", class: "primary", text: "Save", hidden: true });
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
    type: "button",
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
