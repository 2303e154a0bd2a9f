// Saving of whole images: each change of a sheet is one edit on its way, and what others did comes back as a conflict.

import { queueFor } from "../shared/edits.js";
import { plain } from "./fitting.js";

export class Saving {
  // `screen` has notices, showState(state, waiting), showLost(), stored(answer, own), conflict(answer, edit) and
  // refused(edit). Screens of one project in one page share a queue; each hears only of its own edits, and the one that
  // sends also of those whose screen is gone.
  constructor({ request, screen, key }) {
    this.screen = screen;
    this.id = `${Date.now()} ${Math.random()}`;
    this.queue = queueFor(`${key} shapes`);
    (this.queue.screens ??= new Set()).add(this.id);
    this.stopListening = this.queue.listen((event) => this._told(event));
    const again = this.queue.size;
    this.send = (edit) => {
      edit.sent = true;
      return request("save", edit).then(([answer]) => answer);
    };
    this.disconnect = this.queue.connect(this.send);
    if (again) screen.notices.say("again", `${again} ${again === 1 ? "image was" : "images were"} not saved before; sent again.`);
    this.tellState();
  }

  close() {
    this.queue.screens.delete(this.id);
    this.stopListening();
    this.disconnect();
  }

  get isDone() {
    return !this.queue.size;
  }

  // Promise that all is saved, or can't be for now.
  whenDone() {
    const isOver = () => this.isDone || this.queue.state === "lost";
    if (isOver()) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.queue.listen(() => {
        if (!isOver()) return;
        stop();
        resolve();
      });
    });
  }

  tellState() {
    this.screen.showState(this.queue.state, this.queue.size);
  }

  // Of several states of one image that wait, the last is enough. What was sent stays: if its answer was lost, sending it
  // again tells the revision that the next one is based on.
  save(split, sheet) {
    const { waiting } = this.queue;
    const edit = {
      split, image: sheet.image.name, shapes: sheet.shapes.map(plain), labels: [...sheet.labels], status: sheet.status,
      revision: sheet.revision, by: this.id,
    };
    const last = this._waits(edit.image).at(-1);
    if (last && !last.sent) waiting.splice(waiting.indexOf(last), 1);
    this.queue.add(edit);
  }

  isPending(name) {
    return this._waits(name).length > 0;
  }

  _waits(name, by = this.id) {
    return this.queue.waiting.filter((edit) => edit.image === name && edit.by === by);
  }

  retry() {
    if (this.queue.state === "lost") this.queue.retryNow();
  }

  _told(event) {
    const { edit, answer } = event;
    if (event.type === "state") {
      if (this.queue.state === "lost") this.screen.showLost();
    } else if (edit.by === this.id || (!this.queue.screens.has(edit.by) && this.queue.send === this.send)) {
      if (event.type === "refused") {
        this._later(edit);
        this.screen.refused(edit, event.error);
      } else if (answer.conflict) this.screen.conflict(answer, this._later(edit));
      else {
        for (const next of this._waits(edit.image, edit.by)) next.revision = answer.revision;
        this.screen.stored(answer, edit.by === this.id);
      }
    }
    this.tellState();
  }

  // What waits on top of an edit that came to nothing is not sent; the last of it is what people meant.
  _later(edit) {
    const following = this._waits(edit.image, edit.by);
    this.queue.drop(following);
    return following.at(-1) ?? edit;
  }
}
