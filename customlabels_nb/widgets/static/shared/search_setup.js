// What the search by a description needs before anyone types, beside its field: a sentence or a button.

import { element, setText, show } from "./dom.js";

const CHECK_EACH = 700;

export class SearchSetup {
  constructor(field, leave) {
    this.field = field;
    field.addEventListener("blur", () => this.draw());
    this.leave = leave;
    this.isOffered = false; // on screens and pages that have the search
    this.state = { text: "", button: "", question: "", error: "", running: false };
    this.words = element("span", { class: "faint", attributes: { role: "status" } });
    this.button = element("button", { on: { click: () => this._start() } });
    this.node = element("span", { hidden: true }, this.words, this.button);
  }

  // Ask after the first page, whose pictures come first.
  askSoon(page) {
    this.timer = setTimeout(() => page.closed || this.ask(page), CHECK_EACH);
  }

  // Ask what is missing, and again while it is being prepared. `page` has the requests and the panel.
  async ask(page, start = false) {
    this.page = page;
    clearTimeout(this.timer);
    try {
      [this.state] = await page.request("search setup", { start });
    } catch {
      // it is asked again while the job runs, and a search says what is wrong
    }
    if (page.closed) return;
    if (this.state.running) this.timer = setTimeout(() => this.ask(page), CHECK_EACH);
    this.draw();
  }

  draw(isOffered = this.isOffered) {
    this.isOffered = isOffered;
    const { text, button, error } = this.state;
    // while somebody types, it stays: elsewhere, the letters are keys
    show(this.field, isOffered && (!text || this.field.matches(":focus")));
    show(this.node, isOffered && Boolean(text));
    setText(this.words, error || (button ? "" : text));
    this.node.title = [text, error].filter(Boolean).join(" ");
    setText(this.button, button ? `⌕ ${button}` : "");
    show(this.button, Boolean(button));
  }

  async _start() {
    const { question, button, text } = this.state;
    this.leave();
    const answers = [{ value: true, label: "Download", primary: true }];
    if (question && !(await this.page.panel.ask(button, `${text} ${question}`, answers))) return;
    await this.ask(this.page, true);
  }
}
