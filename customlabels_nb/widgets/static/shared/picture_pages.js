// Base of the widgets that select and edit images in pages. The page never waits for the kernel: an edit is shown
// immediately, and as "saved" once the kernel has confirmed it.

import { commandFor, noLabelText } from "./keymap.js";
import { PageView } from "./page_view.js";
import { neighbour, pageStart } from "./pages.js";
import { askNote, openKeys } from "./panels.js";
import { edited } from "./rows.js";
import { editText } from "./toast.js";

/** @import { KeyTable } from "./keymap.js" */

// Commands that concern no image in particular.
const OF_ANY_PAGE = ["move", "edge", "page", "jump", "undo", "redo", "find", "shapes", "help"];

// Widgets extend this class. _build(el) creates the parts and shows them in `el`. Subclasses have a table of `keys`,
// and implement makeTile(id), showToolbars(), showCounts(), _explainEmptiness() and, if `single`, _showSingleImage().
export class PicturePages extends PageView {
  /** @type {KeyTable} */ keys;

  _footerActions() {
    return {
      leave: this.leave,
      page: (by) => this._do({ do: "page", by }),
      jump: (number) => this._do({ do: "jump", number }),
      size: (size) =>
        this.show({
          size,
          place: pageStart(this.focus, size, this.listing.total),
          keep: this.focus,
        }),
      help: () => this.showKeys(),
    };
  }

  // True on a page whose images a click takes out or puts back.
  get clustered() {
    return false;
  }

  // -- edits of the shown rows ------------------------------------------------------------------------
  // Return the row after the edit, or the same object if nothing changes.
  foresee(row, edit) {
    return edited(row, edit, { alone: this.info.alone });
  }

  // Announce an edit to screen readers, unless a toast shows it.
  announce(edit, count) {
    const text = count && !this.toast && editText(edit, count);
    if (text) this.footer.speak(text);
  }

  // Add a row to the shown counts, or subtract it with -1.
  count(row, by) {
    const { counts, statuses } = this.info;
    for (const label of new Set([...row.labels, ...row.boxes]))
      counts[label] = (Object.hasOwn(counts, label) ? counts[label] : 0) + by;
    statuses[row.status] = (statuses[row.status] ?? 0) + by;
  }

  // Return the label of a number key, or say that there is none.
  labelNumbered(number) {
    const entry = this.info.labels[number - 1];
    if (entry) this.notices.drop("number");
    else if (!this.info.read_only) this.notices.say("number", noLabelText(number));
    return entry?.label;
  }

  conflictWords({ theirs, yours }, edit) {
    const textOf = (labels) => (labels.length ? labels.join(", ") : "no label");
    if (edit?.op === "accept")
      return `it was “${textOf(yours)}”, and is “${textOf(theirs)}” now. Please check it again.`;
    return `theirs is “${textOf(theirs)}”, yours is “${textOf(yours)}”. Their version was kept.`;
  }

  // -- pointer and keys -------------------------------------------------------------------------------
  _placeOf(event) {
    const tile = event.target.closest?.(".tile");
    return tile ? Number(tile.dataset.place) : null;
  }

  _click(event) {
    const position = this._placeOf(event);
    if (position === null) return;
    this.preview.rememberUse(event.target.closest(".tile"));
    this.focus = position;
    if (this.single) this.selection.clear();
    else if (event.shiftKey)
      this.selection.extendTo(position, { added: event.ctrlKey || event.metaKey });
    else if (this.clustered || event.ctrlKey || event.metaKey || event.target.closest(".tick"))
      this.selection.toggle(position);
    else if (this.selection.size === 1 && this.selection.has(position)) this.selection.clear();
    else this.selection.only(position);
    this.root.focus({ preventScroll: true });
    this._selected();
  }

  commandOf(event) {
    return commandFor(this.keys, event);
  }

  _key(event) {
    if (!this.info || event.defaultPrevented || event.target.closest("input, select, textarea"))
      return;
    if (event.target.closest("button, a") && (event.key === "Enter" || event.key === " ")) return;
    const command = this.commandOf(event);
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    this._do(command);
  }

  // While a page is loading, keys that act on images do nothing, because the images have not been seen. Other keys
  // wait for the page, and all keys for an undo. If that fails, they are dropped. Pages of the same list can be turned
  // faster than they load.
  _do(command) {
    const { turned, undoing } = this;
    const { view } = this.listing;
    const isAtOnce =
      command.do === "escape" || (["page", "jump"].includes(command.do) && turned === this.paging);
    if (!turned || isAtOnce) this.actions(command)[command.do]?.call(this, command);
    else if (this._canWait(command))
      turned.then((arrived) => {
        // an undo may have turned to the other dataset
        const isSeen = turned !== undoing || view === this.listing.view;
        if (arrived && !this.closed && (isSeen || OF_ANY_PAGE.includes(command.do)))
          this._do(command);
      });
  }

  // Return true if a key may act on the page that is loading.
  _canWait(command) {
    return this.turned === this.undoing || OF_ANY_PAGE.includes(command.do);
  }

  // Return the functions that run commands. Widgets add their own.
  actions(command) {
    const { listing } = this;
    return {
      move: () => this._move(command.direction, command.select),
      edge: () => this._focusOn(command.at === "first" ? listing.start : listing.end - 1),
      page: () => this._turn(command.by)?.then(() => this._bringFocus()),
      jump: () => this._go(command.number * listing.size),
      select: () => this._toggleFocused(),
      all: () => this._selectAll(),
      escape: () => this._escape(),
      undo: () => this._undo("undo"),
      redo: () => this._undo("redo"),
      look: () => this._togglePreview(this.focus),
      shapes: () => this._toggleShapes(),
      help: () => this.showKeys(),
      note: () => this._note(),
      label: () => {
        const label = this.labelNumbered(command.number);
        if (label !== undefined) this._correct(label);
      },
      find: () => {
        if (!this.info.read_only) this.labelbar.begin(command.text);
      },
      fix: () => this._fix(this.focus),
    };
  }

