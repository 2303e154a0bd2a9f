// The annotator: one image large, boxes and polygons drawn wholly in the page. The kernel (annotator.py) only stores.

import { dataUri, element, keepKeys, keyHint, setText, show } from "./shared/dom.js";
import { clipBox, fittedTo, isTooSmall, moved } from "./shared/geometry.js";
import { Notices } from "./shared/notices.js";
import { Panel } from "./shared/panel.js";
import { KernelGone, makeRequester } from "./shared/requests.js";
import { openInstructions } from "./gallery/panels.js";
import { Listing } from "./gallery/listing.js";
import { Canvas } from "./annotator/canvas.js";
import { Drawing, HINT_SMALL } from "./annotator/drawing.js";
import { DRAWING_HELP, drawingCommand } from "./annotator/keys.js";
import { KeyboardBox } from "./annotator/keyboard_box.js";
import { Saving } from "./annotator/saving.js";
import { Sheet } from "./annotator/sheet.js";
import { LeftSide, RightSide } from "./annotator/sides.js";
import { Strip } from "./annotator/strip.js";

const STRIP_SIZE = 24; // images of one page of the filmstrip
const LOOKED_AHEAD = 2; // images whose pictures are fetched before they are wanted
const SHEETS_KEPT = 8;
const ANNOTATOR_FOLLOWS_EVERY = 2_000;

class Annotator {
  constructor(model, el) {
    this.model = model;
    this.request = makeRequester(model);
    this.listing = new Listing(this.request, () => 160);
    this.listing.size = STRIP_SIZE;
    this.sheets = new Map(); // name → Promise of { sheet, predictions, view }
    this.place = 0;
    this.info = null;
    this.label = null;
    this.hidden = new Set();
    this.locked = new Set();
    this.clipboard = null;
    this.predictions = [];
    this.selectedPrediction = null;
    this.going = 0;
    this.closed = false;
    this.drawing = new Drawing({
      label: () => this.label,
      usable: (shape) => !this.hidden.has(shape.label) && !this.locked.has(shape.label) && !this.info?.read_only,
      hint: (text) => this.notices.say("hint", text),
    });
    this.keyboardBox = new KeyboardBox();
    this._build(el);
    this.onPush = (message) => { if (message?.push) this._pushed(message); };
    model.on("msg:custom", this.onPush);
    this.follower = setInterval(() => this._follow(), ANNOTATOR_FOLLOWS_EVERY);
    this._hello();
  }

