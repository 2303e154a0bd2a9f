// Dialogs of the results screen: facts and code, advice, comparison, and moving images to the training set.

import { element } from "../shared/dom.js";
import { codeBlock } from "../shared/next_step.js";
import { CROSS_VALIDATED, MOST_CONFIDENT, ONE } from "./engine.js";
import {
  certainSign,
  deltaText,
  imagesText,
  intervalText,
  metricText,
  numberText,
} from "./text.js";

// Return a listener that closes the panel first.
function closing(panel, act) {
  return () => {
    panel.close();
    act();
  };
}

export function openFacts(panel, facts, training) {
  const rows = [
    [
      "test images",
      `${numberText(facts.images.length)}${facts.bare ? `, ${numberText(facts.bare)} without a label` : ""}`,
    ],
    ["labels tested", numberText(facts.targets.filter((count) => count > 0).length)],
  ];
  if (training)
    rows.push([
      "labels trained",
      numberText(Object.values(training).filter((count) => count > 0).length),
    ]);
  const table = element(
    "table",
    { class: "keys facts" },
    ...[...facts.said, ...rows].map(([name, value]) =>
      element(
        "tr",
        {},
        element("th", { scope: "row", text: name }),
        element("td", { text: value }),
      ),
    ),
  );
  const notes = facts.notes.map((text) => element("p", { class: "faint", text }));
  const code = facts.code ? [element("h4", { text: "Usage" }), codeBlock(facts.code)] : [];
  panel.open(
    facts.name,
    table,
    ...code,
    ...(notes.length ? [element("h4", { text: "Notes on these metrics" }), ...notes] : []),
  );
}

const SHOWN_PICTURES = 6;

// Show the first images of an advice item once they are loaded.
function adviceImages(images, thumbs, look) {
  const node = element("div", { class: "pictures" });
  thumbs(images.slice(0, SHOWN_PICTURES)).then(
    (found) =>
      node.replaceChildren(
        ...found.flatMap(({ uri }, index) =>
          uri
            ? [
                element(
                  "button",
                  { class: "plain", on: { click: () => look(images[index]) } },
                  element("img", { src: uri, alt: "View image", draggable: false }),
                ),
              ]
            : [],
        ),
      ),
    () => {},
  );
  return node;
}

// `items` is null while they are computed. `thumbs(images)` → Promise of images, `look(image)` opens one.
export function openAdvice(panel, items, { show, fix, isDoubtful, thumbs, look }) {
  if (!items) {
    panel.open("Advice", element("p", { class: "faint", text: "Analysing mistakes…" }));
    return;
  }
  const cards = items.map((item) =>
    element(
      "article",
      { class: "card", data: { kind: item.kind } },
      element("strong", { text: item.heading }),
      element("p", { text: item.text }),
      item.images.length
        ? adviceImages(item.images, thumbs, (image) => {
            panel.close();
            look(image);
          })
        : null,
      element(
        "div",
        { class: "choices" },
        item.images.length
          ? element("button", {
              text: `Show ${imagesText(item.images.length)}`,
              on: { click: closing(panel, () => show(item)) },
            })
          : null,
        fix && item.images.some(isDoubtful)
          ? element("button", {
              text: "Fix ground truth…",
              on: { click: closing(panel, () => fix(item.images.filter(isDoubtful))) },
            })
          : null,
      ),
      item.call ? codeBlock(item.call) : null,
    ),
  );
  panel.open(
    "Advice, most important first",
    ...(cards.length ? cards : [element("p", { text: "No clear improvements found." })]),
  );
}

// A bar of an interval from 0 to 1, with a dot at the value.
function rangeBar(value, [low, high]) {
  const [from, to] = [low ?? value, high ?? value].map((end) => 100 * end);
  return element(
    "span",
    { class: "range" },
    element("span", { style: { left: `${from}%`, width: `${to - from}%` } }),
    element("i", { style: { left: `${100 * value}%` } }),
  );
}

// List the slices of all columns at the current thresholds. `choose([column, name])` shows one.
export function openSlices(panel, slices, choose) {
  const cell = (text, name = "") => element("td", { class: name, text });
  const row = ({ column, name, images, f1, intervals, differs }) => {
    const click = closing(panel, () => choose([column, name]));
    const button = { class: "plain", title: "Show only this slice", on: { click } };
    return element(
      "tr",
      { class: differs },
      element("th", { scope: "row" }, element("button", button, element("bdi", { text: name }))),
      cell(imagesText(images), "number"),
      cell(metricText(f1), "number"),
      element("td", {}, rangeBar(f1, intervals.f1)),
      cell(intervalText(intervals.f1), "faint"),
      cell(differs && `${differs} than others`),
    );
  };
  const text = "“lower than others”: by more than chance explains, among the slices of the column.";
  panel.open(
    "F1 by slice, with 95% confidence interval",
    ...[...new Set(slices.map(({ column }) => column))].flatMap((name) => [
      element("h4", { text: name }),
      element(
        "table",
        { class: "slices" },
        ...slices.filter((item) => item.column === name).map(row),
      ),
    ]),
    element("p", { class: "faint", text }),
  );
}

