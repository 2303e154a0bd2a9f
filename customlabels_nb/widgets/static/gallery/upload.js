// Upload of images into the gallery: sent in chunks, optionally with one label. Rejected files are listed.

import { element, setText, show } from "../shared/dom.js";
import { fileChooser, inParts, PICTURE_TYPES, watchDrops } from "../shared/incoming.js";

// → "a.png, b.png and 3 more: The file is not an image." The names are isolated, as they may be in another direction.
export function problemText({ message, count, files }) {
  const names = files.map((name) => `\u2068${name}\u2069`).join(", ");
  const more = count - files.length;
  return `${names}${more ? ` and ${more.toLocaleString("en")} more` : ""}: ${message}`;
}

// milliseconds; the kernel answers after it has imported all images, and a part may travel long
const UPLOADING = { patience: 600_000 };

// What happens to images that the dataset has: the values of `on_known=` in project.add_images.
const ON_KNOWN = [
  ["fill", "keep their labels"],
  ["replace", "take this label"],
  ["skip", "are left out"],
];

export class Upload {
  // `request` sends to the kernel. `labels()` returns the labels. `done(report)` is called with the result.
  constructor({ root, panel, request, labels, done }) {
    this.root = root;
    this.panel = panel;
    this.request = request;
    this.labels = labels;
    this.done = done;
    this.chooser = fileChooser((files) => this.ask(files), `${PICTURE_TYPES},.zip`);
    root.append(this.chooser);
    watchDrops(root, "Drop images to add them", (files) => this.ask(files));
  }

  choose() {
    this.chooser.click();
  }

  ask(files) {
    if (!files.length) return;
    const names = this.labels().map(({ label }) => label);
    const options = names.map((value) => element("option", { value }));
    const listId = `clnb-labels-${Math.random().toString(36).slice(2)}`;
    const field = element("input", {
      type: "text",
      maxLength: 256,
      placeholder: "no label",
      data: { first: "" },
      attributes: { list: listId, "aria-label": "Label for all images" },
    });
    const known = element(
      "select",
      { attributes: { "aria-label": "Images that are already here" } },
      ...ON_KNOWN.map(([value, text]) => element("option", { value, text })),
    );
    const count = files.length === 1 ? files[0].name : `${files.length.toLocaleString("en")} files`;
    const bar = element("progress", { max: files.length, value: 0, hidden: true });
    const words = element("p", { class: "faint" });
    const begin = element("button", { class: "primary", text: "Add" });
    const run = async () => {
      if (begin.disabled) return;
      begin.disabled = field.disabled = known.disabled = true;
      show(bar, true);
      try {
        const choice = { label: field.value.trim() || null, on_known: known.value || "fill" };
        const report = await this._send(files, choice, (sent) => {
          bar.value = sent;
          setText(words, `${sent} of ${files.length} sent`);
        });
        if (begin.isConnected) this.panel.close(); // else it was closed, and another one may be open
        this.done(report);
      } catch (error) {
        setText(words, `Could not add the images: ${error.message}`);
        begin.disabled = field.disabled = known.disabled = false;
        if (!begin.isConnected && this.root.isConnected)
          this.done({ text: words.textContent, count: 0, problems: [] });
      }
    };
    begin.addEventListener("click", run);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) run();
    });
    this.panel.open(
      `Add ${count}`,
      element("p", {}, element("label", {}, "Label for all images: ", field)),
      element("p", {}, element("label", {}, "Images that are already here ", known)),
      element("datalist", { id: listId }, ...options),
      bar,
      words,
      element("div", { class: "choices" }, begin),
    );
  }

  async _send(files, choice, progress) {
    const [{ batch }] = await this.request("upload begin", {}, [], UPLOADING);
    for (const [index, file] of files.entries()) {
      await inParts(file, (part, first) =>
        this.request("upload part", { batch, name: file.name, first }, [part], UPLOADING),
      );
      progress(index + 1);
    }
    const [report] = await this.request("upload end", { batch, ...choice }, [], UPLOADING);
    return report;
  }
}
