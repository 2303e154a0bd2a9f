// A small stand-in for the browser's document, with what the widgets' parts use of it. It has no layout.

const CAMEL = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
const FOCUSABLE = new Set(["button", "input", "select", "textarea", "a"]);
const EMPTY = new Set(["input", "img", "br"]); // elements without an end
const PROPERTIES = new Set(["disabled", "hidden", "id", "title", "type", "value"]);

class FakeNode {
  static TEXT_NODE = 3;

  constructor(tag) {
    Object.assign(this, {
      tag,
      tagName: tag.toUpperCase(),
      nodes: [],
      parentElement: null,
      listeners: new Map(),
      marks: new Map(),
      dataset: {},
      hidden: false,
      disabled: false,
      className: "",
      value: "",
    });
    this.tabIndex = FOCUSABLE.has(tag) ? 0 : -1;
    this.style = { setProperty() {} };
    this.ownerDocument = globalThis.document;
    const names = () => this.className.split(" ").filter(Boolean);
    this.classList = {
      contains: (name) => names().includes(name),
      toggle: (name, on = !names().includes(name)) => {
        this.className = [...names().filter((own) => own !== name), ...(on ? [name] : [])].join(
          " ",
        );
      },
    };
  }

  // -- the tree
  get children() {
    return this.nodes.filter((node) => node.tag);
  }
  get childNodes() {
    return this.nodes;
  }
  get firstElementChild() {
    return this.children[0] ?? null;
  }
  get firstChild() {
    return this.nodes[0] ?? null;
  }
  get lastChild() {
    return this.nodes.at(-1) ?? null;
  }
  get isConnected() {
    return this === globalThis.document.body || Boolean(this.parentElement?.isConnected);
  }
  get textContent() {
    return this.nodes.map((node) => node.data ?? node.textContent).join("");
  }
  set textContent(text) {
    this.replaceChildren(...(text ? [text] : []));
  }

  insertBefore(child, next) {
    const node =
      typeof child === "string"
        ? { nodeType: FakeNode.TEXT_NODE, data: child, remove() {} }
        : child;
    node.remove();
    node.parentElement = this;
    this.nodes.splice(next ? this.nodes.indexOf(next) : this.nodes.length, 0, node);
  }

  after(node) {
    this.parentElement.insertBefore(
      node,
      this.parentElement.nodes[this.parentElement.nodes.indexOf(this) + 1],
    );
  }
  append(...children) {
    for (const child of children) this.insertBefore(child, null);
  }
  replaceChildren(...children) {
    for (const node of this.nodes) node.parentElement = null;
    this.nodes = [];
    this.append(...children);
  }

  remove() {
    if (this.parentElement)
      this.parentElement.nodes = this.parentElement.nodes.filter((node) => node !== this);
    this.parentElement = null;
  }

  replaceWith(node) {
    this.after(node);
    this.remove();
  }

  contains(node) {
    return node === this || this.children.some((child) => child.contains(node));
  }

