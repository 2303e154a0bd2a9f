// Map widget: a canvas of points beside a page of the selected images. The kernel side is in map.py.

import { chip, chipsOf } from "./shared/chips.js";
import {
  dataUri,
  element,
  followFullScreen,
  hint,
  setText,
  show,
  turnFullScreen,
  widgetOf,
} from "./shared/dom.js";
import { Footer } from "./shared/footer.js";
import {
  HELP_ENTRY,
  keyTable,
  LABEL_ENTRY,
  LOOK_ENTRY,
  MOVE_ENTRY,
  noLabelText,
  PAGE_ENTRY,
  PAGE_REPEATING,
  UNDO_ENTRY,
} from "./shared/keymap.js";
import { firstLabelText, LabelBar } from "./shared/labelbar.js";
import { counted } from "./shared/numbers.js";
import { columnsFor, thumbnailSize } from "./shared/pages.js";
import { PicturePages } from "./shared/picture_pages.js";
import { Tile } from "./shared/tile.js";
import { editText, Toast } from "./shared/toast.js";
import { colorCodes, legendNumber, paletteOf } from "./map/colors.js";
import { centresOf, countGroups, withNeighbours } from "./map/geometry.js";
import { Plane } from "./map/plane.js";
import { MapToolbar } from "./map/top.js";

const RENEW_AFTER = 80; // ms
const ASK_AGAIN = 700;
const THUMBNAIL = 160;
const CARD = { width: 160, height: 190, margin: 12 };
const CORNERS = ["bottom left", "top left", "top right"];
const PADDING_OF_TILES = 24;
const COUNTS_SHOWN = 5;
const RESULT = "result"; // coloring of an evaluation by right and wrong

const ENTRIES = [
  { keys: "drag, click", help: "select points (with Shift or Ctrl: in addition)" },
  { keys: "L, M", help: "lasso, move", run: { l: { do: "lasso" }, m: { do: "drag" } } },
  { keys: "Space and drag", help: "move the map", run: { " ": { do: "hold" } } },
  {
    keys: "wheel, + −, F",
    help: "zoom (the wheel after a click on the map, or with Ctrl), show the whole map",
    run: { "+": { do: "zoom", by: 1.5 }, "-": { do: "zoom", by: 1 / 1.5 }, f: { do: "fit" } },
  },
  { keys: "N", help: "select the nearest images, too", run: { n: { do: "near" } } },
  {
    keys: "Ctrl A, Esc",
    help: "select all images, or none",
    run: { "Ctrl+a": { do: "all" }, Escape: { do: "escape" } },
  },
  MOVE_ENTRY,
  {
    keys: "Enter, click",
    help: "take the image in focus out of the selection, or put it back",
    run: { Enter: { do: "select" } },
  },
  PAGE_ENTRY,
  LOOK_ENTRY,
  HELP_ENTRY,
];
const LABEL_ENTRIES = [
  LABEL_ENTRY,
  { keys: "/", help: "find or add a label", run: { "/": { do: "find", text: "" } } },
  {
    keys: "Delete",
    help: "remove all labels of the selected images",
    run: { Delete: { do: "clear" }, Backspace: { do: "clear" } },
  },
  UNDO_ENTRY,
];
const REPEATING = { repeating: [...PAGE_REPEATING, "zoom", "hold"] };
const MAP_KEYS = keyTable([...LABEL_ENTRIES, ...ENTRIES], REPEATING);
const READING_KEYS = keyTable(ENTRIES, REPEATING); // where nothing can be labelled

const arrayOf = (Type, view) =>
  new Type(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));

export class ImageMap extends PicturePages {
  keys = MAP_KEYS;

