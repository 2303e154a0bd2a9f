// Elements of a list. Each item has a `key`, and its part is kept while the key is in the list, so that the focus and
// what is typed remain.

/**
 * `make(item)` returns the part of an item: `root`, and `paint(item)`, which runs when a value of the item has changed.
 *
 * @param {HTMLElement} parent
 * @param {(item: any) => { root: HTMLElement, paint?: (item: any) => void }} make
 */
export function partsIn(parent, make) {
  const parts = new Map(); // key → part
  return {
    get: (key) => parts.get(key),

    paint(items) {
      const keys = new Set(items.map(({ key }) => key));
      for (const [key, part] of parts) {
        if (keys.has(key)) continue;
        parts.delete(key);
        part.root.remove();
      }
      for (const item of items) {
        if (!parts.has(item.key)) parts.set(item.key, { ...make(item) });
        const part = parts.get(item.key);
        if (!isSame(part.item, item)) part.paint?.(item);
        part.item = item;
      }
      arrange(
        parent,
        items.map(({ key }) => parts.get(key).root),
      );
    },
  };
}

function isSame(before, item) {
  return before !== undefined && Object.keys(item).every((name) => before[name] === item[name]);
}

// Move only nodes that are in another position, so that a focused field keeps its focus.
function arrange(parent, wanted) {
  const active = parent.ownerDocument.activeElement;
  wanted.forEach((node, index) => {
    const there = parent.children[index];
    if (there === node) return;
    if (node.contains(active) && there) {
      while (parent.children[index] !== node) parent.append(parent.children[index]);
    } else parent.insertBefore(node, there ?? null);
  });
}
