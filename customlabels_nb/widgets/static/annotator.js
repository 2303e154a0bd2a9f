// Annotator widget: draw boxes and polygons on one large image, entirely in the page. The kernel (annotator.py) only
// saves.

import { dataUri, widgetOf } from "./shared/dom.js";
import { areNewInstructions, giveBackAtEnd, growListing, takeFocus } from "./shared/job_bar.js";
import { greet, KernelGone, makeRequester, openingFailure } from "./shared/requests.js";
import { countChangeText } from "./shared/pages.js";
import { Listing } from "./shared/listing.js";
import { AnnotationStore } from "./annotator/store.js";
import { Changes } from "./annotator/changes.js";
import { Commands } from "./annotator/commands.js";
import { indexOfBox } from "./annotator/hits.js";
import { Saving } from "./annotator/saving.js";
import {
  FILMSTRIP_PIXELS,
  FILMSTRIP_SIZE,
  PICTURE_PATIENCE,
  Turning,
} from "./annotator/turning.js";

const ANNOTATOR_FOLLOWS_EVERY = 1_500;

class Annotator extends Turning {
  constructor(model, el) {
    super();
    this.missed = false; // another view of this widget has the latest news
    this.request = makeRequester(model, {
      onNews: () => {
        this.missed = true;
        this._follow({ again: true });
      },
      onPush: (message) => this._pushed(message),
    });
    this.listing = new Listing(
      this.request,
      () => FILMSTRIP_PIXELS,
      () => this.showFilmstrip(),
    );
    this.listing.size = FILMSTRIP_SIZE;
    this.store = new AnnotationStore({
      load: (name) => this._load(name),
      isPending: (name) => this.saving.isPending(name),
    });
    this.place = 0;
    this.info = null;
    this.imageShapes = null;
    this.label = null;
    this.hidden = new Set();
    this.locked = new Set();
    this.going = 0;
    this.own = 0; // running actions that change saved images other than through their shapes
    this.closed = false;
    this.labelPane = null; // the label manager, while it is open
    this.changes = new Changes(this);
    this.commands = new Commands(this);
    this._build(el);
    this.onLeaving = (event) => {
      if (this.saving && !this.saving.isDone) event.preventDefault();
    };
    globalThis.addEventListener("beforeunload", this.onLeaving);
    this.giveBack = giveBackAtEnd(this);
    this.follower = setInterval(() => this._follow(), ANNOTATOR_FOLLOWS_EVERY);
    this._hello();
  }

  close() {
    this.closed = true;
    this.giveBack();
    clearInterval(this.follower);
    clearTimeout(this.lookingAhead);
    globalThis.removeEventListener("beforeunload", this.onLeaving);
    this.narrowing.disconnect();
    this.labelPane?.close();
    this.canvas.close();
    this.listing.close();
    this.saving?.close();
    this.request.close();
    this.root.remove();
  }

  // -- current view -------------------------------------------------------------------------------------
  async _hello() {
    try {
      let [info] = await greet(this.request);
      if (this.closed) return;
      this.takeInfo(info);
      this.useTool(info.task === "polygons" ? "polygon" : "box");
      takeFocus(this);
      if (areNewInstructions(info)) this._instructions({ isNew: true });
      this.saving ??= new Saving({
        request: this.request,
        screen: this,
        key: `${info.key} ${info.split}`,
      });
      if (info.job && this.saving.pending.length) {
        await this.saving.settled(); // edits of an earlier page may answer the first images
        [info] = await this.request("hello", {});
        this.takeInfo(info);
      }
      await this.show({ place: info.place });
      this._selectBox(info.box);
    } catch (error) {
      if (!this.closed) this.say(...openingFailure(error, () => this._hello()));
    } finally {
      this.root.classList.remove("loading");
    }
  }

  // Apply the project's state. If the chosen label was renamed or removed, the label in its position is chosen.
  takeInfo(info) {
    const before = this.info?.labels ?? [];
    const read = this.info?.predictions_read;
    this.info = Object.assign(this.info ?? {}, info);
    if (read !== undefined && read !== this.info.predictions_read) this._renewPredictions();
    this.root.classList.toggle("job", Boolean(info.job));
    this.jobBar.update(info.job);
    if (this.listing.view !== null) this._grow();
    const names = new Set(info.labels.map(({ label }) => label));
    if (names.has(this.label)) return;
    const index = Math.max(
      0,
      before.findIndex(({ label }) => label === this.label),
    );
    this.label = info.labels[Math.min(index, info.labels.length - 1)]?.label ?? null;
  }

