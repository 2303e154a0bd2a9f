// Main toolbar of the review: dataset, filter, sort order, and decisions.

import { element, leaving, setText, show } from "../shared/dom.js";
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
    const menu = (caption, name, action) => {
      const select = element("select", {
        on: { change: () => action(select.value) },
        attributes: { "aria-label": caption },
        data: { menu: name },
      });
      return [
        element("label", { class: "menu" }, element("span", { text: caption }), select),
        select,
      ];
    };
    const [showMenu, shown] = menu("show", "show", (value) => on.query({ show: value }));
    const [byMenu, by] = menu("by", "by", (value) => on.query({ annotator: JSON.parse(value) }));
    const [queueMenu, queue] = menu("queue", "queue", (value) =>
      on.query({ queue: value || null }),
    );
    const [sortMenu, sort] = menu("sort", "sort", (value) => on.query({ sort: value }));
    this.shown = shown;
    this.by = by;
    this.sort = sort;
    this.queue = queue;
    this.queueMenu = queueMenu;
    this.showMenu = showMenu;
    this.sortMenu = sortMenu;
    sortMenu.title = "Doubt: most confident disagreements of the model first";
    this.search = element("input", {
      type: "search",
      class: "search",
      placeholder: "⌕ file name…",
      attributes: { "aria-label": "Search by file name" },
      on: { input: () => this._searchSoon(), keydown: (event) => this._searchKey(event) },
    });
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
      queueMenu,
      showMenu,
      byMenu,
      sortMenu,
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
    this.tabs.replaceChildren(
      ...Object.entries(splits).map(([name, count]) =>
        element("button", {
          class: name === split ? "tab current" : "tab",
          text: `${name} ${count.toLocaleString("en")}`,
          attributes: { role: "tab", "aria-selected": String(name === split) },
          data: { split: name },
          on: { click: leaving(this.on, () => this.on.split(name)) },
        }),
      ),
    );
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
    show(this.queueMenu, Boolean(query.queue || (assist && (split !== "test" || assist.test))));
    for (const item of [this.showMenu, this.sortMenu]) show(item, !query.queue);
    for (const node of this.undoing) show(node, !readOnly);
  }

  showSelection(count) {
    setText(
      this.approve.firstChild,
      count > 1 ? `Approve ${count.toLocaleString("en")} ` : "Approve ",
    );
    setText(this.reject, count > 1 ? `Reject ${count.toLocaleString("en")}` : "Reject");
  }

  _searchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.on.query({ search: this.search.value }), 250);
  }

  _searchKey(event) {
    event.stopPropagation();
    if (event.key === "Enter") {
      clearTimeout(this.timer);
      this.on.query({ search: this.search.value });
    } else if (event.key === "Escape") {
      this.on.leave();
    }
  }
}
