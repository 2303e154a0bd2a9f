// The labels of a project, to be edited: a list with a field that adds and one that filters. It stands in a widget of
// its own and in the gallery's panel; what the kernel does stands in label_manager.py.

import { element, keepKeys, keyHint, setText, show } from "../shared/dom.js";
import { Notices } from "../shared/notices.js";
import { KernelGone } from "../shared/requests.js";
import { makeDraggable } from "./dragging.js";
import { askColour, askImport, askMerge, askRemove, askReview } from "./forms.js";
import { after, changed, counted, labelCommand, quoted, stepBefore, withText } from "./logic.js";
import { Question } from "./question.js";
import { LabelRow } from "./row.js";

const EDIT_TAKES = 120_000; // a merge of millions of annotations
const COUNT_AGAIN = 300;
const SAID_FOR = 8_000;
const COUNT_SHARE = 10; // counting again waits so many times as long as it took

const HINTS = [["F2", "rename"], ["Alt ↑↓", "move"], ["M", "merge"], ["C", "colour"], ["Del", "remove"], ["/", "filter"]];
const ACTIONS = [["rename", "Rename", "Rename (F2)"], ["merge", "Merge…", "Merge into another label (M)"], ["remove", "Remove…", "Remove (Del)"]];
const STATE_WORDS = { saved: "saved", saving: "saving…", lost: "not saved — the kernel doesn't answer" };

export class LabelPane {
  // `on` may have changed(), focus(label).
  constructor({ request, on = {} }) {
    this.request = request;
    this.on = on;
    this.labels = [];
    this.uses = {};
    this.rows = new Map(); // label → LabelRow
    this.shown = [];
    this.at = null;
    this.waiting = 0;
    this.closed = false;
    this.info = null;
    this.id = `clnb-labels-${Math.random().toString(36).slice(2)}`;
    this._build();
  }

  _build() {
    const button = (text, title, action, more = {}) => element("button", { type: "button", text, title, on: { click: action }, ...more });
    const leave = () => this.list.focus({ preventScroll: true });
    this.leave = leave;
    this.rowEvents = { rename: (label, name) => this._rename(label, name), leave };
    this.notices = new Notices();
    this.question = new Question({ onClose: leave });
    this.adder = element("input", {
      type: "text", class: "adder", maxLength: 256, placeholder: "new label…", attributes: { "aria-label": "new label" },
      on: { keydown: (event) => this._fieldKey(event, () => this._addTyped()) },
    });
    this.addButton = button("Add", "Add this label at the end (Enter)", () => this._addTyped(), { class: "primary" });
    this.filter = element("input", {
      type: "search", class: "search", placeholder: "⌕ filter…", attributes: { "aria-label": "filter labels" },
      on: { input: () => this._paint(), keydown: (event) => this._fieldKey(event, leave) },
    });
    this.importButton = button("Import…", "Take label names from another project or dataset", () => this._import());
    this.undoButton = button("Undo", "Take the last edit made here back (Ctrl Z)", () => this._takeBack("undo"));
    this.tools = element(
      "div", { class: "tools" }, element("span", { class: "adding" }, this.adder, this.addButton),
      element("span", { class: "spring" }), this.filter, this.importButton, this.undoButton,
    );
    this.top = element("div", { class: "top" });
    this.list = keepKeys(element("div", { class: "label-list", tabIndex: 0, data: { first: "" }, attributes: { role: "listbox", "aria-label": "labels in order" } }));
    this.head = element(
      "div", { class: "label-head", attributes: { "aria-hidden": "true" } },
      element("span", { text: "label" }), element("span", { class: "uses", text: "train" }), element("span", { class: "uses", text: "test" }),
    );
    this.empty = element("p", { class: "nothing", hidden: true });
    this.actions = element("span", { class: "actions" }, ...ACTIONS.map(([what, text, title]) => element(
      "button", { type: "button", class: "plain", tabIndex: -1, text, title, data: { do: what } },
    )));
    this.count = element("span", { class: "label-count" });
    this.said = element("span", { class: "said", attributes: { role: "status" } });
    this.hints = element("span", { class: "hints" }, ...HINTS.flatMap(([key, what]) => [keyHint(key), ` ${what} `]));
    this.state = element("span", { class: "state", attributes: { role: "status" } });
    this.node = element(
      "div", { class: "label-manager" },
      this.tools, this.notices.node, this.top, this.head, this.list, this.empty,
      element("div", { class: "below" }, this.count, this.hints, this.said, this.state),
    );
    this.list.addEventListener("keydown", (event) => this._key(event));
    this.list.addEventListener("click", (event) => this._click(event));
    this.list.addEventListener("dblclick", (event) => { if (event.target.closest(".name")) this._do(["rename"]); });
    this.list.addEventListener("pointerover", (event) => this._hover(event));
    makeDraggable(this.list, { rows: () => this.shown.map(({ label }) => this.rows.get(label)), drop: (from, to) => this._drop(from, to) });
  }

