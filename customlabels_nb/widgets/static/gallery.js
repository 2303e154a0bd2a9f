// Gallery widget: a page of images with their labels, and keyboard labelling. The kernel side is in gallery.py.

import { counted } from "./shared/numbers.js";
import { ELSEWHERE } from "./shared/chips.js";
import { element, followFullScreen, pause, show, turnFullScreen, widgetOf } from "./shared/dom.js";
import {
  areNewInstructions,
  askReason,
  askWhoElse,
  endText,
  giveBackAtEnd,
  growListing,
  JobBar,
  takeFocus,
} from "./shared/job_bar.js";
import { BOX_GALLERY_KEYS, GALLERY_KEYS, noLabelText } from "./shared/keymap.js";
import { columnsFor, positionText } from "./shared/pages.js";
import { PicturePages } from "./shared/picture_pages.js";
import { Footer } from "./shared/footer.js";
import { firstLabelText, LabelBar } from "./shared/labelbar.js";
import { offerReview, openLabelManager } from "./label_manager/opening.js";
import { askToLeave, askToSkip, askToSkipPage, openInstructions } from "./shared/panels.js";
import { isAnnotated, labelOp, offeredLabels } from "./shared/rows.js";
import { nextStepNodes } from "./shared/next_step.js";
import { RubberBand } from "./shared/rubber_band.js";
import {
  CROP_KEYS,
  cropEditText,
  cropPlaceText,
  editedCrop,
  isMoved,
  isOpenCrop,
  labelsOfCrops,
  noCropsText,
  selectedCropsText,
} from "./gallery/crops.js";
import { asideOf, clusterColumns, ClusterHints } from "./gallery/queue.js";
import { SingleImage } from "./gallery/single_image.js";
import { Tile } from "./shared/tile.js";
import { Toast, editText } from "./shared/toast.js";
import { Toolbar } from "./gallery/toolbar.js";
import { problemText, Upload } from "./gallery/upload.js";

const CHIP = 110; // pixels of a chip in a caption
const READING = 300; // milliseconds within which nobody has read a page of check images
const WITHDRAWN =
  "Since the latest training, the predictions of this page can no longer be trusted.";

export class Gallery extends PicturePages {
  keys = GALLERY_KEYS;

