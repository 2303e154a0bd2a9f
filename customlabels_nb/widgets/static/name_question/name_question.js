// Question who labels, in place of a screen of a labelling job. The kernel side is in name_question.py.

import { recall, remember } from "../shared/remembered.js";
import { KernelGone, makeRequester, wayBack } from "../shared/requests.js";
import { mount } from "../shared/template.js";
import { nameView } from "./view.js";

const PATIENCE = 60_000; // opening a screen may take a while where many people start at once

export default {
  render({ model, el }) {
    const request = makeRequester(model, { patience: PATIENCE });
    const state = {
      job: model.get("job"),
      name: recall("name") ?? "",
      isBusy: false,
      problem: "",
      step: null,
    };
    const commands = {
      name: ({ target }) => {
        state.name = target.value;
      },
      reload: () => state.step.run(),
      async start(event) {
        event.preventDefault();
        Object.assign(state, { isBusy: true, problem: "", step: null });
        view.paint(state);
        try {
          const name = state.name.trim();
          remember("name", name);
          await request("name", { name });
        } catch (error) {
          if (request.closed) return;
          const { words, step } = wayBack();
          const isGone = error instanceof KernelGone;
          const problem = isGone ? `${error.message} ${words}.` : error.message;
          Object.assign(state, { isBusy: false, problem, step: isGone ? step : null });
          view.paint(state);
          view.focus();
        }
      },
    };
    const view = nameView((command, event) => commands[command](event));
    view.paint(state);
    const remove = mount(el, view.root);
    if (document.activeElement === document.body) setTimeout(() => view.select());
    return () => {
      request.close();
      remove();
    };
  },
};
