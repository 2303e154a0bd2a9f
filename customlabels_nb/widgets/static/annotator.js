// The annotator: one image large, boxes and polygons drawn wholly in the page. The kernel (annotator.py) only stores.

import { dataUri, show } from "./shared/dom.js";
import { KernelGone, makeRequester } from "./shared/requests.js";
import { Listing } from "./shared/listing.js";
import { Book } from "./annotator/book.js";
import { Changes } from "./annotator/changes.js";
import { Commands } from "./annotator/commands.js";
import { Desk } from "./annotator/desk.js";
import { Saving } from "./annotator/saving.js";

const STRIP_SIZE = 24; // images of one page of the filmstrip
const STRIP_PIXELS = 160;
const LOOKED_AHEAD = 2; // images whose pictures are fetched before they are wanted
const LOOK_AHEAD_AFTER = 150;
const ANNOTATOR_FOLLOWS_EVERY = 2_000;
const PICTURE_PATIENCE = 60_000; // a large image, decoded while a training uses all cores
const HALF_DRAWN = "Close the polygon first (Enter), or drop it (Esc).";

class Annotator extends Desk {
  constructor(model, el) {
    super();
    this.model = model;
    this.request = makeRequester(model);
    this.listing = new Listing(this.request, () => STRIP_PIXELS);
    this.listing.size = STRIP_SIZE;
    this.book = new Book({ load: (name) => this._load(name), isPending: (name) => this.saving.isPending(name) });
    this.place = 0;
    this.info = null;
    this.sheet = null;
    this.label = null;
    this.hidden = new Set();
    this.locked = new Set();
    this.going = 0;
    this.closed = false;
    this.changes = new Changes(this);
    this.commands = new Commands(this);
    this._build(el);
    this.onPush = (message) => { if (message?.push) this._pushed(message); };
    model.on("msg:custom", this.onPush);
    this.onLeaving = (event) => { if (this.saving && !this.saving.isDone) event.preventDefault(); };
    globalThis.addEventListener("beforeunload", this.onLeaving);
    this.follower = setInterval(() => this._follow(), ANNOTATOR_FOLLOWS_EVERY);
    this._hello();
  }

  close() {
    this.closed = true;
    clearInterval(this.follower);
    clearTimeout(this.lookingAhead);
    globalThis.removeEventListener("beforeunload", this.onLeaving);
    this.narrowing.disconnect();
    this.canvas.close();
    this.listing.close();
    this.saving?.close();
    this.model.off("msg:custom", this.onPush);
    this.request.close();
    this.root.remove();
  }

  // -- what is shown ------------------------------------------------------------------------------------
  async _hello() {
    try {
      const [info] = await this.request("hello", {});
      if (this.closed) return;
      this.takeInfo(info);
      this.useTool(info.task === "polygons" ? "polygon" : "box");
      this.saving ??= new Saving({ request: this.request, screen: this, key: `${info.key} ${info.split}` });
      await this.show({ place: info.place });
    } catch (error) {
      if (this.closed) return;
      const gone = error instanceof KernelGone;
      this.say(gone ? "The kernel doesn't answer. Run the cell again to go on; nothing that was saved is lost." : error.message, ...(gone ? [{ label: "Try again", run: () => this._hello() }] : []));
    } finally {
      this.root.classList.remove("loading");
    }
  }

  // What the kernel says of the project. A chosen label that was renamed or removed makes way for the one in its place.
  takeInfo(info) {
    const before = this.info?.labels ?? [];
    this.info = Object.assign(this.info ?? {}, info);
    const names = new Set(info.labels.map(({ label }) => label));
    if (names.has(this.label)) return;
    const at = Math.max(0, before.findIndex(({ label }) => label === this.label));
    this.label = info.labels[Math.min(at, info.labels.length - 1)]?.label ?? null;
  }