export function openVersions(panel, names, { compare, current }) {
  const list = names.map((name) =>
    element("button", {
      class: "version",
      text: name,
      on: { click: closing(panel, () => compare(name)) },
    }),
  );
  const none = element("p", {
    text: "There is no other version of this task to compare with yet.",
  });
  const end = current
    ? [
        element("button", {
          text: "End comparison",
          on: { click: closing(panel, () => compare(null)) },
        }),
      ]
    : [];
  panel.open(
    "Compare with another version",
    ...(list.length ? [element("div", { class: "versions" }, ...list)] : [none]),
    ...end,
  );
}

// Create the bar with the changes since another version, or null without a comparison.
export function comparisonBar(comparison, { onEnd }) {
  const rules = {
    [MOST_CONFIDENT]: "by the most confident label",
    [CROSS_VALIDATED]: "with cross-validated thresholds",
    [ONE]: `with the threshold ${comparison.position.one}`,
  };
  const figures = comparison.summary.map(({ metric, before, after, delta, low, high }) =>
    element(
      "span",
      { class: "change", title: `${metricText(before)} → ${metricText(after)}` },
      `${metric === "f1" ? "F1" : metric.replaceAll("_", " ")} `,
      element("b", {
        class: ["worse", "", "better"][certainSign({ low, high }) + 1],
        text: deltaText(delta),
      }),
      low === null
        ? ""
        : element("span", { class: "faint", text: ` ${intervalText([low, high])}` }),
    ),
  );
  return element(
    "div",
    { class: "band comparison", title: [...comparison.sentences, ...comparison.notes].join("\n") },
    element(
      "span",
      { class: "faint" },
      "Compared with ",
      element("bdi", { text: comparison.names[0] }),
      ` on ${imagesText(comparison.test_images)}, ` +
        (rules[comparison.position.mode] ?? "each with its own thresholds"),
      element("span", {
        class: "elsewhere",
        text: ", unlike the metrics above",
        hidden: true,
      }),
      ":",
    ),
    ...figures,
    element("span", { class: "spring" }),
    onEnd
      ? element("button", {
          class: "plain",
          text: "× End",
          attributes: { "aria-label": "End comparison" },
          on: { click: onEnd },
        })
      : null,
    comparison.said ? element("p", { class: "faint", text: comparison.said }) : null,
  );
}

// Ask for the export path. Resolves with { what, path } or null. `writes` has a default name for each kind.
export function askPath(panel, writes) {
  const kinds = {
    page: ["HTML page", "Interactive, with the worst images. Works offline."],
    files: [
      "Files in a folder",
      "Summary and snapshots in the format of Rekognition, tables as CSV.",
    ],
  };
  return new Promise((resolve) => {
    let answer = null;
    panel.onceClosed(() => resolve(answer));
    const rows = Object.entries(writes).map(([what, name], index) => {
      const field = element("input", {
        type: "text",
        value: name,
        data: index ? {} : { first: "" },
        attributes: { "aria-label": `Path of ${kinds[what][0]}` },
      });
      const write = () => {
        answer = { what, path: field.value };
        panel.close();
      };
      field.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && !event.isComposing) write();
      });
      return element(
        "div",
        { class: "writer", data: { what } },
        element("strong", { text: kinds[what][0] }),
        element("p", { class: "faint", text: kinds[what][1] }),
        element(
          "div",
          { class: "choices" },
          field,
          element("button", {
            class: index ? "" : "primary",
            text: "Export",
            on: { click: write },
          }),
        ),
      );
    });
    panel.open(
      "Export",
      ...rows,
      element("p", {
        class: "faint",
        text: "Paths are relative to the notebook's folder. Existing files are replaced.",
      }),
    );
  });
}

// Ask how to move test images to the training set. Resolves with { label } or null.
export function askLabel(panel, count, labels, isDetection) {
  return new Promise((resolve) => {
    let answer = null;
    panel.onceClosed(() => resolve(answer));
    const placeholder = element("option", {
      value: "",
      text: isDetection ? "with their current boxes" : "with their current labels",
    });
    const select = element(
      "select",
      { data: { first: "" }, attributes: { "aria-label": "Label" } },
      placeholder,
      ...(isDetection
        ? []
        : labels.map((label) => element("option", { value: label, text: label }))),
    );
    const add = element("button", {
      class: "primary",
      text: "Move to training",
      on: {
        click: () => {
          answer = { label: select.value || null };
          panel.close();
        },
      },
    });
    panel.open(
      `Move ${imagesText(count)} to the training set`,
      element("p", {
        text:
          "They leave the test set. The next version is trained on them and no longer " +
          "evaluated on them. To undo, call project.undo().",
      }),
      element("label", { class: "menu" }, "as ", select),
      element("div", { class: "choices" }, add),
    );
  });
}
