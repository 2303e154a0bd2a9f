// Results screen. Metrics are computed here at every slider move. A source provides images and applies changes: the
// kernel in a notebook, and only images in a standalone file.

import { element, setText, show, takeKeys } from "../shared/dom.js";
import { Notices } from "../shared/notices.js";
import { Panel } from "../shared/panel.js";
import { openKeys } from "../shared/panels.js";
import { KernelGone } from "../shared/requests.js";
import { mistakeColor } from "./colors.js";
import {
  chooseImages,
  countedItems,
  countsOf,
  labelAt,
  mistakesOf,
  NO_FILTER,
} from "./choosing.js";
import { Controls } from "./controls.js";
import { CurveView } from "./curves.js";
import { Actions } from "./actions.js";
import { openFacts, openSlices } from "./dialogs.js";
import {
  CROSS_VALIDATED,
  Engine,
  MOST_CONFIDENT,
  ONE,
  samePosition,
  unpackArrays,
} from "./engine.js";
import { Filters } from "./filters.js";
import { ImageGallery } from "./gallery.js";
import { MatrixView } from "./matrix.js";
import { LabelTable } from "./table.js";
import { Viewer } from "./viewer.js";
import {
  certaintyText,
  imagesText,
  intervalText,
  metricText,
  numberText,
  RESULT_WORDS,
} from "./text.js";

const IMAGES_WAIT = 100; // milliseconds without images while a slider moves in each frame
const REST = 250; // milliseconds without a move until the position is sent to the kernel
const KEYS = [
  ["click", "select or deselect an image (Ctrl: add, ⇧: range)"],
  ["double click, ⏎", "view the image"],
  ["← ↑ → ↓", "previous, next image"],
  ["PgUp, PgDn", "previous, next page"],
  ["Space", "select"],
  ["Ctrl A", "select all shown images"],
  ["Esc", "clear the selection, close dialogs"],
  ["+ − 0", "zoom in, out, fit (in the image view)"],
  ["E", "correct the image, with the box under the pointer selected (in the image view)"],
];
const LOOK_EACH = 4_000; // milliseconds between polls for corrected labels
const MOST_FIXED = 500;
const TABLE_SHARE = 0.405; // of the screen's width, for the table of labels beside matrix and curves

const FIGURES = [
  ["f1", "F1"],
  ["precision", "precision"],
  ["recall", "recall"],
];
const DRAWN_FIGURES = [
  ["mAP", "mAP", "Mean of the labels' average precision at this IoU threshold"],
  ["mAR", "mAR", "Mean of the labels' highest recall at this IoU threshold"],
  ["coco_map", "COCO mAP", "Mean of mAP at the IoU thresholds 0.50, 0.55, … 0.95"],
];
const TASK_FIGURES = {
  "single-label": [
    ["accuracy", "accuracy", "Share of labelled images that count as correct in the matrix"],
  ],
  boxes: DRAWN_FIGURES,
  polygons: DRAWN_FIGURES,
};

const button = (text, title, run, name = "") =>
  element("button", { class: name, text, title, on: { click: run } });

export class ResultsScreen {
  constructor(source, el) {
    this.source = source;
    this.advice = null;
    this.actions = new Actions(this);
    this.training = null;
    this._build(el);
    source.onPush((message) => this._pushed(message));
    this.resizing = new ResizeObserver(() => this._fit());
    this.resizing.observe(this.root);
    this.theming = new MutationObserver(() => this.engine && this.matrix.followTheme());
    this.theming.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
    this._open();
  }

