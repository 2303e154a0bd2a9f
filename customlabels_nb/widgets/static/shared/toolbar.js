// Parts of the toolbars above pages of images.

import { element, leaving } from "./dom.js";

const SEARCH_AFTER = 250; // ms

// Return a menu. Its parent has the caption.
/** @returns {HTMLSelectElement} */
export function captionedMenu(caption, onChange) {
  const select = element("select", {
    attributes: { "aria-label": caption },
    data: { menu: caption },
    on: { change: () => onChange(select.value) },
  });
  element("label", { class: "menu" }, element("span", { text: caption }), select);
  return select;
}

// Create a tab. `data` identifies it among the tabs of its list.
export function tab(text, isCurrent, data, onClick) {
  return element("button", {
    class: isCurrent ? "tab current" : "tab",
    text,
    attributes: { role: "tab", "aria-selected": String(isCurrent) },
    data,
    on: { click: onClick },
  });
}

// Return a tab with the number of images for each dataset. `on` has leave() and split(name).
export function splitTabs(splits, current, on) {
  return Object.entries(splits).map(([name, count]) =>
    tab(
      `${name} ${count.toLocaleString("en")}`,
      name === current,
      { split: name },
      leaving(on, () => on.split(name)),
    ),
  );
}

// Return a field that filters by file name while it is typed. `on` has leave() and query(change).
export function nameField(on) {
  let timer;
  const search = () => on.query({ search: field.value });
  const field = element("input", {
    type: "search",
    class: "search",
    placeholder: "⌕ file name…",
    attributes: { "aria-label": "Search by file name" },
    on: {
      input: () => {
        clearTimeout(timer);
        timer = setTimeout(search, SEARCH_AFTER);
      },
      keydown: (event) => {
        event.stopPropagation();
        if (event.key === "Enter") {
          clearTimeout(timer);
          search();
        } else if (event.key === "Escape") {
          on.leave();
        }
      },
    },
  });
  return field;
}
