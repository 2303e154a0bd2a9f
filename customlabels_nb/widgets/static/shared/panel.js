// Modal panel over the widget: one question or text at a time. Esc closes it and restores the focus.

import { element, keepKeys, show } from "./dom.js";

const LEAST_ABOVE = 40; // pixels above the panel
const LEAST_HEIGHT = 260;
const IN_SIGHT = 130; // top of the visible page in pixels: below the menus of JupyterLab

export class Panel {
  constructor({ onClose }) {
    this.onClose = onClose;
    this.body = element("div", {
      class: "panel-body",
      tabIndex: -1,
      attributes: { role: "dialog", "aria-modal": "true" },
    });
    keepKeys(this.body);
    this.node = element(
      "div",
      {
        class: "panel",
        hidden: true,
        on: {
          pointerdown: (event) => {
            if (event.target === this.node) this.close();
          },
          keydown: (event) => this._key(event),
        },
      },
      this.body,
    );
  }

  get isOpen() {
    return !this.node.hidden;
  }

  open(title, ...children) {
    const closer = element("button", {
      class: "plain closer",
      text: "×",
      title: "Close (Esc)",
      attributes: { "aria-label": "Close" },
      on: { click: () => this.close() },
    });
    this.body.setAttribute("aria-label", title);
    this.body.replaceChildren(
      element("header", {}, element("strong", { text: title }), closer),
      ...children,
    );
    show(this.node, true);
    const { top, height } = this.node.getBoundingClientRect(); // the top of a tall widget may be scrolled out of view
    this.node.style.paddingTop = `${Math.max(LEAST_ABOVE, Math.min(IN_SIGHT - top, height - LEAST_HEIGHT))}px`;
    (this.body.querySelector("[data-first]") ?? this.body).focus();
  }

  close() {
    if (!this.isOpen) return;
    show(this.node, false);
    this.body.replaceChildren();
    this.onClose();
  }

  // Run an action when the open panel is closed.
  onceClosed(action) {
    const close = this.onClose;
    this.onClose = () => {
      this.onClose = close;
      close();
      action();
    };
  }

  // Ask a question with buttons. Resolves with the value of the chosen one, or null if the panel is closed. The text
  // may be a field, in which Ctrl Enter is the primary button.
  ask(title, text, choices) {
    return new Promise((resolve) => {
      let answer = null;
      this.onceClosed(() => resolve(answer));
      const buttons = choices.map(({ value, label, primary, danger }) =>
        element("button", {
          class: primary ? "primary" : danger ? "danger" : "",
          text: label,
          data: primary ? { first: "" } : {},
          on: {
            click: () => {
              answer = value;
              this.close();
            },
          },
        }),
      );
      this.open(title, element("p", {}, text), element("div", { class: "choices" }, ...buttons));
    });
  }

  _key(event) {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault();
      this.close();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      this.body.querySelector(".primary")?.click();
    } else if (event.key === "Enter" && event.repeat && event.target.closest("button, a")) {
      event.preventDefault(); // the key may have opened the panel
    } else if (event.key === "Tab") {
      const stops = [
        ...this.body.querySelectorAll("button, input, select, textarea, a, [tabindex='0']"),
      ].filter((node) => !node.disabled && node.tabIndex >= 0 && !node.closest("[hidden]"));
      const edge = event.shiftKey ? stops[0] : stops.at(-1);
      if (stops.length && (event.target === edge || event.target === this.body)) {
        event.preventDefault();
        (event.shiftKey ? stops.at(-1) : stops[0]).focus();
      }
    }
  }
}