  close() {
    this.closed = true;
    clearTimeout(this.counting);
    clearTimeout(this.saying);
  }

  // -- between page and kernel ------------------------------------------------------------------------
  // Look what others did. Rejects where the kernel doesn't answer.
  async follow() {
    if (this.closed || this.waiting) return;
    const [answer] = await this.request("labels", { seen: this.info?.seen ?? null });
    if (this.closed || this.waiting) return;
    this.notices.drop("gone");
    if (answer.labels) this._take(answer);
    this._showState();
  }

  showLost() {
    this.lost = true;
    if (this.info) this.info.seen = null; // what is shown may not be stored: read all of it as soon as that can be
    this._showState();
    this.notices.say("gone", "The kernel doesn't answer. Run the cell again to go on; nothing that was saved is lost.", { kind: "error" });
  }

  _take(answer) {
    this.info = answer;
    this.lost = false;
    this.labels = answer.labels;
    this._paint();
    this._countSoon();
  }

  // How often each label is used, after the list is shown: that looks through all annotations.
  _countSoon() {
    if (this.counting) return;
    this.counting = setTimeout(async () => {
      const began = Date.now();
      try {
        const [{ uses }] = await this.request("labels uses", {}, [], { patience: EDIT_TAKES });
        if (this.closed) return;
        this.uses = uses;
        for (const [label, row] of this.rows) row.showUses(uses[label]);
      } catch {
        // the next change or look brings them
      }
      this.countedTook = Date.now() - began;
      this.counting = null;
    }, Math.max(this.counted ? COUNT_AGAIN : 0, COUNT_SHARE * (this.countedTook ?? 0)));
    this.counted = true;
  }

  async _usesOf(label) {
    const [{ uses }] = await this.request("labels uses", { label }, [], { patience: EDIT_TAKES });
    return uses[label];
  }

  // Show an edit at once and send it; a refused one is shown as it is. Gives the answer, or null.
  async _change(edit, said = null) {
    this.notices.drop("edit");
    this.labels = changed(this.labels, edit);
    this._paint();
    return this._send("labels change", edit, (answer) => this._say(said ? said(answer) : ""));
  }

  async _send(kind, content, done) {
    this.waiting += 1;
    this._showState();
    let answer = null;
    try {
      [answer] = await this.request(kind, content, [], { patience: EDIT_TAKES });
      done(answer);
    } catch (error) {
      if (this.closed) return null;
      if (error instanceof KernelGone) this.showLost();
      else this.notices.say("edit", `Not saved: ${error.message}`, { kind: "error" });
    } finally {
      this.waiting -= 1;
    }
    if (this.closed) return answer;
    if (answer && !this.waiting) this._take(answer);
    if (!answer && !this.lost) await this._readAgain();
    this._showState();
    if (answer) this.on.changed?.();
    return answer;
  }

  async _readAgain() {
    this.info = { ...this.info, seen: null };
    await this.follow().catch(() => this.showLost());
  }

  _takeBack(kind) {
    if (this.info?.read_only) return;
    this.notices.drop("edit");
    this._send(`labels ${kind}`, {}, ({ said }) => {
      this._say(said ? `${kind === "undo" ? "Taken back" : "Done again"}: ${said}.` : `There is nothing to ${kind}.`);
    });
  }

  // In place of the keys, for a while.
  _say(text) {
    clearTimeout(this.saying);
    setText(this.said, text);
    this.said.title = text;
    this.node.classList.toggle("saying", text !== "");
    if (text) this.saying = setTimeout(() => this._say(""), SAID_FOR);
  }