  _build(el) {
    this.root = keepKeys(element("div", {
      class: "clnb clnb-annotator loading", tabIndex: 0, attributes: { role: "application", "aria-label": "boxes and polygons on images" },
      on: { keydown: (event) => this._key(event), keyup: (event) => { if (event.key === " ") this._holdSpace(false); }, blur: () => this._holdSpace(false) },
    }));
    const leave = () => this.root.focus({ preventScroll: true });
    this.panel = new Panel({ onClose: leave });
    this.notices = new Notices();
    const button = (text, title, action, more = {}) => element("button", { type: "button", text, title, on: { click: () => { leave(); action(); } }, ...more });
    this.title = element("strong", {}, element("bdi", {}));
    this.size = element("span", { class: "faint" });
    this.zoomed = button("", "fit (F)", () => this.canvas.fit());
    this.nextButton = button("Next ›", "save and go on (Page Down)", () => this.turn(1), { class: "primary" });
    this.header = element(
      "div", { class: "band toolbar" }, this.title, this.size, element("span", { class: "spring" }),
      button("↶", "undo (Ctrl Z)", () => this._takeBack("undo"), { attributes: { "aria-label": "undo" } }),
      button("↷", "redo (Ctrl Shift Z)", () => this._takeBack("redo"), { attributes: { "aria-label": "redo" } }),
      this.zoomed, button("‹ Previous", "the image before (Page Up)", () => this.turn(-1)), this.nextButton,
      button("Done", "to the first image that nobody has looked at", () => this._done()),
    );
    this.left = new LeftSide({
      leave,
      label: (label) => this._chooseLabel(label),
      add: (label) => this._addLabel(label),
      tool: (tool) => this._useTool(tool),
      fit: () => this.canvas.fit(),
      guides: () => this._toggleGuides(),
      filter: (filter) => this.canvas.setFilter(filter),
      instructions: () => this._instructions(),
    });
    this.right = new RightSide({
      leave,
      select: (index) => { this.sheet.select(index); this._shown(); },
      accept: (index) => this._acceptPrediction(index),
      number: (name, value) => this._setNumber(name, value),
      toggleLabel: (label) => this._toggleWhole(label),
      status: (status) => this._setStatus(status),
    });
    this.canvas = new Canvas({
      drawing: this.drawing,
      scene: () => ({ predictions: this.predictions, selectedPrediction: this.selectedPrediction, colourOf: (label) => this._colourOf(label), isHidden: (shape) => this.hidden.has(shape.label) }),
      on: {
        press: () => { leave(); this.selectedPrediction = null; },
        changed: () => this._changed(),
        selected: () => this._shown(),
        zoomed: (scale) => setText(this.zoomed, `${Math.round(100 * scale * (globalThis.devicePixelRatio || 1))} %`),
        detail: (region, pixels) => this._detail(region, pixels),
      },
    });
    this.empty = element("div", { class: "empty", hidden: true });
    this.strip = new Strip((place) => { leave(); this.go(place); });
    this.position = element("span", { class: "position" });
    this.bar = element("span", { class: "bar" }, element("span"));
    this.hints = element("span", { class: "hints" }, keyHint("1–9"), " label ", keyHint("Tab"), " next shape ", keyHint("⌫"), " delete ", keyHint("Ctrl Z"), " undo ", keyHint("Space"), " pan ", keyHint("?"), " all keys");
    this.state = element("span", { class: "state", attributes: { role: "status" } });
    this.foot = element("div", { class: "band foot" }, this.position, this.bar, this.hints, this.state);
    this.root.append(
      this.header, this.notices.node,
      element("div", { class: "desk" }, this.left.node, element("div", { class: "middle" }, this.canvas.node, this.empty), this.right.node),
      this.strip.node, this.foot, this.panel.node,
    );
    this.narrowing = new ResizeObserver(() => this.root.classList.toggle("narrow", this.root.clientWidth < 760));
    this.narrowing.observe(this.root);
    el.append(this.root);
  }

  close() {
    this.closed = true;
    clearInterval(this.follower);
    this.narrowing.disconnect();
    this.canvas.close();
    this.listing.close();
    this.saving?.close();
    this.model.off("msg:custom", this.onPush);
    this.request.close();
    this.root.remove();
  }

  // -- between page and kernel ------------------------------------------------------------------------
  async _hello() {
    try {
      [this.info] = await this.request("hello", {});
      if (this.closed) return;
      this.label ??= this.info.labels[0]?.label ?? null;
      this._useTool(this.info.task === "polygons" ? "polygon" : "box");
      this.saving ??= new Saving({ request: this.request, screen: this, key: this.info.key });
      await this.show({ place: this.info.place });
    } catch (error) {
      if (this.closed) return;
      const gone = error instanceof KernelGone;
      this._say(gone ? "The kernel doesn't answer. Run the cell again to go on; nothing that was saved is lost." : error.message, gone ? { label: "Try again", run: () => this._hello() } : null);
    } finally {
      this.root.classList.remove("loading");
    }
  }

  async show(change) {
    const wanted = { split: this.info.split, query: this.info.query, place: this.place, size: STRIP_SIZE, pixels: 160, ...change };
    const [answer, buffers] = await this.request("show", wanted);
    if (this.closed) return;
    Object.assign(this.info, answer.info);
    this.listing.begin(answer.info.view, answer.page, buffers, STRIP_SIZE);
    this.sheets.clear();
    await this.go(Math.min(Math.max(wanted.place, 0), Math.max(0, this.listing.total - 1)));
  }

