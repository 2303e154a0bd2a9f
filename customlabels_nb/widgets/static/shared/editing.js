// Edits: applied optimistically, sent through the queue, and reconciled with the kernel's responses.

import { labelOp, offeredLabels } from "./rows.js";
import { Sending } from "./sending.js";

const LARGEST_KNOWN = 2_000; // images that an edit lists by name; the kernel looks up larger edits
const isThere = ({ status }) => status !== "removed"; // a removed box is shown, but only undo brings it back
const BULK_TAKES = 600_000; // milliseconds; the kernel answers after a larger edit is stored

// Return why an undo or redo changed nothing: other screens have changed the images of `conflicts`.
export function notUndoneText(kind, conflicts) {
  if (!conflicts.length) return `Nothing to ${kind}.`;
  const [{ short }, ...others] = conflicts;
  const images = others.length ? `${short} and ${others.length} more have` : `${short} has`;
  return `Cannot ${kind}: ${images} been changed since. project.history_panel() shows by whom.`;
}

export class Editing extends Sending {
  // `screen` has info, notices, target(), repaint(names), announce(edit, count), showToolbars(), showState(state,
  // waiting), show(change), turnTo(change), bring(name), returnTo(names), foresee(row, edit), count(row, by) and
  // conflictWords(conflict, edit).
  constructor({ request, listing, screen, key }) {
    super({ request, screen, key, id: screen.info.screen });
    this.listing = listing;
    this.savedElsewhere = false; // the undo history of this kernel lacks the latest edits
  }

  // An edit of another screen is sent as a guest: undo in this kernel must not affect it.
  async send(edit) {
    const guest = edit.by !== this.id;
    const [answer] = await this.request("edit", {
      ...edit,
      guest,
      forget: !guest && this.savedElsewhere,
    });
    if (!guest) this.savedElsewhere = false;
    return answer;
  }

  // Return what an edit applies to: the given rows, or the positions of the target. Another page may be shown before
  // the edit is made.
  aim(rows = null) {
    const ranges = rows ? [] : this.screen.target();
    return {
      split: this.screen.info.split,
      view: this.listing.view,
      ranges,
      rows: rows ?? this.listing.rowsAt(ranges),
    };
  }

  // `edit` has op and its arguments. It applies to the given rows, or to what aim() returned. Returns a Promise of the
  // edit that was made and the number of images that it changed, or of null.
  async edit(edit, { rows = null, at = this.aim(rows) } = {}) {
    if (this.screen.info.read_only || (!at.ranges.length && !at.rows?.length)) return null;
    const { split } = at;
    const known = at.rows?.map((row) => this._latest(row, split)).filter(isThere);
    if (!known) return this.store(() => this._editUnseen(edit, at));
    if (!known.length) return null;
    const op = edit.op === "toggle" ? labelOp(known, edit.label, this.screen.info) : edit.op;
    const revisions = Object.fromEntries(known.map((row) => [row.name, row.revision]));
    const whole = {
      ...edit,
      by: this.id,
      op,
      split,
      images: known.map((row) => row.name),
      revisions,
    };
    if (op === "accept")
      whole.labels = Object.fromEntries(known.map((row) => [row.name, offeredLabels(row)]));
    const changed = this._foresee(whole, known);
    this.screen.announce(whole, changed);
    this.queue.add(whole);
    return [whole, changed];
  }

  // Edit images whose pages were not all shown yet.
  async _editUnseen(edit, { split, view, ranges }) {
    const count = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    try {
      if (count <= LARGEST_KNOWN) {
        const rows = await this.listing.fetchRows(ranges, view);
        return await this.edit(edit, { at: { split, view, ranges, rows } });
      }
      await this.settled(); // it must not overtake earlier edits
      if (this.pending.length)
        throw new Error(
          `${this._count(this.pending.length, "is", "are")} still being saved. Try again.`,
        );
      const [answer] = await this.request(
        "edit",
        { ...edit, split, view, ranges, forget: this.savedElsewhere },
        [],
        { patience: BULK_TAKES },
      );
      this.savedElsewhere = false;
      this.answered(answer);
      return [edit, count];
    } catch (error) {
      this._failed(error, []);
      return null;
    }
  }

  _latest(row, split) {
    return (split === this.screen.info.split && this.listing.rows.get(row.name)) || row;
  }

  // Apply the edit to its rows now, and return how many change. The kernel's response replaces the result.
  _foresee(edit, known) {
    const isShown = edit.split === this.screen.info.split;
    let changed = 0;
    for (const row of known) {
      const after = this.screen.foresee(row, edit);
      if (after === row) continue;
      changed += 1;
      if (!isShown) continue;
      this.screen.count(row, -1);
      this.screen.count(after, +1);
      this.listing.rows.set(row.name, after);
    }
    this.screen.repaint(new Set(edit.images));
    this.screen.showCounts();
    return changed;
  }