  // Show new tasks of a job, and go on with them if the last one is finished.
  async _grow() {
    const isEmpty = !this.listing.total;
    if (!(await growListing(this.listing, this.info.job)) || this.closed) return;
    this.showFilmstrip();
    this.showCounts();
    if (isEmpty) this.go(0);
    else if (this.isAtEnd) this.turn(1);
  }

  // -- changes and their outcome ---------------------------------------------------------------------------
  changed({ keepHint = false } = {}) {
    const { imageShapes } = this;
    const row = this.listing.rows.get(imageShapes.image.name);
    if (row) {
      this.listing.rows.set(row.name, {
        ...row,
        status: imageShapes.status,
        labels: [...imageShapes.labels],
        boxes: imageShapes.shapes.map(({ label }) => label),
      });
      const { statuses } = this.info;
      if (row.status in statuses) statuses[row.status] -= 1;
      statuses[imageShapes.status] = (statuses[imageShapes.status] ?? 0) + 1;
    }
    if (!keepHint) this.notices.drop("hint");
    if (!this.info.task && imageShapes.shapes.length) this._settleTask();
    this.saving.save(this.info.split, imageShapes);
    this.showFilmstrip();
    this.shown();
  }

  // If the project has no task yet, the first shape determines it.
  _settleTask() {
    this.info.task = this.drawing.tool === "polygon" ? "polygons" : "boxes";
    this.request("task", { task: this.info.task }).then(
      ([{ info }]) => this.takeInfo(info),
      () => {
        this.info.task = null;
      },
    );
  }

  stored(answer, item) {
    this._takeRows(answer.rows);
    if (item) this.store.stored(answer.image, answer.revision);
    else this._readAgain(answer.image); // it was drawn in a page that was closed
    if (this.saving.isDone) this.takeInfo(answer.info);
    this.showFilmstrip();
    this.showCounts();
  }

  // Ignore outdated rows: responses may arrive out of order.
  _takeRows(rows) {
    this.listing.renew(
      rows.filter(
        (row) =>
          row.revision >= (this.listing.rows.get(row.name)?.revision ?? 0) &&
          !this.saving.isPending(row.name),
      ),
    );
  }

  // Reload the saved image. Its undo history is lost, unless the user changes the image before the response.
  async _readAgain(name) {
    this.store.forget(name);
    if (name !== this.imageShapes?.image.name) return null;
    const opened = await this.store.open(name).catch(() => null);
    if (
      opened &&
      !this.closed &&
      name === this.imageShapes?.image.name &&
      opened.imageShapes !== this.imageShapes
    )
      this._open(opened);
    return opened?.imageShapes ?? null;
  }

  // Show the version of the other user. One click replaces it with the own version.
  async conflict(answer, edit) {
    this._takeRows(answer.rows);
    const theirs = await this._readAgain(answer.image);
    if (this.closed) return;
    const count = (shapes) => `${shapes.length} ${shapes.length === 1 ? "shape" : "shapes"}`;
    const both = theirs
      ? ` Their version with ${count(theirs.shapes)} is shown, yours has ${count(edit.shapes)}.`
      : "";
    this.notices.say(
      `conflict ${answer.image}`,
      `${answer.short} was changed elsewhere. Your changes were not saved.${both}`,
      {
        kind: "error",
        step: { label: "Keep mine", run: () => this._useMine(edit) },
      },
    );
    this.showFilmstrip();
  }

  // Keep what was drawn on an image that somebody removed, and offer to add the image again.
  removed(answer, edit) {
    const isKept = this.saving.homeless.has(answer.image);
    const kept = isKept ? " What you have drawn is kept in this page." : "";
    this.notices.say(
      `removed ${answer.image}`,
      `Not saved: somebody has removed ${answer.short} from the dataset.${kept}`,
      {
        kind: "error",
        step: isKept ? { label: "Add the image again", run: () => this._addAgain(edit) } : null,
      },
    );
  }

  async _addAgain(edit) {
    try {
      const { image, split } = edit;
      const [answer] = await this.request("add again", { image, split });
      this._takeRows(answer.rows);
      this.store.forget(image);
      await this._readAgain(image);
      await this._useMine(edit);
    } catch (error) {
      this.notices.say("save", `Not added: ${error.message}`, { kind: "error" });
    }
  }