  _build(el) {
    this._buildParts("clnb-map", "Map of images to label", {
      list: "Selection",
      within: () => this.main,
    });
    const { leave } = this;
    this.xy = new Float32Array();
    this.labelCodes = new Int16Array();
    this.values = null; // of another coloring: { legend, values }
    this.picked = new Int32Array();
    this.hits = [];
    this.coloring = null; // the first one
    this.cards = new Map();
    this.toolbar = new MapToolbar({
      leave,
      split: (split) => this.show({ split, place: 0 }),
      search: (text) => this._search(text),
      color: (by) => this._color(by),
      choose: (what) => this._choose(what),
      tool: (name) => this._tool(name),
      takeBack: (kind) => this._do({ do: kind }),
      whole: () => turnFullScreen(this.root, (text) => this.notices.say("whole", text)),
    });
    this.labelbar = new LabelBar({
      leave,
      choose: (label) => this._label(label),
      add: (label) => this._addLabel(label),
      task: (task) => this._chooseTask(task),
    });
    this.unlabelled = element("span", { class: "faint unlabelled" });
    this.labelbar.list.after(this.unlabelled);
    this.legend = element("div", { class: "band legend", hidden: true });
    this.footer = new Footer({
      ...this._footerActions(),
      size: (size) => this.show({ size, place: 0 }),
    });
    this.words = element("span", { class: "layout" });
    this.footer.node.prepend(this.words);
    const { position, back, number, pages, next, size } = this.footer;
    this.pager = element("div", { class: "band foot pager" }, position, back, number, pages, next);
    this.pager.append(element("span", { class: "spring" }), size.parentElement);
    this.counts = element("div", { class: "counts", attributes: { "aria-live": "polite" } });
    this.opener = element("button", {
      class: "primary",
      text: "Open in the gallery",
      on: { click: () => this._open("gallery") },
    });
    this.body = element("div", { class: "body" }, this.grid, this.empty);
    this.reviewer = element("button", {
      on: { click: () => this._open("review") },
    });
    this.actionBar = element("div", { class: "band" }, this.opener, this.reviewer);
    this.side = element(
      "div",
      { class: "side" },
      this.counts,
      this.body,
      this.pager,
      this.actionBar,
    );
    this.message = element("div", { class: "message", hidden: true });
    this.card = element("div", {
      class: "card",
      hidden: true,
      attributes: { "aria-hidden": "true" },
    });
    const button = (text, title, run) => element("button", { text, title, on: { click: run } });
    const zooms = element(
      "div",
      { class: "zooms" },
      button("−", "Zoom out (−)", () => this.plane.zoom(1 / 1.5)),
      button("+", "Zoom in (+)", () => this.plane.zoom(1.5)),
      button("all", "Show the whole map (F)", () => this.plane.fit()),
    );
    const stage = element("div", { class: "plane" });
    this.plane = new Plane(stage, {
      press: leave,
      lasso: (points, how) => this._select(points, how),
      click: (point, how) => this._select(point === null ? [] : [point], how),
      rest: (point) => this._rest(point),
    });
    stage.append(this.message, this.card, zooms);
    this.main = element("div", { class: "main" }, stage, this.side);
    this.toast = new Toast(() => {
      leave();
      this._do({ do: "undo" });
    });
    this.footer.hints.after(this.toast.node);
    this.root.addEventListener("keyup", (event) => {
      if (event.key === " ") this.plane.holdSpace(false);
    });
    this.root.append(
      this.toolbar.node,
      this.labelbar.node,
      this.legend,
      this.notices.node,
      this.main,
      this.footer.node,
      this.preview.node,
      this.panel.node,
    );
    this.body.addEventListener("scroll", () => this.preview.close());
    followFullScreen(this.root, this.toolbar.whole);
    this._tool("lasso");
    el.append(this.root);
  }

  close() {
    clearTimeout(this.renewing);
    clearTimeout(this.searching);
    this.plane.close();
    super.close();
  }

  greeted() {
    const { judged, read_only: readOnly } = this.info;
    this.root.classList.toggle("judged", judged);
    if (judged) this.room = 2; // the label and the prediction
    if (readOnly) this.keys = READING_KEYS;
    this._renew();
    this.toolbar.searching.isOffered = true;
    this.toolbar.searching.askSoon(this);
  }

  makeTile(id) {
    return new Tile({
      id,
      onAccept: (row) => this._edit({ op: "accept" }, { rows: [row] }),
    });
  }

  // A click takes an image out of the selection, or puts it back.
  get clustered() {
    return true;
  }

