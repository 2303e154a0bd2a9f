// Verify widget: judge predictions as right or wrong, or correct them. The kernel side is in verify.py.

import { element, hint, leaving, setText, show, widgetOf } from "./shared/dom.js";
import { Footer } from "./shared/footer.js";
import { LabelBar } from "./shared/labelbar.js";
import { PicturePages } from "./shared/picture_pages.js";
import { undoButtons } from "./shared/undo_buttons.js";
import { VerifyTile } from "./verify/tile.js";
import { isWaiting, judged, statedLabels, VERIFY_KEYS } from "./verify/verdicts.js";

const SHOWN = [
  ["all", "all"],
  ["unlabelled", "not judged"],
  ["labelled", "right or corrected"],
  ["needs_review", "wrong"],
];

class VerifyFooter extends Footer {
  showSelection(count, { labels = 0, drawn = false } = {}) {
    const range = labels > 1 ? `1–${Math.min(9, labels)}` : "1";
    const chosen = count
      ? [element("strong", { text: `${count.toLocaleString("en")} selected` })]
      : [];
    this.hints.replaceChildren(
      ...chosen,
      hint("⏎", count ? "right" : "page is right"),
      hint("⌫", "wrong"),
      hint(range, "another label"),
      ...(drawn ? [hint("H", "hide boxes")] : []),
      hint("?", "keys"),
    );
  }

  showProgress(statuses) {
    const total = Object.values(statuses).reduce((sum, count) => sum + count, 0);
    const done = (statuses.labelled ?? 0) + (statuses.needs_review ?? 0);
    setText(this.progress, `${done.toLocaleString("en")} of ${total.toLocaleString("en")} judged`);
    this.bar.firstChild.style.width = total ? `${(100 * done) / total}%` : "0";
  }
}

export class Verify extends PicturePages {
  keys = VERIFY_KEYS;

  _build(el) {
    this._buildParts("clnb-verify", "Predictions to verify");
    const { leave } = this;
    const button = (text, name, title, run) =>
      element("button", {
        class: name,
        text,
        title,
        on: { click: leaving(this, run) },
      });
    this.title = element("strong", { class: "project" });
    this.shown = element(
      "select",
      {
        attributes: { "aria-label": "Show" },
        data: { menu: "show" },
        on: {
          change: () => {
            leave();
            this.show({ query: { ...this.query, show: this.shown.value }, place: 0 });
          },
        },
      },
      ...SHOWN.map(([value, text]) => element("option", { value, text })),
    );
    this.sentence = element("span", { class: "sentence", attributes: { role: "status" } });
    this.fixing = button(
      "Fix boxes",
      "fix",
      "Correct the boxes of this image, and draw missed ones (E)",
      () => this._fix(this.focus),
    );
    this.changing = [
      ...undoButtons({ leave, takeBack: (kind) => this._do({ do: kind }) }),
      this.fixing,
      button(
        "Wrong",
        "wrong",
        "The predictions of the selected images, or of the one in focus, are wrong (Delete)",
        () => this._judge({ op: "wrong" }),
      ),
      button(
        "Right",
        "right",
        "The predictions of the selected images, or of the one in focus, are right (A)",
        () => this._judge({ op: "right" }),
      ),
      button("Submit", "primary submit", "Add the judged images to the project", () =>
        this._submit(),
      ),
    ];
    this.toolbar = element(
      "div",
      { class: "band toolbar" },
      this.title,
      element("label", { class: "menu" }, element("span", { text: "show" }), this.shown),
      this.sentence,
      element("span", { class: "actions" }, ...this.changing),
    );
    this.labelbar = new LabelBar({
      leave,
      choose: (label) => this._correct(label),
      add: (label) => this._addLabel(label),
      task: () => {},
    });
    this.footer = new VerifyFooter(this._footerActions());
    this.body = element("div", { class: "body" }, this.grid, this.empty, this.preview.node);
    this.root.append(
      this.toolbar,
      this.labelbar.node,
      this.notices.node,
      this.body,
      this.footer.node,
      this.panel.node,
    );
    el.append(this.root);
  }

  makeTile(id) {
    return new VerifyTile({ id });
  }

  get draws() {
    return this.info.draws;
  }

  showToolbars() {
    const { model, query, sentence, draws, read_only: readOnly } = this.info;
    setText(this.title, `Feedback of ${model}`);
    this.title.title = model;
    setText(this.sentence, sentence);
    this.shown.value = query.show;
    for (const node of this.changing) show(node, !readOnly);
    show(this.fixing, draws && !readOnly);
    this.showCounts();
  }

  showCounts() {
    const { labels, counts, task, read_only: readOnly } = this.info;
    this.labelbar.update({ labels, counts, task, readOnly });
    this.footer.showProgress(this.info.statuses);
  }

  _explainEmptiness() {
    this._say("No images match the filter.", {
      label: "Show all",
      run: () => this.show({ query: { ...this.info.query, show: "all" }, place: 0 }),
    });
  }

  // -- verdicts -----------------------------------------------------------------------------------------
  foresee(row, edit) {
    return judged(row, edit, { alone: this.info.alone });
  }

  actions(command) {
    return {
      ...super.actions(command),
      right: () => this._judge({ op: "right" }),
      wrong: () => this._judge({ op: "wrong" }),
      "page right": () => this._finishPage(),
    };
  }

  // With several labels, the next key may change another label of the same image.
  _correct(label, target = this.editing.aim()) {
    const rows = target.rows ?? [];
    const isToggled = !this.info.alone && !this.info.draws;
    if (isToggled && rows.length && rows.every((row) => statedLabels(row).includes(label)))
      this.editing.edit({ op: "unlabel", label }, { at: target });
    else if (isToggled) this.editing.edit({ op: "label", label }, { at: target });
    else this._judge({ op: "label", label }, target);
  }

  _judge(edit, target = this.editing.aim()) {
    if (this.info.read_only || !target.ranges.length) return;
    this.editing.edit(edit, { at: target });
    if (!this._isStillTarget(target)) return;
    const moves = !this.selection.size;
    this.selection.clear();
    if (moves) this._advance();
    this._selected();
  }

  // What was not judged on the page is right.
  _finishPage() {
    if (this.selection.size) return this._judge({ op: "right" });
    const { start, end, total } = this.listing;
    const rows = (total ? (this.listing.rowsAt([[start, end - 1]]) ?? []) : []).filter(isWaiting);
    if (rows.length) this.editing.edit({ op: "right" }, { rows });
    if (end < total) return this._turn(1)?.then(() => this._bringFocus());
    return this.notices.say("done", "End of this list.", {
      step: this.info.read_only
        ? null
        : { label: "Submit the judged images", run: () => this._submit() },
    });
  }

  async _submit() {
    await this.editing.settled();
    if (this.editing.pending.length)
      return this.notices.say("submit", "Some verdicts are still being saved. Try again.", {
        kind: "error",
      });
    const answer = await this._ask("submit", "submit", {});
    if (answer) this.notices.say("submit", answer.text);
    return undefined;
  }
}

export default widgetOf(Verify);