  _onQueueEvent(event) {
    const { edit, screen } = event;
    const isMine = edit && this.queue.concerns(event, this);
    if (event.type === "answer") {
      if (edit.by === this.id && screen.id !== this.id) this._noteElsewhere();
      this.answered(event.answer, { isMine, isHere: screen.id === this.id });
    } else if (isMine) {
      this._failed(event.error, edit.images);
    } else if (this.state === "lost" && this.failure) this.lost(this.failure);
    this.updateState();
  }

  // Show what is stored, and go back to the images, because a decision may have gone on to others.
  async _failed(error, images) {
    this.screen.notices.say("edit", `Not saved: ${error.message}`, { kind: "error" });
    if (images.length && (await this.screen.show({}))) this.screen.returnTo(images);
  }

  _noteElsewhere() {
    this.savedElsewhere = true;
    this.screen.notices.say(
      "elsewhere",
      "This notebook's kernel does not respond. Edits are saved through another kernel of " +
        "this project and cannot be undone here.",
    );
  }

  // `isHere`: the response comes from this screen's kernel. `isMine`: this screen sent the edit.
  answered(answer, { isMine = true, isHere = true } = {}) {
    const { info } = this.screen;
    const later = this.queue.waiting.filter((edit) => edit.split === answer.split);
    const revisions = new Map(answer.rows.map((row) => [row.name, row.revision]));
    for (const edit of later) {
      // they are based on the result of this one
      for (const name of edit.images ?? [])
        if (revisions.has(name)) edit.revisions[name] = revisions.get(name);
    }
    if (isMine && answer.conflicts?.length) this._conflict(answer);
    if (answer.gone?.length) {
      const [first, ...others] = answer.gone;
      const more = others.length ? ` and ${others.length} more` : "";
      this.screen.notices.say(
        "removed",
        `Not saved: somebody has removed ${first}${more} from the dataset.`,
        { kind: "error" },
      );
    }
    if (answer.split !== info.split) return;
    const pending = new Set(later.flatMap((edit) => edit.images ?? []));
    const fresh = answer.rows.filter((row) => !pending.has(row.name));
    this.listing.renew(fresh);
    this.screen.repaint(new Set(fresh.map((row) => row.name)));
    if (!this.pending.length) {
      const { counts, statuses, review } = answer.info; // a job's state belongs to each screen
      Object.assign(info, isHere ? answer.info : { counts, statuses, review });
      this.screen.showToolbars();
    }
    if (answer.reload || answer.gone?.length) this.screen.show({});
  }

  _conflict({ conflicts, edit, rows, split }) {
    const [first] = conflicts;
    const more = conflicts.length > 1 ? ` and ${conflicts.length - 1} more` : "";
    const theirs = rows.filter(({ name }) => conflicts.some(({ image }) => image === name));
    const isOffer = edit?.op === "accept"; // predicted anew, or changed by somebody
    this.screen.notices.say(
      "conflict",
      `${isOffer ? "Not accepted, because it has changed:" : "Someone else has changed"} ` +
        `${first.short}${more}: ${this.screen.conflictWords(first, edit)}`,
      {
        kind: "error",
        step:
          edit && !isOffer && theirs.length
            ? {
                label: "Keep mine",
                run: () => this.edit(edit, { at: { split, view: null, ranges: [], rows: theirs } }),
              }
            : null,
      },
    );
  }

  // `kind` is "undo" or "redo". Returns a Promise of true if it was possible.
  takeBack(kind) {
    return this.store(() => this._takeBack(kind));
  }

  async _takeBack(kind) {
    await this.settled();
    if (this.pending.length) {
      this.screen.notices.say("undo", `Cannot ${kind} yet: some edits are still being saved.`, {
        kind: "error",
      });
      return false;
    }
    if (this.savedElsewhere) {
      this.screen.notices.say(
        "undo",
        "The last edits were saved through another kernel and cannot be undone here. Change the labels back by hand.",
      );
      return false;
    }
    try {
      const [{ conflicts, ...answer }] = await this.request(kind, {});
      this.answered(answer);
      if (answer.split !== this.screen.info.split)
        await this.screen.turnTo({ split: answer.split, place: 0 });
      if (answer.images.length) this.screen.bring(answer.images[0]);
      else this.screen.notices.say("undo", notUndoneText(kind, conflicts ?? []));
      return true;
    } catch (error) {
      this.screen.notices.say("undo", error.message, { kind: "error" });
      return false;
    }
  }
}