  // -- building -----------------------------------------------------------------------------------------
  _build(el) {
    this.root = takeKeys(
      element("div", {
        class: "clnb clnb-results loading",
        tabIndex: -1,
        attributes: { role: "region", "aria-label": "Results" },
        on: { keydown: (event) => this.gallery.key(event) },
      }),
    );
    this.panel = new Panel({ onClose: () => this.root.focus({ preventScroll: true }) });
    this.notices = new Notices();
    this.name = element("strong", { class: "project" });
    this.count = element("span");
    this.figures = element("span", { class: "figures" });
    this.adviceButton = button("Advice…", "Suggestions for improving the model", () =>
      this.actions.showAdvice(this.advice),
    );
    this.sliceButton = button("Slices…", "F1 of each slice of the test images", () =>
      this._listSlices(),
    );
    this.compareButton = button("Compare…", "Compare with another version", () =>
      this.actions.chooseVersion(),
    );
    this.exportButton = button("Export…", "Export the results to files", () =>
      this.actions.export(),
    );
    this.toolbar = element(
      "div",
      { class: "band toolbar" },
      this.name,
      this.figures,
      element("span", { class: "spring" }),
      this.adviceButton,
      this.sliceButton,
      this.compareButton,
      this.exportButton,
      button("About…", "Dates, numbers of images, code to copy", () =>
        openFacts(this.panel, this.engine.facts, this.training),
      ),
    );
    this.controls = new Controls({
      onMove: (position, isSettled) => this.move(position, isSettled),
      onKeep: () => this.actions.keep(this.position),
    });
    this.comparison = element("div", { class: "comparison-holder", hidden: true });
    this.table = new LabelTable({
      onLabel: (label) => this.narrow(label === null ? { label, show: "mistakes" } : { label }),
    });
    this.matrix = new MatrixView({ onCell: (cell) => this._showCell(cell) });
    this.curves = new CurveView({
      onThreshold: (value, isSettled) => this.controls.moveTo(value, isSettled),
    });
    this.numbers = element(
      "div",
      { class: "numbers" },
      this.table.node,
      this.matrix.node,
      element("div", { class: "side" }, this.curves.node, this.matrix.tables),
    );
    this.fixButton = button(
      "Fix ground truth…",
      "Open these images for labelling",
      () => this.actions.fix(this._worked(true)),
      "fix",
    );
    this.addButton = button(
      "Add to training…",
      "Train on these test images instead of evaluating on them",
      () => this.actions.add(this._worked()),
    );
    this.cropBar = element("span", { class: "crops" });
    this.filters = new Filters({
      onFilter: (change) => this.narrow(change),
      onBack: () => this._showCell(null),
      actions: [this.cropBar, this.addButton, this.fixButton],
    });
    const counted = (items) =>
      this.engine.isDetection ? countedItems(items, this.filter, this.facts.rows) : [];
    this.gallery = new ImageGallery({
      source: this.source,
      marked: counted,
      onOpen: (image) => this.openImage(image),
      onSelect: (images) => this._selected(images),
      onHelp: () => openKeys(this.panel, KEYS),
    });
    this.viewer = new Viewer({
      load: (image) => this.source.view(image),
      onStep: (by) => this._step(by),
      onClose: () => this.gallery.grid.focus({ preventScroll: true }),
      counted,
      onEdit: (image, box) => {
        if (this.can("open_images")) this.actions.fix([image], box);
      },
      actions: (image) => [
        ...(this.can("open_images")
          ? [
              button(
                this.isDoubtful(image) ? "Fix ground truth…" : "Relabel…",
                "Open this image for labelling (E)",
                () => this.viewer.edit(),
                "primary",
              ),
            ]
          : []),
        ...(this.can("add_to_train")
          ? [button("Add to training…", "", () => this.actions.add([image]))]
          : []),
      ],
    });
    this.closer = button("Close gallery", "", () => this.actions.closeBelow(), "plain");
    show(this.closer, false);
    this.hints = element("span", {
      class: "hints",
      text: "click: select · double click or Enter: view · click a row, cell or curve to filter",
    });
    this.saved = element("span", { class: "state" });
    this.footer = element(
      "div",
      { class: "band foot" },
      this.gallery.back,
      this.gallery.place,
      this.gallery.forth,
      this.closer,
      this.hints,
      this.saved,
      button("?", "Keyboard shortcuts", () => openKeys(this.panel, KEYS), "plain help"),
    );
    this.empty = element("div", { class: "empty", hidden: true });
    this.content = element(
      "div",
      { class: "content", hidden: true },
      this.toolbar,
      this.controls.node,
      this.comparison,
      this.numbers,
      this.filters.node,
      this.gallery.node,
      this.footer,
    );
    this.root.append(
      this.notices.node,
      this.content,
      this.empty,
      this.viewer.node,
      this.panel.node,
    );
    el.append(this.root);
  }

  // Create the metrics of the head, which depend on the task.
  _buildFigures({ task }) {
    const figures = [...FIGURES, ...(TASK_FIGURES[task] ?? [])];
    this.means = Object.fromEntries(
      figures.map(([name]) => [
        name,
        {
          value: element("b", { data: { figure: name } }),
          interval: element("span", { class: "interval", title: "95% confidence interval" }),
        },
      ]),
    );
    const description = figures.flatMap(([name, text, title = ""], index) => [
      index ? " · " : "",
      element(
        "span",
        { class: "figure", title },
        `${text} `,
        this.means[name].value,
        this.means[name].interval,
      ),
    ]);
    this.certainty = element("span", { class: "certainty", hidden: true });
    this.figures.replaceChildren(this.count, ...description, this.certainty);
  }

