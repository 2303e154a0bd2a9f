// Layouts: constant HTML, parsed once and cloned for every use. Data never enter the HTML: `set` writes them as text,
// or to a property or an attribute of a short list.

import { keepKeys, setText } from "./dom.js";

/** @typedef {Record<string, any>} Refs */

const TAKES_KEYS = "button, input, select, textarea, a, [tabindex]";
// the event with which an element runs its command; an attribute "on" names another one
const EVENTS = { FORM: "submit", SELECT: "change", INPUT: "input" };
const PROPERTIES = new Set(["className", "disabled", "hidden", "id", "selected", "title", "value"]);
const ATTRIBUTES =
  /^(aria-(activedescendant|current|expanded|label|pressed|selected)|data-\w+|list)$/;

/**
 * Return a function that clones the layout `html`, which has one outermost element.
 *
 * The clone's elements with `ref="name"` are in `refs`, together with `root`. Those with `command="name"` call
 * `run(name, event)`: a button when it is clicked, a form when it is submitted, a field when it changes.
 *
 * @param {string} html
 * @returns {(run?: (command: string, event: any) => void) => Refs}
 */
export function template(html) {
  /** @type {{ root: Element, marks: [number, string | null, string | null, string | null][] }} */
  let layout;
  return (run) => {
    layout ??= parse(html);
    const root = layout.root.cloneNode(true);
    const nodes = [root, .../** @type {Element} */ (root).querySelectorAll("*")];
    /** @type {Refs} */
    const refs = { root };
    for (const [index, ref, command, on] of layout.marks) {
      const node = /** @type {Element} */ (nodes[index]);
      if (ref) refs[ref] = node;
      if (command)
        node.addEventListener(on ?? EVENTS[node.tagName] ?? "click", (event) =>
          run(command, event),
        );
    }
    return refs;
  };
}

function parse(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html
    .trim()
    .replace(/>\s*\n\s*/g, ">")
    .replace(/\s*\n\s*</g, "<");
  const root = holder.content.firstElementChild;
  const marks = [];
  [root, ...root.querySelectorAll("*")].forEach((node, index) => {
    if (node.matches(TAKES_KEYS)) keepKeys(node);
    const names = ["ref", "command", "on"].map((name) => node.getAttribute(name));
    for (const name of ["ref", "command", "on"]) node.removeAttribute(name);
    if (names[0] || names[1]) marks.push([index, ...names]);
  });
  return { root, marks };
}

// Write data to an element: { text, title, hidden, "aria-label", ".open": has class, "--color": of the style, … }.
export function set(node, values) {
  for (const [name, value] of Object.entries(values)) {
    if (name === "text") setText(node, value);
    else if (name.startsWith(".")) node.classList.toggle(name.slice(1), Boolean(value));
    else if (name.startsWith("--")) node.style.setProperty(name, value);
    else if (PROPERTIES.has(name)) {
      if (node[name] !== value) node[name] = value;
    } else if (!ATTRIBUTES.test(name)) throw new TypeError(`Data cannot be written to ${name}.`);
    else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
  }
}

// Show a screen in its widget. Returns a function that removes it.
export function mount(el, root) {
  el.append(root);
  return () => root.remove();
}