  _pushed(message) {
    if (message.push === "pick") this._pick(message.points);
    else super._pushed(message);
  }

  // -- points -----------------------------------------------------------------------------------------
  showToolbars() {
    const { info } = this;
    this.toolbar.update(info, this.coloring, this.hits.length);
    this.showCounts();
    this._showWords();
    clearTimeout(this.renewing);
    if (info.map.stamp !== this.stamp && !this.editing?.pending.length)
      this.renewing = setTimeout(() => this._renew(), RENEW_AFTER);
  }

  _showWords() {
    const { map } = this.info;
    const without =
      map.without && !map.error ? ` · ${counted(map.without, map.noun)} without features` : "";
    const [done, total] = map.progress ?? [];
    const running = map.progress ? ` · laying out, ${Math.floor((100 * done) / total)}%` : "";
    this.words.replaceChildren(`${map.words}${running}${without}`);
    if (map.could_grow && !map.progress)
      this.words.append(
        " · ",
        element("button", {
          class: "plain",
          text: "lay out again",
          title: "Lay out all images together. Points move",
          on: { click: () => this._again() },
        }),
      );
    this.words.title = this.words.textContent;
    const isEmpty = map.without === map.total;
    show(this.message, isEmpty);
    show(this.words, !isEmpty);
    setText(this.message, map.total ? map.error : `There are no ${map.noun}s yet.`);
    if (map.error && !isEmpty) this.notices.say("map", map.error, { kind: "error" });
    else this.notices.drop("map");
  }

  async _again() {
    this.root.focus({ preventScroll: true });
    const [answer] = await this.request("again", {});
    Object.assign(this.info, answer);
    this.showToolbars();
  }

  // Request the places and colors, after changes by anyone.
  async _renew() {
    const { split } = this.info;
    const before = this.stamp;
    this.stamp = this.info.map.stamp;
    try {
      const [{ map }, [xy, codes]] = await this.request("points", {});
      if (this.closed || split !== this.info.split) return;
      if (before?.split(" ")[0] !== split) this.hits = [];
      this.stamp = map.stamp;
      this.info.map = map;
      this.xy = arrayOf(Float32Array, xy);
      this.labelCodes = arrayOf(Int16Array, codes);
      this.cards.clear();
      for (const row of this.listing.rowsOnPage()) this._recolor(row);
      this.plane.setPlaces(this.xy);
      this.plane.setPicked(this._chosen());
      if (!map.colorings.includes(this.coloring)) [this.coloring] = map.colorings;
      await this._loadValues();
      this._paintColors();
      this._showWords();
      this.root.dataset.points = String(this.xy.length / 2); // for tests
    } catch (error) {
      this.stamp = before;
      if (!this.closed) this.notices.say("map", error.message, { kind: "error" });
    }
  }

  async _loadValues() {
    this.values = null;
    const by = this.coloring;
    if (by === "label") return;
    const [legend, [values]] = await this.request("values", { by });
    if (by === this.coloring) this.values = { legend, values: arrayOf(Float32Array, values) };
  }

  async _color(by) {
    this.coloring = by;
    this.toolbar.color.value = by;
    try {
      await this._loadValues();
      this._paintColors();
    } catch (error) {
      this.notices.say("map", error.message, { kind: "error" });
    }
  }

  _paintColors() {
    const { labels } = this.info;
    const { values, labelCodes } = this;
    const hollow = Uint8Array.from(labelCodes, (code) => (code === -1 ? 1 : 0));
    const codes = values ? colorCodes(values.legend, values.values) : labelCodes;
    const palette = values ? paletteOf(values.legend, labels) : labels.map(({ color }) => color);
    this.plane.setColors(codes, hollow, palette);
    this.plane.setNames(
      centresOf(this.plane.world, labelCodes)
        .filter(([code]) => labels[code])
        .map(([code, x, y]) => [labels[code].label, x, y]),
    );
    this.plane.setRings(this.hits);
    this._showLegend(palette);
    this._countSelection();
  }

