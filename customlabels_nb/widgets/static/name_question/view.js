// Layout of the question who labels.

import { set, template } from "../shared/template.js";

const QUESTION = template(`
  <div class="clnb clnb-name-question">
    <form command="start">
      <strong ref="job"></strong>
      <h2>Who are you?</h2>
      <p class="faint">Your answers are stored under this name. Use the same name every time.</p>
      <div class="answer">
        <input type="text" ref="name" command="name" name="name" required maxlength="100"
          aria-label="Your name" autocomplete="name" spellcheck="false">
        <button type="submit" class="primary" ref="start">Start</button>
      </div>
      <p class="problem" ref="problem" role="alert" hidden>
        <span ref="words"></span> <button type="button" ref="reload" command="reload"></button>
      </p>
    </form>
  </div>`);

export function nameView(run) {
  const { root, ...refs } = QUESTION(run);
  return {
    root,
    focus: () => refs.name.focus(),
    select() {
      refs.name.focus();
      refs.name.select(); // another name replaces the one that was used last
    },
    paint({ job, name, isBusy, problem, step }) {
      set(refs.job, { text: job });
      set(refs.name, { value: name });
      set(refs.start, { disabled: isBusy });
      set(refs.problem, { hidden: !problem });
      set(refs.words, { text: problem });
      set(refs.reload, { hidden: !step, text: step?.label ?? "" });
    },
  };
}
