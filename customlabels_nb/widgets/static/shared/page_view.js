// View of a page of images: filtering, polling for changes, and painting.

import { element, pause, show, takeKeys } from "./dom.js";
import { Notices } from "./notices.js";
import { Panel } from "./panel.js";
import { Preview } from "./preview.js";
import { columnsFor, countChangeText, thumbnailSize } from "./pages.js";
import { recall, remember } from "./remembered.js";
import { greet, KernelGone, makeRequester, openingFailure } from "./requests.js";
import { Selection } from "./selection.js";
import { Editing } from "./editing.js";
import { Listing } from "./listing.js";

const FOLLOW_EVERY = 1_500;
const SHOW_WAITING_AFTER = 150;
const TELL_SELECTION_AFTER = 120;
const ARRANGE_EVERY = 500;
const FILMSTRIP = 320; // also shown large until the full image is loaded
const SHAPES = "boxes and polygons";
const PADDING = 24; // pixels left and right of the tiles

const orderWords = ([done, total], { sort, crops }) => {
  if (sort === "text") return "Searching. The order is updated when no image is selected.";
  const [one, many] = crops ? ["box", "boxes"] : ["image", "images"];
  return (
    `Sorting by ${sort === "doubt" ? sort : "similarity"}: ${done.toLocaleString("en")} of ` +
    `${total.toLocaleString("en")} ${many} processed. The order is updated when all are ` +
    `done and no ${one} is selected. New ${many} come last.`
  );
};

/** @import { Toast } from "./toast.js" */
/** @typedef {{ node: HTMLElement, show: Function, hide: Function, mark: Function }} PageTile */

// Base class of PicturePages, with the read-only part. _build(el) of a widget creates the fields declared here, most of
// them with _buildParts().
export class PageView {
  /** @type {HTMLElement} */ root;
  /** @type {HTMLElement} */ grid;
  /** @type {HTMLElement} */ empty;
  /** @type {PageTile[]} */ tiles;
  /** @type {Notices} */ notices;
  /** @type {Panel} */ panel;
  /** @type {Preview} */ preview;
  /** @type {Editing | undefined} */ editing;
  footer; // a Footer, or a subclass
  labelbar; // a LabelBar, or the bar of the review
  /** @type {Toast | undefined} */ toast;
  /** @type {HTMLElement} */ body; // has the grid
  leave = () => this.root.focus({ preventScroll: true });

