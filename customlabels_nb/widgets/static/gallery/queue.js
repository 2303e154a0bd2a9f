// Queues of assist in the gallery: their menu, and the page of one cluster.

import { counted, percentText } from "../shared/numbers.js";
import { element, hint, leaving, setText, show } from "../shared/dom.js";

const QUEUES = [
  ["", "off"],
  ["assist", "assist"],
  ["manual", "manual"],
  ["clustered", "clustered"],
  ["prelabelled", "prelabelled"],
];

const NUMBERS = ["", "", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

// Return the number of columns for a cluster page: two rows of large tiles if possible, with a place for the hints.
export function clusterColumns(count, width) {
  const wished = count > 15 ? 8 : Math.max(2, Math.ceil((count + 1) / 2));
  return Math.max(1, Math.min(wished, Math.floor(width / 160)));
}

// Split the rows of a cluster page that have no label into those that were taken out, and the others.
export function asideOf(rows, isSelected) {
  const open = rows
    .map((row, index) => ({
      name: row.name,
      open: row.status === "unlabelled",
      selected: isSelected(index),
    }))
    .filter((row) => row.open);
  return [open.filter((row) => !row.selected), open.filter((row) => row.selected)].map((part) =>
    part.map((row) => row.name),
  );
}

export class QueueMenu {
  // `on` has leave(), queue(name) with null for none, and later() to leave the page without labels.
  constructor(on) {
    this.select = element("select", {
      attributes: { "aria-label": "queue" },
      data: { menu: "queue" },
      on: {
        change: () => {
          const { value } = this.select;
          on.leave();
          on.queue(value || null);
        },
      },
    });
    this.menu = element(
      "label",
      { class: "menu queue", title: "Order that assist recommends" },
      element("span", { text: "queue" }),
      this.select,
    );
    this.place = element("strong");
    this.alike = element("span", { class: "faint" });
    this.bar = element("span", { class: "bar" }, element("span"));
    this.head = element(
      "span",
      { class: "cluster", hidden: true, attributes: { role: "status" } },
      this.place,
      this.alike,
      this.bar,
    );
    this.later = element("button", {
      class: "later",
      text: "Not now",
      title: "Go on without labels. The page comes back after the others.",
      on: { click: leaving(on, () => on.later()) },
    });
  }

  update({ assist, query, split, readOnly, single }) {
    const clustered = query.queue === "clustered" && !single;
    this.menu.classList.toggle("on", Boolean(query.queue));
    show(this.menu, Boolean(query.queue || (assist && (split !== "test" || assist.test))));
    if (this.queue !== query.queue || !this.select.options.length) {
      this.select.replaceChildren(
        ...QUEUES.map(([value, text]) =>
          element("option", { value, text, selected: value === (query.queue ?? "") }),
        ),
      );
      this.queue = query.queue;
    }
    const cluster = clustered ? assist?.cluster : null;
    const promised = query.queue === "prelabelled" && assist?.guarantee?.promise;
    show(this.head, Boolean(cluster || promised));
    show(this.later, Boolean(cluster) && !readOnly);
    show(this.bar, Boolean(cluster) && !cluster.check);
    if (promised) {
      const { target, promise } = assist.guarantee;
      setText(this.place, `≥ ${percentText(target)} right`);
      const right = `${promise.right} of ${counted(promise.shown, "check image")}`;
      setText(this.alike, ` · ${right}`);
    }
    if (!cluster) return;
    if (cluster.check) {
      setText(this.place, "check images");
      setText(this.alike, " · label them one by one");
      return;
    }
    const alike = Math.floor(100 * cluster.alike);
    setText(
      this.place,
      `cluster ${cluster.number.toLocaleString("en")} of ${cluster.of.toLocaleString("en")}`,
    );
    setText(this.alike, ` · alike ${alike} %`);
    this.bar.firstChild.style.width = `${alike}%`;
  }
}

// Create what keys do with the selection, for the free place after the last tile.
export class ClusterHints {
  constructor() {
    this.count = element("strong");
    this.node = element(
      "div",
      { class: "cluster-hints", hidden: true },
      element("p", {}, this.count, " selected"),
      element("p"),
      element("p", {}, hint("Space", "takes one out")),
      element("p"),
    );
  }

  update({ selected, count, labels, alone, columns, readOnly }) {
    show(this.node, count > 0 && count % columns > 0 && columns > 1 && !readOnly);
    setText(this.count, `${selected} of ${count}`);
    const labelled = selected === 1 ? "labels it" : `labels the ${NUMBERS[selected] ?? selected}`;
    this.node.children[1].replaceChildren(
      hint(
        labels > 1 ? `1–${Math.min(9, labels)}` : "1",
        alone ? `${labelled} and goes on` : labelled,
      ),
    );
    this.node.lastChild.replaceChildren(...(alone ? [] : [hint("Enter", "goes on")]));
  }
}
