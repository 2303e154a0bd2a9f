// A panel over the widget: one question or text at a time, closed by Esc, focus given back.

import { element, keepKeys, show } from "./dom.js";

const LEAST_ABOVE = 40; // pixels above what is opened
const LEAST_HEIGHT = 260;
const IN_SIGHT = 130; // how far down the page a widget can be seen: below the menus of JupyterLab

export class Panel {
  constructor({ onClose }) {
    this.onClose = onClose;
    this.body = element("div", { class: "panel-body", tabIndex: -1, attributes: { role: "dialog", "aria-modal": "true" } });
    keepKeys(this.body);
    this.node = element("div", {
      class: "panel", hidden: true,
      on: { pointerdown: (event) => { if (event.target === this.node) this.close(); }, keydown: (event) => this._key(event) },
    }, this.body);
  }

  get isOpen() {
    return !this.node.hidden;
  }

  open(title, ...children) {
    const closer = element("button", { type: "button", class: "plain closer", text: "×", title: "close (Esc)", attributes: { "aria-label": "close" }, on: { click: () => this.close() } });
    this.body.setAttribute("aria-label", title);
    this.body.replaceChildren(element("header", {}, element("strong", { text: title }), closer), ...children);
    show(this.node, true);
    const { top, height } = this.node.getBoundingClientRect(); // of a tall widget the upper part may be out of sight
    this.node.style.paddingTop = `${Math.max(LEAST_ABOVE, Math.min(IN_SIGHT - top, height - LEAST_HEIGHT))}px`;
    (this.body.querySelector("[data-first]") ?? this.body).focus();
  }

  close() {
    if (!this.isOpen) return;
    show(this.node, false);
    this.body.replaceChildren();
    this.onClose();
  }

  // Do something more when what is open now is closed.
  onceClosed(action) {
    const close = this.onClose;
    this.onClose = () => {
      this.onClose = close;
      close();
      action();
    };
  }

  // Buttons of a question; resolves with the value of the one chosen, null if the panel is closed otherwise.
  ask(title, text, choices) {
    return new Promise((resolve) => {
      let answer = null;
      this.onceClosed(() => resolve(answer));
      const buttons = choices.map(({ value, label, primary }) => element("button", {
        type: "button", class: primary ? "primary" : "", text: label, data: primary ? { first: "" } : {},
        on: { click: () => { answer = value; this.close(); } },
      }));
      this.open(title, element("p", { text }), element("div", { class: "choices" }, ...buttons));
    });
  }

  _key(event) {
    event.stopPropagation();
    if (event.key === "Escape") {
      event.preventDefault();
      this.close();
    } else if (event.key === "Tab") {
      const stops = [...this.body.querySelectorAll("button, input, select, textarea, a, [tabindex='0']")].filter((node) => !node.disabled);
      const edge = event.shiftKey ? stops[0] : stops.at(-1);
      if (stops.length && (event.target === edge || event.target === this.body)) {
        event.preventDefault();
        (event.shiftKey ? stops.at(-1) : stops[0]).focus();
      }
    }
  }
}
