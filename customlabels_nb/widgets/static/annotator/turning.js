// Navigation of the annotator: loading of the current image, prefetching, and empty states.

import { dataUri, pause, show } from "../shared/dom.js";
import { endText } from "../shared/job_bar.js";
import { nextStepNodes } from "../shared/next_step.js";
import { KernelGone } from "../shared/requests.js";
import { Workspace } from "./workspace.js";

export const FILMSTRIP_SIZE = 24; // images per page of the filmstrip
export const FILMSTRIP_PIXELS = 160;
const LOOKED_AHEAD = 2; // number of images to prefetch
const LOOK_AHEAD_AFTER = 150;
// milliseconds; a large image may be slow to decode while training uses all cores
export const PICTURE_PATIENCE = 60_000;
const HALF_DRAWN = "Close the polygon (Enter) or discard it (Esc) first.";

export class Turning extends Workspace {
  /** @type {number} */ going; // counts requests for an image

  // Subclasses apply the project's state.
  takeInfo(_info) {}

  /** @param {{ place?: number, split?: string, query?: object, near?: string[] }} change */
  async show({ place = 0, ...change }) {
    const wanted = {
      split: this.info.split,
      query: this.info.query,
      place,
      size: FILMSTRIP_SIZE,
      pixels: FILMSTRIP_PIXELS,
      ...change,
    };
    const turn = ++this.going;
    let [answer, buffers] = await this.request("show", wanted);
    while (answer.wait) {
      // until the features for sorting by similarity are computed
      this.say(
        `Computing similarity of images: ${answer.wait.map((count) => count.toLocaleString("en")).join(" of ")}…`,
      );
      await pause(500);
      if (turn !== this.going || this.closed) return;
      [answer, buffers] = await this.request("arrange", wanted);
    }
    if (turn !== this.going || this.closed) return;
    this.takeInfo(answer.info);
    this.listing.begin(answer.info.view, answer.page, buffers, FILMSTRIP_SIZE);
    const index = wanted.near
      ? Math.max(answer.page.place, this.listing.names.indexOf(wanted.near[0]))
      : place;
    await this.go(Math.min(Math.max(index, 0), Math.max(0, this.listing.total - 1)));
  }

  _showAgain(change) {
    this.show(change).catch((error) => {
      if (this.closed) return;
      this.notices.say(
        "show",
        error instanceof KernelGone ? `${error.message} The view is unchanged.` : error.message,
        { kind: "error" },
      );
      if (this.isTurning) this.go(this.place); // the image that this list was to replace has not arrived
    });
  }