  async _addLabel(name) {
    const target = this.editing.aim();
    const answer = await this._ask("add label", "label", { label: name });
    if (answer) this._correct(answer.label, target);
  }

  // Widgets replace it, or the two that call it.
  _correct(_label, _target = undefined) {}

  _undo(kind) {
    this.undoing = this._hold(this.editing.takeBack(kind));
  }

  // Ask for the note on the selected images or boxes, or the one in focus. Answers of a labelling job have none.
  async _note() {
    const target = this.editing.aim();
    const { rows, ranges } = target; // no rows if some pages were not shown yet
    if (!ranges.length || this.info.read_only || this.info.job) return;
    const shared = rows?.every((row) => row.note === rows[0].note) ? rows[0].note : "";
    const words = rows?.length === 1 ? rows[0].short : "the selection";
    const note = await askNote(this.panel, words, shared);
    if (note === null || note === shared || this.closed) return; // different notes stay unless one is written
    this.editing.edit({ op: "note", note }, { at: target });
  }

  showKeys() {
    openKeys(this.panel, this.info?.job ? this.keys.jobHelp : this.keys.help);
  }

  _move(direction, select) {
    const target = neighbour(this.focus, direction, this.columns, this.listing.total);
    if (target === null) return;
    if (select && !this.single) {
      this.selection.anchor ??= this.focus;
      this.selection.extendTo(target);
    }
    this._focusOn(target);
    if (select) this._sendSelection();
  }

  _focusOn(position) {
    this.preview.close();
    if (this.listing.isOnPage(position)) {
      this.focus = position;
      this._mark();
      this._bringFocus();
      this._sendSelection();
    } else {
      this._go(position, { focus: position }).then(() => this._bringFocus());
    }
  }

  // Scroll the focused image into view: a page may be taller than the window.
  _bringFocus() {
    const tile = this.tiles[this.focus - this.listing.start];
    if (tile && !this.closed) tile.node.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // Return a Promise if there is such a page.
  _turn(by) {
    const target = this.listing.start + by * this.listing.size;
    return target >= 0 && target < this.listing.total ? this._go(target) : null;
  }

  _toggleFocused() {
    if (this.single || !this.listing.total) return;
    this.selection.toggle(this.focus);
    this._selected();
  }

  _selectAll() {
    const { start, count, total } = this.listing;
    if (this.single || !total) return;
    if (this.selection.covers(start, count) && total > count && !this.selection.everything)
      this.selection.selectAll(total);
    else {
      this.selection.clear();
      this.selection.addRange(start, count);
    }
    this._selected();
  }

  _selectNames(names) {
    const wanted = new Set(names);
    this.selection.clear();
    this.listing.names.forEach((name, position) => {
      if (wanted.has(name)) this.selection.places.add(position);
    });
    this._mark();
  }

  _escape() {
    if (this.preview.isOpen) this.preview.close();
    else {
      this.selection.clear();
      this._selected();
    }
  }

  _selected() {
    const { size } = this.selection;
    if (size) this.footer.speak(`${size.toLocaleString("en")} selected`);
    this._mark();
    this._sendSelection();
  }

  _togglePreview(position) {
    const row = this.listing.rowAt(position);
    const tile = this.tiles[position - this.listing.start];
    if (this.preview.isOpen) this.preview.close();
    else if (row && tile && !this.single) this.preview.open(row, tile.node, { pinned: true });
  }

  _advance() {
    if (this.focus + 1 < this.listing.total) this._focusOn(this.focus + 1);
  }

  // Return the positions an edit applies to: the selection, or the focused image.
  target() {
    if (this.selection.size) return this.selection.ranges();
    return this.listing.total ? [[this.focus, this.focus]] : [];
  }

  // Return true if what an edit was aimed at is still the target.
  _isStillTarget({ view, ranges }) {
    return view === this.listing.view && JSON.stringify(ranges) === JSON.stringify(this.target());
  }

  // Go to the page of an image, if it is known and not the current one.
  bring(name) {
    const position = this.listing.names.indexOf(name);
    if (position >= 0) this._focusOn(position);
  }

  // Select images again whose edit was not stored.
  returnTo(names) {
    if (names.length > 1) this._selectNames(names);
    this.bring(names[0]);
  }

  // True if boxes can be edited in an annotator below.
  get draws() {
    const { can_crop: hasBoxes, can_draw: canDraw, job, task } = this.info;
    return canDraw && !job && (hasBoxes || task === "boxes" || task === "polygons");
  }

  _doubleClick(position) {
    if (this.draws) this._fix(position);
    else super._doubleClick(position);
  }

  // Correct the boxes of an image in the annotator, a separate widget below this one that is rendered a moment later.
  // Keys then apply there. This page stays as it is.
  async _fix(position) {
    const row = this.listing.rowAt(position);
    if (!row || !this.draws) return;
    try {
      await this.editing.settled();
      await this.request("fix", { image: row.name });
      this._bringAnnotator();
    } catch (error) {
      this.notices.say("fix", error.message, { kind: "error" });
    }
  }

  _bringAnnotator(tries = 20) {
    setTimeout(() => {
      const box = this.root.closest(".widget-vbox");
      const annotator = /** @type {HTMLElement} */ (box?.querySelector(".clnb-annotator"));
      if (!annotator && tries && !this.closed) return this._bringAnnotator(tries - 1);
      annotator?.scrollIntoView({ block: "nearest" });
      annotator?.focus({ preventScroll: true });
      return undefined;
    }, 300);
  }
}