  _build(el) {
    this._buildParts("clnb-gallery", "Gallery of images to label");
    const { leave } = this;
    this.toolbar = new Toolbar({
      leave,
      split: (split) =>
        this.show({
          split,
          place: 0,
          query: {
            ...this.query,
            queue: split === "test" && !this.info.assist?.test ? null : this.query.queue,
            like: null,
          },
        }),
      query: (change) => {
        this.notices.drop("like");
        this.show({ query: { ...this.query, ...change }, place: 0 });
      },
      describe: (text) => this._describe(text),
      upload: () => this.upload.choose(),
      labels: () => openLabelManager(this, () => this._follow()),
      instructions: () => this._instructions(),
      takeBack: (kind) => this._do({ do: kind }),
      skip: () => this._skip({ ofPage: true }),
      submit: () => this._submit(),
      later: () => this._leaveCluster(),
      zoom: (pixels) => this._zoom(pixels),
      like: () => this._like(),
      whole: () => turnFullScreen(this.root, (text) => this.notices.say("whole", text)),
      preview: () => {
        this.preview.onHover = !this.preview.onHover;
        this.toolbar.showPreview(this.preview.onHover);
      },
    });
    this.jobBar = new JobBar(
      {
        leave,
        other: () => askWhoElse(this, this.editing),
        back: () =>
          this.single
            ? this.focus && this._focusOn(this.focus - 1)
            : this._turn(-1)?.then(() => this._bringFocus()),
        instructions: () => this._instructions(),
        nothing: () => this._do({ do: "nothing" }),
        skip: () => this._do({ do: "skip" }),
      },
      { nothingKey: "−" },
    );
    this.giveBack = giveBackAtEnd(this);
    this.labelbar = new LabelBar({
      leave,
      choose: (label) => this._label({ label }),
      add: (label) => this._addLabel(label),
      task: (task) => this._chooseTask(task),
    });
    const actions = this._footerActions();
    this.footer = new Footer({
      ...actions,
      size: (size) => {
        this.tileWidth = null;
        actions.size(size);
      },
    });
    this.clusterHints = new ClusterHints();
    this.grid.append(this.clusterHints.node);
    this.singleImage = new SingleImage(
      (row) => this.listing.full(row),
      (row) => this._accept(row),
    );
    this.toast = new Toast(() => {
      leave();
      this._do({ do: "undo" });
    });
    this.footer.hints.after(this.toast.node); // beside the hints, not over the names of the last images
    this.toolbar.showPreview(this.preview.onHover);
    this.body = element("div", { class: "body" }, this.singleImage.node, this.grid, this.empty);
    this.band = new RubberBand(this.body, {
      tiles: () =>
        this.single || this.clustered
          ? []
          : this.tiles.slice(0, this.listing.count).map(({ node }) => node),
      begin: (event) => {
        this.preview.close();
        this.kept = event.ctrlKey || event.metaKey ? [...this.selection.places] : [];
      },
      select: (names) =>
        this._selectPlaces([...this.kept, ...names.map((index) => this.listing.start + index)]),
      end: ({ clientX, clientY }) => {
        leave();
        this._selected();
        const root = /** @type {Document | ShadowRoot} */ (this.root.getRootNode());
        // the pointer rests where the drag ended
        this.preview.rememberUse(root.elementFromPoint(clientX, clientY)?.closest(".tile"));
      },
    });
    this.body.addEventListener("scroll", () => this.preview.close());
    this.root.append(
      this.toolbar.node,
      this.jobBar.node,
      this.labelbar.node,
      this.notices.node,
      this.body,
      this.footer.node,
      this.preview.node,
      this.panel.node,
    );
    this.upload = new Upload({
      root: this.root,
      panel: this.panel,
      request: this.request,
      labels: () => this.info?.labels ?? [],
      done: (report) => this._uploaded(report),
    });
    followFullScreen(this.root, this.toolbar.whole);
    el.append(this.root);
  }

  // -- requests to the kernel -------------------------------------------------------------------------
  greeted() {
    this.single = this.info.mode === "single";
    this.root.classList.toggle("single", this.single);
    this.root.classList.toggle("job", Boolean(this.info.job));
    takeFocus(this);
    if (this.info.similarity) this.toolbar.searching.askSoon(this);
    if (areNewInstructions(this.info)) this._instructions({ isNew: true });
  }

  // True if the tiles are boxes.
  get crops() {
    return Boolean(this.info?.query.crops);
  }

  // True on pages of one cluster each, and on the pages of check images between them.
  get inClusters() {
    return !this.single && this.info?.query.queue === "clustered";
  }

  // True on a page of one cluster, which opens with all images selected.
  get clustered() {
    return this.inClusters && !this.info.assist?.cluster?.check;
  }

  _take(answer, buffers, wanted, keep = null) {
    const { listing, selection, clustered: before } = this;
    const names = listing.namesOnPage().join("\n");
    const out = listing.namesOnPage().filter((_, index) => !selection.has(listing.start + index));
    this.info.query = answer.info.query;
    this.notices.drop("withdrawn");
    super._take(answer, buffers, wanted, keep);
    this.version = this.info.assist?.version;
    this._sayDescribed();
    if (!this.clustered) return;
    const isSame = before && !wanted.left && names === listing.namesOnPage().join("\n");
    selection.addRange(listing.start, listing.count);
    if (isSame)
      listing.namesOnPage().forEach((name, index) => {
        if (out.includes(name)) selection.places.delete(listing.start + index);
      });
    this._mark();
    this._sendSelection({ after: 0 });
  }

  // Say when a training has withdrawn all predictions of a page, whose images stay until the person goes on.
  async _follow(options) {
    const { listing } = this;
    const { view, version } = listing;
    const before = this._offers();
    const rows = listing.rowsOnPage();
    await super._follow(options);
    if (this.crops && !this.closed) await this._renewCrops(rows);
    if (
      this.closed ||
      !before ||
      listing.view !== view ||
      listing.version === version ||
      this._offers()
    )
      return;
    if (!listing.rowsOnPage().some((row) => row.status === "unlabelled")) return;
    this.notices.say("withdrawn", WITHDRAWN, {
      step: { label: "Go on", run: () => this.show({ place: 0 }) },
    });
  }