  // -- templates: HTML without comments and entities
  set innerHTML(html) {
    this.content = new FakeNode("content");
    let at = this.content;
    for (const [, end, tag, attributes = "", text] of html.matchAll(
      /<(\/?)(\w+)((?:\s+[\w-]+(?:="[^"]*")?)*)\s*>|([^<]+)/g,
    )) {
      if (text) at.append(text);
      else if (end) at = at.parentElement;
      else {
        const node = new FakeNode(tag);
        for (const [, name, value = ""] of attributes.matchAll(/([\w-]+)(?:="([^"]*)")?/g))
          node.setAttribute(name, value);
        at.append(node);
        if (!EMPTY.has(tag)) at = node;
      }
    }
  }

  cloneNode() {
    const clone = new FakeNode(this.tag);
    for (const name of ["className", "tabIndex", ...PROPERTIES]) clone[name] = this[name];
    Object.assign(clone.dataset, this.dataset);
    for (const [name, value] of this.marks) clone.marks.set(name, value);
    clone.append(...this.nodes.map((node) => node.data ?? node.cloneNode()));
    return clone;
  }

  // -- attributes and selectors: "tag.class[name='value']", with descendants and commas
  setAttribute(name, value) {
    if (name === "class") this.className = value;
    else if (name === "tabindex") this.tabIndex = Number(value);
    else if (name === "hidden" || name === "disabled") this[name] = true;
    else if (name.startsWith("data-")) this.dataset[CAMEL(name.slice(5))] = String(value);
    else if (PROPERTIES.has(name)) this[name] = value;
    this.marks.set(name, String(value));
  }
  removeAttribute(name) {
    this.marks.delete(name);
  }

  getAttribute(name) {
    if (name === "hidden") return this.hidden ? "" : null;
    if (name === "tabindex") return this.tabIndex < 0 ? null : String(this.tabIndex);
    if (name.startsWith("data-")) return this.dataset[CAMEL(name.slice(5))] ?? null;
    return this.marks.get(name) ?? null;
  }

  matches(selectors) {
    return selectors.split(",").some((selector) => {
      if (selector === ":focus") return globalThis.document.activeElement === this;
      const parts = selector.trim().split(/\s+/);
      const [, tag, classes, attributes] = /^(\w*)\*?((?:\.[\w-]+)*)((?:\[[^\]]+\])*)$/.exec(
        parts.at(-1),
      );
      const isOne =
        (!tag || tag === this.tag) &&
        classes
          .split(".")
          .filter(Boolean)
          .every((name) => this.classList.contains(name)) &&
        [...attributes.matchAll(/\[([\w-]+)(?:='([^']*)')?\]/g)].every(([, name, value]) =>
          value === undefined
            ? this.getAttribute(name) !== null
            : this.getAttribute(name) === value,
        );
      return (
        isOne &&
        (parts.length === 1 || Boolean(this.parentElement?.closest(parts.slice(0, -1).join(" "))))
      );
    });
  }

  closest(selectors) {
    return this.matches(selectors) ? this : (this.parentElement?.closest(selectors) ?? null);
  }
  querySelectorAll(selectors) {
    return this.children.flatMap((child) => [
      ...(child.matches(selectors) ? [child] : []),
      ...child.querySelectorAll(selectors),
    ]);
  }
  querySelector(selectors) {
    return this.querySelectorAll(selectors)[0] ?? null;
  }

  // -- events and focus
  addEventListener(type, listener) {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }

  // Call the listeners from here upwards, and return the event.
  fire(type, properties = {}) {
    let isStopped = false;
    const event = {
      type,
      target: this,
      defaultPrevented: false,
      preventDefault() {
        this.defaultPrevented = true;
      },
      stopPropagation() {
        isStopped = true;
      },
      ...properties,
    };
    for (let node = this; node && !isStopped; node = node.parentElement)
      for (const listener of node.listeners.get(type) ?? []) listener(event);
    return event;
  }

  click() {
    if (!this.disabled) this.fire("click");
  }
  getContext() {
    return { measureText: (text) => ({ width: 6 * text.length }) };
  }
  focus() {
    globalThis.document.activeElement = this;
  }
  select() {}
  scrollIntoView() {}
  getBoundingClientRect() {
    return { left: 0, top: 0, width: 800, height: 600, bottom: 600, right: 800 };
  }
}

// Set up an empty page. Returns its body.
export function openPage() {
  const document = {
    createElement: (tag) => new FakeNode(tag),
    createElementNS: (space, tag) => new FakeNode(tag),
  };
  Object.assign(globalThis, { document, Node: FakeNode, window: globalThis });
  document.body = document.createElement("body");
  document.activeElement = document.body;
  return document.body;
}

// Press a key at the focus. A button is clicked by Enter, also by repeats, as in a browser.
export function press(key, properties = {}) {
  const at = document.activeElement;
  const event = at.fire("keydown", {
    key,
    code: "",
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    altKey: false,
    isComposing: false,
    repeat: false,
    ...properties,
  });
  if (key === "Enter" && at.tag === "button" && !event.defaultPrevented) at.click();
  return event;
}
