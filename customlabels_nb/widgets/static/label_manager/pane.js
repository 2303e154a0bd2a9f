// Label manager pane: a list with a field to add labels and a filter. Used in its own widget and in the panels of
// gallery and annotator. The kernel side is in label_manager.py.

import { counted } from "../shared/numbers.js";
import { element, keyHint, setText, show } from "../shared/dom.js";
import { Notices } from "../shared/notices.js";
import { KernelGone } from "../shared/requests.js";
import { askColor, askImport, askMerge, askRemove, askReview } from "./forms.js";
import { LabelList } from "./list.js";
/** @import { Command } from "./logic.js" */
import { after, changed, labelCommand, quoted, stepBefore, withText } from "./logic.js";
import { Question } from "./question.js";

const EDIT_TAKES = 120_000; // milliseconds; a merge may change millions of annotations
const COUNT_AGAIN = 300;
const SAID_FOR = 8_000;
const COUNT_SHARE = 10; // pause before the next count, as a multiple of its duration

const HINTS = [
  ["F2", "rename"],
  ["Alt ↑↓", "move"],
  ["M", "merge"],
  ["C", "color"],
  ["Del", "remove"],
  ["/", "filter"],
];
const ABOUT_NO_LABEL = new Set(["add", "undo", "redo"]);
const STATE_WORDS = {
  saved: "saved",
  saving: "saving…",
  lost: "not saved – the kernel does not respond",
};

export class LabelPane {
  constructor({ request, on = {} }) {
    this.request = request;
    /** @type {{ changed?: () => void, focus?: (label: string) => void }} */
    this.on = on;
    this.labels = [];
    this.uses = new Map(); // label → [images in train, in test, annotations]
    this.waiting = 0;
    this.closed = false;
    this.info = null;
    this._build();
  }

  _build() {
    const button = (text, title, action, more = {}) =>
      element("button", { type: "button", text, title, on: { click: action }, ...more });
    const leave = () => this.list.node.focus({ preventScroll: true });
    this.leave = leave;
    this.notices = new Notices();
    this.question = new Question({ onClose: leave });
    this.list = new LabelList({
      question: this.question,
      on: {
        rename: (label, name) => this._rename(label, name),
        drop: (from, to) => this._drop(from, to),
        leave,
        focus: (label) => this.on.focus?.(label),
      },
    });
    this.adder = element("input", {
      type: "text",
      class: "adder",
      maxLength: 256,
      placeholder: "New label…",
      attributes: { "aria-label": "New label" },
      on: { keydown: (event) => this._fieldKey(event, () => this._addTyped()) },
    });
    this.addButton = button("Add", "Add this label at the end (Enter)", () => this._addTyped(), {
      class: "primary",
    });
    this.filter = element("input", {
      type: "search",
      class: "search",
      placeholder: "⌕ filter…",
      attributes: { "aria-label": "Filter labels" },
      on: { input: () => this._paint(), keydown: (event) => this._fieldKey(event, leave) },
    });
    this.importButton = button(
      "Import…",
      "Import label names from another project or dataset",
      () => this._import(),
    );
    this.undoButton = button("Undo", "Undo the last edit made here (Ctrl Z)", () =>
      this._takeBack("undo"),
    );
    this.tools = element(
      "div",
      { class: "tools" },
      element("span", { class: "adding" }, this.adder, this.addButton),
      element("span", { class: "spring" }),
      this.filter,
      this.importButton,
      this.undoButton,
    );
    this.top = element("div", { class: "top" });
    this.head = element(
      "div",
      { class: "label-head", attributes: { "aria-hidden": "true" } },
      element("span", { text: "label" }),
      element("span", { class: "uses", text: "train" }),
      element("span", { class: "uses", text: "test" }),
    );
    this.empty = element("p", { class: "nothing", hidden: true });
    this.count = element("span", { class: "label-count" });
    this.said = element("span", { class: "said", attributes: { role: "status" } });
    this.hints = element(
      "span",
      { class: "hints" },
      ...HINTS.flatMap(([key, what]) => [keyHint(key), ` ${what} `]),
    );
    this.state = element("span", { class: "state", attributes: { role: "status" } });
    this.node = element(
      "div",
      { class: "label-manager" },
      this.tools,
      this.notices.node,
      this.top,
      this.head,
      this.list.node,
      this.empty,
      element("div", { class: "below" }, this.count, this.hints, this.said, this.state),
    );
    this.list.node.addEventListener("keydown", (event) => this._key(event));
    this.list.node.addEventListener("click", (event) => this._click(event));
    this.list.node.addEventListener("dblclick", (event) => {
      if (event.target.closest(".name")) this._do(["rename"]);
    });
  }