  async _open() {
    try {
      this._take(await this.source.hello());
      this._loadRest();
      this._refreshSoon();
    } catch (error) {
      if (this.closed) return;
      show(this.empty, true);
      const again = button("Try again", "", () => {
        show(this.empty, false);
        this._open();
      });
      this.empty.replaceChildren(element("p", { text: error.message }), again);
    } finally {
      this.root.classList.remove("loading");
    }
  }

  // Build everything, initially and when the ground truth has changed.
  _take({ facts, arrays: described, buffers }) {
    if (this.closed) return;
    const viewed = this.viewer.isOpen ? this.facts.images[this.viewer.image] : null;
    this.viewer.close();
    this.facts = facts;
    this.engine = new Engine(facts, unpackArrays(described, buffers));
    [this.filter, this.before] = [facts.filter, null];
    this.intervals = [{ position: facts.own.position, slice: null, of: facts.own.intervals }];
    setText(this.name, facts.name);
    this.name.title = facts.name;
    this._buildFigures(facts);
    this.root.style.setProperty(
      "--clnb-mistake",
      mistakeColor(facts.labels.map(({ color }) => color)),
    );
    this.controls.build({
      engine: this.engine,
      canKeep: this.can("keep_thresholds"),
      kept: facts.kept,
    });
    this.actions.take(facts.comparison);
    this.matrix.build(facts);
    this.filters.build(facts);
    this.gallery.build(this.engine);
    const positions = new Map(facts.images.map((name, index) => [name, index]));
    this.gallery.selection.places = new Set(
      facts.selection.map((name) => positions.get(name)).filter((index) => index !== undefined),
    );
    show(this.addButton, this.can("add_to_train"));
    show(this.sliceButton, facts.slices.length > 0);
    show(this.compareButton, this.can("versions"));
    show(this.exportButton, Object.keys(facts.writes).length > 0);
    show(this.content, true);
    this.position = facts.position;
    this.state = this.engine.state(facts.position);
    this.buildTable();
    this._paint({ keepPlace: true });
    if (positions.has(viewed)) this.openImage(positions.get(viewed));
  }

  // Load slow parts after the screen is shown.
  async _loadRest() {
    const { facts } = this;
    try {
      const training = await this.source.training();
      const advice = await this.source.advice();
      const slices = this.source.isLive ? [] : await this.source.slices();
      if (this.closed) return;
      this.training = training;
      this.intervals.push(
        ...slices.map(({ column, name, intervals: of }) => ({
          position: facts.own.position,
          slice: [column, name],
          of,
        })),
      );
      this._takeAdvice(advice, facts.position);
      this.buildTable();
      this._paint({ keepPlace: true });
      await this._rested();
    } catch (error) {
      this.failed("rest", error);
    }
  }

  // `position` is where the thresholds were when the kernel was asked.
  _takeAdvice({ items, suspects }, position) {
    this.advice = items;
    this.advised = position;
    this.facts.groups.suspects = suspects;
    setText(this.adviceButton, items.length ? `Advice ${items.length}…` : "Advice…");
  }

  buildTable() {
    this.table.build({
      facts: this.facts,
      training: this.training,
      comparison: this.actions.compared,
    });
    this._fit();
    this.table.show(this.state, this.filter.label);
    this.table.settle();
  }

  can(name) {
    return this.facts.can.includes(name);
  }