  // To an image: what is known of it is shown at once, the rest when it comes.
  async go(place) {
    const { listing } = this;
    if (!listing.total) {
      this._say(this.info.statuses && Object.values(this.info.statuses).some(Boolean) ? "No image fits what is to be shown." : "There are no images here yet: project.add_images(…) takes them in.");
      this._shown();
      return;
    }
    const turn = (this.going += 1);
    this.place = place;
    this.drawing.cancel();
    const waiting = setTimeout(() => this.root.classList.add("waiting"), 150);
    try {
      await listing.load(listing.startOf(place));
      listing.start = listing.startOf(place);
      const row = listing.rowAt(place);
      if (turn !== this.going || this.closed || !row) return;
      this._showStrip();
      const loaded = await this._loaded(row.name);
      if (turn !== this.going || this.closed) return;
      this._open(loaded);
      this._lookAhead(place);
      this.request("select", { view: listing.view, ranges: [], focus: place, place: listing.start }).catch(() => {});
    } catch (error) {
      if (turn !== this.going || this.closed) return;
      this.sheet = null;
      this.drawing.show(null);
      this.canvas.hide();
      this._say(error instanceof KernelGone ? "The kernel doesn't answer; this image wasn't loaded yet." : error.message, { label: "Next image", run: () => this.turn(1) });
      this._shown();
    } finally {
      clearTimeout(waiting);
      if (turn === this.going) this.root.classList.remove("waiting");
    }
  }

  _loaded(name) {
    if (!this.sheets.has(name)) {
      const pixels = Math.ceil(Math.max(this.canvas.size.width, 800) * (globalThis.devicePixelRatio || 1));
      const loading = this.request("image", { image: name, pixels }).then(([facts, [bytes]]) => {
        const view = { uri: dataUri(bytes, facts.mime), width: facts.view_width, height: facts.view_height };
        return { sheet: new Sheet({ name, width: facts.width, height: facts.height }, facts), predictions: facts.predictions, view };
      });
      loading.catch(() => this.sheets.delete(name));
      this.sheets.set(name, loading);
      for (const key of this.sheets.keys()) {
        if (this.sheets.size <= SHEETS_KEPT) break;
        if (key !== name && !this.saving.isPending(key)) this.sheets.delete(key);
        else break;
      }
    }
    return this.sheets.get(name);
  }

  _lookAhead(place) {
    for (let step = 1; step <= LOOKED_AHEAD; step += 1) {
      const row = this.listing.rowAt(place + step);
      if (row) this._loaded(row.name).then(({ view }) => { const image = new Image(); image.src = view.uri; return image.decode?.(); }).catch(() => {});
    }
    this.listing.load(this.listing.start + STRIP_SIZE).catch(() => {});
  }

  _open({ sheet, predictions, view }) {
    const same = this.sheet?.image.name === sheet.image.name;
    this.sheet = sheet;
    this.predictions = sheet.shapes.length || sheet.status === "labelled" ? [] : predictions.map((shape) => ({ ...shape, predicted: true }));
    this.selectedPrediction = null;
    this.keyboardBox.cancel();
    this.drawing.show(sheet);
    show(this.empty, false);
    this.canvas.node.hidden = false;
    if (!same) this.canvas.measure();
    this.canvas.show(sheet.image, view);
    this._shown();
  }

  turn(by) {
    const target = this.place + by;
    if (target < 0 || target >= this.listing.total) {
      this.notices.say("end", by > 0 ? "That was the last image." : "This is the first image.", { step: by > 0 && this.info.statuses.unlabelled ? { label: "Show what nobody has looked at", run: () => this._done() } : null });
      return;
    }
    this.notices.drop("hint");
    this.go(target);
  }

  _done() {
    this.show({ query: { ...this.info.query, show: this.info.query.show === "unlabelled" ? "all" : "unlabelled" }, place: 0 }).catch(() => {});
  }

  async _follow() {
    if (!this.info || this.closed || document.hidden || this.following) return;
    this.following = true;
    try {
      const [news] = await this.request("follow", { images: this.listing.namesOnPage() });
      if (this.closed) return;
      this.notices.drop("gone");
      this.saving.tellState();
      if (this.saving.queue.state === "lost") this.saving.queue.retryNow();
      if (!news.info) return;
      Object.assign(this.info, news.info);
      this.listing.renew(news.rows);
      this._forgetStale();
      this._shown();
    } catch (error) {
      if (!this.closed && error instanceof KernelGone) this.showLost();
    } finally {
      this.following = false;
    }
  }