  async show({ place = 0, ...change }) {
    const wanted = { split: this.info.split, query: this.info.query, place, size: STRIP_SIZE, pixels: STRIP_PIXELS, ...change };
    const turn = (this.going += 1);
    let [answer, buffers] = await this.request("show", wanted);
    while (answer.wait) { // features for the sort by similarity are being computed
      this.say(`Looking at all images once: ${answer.wait.done.toLocaleString("en")} of ${answer.wait.total.toLocaleString("en")}…`);
      await new Promise((resolve) => { setTimeout(resolve, 500); });
      if (turn !== this.going || this.closed) return;
      [answer, buffers] = await this.request("show", wanted);
    }
    if (turn !== this.going || this.closed) return;
    this.takeInfo(answer.info);
    this.listing.begin(answer.info.view, answer.page, buffers, STRIP_SIZE);
    await this.go(Math.min(Math.max(place, 0), Math.max(0, this.listing.total - 1)));
  }

  _showAgain(change) {
    this.show(change).catch((error) => {
      if (!this.closed) this.notices.say("show", error instanceof KernelGone ? "The kernel doesn't answer; what is shown stays." : error.message, { kind: "error" });
    });
  }

  // To an image: at once if it was looked ahead for, else when it comes.
  async go(place) {
    const { listing } = this;
    if (this.drawing.corners) {
      this.changes.hint(HALF_DRAWN);
      return;
    }
    const turn = (this.going += 1);
    const isLatest = () => turn === this.going && !this.closed;
    this.place = place;
    this.finished = false;
    this.commands.cancelBox();
    this.drawing.cancel();
    this.notices.drop("hint");
    this.notices.drop("end");
    if (!listing.total) {
      this._nothingToShow();
      return;
    }
    const waiting = setTimeout(() => this.root.classList.add("waiting"), 150);
    try {
      await listing.load(listing.startOf(place));
      if (!isLatest()) return;
      listing.start = listing.startOf(place);
      const row = listing.rowAt(place);
      this.showStrip();
      this.showCounts();
      const opened = await this.book.open(row.name);
      if (!isLatest()) return;
      this._open(opened);
      this._lookAhead(place);
      this.request("select", { view: listing.view, ranges: [], focus: place, place: listing.start }).catch(() => {});
    } catch (error) {
      if (isLatest()) this._cannotShow(error);
    } finally {
      clearTimeout(waiting);
      if (turn === this.going) this.root.classList.remove("waiting");
    }
  }

  _close() {
    this.sheet = null;
    this.changes.prediction = null;
    this.drawing.show(null);
    this.canvas.hide();
  }

  _cannotShow(error) {
    this._close();
    const gone = error instanceof KernelGone;
    const again = { label: "Try again", run: () => this.go(this.place) };
    this.say(gone ? "The kernel doesn't answer; this image wasn't loaded yet." : error.message, ...(gone ? [again] : [{ label: "Next image", run: () => this.turn(1) }]));
    this.shown();
  }

  _nothingToShow() {
    this._close();
    const any = Object.values(this.info.statuses).some(Boolean);
    const all = { label: "Show all", run: () => this._showAgain({ query: { ...this.info.query, show: "all", images: false, search: "", label: null, predicted: null, annotator: null } }) };
    if (!any) this.say("There are no images here yet: project.add_images(…) takes them in.");
    else this.say(this.info.query.show === "unlabelled" ? "Nothing is left: every image was looked at." : "No image fits what is to be shown.", all);
    this.showStrip();
    this.shown();
  }

  async _load(name) {
    const pixels = Math.ceil(Math.max(this.canvas.size.width, 800) * (globalThis.devicePixelRatio || 1));
    const [facts, [bytes]] = await this.request("image", { image: name, pixels }, [], { patience: PICTURE_PATIENCE });
    return { facts, view: { uri: dataUri(bytes, facts.mime), width: facts.view_width, height: facts.view_height } };
  }

  // When the image itself is painted: a large picture keeps the page busy while it comes.
  _lookAhead(place) {
    clearTimeout(this.lookingAhead);
    this.lookingAhead = setTimeout(() => this._prepare(place), LOOK_AHEAD_AFTER);
  }