  // -- sliders ------------------------------------------------------------------------------------------
  move(position, isSettled) {
    this._setPosition(position, isSettled);
    if (isSettled) this.table.settle();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this._rested(), isSettled ? 0 : REST);
  }

  _setPosition(position, isSettled) {
    this.position = position;
    this.state = this.engine.state(position);
    this._paint({ keepPlace: true, isMoving: !isSettled });
  }

  async _rested() {
    const { position } = this;
    if (!this.source.isLive || this._intervalsHere()) await this._send("moved", { position });
    else await this._askIntervals(position, this.filter.slice);
    const isDone = () => this.closed || !samePosition(this.position, position);
    if (!this.advice || samePosition(this.advised, position) || !this.source.isLive || isDone())
      return;
    try {
      const advice = await this.source.advice();
      if (isDone()) return;
      this._takeAdvice(advice, position);
      this._paint({ keepPlace: true });
    } catch (error) {
      this.failed("kernel", error);
    }
  }

  _intervalsHere() {
    const { position, filter } = this;
    return this.intervals.find(
      (item) =>
        samePosition(item.position, position) &&
        JSON.stringify(item.slice) === JSON.stringify(filter.slice),
    );
  }

  async _listSlices() {
    try {
      openSlices(this.panel, await this.source.slices(), (slice) => this.narrow({ slice }));
    } catch (error) {
      this.failed("kernel", error);
    }
  }

  async _askIntervals(position, slice) {
    try {
      const [{ intervals }] = await this.source.ask("intervals", { position, slice });
      this.intervals = [this.intervals[0], { position, slice, of: intervals }];
      if (!this.closed) this._showFigures();
    } catch (error) {
      this.failed("kernel", error);
    }
  }

  // -- filters ------------------------------------------------------------------------------------------
  // Change the filter. A label replaces a cell of the matrix, like a cell replaces the label.
  narrow(change) {
    const { pair, sort } = this.filter;
    const isInCell = pair && change.pair === undefined;
    const leaves = isInCell && change.label !== undefined;
    this.filter = {
      ...(leaves ? { ...(this.before ?? NO_FILTER), pair: null, sort } : this.filter),
      ...change,
    };
    this._narrowed(isInCell && !leaves ? this.before : null);
  }

  _narrowed(before) {
    this.before = before;
    this._paint({ keepPlace: false });
    clearTimeout(this.narrowing);
    this.narrowing = setTimeout(() => {
      this._send("filter", { filter: this.filter });
      if (!this._intervalsHere()) this._rested();
    }, REST);
  }

  // A cell of the matrix replaces all other filters except the slice, so that exactly the images it counts are shown.
  // null restores them.
  _showCell(cell) {
    const before = this.before ?? this.filter;
    const { slice, sort } = this.filter;
    this.filter = cell
      ? { ...NO_FILTER, show: "all", slice, sort, ...cell }
      : { ...(this.before ?? NO_FILTER), slice };
    this._narrowed(cell ? before : null);
  }

  _cellText() {
    const {
      filter: { pair, label, show: shown },
      facts: { rows, columns },
    } = this;
    if (pair) return this.matrix.textOf(rows.indexOf(pair[0]), columns.indexOf(pair[1]));
    return this.before ? `\u2068${label}\u2069: ${RESULT_WORDS[shown]}` : null;
  }

  // While a slider moves, images and rows out of view are shown in the frame after the numbers, so that numbers never
  // wait for them.
  _paint({ keepPlace, isMoving = false }) {
    const { engine, filter } = this;
    if (!engine) return;
    if (engine.choose(filter.slice)) {
      this.state = engine.state(this.position);
      this.table.state = this.state;
      if (!isMoving) this.table.settle();
    }
    const { state } = this;
    const label = labelAt(engine, filter.label) === null ? null : filter.label;
    const bits = engine.bits(state, labelAt(engine, label));
    this._showFigures();
    this.controls.show(state, label);
    this.table.show(state, label, { isMoving });
    for (const node of this.comparison.querySelectorAll(".elsewhere"))
      show(
        node,
        Boolean(filter.slice) || !samePosition(state.position, this.actions.compared.position),
      );
    this.matrix.show(engine.matrix(state), state, filter);
    this._showCurves(label);
    this.filters.show(
      filter,
      countsOf(engine, bits, engine.facts.groups, label !== null),
      this._cellText(),
      this.before,
    );
    this.paintImages = () => {
      this.paintImages = null;
      this.matrix.followTheme();
      this.table.showRest();
      this.gallery.show(chooseImages(engine, state, filter), state, {
        keepPlace,
        words: this._emptyWords(),
      });
      this._showWork();
      if (this.viewer.isOpen) this.viewer.refresh(state);
    };
    if (isMoving && !document.hidden) this._paintImagesNext();
    else this.paintImages();
  }

  // Show the images in the frame after the numbers, or after those of the next moves if these come in each frame.
  _paintImagesNext() {
    const now = performance.now();
    if (!this.imageFrame) this.imagesSince = now;
    else if (now - this.imagesSince < IMAGES_WAIT) cancelAnimationFrame(this.imageFrame);
    else return;
    this.imageFrame = requestAnimationFrame(() => {
      this.imageFrame = requestAnimationFrame(() => {
        this.imageFrame = null;
        this.paintImages?.();
      });
    });
  }

  _showFigures() {
    const { facts, state } = this;
    const isOther = !this.source.isLive && !samePosition(state.position, facts.own.position);
    for (const item of [this.adviceButton, this.sliceButton]) item.disabled = isOther;
    const values = {
      ...state.means,
      mAP: state.mAP,
      mAR: state.mAR,
      accuracy: state.accuracy,
      coco_map: this.filter.slice ? null : facts.coco_map, // of the kernel
    };
    const intervals = this._intervalsHere()?.of ?? {};
    const notes = [];
    const { n, size } = this.engine;
    const part = this.filter.slice ? `${numberText(size)} of ` : "";
    setText(this.count, `${part}${imagesText(n).replace("image", "test image")} · `);
    for (const [name, { value, interval }] of Object.entries(this.means)) {
      setText(value, metricText(values[name]));
      const note = intervals[name] ? certaintyText(intervals[name], size) : "";
      const text = intervals[name] ? ` ${intervalText(intervals[name])}` : "";
      setText(interval, note ? `${text}*` : text);
      interval.title = `95% confidence interval. ${note}`.trim();
      notes.push(note);
    }
    const [note] = notes.filter(Boolean);
    setText(this.certainty, note ? `* ${note}` : "");
    show(this.certainty, Boolean(note));
  }

  _showCurves(label) {
    const { engine, state, position } = this;
    const index = labelAt(engine, label);
    const key = `${position.iou_threshold} ${index} ${engine.chosen}`;
    if (this.curveKey !== key || this.curveEngine !== engine) {
      this.curve = engine.curve(position.iou_threshold, index);
      this.curveKey = key;
      this.curveEngine = engine;
    }
    const now =
      index === null
        ? state.means
        : { f1: state.f1[index], precision: state.precision[index], recall: state.recall[index] };
    this.curves.show({
      curve: this.curve,
      threshold: this.controls.shownThreshold(),
      now,
      title: [
        label ?? "mean of all labels",
        ...(this.filter.slice ? [this.filter.slice.join(": ")] : []),
      ].join(" · "),
      isOn:
        position.mode === ONE ||
        (index !== null && ![CROSS_VALIDATED, MOST_CONFIDENT].includes(position.mode)),
      isMarked: position.mode !== MOST_CONFIDENT,
    });
  }

  _emptyWords() {
    const { show: shown, label, pair, slice, search, images } = this.filter;
    if (label !== null || pair || slice || search || images) return "No test images match.";
    return shown === "mistakes"
      ? "No mistakes. Select “all” to show all test images."
      : "No images.";
  }

  // Return the images that buttons apply to: the selection, or the shown images. To fix ground truth, images with a
  // mistake, suspected labels first.
  _worked(isFix = false) {
    const { chosen, images } = this.gallery;
    const suspects = new Set(this.facts.groups.suspects);
    const some = chosen.length
      ? chosen
      : images.filter((image) => !isFix || this.isDoubtful(image, suspects)).slice(0, MOST_FIXED);
    return [...some].sort((a, b) => Number(suspects.has(b)) - Number(suspects.has(a)));
  }

  isDoubtful(image, suspects = new Set(this.facts.groups.suspects)) {
    return this.engine.isWrong(this.state, image) || suspects.has(image);
  }

  _showWork() {
    const what = this.gallery.selection.size ? "selected" : "shown";
    const fixed = this._worked(true);
    const suspects = new Set(this.facts.groups.suspects);
    const words = fixed.every((image) => this.isDoubtful(image, suspects))
      ? "Fix ground truth of"
      : "Relabel";
    for (const [node, text, { length }] of [
      [this.fixButton, words, fixed],
      [this.addButton, "Train on", this._worked()],
    ]) {
      setText(node, `${text} ${numberText(length)} ${what}…`);
      node.disabled = !length;
    }
    show(this.fixButton, this.can("open_images") && fixed.length > 0);
    this._showCrops();
  }

  // Offer the mistakes of the shown boxes as crops.
  _showCrops() {
    const { facts, filter, gallery } = this;
    const isOffered = this.engine.isDetection && this.can("open_images") && gallery.images.length;
    const mistakes = isOffered ? mistakesOf(filter, facts.rows.at(-1)) : [];
    const key = JSON.stringify(mistakes);
    if (key === this.cropKey) return;
    this.cropKey = key;
    const open = (mistake) =>
      this.actions.crops(gallery.chosen.length ? gallery.chosen : gallery.images, mistake);
    this.cropBar.replaceChildren(
      ...(mistakes.length > 1 ? [element("span", { text: "Open as crops: " })] : []),
      ...mistakes.map((mistake) =>
        button(
          mistakes.length > 1 ? mistake.mistake : "Open as crops",
          "See and correct each of these boxes of the selected or shown images",
          () => open(mistake),
        ),
      ),
    );
  }

  _selected(images) {
    this._showWork();
    this._send("select", { images });
  }

  // -- image view ---------------------------------------------------------------------------------------
  openImage(image) {
    this.viewer.open(this.engine, this.state, image, this.gallery.pictures.get(image));
  }

  _step(by) {
    const { images } = this.gallery;
    const index = images.indexOf(this.viewer.image);
    const next = index < 0 ? this.gallery.focus : index + by;
    if (next < 0 || next >= images.length) return;
    this.gallery.focus = next;
    this.gallery.first = Math.floor(next / this.gallery.size) * this.gallery.size;
    this.gallery.paint();
    this.openImage(images[next]);
  }

  // -- labels corrected elsewhere -----------------------------------------------------------------------
  _refreshSoon() {
    clearTimeout(this.looking);
    if (this.closed || !this.can("evaluate_again")) return;
    this.looking = setTimeout(() => this.lookForChanges(), LOOK_EACH);
  }

  async lookForChanges() {
    if (this.closed) return;
    try {
      if (!document.hidden) {
        const [{ text }] = await this.source.ask("changed", {});
        this.notices.drop("kernel");
        if (text && text !== this.changed)
          this.notices.say("changed", `${text}.`, {
            step: { label: "Evaluate again", run: () => this.judgeAgain() },
          });
        if (!text) this.notices.drop("changed");
        this.changed = text;
      }
    } catch (error) {
      this.failed("kernel", error);
    }
    this._refreshSoon();
  }

  async judgeAgain() {
    this.notices.say("changed", "Evaluating…");
    try {
      this._renew(await this.source.refresh());
    } catch (error) {
      this.failed("changed", error);
    }
  }

  async reload() {
    this._renew(await this.source.hello());
  }

  _renew(content) {
    this._take(content);
    this.notices.drop("changed");
    this.changed = "";
    this._loadRest();
  }

  // -- requests to the kernel ---------------------------------------------------------------------------
  async _send(kind, content) {
    if (!this.source.isLive) return;
    try {
      await this.source.ask(kind, content);
      this.notices.drop("kernel");
    } catch (error) {
      this.failed("kernel", error);
    }
  }

  failed(key, error) {
    if (this.closed) return;
    const text =
      error instanceof KernelGone
        ? "The kernel does not respond. Sliders still work, but images cannot be opened and " +
          "nothing can be saved. Run the cell again to continue."
        : error.message;
    this.notices.say(key === "rest" ? "kernel" : key, text, { kind: "error" });
  }

  _pushed(message) {
    if (!this.engine || this.closed) return;
    if (message.push === "position") {
      this.move(message.position, true);
    } else if (message.push === "filter") {
      Object.assign(this.facts.groups, message.groups);
      [this.filter, this.before] = [message.filter, null];
      this._paint({ keepPlace: false });
    } else if (message.push === "select") {
      const names = new Set(message.images);
      this.gallery.select(
        [...this.facts.images.keys()].filter((index) => names.has(this.facts.images[index])),
      );
      this._showWork();
    } else if (message.push === "renew") this._open();
  }

  _fit() {
    const width = this.root.clientWidth;
    if (!width) return;
    this.root.classList.toggle("narrow", width < 700);
    this.root.classList.toggle("compact", width < 1_100); // metrics below the name and the buttons
    this.root.classList.toggle("medium", width < 900);
    this.root.style.setProperty("--clnb-table", `${this.table.leastWidth}px`);
    this.root.classList.toggle(
      "stacked",
      width < 900 || this.table.leastWidth > TABLE_SHARE * width,
    );
    this.matrix.fit();
    this.gallery.fit(width - 24);
  }

  close() {
    this.closed = true;
    this.paintImages = null;
    for (const timer of [this.resting, this.narrowing, this.looking]) clearTimeout(timer);
    this.resizing.disconnect();
    this.theming.disconnect();
    this.gallery.close();
    this.source.close();
    this.root.remove();
  }
}
