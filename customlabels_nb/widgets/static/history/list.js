// List of actions, newest first, also in the dashboard. A row expands to its details and can be undone if possible.

import { HISTORY_COMMANDS } from "./commands.js";
import { historyView } from "./view.js";

const FEWEST = 50; // rows

export class HistoryList {
  // `on` has said(text, { step }) for notices, and open(split, action, words) where images can be shown.
  constructor(request, on) {
    this.request = request;
    this.on = on;
    this.state = {
      project: "",
      seen: null, // latest action that is known
      rows: [],
      people: {}, // name → number of actions
      who: "", // person whose actions are shown, "" for all
      opened: null, // id
      details: null, // of the opened action: { names, images, refusal }, null until they arrive
      showsImages: Boolean(on.open),
    };
    this.view = historyView((command, argument) => HISTORY_COMMANDS[command].run(this, argument));
    this.node = this.view.root;
  }

  paint() {
    this.view.paint(this.state);
  }

  // Reload all shown rows. With `{ quiet: true }` only if there are new actions.
  async load({ quiet = false } = {}) {
    const { rows, who } = this.state;
    const limit = Math.max(FEWEST, rows.length);
    const seen = quiet ? this.state.seen : null;
    const [answer] = await this.request("history", { who: who || null, limit, seen });
    if (!answer.rows) return;
    Object.assign(this.state, answer);
    this.paint();
    this._loadDetails();
  }

  async loadOlder() {
    const { rows, who } = this.state;
    const [answer] = await this.request("history", { who: who || null, before: rows.at(-1)?.id });
    if (rows !== this.state.rows) return; // another click has loaded them, or the list was reloaded
    Object.assign(this.state, { rows: [...rows, ...answer.rows], more: answer.more });
    this.paint();
  }

  // Open the action with this id, or none with null.
  open(id) {
    Object.assign(this.state, { opened: id, details: null });
    this.paint();
    return this._loadDetails();
  }

  async _loadDetails() {
    const { opened } = this.state;
    if (opened === null) return;
    const [details] = await this.request("history details", { id: opened }).catch((error) => [
      { names: [], images: {}, refusal: error.message },
    ]);
    if (opened !== this.state.opened) return;
    this.state.details = details;
    this.paint();
  }
}
