// Main toolbar of the review: dataset, filter, sort order, and decisions.

import { element, leaving, setText, show } from "../shared/dom.js";
import { captionedMenu, nameField, splitTabs } from "../shared/toolbar.js";
import { undoButtons } from "../shared/undo_buttons.js";

const SHOWN_IN_REVIEW = [
  ["to_review", "to review"],
  ["disagrees", "model disagrees"],
  ["needs_review", "needs review"],
  ["reviewed", "reviewed"],
  ["all", "all labelled"],
];
const REVIEW_SORTS = [
  ["doubt", "doubt"],
  ["name", "name"],
  ["newest", "newest"],
  ["added", "added"],
  ["random", "random"],
];
const WITHOUT_MODEL = "There are no predictions for these images yet";

export class ReviewToolbar {
  // `on` has leave(), split(name), query(change), takeBack(kind), approve(), reject(), remove(), fix().
  constructor(on) {
    this.on = on;
    this.title = element("strong", { class: "project" });
    this.tabs = element("div", {
      class: "tabs",
      attributes: { role: "tablist", "aria-label": "Dataset" },
    });
    this.shown = captionedMenu("show", (show) => on.query({ show }));
    this.by = captionedMenu("by", (value) => on.query({ annotator: JSON.parse(value) }));
    this.queue = captionedMenu("queue", (value) => on.query({ queue: value || null }));
    this.sort = captionedMenu("sort", (sort) => on.query({ sort }));
    this.sort.parentElement.title = "Doubt: most confident disagreements of the model first";
    this.search = nameField(on);
    this.undoing = undoButtons(on);
    const button = (name, text, title) =>
      element("button", { class: name, text, title, on: { click: leaving(on, on[name]) } });
    this.fix = button("fix", "Edit boxes", "Edit the boxes below (E, double click)");
    this.remove = button(
      "remove",
      "Remove labels",
      "Label the selected images again, without suggestions (Shift Delete or Shift X)",
    );
    this.reject = button(
      "reject",
      "Reject",
      "Label the selected images again, with the labels as suggestions (Delete or X)",
    );
    this.approve = element(
      "button",
      {
        class: "primary",
        title: "Approve the labels of the selected images, or of the one in focus (Enter or A)",
        on: { click: leaving(on, on.approve) },
      },
      element("span", { text: "Approve " }),
      element("span", { text: "⏎", attributes: { "aria-hidden": "true" } }),
    );
    this._decisions = [this.fix, this.remove, this.reject, this.approve];
    this.node = element(
      "div",
      { class: "band toolbar" },
      this.title,
      this.tabs,
      this.queue.parentElement,
      this.shown.parentElement,
      this.by.parentElement,
      this.sort.parentElement,
      this.search,
      element("span", { class: "actions" }, ...this.undoing, ...this._decisions),
    );
  }

  update({
    project,
    splits,
    split,
    query,
    annotators,
    assist,
    has_predictions: hasModel,
    read_only: readOnly,
    isEmpty,
    draws,
  }) {
    setText(this.title, project);
    for (const node of this._decisions) {
      node.disabled = isEmpty;
      show(node, !readOnly && (draws || node !== this.fix));
    }
    if (this.search !== this.search.ownerDocument.activeElement) this.search.value = query.search;
    // rebuild menus only if they changed: one of them may be open or focused
    const state = JSON.stringify([splits, split, query, annotators, hasModel, readOnly, assist]);
    if (state === this.state) return;
    this.state = state;
    this.tabs.replaceChildren(...splitTabs(splits, split, this.on));
    const entry = (value, text, selected, disabled = false) =>
      element("option", {
        value,
        text,
        selected,
        disabled,
        title: disabled ? WITHOUT_MODEL : undefined,
      });
    this.shown.replaceChildren(
      ...SHOWN_IN_REVIEW.map(([value, text]) =>
        entry(value, text, value === query.show, value === "disagrees" && !hasModel),
      ),
    );
    this.sort.replaceChildren(
      ...REVIEW_SORTS.map(([value, text]) => entry(value, text, value === query.sort)),
    );
    this.by.replaceChildren(
      entry("null", "everyone", query.annotator === null),
      ...annotators.map((name) => entry(JSON.stringify(name), name, name === query.annotator)),
    );
    this.queue.replaceChildren(
      entry("", "off", !query.queue),
      entry("suspect", "suspects", query.queue === "suspect"),
    );
    show(
      this.queue.parentElement,
      Boolean(query.queue || (assist && (split !== "test" || assist.test))),
    );
    for (const menu of [this.shown, this.sort]) show(menu.parentElement, !query.queue);
    for (const node of this.undoing) show(node, !readOnly);
  }

  showSelection(count) {
    setText(
      this.approve.firstChild,
      count > 1 ? `Approve ${count.toLocaleString("en")} ` : "Approve ",
    );
    setText(this.reject, count > 1 ? `Reject ${count.toLocaleString("en")}` : "Reject");
  }
}