  // Load the page again if boxes were moved in the annotator. They keep their places.
  async _renewCrops(before) {
    const { listing } = this;
    const { view, start, size } = listing;
    if (!before.some((row) => isMoved(row, listing.rows.get(row.name)))) return;
    const wanted = { view, place: start, size, pixels: this._pixels() };
    const [page, buffers] = await this.request("page", wanted);
    if (this.closed || view !== listing.view || start !== listing.start) return;
    listing.take(page, buffers);
    this._paint();
  }

  _offers() {
    return (
      this.info?.query.queue === "prelabelled" &&
      this.listing
        .rowsOnPage()
        .some((row) => row.status === "unlabelled" && row.prelabels.length > 0)
    );
  }

  foresee(row, edit) {
    return row.crop ? editedCrop(row, edit) : super.foresee(row, edit);
  }

  // Boxes that were removed are shown, but not counted.
  count(row, by) {
    if (row.status !== "removed") super.count(row, by);
  }

  makeTile(id) {
    return new Tile({ id, onAccept: (row) => this._accept(row) });
  }

  _pushed(message) {
    if (message.push === "submit") this._submit({ asked: true });
    else super._pushed(message);
  }

  // -- painting ---------------------------------------------------------------------------------------
  showToolbars() {
    this.keys = this.crops ? CROP_KEYS : this.draws ? BOX_GALLERY_KEYS : GALLERY_KEYS;
    this.grid.setAttribute("aria-label", this.crops ? "Boxes" : "Images");
    this.root.classList.toggle("crops", this.crops);
    this.toolbar.update({
      ...this.info,
      hasPredictions: this.info.has_predictions,
      readOnly: this.info.read_only,
      managesLabels: this.info.manages_labels,
      single: this.single,
      isEmpty: !this.listing.total,
    });
    this.showCounts();
    this.jobBar.update(this.info.job);
    this._grow();
  }

  close() {
    this.giveBack();
    super.close();
  }

  // Show new tasks of a job, and go on with them if all others are answered.
  async _grow() {
    const { listing, focus } = this;
    const isAtEnd = focus === listing.total - 1 && listing.rowAt(focus)?.status !== "unlabelled";
    if (!(await growListing(listing, this.info.job)) || this.closed) return;
    this._paint();
    listing.prefetch();
    if (this.single && isAtEnd && focus === this.focus) this._focusOn(focus + 1);
  }

  showCounts() {
    const { labels, counts, task, alone, read_only: readOnly, statuses } = this.info;
    this.labelbar.update({
      labels,
      counts,
      task,
      alone,
      readOnly,
      isFixed: Boolean(this.info.job),
      crops: this.crops,
    });
    this.footer.showProgress(statuses, this.crops ? "confirmed" : "labelled");
  }

  _layout() {
    super._layout();
    if (!this.tileWidth) this.toolbar.zoom.value = this.root.clientWidth / this.columns;
    this.toolbar.arrange(this.root.clientWidth || Infinity);
    this.labelbar.fit();
    const room = this.single
      ? 1
      : Math.max(1, Math.floor((this.root.clientWidth - 24) / this.columns / CHIP));
    if (room === this.room) return;
    this.room = room;
    if (this.info)
      this.tiles.forEach((tile, index) => this._paintTile(tile, this.listing.start + index));
  }

  columnsIn(width, size = this.listing.size) {
    return this.clustered
      ? clusterColumns(this.listing.count, width)
      : columnsFor(size, width, this.tileWidth);
  }

  // Change the width of the tiles, and load sharper thumbnails for larger ones.
  _zoom(pixels) {
    const before = this._pixels();
    this.tileWidth = pixels;
    this._layout();
    this._bringFocus(); // a key labels the image in focus
    clearTimeout(this.zooming);
    if (this._pixels() > before) this.sharper = true;
    this.zooming = setTimeout(() => {
      if (this.sharper && !this.closed) this.show({});
      this.sharper = false;
    }, 300);
  }

