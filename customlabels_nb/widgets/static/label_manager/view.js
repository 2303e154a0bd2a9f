// Layout of the label manager.

import { commandOfKey, helpOf } from "../shared/page/commands.js";
import { partsIn } from "../shared/page/parts.js";
import { numeral } from "../shared/numbers.js";
import { set, template } from "../shared/template.js";
import { LABEL_COMMANDS } from "./commands.js";
import {
  countText,
  dropPlace,
  emptyText,
  itemsOf,
  questionText,
  savingText,
  shownOf,
} from "./state.js";

const EDGE = 28; // distance in pixels from the edge at which the list scrolls during a drag
const LISTED = 200; // suggested names
const IN_ROWS = ["labels", "uses", "query", "renaming", "question", "drag"]; // of the state

const SCREEN = template('<div class="clnb clnb-label-manager loading"></div>');
const PANE = template(`
  <div class="label-manager">
    <div class="tools" ref="tools">
      <span class="adding" ref="adding">
        <input type="text" class="adder" ref="adder" maxlength="256" placeholder="New label…" aria-label="New label">
        <button type="button" class="primary" title="Add this label at the end (Enter)" command="add">Add</button>
      </span>
      <span class="spring"></span>
      <input type="search" class="search" ref="filter" placeholder="⌕ filter…" aria-label="Filter labels">
      <button type="button" ref="import" command="import"
        title="Import label names from another project or dataset">Import…</button>
      <button type="button" ref="undo" command="undo" title="Undo the last edit made here (Ctrl Z)">Undo</button>
    </div>
    <div class="slot" ref="notices"></div>
    <div class="top" ref="top"></div>
    <div class="label-head" ref="head" aria-hidden="true">
      <span>label</span><span class="uses">train</span><span class="uses">test</span>
    </div>
    <div class="label-list" ref="list" tabindex="0" data-first role="application" aria-label="Labels in order"></div>
    <p class="nothing" ref="empty" hidden></p>
    <div class="below">
      <span class="label-count" ref="count"></span><span class="hints" ref="hints"></span>
      <span class="said" ref="said" role="status"></span><span ref="saving" role="status"></span>
    </div>
  </div>`);
const HINT = template('<span><kbd ref="key"></kbd><span ref="what"></span></span>');
const ROW = template(`
  <div class="label-row" role="group">
    <span class="grip" title="Drag to reorder (Alt ↑↓)" aria-hidden="true">⠿</span>
    <span class="key" ref="key"></span>
    <button type="button" class="swatch" ref="swatch" tabindex="-1" command="color"></button>
    <span class="name-place" ref="place"><bdi class="name" ref="name"></bdi></span>
    <span class="uses" ref="train"></span><span class="uses" ref="test"></span>
  </div>`);
const ACTIONS = template(`
  <span class="actions">
    <button type="button" class="plain" tabindex="-1" command="rename" title="Rename (F2)">Rename</button>
    <button type="button" class="plain" tabindex="-1" command="merge"
      title="Merge into another label (M)">Merge…</button>
    <button type="button" class="plain danger" tabindex="-1" command="remove" title="Remove (Del)">Remove…</button>
  </span>`);
const FIELD = template('<input type="text" class="renaming" maxlength="256" command="renameText">');
const QUESTION = template(`
  <div class="question" role="group">
    <button type="button" class="plain closer" command="close" title="Close (Esc)" aria-label="Close">×</button>
    <p ref="title"></p>
  </div>`);
const BODIES = {
  merge: template(`
    <div class="slot">
      <datalist ref="others"></datalist>
      <input type="text" ref="field" command="answerText" maxlength="256" placeholder="label…" data-first
        aria-label="Label to merge into">
      <p class="faint" ref="words"></p>
      <div class="choices"><button type="button" class="primary" ref="main" command="confirm"></button></div>
    </div>`),
  remove: template(`
    <div class="slot">
      <p ref="words"></p>
      <div class="choices">
        <button type="button" class="primary danger" ref="main" value="remove" command="choose"></button>
        <button type="button" value="" command="choose" data-first>Keep</button>
      </div>
    </div>`),
  review: template(`
    <div class="choices">
      <button type="button" class="primary" value="keep" command="choose">Add and keep as done</button>
      <button type="button" value="review" command="choose">Add and send to review</button>
      <button type="button" value="" command="choose">Cancel</button>
    </div>`),
  color: template(`
    <div class="palette">
      <div class="slot" ref="swatches"></div>
      <label>Custom <input type="color" class="own-color" ref="field" command="choose" on="change"
        aria-label="Custom color"></label>
    </div>`),
  import: template(`
    <div class="slot">
      <span class="look-up">
        <input type="text" class="path" ref="field" command="answerText" data-first spellcheck="false"
          placeholder="Path of a project, manifest, COCO, CSV…" aria-label="Path of the project or dataset">
        <button type="button" command="look">Find labels</button>
      </span>
      <p class="faint" ref="words"></p>
      <div class="choices"><button type="button" class="primary" ref="main" command="confirm"></button></div>
    </div>`),
};
const OPTION = template("<option></option>");
const SWATCH = template('<button type="button" class="swatch" command="choose"></button>');

