// Toolbar of the map: dataset, search, colors, what to select, and the tool.

import { element, leaving, setText, show } from "../shared/dom.js";
import { counted } from "../shared/numbers.js";
import { SearchSetup } from "../shared/search_setup.js";
import { tab } from "../shared/toolbar.js";
import { undoButtons } from "../shared/undo_buttons.js";

const TOOLS = [
  ["lasso", "Draw around points to select them (L). Space and drag moves the map"],
  ["move", "Drag to move the map (M)"],
];

// What can be selected beside labels: texts, and what is chosen.
const WRONG = [["wrong", { wrong: true }]];
const NO_LABEL = [["no label", { show: "unlabelled" }]];
const STATUSES_OF_CROPS = ["unconfirmed", "confirmed", "predicted"].map((status) => [
  status,
  { show: status },
]);

export class MapToolbar {
  // `on` has leave(), split(name), search(text), color(by), choose(what), tool(name), takeBack(kind) and whole().
  constructor(on) {
    this.on = on;
    this.title = element("strong", { class: "project" });
    this.words = element("span", { class: "faint words" });
    this.splits = element("span", {
      class: "tabs",
      attributes: { role: "tablist", "aria-label": "Dataset" },
    });
    this.search = element("input", {
      type: "search",
      class: "described",
      placeholder: "⌕ what they show…",
      title: "Ring the images that a description fits best, such as “a red screw” (Enter)",
      attributes: { "aria-label": "Search by what images show" },
      on: { keydown: (event) => this._key(event) },
    });
    this.searching = new SearchSetup(this.search, on.leave);
    this.found = element("span", { class: "faint", attributes: { role: "status" } });
    this.color = this._menu("color", (value) => on.color(value));
    this.choice = this._menu("select", (value) => {
      this.choice.value = "";
      if (value) on.choose(JSON.parse(value));
    });
    this.tools = TOOLS.map(([name, title]) =>
      element("button", {
        text: name,
        title,
        data: { tool: name },
        on: { click: leaving(on, () => on.tool(name)) },
      }),
    );
    this.whole = element("button", {
      text: "Full screen",
      on: { click: leaving(on, () => on.whole()) },
    });
    this.undoing = undoButtons(on);
    this.node = element(
      "div",
      { class: "band toolbar" },
      this.title,
      this.words,
      this.splits,
      this.search,
      this.searching.node,
      this.found,
      element(
        "span",
        { class: "actions" },
        element("label", { class: "menu" }, element("span", { text: "color" }), this.color),
        element("label", { class: "menu" }, this.choice),
        element(
          "span",
          { class: "tabs", attributes: { role: "group", "aria-label": "Tool" } },
          ...this.tools,
        ),
        ...this.undoing,
        this.whole,
      ),
    );
  }

  /** @returns {HTMLSelectElement} */
  _menu(name, run) {
    const menu = element("select", {
      attributes: { "aria-label": name },
      data: { menu: name },
      on: {
        change: () => {
          const { value } = menu;
          this.on.leave();
          run(value);
        },
      },
    });
    return menu;
  }

  _key(event) {
    event.stopPropagation();
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    if (event.key === "Escape") this.search.value = "";
    this.on.leave();
    this.on.search(this.search.value.trim());
  }

  update({ project, split, splits, labels, read_only: readOnly, judged, map }, coloring, hits) {
    setText(this.title, project);
    setText(this.words, `map of ${counted(map.total - map.without, map.noun)}`);
    const state = JSON.stringify([split, splits, labels, map.colorings, hits > 0]);
    for (const button of this.undoing) show(button, !readOnly);
    if (state === this.state) return;
    this.state = state;
    show(this.splits, splits.test > 0 && splits.train > 0);
    this.splits.replaceChildren(
      ...Object.keys(splits).map((name) =>
        tab(
          name,
          name === split,
          { split: name },
          leaving(this.on, () => this.on.split(name)),
        ),
      ),
    );
    this.color.replaceChildren(
      ...map.colorings.map((by) => element("option", { value: by, text: by })),
    );
    this.color.value = coloring ?? map.colorings[0];
    const statusOptions = judged ? WRONG : map.noun === "crop" ? STATUSES_OF_CROPS : NO_LABEL;
    const option = (text, what) => element("option", { text, value: JSON.stringify(what) });
    this.choice.replaceChildren(
      element("option", { text: "select…", value: "" }),
      ...statusOptions.map(([text, what]) => option(text, what)),
      ...labels.map(({ label }) => option(label, { label })),
      option("with the 24 nearest (N)", { near: 24 }),
      ...(hits ? [option(`${hits} ringed`, { hits: true })] : []),
    );
  }

  showTool(name) {
    for (const button of this.tools) {
      const isCurrent = button.dataset.tool === name;
      button.className = isCurrent ? "tab current" : "tab";
      button.setAttribute("aria-pressed", String(isCurrent));
    }
  }
}