  close() {
    this.closed = true;
    clearTimeout(this.counting);
    clearTimeout(this.saying);
  }

  // -- requests to the kernel -------------------------------------------------------------------------
  // Poll for changes of others. Rejects if the kernel does not respond.
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
    if (this.info) this.info.seen = null; // the shown labels may not be saved: reload them when possible
    this._showState();
    this.notices.say(
      "gone",
      "The kernel does not respond. Run the cell again to continue. Saved labels are not lost.",
      { kind: "error" },
    );
  }

  _take(answer) {
    this.info = answer;
    this.lost = false;
    this.labels = answer.labels;
    this._paint();
    this._countSoon();
  }

  // Count the uses of all labels after the list is shown, because it reads all annotations.
  _countSoon() {
    if (this.counting) return;
    this.counting = setTimeout(
      async () => {
        const began = Date.now();
        try {
          const [{ uses }] = await this.request("labels uses", {}, [], { patience: EDIT_TAKES });
          if (this.closed) return;
          this.uses = new Map(uses);
          this.list.showUses(this.uses);
        } catch {
          // the next change or poll counts again
        }
        this.countedTook = Date.now() - began;
        this.counting = null;
      },
      Math.max(this.counted ? COUNT_AGAIN : 0, COUNT_SHARE * (this.countedTook ?? 0)),
    );
    this.counted = true;
  }

  async _usesOf(label) {
    try {
      const [{ uses }] = await this.request("labels uses", { label }, [], { patience: EDIT_TAKES });
      return uses[0][1];
    } catch (error) {
      if (error instanceof KernelGone && !this.closed) this.showLost();
      else if (!this.closed) {
        this.notices.say("edit", error.message, { kind: "error" });
        await this._readAgain();
      }
      throw error;
    }
  }

  // Show an edit immediately and send it. A refused edit is reverted. Returns the response, or null.
  async _change(edit, message = null) {
    this.notices.drop("edit");
    this.labels = changed(this.labels, edit);
    this._paint();
    return this._send("labels change", edit, (answer) => this._say(message ? message(answer) : ""));
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
      this._say(
        said ? `${kind === "undo" ? "Undone" : "Redone"}: ${said}.` : `Nothing to ${kind}.`,
      );
    });
  }

  // Show a message in place of the keyboard hints for a while.
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
    const shown = withText(this.labels, this.filter.value);
    this.list.show(this.labels, shown, this.uses);
    show(this.tools, !readOnly || this.labels.length > 0);
    for (const node of [this.adder.parentElement, this.importButton, this.undoButton, this.hints])
      show(node, !readOnly);
    this.node.classList.toggle("read-only", readOnly);
    this.undoButton.disabled = !this.info.can_undo;
    setText(
      this.count,
      shown.length < this.labels.length
        ? `${shown.length.toLocaleString("en")} of ${counted(this.labels.length, "label")}`
        : counted(this.labels.length, "label"),
    );
    this._explainEmptiness(shown, readOnly);
  }

  _explainEmptiness(shown, readOnly) {
    const none = readOnly
      ? "There are no labels."
      : "No labels yet. Type the first one above, or import names.";
    setText(
      this.empty,
      shown.length ? "" : this.labels.length ? "No labels match the filter." : none,
    );
    show(this.empty, !shown.length);
    for (const node of [this.list.node, this.head]) show(node, shown.length > 0);
  }

  _showState() {
    const state = this.lost ? "lost" : this.waiting ? "saving" : "saved";
    const isReadOnly = this.info?.read_only && !this.lost;
    this.state.className = isReadOnly ? "read-only-state" : `state ${state}`;
    setText(this.state, isReadOnly ? "read-only" : STATE_WORDS[state]);
  }

  // -- pointer and keys -------------------------------------------------------------------------------
  _click(event) {
    const node = event.target.closest(".label-row");
    if (!node || event.target.closest("input")) return;
    this.list.focusOn(node.dataset.label);
    const action = event.target.closest("[data-do]");
    if (action) this._do([action.dataset.do]);
    else if (event.target.closest(".swatch")) this._do(["color"]);
    else if (!event.target.closest("button")) this.leave();
  }

  _fieldKey(event, onEnter) {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault(); // keep the key from the button that a question focuses
      onEnter();
    } else if (event.key === "Escape" && event.target.value) {
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
    if (event.defaultPrevented || event.target !== this.list.node) return;
    const command = labelCommand(event);
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    this._do(command);
  }

  /** @param {Command} command */
  _do([name, by]) {
    const { shown, place, at } = this.list;
    const edits = {
      add: () => this.adder.focus(),
      held: () => {},
      undo: () => this._takeBack("undo"),
      redo: () => this._takeBack("redo"),
      shift: () => this._shift(by),
      rename: () => this.list.rowOf(at).rename(),
      merge: () => this._merge(at),
      remove: () => this._remove(at),
      color: () => this._recolor(at),
    };
    if (name === "move")
      this.list.focusOn(shown[Math.min(Math.max(place + by, 0), shown.length - 1)]?.label ?? null);
    else if (name === "edge") this.list.focusOn(shown.at(by)?.label ?? null);
    else if (name === "filter") this.filter.focus();
    else if (this.info && !this.info.read_only && (place >= 0 || ABOUT_NO_LABEL.has(name)))
      edits[name]();
  }

  // -- edits ------------------------------------------------------------------------------------------
  async _rename(label, name) {
    if (this.labels.some((item) => item.label === name)) {
      this._merge(label, name);
      return;
    }
    if (this.uses.has(label)) this.uses.set(name, this.uses.get(label));
    this.list.renamed(label, name);
    await this._change(
      { op: "rename", label, name },
      ({ count }) =>
        `${quoted(label)} was renamed to ${quoted(name)}${count ? ` in ${counted(count, "annotation")}` : ""}.`,
    );
  }

  _shift(by) {
    const { shown, at } = this.list;
    const before = stepBefore(shown, this.labels, at, by);
    if (before !== undefined) this._move(at, before);
  }

  _drop(from, to) {
    const { shown } = this.list;
    this._move(
      shown[from].label,
      to < shown.length ? shown[to].label : after(this.labels, shown.at(-1).label),
    );
  }

  _move(label, before) {
    this._change({ op: "move", label, before });
    this.list.focusOn(label);
  }

  async _merge(label, into = null) {
    const row = this.list.rowOf(label);
    if (!row) return;
    const target = await askMerge(this.question, row.node, {
      label,
      labels: this.labels,
      uses: this._counting(label),
      into,
    });
    if (target === null) return;
    this.list.at = target;
    await this._change(
      { op: "merge", label, into: target },
      ({ count }) =>
        `${quoted(label)} was merged into ${quoted(target)}: ${counted(count, "annotation")}.`,
    );
  }

  async _remove(label) {
    const isUsed = this.uses.get(label)?.[2] !== 0; // if this count is outdated, the kernel refuses
    if (
      isUsed &&
      !(await askRemove(this.question, this.list.rowOf(label).node, {
        label,
        uses: this._counting(label),
      }))
    )
      return;
    const { shown, place } = this.list;
    if (this.list.at === label)
      this.list.at = (shown[place + 1] ?? shown[place - 1])?.label ?? null;
    await this._change(
      { op: "remove", label, with_annotations: isUsed },
      ({ count }) =>
        `${quoted(label)} was removed${count ? ` with ${counted(count, "annotation")}` : ""}.`,
    );
  }

  _counting(label) {
    return { known: this.uses.get(label), fresh: this._usesOf(label) };
  }

  async _recolor(label) {
    const { color } = this.labels.find((item) => item.label === label);
    const wanted = await askColor(this.question, this.list.rowOf(label).node, {
      label,
      color,
      palette: this.info.palette,
    });
    if (wanted && wanted !== color) await this._change({ op: "recolor", label, color: wanted });
  }

  async _addTyped() {
    const name = this.adder.value.trim();
    if (!name || !this.info || this.info.read_only) return;
    if (this.labels.some((item) => item.label === name)) {
      this.notices.say("edit", `Label ${quoted(name)} already exists.`, { kind: "error" });
      this.list.focusOn(name);
      return;
    }
    this.adder.value = ""; // for the next label, which may be typed before the answer
    const answer = await this._add([[name, null]]);
    if (answer) this.adder.focus();
    else this.adder.value ||= name;
  }

  async _import() {
    const imported = await askImport(this.question, this.top, { request: this.request });
    if (imported?.length) await this._add(imported);
  }

  async _add(labels) {
    const names = labels.map(([name]) => name);
    const { done } = this.info;
    const fate = done ? await askReview(this.question, this.top, { names, done }) : "keep";
    if (!fate) return null;
    const what =
      names.length === 1
        ? `${quoted(names[0])} was added`
        : `${counted(names.length, "label")} were added`;
    const answer = await this._change(
      { op: "add", labels, review: fate === "review" },
      ({ count }) =>
        `${what}${count ? `. ${counted(count, "image")} need${count === 1 ? "s" : ""} review` : ""}.`,
    );
    if (answer) this.list.focusOn(names[0]);
    return answer;
  }
}
