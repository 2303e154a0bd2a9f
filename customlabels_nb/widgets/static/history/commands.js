// Commands of the history.

import { counted } from "../shared/numbers.js";
import { imagesText } from "./state.js";

/** @type {Record<string, import("../shared/page/commands.js").Command>} */
export const HISTORY_COMMANDS = {
  who: {
    run(list, { target }) {
      list.state.who = target.value;
      list.load();
    },
  },
  toggle: {
    run: (list, { id }) => list.open(list.state.opened === id ? null : id),
  },
  older: { run: (list) => list.loadOlder() },
  show: { run: (list, action) => list.on.open(action.split, action.id, imagesText(action)) },
  undo: { run: undo },
};

async function undo(list, { id, what, undoes }) {
  const isUndo = undoes === null;
  try {
    const [{ images, undone_by: by }] = await list.request("history undo", { id });
    const step = {
      label: isUndo ? "Redo" : "Undo",
      run: () => undo(list, { id: by, what, undoes: isUndo ? id : null }),
    };
    const changed = images ? `: ${counted(images, "image")} changed` : "";
    list.on.said(`${isUndo ? "Undone" : "Redone"}: “\u2068${what}\u2069”${changed}.`, { step });
  } catch (error) {
    list.on.said(error.message, { kind: "error" });
  }
  await list.load().catch(() => {});
}
