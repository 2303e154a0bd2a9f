// Tools of the annotator, in a band of their own, and what the footer says about each.

import { element, hint, keyHint, show } from "../shared/dom.js";
import { svgElement } from "../shared/charts.js";

const TOOLS = {
  select: ["Select", "V", "Select and move shapes", "M5 3l9 7-4 1-2 4z"],
  box: ["Box", "B", "Draw boxes", "M3 4h12v10H3z"],
  polygon: ["Polygon", "P", "Draw polygons", "M9 3l6 4.5-2.3 7H5.3L3 7.5z"],
  outline: [
    "Outline",
    "O",
    "Outline an object: drag a box around it or click it",
    "M3 15l8-8M12.5 2v3M11 3.5h3M15 8v2M14 9h2M6 3v2M5 4h2M10 6l2 2",
  ],
  part: [
    "Part",
    "⇧ +",
    "Add a part to the selected polygon",
    "M2.5 3.5h7v7h-7zM13 7v6M10 10h6M5 13.5h3",
  ],
  hole: [
    "Hole",
    "⇧ −",
    "Cut a hole or part out of the selected polygon",
    "M3 3h12v12H3zM9 6a3 3 0 100 6 3 3 0 000-6z",
  ],
};
const TOOL_HINTS = {
  outline: [
    ["click", "adds"],
    ["Alt click", "takes away"],
    ["Enter", "keeps"],
    ["[ ]", "fewer, more points"],
  ],
  part: [
    ["click", "corners"],
    ["Enter", "adds the part"],
    ["Alt click", "deletes a part or hole"],
  ],
  hole: [
    ["click", "corners"],
    ["Enter", "cuts"],
    ["Alt click", "deletes a part or hole"],
  ],
};

export class Tools {
  // `on.tool(name)` chooses a tool. `on.accept()` and `on.remove()` replace keys on touch screens.
  constructor(on) {
    this.buttons = Object.fromEntries(
      Object.entries(TOOLS).map(([name, [text, key, title, path]]) => [
        name,
        element(
          "button",
          {
            class: "plain tool",
            title: `${title} (${key})`,
            data: { tool: name },
            attributes: { "aria-label": text },
            on: { click: () => on.tool(name) },
          },
          svgElement(
            "svg",
            { viewBox: "0 0 18 18", "aria-hidden": "true" },
            svgElement("path", { d: path }),
          ),
          element("span", { text }),
          keyHint(key),
        ),
      ]),
    );
    const touchButton = (text, title, action) =>
      element("button", { text, title, on: { click: action } });
    this.remove = touchButton("Delete", "Delete the selected shape or prediction", on.remove);
    this.accept = touchButton("Accept", "Accept the prediction, polygon or outline", on.accept);
    this.touch = element("span", { class: "touch-buttons" }, this.remove, this.accept);
    const { part, hole, ...others } = this.buttons;
    this.combining = element("span", { class: "combining" }, part, hole);
    this.node = element(
      "div",
      { class: "band toolbar tools", attributes: { role: "toolbar", "aria-label": "Tools" } },
      ...Object.values(others),
      this.combining,
      this.touch,
    );
  }

  update({ tool, readOnly, hasPolygon, canRemove, canAccept }) {
    this.remove.disabled = !canRemove;
    this.accept.disabled = !canAccept;
    show(this.touch, !readOnly);
    for (const [name, node] of Object.entries(this.buttons)) {
      node.classList.toggle("current", name === tool);
      node.setAttribute("aria-pressed", String(name === tool));
      node.disabled = readOnly && name !== "select";
    }
    show(this.combining, hasPolygon || tool === "part" || tool === "hole");
  }
}

// Return what clicks mean with a tool, as nodes, or null if the usual keys are more useful.
export function toolHints(tool) {
  return TOOL_HINTS[tool]
    ? [
        element("strong", { text: TOOLS[tool][0] }),
        ...TOOL_HINTS[tool].map(([key, words]) => hint(key, words)),
      ]
    : null;
}
