// Pages of the review: approve, correct or reject labels, label by label. The kernel side is in review.py.

import { ELSEWHERE } from "../shared/chips.js";
import { element } from "../shared/dom.js";
import { askReason } from "../shared/job_bar.js";
import { numeral } from "../shared/numbers.js";
import { PicturePages } from "../shared/picture_pages.js";
import { nextStepNodes } from "../shared/next_step.js";
import { ReviewBar } from "./bar.js";
import { correctable, countIn, decided, rejectQuestion } from "./decisions.js";
import { ReviewFooter } from "./footer.js";
import { REVIEW_KEYS } from "./keys.js";
import { suggestedLabels } from "./suspects.js";
import { ReviewTile } from "./tile.js";
import { ReviewToolbar } from "./toolbar.js";

const EVERYTHING_LEFT = {
  show: "to_review",
  label: null,
  predicted: null,
  annotator: null,
  search: "",
  images: false,
  queue: null,
};

/** @import { PageTile } from "../shared/page_view.js" */
/**
 * @typedef {{ node: HTMLElement, update: Function, begin: Function, fit: Function }} PageLabelBar
 * @typedef {{ node: HTMLElement, update: Function, showSelection: Function,
 *   showImage?: Function }} PageToolbar
 */

// Subclasses may replace makeToolbar(on), makeLabelBar(on), makeFooter(on), `keys`, and what PicturePages leaves to
// them.
export class ReviewPages extends PicturePages {
  keys = REVIEW_KEYS;

  _build(el) {
    this._buildParts("clnb-review", "Labelled images to review");
    const { leave } = this;
    const query = (change) => this.show({ query: { ...this.query, ...change }, place: 0 });
    this.toolbar = this.makeToolbar({
      leave,
      query,
      split: (split) =>
        this.show({
          split,
          place: 0,
          query: {
            ...this.query,
            queue: split === "test" && !this.info.assist?.test ? null : this.query.queue,
          },
        }),
      takeBack: (kind) => this._do({ do: kind }),
      approve: () => this._decide({ op: "approve" }),
      reject: () => this._reject(),
      remove: () => this._decide({ op: "remove" }),
      fix: () => this._fix(this.focus),
    });
    this.labelbar = this.makeLabelBar({
      leave,
      show: (label) => query({ label }),
      choose: (label) => this._correct(label),
      add: (label) => this._addLabel(label),
      task: (task) => this._chooseTask(task),
    });
    this.footer = this.makeFooter(this._footerActions());
    this.body = element("div", { class: "body" }, this.grid, this.empty, this.preview.node);
    this.root.append(
      this.toolbar.node,
      this.labelbar.node,
      this.notices.node,
      this.body,
      this.footer.node,
      this.panel.node,
    );
    el.append(this.root);
  }

  /** @returns {PageToolbar} */
  makeToolbar(on) {
    return new ReviewToolbar(on);
  }

  /** @returns {PageLabelBar} */
  makeLabelBar(on) {
    return new ReviewBar(on);
  }

  makeFooter(on) {
    return new ReviewFooter(on);
  }

  /** @returns {PageTile} */
  makeTile(id) {
    return new ReviewTile({ id, onAccept: (row) => this._acceptPredictions([row]) });
  }

  // -- painting ---------------------------------------------------------------------------------------
  showToolbars() {
    this.root.classList.toggle("with-model", this.info.has_predictions);
    this.footer.ofSuspects = this.info.query.queue === "suspect";
    this.toolbar.update({ ...this.info, isEmpty: !this.listing.total, draws: this.draws });
    this.showCounts();
  }

  showCounts() {
    const { labels, counts, review, query, task, alone, read_only: readOnly } = this.info;
    this.labelbar.update({
      labels,
      counts,
      progress: review,
      current: query.label,
      task,
      alone,
      toggles: this._toggles,
      readOnly,
    });
    this.footer.showProgress(review);
  }

  _mark() {
    super._mark();
    this.toolbar.showSelection(this.selection.size);
  }