  _mark() {
    super._mark();
    const { clustered, listing, selection, info } = this;
    this.root.classList.toggle("clustered", clustered);
    if (this.crops) this._markCrops();
    if (!clustered) show(this.clusterHints.node, false);
    const queue = info?.query.queue;
    if (clustered || (queue === "prelabelled" && !selection.size && !this.single))
      this.footer.showKeys(queue, info.labels.length);
    if (this.inClusters && !clustered) this.toolbar.showCheckPage();
    if (!clustered) return;
    const { count, start } = listing;
    for (let index = 0; index < count; index += 1) {
      const isOut =
        !selection.has(start + index) && listing.rowAt(start + index)?.status === "unlabelled";
      this.tiles[index].node.classList.toggle("out", isOut);
    }
    const facts = {
      selected: selection.size,
      count,
      labels: info.labels.length,
      alone: info.alone,
      columns: this.columns,
      readOnly: info.read_only,
    };
    this.clusterHints.update(facts);
    this.toolbar.showSelected(selection.size);
    this.footer.showCluster(info.assist?.cluster, count);
  }

  // Say where the page is and what a label applies to, in boxes.
  _markCrops() {
    const { selection, listing, info } = this;
    const range = positionText(listing.start, listing.size, listing.total);
    this.footer.showCrops(
      cropPlaceText(range, listing.total, info.shown_images),
      info.labels.length,
    );
    if (info.read_only) return;
    this.labelbar.showCrops(
      selection.size ? selectedCropsText(selection.size) : null,
      labelsOfCrops(listing.rowsAt(selection.ranges()) ?? []),
    );
  }

  repaint(names) {
    super.repaint(names);
    if (this.clustered || this.crops) this._mark();
  }

  // Say what an edit did, with a button to undo it.
  async _report(edit) {
    const made = await edit;
    const text =
      made?.[1] &&
      (this.crops ? cropEditText(...made) : editText(...made, { isJob: Boolean(this.info.job) }));
    if (text && !this.closed) this.toast.say(text);
  }

  _showSingleImage(tile) {
    const row = this.listing.rowAt(this.focus);
    this.singleImage.node.hidden = !row;
    if (!row) return;
    this.singleImage.show(row, this.info.labels, this.listing.pictures.get(row.name));
    tile?.node.scrollIntoView({ block: "nearest", inline: "nearest" });
    const next = this.listing.rowAt(this.focus + 1);
    if (next) this.listing.full(next).catch(() => {});
  }

  _explainEmptiness() {
    const { statuses, query, empty } = this.info;
    const all = Object.values(statuses).reduce((sum, value) => sum + value, 0);
    const showAll = { label: "Show all", run: () => this._showStatus("all") };
    const next = nextStepNodes(empty?.next, ({ link, split }) => {
      if (link?.show) return () => this._showStatus(link.show, split);
      return link && !link.queue ? () => this.upload.choose() : null;
    });
    const noCrops = this.crops ? noCropsText(query, statuses) : null;
    if (this.info.job) this._say(endText(this.info.job));
    else if (noCrops) this._say(noCrops[0], noCrops[1] ? showAll : null);
    else if (all && query.queue)
      this._say(
        empty?.text ?? "",
        empty?.checks
          ? {
              label: "Label check images",
              run: () => this.show({ query: { ...query, queue: "assist", like: null }, place: 0 }),
            }
          : { ...showAll, label: "Show all images" },
        empty?.checks ? [] : next,
      );
    else if (!all)
      this._say(
        "There are no images yet.",
        this.info.read_only ? null : { label: "Add images…", run: () => this.upload.choose() },
      );
    else if (query.show === "unlabelled" && !statuses.unlabelled)
      this._say(`No ${this.info.split} image is left to label.`, showAll, next);
    else this._say("No images match the filter.", showAll);
  }

