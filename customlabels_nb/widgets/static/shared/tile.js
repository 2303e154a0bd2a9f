// Tile of one image. The node is created once and reused for other rows.

import { STATUS_WORDS, chipsOf, described, findingChips, rejectionText } from "./chips.js";
import { element, show } from "./dom.js";
import { ShapeOverlay, shapesOfRow } from "./overlay.js";
import { PictureTile } from "./picture_tile.js";

const FADED = ["skipped", "removed"];

export function rejectedBadge({ rejected }) {
  const text = rejectionText(rejected);
  return element("span", { class: "status rejected", text, title: text });
}

export class Tile extends PictureTile {
  constructor({ id, onAccept = undefined }) {
    super();
    this.onAccept = onAccept;
    this.tick = element("span", {
      class: "tick",
      text: "✓",
      attributes: { "aria-hidden": "true" },
    });
    this.note = element("span", { class: "noted", text: "✎", hidden: true });
    this.bare = null; // text of a caption with only a name
    const frame = element("div", { class: "frame" }, this.picture, this.excuse, this.tick);
    frame.append(this.note);
    this.overlay = new ShapeOverlay(frame, this.picture);
    this.node = element(
      "div",
      { class: "tile", id, attributes: { role: "option", "aria-selected": "false" } },
      frame,
      this.caption,
    );
    this.row = null;
  }

  // `uri` is null while the image is loading. `failure` is the reason why there is none.
  // The caption has two lines: the name, and `room` chips with a count of the others.
  show(row, labels, { uri, failure = null, place, room = 1 }) {
    this.node.dataset.place = place;
    if (row !== this.row || labels !== this.labels || room !== this.room) {
      this.room = room;
      this.row = row;
      this.labels = labels;
      this._showRow(row, labels);
      this.note.title = row.note ?? "";
      show(this.note, Boolean(row.note));
      this.overlay.show(this.shapesOf(row, labels), row.size);
    }
    this.showPicture(uri, failure);
    show(this.node, true);
  }

  shapesOf(row, labels) {
    return shapesOfRow(row, labels);
  }

  _showRow(row, labels) {
    this.node.title = row.image ?? row.name;
    this.node.setAttribute("aria-label", described(row));
    this.node.classList.toggle("skipped", FADED.includes(row.status));
    this.node.classList.toggle("wrong", row.right === false);
    const isBare =
      row.status === "unlabelled" &&
      !row.labels.length &&
      !row.boxes.length &&
      !row.predicted &&
      !row.rejected &&
      !row.findings.length;
    if (isBare && this.bare) {
      // typical for unlabelled pages: only the text differs
      this.bare.data = row.short;
      return undefined;
    }
    const chips = chipsOf(row, labels, (event) => {
      event.stopPropagation();
      this.onAccept(row);
    });
    if (row.crop) return this._showCrop(chips, row);
    const rest = chips.splice(this.room);
    const isSaid = (chips.length > 0 || row.rejected) && row.status !== "needs_review";
    const word = isSaid ? null : STATUS_WORDS[row.status];
    const line = [
      ...chips,
      ...(row.rejected ? [rejectedBadge(row)] : []),
      ...(word ? [element("span", { class: `status ${row.status}`, text: word })] : []),
      ...findingChips(row),
    ];
    if (rest.length)
      line.push(
        element("span", {
          class: "count",
          text: `+${rest.length}`,
          title: rest.map((node) => node.title).join(", "),
        }),
      );
    const name = element("span", { class: "name" }, element("bdi", { text: row.short }));
    this.caption.replaceChildren(name, element("div", { class: "line" }, ...line));
    this.bare = isBare ? name.firstChild.firstChild : null;
    return undefined;
  }

  // Two lines without the name: the label of the box with its state, and below it what is predicted instead.
  _showCrop([first, ...others], row) {
    const { status } = row;
    const words = STATUS_WORDS[status];
    const state = words ? element("span", { class: `status ${status}`, text: words }) : null;
    const line = (...nodes) => element("div", { class: "line" }, ...nodes);
    const badges = row.rejected && status === "predicted" ? [rejectedBadge(row)] : [];
    this.caption.replaceChildren(line(first, state), line(...others, ...badges));
    this.bare = null;
  }
}
