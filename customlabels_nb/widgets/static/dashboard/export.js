// Export dialog: choose images, format and folder, and show the result.

import { counted, numeral } from "../shared/numbers.js";
import { element, setText, show } from "../shared/dom.js";
import { SIDES } from "./text.js";

const FORMAT_NAMES = {
  ground_truth: "Ground Truth manifests",
  coco: "COCO",
  custom_vision: "Custom Vision",
  yolo: "YOLO",
  voc: "Pascal VOC",
  labelme: "LabelMe",
  label_studio: "Label Studio",
  label_studio_min: "Label Studio JSON_MIN",
  cvat: "CVAT",
  csv: "CSV",
  yolo_classify: "YOLO classify",
  image_folder: "folders by label",
};
const MORE_NAMES = { needs_review: "to review", skipped: "skipped", unlabelled: "unlabelled" };

function checkbox(text, name, checked = false) {
  const box = element("input", { type: "checkbox", checked, data: { choice: name } });
  return [element("label", { class: "choice-box" }, box, element("span", { text })), box];
}

export class Export {
  // `on` has begin(options) → Promise, stop().
  constructor(panel, on) {
    this.panel = panel;
    this.on = on;
  }

  open(formats, figures, job) {
    const total = (status) =>
      SIDES.reduce((sum, split) => sum + figures.statuses[split][status], 0);
    const format = element(
      "select",
      { data: { first: "", choice: "format" }, attributes: { "aria-label": "Format" } },
      ...formats.map((name) =>
        element("option", { value: name, text: FORMAT_NAMES[name] ?? name }),
      ),
    );
    const sides = SIDES.map((split) =>
      checkbox(
        `${split} (${counted(figures.statuses[split].labelled, "labelled image")})`,
        split,
        true,
      ),
    );
    const more = Object.entries(MORE_NAMES).map(([status, name]) => [
      status,
      ...checkbox(`${name} (${numeral(total(status))})`, status),
    ]);
    const [copyLabel, copy] = checkbox("Copy image files", "copy");
    const folder = element("input", {
      type: "text",
      value: "export",
      maxLength: 1000,
      spellcheck: false,
      data: { choice: "folder" },
      attributes: { "aria-label": "Folder" },
    });
    this.begin = element("button", { class: "primary", text: "Export" });
    this.halt = element("button", {
      text: "Stop",
      hidden: true,
      on: { click: () => this.on.stop() },
    });
    this.words = element("div", { class: "export-words", attributes: { role: "status" } });
    this.begun = job?.state === "running";
    const run = async () => {
      if (this.begin.disabled) return;
      const chosen = (pairs) => pairs.filter(([, box]) => box.checked);
      try {
        this.begun = true;
        await this.on.begin({
          format: format.value,
          folder: folder.value,
          copy_images: copy.checked,
          splits: chosen(sides).map(([, box]) => box.dataset.choice),
          include: more.filter(([, , box]) => box.checked).map(([status]) => status),
        });
      } catch (error) {
        this._say(`Export failed: ${error.message}`);
      }
    };
    this.begin.addEventListener("click", run);
    folder.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) run();
    });
    this.panel.open(
      "Export labelled images",
      element(
        "p",
        {},
        element("label", {}, "Format: ", element("span", { class: "menu" }, format)),
      ),
      element("p", { class: "choice-row" }, ...sides.map(([label]) => label)),
      element(
        "p",
        { class: "choice-row" },
        element("span", { text: "Also include: " }),
        ...more.map(([, label]) => label),
      ),
      element("p", {}, copyLabel),
      element(
        "p",
        {},
        element("label", {}, "Folder: ", folder),
        element("span", {
          class: "faint",
          text: " relative to the notebook's folder, or an absolute path",
        }),
      ),
      this.words,
      element("div", { class: "choices" }, this.begin, this.halt),
    );
    this.draw(job);
  }

  _say(text, ...nodes) {
    this.words.replaceChildren(element("p", { text }), ...nodes);
  }

  // Show the state of an export that was started in this panel, while the panel is open.
  draw(job) {
    if (!this.panel.isOpen || !this.words?.isConnected || !this.begun || !job) return;
    // so that Esc still works
    if (job.state === "running" && document.activeElement === this.begin) this.panel.body.focus();
    this.begin.disabled = job.state === "running";
    show(this.halt, job.state === "running");
    setText(this.begin, job.state === "running" ? "Exporting…" : "Export");
    if (job.state === "failed") this._say(`Export failed: ${job.error}`);
    else if (job.state === "stopped") this._say("Export stopped.");
    else if (job.state === "running") this._say("Writing…");
    else if (job.state === "done") this._done(job.result);
  }

  _done({ folder, images, files, issues, more }) {
    const written = Object.entries(images)
      .map(([split, count]) => counted(count, `${split} image`))
      .join(", ");
    const total = Object.values(images).reduce((sum, count) => sum + count, 0);
    const held = issues.length
      ? [
          element("p", { text: "Not supported by this format:" }),
          element(
            "ul",
            { class: "losses" },
            ...issues.map((text) => element("li", { text })),
            more ? element("li", { text: `and ${numeral(more)} more` }) : null,
          ),
        ]
      : [element("p", { text: "All annotations were exported." })];
    this._say(
      `Exported: ${written} ${total === 1 ? "image" : "images"}, ${counted(files, "file")} in ${folder}`,
      ...held,
    );
  }
}