  // Go to an image, immediately if it was prefetched.
  async go(position) {
    const { listing } = this;
    if (this.drawing.corners) {
      this.changes.hint(HALF_DRAWN);
      return;
    }
    const turn = ++this.going;
    const isLatest = () => turn === this.going && !this.closed;
    this.place = position;
    this.finished = false;
    this.isAtEnd = false;
    this.isTurning = Boolean(listing.total); // the new image has not been seen
    this.canvas.isAsleep = this.isTurning;
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
      await listing.load(listing.startOf(position));
      if (!isLatest()) return;
      listing.start = listing.startOf(position);
      const row = listing.rowAt(position);
      this.showFilmstrip();
      this.showCounts();
      const opened = await this.store.open(row.name);
      if (!isLatest()) return;
      this._open(opened);
      this._prepareNext(position);
      this.request("select", {
        view: listing.view,
        ranges: [],
        focus: position,
        place: listing.start,
      }).catch(() => {});
    } catch (error) {
      if (isLatest()) this._cannotShow(error);
    } finally {
      clearTimeout(waiting);
      if (turn === this.going) this._arrived();
    }
  }

  _arrived() {
    this.isTurning = false;
    this.canvas.isAsleep = false;
    this.root.classList.remove("waiting");
  }

  _close() {
    this.imageShapes = null;
    this.changes.prediction = null;
    this.drawing.show(null);
    this.canvas.hide();
  }

  _cannotShow(error) {
    this._close();
    const gone = error instanceof KernelGone;
    const again = { label: "Try again", run: () => this.go(this.place) };
    this.say(
      gone ? `${error.message} This image is not loaded yet.` : error.message,
      ...(gone ? [again] : [{ label: "Next image", run: () => this.turn(1) }]),
    );
    this.shown();
  }

  _nothingToShow() {
    this._close();
    const any = Object.values(this.info.statuses).some(Boolean);
    const all = {
      label: "Show all",
      run: () =>
        this._showAgain({
          query: {
            ...this.info.query,
            show: "all",
            images: false,
            search: "",
            label: null,
            predicted: null,
            annotator: null,
            queue: null,
          },
        }),
    };
    if (this.info.job) this.say(endText(this.info.job));
    else if (!any) this.say("There are no images yet. Add some with project.add_images(…).");
    else if (this.info.query.queue) this.say(this.info.empty?.text ?? "", all);
    else
      this.say(
        this.info.query.show === "unlabelled" && !this.info.statuses.unlabelled
          ? `No ${this.info.split} image is left to label.`
          : "No images match the filter.",
        all,
      );
    if (any) this.empty.append(...nextStepNodes(this.info.empty?.next, () => null));
    this.showFilmstrip();
    this.shown();
  }

  async _load(name) {
    const pixels = Math.ceil(
      Math.max(this.canvas.size.width, 800) * (globalThis.devicePixelRatio || 1),
    );
    const [facts, [bytes]] = await this.request("image", { image: name, pixels }, [], {
      patience: PICTURE_PATIENCE,
    });
    return {
      facts,
      view: { uri: dataUri(bytes, facts.mime), width: facts.view_width, height: facts.view_height },
    };
  }

  // Prefetch after the image itself was painted, because a large image keeps the page busy.
  _prepareNext(position) {
    clearTimeout(this.lookingAhead);
    this.lookingAhead = setTimeout(() => this._prepare(position), LOOK_AHEAD_AFTER);
  }

  _prepare(position) {
    const decoded = [];
    for (let step = 1; step <= LOOKED_AHEAD; step += 1) {
      const row = this.listing.rowAt(position + step);
      if (!row) continue;
      this.store
        .open(row.name)
        .then(({ view }) => {
          const image = new Image();
          image.src = view.uri;
          decoded.push(image);
          return image.decode();
        })
        .catch(() => {}); // the error is shown when the image is opened
    }
    this.decoded = decoded; // references keep the decoded images in memory
    const { listing } = this;
    listing
      .fill()
      .then(() => listing.load(listing.start + FILMSTRIP_SIZE))
      .catch(() => {});
  }

  _open({ imageShapes, view }) {
    const another = this.imageShapes?.image.name !== imageShapes.image.name;
    this.imageShapes = imageShapes;
    this.changes.prediction = null;
    this.notices.drop("hint"); // it was about the shapes before
    this.drawing.show(imageShapes);
    show(this.empty, false);
    this.canvas.node.hidden = false;
    if (another) this.canvas.measure();
    this.canvas.show(imageShapes.image, view, { keepCamera: !another });
    if (another && this.drawing.tool === "outline") this.outlining.prepare();
    this.shown();
  }

  turn(by) {
    const target = this.finished && by < 0 ? this.place : this.place + by;
    if (this.drawing.corners) this.changes.hint(HALF_DRAWN);
    else if (target >= 0 && target < this.listing.total) this.go(target);
    else if (by > 0 && this.info?.job) {
      this.isAtEnd = true; // until there are more tasks
      this.notices.say("end", endText(this.info.job));
    } else if (by > 0 && this.listing.total) this.done();
    else this.notices.say("end", "This is the first image.");
  }

  // Show the progress and the next steps.
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
    const words =
      `${(total - left).toLocaleString("en")} of ${total.toLocaleString("en")} images are ` +
      `done${count(statuses.skipped, "skipped")}${count(statuses.needs_review, "need review")}.`;
    this.going += 1; // discard pending loads
    this._arrived();
    const to = (what) => () => this._showAgain({ query: { ...query, show: what } });
    this._close();
    this.finished = true;
    this.say(
      words,
      ...(left
        ? [{ label: `Label the remaining ${left.toLocaleString("en")}`, run: to("unlabelled") }]
        : []),
      { label: "Back to the image", run: () => this.go(this.place) },
      ...(query.show === "all" ? [] : [{ label: "Show all", run: to("all") }]),
    );
    this.shown();
  }
}
