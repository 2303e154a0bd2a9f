// Band of a labelling job, shared by the gallery and the annotator: progress, instructions, and answers without a
// label.

import { element, hint, leaving, setText, show } from "./dom.js";
import { recall, remember } from "./remembered.js";

const REASONS = [
  "The image is blurred or damaged",
  "I am not sure",
  "The instructions do not cover it",
];
const LONGEST_REASON = 500;
const HEARD_EVERY = 20_000; // ms, while the page is hidden and does not poll
const WAITING = "Waiting for more tasks…";

export class JobBar {
  // `on` has leave(), other(), back(), instructions(), nothing() and skip(). The keys of the last two differ between
  // the screens.
  constructor(on, { nothingKey }) {
    const button = (text, key, title, action) =>
      element(
        "button",
        {
          text: `${text} `,
          title,
          on: { click: leaving(on, action) },
        },
        key ? element("kbd", { text: key }) : null,
      );
    this.name = element("strong");
    this.text = element("span", { class: "job-progress", attributes: { role: "status" } });
    this.end = element("span", { class: "end", hidden: true, attributes: { role: "status" } });
    this.person = element("bdi", { class: "person" });
    this.other = button("Not you?", null, "Let somebody else enter their name", on.other);
    this.other.className = "plain";
    this.node = element(
      "div",
      { class: "band job-bar", hidden: true },
      this.name,
      this.text,
      this.end,
      element("span", { class: "spring" }),
      this.person,
      this.other,
      element(
        "span",
        { class: "actions" },
        button("Back", null, "Go back to your last answers", on.back),
        button("Instructions", null, "Show the instructions", on.instructions),
        button("Nothing here", nothingKey, "No label fits: this is an answer, too", on.nothing),
        button("Skip…", "0", "Leave this image to others", on.skip),
      ),
    );
  }

  update(job) {
    show(this.node, Boolean(job));
    if (!job) return;
    setText(this.name, job.name);
    setText(this.person, job.person);
    show(this.other, job.asked);
    setText(this.text, job.text);
    setText(this.end, job.end);
    show(this.end, Boolean(job.end));
  }
}

// Let somebody else enter their name, once the answers of this person are saved. `sending` is the queue of `screen`.
export async function askWhoElse({ request, notices }, sending) {
  await sending.settled();
  try {
    if (sending.pending.length)
      throw new Error("Your last answers are not saved yet. Try again later.");
    await request("other person", {});
  } catch (error) {
    if (!request.closed) notices.say("who", error.message, { kind: "error" });
  }
}

// Let keys reach the screen of a job that has taken the place of the question for a name.
export function takeFocus({ info, root }) {
  if (info.job && document.activeElement === document.body) root.focus({ preventScroll: true });
}

// Return true if this browser has not shown these instructions of a job yet.
export function areNewInstructions({ job, key, instructions }) {
  if (!job || !instructions.trim() || recall(`instructions ${key}`) === instructions) return false;
  remember(`instructions ${key}`, instructions);
  return true;
}

export function endText(job) {
  return job.end || WAITING;
}

const SKIPPING = {
  title: "Why do you skip it?",
  text: "You are not asked about it again. The manager sees the reason.",
  reasons: REASONS,
  enter: "skips with your own words",
};

// Ask why images are skipped, or another question. Resolves with one of the reasons (a digit is its key), what was
// typed, or null if the panel is closed. If the reason is `optional`, Enter alone answers "".
export function askReason(panel, { title, text, reasons, enter, optional = false } = SKIPPING) {
  return new Promise((resolve) => {
    let answer = null;
    const done = (reason) => {
      answer = reason;
      panel.close();
    };
    const field = element("input", {
      type: "text",
      maxLength: LONGEST_REASON,
      placeholder: "Another reason",
      attributes: { "aria-label": "Reason" },
    });
    const buttons = reasons.map((reason, index) =>
      element(
        "button",
        {
          data: index || optional ? {} : { first: "" },
          on: { click: () => done(reason) },
        },
        element("kbd", { text: String(index + 1) }),
        ` ${reason}`,
      ),
    );
    // A digit answers, and other characters go to the field.
    const keydown = (event) => {
      const { key, target } = event;
      if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
      const reason = target !== field && reasons[Number(key) - 1];
      if (reason || (key === "Enter" && !target.closest("button"))) {
        event.preventDefault();
        done(reason || field.value.trim());
      } else if (target !== field && key.length === 1 && key !== " ") field.focus();
    };
    panel.onceClosed(() => resolve(answer));
    panel.open(
      title,
      element(
        "div",
        {
          class: "question",
          tabIndex: -1,
          data: optional ? { first: "" } : {},
          on: { keydown },
        },
        element("p", { text }),
        element("div", { class: "choices reasons" }, ...buttons),
        field,
        element("p", {}, hint("⏎", enter)),
      ),
    );
  });
}

// Let a list end with the new tasks of a job. Resolves with true if there are some.
export async function growListing(listing, job) {
  const { view, total } = listing;
  if (!job || job.total <= total) return false;
  listing.total = job.total;
  try {
    await listing.load(listing.start);
  } catch {
    if (view === listing.view) listing.total = total; // it is tried again
    return false;
  }
  return view === listing.view;
}

// Give the tasks back when the page is closed. `request` and `info` belong to `screen`. Returns a function for its end.
// JupyterLab cuts the connection before it closes a tab, so the kernel also notices that it hears nothing any more.
export function giveBackAtEnd(screen) {
  const beat = setInterval(() => {
    if (document.hidden && screen.info?.job) screen.request("here", {}).catch(() => {});
  }, HEARD_EVERY);
  const leave = () => {
    if (screen.info?.job) screen.request("leave", {}).catch(() => {});
  };
  globalThis.addEventListener("pagehide", leave);
  return () => {
    clearInterval(beat);
    globalThis.removeEventListener("pagehide", leave);
    leave();
  };
}