  // -- painting ---------------------------------------------------------------------------------------
  _paint() {
    if (!this.info) return;
    const readOnly = this.info.read_only;
    this.shown = withText(this.labels, this.filter.value);
    const places = new Map(this.labels.map(({ label }, place) => [label, place]));
    this._settleRows(places);
    const nodes = this.shown.map(({ label }) => this.rows.get(label).node);
    const open = this.question.label !== null && this.rows.get(this.question.label)?.node;
    if (this.question.label !== null && !nodes.includes(open)) this.question.close();
    const wanted = this.question.label === null ? nodes : nodes.flatMap((node) => (node === open ? [node, this.question.node] : [node]));
    if (wanted.length !== this.list.children.length || wanted.some((node, index) => node !== this.list.children[index])) this._arrange(wanted);
    this._focusOn(this.shown.some(({ label }) => label === this.at) ? this.at : this.shown[0]?.label ?? null, { quiet: true });
    show(this.tools, !readOnly || this.labels.length > 0);
    for (const node of [this.adder.parentElement, this.importButton, this.undoButton, this.hints]) show(node, !readOnly);
    this.node.classList.toggle("read-only", readOnly);
    this.undoButton.disabled = !this.info.can_undo;
    setText(this.count, this.shown.length < this.labels.length ? `${this.shown.length.toLocaleString("en")} of ${counted(this.labels.length, "label")}` : counted(this.labels.length, "label"));
    this._explainEmptiness(readOnly);
  }

  // A row for each label: a renamed one keeps its row, and the field that may be open in it.
  _settleRows(places) {
    const colours = new Map(this.labels.map((own) => [own.label, own]));
    for (const [label, row] of this.rows) {
      if (places.has(label)) continue;
      row.node.remove();
      this.rows.delete(label);
    }
    for (const [label, place] of places) {
      if (!this.rows.has(label)) this.rows.set(label, new LabelRow({ id: `${this.id}-${(this.made = (this.made ?? 0) + 1)}`, on: this.rowEvents }));
      this.rows.get(label).show(colours.get(label), place, this.uses[label]);
    }
  }

  // The focused field keeps its focus: only nodes that stand elsewhere are moved.
  _arrange(wanted) {
    const keep = new Set(wanted);
    for (const node of [...this.list.children]) if (!keep.has(node)) node.remove();
    const active = this.list.ownerDocument.activeElement;
    wanted.forEach((node, index) => {
      const there = this.list.children[index];
      if (there === node) return;
      if (node.contains(active) && there) {
        while (this.list.children[index] !== node) this.list.append(this.list.children[index]);
      } else this.list.insertBefore(node, there ?? null);
    });
  }

  _explainEmptiness(readOnly) {
    const text = !this.labels.length ? (readOnly ? "There are no labels." : "No label yet. Type the first one above, or import names.") : !this.shown.length ? "No label has this in its name." : "";
    setText(this.empty, text);
    show(this.empty, text !== "");
    show(this.list, this.shown.length > 0);
    show(this.head, this.shown.length > 0);
  }

  _showState() {
    const state = this.lost ? "lost" : this.waiting ? "saving" : "saved";
    this.state.className = `state ${state}`;
    setText(this.state, this.info?.read_only ? "read-only" : STATE_WORDS[state]);
  }

  _focusOn(label, { quiet = false } = {}) {
    const row = this.rows.get(label);
    this.rows.get(this.at)?.mark(false);
    this.at = label;
    if (!row) return;
    row.mark(true);
    this.list.setAttribute("aria-activedescendant", row.node.id);
    if (!this.actions.isConnected || !quiet) row.node.append(this.actions);
    if (!quiet) row.node.scrollIntoView({ block: "nearest" });
    if (label !== this.toldAt) this.on.focus?.(label);
    this.toldAt = label;
  }

  _hover(event) {
    const node = event.target.closest(".label-row");
    if (node && event.pointerType === "mouse" && this.actions.parentElement !== node) node.append(this.actions);
  }

  // -- pointer and keys -------------------------------------------------------------------------------
  _click(event) {
    const node = event.target.closest(".label-row");
    if (!node || event.target.closest("input")) return;
    this._focusOn(node.dataset.label);
    const action = event.target.closest("[data-do]");
    if (action) this._do([action.dataset.do]);
    else if (event.target.closest(".swatch")) this._do(["colour"]);
    else if (!event.target.closest("button")) this.leave();
  }

  _fieldKey(event, onEnter) {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Enter") onEnter();
    else if (event.key === "Escape" && event.target.value) {
      event.preventDefault();
      event.target.value = "";
      this._paint();
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.leave();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      this.leave();
    }
  }

  _key(event) {
    if (event.defaultPrevented || event.target !== this.list) return;
    const command = labelCommand(event);
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    this._do(command);
  }

