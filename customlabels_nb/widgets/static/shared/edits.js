// Edits on their way to the kernel. What was answered is saved; what wasn't is kept, in the page and in the tab's own
// storage, and sent again when a kernel answers. Sending an edit twice does no harm: it says what shall be.

// The screens of one project in one page share a queue. Each sends its own edits to its own kernel, and those of another
// only where that one's kernel doesn't answer or the screen is gone. Screens come from separate copies of this code, so
// that errors are known by their properties, never by their class.
export class EditQueue {
  // `storage` has getItem, setItem, removeItem; `key` tells projects apart.
  constructor({ key, storage = null, retryAfter = 2_000 }) {
    this.key = `customlabels_nb edits ${key}`;
    this.storage = storage;
    this.retryAfter = retryAfter;
    this.listeners = new Set();
    this.screens = [];
    this.waiting = this._restore();
    this.sent = new WeakSet(); // waits for its answer
    this.failed = new WeakSet(); // could not be sent, or was not answered
    this.timer = null;
  }

  // "saved", "saving" or "lost", of a screen and of those that are gone; of all without `id`.
  state(id = null) {
    const waiting = this.pending(id);
    if (!waiting.length) return "saved";
    return waiting.some((edit) => this.failed.has(edit)) ? "lost" : "saving";
  }

  pending(id = null) {
    return id === null ? this.waiting : this.waiting.filter((edit) => edit.by === id || !this._isOpen(edit.by));
  }

  _isOpen(id) {
    return this.screens.some((screen) => screen.id === id);
  }

  // A screen has id, send(edit) → Promise of the answer, and mayHelp(): whether it can send edits of others. An edit's
  // `by` is the id of its screen. `failure` is why the screen can't send for now.
  connect(screen) {
    this.screens.push(screen);
    this.heard(screen);
    return () => {
      this.screens = this.screens.filter((other) => other !== screen);
      this._drain();
    };
  }

  // The kernel of this screen answers.
  heard(screen) {
    screen.failure = null;
    this._drain();
  }

  // Whether this screen is to say what became of an edit: of its own, and of one that it sent for a screen that is gone.
  concerns({ edit, screen }, own) {
    return edit.by === own.id || (screen === own && !this._isOpen(edit.by));
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // Promise that all edits of a screen are saved, or can't be for now.
  whenSettled(id) {
    if (this.state(id) !== "saving") return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.listen(() => {
        if (this.state(id) === "saving") return;
        stop();
        resolve();
      });
    });
  }

  add(edit) {
    this.waiting.push(edit);
    this._keep();
    this._tell({ type: "state" });
    this._drain();
  }

  // Edits that shall not be sent any more.
  drop(edits) {
    this.waiting = this.waiting.filter((edit) => !edits.includes(edit));
    this._keep();
  }

  retryNow() {
    clearTimeout(this.timer);
    this.timer = null;
    for (const screen of this.screens) screen.failure = null;
    this._drain();
  }

  _senderOf(edit) {
    const able = this.screens.filter((screen) => !screen.failure);
    return able.findLast((screen) => screen.id === edit.by) ?? able.findLast((screen) => screen.mayHelp());
  }

  // Send what can be sent: one edit a screen at a time, and those of one image in their order.
  _drain() {
    const earlier = new Set();
    let isStuck = false;
    for (const edit of [...this.waiting]) {
      const images = edit.images ?? [edit.image];
      const screen = this._senderOf(edit);
      if (!this.sent.has(edit)) {
        if (!screen) {
          isStuck = true;
          this.failed.add(edit);
        } else if (!screen.busy && !images.some((name) => earlier.has(name))) this._send(edit, screen);
      }
      for (const name of images) earlier.add(name);
    }
    if (isStuck && this.screens.length) this.timer ??= setTimeout(() => this.retryNow(), this.retryAfter);
  }

  async _send(edit, screen) {
    this.sent.add(edit);
    screen.busy = true;
    let event = null;
    try {
      event = { type: "answer", edit, screen, answer: await screen.send(edit) };
    } catch (error) {
      if (error?.refused) event = { type: "refused", edit, screen, error }; // trying again changes nothing
      else screen.failure = error;
    }
    this.sent.delete(edit);
    screen.busy = false;
    if (event) {
      this.drop([edit]);
      this._tell(event);
    }
    this._drain();
    this._tell({ type: "state" });
  }

  _tell(event) {
    for (const listener of [...this.listeners]) listener(event);
  }

  _keep() {
    try {
      if (this.waiting.length) this.storage?.setItem(this.key, JSON.stringify(this.waiting));
      else this.storage?.removeItem(this.key);
    } catch {
      // a full or forbidden storage: the page itself still has them
    }
  }

  _restore() {
    try {
      const kept = JSON.parse(this.storage?.getItem(this.key) ?? "[]");
      return Array.isArray(kept) ? kept : [];
    } catch {
      return [];
    }
  }
}

// One queue a project and page, whichever copy of this code asks.
export function queueFor(key) {
  const queues = (globalThis[Symbol.for("customlabels_nb edits 2")] ??= new Map());
  let storage = null;
  try {
    storage = globalThis.sessionStorage ?? null;
  } catch {
    // a sandboxed frame may not have one
  }
  if (!queues.has(key)) queues.set(key, new EditQueue({ key, storage }));
  return queues.get(key);
}
