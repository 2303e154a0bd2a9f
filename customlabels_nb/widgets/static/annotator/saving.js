// Saving of whole images: each change of a sheet is one edit on its way, and what others did comes back as a conflict.

import { queueFor } from "../shared/edits.js";

export class Saving {
  // `screen` has info, notices, showState(state, waiting), showLost(), stored(answer), refused().
  constructor({ request, screen, key }) {
    Object.assign(this, { request, screen });
    this.queue = queueFor(`${key} shapes`);
    this.stopListening = this.queue.listen((event) => this._told(event));
    const again = this.queue.size;
    this.disconnect = this.queue.connect((edit) => this.request("save", edit).then(([answer]) => answer));
    if (again) screen.notices.say("again", `${again} ${again === 1 ? "image was" : "images were"} not saved before; sent again.`);
    this.tellState();
  }

  close() {
    this.stopListening();
    this.disconnect();
  }

  tellState() {
    this.screen.showState(this.queue.state, this.queue.size);
  }

  // Of several states of one image that wait, the last is enough, unless the first is on its way already.
  save(split, sheet) {
    const plain = ({ label, left, top, width, height, polygon }) => ({ label, left, top, width, height, polygon });
    const edit = { split, image: sheet.image.name, shapes: sheet.shapes.map(plain), labels: [...sheet.labels], status: sheet.status, revision: sheet.revision };
    const { waiting } = this.queue;
    const last = waiting.findLastIndex((other) => other.image === edit.image);
    if (last > 0 || (last === 0 && !this.queue.busy)) waiting.splice(last, 1);
    this.queue.add(edit);
  }

  isPending(name) {
    return this.queue.waiting.some((edit) => edit.image === name);
  }

  _told(event) {
    if (event.type === "answer") {
      for (const edit of this.queue.waiting) if (edit.image === event.answer.image) edit.revision = event.answer.revision;
      this.screen.stored(event.answer, event.edit);
    } else if (event.type === "refused") {
      this.screen.notices.say("save", `Not saved: ${event.error.message}`, { kind: "error" });
      this.screen.refused(event.edit);
    } else if (this.queue.state === "lost") this.screen.showLost();
    this.tellState();
  }
}
