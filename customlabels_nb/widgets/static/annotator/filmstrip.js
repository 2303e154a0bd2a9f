// Filmstrip: thumbnails of neighbouring images, with a dot for their status.

import { described } from "../shared/chips.js";
import { element, setText, show } from "../shared/dom.js";

export class Filmstrip {
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.node = element("div", {
      class: "strip",
      attributes: { role: "listbox", "aria-label": "Images" },
    });
    this.frames = [];
  }

  // `frames`: [{ place, row, uri, failure }]
  update(frames, current) {
    while (this.frames.length < frames.length) this.frames.push(this._frame());
    this.frames.forEach((frame, index) => {
      const known = frames[index];
      show(frame.node, Boolean(known));
      if (!known) return;
      frame.place = known.place;
      if (known.uri) frame.picture.src = known.uri;
      else frame.picture.removeAttribute("src");
      frame.node.title = known.failure ?? known.row.name;
      frame.node.setAttribute("aria-label", described(known.row));
      frame.node.setAttribute("aria-selected", String(known.place === current));
      frame.node.className = `film ${known.row.status}${known.place === current ? " current" : ""}`;
      setText(frame.excuse, known.failure ? "unreadable" : "");
      if (known.place === current) this._bring(frame.node);
    });
  }

  // Scroll horizontally to a frame and its neighbours. The notebook itself is never scrolled.
  _bring(node) {
    const { node: filmstrip } = this;
    const left = node.offsetLeft - filmstrip.offsetLeft;
    const beside = Math.min(node.offsetWidth + 14, (filmstrip.clientWidth - node.offsetWidth) / 2);
    if (left - beside < filmstrip.scrollLeft) filmstrip.scrollLeft = left - beside;
    else if (left + node.offsetWidth + beside > filmstrip.scrollLeft + filmstrip.clientWidth)
      filmstrip.scrollLeft = left + node.offsetWidth + beside - filmstrip.clientWidth;
  }

  _frame() {
    const picture = element("img", { alt: "", draggable: false });
    const frame = { picture, place: 0, excuse: element("span", { class: "excuse" }) };
    frame.node = element(
      "button",
      {
        class: "film",
        tabIndex: -1,
        attributes: { role: "option" },
        on: { click: () => this.onChoose(frame.place) },
      },
      picture,
      frame.excuse,
      element("i", { class: "dot" }),
    );
    this.node.append(frame.node);
    return frame;
  }
}
