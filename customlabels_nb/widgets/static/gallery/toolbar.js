// Main toolbar: dataset, filter, sort order, and actions on the page.

import { element, leaving, setText, show } from "../shared/dom.js";
import { changeToCrops, CROP_SORTS, CROPS_SHOWN } from "./crops.js";
import { QueueMenu } from "./queue.js";
import { MoreMenu } from "../shared/more_menu.js";
import { SearchSetup } from "../shared/search_setup.js";
import { captionedMenu, nameField, splitTabs, tab } from "../shared/toolbar.js";
import { undoButtons } from "../shared/undo_buttons.js";

const SHOWN = [
  ["all", "all"],
  ["unlabelled", "unlabelled"],
  ["labelled", "labelled"],
  ["skipped", "skipped"],
  ["needs_review", "needs review"],
  ["errors", "with errors"],
];
const SORTS = [
  ["random", "random"],
  ["name", "name"],
  ["added", "added"],
  ["uncertainty", "uncertainty"],
  ["similarity", "similarity"],
];

const WIDE = 1600; // pixels from which all actions are in the row
const COMPACT = 920; // pixels from which all filters are in the row, without the menu of queues
const DESCRIBED = 180; // pixels that the search by a description takes
const CROPS = 130; // pixels that the choice between images and crops takes
const QUEUE = 280; // pixels that the menu of queues takes, with large numbers of images beside it

const NO_MODEL = "There are no predictions for these images yet";

function option(value, text, { disabled = false, selected = false, title = undefined } = {}) {
  return element("option", { value, text, disabled, selected, title });
}

export class Toolbar {
  // `on` has leave(), split(name), query(change), describe(text) (null to go back), upload(), labels(), instructions(),
  // takeBack(kind), skip(), submit(), zoom(pixels), preview(), like(), whole(), later().
  constructor(on) {
    this.title = element("strong", { class: "project" });
    this.tabs = element("div", {
      class: "tabs",
      attributes: { role: "tablist", "aria-label": "Dataset" },
    });
    this.kinds = element("div", {
      class: "tabs",
      attributes: { role: "tablist", "aria-label": "Pictures" },
    });
    this.shown = captionedMenu("show", (show) => on.query({ show }));
    this.whose = captionedMenu("with", () => on.query(this._whose()));
    this.queue = new QueueMenu({ ...on, queue: (queue) => on.query({ queue, like: null }) });
    this.sort = captionedMenu("sort", (sort) => on.query({ sort, like: null }));
    this.shuffle = element("button", {
      class: "plain shuffle",
      text: "⟳",
      title: "Shuffle",
      attributes: { "aria-label": "Shuffle" },
      on: { click: () => on.query({ random_state: Math.floor(Math.random() * 2 ** 32) }) },
    });
    this.search = nameField(on);
    this.described = element("input", {
      type: "search",
      class: "described",
      placeholder: "⌕ what they show…",
      title: "Sort by a description, such as “a red screw” (Enter). Esc goes back",
      attributes: { "aria-label": "Search by what images show" },
      on: { keydown: (event) => this._describedKey(event) },
    });
    this.searching = new SearchSetup(this.described, on.leave);
    const button = (text, action, title) =>
      element("button", { text, title, on: { click: action } });
    this.upload = button(
      "Upload",
      on.upload,
      "Add images: choose files, or drop them onto the gallery",
    );
    this.labels = button(
      "Labels…",
      on.labels,
      "Add, rename, recolor, reorder, merge and remove labels",
    );
    this.instructions = button("Instructions", on.instructions, "Labelling instructions");
    this.undoing = undoButtons(on);
    this.skip = button("Skip", on.skip, "Skip the selected images (0)");
    this.submit = element(
      "button",
      {
        class: "primary",
        on: { click: on.submit },
        title: "Submit this page and go to the next one (Enter)",
      },
      element("span", { text: "Submit page " }),
      element("span", { text: "⏎", attributes: { "aria-hidden": "true" } }),
    );
    this.on = on;
    this.zoom = element("input", {
      type: "range",
      class: "zoom",
      min: 84,
      max: 420,
      attributes: { "aria-label": "Size of the thumbnails" },
      on: {
        input: () => on.zoom(Number(this.zoom.value)),
        change: () => on.leave(),
        keydown: (event) => event.stopPropagation(),
      },
    });
    this.zoomMenu = element(
      "label",
      { class: "menu", title: "Size of the thumbnails" },
      element("span", { text: "size" }),
      this.zoom,
    );
    this.more = new MoreMenu(on.leave);
    this.preview = button(
      "",
      on.preview,
      "Show a large preview while the pointer rests on an image",
    );
    this.like = button("More like this", on.like, "Sort by similarity to the image in focus (=)");
    this.whole = button("Full screen", on.whole, "Fill the screen with the gallery (Esc ends it)");
    this.more.menu.append(this.like, this.preview, this.whole);
    const output = element("output", { text: "0.00" });
    this.sure = element("input", {
      type: "range",
      class: "sure",
      min: 0,
      max: 1,
      step: 0.01,
      value: 0,
      attributes: { "aria-label": "Least confidence of the prediction" },
      on: {
        input: () => setText(output, Number(this.sure.value).toFixed(2)),
        change: leaving(on, () => on.query({ confidence: Number(this.sure.value) })),
        keydown: (event) => event.stopPropagation(),
      },
    });
    this.sureMenu = element(
      "label",
      { class: "menu sureness", title: "Only predictions with at least this confidence" },
      element("span", { text: "confidence" }),
      "≥",
      output,
      this.sure,
    );
    this.filters = element("span", { class: "slot" });
    this.rare = element("span", { class: "slot" });
    this.node = element(
      "div",
      { class: "band toolbar" },
      this.title,
      this.tabs,
      this.kinds,
      this.queue.menu,
      this.queue.head,
      this.shown.parentElement,
      this.sort.parentElement,
      this.filters,
      this.search,
      element(
        "span",
        { class: "actions" },
        this.rare,
        ...this.undoing,
        this.queue.later,
        this.more.node,
        this.submit,
      ),
    );
    this.arrange(Infinity);
  }

