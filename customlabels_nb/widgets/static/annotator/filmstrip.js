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
      const given = frames[index];
      show(frame.node, Boolean(given));
      if (!given) return;
      frame.place = given.place;
      if (given.uri) frame.picture.src = given.uri;
      else frame.picture.removeAttribute("src");
      frame.node.title = given.failure ?? given.row.name;
      frame.node.setAttribute("aria-label", described(given.row));
      frame.node.setAttribute("aria-selected", String(given.place === current));
      frame.node.className = `film ${given.row.status}${given.place === current ? " current" : ""}`;
      setText(frame.excuse, given.failure ? "unreadable" : "");
      if (given.place === current) this._bring(frame.node);
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
        type: "button",
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