  _showLegend(palette) {
    const { values } = this;
    show(this.legend, Boolean(values));
    if (!values) return;
    const { groups, low, high } = values.legend;
    const item = (color, text, count) =>
      element(
        "span",
        { class: "item", style: { "--label-color": color } },
        element("i", { class: "dot" }),
        element("bdi", { text }),
        element("span", { class: "faint", text: count.toLocaleString("en") }),
      );
    this.legend.replaceChildren(
      element("strong", {}, element("bdi", { text: this.coloring })),
      ...(groups
        ? groups.map(([name, count], at) => item(palette[at], name, count))
        : [
            legendNumber(low),
            element("span", {
              class: "scale",
              style: { background: `linear-gradient(to right, ${palette.join(", ")})` },
            }),
            legendNumber(high),
          ]),
    );
  }

  // Take over the label of a row that was edited.
  _recolor(row) {
    const [label] = [...row.labels, ...row.boxes];
    const code = this.info.labels.findIndex((entry) => entry.label === label);
    const isOpen = row.status === "unlabelled" || row.status === "predicted";
    this.labelCodes[row.point] = code >= 0 ? code : isOpen ? -1 : -2;
  }

  repaint(names) {
    super.repaint(names);
    for (const name of names) {
      const row = this.listing.rows.get(name);
      if (row) this._recolor(row);
    }
    clearTimeout(this.recoloring);
    this.recoloring = setTimeout(() => {
      if (!this.closed) this._paintColors();
    });
  }

  showCounts() {
    const { labels, counts, task, alone, read_only: readOnly, statuses, judged, query } = this.info;
    this.labelbar.update({ labels, counts, task, alone, readOnly, crops: query.crops });
    this.footer.showProgress(statuses, query.crops ? "confirmed" : "labelled");
    const [open, count] = query.crops
      ? ["predicted", statuses.predicted]
      : ["no label", statuses.unlabelled];
    setText(this.unlabelled, `○ ${open} ${(count ?? 0).toLocaleString("en")}`);
    if (!judged) return;
    const { wrong, total } = this.info.map;
    setText(
      this.footer.progress,
      `${wrong.toLocaleString("en")} of ${counted(total, "image")} wrong`,
    );
  }

  // -- selection --------------------------------------------------------------------------------------
  _take(answer, buffers, wanted, keep = null) {
    this.picked = arrayOf(Int32Array, buffers.at(-1));
    show(this.reviewer, answer.suspects > 0);
    setText(this.reviewer, `Review ${counted(answer.suspects, "suspect")}`);
    super._take(answer, buffers, wanted, keep);
    this.selection.addRange(0, this.listing.total);
    this._selected();
  }

  // Return the points of the selected images.
  _chosen() {
    const { picked, selection } = this;
    if (selection.size === picked.length) return picked;
    return picked.filter((_, position) => selection.has(position));
  }

  _select(points, how) {
    if (how === "only") return this._pick(points);
    const chosen = new Set(this._chosen());
    const [point] = points;
    if (points.length === 1 && chosen.has(point)) chosen.delete(point);
    else for (const each of points) chosen.add(each);
    return this._pick([...chosen]);
  }

  // Keys pressed meanwhile apply to the new selection, and to none if it does not arrive.
  _pick(points) {
    this.plane.setPicked(points);
    this._countSelection(points); // the page follows
    return this._hold(this._loadPicked(Int32Array.from(points).sort()));
  }

  async _loadPicked(points) {
    let arrived = false;
    await this._whileTurning(async (isLatest) => {
      await this.editing.settled();
      if (!isLatest()) return;
      const wanted = { split: this.info.split, pixels: this._pixels() };
      const [answer, buffers] = await this.request("pick", wanted, [points.buffer]);
      if (!isLatest()) return;
      this._take(answer, buffers, { size: this.listing.size, near: undefined });
      arrived = true;
    });
    if (!arrived && !this.closed) this._mark();
    return arrived;
  }

  _choose({ near = 0, hits = false, wrong = false, ...query }) {
    if (near) return this._pick(withNeighbours(this.xy, this._chosen(), near));
    if (hits) return this._pick(this.hits);
    if (wrong) return this._chooseWrong();
    const plain = { show: "all", label: null, predicted: null, annotator: null, search: "" };
    return this.show({ query: { ...this.query, ...plain, ...query, images: false }, place: 0 });
  }

