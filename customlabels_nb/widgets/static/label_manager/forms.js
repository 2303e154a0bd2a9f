// Questions of the label manager: merge target, removal, color, and import of labels.

import { counted } from "../shared/numbers.js";
import { element, setText } from "../shared/dom.js";
import { quoted, someOf, usesText } from "./logic.js";

const FINDING_TAKES = 600_000; // milliseconds; a large dataset is read completely to find its labels
const NAMES_SHOWN = 12;
const LISTED = 200; // suggested names per field

function onEnter(field, action) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    action();
  });
}

// Update the use of a label while the question is open. `known` is the last count or undefined, `fresh` a Promise of
// the current one.
function whenCounted(question, label, { known, fresh }, tell) {
  if (known) tell(known);
  fresh.then(
    (uses) => {
      if (question.isOpen && question.label === label) tell(uses);
    },
    () => {
      if (question.label === label) question.close();
    },
  );
}

// → the label to merge into, or null.
export async function askMerge(question, anchor, { label, labels, uses, into = null }) {
  const others = labels.filter((item) => item.label !== label).map((item) => item.label);
  const id = `clnb-into-${Math.random().toString(36).slice(2)}`;
  const field = element("input", {
    type: "text",
    value: into ?? "",
    placeholder: "label…",
    maxLength: 256,
    data: { first: "" },
    attributes: { list: id, "aria-label": "Label to merge into" },
  });
  const words = element("p", { class: "faint", text: "Counting…" });
  const known = new Set(others);
  field.addEventListener("input", () => {
    question.mainButton.disabled = !known.has(field.value.trim());
  });
  onEnter(field, () => {
    if (known.has(field.value.trim())) question.close("merge");
  });
  const answer = question.ask(
    anchor,
    label,
    `Merge ${quoted(label)} into`,
    [{ value: "merge", text: "Merge", primary: true, disabled: into === null }],
    element(
      "datalist",
      { id },
      ...others.slice(0, LISTED).map((value) => element("option", { value })),
    ),
    field,
    words,
  );
  whenCounted(question, label, uses, (counts) => {
    setText(words, `${usesText(counts)} Undo restores ${quoted(label)}.`);
    setText(question.mainButton, counts[2] ? `Merge ${counted(counts[2], "annotation")}` : "Merge");
  });
  return (await answer) === null ? null : field.value.trim();
}

// → "remove" or null. The focus is on the safe choice.
export function askRemove(question, anchor, { label, uses }) {
  const words = element("p", { text: "Counting…" });
  const answer = question.ask(
    anchor,
    label,
    `Remove ${quoted(label)}?`,
    [
      { value: "remove", text: "Remove", primary: true, danger: true },
      { value: null, text: "Keep", first: true },
    ],
    words,
  );
  whenCounted(question, label, uses, (counts) => {
    setText(
      words,
      counts[2]
        ? `${usesText(counts)} They will be removed, too. Images without another label become unlabelled.`
        : "This label is not used.",
    );
    setText(
      question.mainButton,
      counts[2] ? `Remove with ${counted(counts[2], "annotation")}` : "Remove",
    );
  });
  return answer;
}

// → what to do with labelled images: "keep", "review", "always keep", or null to add nothing.
export function askReview(question, anchor, { names, done }) {
  const what = names.length === 1 ? `${quoted(names[0])}` : counted(names.length, "label");
  return question.ask(
    anchor,
    null,
    `${counted(done, "image")} ${done === 1 ? "is" : "are"} already done. Should ` +
      `${done === 1 ? "it" : "they"} be checked for ${what}?`,
    [
      { value: "keep", text: "Add and keep as done", primary: true },
      { value: "review", text: "Add and send to review" },
      { value: null, text: "Cancel" },
    ],
  );
}

// → a color #rrggbb or null.
export function askColor(question, anchor, { label, color, palette }) {
  const field = element("input", {
    type: "color",
    class: "own-color",
    value: color,
    attributes: { "aria-label": "Custom color" },
  });
  field.addEventListener("change", () => question.close(field.value));
  const swatches = palette.map((value) =>
    element("button", {
      type: "button",
      class: "swatch",
      title: value,
      style: { "--label-color": value },
      data: value === color ? { first: "" } : {},
      attributes: { "aria-label": value, "aria-pressed": String(value === color) },
      on: { click: () => question.close(value) },
    }),
  );
  return question.ask(
    anchor,
    label,
    `Color of ${quoted(label)}`,
    [],
    element("div", { class: "palette" }, ...swatches, element("label", {}, "Custom ", field)),
  );
}

// → [[name, color], …] of labels to add, or null. `request` sends to the kernel.
export async function askImport(question, anchor, { request }) {
  const field = element("input", {
    type: "text",
    class: "path",
    placeholder: "Path of a project, manifest, COCO, CSV…",
    data: { first: "" },
    attributes: { "aria-label": "Path of the project or dataset", spellcheck: "false" },
  });
  const words = element("p", {
    class: "faint",
    text: "A project folder, or a file or folder in a supported format. Only label names are imported, not images.",
  });
  let preview = null;
  const look = async () => {
    const source = field.value.trim();
    if (!source || field.disabled) return;
    field.disabled = true;
    setText(words, "Looking…");
    try {
      const [answer] = await request("labels find", { source }, [], { patience: FINDING_TAKES });
      preview = answer.labels;
      const names = preview.map(([name]) => name);
      setText(
        words,
        !answer.total
          ? "No labels found."
          : names.length
            ? `${counted(answer.total, "label")}, ${names.length.toLocaleString("en")} of them ` +
              `new: ${someOf(names, NAMES_SHOWN)}`
            : `${counted(answer.total, "label")}, all of them already exist.`,
      );
    } catch (error) {
      preview = null;
      setText(words, error.message);
    }
    field.disabled = false;
    if (!question.isOpen || !question.node.contains(field)) return;
    question.mainButton.disabled = !preview?.length;
    setText(
      question.mainButton,
      preview?.length ? `Add ${counted(preview.length, "label")}` : "Add",
    );
    (preview?.length ? question.mainButton : field).focus();
  };
  onEnter(field, look);
  field.addEventListener("input", () => {
    question.mainButton.disabled = true;
  });
  const looking = element("button", { type: "button", text: "Find labels", on: { click: look } });
  const answer = await question.ask(
    anchor,
    null,
    "Import label names from",
    [{ value: "add", text: "Add", primary: true, disabled: true }],
    element("span", { class: "look-up" }, field, looking),
    words,
  );
  return answer === null ? null : preview;
}
