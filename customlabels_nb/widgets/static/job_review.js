// Review of a labelling job: decide the images on which people disagree. The kernel side is in job_review.py.

import { element, hint, setText, widgetOf } from "./shared/dom.js";
import { invitePerson } from "./shared/inviting.js";
import { LabelBar } from "./shared/labelbar.js";
import { Toast } from "./shared/toast.js";
import { DecisionPanel } from "./review/decision_panel.js";
import { DisputedImage } from "./review/disputed_image.js";
import { ReviewFooter } from "./review/footer.js";
import {
  decisionText,
  differencesOf,
  differenceText,
  JOB_REVIEW_KEYS,
  jobDecided,
  jobReviewCommand,
  offerOf,
  reasonText,
  usualLabel,
  whyNotAsk,
} from "./review/job_decisions.js";
import { DisputedTile } from "./review/job_tile.js";
import { JobToolbar } from "./review/job_toolbar.js";
import { ReasonList } from "./review/reason_list.js";
import { ReviewPages } from "./review/review_pages.js";

class JobFooter extends ReviewFooter {
  showPlace() {}

  showSelection() {}

  showProgress() {
    setText(this.progress, "names show after the decision");
  }

  // Show the keys for an image. Those that do not fit on the line are left out, the last first.
  showImage(row, position, { total, left, draws }) {
    setText(
      this.position,
      row
        ? `${(position + 1).toLocaleString("en")} of ${total.toLocaleString("en")} · ` +
            `${left.toLocaleString("en")} to decide`
        : "",
    );
    const isOpen = row && !row.gone;
    const letters = row?.answers.slice(0, 4).map(({ letter }) => letter) ?? [];
    const keys = [];
    if (isOpen && letters.length) keys.push(hint(letters, "take"));
    if (isOpen)
      keys.push(
        hint("⏎", { accept: "leave without result", next: "next" }[offerOf(row)] ?? "consensus"),
      );
    if (isOpen && draws && !row.reviewed)
      keys.push(hint("Tab", "difference"), hint("H", "hide answers"));
    keys.push(isOpen ? hint("Ctrl Z", "undo") : hint("→", "next image"));
    this.hints.replaceChildren(...keys, hint("?", "all keys"));
  }
}

class JobReview extends ReviewPages {
  keys = JOB_REVIEW_KEYS;

  _build(el) {
    super._build(el);
    this.root.classList.add("clnb-job-review");
    this.root.setAttribute("aria-label", "Disputed images of a labelling job");
    const { leave } = this;
    this.reasons = new ReasonList({
      leave,
      choose: (reason) => this.show({ query: { ...this.query, reason }, place: 0 }),
      request: this.request,
    });
    this.image = new DisputedImage((row) => this.listing.full(row));
    this.side = new DecisionPanel(
      {
        leave,
        take: (number) => this._takeAnswer(number),
        approve: () => this._decide({ op: "approve" }),
        fix: () => this._fix(this.focus),
        ask: () => this._decide({ op: "ask" }),
        reject: () => this._decide({ op: "reject" }),
        look: (which) => {
          if (this.looked !== which) {
            this.looked = which;
            this._showImage();
          }
        },
      },
      this.labelbar.node,
    );
    this.toast = new Toast(() => {
      leave();
      this._do({ do: "undo" });
    });
    this.about = element(
      "div",
      { class: "about" },
      element("strong", {}),
      element("span", { class: "faint" }),
    );
    this.strip = element("div", { class: "strip" }, this.about, this.grid);
    this.body.prepend(
      element(
        "div",
        { class: "bench" },
        this.reasons.node,
        this.empty,
        this.image.node,
        this.side.node,
      ),
      this.strip,
    );
    this.strip.before(this.toast.node);
    this.looked = null;
    this.isHidden = false;
    this.difference = null;
  }

  greeted() {
    this.single = true;
  }

  get draws() {
    return this.info.draws && !this.row?.gone;
  }

