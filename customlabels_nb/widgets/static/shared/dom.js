// DOM helpers without HTML strings: text from data is always inserted as text.

// Create an element. Properties: `class`, `text`, `data` (object), `style` (object), `on` (event → listener) and
// `attributes`. All others are set on the element. Buttons submit no form, unless they get another `type`.
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  if (tag === "button") node.type = "button";
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "style")
      for (const [key, item] of Object.entries(value)) node.style.setProperty(key, item);
    else if (name === "on")
      for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    else if (name === "attributes")
      for (const [key, item] of Object.entries(value)) node.setAttribute(key, item);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== undefined && child !== null));
  if (FOCUSABLE.has(tag)) keepKeys(node);
  return node;
}

const FOCUSABLE = new Set(["button", "input", "select", "textarea", "a"]);

// JupyterLab intercepts keys of focused elements unless they opt out.
export function keepKeys(node) {
  node.dataset.lmSuppressShortcuts = "true";
  return node;
}

// Make a node a screen with keys: it gets the focus when the element that had it disappears or is disabled.
export function takeKeys(node) {
  let last = null;
  node.addEventListener("focusin", ({ target }) => {
    last = target === node ? null : target;
  });
  node.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget) last = null;
  });
  const observer = new MutationObserver(() => {
    if (!last || (node.contains(last) && last.checkVisibility() && !last.disabled)) return;
    last = null;
    node.focus({ preventScroll: true });
  });
  observer.observe(node, {
    attributeFilter: ["hidden", "disabled", "class"],
    childList: true,
    subtree: true,
  });
  return keepKeys(node);
}

export function keyHint(text) {
  return element("kbd", { text });
}

// Create a key and its description, kept on one line.
export function hint(key, words) {
  return element("span", { class: "hint" }, ...[key].flat().map(keyHint), ` ${words}`);
}

// Return a listener that gives the focus back to the screen first. `on` has leave().
export function leaving(on, act) {
  return () => {
    on.leave();
    act();
  };
}

export function show(node, visible) {
  node.hidden = !visible;
  return node;
}

// Set text only if it differs, to avoid unnecessary layout. The text node is kept, which is faster than a new one.
export function setText(node, text) {
  const first = node.firstChild;
  if (first?.nodeType === Node.TEXT_NODE && first === node.lastChild) {
    if (first.data !== text) first.data = text ?? "";
  } else if (node.textContent !== text) node.textContent = text;
}

// Set the value of a field only if it differs.
export function setValue(field, value) {
  if (field.value !== value) field.value = value;
}

// Convert bytes to a data URI, which paints faster than a blob URL.
export function dataUri(bytes, mime = "image/jpeg") {
  /** @type {Uint8Array & { toBase64?: () => string }} */
  const view =
    bytes instanceof DataView
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes);
  if (view.toBase64) return `data:${mime};base64,${view.toBase64()}`; // faster, in browsers since 2025
  const parts = [];
  for (let index = 0; index < view.length; index += 0x8000)
    parts.push(String.fromCharCode.apply(null, view.subarray(index, index + 0x8000)));
  return `data:${mime};base64,${btoa(parts.join(""))}`;
}

// Scroll a list to show a node. The notebook itself is never scrolled.
export function bringInto(list, node) {
  if (!node) return;
  const top = node.offsetTop - list.offsetTop;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + node.offsetHeight > list.scrollTop + list.clientHeight)
    list.scrollTop = top + node.offsetHeight - list.clientHeight;
}

// Return what anywidget runs to show a screen.
export function widgetOf(Screen) {
  return {
    render({ model, el }) {
      const screen = new Screen(model, el);
      return () => screen.close();
    },
  };
}

export function pause(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

// Call `found(node)` with the screen that was opened below this one: a separate widget next to it in their box, which
// is rendered a moment later.
export function whenBelow(screen, found, tries = 20) {
  const below = screen.root
    .closest(".widget-vbox")
    ?.querySelector(".clnb-gallery, .clnb-annotator, .clnb-review");
  if (below) found(below);
  else if (tries && !screen.closed) setTimeout(() => whenBelow(screen, found, tries - 1), 100);
}

// Enter or leave full screen. `say(text)` is called if the browser refuses.
export async function turnFullScreen(node, say = (_text) => {}) {
  try {
    await (document.fullscreenElement === node
      ? document.exitFullscreen()
      : node.requestFullscreen());
  } catch {
    say("The browser does not allow full screen here.");
  }
}

// Let the button say what it does next.
export function followFullScreen(node, button) {
  node.addEventListener("fullscreenchange", () =>
    setText(button, document.fullscreenElement === node ? "Leave full screen" : "Full screen"),
  );
}