  async _chooseWrong() {
    try {
      const [, [values]] = await this.request("values", { by: RESULT });
      const points = [];
      arrayOf(Float32Array, values).forEach((value, point) => value && points.push(point));
      await this._pick(points);
    } catch (error) {
      this.notices.say("map", error.message, { kind: "error" });
    }
  }

  _selectAll() {
    this._choose({});
  }

  _escape() {
    if (this.preview.isOpen) this.preview.close();
    else if (this.hits.length && !this.picked.length) this._search("");
    else this._pick([]);
  }

  target() {
    return this.selection.ranges();
  }

  _mark() {
    super._mark();
    if (!this.info) return;
    const { labels, read_only: readOnly } = this.info;
    const digits = labels.length > 1 ? `1–${Math.min(9, labels.length)}` : "1";
    this.footer.hints.replaceChildren(
      ...(readOnly ? [] : [hint(digits, "label the selection")]),
      hint("L", "lasso"),
      hint("Esc", "none"),
      hint("?", "keys"),
    );
    this.opener.disabled = !this.selection.size;
    this.plane.setPicked(this._chosen());
    this._countSelection();
  }

  // Count the selected images of each label, and in an evaluation of each color.
  _countSelection(chosen = this._chosen()) {
    const { plane, labelCodes } = this;
    const colored = this.info.judged && this.values?.legend.groups;
    const kinds = colored
      ? colored.map(([label], at) => ({ label, color: plane.palette[at] }))
      : this.info.labels;
    const groups = countGroups(chosen, colored ? plane.codes : labelCodes);
    const bare = (groups.get(-1) ?? 0) + (groups.get(-2) ?? 0);
    const some = [...groups].filter(([code]) => kinds[code]).sort((a, b) => b[1] - a[1]);
    const parts = some
      .slice(0, COUNTS_SHOWN)
      .flatMap(([code, count]) => [
        ` ${count.toLocaleString("en")} `,
        chip(kinds[code].label, kinds[code].color),
      ]);
    if (some.length > COUNTS_SHOWN) parts.push(` and ${some.length - COUNTS_SHOWN} more`);
    if (bare)
      parts.push(
        `${some.length ? " · " : " "}${bare.toLocaleString("en")} without a ${colored ? this.coloring : "label"}`,
      );
    this.counts.replaceChildren(
      element("strong", { text: `${chosen.length.toLocaleString("en")} selected` }),
      ...parts,
    );
  }

  async _follow(options) {
    await super._follow(options);
    this.notices.drop("more"); // the points show it
  }

  // -- edits ------------------------------------------------------------------------------------------
  async _edit(edit, options = {}) {
    const at = options.at ?? this.editing.aim(options.rows);
    if (!at.ranges.length && !at.rows?.length)
      return this.toast.say(`Select ${this.info.map.noun}s first.`, { canUndo: false });
    const made = await this.editing.edit(edit, { at });
    const text = made?.[1] && editText(...made);
    if (text && !this.closed) this.toast.say(text);
    return undefined;
  }

  _label(label, at = undefined) {
    return this._edit({ op: "toggle", label }, { at });
  }

  async _addLabel(name) {
    const at = this.editing.aim();
    const answer = await this._ask("add label", "label", { label: name });
    if (answer && at.ranges.length) await this._label(answer.label, at);
  }

  // Images are chosen on the map, before their pictures are loaded.
  _canWait(_command) {
    return true;
  }

  actions(command) {
    const inherited = super.actions(command);
    return {
      ...inherited,
      undo: () => {
        this.toast.close();
        inherited.undo();
      },
      label: () => {
        const entry = this.info.labels[command.number - 1];
        if (entry) this._label(entry.label);
        else if (!this.info.labels.length && !this.info.read_only && this.selection.size)
          this.labelbar.begin("", firstLabelText(this.selection.size));
        else if (!this.info.read_only)
          this.toast.say(noLabelText(command.number), { canUndo: false });
      },
      clear: () => this._edit({ op: "clear" }),
      lasso: () => this._tool("lasso"),
      drag: () => this._tool("move"),
      hold: () => this.plane.holdSpace(true),
      zoom: () => this.plane.zoom(command.by),
      fit: () => this.plane.fit(),
      near: () => this._choose({ near: 24 }),
    };
  }