  // Sheets of images that somebody else changed are read again; the one in work says so first.
  async _forgetStale() {
    for (const [name, loading] of this.sheets) {
      const row = this.listing.rows.get(name);
      const { sheet } = await loading.catch(() => ({}));
      if (!row || !sheet || row.revision === sheet.revision || this.saving.isPending(name)) continue;
      this.sheets.delete(name);
      if (name === this.sheet?.image.name && !this.drawing.isBusy) {
        this.notices.say("theirs", "Somebody else changed this image; theirs is shown.");
        this._open(await this._loaded(name));
      }
    }
  }

  showLost() {
    this.showState("lost", this.saving?.queue.size ?? 0);
    this.notices.say("gone", "The kernel doesn't answer. What you draw is kept in this page and sent when this cell runs again.", { kind: "error" });
  }

  showState(state, waiting) {
    this.state.className = `state ${state}`;
    setText(this.state, { saved: "saved", saving: "saving…" }[state] ?? `not saved — the kernel doesn't answer; kept in this page (${waiting})`);
  }

  stored(answer, edit) {
    Object.assign(this.info, answer.info);
    this.listing.renew(answer.rows);
    if (answer.conflict) this._conflict(answer, edit);
    else this.sheets.get(answer.image)?.then(({ sheet }) => { sheet.revision = answer.revision; }).catch(() => {});
    this._showStrip();
    this._showCounts();
  }

  // Both at hand: theirs is shown, and one click puts mine over it.
  async _conflict(answer, edit) {
    this.sheets.delete(answer.image);
    const count = (shapes) => `${shapes.length} ${shapes.length === 1 ? "shape" : "shapes"}`;
    const here = answer.image === this.sheet?.image.name;
    if (here) this._open(await this._loaded(answer.image));
    const theirs = here ? ` Theirs (${count(this.sheet.shapes)}) is shown, yours has ${count(edit.shapes)}.` : "";
    this.notices.say("conflict", `Somebody else changed ${answer.short} meanwhile; yours was not saved.${theirs}`, {
      kind: "error",
      step: { label: "Use mine", run: async () => {
        const { sheet } = await this._loaded(answer.image);
        sheet.change({ shapes: edit.shapes, labels: edit.labels, status: edit.status, selected: null });
        this.saving.save(edit.split, sheet);
        this._shown();
      } },
    });
  }

  refused(edit) {
    this.sheets.delete(edit.image);
    if (edit.image === this.sheet?.image.name) this.go(this.place);
  }

  _pushed(message) {
    if (message.push === "show") this.show(message.change).catch(() => {});
    else if (message.push === "go") this.go(message.place);
  }

  async _detail(region, pixels) {
    const [{ mime }, [bytes]] = await this.request("region", { image: this.sheet.image.name, region, pixels });
    return dataUri(bytes, mime);
  }

  // -- showing ----------------------------------------------------------------------------------------
  _colourOf(label) {
    return this.info?.labels.find((own) => own.label === label)?.colour ?? "#6b7280";
  }

  _shown() {
    const { sheet } = this;
    const row = this.listing.rowAt(this.place);
    setText(this.title.firstChild, row?.short ?? "");
    this.title.title = row?.name ?? "";
    setText(this.size, sheet ? `${sheet.image.width} × ${sheet.image.height}` : "");
    this._showLeft();
    this.right.update({
      sheet, predictions: this.predictions, colourOf: (label) => this._colourOf(label), labels: this.info?.labels ?? [],
      readOnly: Boolean(this.info?.read_only), showWhole: Boolean(sheet?.labels.length || this.showWhole),
    });
    this._showCounts();
    this.canvas.paintSoon();
  }

  _showLeft() {
    if (!this.info) return;
    const counts = new Map();
    for (const { label } of this.sheet?.shapes ?? []) counts.set(label, (counts.get(label) ?? 0) + 1);
    this.left.update({
      labels: this.info.labels, current: this.label, counts, hidden: this.hidden, locked: this.locked, tool: this.drawing.tool,
      guides: this.canvas.guides, instructions: this.info.instructions, readOnly: this.info.read_only,
    });
  }

