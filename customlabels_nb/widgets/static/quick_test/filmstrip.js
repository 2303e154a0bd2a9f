// Filmstrip of the photos that were tried, latest on the right.

import { element } from "../shared/dom.js";

export class Filmstrip {
  constructor(onShow) {
    this.onShow = onShow;
    this.node = element("div", {
      class: "strip",
      hidden: true,
      attributes: { role: "group", "aria-label": "Photos that were tried" },
    });
  }

  // `trials`: [{ number, name, uri, added }].
  draw(trials, current) {
    this.node.hidden = !trials.length;
    const state = JSON.stringify(trials.map(({ number, added }) => [number, Boolean(added)]));
    if (state !== this.state) {
      this.state = state;
      this.node.replaceChildren(
        ...trials.map(({ number, name, uri, added }) =>
          element(
            "button",
            {
              class: `film${added ? " added" : ""}`,
              title: added ? `${name}: in ${added.split}` : name,
              data: { number: String(number) },
              attributes: { "aria-label": added ? `${name}, in ${added.split}` : name },
              on: { click: () => this.onShow(number) },
            },
            element("img", { alt: "", draggable: false, src: uri }),
            element("i", { class: "dot", attributes: { "aria-hidden": "true" } }),
          ),
        ),
      );
    }
    for (const film of this.node.children) {
      const isCurrent = film.dataset.number === String(current);
      film.classList.toggle("current", isCurrent);
      film.setAttribute("aria-pressed", String(isCurrent));
      if (isCurrent)
        this.node.scrollLeft = Math.max(0, film.offsetLeft - this.node.clientWidth / 2);
    }
  }
}
