// Layout of the history.

import { counted, numeral } from "../shared/numbers.js";
import { partsIn } from "../shared/page/parts.js";
import { set, template } from "../shared/template.js";
import { imagesText, itemsOf, moreText, peopleOf, timeText } from "./state.js";

const SCREEN = template(`
  <div class="clnb clnb-history loading">
    <div class="band toolbar">
      <strong class="project" ref="title"></strong>
      <span class="faint">who changed what and when</span>
    </div>
    <div class="slot" ref="notices"></div>
    <div class="body" ref="body"></div>
  </div>`);
const LIST = template(`
  <div class="history-list">
    <label class="menu">
      <span>who</span><select ref="who" aria-label="Person" data-menu="who" command="who"></select>
    </label>
    <div class="actions" ref="list" role="list"></div>
    <p class="faint" ref="empty" hidden>No actions yet.</p>
    <button type="button" ref="older" command="older" hidden>Show older</button>
  </div>`);
const CHOICE = template("<option></option>");
const DAY = template('<div class="day faint"></div>');
const ACTION = template(`
  <div class="action" role="listitem">
    <button type="button" class="plain action-line" ref="line" command="toggle">
      <span class="when" ref="when"></span><bdi class="who" ref="who"></bdi>
      <span class="what" ref="summary">
        <bdi ref="what"></bdi><bdi class="faint note" ref="note"></bdi><bdi class="labels-of" ref="labels"></bdi>
      </span>
      <span class="side faint" ref="split"></span><span class="number" ref="count"></span>
    </button>
    <span class="action-end">
      <span class="faint" ref="undone"></span><button type="button" class="undo" ref="undo" command="undo"></button>
    </span>
  </div>`);
const DETAILS = template(`
  <div class="details">
    <div class="names-of" ref="names"><bdi ref="listed"></bdi><span ref="more"></span></div>
    <div class="slot" ref="images"></div>
    <div ref="words"></div>
  </div>`);
const IMAGES = template('<button type="button" command="show"></button>');

export function historyScreen(notices, list) {
  const { root, ...refs } = SCREEN();
  refs.notices.append(notices);
  refs.body.append(list);
  return {
    root,
    paint({ project }) {
      set(refs.title, { text: project });
      set(root, { ".loading": false });
    },
  };
}

export function historyView(run) {
  const { root, ...refs } = LIST(run);
  const people = partsIn(refs.who, () => {
    const option = CHOICE().root;
    return { root: option, paint: ({ key, text }) => set(option, { text, value: key }) };
  });
  const details = detailsPart(run);
  const actions = partsIn(refs.list, (item) => {
    if (!item.day) return actionPart(details, run);
    const day = DAY().root;
    set(day, { text: item.day });
    return { root: day };
  });
  return {
    root,
    paint(state) {
      people.paint(peopleOf(state));
      set(refs.who, { value: state.who });
      actions.paint(itemsOf(state));
      set(refs.empty, { hidden: state.rows.length > 0 });
      set(refs.older, { hidden: !state.more });
    },
  };
}

function actionPart(details, run) {
  let shown = null;
  const { root, ...refs } = ACTION((command) => run(command, shown));
  return {
    root,
    paint(item) {
      shown = item;
      const { count, id, isOpen, labels, note, offer, undone_by: undoneBy, what, who } = item;
      set(root, { ".open": isOpen, ".undone": undoneBy !== null, "data-action": id });
      set(refs.line, { "aria-expanded": isOpen });
      set(refs.when, { text: timeText(item.created) });
      set(refs.who, { text: who, title: who });
      set(refs.summary, { title: [what, note, labels].filter(Boolean).join(" · ") });
      set(refs.what, { text: what });
      set(refs.note, { text: note ?? "", hidden: !note });
      set(refs.labels, { text: labels ?? "", hidden: !labels });
      set(refs.split, { text: item.split ?? "" });
      const words = ["image or annotation", "images or annotations"];
      const countTitle = count ? counted(count, ...words) : "";
      set(refs.count, { text: count ? numeral(count) : "", title: countTitle });
      set(refs.undone, { text: `undone by action ${undoneBy}`, hidden: undoneBy === null });
      const offerTitle = `${offer} action ${item.undoes ?? id}`;
      const isRefused = (item.details?.refusal ?? null) !== null;
      set(refs.undo, { text: offer ?? "", title: offerTitle, hidden: !offer, disabled: isRefused });
      if (isOpen) details.paint(item);
      if (isOpen) root.append(details.root);
      else if (details.root.parentElement === root) details.root.remove();
    },
  };
}

// The details of the opened action. They are moved into its row.
function detailsPart(run) {
  const { root, ...refs } = DETAILS();
  const images = partsIn(refs.images, (item) => {
    const button = IMAGES((command) => run(command, item)).root;
    set(button, { text: `Show ${imagesText(item)}` });
    return { root: button };
  });
  return {
    root,
    paint({ id, details, showsImages }) {
      const names = details?.names ?? [];
      set(refs.names, { hidden: !names.length });
      set(refs.listed, { text: names.join(", ") });
      set(refs.more, { text: details ? moreText(details) : "" });
      const counts = Object.entries(details && showsImages ? details.images : {});
      images.paint(
        counts.map(([split, count]) => ({ key: `${id} ${split} ${count}`, id, split, count })),
      );
      const free = "No later changes: this action can be undone.";
      set(refs.words, { text: details ? (details.refusal ?? free) : "…", ".faint": details });
    },
  };
}