  // Show the images of a status, without any other filter.
  _showStatus(status, split = this.info.split) {
    this.root.focus({ preventScroll: true });
    const any = { label: null, predicted: null, annotator: null, search: "", confidence: 0 };
    const query = { ...this.info.query, ...any, images: false, queue: null, like: null };
    return this.show({ split, query: { ...query, show: status }, place: 0 });
  }

  actions(command) {
    const inherited = super.actions(command);
    return {
      ...inherited,
      undo: () => {
        this.toast.close();
        inherited.undo();
      },
      label: this._label,
      clear: () => this._report(this.editing.edit({ op: "clear" })),
      accept: () => this._acceptAll(),
      skip: () => (this.info.job ? this._skipTask() : this._skip()),
      nothing: () => {
        if (this.info.job) this._answer({ op: "status", status: "labelled", remove_labels: true });
      },
      submit: () => this._submit(),
      like: () => this._like(),
    };
  }

  _selectPlaces(places) {
    this.selection.clear();
    for (const position of places) this.selection.places.add(position);
    this._mark();
  }

  _escape() {
    if (!this.clustered || this.preview.isOpen) super._escape();
    else {
      this.selection.addRange(this.listing.start, this.listing.count);
      this._selected();
    }
  }

  // After an undo, go back to the page, which may have left the queue.
  bring(name) {
    const { query } = this.info;
    if (!query.queue || this.listing.names.includes(name)) super.bring(name);
    else
      this.show({
        query: { ...query, like: this.inClusters ? name : null },
        place: 0,
        near: [name],
      });
  }

  // Sort by similarity to the focused image, with a way back to the current order or queue and place.
  _like() {
    const row = this.listing.rowAt(this.focus);
    if (!row || !this.info.similarity) return;
    const {
      focus,
      info: { query },
      listing: { start },
    } = this;
    const back = { label: "Back", run: () => this.show({ query, place: start, keep: focus }) };
    this.show({ query: { ...query, queue: null, sort: "similarity", like: row.name }, place: 0 });
    const what = row.crop ? "a box of " : "";
    this.notices.say("like", `Sorted by similarity to ${what}\u2068${row.short}\u2069.`, {
      step: back,
    });
  }

  // Sort by a description, or go back to the order and place before it.
  _describe(text) {
    const { query, focus, listing } = this;
    this.notices.drop("like");
    if (text) {
      if (query.sort !== "text") this.before = { query, place: listing.start, keep: focus };
      this.show({ query: { ...query, queue: null, sort: "text", text, like: null }, place: 0 });
    } else if (query.sort === "text") {
      this.show(this.before ?? { query: { ...query, sort: "random" }, place: 0 });
      this.before = null;
    }
  }

  _sayDescribed() {
    const { query, without_vectors: missing } = this.info;
    if (query.sort !== "text" || this.notices.open.has("order")) this.notices.drop("text");
    else {
      const last = missing
        ? ` ${counted(missing, "image comes", "images come")} last without vectors.`
        : "";
      this.notices.say("text", `Sorted by: \u2068${query.text}\u2069.${last}`, {
        step: { label: "Back", run: () => this._describe(null) },
      });
    }
  }

  // -- actions on images ------------------------------------------------------------------------------

  // With several labels, a key changes the predicted ones, which are accepted first. A cluster page whose images all
  // have their one label is left without a further key. In a labelling job, no key of a label withdraws an answer.
  _label({ number = 0, label = this.info.labels[number - 1]?.label }, target = this.editing.aim()) {
    const { alone, job, labels, query, read_only: readOnly } = this.info;
    if (label === undefined) {
      if (readOnly) return undefined;
      // the key after the last label's adds the next one, as 1 adds the first
      const isNext = number === labels.length + 1 && this.selection.size && !job;
      return (labels.length && !isNext) || !this.listing.total
        ? this.toast.say(noLabelText(number), { canUndo: false })
        : this.labelbar.begin("", firstLabelText(this.selection.size));
    }
    if (
      job &&
      labelOp(target.rows ?? [], label, { alone }) === "unlabel" &&
      target.rows.some((row) => row.labels.length === 1)
    ) {
      return this.notices.say(
        "last",
        `\u2068${label}\u2069 is the only label of your answer. Delete withdraws the answer, − answers “nothing here”.`,
      );
    }
    this.notices.drop("last");
    if (!alone && query.queue === "prelabelled") {
      const offered = (target.rows ?? []).filter(
        (row) => row.status === "unlabelled" && row.prelabels.length,
      );
      if (offered.length) this.editing.edit({ op: "accept" }, { at: { ...target, rows: offered } });
    }
    const removes = labelOp(target.rows ?? [], label, { alone }) === "unlabel";
    const reported = this._report(this.editing.edit({ op: "toggle", label }, { at: target }));
    if (alone && (this.single || !removes)) this._advanceFrom(target);
    if (
      this.inClusters &&
      alone &&
      !this.turned &&
      !asideOf(this.listing.rowsOnPage(), () => true)[1].length
    )
      this._leaveCluster();
    return reported;
  }