export function labelScreen(pane) {
  const { root } = SCREEN();
  root.append(pane);
  return { root, paint: ({ isLoading }) => set(root, { ".loading": isLoading }) };
}

export function labelView(notices, run) {
  const { root, ...refs } = PANE(run);
  const { list } = refs;
  const id = `clnb-labels-${Math.random().toString(36).slice(2)}`;
  let made = 0; // rows
  let painted = /** @type {any} */ ({}); // state when it was painted last
  let question = null; // its part
  let marked = null; // row that has the focus
  const field = renamingField(run);
  const { root: actions } = ACTIONS((command, event) => {
    run("focus", event.target.closest(".label-row").dataset.label);
    run("leave"); // keys reach the list after the button
    run(command);
  });
  const rows = partsIn(list, (item) =>
    item.question ? { root: question.root } : rowPart(`${id}-${++made}`, field, run),
  );
  const rowOf = (label) => rows.get(label)?.root;

  refs.notices.append(notices);
  for (const [key, what] of helpOf(LABEL_COMMANDS)) {
    const hint = HINT();
    set(hint.key, { text: key });
    set(hint.what, { text: ` ${what} ` });
    refs.hints.append(hint.root);
  }
  watchField(refs.adder, "typed", "add", run);
  watchField(refs.filter, "query", "leave", run);
  watchDrags(
    list,
    () => shownOf(painted).map(({ label }) => rowOf(label)),
    () => painted.drag,
    run,
  );
  list.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.target !== list) return;
    const command = commandOfKey(LABEL_COMMANDS, event);
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    if (command !== "held") run(command);
  });
  list.addEventListener("click", ({ target }) => {
    const row = target.closest(".label-row");
    if (!row || target.closest("input, button")) return;
    run("focus", row.dataset.label);
    run("leave");
  });
  list.addEventListener("dblclick", ({ target }) => {
    if (target.closest(".name")) run("rename");
  });
  list.addEventListener("pointerover", ({ target, pointerType }) => {
    const row = target.closest(".label-row");
    if (row && pointerType === "mouse" && actions.parentElement !== row)
      run("point", row.dataset.label);
  });

  function paintRows(state) {
    if (IN_ROWS.some((name) => painted[name] !== state[name])) rows.paint(itemsOf(state));
    const focused = rowOf(state.at);
    if (focused !== marked) {
      if (marked) set(marked, { ".focused": false, "aria-current": false });
      if (focused) set(focused, { ".focused": true, "aria-current": true });
      if (focused) set(list, { "aria-activedescendant": focused.id });
      marked = focused;
    }
    const host = rowOf(state.pointed) ?? focused;
    if (host && actions.parentElement !== host) host.append(actions);
  }

  function paint(state) {
    const shown = shownOf(state);
    const isAnother = painted.question !== state.question;
    if (isAnother) {
      question?.root.remove();
      question = state.question && questionPart(state.question, id, run);
    }
    if (state.info) {
      const isReadOnly = state.info.read_only;
      paintRows(state);
      set(root, { ".read-only": isReadOnly });
      set(refs.tools, { hidden: isReadOnly && !state.labels.length });
      for (const name of ["adding", "import", "undo", "hints"])
        set(refs[name], { hidden: isReadOnly });
      set(refs.undo, { disabled: !state.info.can_undo });
      set(refs.count, { text: countText(state, shown) });
      set(refs.empty, { text: emptyText(state, shown), hidden: shown.length > 0 });
      for (const node of [list, refs.head]) set(node, { hidden: !shown.length });
    }
    set(refs.adder, { value: state.typed });
    set(refs.filter, { value: state.query });
    set(refs.said, { text: state.said, title: state.said });
    set(root, { ".saying": state.said });
    set(refs.saving, savingText(state));
    if (isAnother && state.question?.label === null) refs.top.after(question.root);
    question?.paint(state.question);
    const isStarted = state.renaming && painted.renaming !== state.renaming;
    painted = { ...state };
    if (isAnother) question?.open();
    if (isStarted) field.open(state.renaming);
  }

  return {
    root,
    paint,
    focus: (name) => refs[name].focus({ preventScroll: name === "list" }),
    focusAnswer: () => question.focus(),
    reveal: (label) => rowOf(label)?.scrollIntoView({ block: "nearest" }),
  };
}

// Enter runs `enter`. Esc clears the field, and leaves it if it is empty, as the arrow down does.
function watchField(node, name, enter, run) {
  node.addEventListener("input", () => run("text", { [name]: node.value }));
  node.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.isComposing || !["Enter", "Escape", "ArrowDown"].includes(event.key)) return;
    event.preventDefault(); // also keep the key from the button that a question focuses
    if (event.key === "Enter") run(enter);
    else if (event.key === "Escape" && node.value) run("text", { [name]: "" });
    else run("leave");
  });
}

