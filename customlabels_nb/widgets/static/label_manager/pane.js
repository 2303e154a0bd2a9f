// Label manager pane: a list with a field to add labels and a filter. Used in its own widget and in the panels of
// gallery and annotator. The kernel side is in label_manager.py.

import { Notices } from "../shared/notices.js";
import { KernelGone } from "../shared/requests.js";
import { LABEL_COMMANDS } from "./commands.js";
import { changed, hasLabel, newState, placeOf, shownOf } from "./state.js";
import { labelView } from "./view.js";

const EDIT_TAKES = 120_000; // milliseconds; a merge may change millions of annotations
const COUNT_AGAIN = 300;
const SAID_FOR = 8_000;
const COUNT_SHARE = 10; // pause before the next count, as a multiple of its duration

export class LabelPane {
  constructor({ request, on = {} }) {
    this.request = request;
    /** @type {{ changed?: () => void, focus?: (label: string) => void }} */
    this.on = on;
    this.state = newState();
    this.closed = false;
    this.notices = new Notices();
    this.view = labelView(this.notices.node, (name, argument) => this.do(name, argument));
    this.node = this.view.root;
  }

  close() {
    this.closed = true;
    clearTimeout(this.counting);
    clearTimeout(this.saying);
  }

  // Run a command, unless it needs labels that can be edited, or one in focus.
  do(name, argument) {
    const { needs, run } = LABEL_COMMANDS[name];
    const { info } = this.state;
    if (needs && (!info || info.read_only)) return;
    if (needs === "label" && placeOf(this.state) < 0) return;
    run(this, argument);
  }

  paint() {
    const { state } = this;
    const shown = shownOf(state);
    if (!hasLabel(shown, state.at)) state.at = shown[0]?.label ?? null;
    if (!hasLabel(shown, state.pointed)) state.pointed = state.at;
    if (state.question && state.question.label !== null && !hasLabel(shown, state.question.label))
      this.answer(null);
    this.view.paint(state);
    if (state.at !== null && state.at !== this.toldAt) this.on.focus?.(state.at);
    this.toldAt = state.at;
  }

  focusOn(label) {
    this.state.at = this.state.pointed = label;
    this.paint();
    this.view.reveal(label);
  }

  // -- requests to the kernel -------------------------------------------------------------------------
  // Poll for changes of others. Rejects if the kernel does not respond.
  async follow() {
    const { state } = this;
    if (this.closed || state.waiting) return;
    const [answer] = await this.request("labels", { seen: state.info?.seen ?? null });
    if (this.closed || state.waiting) return;
    this.notices.drop("gone");
    if (answer.labels) this._take(answer);
    else this.paint();
  }

  showLost() {
    const { state } = this;
    state.lost = true;
    if (state.info) state.info.seen = null; // the shown labels may not be saved: reload them when possible
    this.view.paint(state);
    this.notices.say(
      "gone",
      "The kernel does not respond. Run the cell again to continue. Saved labels are not lost.",
      { kind: "error" },
    );
  }

  _take(answer) {
    const { state } = this;
    Object.assign(state, { info: answer, lost: false, labels: answer.labels });
    if (state.renaming && !hasLabel(state.labels, state.renaming.label))
      this.do("endRenaming", true);
    this.paint();
    this._countSoon();
  }

  // Count the uses of all labels after the list is shown, because it reads all annotations.
  _countSoon() {
    if (this.counting) return;
    this.counting = setTimeout(
      async () => {
        const began = Date.now();
        try {
          const uses = await this._countUses({});
          if (this.closed) return;
          this.state.uses = new Map(uses);
          this.paint();
        } catch {
          // the next change or poll counts again
        }
        this.countedTook = Date.now() - began;
        this.counting = null;
      },
      Math.max(this.counted ? COUNT_AGAIN : 0, COUNT_SHARE * (this.countedTook ?? 0)),
    );
    this.counted = true;
  }

  async _countUses(content) {
    const [{ uses }] = await this.request("labels uses", content, [], { patience: EDIT_TAKES });
    return uses;
  }

  // Show an edit immediately and send it. A refused edit is reverted. Returns the response, or null.
  async change(edit, message = null) {
    const { state } = this;
    this.notices.drop("edit");
    state.labels = changed(state.labels, edit);
    return this.send("labels change", edit, (answer) => this._say(message ? message(answer) : ""));
  }

  // Send an edit. `done(answer)` runs when it is stored.
  async send(kind, content, done) {
    const { state } = this;
    state.waiting += 1;
    this.paint();
    let answer = null;
    try {
      [answer] = await this.request(kind, content, [], { patience: EDIT_TAKES });
      done(answer);
    } catch (error) {
      if (this.closed) return null;
      if (error instanceof KernelGone) this.showLost();
      else this.notices.say("edit", `Not saved: ${error.message}`, { kind: "error" });
    } finally {
      state.waiting -= 1;
    }
    if (this.closed) return answer;
    if (answer && !state.waiting) this._take(answer);
    if (!answer && !state.lost) await this._readAgain();
    this.paint();
    if (answer) this.on.changed?.();
    return answer;
  }

  async _readAgain() {
    this.state.info = { ...this.state.info, seen: null };
    await this.follow().catch(() => this.showLost());
  }

  // Undo or redo.
  takeBack(kind) {
    this.notices.drop("edit");
    this.view.focus("list"); // also after the button
    const done = kind === "undo" ? "Undone" : "Redone";
    this.send(`labels ${kind}`, {}, ({ said }) =>
      this._say(said ? `${done}: ${said}.` : `Nothing to ${kind}.`),
    );
  }

  // Show a message in place of the keyboard hints for a while.
  _say(text) {
    clearTimeout(this.saying);
    this.state.said = text;
    this.paint();
    if (text) this.saying = setTimeout(() => this._say(""), SAID_FOR);
  }

  // -- questions --------------------------------------------------------------------------------------
  // Ask below the row of `label`, or above the list. Resolves with the answer, or null if the question is closed. It
  // has the latest `counts` of the label's use.
  ask(kind, more) {
    this.settle?.(null);
    return new Promise((resolve) => {
      const counts = this.state.uses.get(more.label);
      const question = { kind, label: null, text: "", counts, ...more };
      this.settle = resolve;
      this.state.question = question;
      this.paint();
      if (kind === "merge" || kind === "remove") this._countFor(question);
    });
  }

  answer(value) {
    if (!this.state.question) return;
    this.state.question = null;
    this.settle(value);
    this.settle = null;
    this.paint();
    this.view.focus("list");
  }

  // Change what the question shows, if it is still open.
  update(values, question = this.state.question) {
    if (question === null || this.state.question !== question) return;
    Object.assign(question, values);
    this.paint();
  }

  async _countFor(question) {
    try {
      const [[, counts]] = await this._countUses({ label: question.label });
      this.update({ counts }, question);
    } catch (error) {
      if (this.closed) return;
      if (this.state.question === question) this.answer(null);
      if (error instanceof KernelGone) this.showLost();
      else {
        this.notices.say("edit", error.message, { kind: "error" });
        await this._readAgain();
      }
    }
  }
}