  // The first label is also assigned to the image in focus.
  async _addLabel(name) {
    const applies = !this.info.labels.length || this.selection.size || this.single;
    const target = this.editing.aim();
    const answer = await this._ask("add label", "label", { label: name });
    if (!answer) return;
    if (applies) await this._label(answer, target);
    offerReview(this, answer.label).catch(() => {}); // it was added in any case
  }

  _acceptAll() {
    const rows = this.listing.rowsAt(this.target()) ?? [];
    if (rows.length && rows.every((row) => row.predicted_drawn))
      this.notices.say("accept", ELSEWHERE);
    else if (rows.length && !rows.some((row) => offeredLabels(row).length))
      this.notices.say("accept", "There are no predictions to accept here.");
    else {
      this.notices.drop("accept");
      this._report(this.editing.edit({ op: "accept" }));
    }
  }

  _accept(row) {
    this.editing.edit({ op: "accept" }, { rows: [row] });
  }

  // The key applies to the selection or the focused image. The button without a selection applies to the page.
  async _skip({ ofPage = false } = {}) {
    if (this.info.read_only) return;
    const edit = { op: "status", status: "skipped" };
    if (ofPage && !this.single && !this.selection.size) {
      const bare = this.editing.aim(
        this.listing.rowsOnPage().filter((row) => row.status === "unlabelled"),
      );
      if (await askToSkipPage(this.panel, bare.rows.length))
        this._report(this.editing.edit(edit, { at: bare }));
      return;
    }
    const target = this.editing.aim();
    const { rows } = target; // null if some pages were not shown yet
    if (!rows || rows.some(isAnnotated)) {
      const answer = await askToSkip(this.panel, rows?.filter(isAnnotated).length);
      if (!answer) return;
      edit.remove_labels = answer === "remove";
    }
    this._answer(edit, target);
  }

  _answer(edit, target = this.editing.aim()) {
    this._report(this.editing.edit(edit, { at: target }));
    this._advanceFrom(target);
  }

  // Go to the next image, unless another one is in focus already or several are selected.
  _advanceFrom(target) {
    const isOne = this.single || (!this.selection.size && !this.clustered);
    if (isOne && this._isStillTarget(target)) this._advance();
  }

  // The labeler of a job says why.
  async _skipTask() {
    if (!this.listing.total) return;
    const target = this.editing.aim();
    const reason = await askReason(this.panel);
    if (reason !== null && !this.closed)
      this._answer({ op: "status", status: "skipped", remove_labels: true, reason }, target);
  }

  async _submit({ asked = false } = {}) {
    const { listing } = this;
    if (this.info.read_only || !listing.total) return;
    if (this.crops) {
      const open = listing.rowsOnPage().filter(isOpenCrop);
      if (open.length) this._report(this.editing.edit({ op: "submit" }, { rows: open }));
      return this._goOn();
    }
    if (this.info.job)
      return this.single ? this._advance() : this._turn(1)?.then(() => this._bringFocus()); // labels are the answers
    const rows = this.single ? [listing.rowAt(this.focus)] : listing.rowsOnPage();
    if (this.inClusters) return this._submitCluster(rows);
    if (this.info.query.queue === "prelabelled") {
      const offered = rows.filter((row) => row.prelabels.length && row.status === "unlabelled");
      if (offered.length) this._report(this.editing.edit({ op: "accept" }, { rows: offered }));
      return this._goOn();
    }
    const answer = asked || this.sureOfSkipping ? "submit" : await this._askToSkip(rows);
    if (!answer) return;
    this.editing.edit(
      { op: "submit" },
      { rows: answer === "leave" ? rows.filter((row) => row.status !== "unlabelled") : rows },
    );
    return this._goOn();
  }