  async _useMine(edit) {
    try {
      const { imageShapes } = await this.store.open(edit.image);
      imageShapes.change({
        shapes: edit.shapes,
        labels: edit.labels,
        status: edit.status,
        note: edit.note,
        selected: null,
      });
      if (imageShapes === this.imageShapes) this.changed();
      else this.saving.save(edit.split, imageShapes);
    } catch (error) {
      this.notices.say("save", `Not saved: ${error.message}`, { kind: "error" });
    }
  }

  // Show what models have predicted since, beside what is being drawn.
  async _renewPredictions() {
    this.store.readAnew();
    const { imageShapes } = this;
    if (!imageShapes) return;
    await this.store.renewPredictions(imageShapes.image.name).catch(() => {}); // the next poll says what is wrong
    if (!this.closed && imageShapes === this.imageShapes) this.shown();
  }

  refused(edit, error) {
    this.notices.say("save", `Not saved: ${error.message}`, { kind: "error" });
    this._readAgain(edit.image);
  }

  // Run an action that sends labelled images to review. The current image may be one of them and is reloaded.
  async sendToReview(action) {
    this.own += 1;
    try {
      const answer = await this.saving.store(action);
      this.store.readAnew();
      if (this.imageShapes) await this._readAgain(this.imageShapes.image.name);
      return answer;
    } finally {
      this.own -= 1;
    }
  }

  // -- changes of others -----------------------------------------------------------------------------------
  async _follow({ again = false } = {}) {
    if (!this.info || !this.saving || this.closed || document.hidden) return;
    if (this.following) {
      this.followAgain ||= again;
      return;
    }
    this.following = true;
    this.labelPane?.follow().catch(() => {});
    const whole = this.missed;
    this.missed = false;
    try {
      const [news] = await this.request("follow", { images: this.listing.namesOnPage(), whole });
      if (this.closed) return;
      this.saving.responded();
      if (news.info) {
        this._takeRows(news.rows);
        const text = countChangeText(news, this.info);
        if (this.saving.isDone) this.takeInfo(news.info);
        if (text)
          this.notices.say("more", text, {
            step: {
              label: "Show",
              run: () =>
                this._showAgain({ place: this.place, near: [this.listing.names[this.place]] }),
            },
          });
        this.showFilmstrip();
        this.shown();
      }
      this._renewStale();
    } catch (error) {
      this.missed ||= whole;
      if (!this.closed && error instanceof KernelGone) this.saving.lost(error);
    } finally {
      this.following = false;
    }
    if (this.followAgain && !this.closed) {
      this.followAgain = false;
      this._follow();
    }
  }

  // Reload images that were changed elsewhere. The current image is reloaded when no gesture is active, with a notice.
  _renewStale() {
    const current = this.imageShapes?.image.name;
    for (const row of this.listing.rows.values()) {
      if (!this.store.isStale(row)) continue;
      if (row.name !== current) this.store.forget(row.name);
      else if (!this.drawing.isBusy) {
        if (this.imageShapes.revision < row.revision && !this.own && !this.labelPane)
          this.notices.say(
            "theirs",
            "This image was changed elsewhere. The saved version is shown.",
          );
        this._readAgain(row.name);
      }
    }
  }

  _pushed(message) {
    if (!this.info) return; // the response to "hello" contains the changes
    if (message.push === "show") this._showAgain(message.change);
    else if (message.push === "go") this.go(message.place).then(() => this._selectBox(message.box));
    else if (message.push === "outlines") this.outlining.report(message.text);
    else if (message.push === "follow") this._follow({ again: true });
  }

  // Select the shape, or else the prediction, with the box that another screen has opened.
  _selectBox(box) {
    if (!box || !this.imageShapes || this.closed) return;
    const { shapes, predictions } = this.imageShapes;
    const index = indexOfBox(shapes, box);
    this.changes.select(index, index === null ? indexOfBox(predictions, box) : null);
  }

  // -- requests to the kernel --------------------------------------------------------------------------------
  async detail(region, pixels) {
    const [{ mime }, [bytes]] = await this.request(
      "region",
      { image: this.imageShapes.image.name, region, pixels },
      [],
      { patience: PICTURE_PATIENCE },
    );
    return dataUri(bytes, mime);
  }

  async saveInstructions(text) {
    const [{ info }] = await this.request("instructions", { text });
    this.takeInfo(info);
    this.shown();
  }
}

export default widgetOf(Annotator);
