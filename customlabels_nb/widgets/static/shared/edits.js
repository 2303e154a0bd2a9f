// Queue of edits for the kernel. Edits without a response are kept in the page and in sessionStorage, and are sent
// again when a kernel responds. Edits are idempotent: sending one twice does no harm.

// The screens of one project in one page share a queue. Each screen sends its own edits to its own kernel. It sends
// edits of another screen only if that screen's kernel does not respond or the screen was closed. Screens have separate
// copies of this code, so errors are recognised by their properties, never by class.
export class EditQueue {
  // `storage` has getItem, setItem and removeItem. `key` identifies the project.
  constructor({ key, storage = null, retryAfter = 2_000 }) {
    this.key = `customlabels_nb edits ${key}`;
    this.storage = storage;
    this.retryAfter = retryAfter;
    this.listeners = new Set();
    this.screens = [];
    this.waiting = this._restore();
    this.parked = []; // edits that cannot be stored now, but are sent again by a screen that is opened later
    this.sent = new WeakSet(); // awaiting a response
    this.failed = new WeakSet(); // could not be sent, or got no response
    this.timer = null;
  }

  // Return "saved", "saving" or "lost" for the edits of a screen and of closed screens, or of all without `id`.
  state(id = null) {
    const waiting = this.pending(id);
    if (!waiting.length) return "saved";
    return waiting.some((edit) => this.failed.has(edit)) ? "lost" : "saving";
  }

  pending(id = null) {
    return id === null
      ? this.waiting
      : this.waiting.filter((edit) => edit.by === id || !this._isOpen(edit.by));
  }

  _isOpen(id) {
    return this.screens.some((screen) => screen.id === id);
  }

  // A screen has id, send(edit) → Promise of the response, and mayHelp(), which returns true if it can send edits of
  // other screens. An edit's `by` is the id of its screen. `failure` is the reason why the screen cannot send now.
  connect(screen) {
    this.screens.push(screen);
    this._unpark();
    this.responded(screen);
    return () => {
      this.screens = this.screens.filter((other) => other !== screen);
      this._unpark();
      this._drain();
    };
  }

  // Record that the kernel of this screen has responded.
  responded(screen) {
    screen.failure = null;
    this._drain();
  }

  // Return true if this screen reports the outcome of an edit: its own, or one it sent for a closed screen.
  concerns({ edit, screen }, item) {
    return edit.by === item.id || (screen === item && !this._isOpen(edit.by));
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // Return a Promise that resolves when all edits of a screen are saved, or cannot be saved now.
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
    this._notify({ type: "state" });
    this._drain();
  }

  // Remove edits from the queue.
  drop(edits) {
    this.waiting = this.waiting.filter((edit) => !edits.includes(edit));
    this._keep();
  }

  // Send the parked edits of closed screens again, so that another screen reports them.
  _unpark() {
    if (!this.screens.length) return;
    const isOpen = (edit) => this._isOpen(edit.by);
    this.waiting.push(...this.parked.filter((edit) => !isOpen(edit)));
    this.parked = this.parked.filter(isOpen);
  }

  // Keep an edit for a screen that is opened later, instead of the `former` one.
  park(edit, former = null) {
    this.parked = this.parked.filter((other) => other !== former);
    if (edit) this.parked.push(edit);
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
    return (
      able.findLast((screen) => screen.id === edit.by) ??
      able.findLast((screen) => screen.mayHelp())
    );
  }

  // Send pending edits: one per screen at a time, and edits of the same image in order.
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
        } else if (!screen.busy && !images.some((name) => earlier.has(name)))
          this._send(edit, screen);
      }
      for (const name of images) earlier.add(name);
    }
    if (isStuck && this.screens.length)
      this.timer ??= setTimeout(() => this.retryNow(), this.retryAfter);
  }

  async _send(edit, screen) {
    this.sent.add(edit);
    screen.busy = true;
    let event = null;
    try {
      event = { type: "answer", edit, screen, answer: await screen.send(edit) };
    } catch (error) {
      if (error?.refused)
        event = { type: "refused", edit, screen, error }; // a retry would fail again
      else screen.failure = error;
    }
    this.sent.delete(edit);
    screen.busy = false;
    if (event) {
      this.drop([edit]);
      this._notify(event);
    }
    this._drain();
    this._notify({ type: "state" });
  }

  _notify(event) {
    for (const listener of [...this.listeners]) listener(event);
  }

  _keep() {
    try {
      const kept = [...this.waiting, ...this.parked];
      if (kept.length) this.storage?.setItem(this.key, JSON.stringify(kept));
      else this.storage?.removeItem(this.key);
    } catch {
      // storage is full or blocked: the edits stay in the page
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

// Return the queue of a project, shared by all copies of this code in the page.
export function queueFor(key) {
  const shared = Symbol.for("customlabels_nb edits 2");
  globalThis[shared] ??= new Map();
  const queues = globalThis[shared];
  let storage = null;
  try {
    storage = globalThis.sessionStorage ?? null;
  } catch {
    // not available in sandboxed frames
  }
  if (!queues.has(key)) queues.set(key, new EditQueue({ key, storage }));
  return queues.get(key);
}