  _prepare(place) {
    const decoded = [];
    for (let step = 1; step <= LOOKED_AHEAD; step += 1) {
      const row = this.listing.rowAt(place + step);
      if (!row) continue;
      this.book.open(row.name).then(({ view }) => {
        const image = new Image();
        image.src = view.uri;
        decoded.push(image);
        return image.decode();
      }).catch(() => {}); // it is said when the image is turned to
    }
    this.decoded = decoded; // held, so that the browser keeps what it decoded
    this.listing.load(this.listing.start + STRIP_SIZE).catch(() => {});
  }

  _open({ sheet, view }) {
    const another = this.sheet?.image.name !== sheet.image.name;
    this.sheet = sheet;
    this.changes.prediction = null;
    this.drawing.show(sheet);
    show(this.empty, false);
    this.canvas.node.hidden = false;
    if (another) this.canvas.measure();
    this.canvas.show(sheet.image, view, { keepCamera: !another });
    this.shown();
  }

  turn(by) {
    const target = this.finished && by < 0 ? this.place : this.place + by;
    if (this.drawing.corners) this.changes.hint(HALF_DRAWN);
    else if (target >= 0 && target < this.listing.total) this.go(target);
    else if (by > 0 && this.listing.total) this.done();
    else this.notices.say("end", "This is the first image.");
  }

  // How far it is, and what is next.
  done() {
    if (!this.info || !this.listing.total) return;
    if (this.drawing.corners) {
      this.changes.hint(HALF_DRAWN);
      return;
    }
    const { statuses, query } = this.info;
    const total = Object.values(statuses).reduce((sum, count) => sum + count, 0);
    const left = statuses.unlabelled ?? 0;
    const count = (value, what) => (value ? `, ${value.toLocaleString("en")} ${what}` : "");
    const words = `${(total - left).toLocaleString("en")} of ${total.toLocaleString("en")} images were looked at${count(statuses.skipped, "of them skipped")}${count(statuses.needs_review, "to be looked at again")}.`;
    const to = (what) => () => this._showAgain({ query: { ...query, show: what } });
    this._close();
    this.finished = true;
    this.say(
      words, ...(left ? [{ label: `Go on with the ${left.toLocaleString("en")} left`, run: to("unlabelled") }] : []),
      { label: "Back to the image", run: () => this.go(this.place) }, ...(query.show === "all" ? [] : [{ label: "Show all", run: to("all") }]),
    );
    this.shown();
  }

  // -- changes, and what becomes of them -----------------------------------------------------------------
  changed({ keepHint = false } = {}) {
    const { sheet } = this;
    const row = this.listing.rows.get(sheet.image.name);
    if (row) {
      this.listing.rows.set(row.name, { ...row, status: sheet.status, labels: [...sheet.labels], boxes: sheet.shapes.map(({ label }) => label) });
      const { statuses } = this.info;
      if (row.status in statuses) statuses[row.status] -= 1;
      statuses[sheet.status] = (statuses[sheet.status] ?? 0) + 1;
    }
    if (!keepHint) this.notices.drop("hint");
    if (!this.info.task && sheet.shapes.length) this._settleTask();
    this.saving.save(this.info.split, sheet);
    this.showStrip();
    this.shown();
  }

  // Nobody has said what the project's task is: what is drawn first says it.
  _settleTask() {
    this.info.task = this.drawing.tool === "polygon" ? "polygons" : "boxes";
    this.request("task", { task: this.info.task }).then(([{ info }]) => this.takeInfo(info), () => { this.info.task = null; });
  }

  stored(answer, own) {
    this._takeRows(answer.rows);
    if (own) this.book.stored(answer.image, answer.revision);
    else this._readAgain(answer.image); // it was drawn in a page that is gone
    if (this.saving.isDone) this.takeInfo(answer.info);
    this.showStrip();
    this.showCounts();
  }

  // Older news may come after newer ones.
  _takeRows(rows) {
    this.listing.renew(rows.filter((row) => row.revision >= (this.listing.rows.get(row.name)?.revision ?? 0) && !this.saving.isPending(row.name)));
  }

  // The image as it is stored; what was done to it here can't be undone any more.
  async _readAgain(name) {
    this.book.forget(name);
    if (name !== this.sheet?.image.name) return null;
    const opened = await this.book.open(name).catch(() => null);
    if (opened && !this.closed && name === this.sheet?.image.name) this._open(opened);
    return opened?.sheet ?? null;
  }

