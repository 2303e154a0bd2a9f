// Commands of a screen: one table of name → { keys, help, run }. Keys are written like "a", "Ctrl+z" or "Alt+ArrowUp".
// Buttons and fields name their command in the layout.

import { letterOf } from "../keymap.js";

/**
 * @typedef {object} Command
 * @property {string[]} [keys]
 * @property {[keys: string, what: string]} [help] what the screen says of its keys
 * @property {boolean} [repeats] it runs again while its key is held
 * @property {string} [needs]
 * @property {(screen: any, event?: any) => void} run
 */

/**
 * Return the name of the command of a key, "held" if the key repeats and its command does not, or null.
 *
 * @param {Record<string, Command>} commands
 */
export function commandOfKey(commands, event) {
  if (event.isComposing) return null;
  for (const press of pressesOf(event)) {
    const found = Object.entries(commands).find(([, { keys }]) => keys?.includes(press));
    if (found) return event.repeat && !found[1].repeats ? "held" : found[0];
  }
  return null;
}

// A press with Shift that has no command of its own is the press without.
function pressesOf(event) {
  const name = [...event.key].length === 1 ? letterOf(event) : event.key;
  const held = `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}`;
  return event.shiftKey ? [`${held}Shift+${name}`, held + name] : [held + name];
}

// Return what the help of a screen shows: [keys, what], ….
export function helpOf(commands) {
  return Object.values(commands).flatMap(({ help }) => (help ? [help] : []));
}