  showPreview(isOn) {
    setText(this.preview, isOn ? "✓ Preview on hover" : "Preview on hover");
    this.preview.setAttribute("aria-pressed", String(isOn));
  }

  // Fit one row: rare actions, then rare filters, move into the menu.
  arrange(width) {
    this.width = width;
    const compact =
      COMPACT + (this.queue.menu.hidden ? 0 : QUEUE) + (this.kinds.hidden ? 0 : CROPS);
    const filtered = compact + (this.searching.isOffered ? DESCRIBED : 0);
    const level = width >= WIDE ? 2 : width >= filtered ? 1 : 0;
    const isDescribed = width >= compact;
    if (level === this.level && isDescribed === this.isDescribed) return;
    this.level = level;
    this.isDescribed = isDescribed;
    this.more.close();
    (level > 0 ? this.filters : this.more.menu).prepend(this.whose.parentElement, this.shuffle);
    if (level > 1) this.filters.append(this.zoomMenu);
    else this.more.menu.prepend(this.zoomMenu);
    const after = isDescribed ? this.search : this.more.menu.firstChild;
    after.before(this.described, this.searching.node);
    if (level > 1) this.filters.append(this.sureMenu);
    else this.more.menu.prepend(this.sureMenu);
    if (level > 1) this.rare.append(this.upload, this.labels, this.instructions, this.skip);
    else this.like.before(this.upload, this.labels, this.instructions, this.skip);
  }