// Drag rows by their grips. `rows()` returns the shown ones, and `drag()` the drag of the state.
function watchDrags(list, rows, drag, run) {
  const isOurs = (event) => drag() && event.pointerId === drag().pointer;
  list.addEventListener("pointerdown", (event) => {
    const from = rows().findIndex((row) => row.contains(event.target));
    if (event.button !== 0 || !event.target.closest(".grip") || from < 0) return;
    event.preventDefault();
    list.setPointerCapture(event.pointerId);
    run("drag", { from, to: null, pointer: event.pointerId });
  });
  list.addEventListener("pointermove", (event) => {
    if (!isOurs(event)) return;
    const box = list.getBoundingClientRect();
    if (event.clientY < box.top + EDGE) list.scrollTop -= EDGE / 2;
    else if (event.clientY > box.bottom - EDGE) list.scrollTop += EDGE / 2;
    const middles = rows().map((row) => {
      const { top, height } = row.getBoundingClientRect();
      return top + height / 2;
    });
    run("drag", { ...drag(), to: dropPlace(middles, event.clientY) });
  });
  for (const type of ["pointerup", "pointercancel"])
    list.addEventListener(type, (event) => {
      if (isOurs(event)) run("drop", type === "pointerup");
    });
}

function rowPart(id, field, run) {
  let label = null;
  const { root, ...refs } = ROW((command) => {
    run("focus", label);
    run(command);
  });
  set(root, { id });
  return {
    root,
    paint(item) {
      ({ label } = item);
      const { color, position, uses, isRenaming } = item;
      const words = uses ? `, ${uses[0]} in train, ${uses[1]} in test` : "";
      set(root, { "data-label": label, "aria-label": `${label}${words}`, hidden: !item.isShown });
      const { isDragged, isDropBefore, isDropAfter } = item;
      set(root, {
        ".dragged": isDragged,
        ".drop-before": isDropBefore,
        ".drop-after": isDropAfter,
      });
      set(root, { "--label-color": color });
      set(refs.key, { text: position < 9 ? String(position + 1) : "" });
      set(refs.swatch, { title: `Color ${color} (C)`, "aria-label": `Color of ${label}` });
      set(refs.name, { text: label, title: label });
      for (const [index, name] of ["train", "test"].entries())
        set(refs[name], { text: uses ? numeral(uses[index]) : "" });
      const inside = isRenaming ? field.root : refs.name;
      if (refs.place.firstChild !== inside) refs.place.replaceChildren(inside);
    },
  };
}

// The field for the name of a label. Enter or leaving it renames, Esc cancels.
function renamingField(run) {
  const { root } = FIELD(run);
  root.addEventListener("blur", () => run("endRenaming", true));
  root.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
    event.preventDefault();
    run("endRenaming", event.key === "Enter");
    run("leave");
  });
  return {
    root,
    open({ label, text }) {
      set(root, { value: text, "aria-label": `New name of ${label}` });
      root.focus();
      root.select();
    },
  };
}

// The open question. The element with data-first gets the focus, or the color that is chosen.
function questionPart(question, id, run) {
  const { root, title } = QUESTION(run);
  const { root: body, field, main, others, swatches, words } = BODIES[question.kind](run);
  root.append(body);
  root.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const { key, target, isComposing } = event;
    const enter = target === field && !isComposing ? question.onEnter : null;
    const command = { Escape: "close", Enter: enter }[key];
    if (!command) return;
    event.preventDefault();
    run(command);
  });
  if (question.kind === "merge") {
    set(others, { id: `${id}-names` });
    set(field, { list: `${id}-names`, value: question.text });
    for (const value of question.others.slice(0, LISTED)) {
      const option = OPTION().root;
      set(option, { value });
      others.append(option);
    }
  }
  if (question.kind === "color") {
    set(field, { value: question.color });
    for (const value of question.palette) {
      const swatch = SWATCH(run).root;
      set(swatch, { value, title: value, "--label-color": value, "aria-label": value });
      set(swatch, { "aria-pressed": value === question.color });
      swatches.append(swatch);
    }
  }
  const first = () =>
    root.querySelector("[data-first], [aria-pressed='true']") ??
    root.querySelector("input, .choices button") ??
    root.querySelector("button");
  return {
    root,
    open() {
      first().focus();
      root.scrollIntoView({ block: "nearest" });
    },
    focus: () => (main.disabled ? field : main).focus(),
    paint(state) {
      const text = questionText(state);
      set(title, { text: text.title });
      set(root, { "aria-label": text.title });
      if (words) set(words, { text: text.words });
      if (main) set(main, { text: text.main, disabled: !text.ready });
      if (field) set(field, { disabled: Boolean(state.isLooking) });
    },
  };
}