  get row() {
    return this.listing.count ? this.listing.rowAt(this.focus) : undefined;
  }

  makeToolbar(on) {
    return new JobToolbar({ ...on, previous: () => this._do({ do: "move", direction: "left" }) });
  }

  makeLabelBar(on) {
    return new LabelBar(on);
  }

  makeFooter(on) {
    return new JobFooter(on);
  }

  makeTile(id) {
    return new DisputedTile({ id, onAccept: () => {} });
  }

  // Tab leaves the widget after the last difference.
  commandOf(event) {
    const command = jobReviewCommand(event);
    if (command?.do !== "difference") return command;
    return event.target === this.root && this._differenceAfter(command.by) !== null
      ? command
      : null;
  }

  foresee(row, edit) {
    return jobDecided(row, edit, { alone: this.info.alone });
  }

  conflictWords(conflict) {
    this.toast.close(); // nothing was stored
    return conflict.theirs.length
      ? super.conflictWords(conflict)
      : "others have answered or decided it. It is shown as it is now.";
  }

  show(change) {
    this.toast.close();
    this.notices.drop("done");
    return super.show(change);
  }

  // -- painting ---------------------------------------------------------------------------------------
  _layout() {
    super._layout();
    this.labelbar.fit();
  }

  showCounts() {
    const { labels, counts, task, alone, read_only: readOnly, review } = this.info;
    this.labelbar.update({ labels, counts, task, alone, readOnly, isFixed: true });
    this.footer.showProgress(review);
    this.reasons.update(this.info);
    this._sayWaiting();
    this._showImage();
  }

  // Say once which of the images wait for one more person.
  _sayWaiting() {
    const waiting = this.info.waiting.find(({ actions }) => actions.includes("decide"));
    if (waiting?.sentence === this.waiting) return;
    this.waiting = waiting?.sentence;
    this.notices.drop("waiting");
    if (waiting) this.notices.say("waiting", waiting.sentence, { step: this._inviting(waiting) });
  }

  _inviting({ actions }) {
    return actions.includes("invite")
      ? { label: "Invite one…", run: () => invitePerson(this) }
      : null;
  }

  _showSingleImage(tile) {
    if (this.shown !== this.row?.name) {
      this.shown = this.row?.name;
      this.looked = null;
      this.difference = null;
    }
    this._showImage();
    if (tile)
      this.grid.scrollLeft = tile.node.offsetLeft - this.grid.offsetLeft - tile.node.offsetWidth;
    const next = this.listing.rowAt(this.focus + 1);
    if (next) this.listing.full(next).catch(() => {});
  }

  _showImage() {
    const {
      row,
      info,
      focus,
      listing: { total },
    } = this;
    this.toolbar.showImage(row, focus, total, row ? offerOf(row) : null);
    this.footer.showImage(row, focus, { total, left: info.review.left, draws: info.draws });
    for (const node of [this.image.node, this.side.node, this.strip]) node.hidden = !row;
    if (!row) return;
    const { draws, query } = info;
    const [chosen] = differencesOf(row).filter(({ object }) => object === this.difference);
    const only = this.looked ?? (this.isHidden && !row.reviewed ? "consensus" : null);
    const words = chosen
      ? differenceText(chosen)
      : row.gone
        ? ""
        : row.reasons.map((reason) => reasonText(reason, { draws })).join(" · ");
    this.image.show(row, info.labels, this.listing.pictures.get(row.name), words, {
      only,
      object: chosen?.object ?? null,
    });
    this.side.update(row, info);
    this.side.node.classList.toggle("hides", this.isHidden);
    setText(
      this.about.firstChild,
      query.reason
        ? `Next in ${reasonText(query.reason, { draws })}`
        : query.show === "reviewed"
          ? "Decided"
          : "To decide",
    );
    setText(
      this.about.lastChild,
      query.sort === "doubt" ? "least agreement first" : `by ${query.sort}`,
    );
  }