  // Both at hand: theirs is shown, and one click puts mine over it.
  async conflict(answer, edit) {
    this._takeRows(answer.rows);
    const theirs = await this._readAgain(answer.image);
    if (this.closed) return;
    const count = (shapes) => `${shapes.length} ${shapes.length === 1 ? "shape" : "shapes"}`;
    const both = theirs ? ` Theirs (${count(theirs.shapes)}) is shown, yours has ${count(edit.shapes)}.` : "";
    this.notices.say(`conflict ${answer.image}`, `${answer.short} was changed elsewhere meanwhile; yours was not saved.${both}`, {
      kind: "error", step: { label: "Use mine", run: () => this._useMine(edit) },
    });
    this.showStrip();
  }

  async _useMine(edit) {
    try {
      const { sheet } = await this.book.open(edit.image);
      sheet.change({ shapes: edit.shapes, labels: edit.labels, status: edit.status, selected: null });
      if (sheet === this.sheet) this.changed();
      else this.saving.save(edit.split, sheet);
    } catch (error) {
      this.notices.say("save", `Not saved: ${error.message}`, { kind: "error" });
    }
  }

  refused(edit, error) {
    this.notices.say("save", `Not saved: ${error.message}`, { kind: "error" });
    this._readAgain(edit.image);
  }

  // -- what others do --------------------------------------------------------------------------------------
  async _follow({ again = false } = {}) {
    if (!this.info || !this.saving || this.closed || document.hidden) return;
    if (this.following) {
      this.followAgain ||= again;
      return;
    }
    this.following = true;
    try {
      const [news] = await this.request("follow", { images: this.listing.namesOnPage() });
      if (this.closed) return;
      this.notices.drop("gone");
      this.saving.tellState();
      this.saving.retry();
      if (news.info) {
        this._takeRows(news.rows);
        if (this.saving.isDone) this.takeInfo(news.info);
        if (news.more) this.notices.say("more", `${news.more.toLocaleString("en")} images came or went.`, { step: { label: "Show", run: () => this._showAgain({ place: this.place }) } });
        this.showStrip();
        this.shown();
      }
      this._renewStale();
    } catch (error) {
      if (!this.closed && error instanceof KernelGone) this.showLost();
    } finally {
      this.following = false;
    }
    if (this.followAgain && !this.closed) {
      this.followAgain = false;
      this._follow();
    }
  }

  // Images that were changed elsewhere are read again; the one in work when the hand is off it, and it says so.
  _renewStale() {
    const current = this.sheet?.image.name;
    for (const row of this.listing.rows.values()) {
      if (!this.book.isStale(row)) continue;
      if (row.name !== current) this.book.forget(row.name);
      else if (!this.drawing.isBusy) {
        if (this.sheet.revision < row.revision) this.notices.say("theirs", "This image was changed elsewhere; what is stored is shown.");
        this._readAgain(row.name);
      }
    }
  }

  showLost() {
    this.showState("lost", this.saving?.queue.size ?? 0);
    this.notices.say("gone", "The kernel doesn't answer. What you draw is kept in this page and sent when this cell runs again.", { kind: "error" });
  }

  _pushed(message) {
    if (message.push === "show") this._showAgain(message.change);
    else if (message.push === "go") this.go(message.place);
    else if (message.push === "follow") this._follow({ again: true });
  }

  // -- asked of the kernel -----------------------------------------------------------------------------------
  async detail(region, pixels) {
    const [{ mime }, [bytes]] = await this.request("region", { image: this.sheet.image.name, region, pixels }, [], { patience: PICTURE_PATIENCE });
    return dataUri(bytes, mime);
  }

  async saveInstructions(text) {
    const [{ info }] = await this.request("instructions", { text });
    this.takeInfo(info);
    this.shown();
  }

  async readPicture(path) {
    const [{ mime }, [bytes]] = await this.request("picture", { path });
    return dataUri(bytes, mime);
  }
}

export default {
  render({ model, el }) {
    const annotator = new Annotator(model, el);
    return () => annotator.close();
  },
};