  _showCounts() {
    const statuses = this.info?.statuses ?? {};
    const total = Object.values(statuses).reduce((sum, count) => sum + count, 0);
    const left = statuses.unlabelled ?? 0;
    const { total: shown } = this.listing;
    setText(this.position, shown ? `${(this.place + 1).toLocaleString("en")} of ${shown.toLocaleString("en")} · ${left.toLocaleString("en")} left` : "nothing to show");
    this.bar.firstChild.style.width = total ? `${(100 * (total - left)) / total}%` : "0";
  }

  _showStrip() {
    const { listing } = this;
    const frames = [];
    for (let place = listing.start; place < listing.end; place += 1) {
      const row = listing.rowAt(place);
      if (row) frames.push({ place, row, uri: listing.pictures.get(row.name), failure: listing.pictures.failure(row.name) });
    }
    this.strip.update(frames, this.place);
  }

  _say(text, step = null) {
    show(this.empty, true);
    this.canvas.node.hidden = true;
    this.empty.replaceChildren(element("p", { text }), ...(step ? [element("button", { type: "button", text: step.label, on: { click: step.run } })] : []));
  }

  // -- changes ----------------------------------------------------------------------------------------
  // The sheet was changed: save it, show it.
  _changed() {
    const { sheet } = this;
    const row = this.listing.rows.get(sheet.image.name);
    if (row) this.listing.rows.set(row.name, { ...row, status: sheet.status, labels: [...sheet.labels], boxes: sheet.shapes.map(({ label }) => label) });
    this.notices.drop("hint");
    this.saving.save(this.info.split, sheet);
    this._showStrip();
    this._shown();
  }

  _chooseLabel(label) {
    this.label = label;
    const { sheet } = this;
    if (sheet?.shape && sheet.shape.label !== label && !this.info.read_only) {
      sheet.replace(sheet.selected, { ...sheet.shape, label });
      this._changed();
    } else this._shown();
  }

  async _addLabel(name) {
    try {
      const [{ info, label }] = await this.request("add label", { label: name });
      Object.assign(this.info, info);
      this._chooseLabel(label);
    } catch (error) {
      this.notices.say("label", `Not added: ${error.message}`, { kind: "error" });
    }
  }

  _toggleWhole(label) {
    const { sheet } = this;
    if (!sheet || this.info.read_only) return;
    const labels = sheet.labels.includes(label) ? sheet.labels.filter((own) => own !== label) : [...sheet.labels, label];
    sheet.change({ labels });
    this._changed();
  }

  _setStatus(status) {
    const { sheet } = this;
    if (!sheet || this.info.read_only) return;
    const bare = !sheet.shapes.length && !sheet.labels.length;
    if (status === "labelled" && !bare) {
      this.notices.say("hint", "There is something here: remove it first.");
      return;
    }
    const back = bare ? "unlabelled" : "labelled";
    sheet.change({ status: sheet.status === status ? back : status });
    if (status === "labelled") this.predictions = [];
    this._changed();
  }

  _setNumber(name, value) {
    const { sheet } = this;
    if (!sheet?.shape || !Number.isFinite(value)) return;
    const box = clipBox({ ...sheet.shape, [name]: value }, sheet.image);
    if (isTooSmall(box)) this.notices.say("hint", HINT_SMALL);
    else {
      sheet.replace(sheet.selected, fittedTo(sheet.shape, box));
      this._changed();
    }
    this._shown();
  }

  _acceptPrediction(index) {
    const shape = this.predictions[index];
    if (!shape || this.info.read_only) return;
    this._accept([shape]);
  }

  _accept(shapes) {
    const plain = shapes.map(({ label, left, top, width, height, polygon }) => ({ label, ...clipBox({ left, top, width, height }, this.sheet.image), polygon }));
    const good = plain.filter((shape) => !isTooSmall(shape));
    this.predictions = this.predictions.filter((shape) => !shapes.includes(shape));
    this.selectedPrediction = null;
    if (!good.length) return;
    this.sheet.change({ shapes: [...this.sheet.shapes, ...good], selected: null });
    this._changed();
  }

  _takeBack(kind) {
    if (kind === "undo" && this.drawing.dropCorner()) {
      this.canvas.paintSoon();
    } else if (this.sheet?.[kind]()) this._changed();
    else this.notices.say("hint", `There is nothing to ${kind} on this image.`);
  }