  _explainEmptiness() {
    const { done, left } = this.info.review;
    const showing = (label, show) => ({
      label,
      run: () =>
        this.show({
          query: { ...this.info.query, show, reason: null, label: null, search: "" },
          place: 0,
        }),
    });
    this._showImage();
    if (this.info.query.show === "reviewed")
      this._say(
        done ? "No images match the filter." : "Nothing is decided yet.",
        left ? showing("Show images to decide", "to_review") : null,
      );
    else if (left)
      this._say("No images match the filter.", showing("Show all to decide", "to_review"));
    else if (done)
      this._say("All disputed images are decided.", showing("Show decided images", "reviewed"));
    else {
      const { waiting } = this.info;
      this._say(
        `Nothing to decide now. ${waiting.map(({ sentence }) => sentence).join(" ")}`,
        waiting.map((group) => this._inviting(group)).find(Boolean),
      );
    }
  }

  _sayEnd() {
    const { left } = this.info.review;
    const rest = {
      label: "Show them",
      run: () =>
        this.show({ query: { ...this.info.query, show: "to_review", reason: null }, place: 0 }),
    };
    this.notices.say(
      "done",
      left
        ? `End of this list. ${left.toLocaleString("en")} left to decide.`
        : "All disputed images are decided.",
      { step: left ? rest : null },
    );
  }

  // -- decisions --------------------------------------------------------------------------------------
  actions(command) {
    return {
      ...super.actions(command),
      take: () => this._takeAnswer(command.number),
      ask: () => this._decide({ op: "ask" }),
      reject: () => this._decide({ op: "reject" }),
      hide: () => {
        this.isHidden = !this.isHidden;
        this._showImage();
      },
      difference: () => {
        this.difference = this._differenceAfter(command.by);
        this._showImage();
      },
      escape: () => {
        this.difference = null;
        this.isHidden = false;
        this._showImage();
      },
    };
  }

  _differenceAfter(by) {
    const differences = this.row ? differencesOf(this.row).map(({ object }) => object) : [];
    const index = differences.indexOf(this.difference);
    return differences[index < 0 ? (by > 0 ? 0 : differences.length - 1) : index + by] ?? null;
  }

  _takeAnswer(number) {
    if (this.row?.answers[number - 1]) this._decide({ op: "take", number });
    else this.notices.say("edit", `There is no answer ${"ABCDEFGHI"[number - 1]} here.`);
  }

  // A number gives the boxes a label: all of them, or those with the usual label of the difference.
  _correct(label) {
    if (!this.info.draws || !this.row) return super._correct(label);
    const boxLabels = new Set(this.row.boxes);
    const chosen = differencesOf(this.row).find(({ object }) => object === this.difference);
    const wrong = chosen && boxLabels.has(usualLabel(chosen)) ? usualLabel(chosen) : null;
    if (!boxLabels.size)
      return this.notices.say("edit", "The consensus is empty. Take an answer, or draw with E.");
    if (boxLabels.size > 1 && !wrong)
      return this.notices.say(
        "edit",
        "There are several labels. Choose one of them with Tab first, or edit with E.",
      );
    return this._decide({ op: "label", label, instead_of: wrong });
  }

  _decide(edit) {
    const { row } = this;
    if (!row || this.info.read_only) return;
    this.notices.drop("edit");
    const offer = offerOf(row);
    if (edit.op === "approve" && offer === "next") this._advance();
    else if (edit.op === "approve" && offer === null)
      this.notices.say(
        "edit",
        "There is no majority. Take an answer with its letter, or choose a label.",
      );
    else if (row.gone)
      this.notices.say(
        "edit",
        "This image waits for answers. It comes back here when they are in.",
      );
    else if (edit.op === "ask" && whyNotAsk(row)) this.notices.say("edit", whyNotAsk(row));
    else {
      this.looked = null; // the pointer may rest on a card that goes away
      super._decide(edit);
      this.toast.say(decisionText(row, edit), {
        canUndo: edit.op !== "ask" && edit.op !== "reject",
      });
    }
  }
}

export default widgetOf(JobReview);