  // Go to the next page. A queue continues with what is left of it after the last page, or after a training.
  async _goOn() {
    const { listing, info } = this;
    this.selection.clear();
    if (this.single) this._advance();
    else if (
      info.query.queue &&
      (listing.end >= listing.total || info.assist?.version !== this.version)
    )
      await this._renewQueue({});
    else if (listing.end < listing.total) {
      await this._go(listing.end);
      this._bringFocus();
    } else {
      this._selected();
      const [left, what] = this.crops ? ["unconfirmed", "boxes"] : ["unlabelled", "images"];
      const rest = {
        label: `Show ${left} ${what}`,
        run: () => this.show({ query: { ...this.info.query, show: left }, place: 0 }),
      };
      this.notices.say("done", "That was the last page.", {
        step: this.info.statuses[left] ? rest : null,
      });
    }
  }

  // Leave a page of a cluster, or of check images. A key that was meant for the page before must not pass them.
  async _submitCluster(rows) {
    const { length: bare } = rows.filter((row) => row.status === "unlabelled");
    const asks = this.clustered ? bare === rows.length : bare > 0;
    if (!asks || (await askToLeave(this.panel, bare, { areChecks: !this.clustered })))
      this._leaveCluster();
  }

  // Go to the next cluster. Images that were taken out come back alone, the others without a label after all pages.
  _leaveCluster() {
    const rows = this.clustered ? this.listing.rowsOnPage() : [];
    const left = asideOf(rows, (index) => this.selection.has(this.listing.start + index));
    if (left[1].length)
      this.notices.say(
        "later",
        `${left[1].length} ${left[1].length === 1 ? "image has" : "images have"} no label ` +
          "yet and come back after the other pages.",
      );
    else this.notices.drop("later");
    return this._renewQueue({ left });
  }

  // The page has turned once check images have been seen, which a key for the page before must not pass.
  _renewQueue(change) {
    const turn = async () => {
      await this.editing.settled();
      const query = { ...this.query, like: null };
      const arrived = await this.turnTo({ ...change, query, place: 0 });
      this._bringFocus();
      if (this.inClusters && !this.clustered) await pause(READING);
      return arrived;
    };
    return this._hold(turn());
  }

  async _askToSkip(rows) {
    const bare = rows.filter((row) => row.status === "unlabelled").length;
    if (!bare) return "submit";
    const text =
      bare === 1
        ? "1 image on this page has no label."
        : `${bare} images on this page have no label.`;
    const them = bare === 1 ? "it" : "them";
    const answer = await this.panel.ask("Submit", text, [
      { value: "leave", label: `Leave ${them} unlabelled`, primary: true },
      { value: "submit", label: `Mark ${them} as skipped` },
      { value: "always", label: `Mark ${them} as skipped and do not ask again` },
    ]);
    this.sureOfSkipping = answer === "always";
    return answer;
  }

  _instructions({ isNew = false } = {}) {
    openInstructions(this.panel, this.info.instructions, {
      isNew,
      readOnly: this.info.read_only || Boolean(this.info.job),
      save: async (text) => {
        const [{ info }] = await this.request("instructions", { text });
        Object.assign(this.info, info);
      },
      request: this.request,
    });
  }

  async _uploaded(report) {
    const { text, count, problems } = report;
    const bad = count
      ? ` ${count.toLocaleString("en")} ${count === 1 ? "problem" : "problems"}:`
      : "";
    this.notices.say("upload", `${text}${bad}`, {
      kind: count ? "error" : "info",
      lines: problems.map(problemText),
    });
    await this.show({});
  }
}

export default widgetOf(Gallery);
