// Saving of annotated images: each change is one queued edit of the complete image. Changes of others are conflicts.

import { Sending } from "../shared/sending.js";
import { plain } from "./fitting.js";

export class Saving extends Sending {
  /** @type {Map<string, object>} */ homeless = new Map(); // last edits of images that were removed from the dataset

  // `screen` has info, notices, showState(state, waiting), stored(answer, own), conflict(answer, edit),
  // removed(answer, edit) and refused(edit).
  constructor({ request, screen, key }) {
    super({
      request,
      screen,
      key: `${key} shapes`,
      id: `${Date.now()} ${Math.random()}`,
      what: ["image", "images"],
    });
  }

  get isDone() {
    return !super.pending.length;
  }

  get pending() {
    return [...super.pending, ...(this.homeless?.values() ?? [])]; // the base class asks before there is a map
  }

  get state() {
    const state = super.state;
    return state === "saved" && this.homeless?.size ? "lost" : state;
  }

  async send(edit) {
    edit.sent = true;
    const [answer] = await this.request("save", edit);
    return answer;
  }

  // Queue only the last state of each image. Edits already sent stay queued: if the response was lost, sending them
  // again returns the revision that the next one is based on.
  save(split, imageShapes) {
    const { waiting } = this.queue;
    const edit = {
      split,
      image: imageShapes.image.name,
      shapes: imageShapes.shapes.map(plain),
      labels: [...imageShapes.labels],
      status: imageShapes.status,
      note: imageShapes.note,
      revision: imageShapes.revision,
      by: this.id,
      reason: imageShapes.reason,
    };
    this._keepHomeless(edit.image, null);
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

  _onQueueEvent(event) {
    const { edit, answer } = event;
    if (event.type === "state") {
      if (this.state === "lost" && this.failure) this.lost(this.failure);
    } else if (this.queue.concerns(event, this)) {
      if (event.type === "refused") {
        this._later(edit);
        this.screen.refused(edit, event.error);
      } else if (answer.gone) {
        const kept = this._later(edit);
        this._keepHomeless(edit.image, kept);
        this.screen.removed(answer, kept);
      } else if (answer.conflict) this.screen.conflict(answer, this._later(edit));
      else {
        for (const next of this._waits(edit.image, edit.by)) next.revision = answer.revision;
        this.screen.stored(answer, edit.by === this.id);
      }
    }
    this.updateState();
  }

  // Keep the last edit of an image that was removed, unless nothing is drawn, or forget it. A job has no use for it.
  _keepHomeless(image, edit) {
    const former = this.homeless.get(image);
    const isKept = edit && !this.screen.info.job && edit.shapes.length + edit.labels.length > 0;
    if (isKept) this.homeless.set(image, edit);
    else this.homeless.delete(image);
    if (former || isKept) this.queue.park(isKept ? edit : null, former);
  }

  // Drop edits that are based on a failed one and return the last of them, which is the user's latest version.
  _later(edit) {
    const following = this._waits(edit.image, edit.by);
    this.queue.drop(following);
    return following.at(-1) ?? edit;
  }
}
