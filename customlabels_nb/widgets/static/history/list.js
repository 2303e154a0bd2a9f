// List of actions, newest first. A row expands to its details and can be undone if possible.

import { element, show } from "../shared/dom.js";

/** @type {Intl.DateTimeFormatOptions} */
const WORD_OF_TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

function dayText(microseconds, now = Date.now()) {
  const date = new Date(microseconds / 1000);
  const days = Math.round(
    (new Date(now).setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000,
  );
  if (days === 0) return "today";
  if (days === 1) return "yesterday";
  return date.toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

// → "Undo", "Redo" or null. An undone action is redone by the action that undid it. A redone action is undone by
// itself.
export function offerOf({ what, undoable, undoes, undone_by: undoneBy }) {
  if (!undoable || undoneBy !== null || (undoes !== null && what.startsWith("redo "))) return null;
  return undoes === null ? "Undo" : "Redo";
}

export class HistoryList {
  // `on` has said(text, { step }) for notices, and open(split, action, words) where images can be shown.
  constructor(request, on) {
    this.request = request;
    this.on = on;
    this.rows = [];
    this.more = false;
    this.seen = null;
    this.opened = null; // id
    this.who = element("select", {
      on: { change: () => this.load() },
      attributes: { "aria-label": "Person" },
      data: { menu: "who" },
    });
    this.list = element("div", { class: "actions", attributes: { role: "list" } });
    this.older = element("button", {
      type: "button",
      text: "Show older",
      hidden: true,
      on: { click: () => this._older() },
    });
    this.empty = element("p", { class: "faint", hidden: true, text: "No actions yet." });
    this.node = element(
      "div",
      { class: "history-list" },
      element("label", { class: "menu" }, element("span", { text: "who" }), this.who),
      this.list,
      this.empty,
      this.older,
    );
  }

  // Reload all shown rows. With `{ quiet: true }` only if there are new actions.
  async load({ quiet = false } = {}) {
    const who = this.who.value || null;
    const limit = Math.max(50, this.rows.length);
    const [answer] = await this.request("history", { who, limit, seen: quiet ? this.seen : null });
    if (!answer.rows) return;
    this.seen = answer.seen;
    this.rows = answer.rows;
    this.more = answer.more;
    this.readOnly = answer.read_only;
    this.project = answer.project;
    this._fillWho(answer.people, who);
    this._draw();
  }

  async _older() {
    const before = this.rows.at(-1)?.id;
    const [answer] = await this.request("history", { who: this.who.value || null, before });
    if (before !== this.rows.at(-1)?.id) return; // another click has loaded them, or the list was reloaded
    this.rows.push(...answer.rows);
    this.more = answer.more;
    this._draw();
  }

  _fillWho(people, who) {
    const state = JSON.stringify(people);
    if (state === this.peopleState) return;
    this.peopleState = state;
    this.who.replaceChildren(
      element("option", { value: "", text: "everyone" }),
      ...Object.entries(people).map(([name, count]) =>
        element("option", {
          value: name,
          text: `${name} (${count.toLocaleString("en")})`,
          selected: name === who,
        }),
      ),
    );
  }

  _draw() {
    show(this.empty, !this.rows.length);
    show(this.older, this.more);
    const active = /** @type {HTMLElement} */ (document.activeElement);
    const focused = this.list.contains(active) ? active.dataset.key : null;
    const nodes = [];
    let day = null;
    for (const row of this.rows) {
      const dayOfRow = dayText(row.created);
      if (dayOfRow !== day) nodes.push(element("div", { class: "day faint", text: dayOfRow }));
      day = dayOfRow;
      nodes.push(this._row(row));
    }
    this.list.replaceChildren(...nodes);
    if (focused) this.list.querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
    if (this.opened !== null) this._fillDetails(this.opened);
  }

  _row(row) {
    const open = row.id === this.opened;
    const count = row.count ? row.count.toLocaleString("en") : "";
    const line = element(
      "button",
      {
        type: "button",
        class: "plain action-line",
        attributes: { "aria-expanded": String(open) },
        data: { key: `row-${row.id}` },
        on: { click: () => this._toggle(row.id) },
      },
      element("span", {
        class: "when",
        text: new Date(row.created / 1000).toLocaleTimeString("en", WORD_OF_TIME),
      }),
      element("bdi", { class: "who", text: row.who, title: row.who }),
      element(
        "span",
        { class: "what", title: [row.what, row.note, row.labels].filter(Boolean).join(" · ") },
        element("bdi", { text: row.what }),
        row.note ? element("bdi", { class: "faint note", text: row.note }) : null,
        row.labels ? element("bdi", { class: "labels-of", text: row.labels }) : null,
      ),
      element("span", { class: "side faint", text: row.split ?? "" }),
      element("span", {
        class: "number",
        text: count,
        title: row.count ? `${count} images or annotations` : "",
      }),
    );
    const undone =
      row.undone_by === null
        ? null
        : element("span", { class: "faint", text: `undone by action ${row.undone_by}` });
    const offer = this.readOnly ? null : offerOf(row);
    const undo = offer
      ? element("button", {
          type: "button",
          class: "undo",
          text: offer,
          title: `${offer} action ${row.undoes ?? row.id}`,
          data: { key: `undo-${row.id}` },
          on: { click: () => this.undo(row) },
        })
      : null;
    return element(
      "div",
      {
        class: `action${open ? " open" : ""}${row.undone_by === null ? "" : " undone"}`,
        data: { action: row.id },
        attributes: { role: "listitem" },
      },
      line,
      element("span", { class: "action-end" }, undone ?? undo),
      open ? element("div", { class: "details", text: "…" }) : null,
    );
  }

  _toggle(id) {
    this.opened = this.opened === id ? null : id;
    this._draw();
  }

  async _fillDetails(id) {
    let details = null;
    try {
      [details] = await this.request("history details", { id });
    } catch (error) {
      details = { names: [], images: {}, refusal: error.message };
    }
    const node = this.list.querySelector(`[data-action="${id}"] .details`);
    if (!node) return;
    const parts = [];
    const total = Object.values(details.images).reduce((sum, count) => sum + count, 0);
    if (details.names.length)
      parts.push(
        element(
          "div",
          { class: "names-of" },
          element("bdi", { text: details.names.join(", ") }),
          total > details.names.length
            ? ` and ${(total - details.names.length).toLocaleString("en")} more`
            : "",
        ),
      );
    if (this.on.open) {
      for (const [split, count] of Object.entries(details.images)) {
        const words = `${count.toLocaleString("en")} ${count === 1 ? "image" : "images"} of action ${id}, ${split}`;
        parts.push(
          element("button", {
            type: "button",
            text: `Show ${words}`,
            data: { key: `show-${id}-${split}` },
            on: { click: () => this.on.open(split, id, words) },
          }),
        );
      }
    }
    parts.push(
      element("div", {
        class: "faint",
        text: details.refusal ?? "No later changes: this action can be undone.",
      }),
    );
    node.replaceChildren(...parts);
    const undo = node.parentElement.querySelector(".undo");
    if (undo) undo.disabled = details.refusal !== null;
  }

  async undo(row) {
    try {
      const [answer] = await this.request("history undo", { id: row.id });
      const step = {
        label: row.undoes === null ? "Redo" : "Undo",
        run: () =>
          this.undo({
            id: answer.undone_by,
            what: row.what,
            undoes: row.undoes === null ? row.id : null,
          }),
      };
      const changed = answer.images
        ? `: ${answer.images.toLocaleString("en")} ${answer.images === 1 ? "image" : "images"} changed`
        : "";
      this.on.said(
        `${row.undoes === null ? "Undone" : "Redone"}: “\u2068${row.what}\u2069”${changed}.`,
        { step },
      );
    } catch (error) {
      this.on.said(error.message, { kind: "error" });
    }
    await this.load().catch(() => {});
  }
}