  _do([name, by]) {
    const readOnly = this.info?.read_only;
    const at = this.shown.findIndex(({ label }) => label === this.at);
    if (name === "move") this._focusOn(this.shown[Math.min(Math.max(at + by, 0), this.shown.length - 1)]?.label ?? null);
    else if (name === "edge") this._focusOn(this.shown.at(by)?.label ?? null);
    else if (name === "filter") this.filter.focus();
    else if (readOnly || !this.info) return;
    else if (name === "add") this.adder.focus();
    else if (name === "undo" || name === "redo") this._takeBack(name);
    else if (at < 0) return;
    else if (name === "shift") this._shift(by);
    else if (name === "rename") this.rows.get(this.at).rename();
    else if (name === "merge") this._merge(this.at);
    else if (name === "remove") this._remove(this.at);
    else if (name === "colour") this._recolour(this.at);
  }

  // -- edits ------------------------------------------------------------------------------------------
  async _rename(label, name) {
    if (this.labels.some((own) => own.label === name)) {
      this._merge(label, name);
      return;
    }
    this._renameRow(label, name);
    await this._change({ op: "rename", label, name }, ({ count }) => `${quoted(label)} is now ${quoted(name)}; ${counted(count, "annotation")} followed.`);
  }

  _renameRow(label, name) {
    const row = this.rows.get(label);
    this.rows.delete(label);
    if (row) this.rows.set(name, row);
    if (label in this.uses) this.uses = { ...this.uses, [name]: this.uses[label] };
    if (this.at === label) this.at = name;
  }

  _shift(by) {
    const before = stepBefore(this.shown, this.labels, this.at, by);
    if (before === undefined) return;
    this._change({ op: "move", label: this.at, before });
    this._focusOn(this.at);
  }

  _drop(from, to) {
    const { label } = this.shown[from];
    const before = to < this.shown.length ? this.shown[to].label : after(this.labels, this.shown.at(-1).label);
    this._change({ op: "move", label, before });
    this._focusOn(label);
  }

  async _merge(label, into = null) {
    const uses = await this._told(() => this._usesOf(label));
    if (!uses) return;
    const target = await askMerge(this.question, this.rows.get(label).node, { label, labels: this.labels, uses, into });
    if (target === null) return;
    this.at = target;
    await this._change({ op: "merge", label, into: target }, ({ count }) => `${quoted(label)} was merged into ${quoted(target)}: ${counted(count, "annotation")}.`);
  }

  async _remove(label) {
    const uses = await this._told(() => this._usesOf(label));
    if (!uses) return;
    if (!(await askRemove(this.question, this.rows.get(label).node, { label, uses }))) return;
    const at = this.shown.findIndex((own) => own.label === label);
    this.at = (this.shown[at + 1] ?? this.shown[at - 1])?.label ?? null;
    await this._change({ op: "remove", label, with_annotations: uses[2] > 0 }, ({ count }) => `${quoted(label)} was removed${count ? ` with ${counted(count, "annotation")}` : ""}.`);
  }

  async _recolour(label) {
    const { colour } = this.labels.find((own) => own.label === label);
    const wanted = await askColour(this.question, this.rows.get(label).node, { label, colour, palette: this.info.palette });
    if (wanted && wanted !== colour) await this._change({ op: "recolour", label, colour: wanted });
  }

  async _addTyped() {
    const name = this.adder.value.trim();
    if (!name || !this.info || this.info.read_only) return;
    if (this.labels.some((own) => own.label === name)) {
      this.notices.say("edit", `There is a label ${quoted(name)} already.`, { kind: "error" });
      this._focusOn(name);
      return;
    }
    const answer = await this._add([[name, null]]);
    if (!answer) return;
    this.adder.value = "";
    this.adder.focus();
  }

  async _import() {
    const found = await askImport(this.question, this.top, { request: this.request });
    if (found?.length) await this._add(found);
  }

  async _add(labels) {
    const names = labels.map(([name]) => name);
    const { done } = this.info;
    const fate = done ? await askReview(this.question, this.top, { names, done }) : "keep";
    if (!fate) return null;
    const what = names.length === 1 ? `${quoted(names[0])} was added` : `${counted(names.length, "label")} were added`;
    const answer = await this._change({ op: "add", labels, review: fate === "review" }, ({ count }) => `${what}${count ? `; ${counted(count, "image")} need${count === 1 ? "s" : ""} review` : ""}.`);
    if (answer) this._focusOn(names[0]);
    return answer;
  }

  async _told(work) {
    try {
      return await work();
    } catch (error) {
      if (this.closed) return null;
      if (error instanceof KernelGone) this.showLost();
      else {
        this.notices.say("edit", error.message, { kind: "error" });
        await this._readAgain();
      }
      return null;
    }
  }
}
