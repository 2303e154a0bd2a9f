// Toolbar of the review of a labelling job: what is shown, the place in the list, and the main decision.

import { element, leaving, setText } from "../shared/dom.js";
import { undoButtons } from "../shared/undo_buttons.js";

const JOB_SHOWS = [
  ["to_review", "review"],
  ["reviewed", "decided"],
];
const JOB_SORTS = [
  ["doubt", "least agreement"],
  ["name", "name"],
  ["added", "added"],
  ["random", "random"],
];
const OFFER_WORDS = { consensus: "Take consensus", accept: "No result", next: "Next" };

export class JobToolbar {
  // `on` has leave(), query(change), takeBack(kind), previous() and approve().
  constructor(on) {
    this.title = element("strong", { class: "project" });
    this.tabs = new Map(
      JOB_SHOWS.map(([name]) => [
        name,
        element("button", {
          class: "tab",
          data: { show: name },
          attributes: { role: "tab" },
          on: { click: leaving(on, () => on.query({ show: name, reason: null })) },
        }),
      ]),
    );
    this.sort = element(
      "select",
      {
        attributes: { "aria-label": "sort" },
        data: { menu: "sort" },
        title: "Least agreement: the images on which people disagree most first",
        on: { change: () => on.query({ sort: this.sort.value }) },
      },
      ...JOB_SORTS.map(([value, text]) => element("option", { value, text })),
    );
    this.name = element("bdi", { class: "image-name" });
    this.place = element("span", { class: "faint place" });
    this.undoing = undoButtons(on);
    this.previous = element(
      "button",
      {
        class: "previous",
        title: "Previous image (←)",
        attributes: { "aria-label": "Previous" },
        on: { click: leaving(on, on.previous) },
      },
      "‹",
      element("span", { text: " Previous" }),
    );
    this.words = element("span");
    this.approve = element(
      "button",
      { class: "primary", on: { click: leaving(on, on.approve) } },
      this.words,
      element("span", { text: " ⏎", attributes: { "aria-hidden": "true" } }),
    );
    this.node = element(
      "div",
      { class: "band toolbar" },
      this.title,
      element(
        "div",
        { class: "tabs", attributes: { role: "tablist", "aria-label": "Images" } },
        ...this.tabs.values(),
      ),
      element("label", { class: "menu" }, element("span", { text: "sort" }), this.sort),
      element("span", { class: "where" }, this.name, this.place),
      element("span", { class: "actions" }, ...this.undoing, this.previous, this.approve),
    );
  }

  update({ project, query, review, read_only: readOnly }) {
    setText(this.title, project);
    const counts = { to_review: review.left, reviewed: review.done };
    for (const [name, text] of JOB_SHOWS) {
      const node = this.tabs.get(name);
      setText(node, `${text} ${counts[name].toLocaleString("en")}`);
      node.classList.toggle("current", query.show === name);
      node.setAttribute("aria-selected", String(query.show === name));
    }
    this.sort.value = query.sort;
    this.isFixed = readOnly;
  }

  showSelection() {}

  // `offer` is what Enter does with the image, null if nothing.
  showImage(row, position, total, offer) {
    setText(this.name, row?.short ?? "");
    this.name.title = row?.name ?? "";
    setText(
      this.place,
      row ? `· ${(position + 1).toLocaleString("en")} of ${total.toLocaleString("en")}` : "",
    );
    this.previous.disabled = !row || position === 0;
    this.approve.disabled = !row || offer === null || (this.isFixed && offer !== "next");
    setText(this.words, OFFER_WORDS[offer] ?? OFFER_WORDS.consensus);
    this.approve.title =
      row && offer === null
        ? "There is no majority: take an answer, or choose a label"
        : `${this.words.textContent} (Enter)`;
  }
}