  _useTool(tool) {
    this.drawing.cancel();
    this.drawing.tool = tool;
    this._shown();
  }

  _toggleGuides() {
    this.canvas.guides = !this.canvas.guides;
    this._shown();
  }

  _instructions() {
    openInstructions(this.panel, this.info.instructions, {
      readOnly: this.info.read_only,
      save: async (text) => { const [{ info }] = await this.request("instructions", { text }); Object.assign(this.info, info); this._shown(); },
      loadPicture: async (path) => { const [{ mime }, [bytes]] = await this.request("picture", { path }); return dataUri(bytes, mime); },
    });
  }

  // -- keys -------------------------------------------------------------------------------------------
  _holdSpace(held) {
    this.canvas.spaceHeld = held;
    this.canvas.node.style.cursor = held ? "grab" : "";
  }

  _key(event) {
    if (!this.info || event.defaultPrevented || event.target.closest("input, select, textarea")) return;
    const onButton = event.target.closest("button, a");
    if (onButton && (event.key === "Enter" || event.key === " " || event.key === "Tab")) return;
    if (event.key === " ") {
      event.preventDefault();
      event.stopPropagation();
      this._holdSpace(true);
      return;
    }
    const command = drawingCommand(event);
    if (!command || (command.do === "cycle" && this._leavesByTab(command.by))) return;
    event.preventDefault();
    event.stopPropagation();
    this._do(command);
  }

  // Tab goes through the shapes; after Esc, or where there are none, on to the next element as everywhere.
  _leavesByTab() {
    if (this.leaving || !this.sheet || !(this.sheet.shapes.length + this.predictions.length)) {
      this.leaving = false;
      return true;
    }
    return false;
  }

  _do(command) {
    if (command.do !== "escape") this.leaving = false;
    const changes = new Set(["remove", "paste", "duplicate", "undo", "redo", "accept all", "status", "keyboard box"]);
    if (this.info.read_only && changes.has(command.do)) return;
    const actions = {
      label: () => { const own = this.info.labels[command.number - 1]; if (own) this._chooseLabel(own.label); },
      tool: () => this._useTool(command.tool),
      find: () => this.left.find(),
      arrow: () => this._arrow(command.by),
      cycle: () => this._cycle(command.by),
      enter: () => this._enter(),
      escape: () => this._escape(),
      remove: () => this._remove(),
      copy: () => { if (this.sheet?.shape) this.clipboard = this.sheet.shape; },
      paste: () => this._paste(this.clipboard),
      duplicate: () => this._paste(this.sheet?.shape, 10),
      undo: () => this._takeBack("undo"),
      redo: () => this._takeBack("redo"),
      "accept all": () => { if (this.predictions.length) this._accept([...this.predictions]); },
      status: () => this._setStatus(command.status),
      turn: () => this.turn(command.by),
      zoom: () => this.canvas.zoom(command.by, this.canvas.at ?? undefined),
      fit: () => this.canvas.fit(),
      "one to one": () => this.canvas.oneToOne(),
      guides: () => this._toggleGuides(),
      hide: () => this._toggleIn(this.hidden),
      lock: () => this._toggleIn(this.locked),
      "keyboard box": () => this._startKeyboardBox(),
      help: () => this._help(),
    };
    actions[command.do]();
    this.canvas.paintSoon();
  }

  _toggleIn(set) {
    if (!this.label) return;
    if (!set.delete(this.label)) set.add(this.label);
    if (this.sheet?.shape && set.has(this.sheet.shape.label)) this.sheet.select(null);
    this._shown();
  }

  _startKeyboardBox() {
    if (!this.sheet) return;
    if (!this.label) {
      this.notices.say("hint", "Choose or add a label first.");
      return;
    }
    const [x, y] = this.canvas.camera.toImage([this.canvas.size.width / 2, this.canvas.size.height / 2]);
    this.keyboardBox.begin([x, y], this.sheet.image);
    this._showKeyboardBox();
  }

