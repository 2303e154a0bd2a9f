// Filters of the gallery: result tabs with counts, label, slice, sort order and file name.

import { element, setText, setValue, show } from "../shared/dom.js";
import { numberText, selectedImagesText } from "./text.js";

const TABS = [
  ["mistakes", "mistakes", "Images with any mistake"],
  ["fp", "false positives", "Images with a wrong prediction"],
  ["fn", "false negatives", "Images with a missed label or box"],
  ["tp", "correct", "Images with a correct prediction"],
  [
    "suspects",
    "suspected labels",
    "The model is as confident here as in correct predictions: check whether the ground truth is wrong",
  ],
  ["fixed", "fixed", "Wrong before, correct now"],
  ["broken", "broken", "Correct before, wrong now"],
  ["all", "all", "All test images"],
];
const SORTS = [
  ["confident", "most confident mistakes"],
  ["unsure", "least certain"],
  ["name", "name"],
  ["given", "original order"],
];

const menu = (name, words, select) =>
  element(
    "label",
    { class: "menu", data: { menu: name } },
    element("span", { text: words }),
    select,
  );
const option = (value, text) => element("option", { value, text });

export class Filters {
  // `onFilter(change)`. `onBack()` leaves a cell of the matrix.
  constructor({ onFilter, onBack, actions }) {
    this.onFilter = onFilter;
    this.tabs = TABS.map(([show_, text, title]) =>
      element(
        "button",
        {
          class: "tab",
          title,
          data: { show: show_ },
          attributes: { "aria-pressed": "false" },
          on: { click: () => onFilter({ show: show_ }) },
        },
        `${text} `,
        element("span", { class: "count" }),
      ),
    );
    const select = (name, change) =>
      element("select", {
        attributes: { "aria-label": name },
        on: { change: (event) => onFilter(change(event.target.value)) },
      });
    this.sort = select("sort", (value) => ({ sort: value }));
    this.sort.append(...SORTS.map(([value, text]) => option(value, text)));
    this.label = select("label", (value) => ({
      label: value === "" ? null : this.facts.labels[Number(value)].label,
    }));
    this.slice = select("slice", (value) => ({
      slice: value === "" ? null : this.slices[Number(value)],
    }));
    this.search = element("input", {
      type: "search",
      class: "search",
      placeholder: "File name",
      attributes: { "aria-label": "Filter by file name" },
      on: { input: () => onFilter({ search: this.search.value }) },
    });
    this.sliceMenu = menu("slice", "slice", this.slice);
    this.note = element("span", { class: "narrowed" });
    this.clear = element("button", { class: "plain", on: { click: onBack } });
    this.narrowing = element("span", { class: "narrowing", hidden: true }, this.note, this.clear);
    this.node = element(
      "div",
      { class: "band filterbar" },
      element(
        "span",
        { class: "tabs", attributes: { role: "group", "aria-label": "Results" } },
        ...this.tabs,
      ),
      menu("sort", "sort", this.sort),
      menu("label", "label", this.label),
      this.sliceMenu,
      this.search,
      this.narrowing,
      element("span", { class: "actions" }, ...actions),
    );
  }

  build(facts) {
    this.facts = facts;
    this.label.replaceChildren(
      option("", "all"),
      ...facts.labels.map(({ label }, index) => option(String(index), label)),
    );
    this.slices = facts.slices.flatMap(({ column, values }) =>
      values.map(({ name }) => [column, name]),
    );
    this.slice.replaceChildren(
      option("", "all"),
      ...this.slices.map(([column, name], index) => option(String(index), `${column}: ${name}`)),
    );
    show(this.sliceMenu, this.slices.length > 0);
  }

  // `cell` describes the shown cell of the matrix, `before` is the filter that it replaced, or null.
  show(filter, counts, cell, before) {
    for (const tab of this.tabs) {
      const shown = tab.dataset.show;
      const current = shown === filter.show;
      tab.classList.toggle("current", current);
      tab.setAttribute("aria-pressed", String(current));
      setText(
        tab.querySelector(".count"),
        counts[shown] === undefined ? "" : numberText(counts[shown]),
      );
      show(
        tab,
        ["mistakes", "fp", "fn", "all"].includes(shown) ||
          Boolean(counts[shown] && shown !== "tp") ||
          current,
      );
    }
    setValue(this.sort, filter.sort);
    setValue(
      this.label,
      filter.label === null
        ? ""
        : String(this.facts.labels.findIndex(({ label }) => label === filter.label)),
    );
    const slice =
      filter.slice === null
        ? -1
        : this.slices.findIndex(
            ([column, name]) => column === filter.slice[0] && name === filter.slice[1],
          );
    setValue(this.slice, slice < 0 ? "" : String(slice));
    setValue(this.search, filter.search);
    const chips = cell ? [cell] : [];
    if (filter.images) chips.push(selectedImagesText(filter.images));
    const set = [
      before?.label,
      before?.search && `“${before.search}”`,
      before?.images && selectedImagesText(before.images),
    ].filter(Boolean);
    if (set.length) chips.push(`instead of ${set.map((text) => `\u2068${text}\u2069`).join(", ")}`);
    setText(this.clear, before ? "× Back" : "× Show all mistakes");
    setText(this.note, chips.join(" · "));
    this.note.title = this.note.textContent;
    show(this.narrowing, chips.length > 0);
  }
}
