// Edits: shown at once, on their way through the queue, and what the kernel's answers make of them.

import { queueFor } from "./edits.js";
import { allHave } from "./rows.js";

const LARGEST_KNOWN = 2_000; // images of one edit that are named; more are left to the kernel to look up

export class Editing {
  // `screen` has info, notices, target(), repaint(names), showBands(), showState(state, waiting), showLost(), show(change),
  // bring(name), foresee(row, edit), count(row, by) and conflictWords(conflict, edit).
  constructor({ request, listing, screen, key }) {
    Object.assign(this, { request, listing, screen });
    this.queue = queueFor(key);
    this.stopListening = this.queue.listen((event) => this._told(event));
    const again = this.queue.size;
    this.disconnect = this.queue.connect((edit) => this.request("edit", edit).then(([answer]) => answer));
    if (again) screen.notices.say("again", `${again} ${again === 1 ? "edit was" : "edits were"} not saved before; sent again.`);
    this.tellState();
  }

  close() {
    this.stopListening();
    this.disconnect();
  }

  tellState() {
    this.screen.showState(this.queue.state, this.queue.size);
  }

  // `edit` has op and what it needs; it is about the rows given, else about the places of the target.
  async edit(edit, { rows = null } = {}) {
    const { info, notices } = this.screen;
    const ranges = rows ? [] : this.screen.target();
    if (info.read_only || (!ranges.length && !rows?.length)) return;
    const count = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    let known = rows ?? this.listing.rowsAt(ranges);
    try {
      if (!known && count <= LARGEST_KNOWN) known = await this.listing.fetchRows(ranges);
      if (!known) {
        this.screen.showState("saving", 1);
        const [answer] = await this.request("edit", { ...edit, split: info.split, view: this.listing.view, ranges });
        this.answered(answer);
        this.tellState();
        return;
      }
    } catch (error) {
      notices.say("edit", `Not saved: ${error.message}`, { kind: "error" });
      this.tellState();
      return;
    }
    const op = edit.op === "toggle" ? (allHave(known, edit.label) ? "unlabel" : "label") : edit.op;
    const revisions = Object.fromEntries(known.map((row) => [row.name, row.revision]));
    const whole = { ...edit, op, split: info.split, images: known.map((row) => row.name), revisions };
    this._foresee(whole, known);
    this.queue.add(whole);
  }

  // Show what the edit makes of its rows; the kernel's answer takes the place of that.
  _foresee(edit, known) {
    for (const row of known) {
      const after = this.screen.foresee(row, edit);
      if (after === row) continue;
      this.screen.count(row, -1);
      this.screen.count(after, +1);
      this.listing.rows.set(row.name, after);
    }
    this.screen.repaint(new Set(edit.images));
    this.screen.showCounts();
  }

  _told(event) {
    if (event.type === "answer") this.answered(event.answer);
    else if (event.type === "refused") {
      this.screen.notices.say("edit", `Not saved: ${event.error.message}`, { kind: "error" });
      this.screen.show({});
    } else if (this.queue.state === "lost") this.screen.showLost();
    this.tellState();
  }

  answered(answer) {
    const { info } = this.screen;
    if (answer.split !== info.split) return;
    const pending = new Set(this.queue.waiting.flatMap((edit) => edit.images ?? []));
    const fresh = answer.rows.filter((row) => !pending.has(row.name));
    const revisions = new Map(answer.rows.map((row) => [row.name, row.revision]));
    for (const edit of this.queue.waiting) { // an edit on top of this one is based on what this one made
      for (const name of edit.images ?? []) if (revisions.has(name)) edit.revisions[name] = revisions.get(name);
    }
    this.listing.renew(fresh);
    this.screen.repaint(new Set(fresh.map((row) => row.name)));
    if (!this.queue.waiting.length) {
      Object.assign(info, answer.info);
      this.screen.showBands();
    }
    if (answer.conflicts?.length) this._conflict(answer);
    if (answer.reload) this.screen.show({});
  }

  _conflict({ conflicts, edit }) {
    const [first] = conflicts;
    const more = conflicts.length > 1 ? ` and ${conflicts.length - 1} more` : "";
    const rows = () => conflicts.map(({ image }) => this.listing.rows.get(image)).filter(Boolean);
    this.screen.notices.say(
      "conflict",
      `Somebody else changed ${first.short}${more} meanwhile: ${this.screen.conflictWords(first, edit)}`,
      { kind: "error", step: edit ? { label: "Use mine", run: () => this.edit(edit, { rows: rows() }) } : null },
    );
  }

  // `kind` is "undo" or "redo".
  async takeBack(kind) {
    if (this.queue.size) await new Promise((resolve) => { this._whenSaved(resolve); });
    try {
      this.screen.showState("saving", 1);
      const [answer] = await this.request(kind, {});
      if (answer.split !== this.screen.info.split) await this.screen.show({ split: answer.split, place: 0 });
      else this.answered(answer);
      if (answer.images.length) this.screen.bring(answer.images[0]);
      else if (!answer.conflicts?.length) this.screen.notices.say("undo", `There is nothing to ${kind}.`);
    } catch (error) {
      this.screen.notices.say("undo", error.message, { kind: "error" });
    }
    this.tellState();
  }

  _whenSaved(resolve) {
    const stop = this.queue.listen(() => {
      if (this.queue.size) return;
      stop();
      resolve();
    });
  }
}
