// Large view of one image for `mode="single"`, with the page below as its filmstrip.

import { chipsOf } from "../shared/chips.js";
import { element, setText, show } from "../shared/dom.js";
import { ShapeOverlay, shapesOfRow } from "../shared/overlay.js";

export class SingleImage {
  // `load(row)` → Promise of { uri, width, height }. `shapesOf(row, labels)` returns the shapes to draw.
  constructor(load, onAccept, shapesOf = shapesOfRow) {
    this.load = load;
    this.onAccept = onAccept;
    this.shapesOf = shapesOf;
    this.picture = element("img", { alt: "", draggable: false });
    this.excuse = element("span", { class: "excuse", hidden: true });
    this.caption = element("div", { class: "caption" });
    this.frame = element("div", { class: "frame" }, this.picture, this.excuse);
    this.overlay = new ShapeOverlay(this.frame, this.picture);
    this.node = element("div", { class: "stage", hidden: true }, this.frame, this.caption);
    this.name = null;
  }

  // Show the thumbnail `small` until the full image is loaded.
  async show(row, labels, small) {
    const chips = chipsOf(row, labels, () => this.onAccept(row));
    const status =
      row.status === "unlabelled"
        ? null
        : element("span", {
            class: `status ${row.status}`,
            text: row.status === "labelled" ? "nothing here" : row.status.replace("_", " "),
          });
    const findings = row.findings.map(([code, message]) =>
      element("span", { class: "finding", text: code, title: message }),
    );
    this.caption.replaceChildren(
      element("span", { class: "name" }, element("bdi", { text: row.short })),
      ...chips,
      ...(chips.length ? [] : [status ?? ""]),
      ...findings,
    );
    this.overlay.show(this.shapesOf(row, labels), row.size);
    if (this.name === row.name) return;
    this.name = row.name;
    this.picture.alt = row.short;
    if (small) this.picture.src = small;
    show(this.picture, Boolean(small));
    show(this.excuse, false);
    try {
      const full = await this.load(row);
      if (this.name !== row.name) return;
      this.picture.src = full.uri;
      show(this.picture, true);
    } catch (error) {
      if (this.name !== row.name) return;
      show(this.picture, false);
      show(this.excuse, true);
      setText(this.excuse, error.message);
    }
  }
}
