// What the gallery shows in its panel: all keys, instructions and how to edit them.

import { element, keyHint, show } from "./dom.js";
import { HELP } from "./keymap.js";

export function openHelp(panel) {
  openKeys(panel, HELP);
}

// `help` has pairs of keys and what they do.
export function openKeys(panel, help) {
  const rows = help.map(([keys, what]) => element("tr", {}, element("td", {}, keyHint(keys)), element("td", { text: what })));
  panel.open("Keys", element("table", { class: "keys" }, ...rows));
}

const CANCEL = { value: null, label: "Cancel" };

// Ask what to do with the labels of `count` images (undefined if not known): "keep", "remove" or null to cancel.
export function askToSkip(panel, count) {
  const [text, what] = count === 1 ? ["One image is labelled", "label"] : [`${count ?? "Some"} images are labelled`, "labels"];
  return panel.ask("Skip", `${text}. A skipped image has no labels, boxes or polygons.`, [
    { value: "keep", label: `Keep ${what}`, primary: true }, { value: "remove", label: `Remove ${what} and skip` }, CANCEL,
  ]);
}

export function askToSkipPage(panel, count) {
  const skip = { value: "skip", label: `Skip the ${count === 1 ? "unlabelled image" : `${count} unlabelled images`} on this page`, primary: true };
  return panel.ask("Skip", `No image is selected${count ? "" : ", and none on this page is unlabelled"}.`, count ? [skip, CANCEL] : [CANCEL]);
}

const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;
const PICTURE = /^!\[([^\]]*)\]\(([^)]+)\)$/;

// Text with links to click, and a picture for each line such as `![caption](picture.jpg)`.
export function instructionNodes(text, loadPicture) {
  return text.split("\n").map((line) => {
    const picture = PICTURE.exec(line.trim());
    if (picture) {
      const image = element("img", { alt: picture[1] || picture[2], title: picture[1] });
      loadPicture(picture[2]).then((uri) => { image.src = uri; }, (error) => image.replaceWith(element("em", { text: String(error.message ?? error) })));
      return element("p", {}, image);
    }
    const parts = [];
    let at = 0;
    for (const found of line.matchAll(LINK)) {
      parts.push(line.slice(at, found.index), element("a", { text: found[0], href: found[0], target: "_blank", rel: "noopener noreferrer" }));
      at = found.index + found[0].length;
    }
    return element("p", {}, ...parts, line.slice(at));
  });
}

// `save(text)` → Promise; `readOnly` leaves the text as it is.
export function openInstructions(panel, text, { save, loadPicture, readOnly }) {
  const shown = element("div", { class: "instructions" });
  const show_ = (value) => shown.replaceChildren(...(value.trim()
    ? instructionNodes(value, loadPicture)
    : [element("p", { class: "faint", text: "Nobody has written down yet how to label here." })]));
  show_(text);
  const field = element("textarea", { value: text, rows: 8, hidden: true, attributes: { "aria-label": "instructions" } });
  const faint = element("p", { class: "faint", hidden: true, text: "Links are found by themselves; a line such as ![a ripe one](examples/ripe.jpg) shows a picture." });
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
  panel.open("Instructions", shown, field, faint, element("div", { class: "choices" }, ...(readOnly ? [] : [edit, keep])));
}
