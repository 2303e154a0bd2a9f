// What the history shows of its actions. Pure functions.

import { counted, numeral } from "../shared/numbers.js";

const A_DAY = 86_400_000; // milliseconds
/** @type {Intl.DateTimeFormatOptions} */
const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

export function dayText(microseconds, now = Date.now()) {
  const date = new Date(microseconds / 1000);
  const midnight = (moment) => new Date(moment).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(now) - midnight(date)) / A_DAY);
  if (days === 0) return "today";
  if (days === 1) return "yesterday";
  return date.toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

export function timeText(microseconds) {
  return new Date(microseconds / 1000).toLocaleTimeString("en", TIME);
}

export function imagesText({ id, split, count }) {
  return `${counted(count, "image")} of action ${id}, ${split}`;
}

// → "Undo", "Redo" or null. An undone action is redone by the action that undid it. A redone action is undone by
// itself.
export function offerOf({ what, undoable, undoes, undone_by: undoneBy }) {
  if (!undoable || undoneBy !== null || (undoes !== null && what.startsWith("redo "))) return null;
  return undoes === null ? "Undo" : "Redo";
}

// Return the items of the list: its actions, and each day before its first action.
export function itemsOf({ rows, opened, details, read_only: readOnly, showsImages }) {
  return rows.flatMap((row, index) => {
    const day = dayText(row.created);
    const isOpen = row.id === opened;
    const offer = readOnly ? null : offerOf(row);
    const action = {
      key: row.id,
      ...row,
      offer,
      isOpen,
      details: isOpen ? details : null,
      showsImages,
    };
    const isSameDay = index > 0 && dayText(rows[index - 1].created) === day;
    return isSameDay ? [action] : [{ key: day, day }, action];
  });
}

// Return the choices of the menu of people.
export function peopleOf({ people }) {
  const named = Object.entries(people).map(([key, count]) => ({
    key,
    text: `${key} (${numeral(count)})`,
  }));
  return [{ key: "", text: "everyone" }, ...named];
}

// Describe how many images an action has besides those that are named.
export function moreText({ names, images }) {
  const total = Object.values(images).reduce((sum, count) => sum + count, 0);
  return total > names.length ? ` and ${numeral(total - names.length)} more` : "";
}