  _tool(name) {
    this.plane.setTool(name);
    this.toolbar.showTool(name);
  }

  async _open(screen) {
    try {
      this._sendSelection({ after: 0 });
      await this.request("open", { screen });
    } catch (error) {
      this.notices.say("open", error.message, { kind: "error" });
    }
  }

  // -- search and the image under the pointer ---------------------------------------------------------
  async _search(text) {
    clearTimeout(this.searching);
    this.hits = [];
    setText(this.toolbar.found, text ? "searching…" : "");
    this.notices.drop("search");
    this.plane.setRings([]);
    if (!text) return this.showToolbars();
    try {
      const [answer] = await this.request("ring", { text });
      if (this.closed || this.toolbar.search.value.trim() !== text) return undefined;
      if (answer.wait) {
        this.searching = setTimeout(() => this._search(text), ASK_AGAIN);
        return undefined;
      }
      this.hits = answer.points.filter((point) => !Number.isNaN(this.xy[2 * point]));
      setText(this.toolbar.found, `${this.hits.length} best ringed`);
      this.plane.setRings(this.hits);
    } catch (error) {
      setText(this.toolbar.found, "");
      this.notices.say("search", error.message, { kind: "error" });
    }
    return this.showToolbars();
  }

  async _rest(point) {
    this.resting = point;
    if (point === null) return show(this.card, false);
    if (!this.cards.has(point)) {
      const wanted = { split: this.info.split, point, pixels: THUMBNAIL };
      const loading = this.request("point", wanted);
      loading.catch(() => this.cards.delete(point));
      this.cards.set(point, loading);
    }
    try {
      const [{ row }, [picture]] = await this.cards.get(point);
      if (this.closed || this.resting !== point) return undefined;
      this.card.replaceChildren(
        element("img", { alt: "", src: picture ? dataUri(picture) : undefined }),
        element("bdi", { class: "name", text: row.short }),
        element(
          "div",
          { class: "line" },
          ...chipsOf(this.listing.rows.get(row.name) ?? row, this.info.labels),
        ),
      );
      this.card.classList.toggle("wrong", row.right === false);
      this.card.dataset.corner = this._freeCorner();
      show(this.card, true);
    } catch {
      // the next point is asked for again
    }
    return undefined;
  }

  // Return the corner with the fewest points.
  _freeCorner() {
    const { width, height } = this.plane.size;
    const [wide, high] = [CARD.width + CARD.margin, CARD.height + CARD.margin];
    const counts = CORNERS.map((corner) => {
      const left = corner.endsWith("left") ? 0 : width - wide;
      const top = corner.startsWith("top") ? 0 : height - high;
      return this.plane.countIn(left, top, left + wide, top + high);
    });
    return CORNERS[counts.indexOf(Math.min(...counts))];
  }

  // -- page of the selection --------------------------------------------------------------------------
  columnsIn(_width, size = this.listing.size) {
    return columnsFor(size, this.side.clientWidth - PADDING_OF_TILES);
  }

  _pixels(size = this.listing.size) {
    const width = this.side.clientWidth - PADDING_OF_TILES;
    const tile = width > 0 ? width / this.columnsIn(width, size) : THUMBNAIL;
    return thumbnailSize(tile, globalThis.devicePixelRatio);
  }

  _layout() {
    super._layout();
    this.labelbar.fit();
  }

  _paint() {
    super._paint();
    show(this.pager, this.listing.total > this.listing.size);
    show(this.actionBar, this.listing.count > 0);
  }

  _explainEmptiness() {
    const labelling = this.info.read_only ? "" : " A key from 1 to 9 labels them.";
    this._say(`Draw around points to select ${this.info.map.noun}s.${labelling}`);
  }
}

export default widgetOf(ImageMap);
