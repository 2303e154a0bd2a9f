// Button "⋯" with a menu of rare actions. The menu closes on a click of an action or elsewhere, and on Esc.

import { element, show } from "./dom.js";

export class MoreMenu {
  // `leave()` returns the focus to the screen.
  constructor(leave) {
    this.menu = element("div", { class: "more-menu", hidden: true, tabIndex: -1 });
    // before the action itself, which may open a panel and focus it
    this.menu.addEventListener(
      "click",
      (event) => {
        if (event.target.closest("button")) {
          this.close();
          leave();
        }
      },
      { capture: true },
    );
    this.button = element("button", {
      class: "dots",
      text: "⋯",
      title: "More actions",
      attributes: { "aria-label": "More actions", "aria-expanded": "false" },
      on: { click: () => this._turn(this.menu.hidden) },
    });
    this.node = element(
      "span",
      {
        class: "more-field",
        on: {
          keydown: (event) => {
            if (event.key === "Escape" && !this.menu.hidden) {
              event.stopPropagation();
              this.close();
              this.button.focus();
            }
          },
          focusout: (event) => {
            if (!this.node.contains(event.relatedTarget)) this.close();
          },
        },
      },
      this.button,
      this.menu,
    );
  }

  _turn(open) {
    show(this.menu, open);
    this.button.setAttribute("aria-expanded", String(open));
  }

  close() {
    this._turn(false);
  }
}
