// Edits on their way to the kernel. What was answered is saved; what wasn't is kept, in the page and in the tab's own
// storage, and sent again when a kernel answers. Sending an edit twice does no harm: it says what shall be.

import { KernelGone } from "./requests.js";

export class EditQueue {
  // `storage` has getItem, setItem, removeItem; `key` tells projects apart.
  constructor({ key, storage = null, retryAfter = 2_000 }) {
    this.key = `customlabels_nb edits ${key}`;
    this.storage = storage;
    this.retryAfter = retryAfter;
    this.listeners = new Set();
    this.waiting = this._restore();
    this.restored = this.waiting.length;
    this.senders = [];
    this.busy = false;
    this.lost = false;
    this.timer = null;
  }

  get send() {
    return this.senders.at(-1) ?? null;
  }

  // "saved", "saving" or "lost"
  get state() {
    if (!this.waiting.length) return "saved";
    return this.lost ? "lost" : "saving";
  }

  get size() {
    return this.waiting.length;
  }

  // `send(edit)` → Promise of the answer. The latest to connect sends for all; when it ends, the one before it does.
  connect(send) {
    this.senders.push(send);
    this._begin();
    return () => {
      const wasLast = this.send === send;
      this.senders = this.senders.filter((other) => other !== send);
      if (wasLast) this._begin();
    };
  }

  _begin() {
    this.busy = false;
    this.lost = false;
    this._drain();
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
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
    this._drain();
  }

  async _drain() {
    if (this.busy || !this.send || !this.waiting.length) return;
    this.busy = true;
    const send = this.send;
    try {
      while (this.waiting.length && this.send === send) {
        const edit = this.waiting[0];
        let answer = null;
        let failure = null;
        try {
          answer = await send(edit);
        } catch (error) {
          if (error instanceof KernelGone) throw error;
          failure = error; // the kernel refused it: trying again changes nothing
        }
        if (this.waiting[0] === edit) this.waiting.shift();
        this.lost = false;
        this._keep();
        this._tell(failure ? { type: "refused", edit, error: failure } : { type: "answer", edit, answer });
        this._tell({ type: "state" });
      }
    } catch {
      this.lost = true;
      this._tell({ type: "state" });
      this.timer ??= setTimeout(() => this.retryNow(), this.retryAfter);
    } finally {
      if (this.send === send) this.busy = false;
    }
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

// One queue a project and page, shared by its widgets: the newest that has a kernel sends what an older one could not.
export function queueFor(key) {
  const queues = (globalThis[Symbol.for("customlabels_nb edits")] ??= new Map());
  let storage = null;
  try {
    storage = globalThis.sessionStorage ?? null;
  } catch {
    // a sandboxed frame may not have one
  }
  if (!queues.has(key)) queues.set(key, new EditQueue({ key, storage }));
  return queues.get(key);
}
