// Question who labels, in place of a screen of a labelling job. The kernel side is in name_question.py.

import { element, setText, show } from "./shared/dom.js";
import { recall, remember } from "./shared/remembered.js";
import { KernelGone, makeRequester, wayBack } from "./shared/requests.js";

const LONGEST_NAME = 100;
const PATIENCE = 60_000; // opening a screen may take a while where many people start at once

class NameQuestion {
  constructor(model, el) {
    this.request = makeRequester(model, { patience: PATIENCE });
    this.field = element("input", {
      type: "text",
      name: "name",
      required: true,
      maxLength: LONGEST_NAME,
      value: recall("name") ?? "",
      attributes: { "aria-label": "Your name", autocomplete: "name", spellcheck: "false" },
    });
    this.button = element("button", { type: "submit", class: "primary", text: "Start" });
    this.problem = element("p", { class: "problem", hidden: true, attributes: { role: "alert" } });
    this.root = element(
      "div",
      { class: "clnb clnb-name-question" },
      element(
        "form",
        {
          on: {
            submit: (event) => {
              event.preventDefault();
              this._start();
            },
          },
        },
        element("strong", { text: model.get("job") }),
        element("h2", { text: "Who are you?" }),
        element("p", {
          class: "faint",
          text: "Your answers are stored under this name. Use the same name every time.",
        }),
        element("div", { class: "answer" }, this.field, this.button),
        this.problem,
      ),
    );
    el.append(this.root);
    if (document.activeElement === document.body)
      setTimeout(() => {
        this.field.focus();
        this.field.select(); // another name replaces the one that was used last
      });
  }

  async _start() {
    const name = this.field.value.trim();
    this.button.disabled = true;
    show(this.problem, false);
    try {
      remember("name", name);
      await this.request("name", { name });
    } catch (error) {
      if (this.request.closed) return;
      const gone = error instanceof KernelGone;
      const { words, step } = wayBack();
      setText(this.problem, gone ? `${error.message} ${words}.` : error.message);
      show(this.problem, true);
      if (gone && step)
        this.problem.append(
          " ",
          element("button", { type: "button", text: step.label, on: { click: step.run } }),
        );
      this.button.disabled = false;
      this.field.focus();
    }
  }

  close() {
    this.request.close();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const question = new NameQuestion(model, el);
    return () => question.close();
  },
};
