// Elements without markup: text from data is only ever text.

// Properties: `class`, `text`, `data` (object), `style` (object), `on` (event → listener), `attributes`; the rest are
// set on the element as they are.
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "style") for (const [key, item] of Object.entries(value)) node.style.setProperty(key, item);
    else if (name === "on") for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    else if (name === "attributes") for (const [key, item] of Object.entries(value)) node.setAttribute(key, item);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== undefined && child !== null));
  if (FOCUSABLE.has(tag)) keepKeys(node);
  return node;
}

const FOCUSABLE = new Set(["button", "input", "select", "textarea", "a"]);

// JupyterLab takes keys from focused elements unless they say so themselves.
export function keepKeys(node) {
  node.dataset.lmSuppressShortcuts = "true";
  return node;
}

export function keyHint(text) {
  return element("kbd", { text });
}

// A key and what it does, which stay together.
export function hint(key, words) {
  return element("span", { class: "hint" }, ...[key].flat().map(keyHint), ` ${words}`);
}

export function show(node, visible) {
  node.hidden = !visible;
  return node;
}

// Sets text only where it differs: nothing is laid out again for nothing.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Bytes as a data URI, which paints quicker than a blob URL.
export function dataUri(bytes, mime = "image/jpeg") {
  const view = bytes instanceof DataView ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes);
  if (view.toBase64) return `data:${mime};base64,${view.toBase64()}`; // browsers since 2025, and much quicker
  const parts = [];
  for (let at = 0; at < view.length; at += 0x8000) parts.push(String.fromCharCode.apply(null, view.subarray(at, at + 0x8000)));
  return `data:${mime};base64,${btoa(parts.join(""))}`;
}

// Scrolls a list until what is in it is in sight; the notebook itself never scrolls.
export function bringInto(list, node) {
  if (!node) return;
  const top = node.offsetTop - list.offsetTop;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + node.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top + node.offsetHeight - list.clientHeight;
}
