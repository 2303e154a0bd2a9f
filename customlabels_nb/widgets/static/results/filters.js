// What the gallery shows: tabs with counts, menus for label and slice, order, part of a file's name.

import { element, setText, show } from "../shared/dom.js";
import { numberText } from "./text.js";

const TABS = [
  ["mistakes", "mistakes", "images with anything wrong"], ["fp", "false positives", "something was predicted that isn't there"],
  ["fn", "false negatives", "something that is there was missed"], ["tp", "right", "images with something right"],
  ["suspects", "suspected labels", "the model says otherwise, as surely as where it is right: look whether the truth is wrong"],
  ["fixed", "fixed", "wrong before, right now"], ["broken", "broken", "right before, wrong now"], ["all", "all", "all test images"],
];
const SORTS = [["confident", "most confident mistakes"], ["unsure", "nearest to the threshold"], ["name", "name"], ["given", "as given"]];

const menu = (name, words, select) => element("label", { class: "menu", data: { menu: name } }, element("span", { text: words }), select);
const option = (value, text) => element("option", { value, text });

export class Filters {
  // `onFilter(change)`; `onBack()` ends what a cell of the matrix shows.
  constructor({ onFilter, onBack, actions }) {
    this.onFilter = onFilter;
    this.tabs = TABS.map(([show_, text, title]) => element(
      "button", { type: "button", class: "tab", title, data: { show: show_ }, attributes: { "aria-pressed": "false" }, on: { click: () => onFilter({ show: show_ }) } },
      `${text} `, element("span", { class: "count" }),
    ));
    const select = (name, change) => element("select", { attributes: { "aria-label": name }, on: { change: (event) => onFilter(change(event.target.value)) } });
    this.sort = select("sort", (value) => ({ sort: value }));
    this.sort.append(...SORTS.map(([value, text]) => option(value, text)));
    this.label = select("label", (value) => ({ label: value === "" ? null : this.facts.labels[Number(value)].label }));
    this.slice = select("slice", (value) => ({ slice: value === "" ? null : this.slices[Number(value)] }));
    this.search = element("input", {
      type: "search", class: "search", placeholder: "file name", attributes: { "aria-label": "part of a file's name" },
      on: { input: () => onFilter({ search: this.search.value }) },
    });
    this.sliceMenu = menu("slice", "slice", this.slice);
    this.note = element("span", { class: "narrowed" });
    this.clear = element("button", { type: "button", class: "plain", on: { click: onBack } });
    this.narrowing = element("span", { class: "narrowing", hidden: true }, this.note, this.clear);
    this.node = element(
      "div", { class: "band filterbar" }, element("span", { class: "tabs", attributes: { role: "group", "aria-label": "which images" } }, ...this.tabs),
      menu("sort", "sort", this.sort), menu("label", "label", this.label), this.sliceMenu, this.search, this.narrowing,
      element("span", { class: "actions" }, ...actions),
    );
  }

  build(facts) {
    this.facts = facts;
    this.label.replaceChildren(option("", "all"), ...facts.labels.map(({ label }, at) => option(String(at), label)));
    this.slices = facts.slices.flatMap(({ column, values }) => values.map(({ name }) => [column, name]));
    this.slice.replaceChildren(option("", "all"), ...this.slices.map(([column, name], at) => option(String(at), `${column}: ${name}`)));
    show(this.sliceMenu, this.slices.length > 0);
  }

  // `cell` describes the cell of the matrix that is shown, `before` is the filter that it took the place of; null without.
  show(filter, counts, cell, before) {
    for (const tab of this.tabs) {
      const own = tab.dataset.show;
      const current = own === filter.show;
      tab.classList.toggle("current", current);
      tab.setAttribute("aria-pressed", String(current));
      setText(tab.querySelector(".count"), counts[own] === undefined ? "" : numberText(counts[own]));
      show(tab, ["mistakes", "fp", "fn", "all"].includes(own) || Boolean(counts[own] && own !== "tp") || current);
    }
    this.sort.value = filter.sort;
    this.label.value = filter.label === null ? "" : String(this.facts.labels.findIndex(({ label }) => label === filter.label));
    const slice = filter.slice === null ? -1 : this.slices.findIndex(([column, name]) => column === filter.slice[0] && name === filter.slice[1]);
    this.slice.value = slice < 0 ? "" : String(slice);
    if (this.search.value !== filter.search) this.search.value = filter.search;
    const said = cell ? [cell] : [];
    if (filter.images) said.push(`${numberText(filter.images.length)} named images`);
    const set = [before?.label, before?.slice?.join(": "), before?.search && `“${before.search}”`, before?.images && `${numberText(before.images.length)} named images`].filter(Boolean);
    if (set.length) said.push(`instead of ${set.map((text) => `\u2068${text}\u2069`).join(", ")}`);
    setText(this.clear, before ? "× back" : "× show all mistakes");
    setText(this.note, said.join(" · "));
    this.note.title = this.note.textContent;
    show(this.narrowing, said.length > 0);
  }
}