  _showKeyboardBox() {
    const box = this.keyboardBox.box;
    this.drawing.gesture = box ? { kind: "box", moved: true, index: null, shape: { label: this.label, polygon: null, ...box } } : null;
    if (box) this.notices.say("hint", this.keyboardBox.words);
    else this.notices.drop("hint");
    this.canvas.paintSoon();
  }

  _arrow([dx, dy]) {
    const { sheet } = this;
    if (this.keyboardBox.isOn) {
      this.keyboardBox.move(dx, dy);
      this._showKeyboardBox();
    } else if (sheet?.shape && !this.info.read_only) {
      sheet.replace(sheet.selected, moved(sheet.shape, dx, dy, sheet.image));
      this._changed();
    } else if (dx) this.turn(Math.sign(dx));
  }

  _cycle(by) {
    const { sheet } = this;
    const usable = (shape) => this.drawing.usable(shape);
    const count = this.predictions.length;
    const usableCount = sheet.shapes.filter(usable).length;
    const total = usableCount + count;
    if (!total) return;
    // shapes first, then what is predicted
    const order = [...sheet.shapes.map((shape, index) => (usable(shape) ? ["shape", index] : null)).filter(Boolean), ...this.predictions.map((_, index) => ["prediction", index])];
    const at = order.findIndex(([kind, index]) => (kind === "shape" ? index === sheet.selected : index === this.selectedPrediction));
    const [kind, index] = order[at < 0 ? (by > 0 ? 0 : total - 1) : (at + by + total) % total];
    sheet.select(kind === "shape" ? index : null);
    this.selectedPrediction = kind === "prediction" ? index : null;
    this._shown();
  }

  _enter() {
    if (this.keyboardBox.isOn) {
      const box = this.keyboardBox.enter();
      this._showKeyboardBox();
      if (!box) return;
      if (isTooSmall(box)) this.notices.say("hint", HINT_SMALL);
      else {
        this.sheet.add({ label: this.label, polygon: null, ...box }, { select: true });
        this._changed();
      }
    } else if (this.drawing.corners) {
      if (this.drawing.closePolygon()) this._changed();
    } else if (this.selectedPrediction !== null) this._acceptPrediction(this.selectedPrediction);
    else this.turn(1);
  }

  _escape() {
    if (this.keyboardBox.isOn) {
      this.keyboardBox.cancel();
      this._showKeyboardBox();
    } else if (!this.drawing.cancel()) {
      if (this.sheet?.shape || this.selectedPrediction !== null) {
        this.sheet.select(null);
        this.selectedPrediction = null;
      }
      this.leaving = true;
    }
    this._shown();
  }

  _remove() {
    const { sheet } = this;
    if (this.drawing.dropCorner()) return;
    if (this.selectedPrediction !== null) {
      this.predictions = this.predictions.filter((_, index) => index !== this.selectedPrediction);
      this.selectedPrediction = null;
      this._shown();
    } else if (sheet?.shape) {
      sheet.remove(sheet.selected);
      this._changed();
    }
  }

  // On the image that is shown, inside it, and selected so that arrows move it.
  _paste(shape, shift = 0) {
    const { sheet } = this;
    if (!shape || !sheet) return;
    const { width, height } = sheet.image;
    const fits = { ...shape, ...clipBox({ left: 0, top: 0, width: shape.width, height: shape.height }, sheet.image) };
    const sized = fits.width === shape.width && fits.height === shape.height ? shape : fittedTo(shape, { left: 0, top: 0, width: Math.min(width, shape.width), height: Math.min(height, shape.height) });
    const inside = moved(sized, Math.min(0, width - sized.left - sized.width), Math.min(0, height - sized.top - sized.height), sheet.image);
    const { label, left, top, polygon } = moved(inside, shift, shift, sheet.image);
    sheet.add({ label, left, top, width: inside.width, height: inside.height, polygon }, { select: true });
    this._changed();
  }

  _help() {
    const rows = DRAWING_HELP.map(([keys, what]) => element("tr", {}, element("td", {}, keyHint(keys)), element("td", { text: what })));
    this.panel.open("Keys", element("table", { class: "keys" }, ...rows));
  }
}

export default {
  render({ model, el }) {
    const annotator = new Annotator(model, el);
    return () => annotator.close();
  },
};