  update(facts) {
    const {
      splits,
      split,
      query,
      labels,
      annotators,
      hasPredictions,
      similarity,
      single,
      readOnly,
      isEmpty,
    } = facts;
    setText(this.title, facts.project);
    this.submit.disabled = this.skip.disabled = isEmpty;
    if (this.search !== this.search.ownerDocument.activeElement) this.search.value = query.search;
    if (this.described !== this.described.ownerDocument.activeElement)
      this.described.value = query.sort === "text" ? query.text : "";
    this.queue.update(facts);
    const { crops } = query;
    const clustered = query.queue === "clustered" && !single;
    const choosesKind = !single && !facts.job && Boolean(facts.can_crop || crops);
    show(this.kinds, choosesKind);
    if (crops) show(this.queue.menu, false);
    this.searching.draw(similarity && !clustered && !crops);
    this.arrange(this.width);
    // rebuild menus only if they changed: one of them may be open or focused
    const state = JSON.stringify([
      splits,
      split,
      query,
      labels,
      annotators,
      hasPredictions,
      similarity,
      single,
      readOnly,
      choosesKind,
    ]);
    if (state === this.state) return;
    this.state = state;
    this._fillTabs(splits, split, crops);
    this.shown.replaceChildren(
      ...(crops ? CROPS_SHOWN : SHOWN).map(([value, text]) =>
        option(value, text, { selected: value === query.show }),
      ),
    );
    this._fillSorts(query, hasPredictions, similarity);
    this._fillWhose(query, labels, annotators, hasPredictions);
    for (const menu of [this.shown, this.sort, this.whose]) show(menu.parentElement, !query.queue);
    show(this.shuffle, query.sort === "random" && !query.queue);
    show(this.search, !clustered);
    for (const button of [this.submit, ...this.undoing]) show(button, !readOnly);
    for (const button of [this.skip, this.upload]) show(button, !readOnly && !crops);
    show(this.instructions, !crops);
    show(this.labels, facts.managesLabels);
    show(this.zoomMenu, !single && !clustered);
    show(this.sureMenu, hasPredictions && !query.queue);
    show(this.like, similarity);
    show(this.whole, document.fullscreenEnabled);
    if (this.sure !== this.sure.ownerDocument.activeElement) {
      this.sure.value = query.confidence;
      setText(this.sure.previousElementSibling, query.confidence.toFixed(2));
    }
    const accepts = query.queue === "prelabelled";
    const [verb, whole] = crops
      ? ["Confirm", "Confirm"]
      : accepts
        ? ["Accept", "Accept the predictions of"]
        : ["Submit", "Submit"];
    setText(this.submit.firstChild, `${verb} ${single ? "" : "page "}`);
    this.submit.title = `${whole} this page and go to the next one (Enter)`;
    this.like.title = `Sort by similarity to the ${crops ? "box" : "image"} in focus (=)`;
  }

  showSelected(count) {
    setText(this.submit.firstChild, `Submit ${count} `);
  }

  showCheckPage() {
    setText(this.submit.firstChild, "Go on ");
  }

  _fillTabs(splits, split, crops) {
    this.tabs.replaceChildren(...splitTabs(splits, split, this.on));
    this.kinds.replaceChildren(
      ...["images", "crops"].map((kind) => {
        const isCurrent = Boolean(crops) === (kind === "crops");
        const choose = leaving(this.on, () => {
          if (!isCurrent) this.on.query(changeToCrops(kind === "crops"));
        });
        return tab(kind, isCurrent, { kind }, choose);
      }),
    );
  }

  _fillSorts(query, hasPredictions, similarity) {
    const sorts = query.crops ? CROP_SORTS : SORTS;
    this.sort.replaceChildren(
      ...(query.sort === "text" ? [...sorts, ["text", "description"]] : sorts).map(
        ([value, text]) => {
          const disabled =
            (value === "uncertainty" && !hasPredictions) || (value === "similarity" && !similarity);
          return option(value, text, {
            selected: value === query.sort,
            disabled,
            title: disabled ? NO_MODEL : undefined,
          });
        },
      ),
    );
  }

  _fillWhose(query, labels, annotators, hasPredictions) {
    const group = (caption, kind, names, disabled = false) =>
      element(
        "optgroup",
        { label: caption, disabled, title: disabled ? NO_MODEL : undefined },
        ...(names.length ? names : ["–"]).map((name) =>
          option(JSON.stringify([kind, name]), name, {
            selected: query[kind] === name,
            disabled: !names.length,
          }),
        ),
      );
    const names = labels.map(({ label }) => label);
    this.whose.replaceChildren(
      option("", "any label", { selected: !query.label && !query.predicted && !query.annotator }),
      group("label", "label", names),
      group("predicted", "predicted", names, !hasPredictions),
      group("labelled by", "annotator", annotators),
    );
  }

  _whose() {
    const change = { label: null, predicted: null, annotator: null };
    if (this.whose.value) {
      const [kind, name] = JSON.parse(this.whose.value);
      change[kind] = name;
    }
    return change;
  }

  _describedKey(event) {
    event.stopPropagation();
    const text = this.described.value.trim();
    if (event.key === "Enter") {
      this.on.leave();
      this.on.describe(text || null);
    } else if (event.key === "Escape") {
      event.preventDefault(); // the field is emptied by the answer
      this.on.leave();
      this.on.describe(null);
    }
  }
}
