// Base of the screens whose edits go through a queue: connection and save state.

import { queueFor } from "./edits.js";
import { setText } from "./dom.js";
import { isJobPage, wayBack } from "./requests.js";

const SAVED_WORDS = {
  saved: () => "saved",
  saving: () => "saving…",
  gone: () => `saved – ${isJobPage() ? "reload the page" : "run the cell"} to continue`,
  lost: (count) => `not saved (${count}) – kept in this page`,
};

export function showSavedState(node, state, waiting) {
  node.className = `state ${state}`;
  setText(node, SAVED_WORDS[state](waiting));
}

export class Sending {
  // `screen` has info, notices and showState(state, waiting). `what` names its edits (singular and plural).
  constructor({ request, screen, key, id, what = ["edit", "edits"] }) {
    this.request = request;
    this.screen = screen;
    this.what = what;
    this.queue = queueFor(key);
    this.id = id;
    this.failure = null;
    this.storing = 0; // running edits that are not in the queue
    const again = this.pending.length;
    this.stopListening = this.queue.listen((event) => this._onQueueEvent(event));
    this.disconnect = this.queue.connect(this);
    if (again)
      screen.notices.say(
        "again",
        `${this._count(again, "was", "were")} not saved before. Trying again.`,
      );
    this.updateState();
  }

  /** Send an edit and return the response. Subclasses implement this and the next method. */
  async send(_edit) {}

  /** Handle an event of the queue. */
  _onQueueEvent(_event) {}

  mayHelp() {
    return !this.screen.info.read_only;
  }

  close() {
    this.stopListening();
    this.disconnect();
  }

  get pending() {
    return this.queue.pending(this.id);
  }

  get state() {
    const state = this.queue.state(this.id);
    return state === "saved" && this.storing ? "saving" : state;
  }

  // Run an edit that is not in the queue, or not yet. Nothing is shown as saved before it ends.
  async store(edit) {
    this.storing += 1;
    this.updateState();
    try {
      return await edit();
    } finally {
      this.storing -= 1;
      this.updateState();
    }
  }

  // Return a Promise that resolves when all edits are saved, or cannot be saved now.
  settled() {
    return this.queue.whenSettled(this.id);
  }

  updateState() {
    const { state, failure, screen } = this;
    if (!failure && state !== "lost") screen.notices.drop("gone");
    if (state === "saved") screen.notices.drop("again");
    screen.showState(failure && state === "saved" ? "gone" : state, this.pending.length);
  }

  // The kernel responds.
  responded() {
    this.queue.responded(this);
    this.updateState();
  }

  // The kernel does not respond, or cannot save now.
  lost(reason) {
    this.failure = reason;
    this.updateState();
    const { length } = this.pending;
    const words = length
      ? `${this._count(length, "is", "are")} not saved yet, but kept in this page and sent again automatically.`
      : this.storing
        ? "The last edit is not confirmed yet."
        : "Everything is saved.";
    const then = isJobPage()
      ? "If this does not change, reload the page."
      : "If the kernel was restarted, run the cell again.";
    this.screen.notices.say("gone", `${reason.message} ${words} ${then}`, {
      kind: length ? "error" : "info",
      step: wayBack().step,
    });
  }

  _count(count, singular, many) {
    return count === 1 ? `1 ${this.what[0]} ${singular}` : `${count} ${this.what[1]} ${many}`;
  }
}