  _explainEmptiness() {
    const { splits, split, query, review, has_predictions: hasModel, empty } = this.info;
    const next = nextStepNodes(empty?.next, () => null);
    const labelled = review.left + review.done;
    const showing = (label, change) => ({
      label,
      run: () => this.show({ query: { ...query, ...EVERYTHING_LEFT, ...change }, place: 0 }),
    });
    if (!splits[split]) this._say("There are no images yet.");
    else if (query.queue) this._say(empty?.text ?? "", showing("Show all left to review"), next);
    else if (!labelled)
      this._say("There are no labelled images to review yet. Label some with project.label().");
    else if (!review.left && query.show !== "reviewed")
      this._say(
        labelled === 1
          ? "The only labelled image is reviewed."
          : `All ${numeral(labelled)} labelled images are reviewed.`,
        showing("Show reviewed images", { show: "reviewed" }),
        next,
      );
    else if (query.show === "disagrees" && hasModel && query.label === null)
      this._say(
        "The model agrees with all labels that are left to review.",
        showing("Show all left to review"),
      );
    else if (!review.left)
      this._say(
        "No images match the filter.",
        showing("Show reviewed images", { show: "reviewed" }),
      );
    else this._say("No images match the filter.", showing("Show all left to review"));
  }

  // -- edits of the shown rows ------------------------------------------------------------------------
  foresee(row, edit) {
    return decided(row, edit, { alone: this.info.alone });
  }

  count(row, by) {
    super.count(row, by);
    countIn(this.info.review, row, by);
  }

  conflictWords({ theirs }) {
    return `it ${theirs.length ? `is “${theirs.join(", ")}”` : "has no label"} now. Please check it again.`;
  }

  // -- decisions ----------------------------------------------------------------------------------------
  actions(command) {
    return {
      ...super.actions(command),
      approve: () => this._decide({ op: "approve" }),
      reject: () => {
        this._reject();
      },
      remove: () => this._decide({ op: "remove" }),
      accept: () => this._acceptTarget(),
    };
  }

  // With several labels per image and none selected for correction, a key adds or removes a label.
  get _toggles() {
    const { task, alone, query } = this.info;
    return (task ?? "multi-label") === "multi-label" && !alone && query.label === null;
  }

  _correct(label, target = this.editing.aim()) {
    if (this._toggles)
      this.editing.edit({ op: "toggle", label }, { at: target }); // other labels may also need correction
    else this._decide({ op: "label", label, instead_of: this.info.query.label || null }, target);
  }

  async _acceptTarget() {
    const target = this.editing.aim();
    if (this.info.query.queue === "suspect") return this._takeSuggestions();
    try {
      this._acceptPredictions(
        target.rows ??
          (await this.editing.store(() => this.listing.fetchRows(target.ranges, target.view))),
        target,
      );
    } catch (error) {
      this.notices.say("edit", `Not saved: ${error.message}`, { kind: "error" });
    }
  }

  // Suggestions for boxes are taken by editing the boxes.
  _takeSuggestions() {
    const rows = this.listing.rowsAt(this.target());
    if (rows && !rows.some(suggestedLabels))
      this.notices.say(
        "accept",
        "There is nothing to take over here: correct the label with its key, or boxes in project.annotate().",
      );
    else this._decide({ op: "suggest" });
  }

  _acceptPredictions(rows, target = this.editing.aim(rows)) {
    const byLabel = new Map();
    const wanted = rows.filter((row) => row.predicted && !row.agrees);
    if (wanted.length && !wanted.some(correctable)) this.notices.say("accept", ELSEWHERE);
    for (const row of wanted.filter(correctable)) {
      byLabel.set(row.predicted[0], [...(byLabel.get(row.predicted[0]) ?? []), row]);
    }
    for (const [label, labelRows] of byLabel)
      this.editing.edit(
        { op: "label", label, instead_of: null },
        { at: { ...target, rows: labelRows } },
      );
  }

  async _reject() {
    const target = this.editing.aim();
    if (this.info.read_only || !target.ranges.length) return;
    const count = target.ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    const reason = await askReason(this.panel, rejectQuestion(this.info, count));
    if (reason !== null) this._decide({ op: "reject", reason }, target);
  }

  // A decision completes its images: continue with the images after them.
  _decide(edit, target = this.editing.aim()) {
    const { ranges } = target;
    if (this.info.read_only || !ranges.length) return;
    this.editing.edit(edit, { at: target });
    if (!this._isStillTarget(target)) return;
    const next = ranges.at(-1)[1] + 1;
    this.selection.clear();
    if (next < this.listing.total) this._focusOn(next);
    else {
      this._selected();
      this._sayEnd();
    }
  }

  _sayEnd() {
    const left = this.info.review.left;
    const rest = {
      label: "Show all left to review",
      run: () => this.show({ query: { ...this.info.query, ...EVERYTHING_LEFT }, place: 0 }),
    };
    const words = left
      ? `End of this list. ${left.toLocaleString("en")} ${left === 1 ? "image is" : "images are"} left to review.`
      : "All images are reviewed.";
    this.notices.say("done", words, { step: left ? rest : null });
  }
}