  constructor(model, el) {
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
      () => this._pixels(),
      (names) => this.repaint(names),
    );
    this.selection = new Selection();
    this.focus = 0;
    this.columns = 8;
    this.info = null;
    this.single = false;
    this.room = 1; // chips that a tile has space for
    this.closed = false;
    this.turning = 0;
    this.turned = null; // Promise of what keys wait for; it resolves to true if they then apply
    this.paging = null; // the latest Promise of a page of the same list
    this.undoing = null; // the latest Promise of an undo or redo
    this.asked = null; // changes of view that are not answered yet
    this.labelPane = null; // the label manager, if it is open
    this.id = `clnb-${Math.random().toString(36).slice(2)}`;
    this._build(el);
    this._listen();
    this._hello();
  }

  // Create what all pages have. `name` is the CSS class, and `words` are for screen readers. The preview stays
  // `within()`.
  _buildParts(name, words, { list = "Images", within = () => this.body } = {}) {
    this.root = takeKeys(
      element("div", {
        class: `clnb ${name} loading`,
        tabIndex: 0,
        attributes: { role: "application", "aria-label": words },
      }),
    );
    this.panel = new Panel({ onClose: this.leave });
    this.notices = new Notices();
    this.grid = element("div", {
      class: "grid",
      attributes: { role: "listbox", "aria-multiselectable": "true", "aria-label": list },
    });
    this.empty = element("div", { class: "empty", hidden: true });
    this.tiles = [];
    this.preview = new Preview((row) => this.listing.full(row), {
      within,
      labels: () => this.info.labels,
    });
  }

  // What PicturePages and the widgets replace.
  _build(_el) {}
  greeted() {}
  showToolbars() {}
  _explainEmptiness() {}
  _showSingleImage(_tile = undefined) {}
  _togglePreview(_position) {}
  _doubleClick(position) {
    this._togglePreview(position);
  }
  _selectNames(_names) {}
  _click(_event) {}
  _key(_event) {}

  /** @returns {PageTile} */
  makeTile(_id) {
    return null;
  }

  /** @returns {number | null} */
  _placeOf(_event) {
    return null;
  }

  _listen() {
    this.root.addEventListener("keydown", this._key.bind(this));
    this.grid.addEventListener("click", (event) => this._click(event));
    this.grid.addEventListener("dblclick", (event) => this._doubleClick(this._placeOf(event)));
    this.preview.watch(this.grid, (event) =>
      this.single ? null : this.listing.rowAt(this._placeOf(event)),
    );
    this.resizing = new ResizeObserver(() => this._layout());
    this.resizing.observe(this.root);
    this.follower = setInterval(() => this._follow(), FOLLOW_EVERY);
  }

  close() {
    this.closed = true;
    clearInterval(this.follower);
    clearTimeout(this.telling);
    this.resizing.disconnect();
    this.preview.close();
    this.listing.close();
    this.editing?.close();
    this.labelPane?.close();
    this.request.close();
    this.root.remove();
  }

  // -- requests to the kernel -------------------------------------------------------------------------
  async _hello() {
    try {
      [this.info] = await greet(this.request);
      if (this.closed) return;
      this.listing.size = this.info.size;
      this.greeted();
      this.editing ??= new Editing({
        request: this.request,
        listing: this.listing,
        screen: this,
        key: this.info.key,
      });
      await this.show({ place: this.info.place, keep: this.info.focus });
    } catch (error) {
      if (!this.closed) this._say(...openingFailure(error, () => this._hello()));
    } finally {
      this.root.classList.remove("loading");
    }
  }

  // The query that is shown or loading.
  get query() {
    return this.asked?.query ?? this.info.query;
  }

  // Change split, query, position or page size. Without a position, the visible images stay visible. Keys pressed
  // meanwhile apply to the new page. Another list is requested after undos that came before.
  async show(change) {
    const isUndoing = () => this.turned !== null && this.turned === this.undoing;
    if ((change.query || change.split) && isUndoing()) {
      this.asked = { ...this.asked, ...change };
      while (isUndoing()) await this.turned;
    }
    return this.closed ? false : this._hold(this.turnTo(change));
  }

  // Like show(), as a part of what keys wait for. Changes that are not answered yet are sent again with the new ones.
  async turnTo({ left, ...change }) {
    if (!this.info) return false;
    const {
      listing,
      info: { split, query },
    } = this;
    const another = change.place === undefined ? {} : { near: undefined, keep: null };
    const wantedPage = {
      split,
      query,
      size: listing.size,
      keep: null,
      ...this.asked,
      ...another,
      ...change,
    };
    this.asked = wantedPage;
    const { keep, ...wanted } = {
      place: listing.start,
      ...wantedPage,
      ...(left && { left }),
      pixels: this._pixels(wantedPage.size),
    };
    if (wantedPage.place === undefined) wanted.near = listing.namesOnPage();
    let arrived = false;
    await this._whileTurning(async (isLatest) => {
      // edits change which images belong to another list, so the kernel stores them first
      const isAnother = wantedPage.split !== split || wantedPage.query !== query;
      if (isAnother && this.editing?.pending.length) await this.editing.settled();
      if (!isLatest()) return;
      const [answer, buffers] = await this.request("show", wanted);
      if (!isLatest()) return;
      this.asked = null;
      this._take(answer, buffers, wanted, keep);
      arrived = true;
    });
    if (this.asked === wantedPage) this.asked = null;
    return arrived;
  }

  _take(answer, buffers, { size, near }, keep = null) {
    const { listing } = this;
    const focused = listing.names[this.focus];
    this.notices.drop("suspects");
    Object.assign(this.info, answer.info);
    listing.begin(answer.info.view, answer.page, buffers, size, answer.info.assist?.version);
    this.selection.clear();
    const index = near ? listing.names.indexOf(focused) : keep;
    this.focus = index !== null && listing.isOnPage(index) ? index : listing.start;
    this._layout();
    this.showToolbars();
    this._arrived();
    if (!answer.wait) this.notices.drop("order");
    else {
      this.notices.say("order", orderWords(answer.wait, this.info.query));
      this._arrange(listing.view);
    }
  }

  // Poll until the similarity order is computed. The focus stays on the same image.
  async _arrange(view) {
    const { listing } = this;
    const isOver = () => this.closed || listing.view !== view;
    await pause(ARRANGE_EVERY);
    if (isOver()) return;
    const near = this.focus ? [listing.names[this.focus]] : [];
    const wanted = { place: listing.start, size: listing.size, pixels: this._pixels(), near };
    const isBusy = this.selection.size || this.turned || this.panel?.isOpen;
    try {
      const [answer, buffers] = isBusy ? [{}] : await this.request("arrange", wanted);
      if (isOver()) return;
      if (answer.wait)
        this.notices.open
          .get("order")
          ?.firstChild.replaceChildren(orderWords(answer.wait, this.info.query));
      if (answer.page) this._take(answer, buffers, wanted);
      else this._arrange(view);
    } catch (error) {
      if (!isOver())
        this.notices.say("order", `Could not sort: ${error.message}`, {
          kind: "error",
          step: { label: "Try again", run: () => this.show({}) },
        });
    }
  }

  // Let keys wait for a Promise. It resolves to true if they then apply.
  _hold(promise) {
    const turned = promise.finally(() => {
      if (this.turned === turned) this.turned = null;
      this.root.classList.toggle("turning", Boolean(this.turned));
    });
    this.turned = turned;
    this.root.classList.add("turning");
    return turned;
  }

  // Load another page of the list, unless a new list is loading.
  _go(position, { focus = null } = {}) {
    if (this.asked) return Promise.resolve(false);
    this.paging = this._hold(this._load(position, focus));
    return this.paging;
  }

  async _load(position, focus) {
    const { listing } = this;
    const start = listing.startOf(position);
    let arrived = false;
    await this._whileTurning(async (isLatest) => {
      await listing.load(start);
      if (!isLatest()) return;
      listing.start = start;
      this.focus = Math.min(Math.max(focus ?? start, start), listing.end - 1);
      this._arrived();
      arrived = true;
    });
    return arrived;
  }

  async _whileTurning(work) {
    const turn = ++this.turning;
    const waiting = setTimeout(() => this.root.classList.add("waiting"), SHOW_WAITING_AFTER);
    try {
      await work(() => turn === this.turning && !this.closed);
    } catch (error) {
      const text =
        error instanceof KernelGone ? `${error.message} The page is unchanged.` : error.message;
      if (!this.closed) this.notices.say("show", text, { kind: "error" });
    } finally {
      clearTimeout(waiting);
      if (turn === this.turning) this.root.classList.remove("waiting");
    }
  }

  _arrived() {
    for (const key of ["show", "done"]) this.notices.drop(key);
    this.preview.turned(this.listing.namesOnPage());
    this._paint();
    this.listing.prefetch();
    this._sendSelection({ after: 0 }); // a reloaded page returns to this position
  }

  async _follow({ again = false } = {}) {
    if (!this.info || this.closed || document.hidden) return;
    if (this.following) {
      // later changes are requested when the current poll ends
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
      this.editing.responded();
      if (!news.info) return;
      const pending = new Set(this.editing.queue.waiting.flatMap((edit) => edit.images ?? []));
      const isNew = this.listing.renew(
        news.rows.filter((row) => !pending.has(row.name)),
        news.info.assist?.version,
      );
      const text = countChangeText(news, this.info);
      // otherwise the response to the edit has it
      if (!this.editing.pending.length) Object.assign(this.info, news.info);
      if (this.info.query.queue && !this.listing.total && isNew) this.show({ place: 0 });
      else if (this.info.query.queue === "suspect" && isNew)
        this.notices.say("suspects", "A training has ended and found new suspects.", {
          step: { label: "Show", run: () => this.show({ place: 0 }) },
        });
      this.showToolbars();
      this._paint();
      if (text)
        this.notices.say("more", text, { step: { label: "Show", run: () => this.show({}) } });
    } catch (error) {
      this.missed ||= whole;
      if (!this.closed && error instanceof KernelGone) this.editing.lost(error);
    } finally {
      this.following = false;
    }
    if (this.followAgain) {
      this.followAgain = false;
      this._follow();
    }
  }

  _pushed(message) {
    if (message.push === "show") this.show(message.change);
    else if (message.push === "select") this._selectNames(message.images);
    else if (message.push === "follow") this._follow({ again: true });
  }

  _sendSelection({ after = TELL_SELECTION_AFTER } = {}) {
    clearTimeout(this.telling);
    const tell = () => {
      const { view, start } = this.listing;
      this.request("select", {
        view,
        ranges: this.selection.ranges(),
        focus: this.focus,
        place: start,
      }).catch(() => {});
    };
    if (after) this.telling = setTimeout(tell, after);
    else tell();
  }

  // Send a request that returns the project's state. Show the error and return null if it is refused.
  async _ask(kind, notice, content) {
    try {
      const [answer] = await this.editing.store(() => this.request(kind, content));
      Object.assign(this.info, answer.info);
      this.showToolbars();
      return answer;
    } catch (error) {
      this.notices.say(notice, error.message, { kind: "error" });
      return null;
    }
  }

  // Undo does not revert this choice, because it does not edit images.
  async _chooseTask(task) {
    if (!(await this._ask("task", "task", { task }))) return;
    const [count, other] =
      task === "single-label" ? ["one label", "multi-label"] : ["several labels", "single-label"];
    this.notices.say(
      "task",
      `The project now takes ${count} per image. Undo does not take this back: run ` +
        `project.task = "${other}" in a cell.`,
    );
  }

  // -- painting ---------------------------------------------------------------------------------------
  _pixels(size = this.listing.size) {
    const width = this.root.clientWidth - PADDING;
    const tile = this.single ? FILMSTRIP : width > 0 ? width / this.columnsIn(width, size) : 160;
    return thumbnailSize(tile, globalThis.devicePixelRatio);
  }

  _layout() {
    const width = this.root.clientWidth;
    if (!width) return;
    this.root.classList.toggle("medium", width < 1120);
    this.root.classList.toggle("narrow", width < 700);
    this.columns = this.single ? 1 : this.columnsIn(width - PADDING);
    this.grid.style.setProperty("--columns", String(this.columns));
    this.grid.dataset.size = String(this.listing.size);
  }

  // Use fewer columns than the gallery, because the tiles contain more text.
  columnsIn(width, size = this.listing.size) {
    return Math.max(
      1,
      Math.min(Math.ceil(0.75 * columnsFor(size, width)), Math.floor(width / 156)),
    );
  }

  showState(state, waiting) {
    this.footer.showState(state, waiting);
  }

  _paint() {
    const { listing } = this;
    while (this.tiles.length < listing.count) {
      const tile = this.makeTile(`${this.id}-${this.tiles.length}`);
      this.tiles.push(tile);
      this.grid.append(tile.node);
    }
    this.tiles.forEach((tile, index) => this._paintTile(tile, listing.start + index));
    show(this.empty, !listing.count);
    show(this.grid, listing.count > 0);
    if (!listing.count) this._explainEmptiness();
    this._showShapes();
    this.footer.showPlace(listing.start, listing.size, listing.total);
    this._mark();
  }

  _paintTile(tile, position) {
    const row = this.listing.isOnPage(position) ? this.listing.rowAt(position) : null;
    const { pictures } = this.listing;
    if (row) this.preview.refresh(row);
    if (row)
      tile.show(row, this.info.labels, {
        uri: pictures.get(row.name),
        failure: pictures.failure(row.name),
        place: position,
        room: this.room,
      });
    else tile.hide();
  }

  // Show or hide boxes and polygons. The choice is kept in this browser, so it is said once that they are hidden.
  _showShapes() {
    const isHidden = recall(SHAPES) === "off";
    this.drawn = this.listing
      .rowsOnPage()
      .some((row) => row.outlines?.length || row.guesses?.some(([, , outline]) => outline));
    this.root.classList.toggle("shapeless", isHidden);
    if (!isHidden) this.notices.drop("shapes");
    else if (this.drawn && !this.saidHidden) {
      this.saidHidden = true;
      this.notices.say("shapes", "Boxes and polygons are hidden.", {
        step: { label: "Show", run: () => this._toggleShapes() },
      });
    }
  }

  _toggleShapes() {
    remember(SHAPES, recall(SHAPES) === "off" ? "on" : "off");
    this.saidHidden = false;
    this._showShapes();
  }

  repaint(names) {
    this.tiles.forEach((tile, index) => {
      const position = this.listing.start + index;
      if (names.has(this.listing.names[position])) this._paintTile(tile, position);
    });
    if (this.single && names.has(this.listing.names[this.focus])) this._showSingleImage();
  }

  _mark() {
    const { start, count } = this.listing;
    for (let index = 0; index < count; index += 1) {
      this.tiles[index].mark({
        selected: this.selection.has(start + index),
        focused: start + index === this.focus,
      });
    }
    const focused = this.tiles[this.focus - start];
    if (count > 0 && focused) this.root.setAttribute("aria-activedescendant", focused.node.id);
    this.footer.showSelection(this.selection.size, {
      everything: this.selection.everything,
      labels: this.info?.labels.length ?? 0,
      single: this.single,
      drawn: this.drawn,
    });
    if (this.single) this._showSingleImage(focused);
  }

  _say(text, step = null, more = []) {
    this.empty.hidden = false;
    this.empty.replaceChildren(
      element("p", { text }),
      ...(step ? [element("button", { text: step.label, on: { click: step.run } })] : []),
      ...more,
    );
  }
}
