// Dashboard of a labelling job: states of the images, rate, people and agreement, for its managers. The kernel side
// is in job_dashboard.py.

import { counted, numeral } from "./shared/numbers.js";
import { chip, colorOf } from "./shared/chips.js";
import {
  element,
  followFullScreen,
  setText,
  show,
  turnFullScreen,
  widgetOf,
} from "./shared/dom.js";
import { invitePerson } from "./shared/inviting.js";
import { instructionNodes } from "./shared/panels.js";
import { FollowingScreen } from "./dashboard/following.js";
import {
  STATE_NAMES,
  StateBar,
  agreementChart,
  decimals,
  intervalText,
  seenText,
  settingsText,
  track,
} from "./dashboard/job_parts.js";
import { isolated, shareText } from "./dashboard/text.js";

const LARGE_FROM = 800;
const WIDE_FROM = 1040;
const HEADS = [
  ["person", "who"],
  ["done", "number"],
  ["skipped", "number"],
  ["seconds", "number", "Median time of an answer"],
  [
    "agrees with the others",
    "shares",
    "Share of the answers that are the most frequent answer of the others",
  ],
  ["gold right", "number", "Right answers to images with known answers"],
  ["most often", "confusion"],
  ["seen", "number"],
];
const CLOSE_TEXT =
  "Nobody gets tasks any more, and answers that come later do not count. Resume the job to open it again.";
const MERGE_TEXT =
  "All answers become those of one person. Where both have answered an image, the " +
  "later answer counts, and somebody else is asked. This cannot be undone.";

class JobDashboardScreen extends FollowingScreen {
  constructor(model, el) {
    super(model, el, {
      kind: "clnb-job-dashboard",
      title: "Dashboard of a labelling job",
      hints: "click a number to show its images",
    });
  }

  build() {
    this.figures = null;
    this.drawn = new Map();
    const button = (text, click, properties = {}) =>
      element("button", { text, on: { click }, ...properties });
    this.status = element("span", { class: "job-state", attributes: { role: "status" } });
    this.turn = button("", () => this._act(this.figures.state === "running" ? "pause" : "resume"));
    this.ending = button("Close…", () => this._askToClose(), { class: "ending" });
    this.whole = button("Full screen", () =>
      turnFullScreen(this.root, (text) => this.notices.say("whole", text)),
    );
    followFullScreen(this.root, this.whole);
    this.primary = button("", () => this._open({ review: true }, "review"), {
      class: "primary",
      hidden: true,
    });
    const toolbar = element(
      "div",
      { class: "band toolbar" },
      this.title,
      this.status,
      this.summary,
      element("span", { class: "spring" }),
      element("span", { class: "actions" }, this.turn, this.ending, this.whole, this.primary),
    );
    this.large = element("div", { class: "headline" });
    this.stateBar = new StateBar(this.tooltip, (state) => this._openState(state));
    this.legend = element("div", { class: "states" });
    this.hintList = element("ul", { class: "hint-list" });
    this.people = element("section", {
      class: "of-people",
      attributes: { "aria-label": "People" },
    });
    this.course = element("section", { attributes: { "aria-label": "Agreement over time" } });
    this.perLabel = element("section", { attributes: { "aria-label": "Agreement by label" } });
    this.instructions = element("section", {
      class: "instructions",
      attributes: { "aria-label": "Instructions" },
    });
    this.columns = element(
      "div",
      { class: "columns" },
      element("div", { class: "side" }, this.course, this.perLabel, this.instructions),
      this.people,
    );
    this.content = element(
      "div",
      { class: "content", hidden: true },
      this.large,
      this.stateBar.node,
      this.legend,
      this.hintList,
      this.columns,
    );
    return [
      toolbar,
      this.notices.node,
      element("div", { class: "body" }, this.empty, this.content),
    ];
  }

  // -- requests to the kernel -------------------------------------------------------------------------
  known() {
    return { changes: this.figures?.changes };
  }

  get reading() {
    return this.figures && !this.figures.people ? "measuring…" : "";
  }

  take(figures) {
    if (figures.changes !== undefined && !(this.figures?.changes > figures.changes))
      this.figures = figures;
    this.draw();
  }

  async _open(link, words) {
    if (document.fullscreenElement === this.root) await turnFullScreen(this.root); // the images are below
    return this.openBelow({ link }, words);
  }

  _openState(state) {
    return state === "review"
      ? this._open({ review: true }, "review")
      : this._open({ state }, STATE_NAMES[state]);
  }

  _act(action, about = "") {
    return this.begin("act", { action, about });
  }

  async _askToClose() {
    const { held, name } = this.figures;
    const now = held
      ? ` ${counted(held, "answer")} ${held === 1 ? "is" : "are"} being given now.`
      : "";
    this.panel.onceClosed(() => this.ending.focus({ preventScroll: true }));
    const chosen = await this.panel.ask(`Close ${isolated(name)}?`, `${CLOSE_TEXT}${now}`, [
      { value: "close", label: "Close the job", danger: true },
      { value: null, label: "Cancel", primary: true },
    ]);
    if (chosen) await this._act(chosen);
  }

  async _askToMerge([{ person: into }, , { person }]) {
    const choices = [
      { value: "merge", label: "Merge", danger: true },
      { value: null, label: "Cancel", primary: true },
    ];
    const chosen = await this.panel.ask(
      `Merge ${isolated(person)} into ${isolated(into)}?`,
      MERGE_TEXT,
      choices,
    );
    if (chosen) await this._act(chosen, person);
  }

  // -- painting ---------------------------------------------------------------------------------------
  draw() {
    const { figures } = this;
    const width = this.root.clientWidth - 24;
    if (!figures || width <= 0) return;
    show(this.content, true);
    show(this.empty, false);
    this.root.classList.toggle("narrow", width < 676);
    this.root.classList.toggle("large", width >= LARGE_FROM);
    this.root.classList.toggle("wide", width >= WIDE_FROM);
    setText(this.title, figures.name);
    this.title.title = figures.name;
    setText(this.status, figures.state);
    this.status.className = `job-state ${figures.state}`;
    setText(this.summary, settingsText(figures));
    setText(this.turn, figures.state === "running" ? "Pause" : "Resume");
    show(this.turn, figures.state !== "completed");
    show(this.ending, figures.state !== "closed");
    show(this.primary, figures.states.review > 0);
    setText(this.primary, `Review ${numeral(figures.states.review)}`);
    this._redraw(
      this.large,
      [
        figures.state,
        figures.states,
        figures.pace,
        figures.answers,
        figures.left,
        figures.coming,
        figures.agreement,
      ],
      () => this._headline(figures),
    );
    this._redraw(this.stateBar.node, [figures.states, width], () =>
      this.stateBar.draw(figures.states, width),
    );
    this._redraw(this.legend, figures.states, () => this._legend(figures.states));
    this._redraw(this.hintList, [figures.waiting, figures.hints, figures.labels], () =>
      [...figures.waiting, ...(figures.hints ?? [])].map((hint) => this._hint(hint)),
    );
    this._redraw(this.people, figures.people, () => this._people(figures.people ?? []));
    for (const node of this.people.querySelectorAll("[data-seen]"))
      setText(node, seenText(Number(node.dataset.seen)));
    const side = width < 676 ? width : this.course.clientWidth;
    this._redraw(this.course, [figures.course, figures.agreement, side], () =>
      this._course(figures, side),
    );
    this._redraw(this.perLabel, [figures.per_label, figures.labels], () =>
      this._labels(figures.per_label ?? []),
    );
    this._redraw(this.instructions, figures.settings.instructions, () =>
      this._instructions(figures.settings.instructions),
    );
    if (figures.error)
      this.notices.say("measured", `People and agreement could not be measured. ${figures.error}`, {
        kind: "error",
      });
    else this.notices.drop("measured");
    this.updateState(true);
  }

  // Draw a part again if its state has changed. The same number keeps the focus.
  _redraw(node, state, children) {
    const text = JSON.stringify(state);
    if (this.drawn.get(node) === text) return;
    this.drawn.set(node, text);
    const active = /** @type {HTMLElement} */ (document.activeElement);
    const focused = node.contains(active) ? active.dataset.figure : null;
    const parts = children();
    if (parts) node.replaceChildren(...parts);
    if (focused)
      [...node.querySelectorAll("[data-figure]")]
        .find((item) => item.dataset.figure === focused)
        ?.focus({ preventScroll: true });
  }

  _number(text, link, words, figure) {
    return element("button", {
      class: "plain number link",
      text,
      title: `Show images: ${words}`,
      data: { figure },
      on: { click: () => this._open(link, words) },
    });
  }

  _headline({ state, states, images, answers, left, coming, pace, agreement, metric }) {
    const figure = (large, words, more) =>
      element(
        "div",
        { class: "figure" },
        element("strong", { text: large }),
        element("span", { text: words }),
        element("span", { class: "faint", text: more }),
      );
    const measured = pace
      ? [
          figure(pace.rate, pace.per, `${numeral(answers)} so far`),
          ...(state === "closed"
            ? []
            : [
                left
                  ? figure(
                      coming ? pace.left : "–",
                      `left for ${counted(coming || left, "answer")}`,
                      coming ? pace.more : "nobody is here to give them",
                    )
                  : figure(pace.left, pace.more, ""),
              ]),
          figure(
            decimals(agreement[0]),
            `agreement (${metric})`,
            intervalText(agreement[1], agreement[2]),
          ),
        ]
      : [];
    return [
      figure(
        numeral(states.done),
        `of ${counted(images, "image")} done`,
        shareText(states.done, images),
      ),
      ...measured,
    ];
  }

  _legend(states) {
    return Object.entries(STATE_NAMES).map(([state, name]) =>
      element(
        "span",
        { class: "head" },
        element("i", { class: `swatch of-${state}`, attributes: { "aria-hidden": "true" } }),
        element("button", {
          class: "plain number link",
          text: numeral(states[state]),
          disabled: !states[state],
          title: `Show images: ${name}`,
          data: { figure: `state ${state}` },
          on: { click: () => this._openState(state) },
        }),
        element("span", { text: name }),
      ),
    );
  }

  // Parts are texts, people and labels.
  _hint({ parts, link, show: text, acts }) {
    const node = (part) => {
      if (typeof part === "string") return part;
      if (part.person !== undefined)
        return element("strong", {}, element("bdi", { text: part.person }));
      return part.label === null
        ? element("em", { text: "nothing" })
        : chip(part.label, colorOf(part.label, this.figures.labels));
    };
    const words = parts
      .map((part) =>
        typeof part === "string" ? part : isolated(part.person ?? part.label ?? "nothing"),
      )
      .join("");
    const about = link?.person ?? "";
    const steps = {
      decide: () => this._openState("review"),
      invite: () => invitePerson(this),
      merge: () => this._askToMerge(parts),
    };
    const buttons = acts.map(([action, label]) =>
      element("button", {
        text: label,
        data: { figure: `${action} ${about}` },
        on: { click: steps[action] ?? (() => this._act(action, about)) },
      }),
    );
    return element(
      "li",
      { class: acts.length ? "warning" : "" },
      element("span", { class: "said" }, ...parts.map(node)),
      ...(link ? [this._number(text, link, words, `hint ${JSON.stringify(link)}`)] : []),
      ...buttons,
    );
  }

  _people(people) {
    if (!people.length)
      return [
        element("h3", { text: "People" }),
        element("p", {
          class: "faint",
          text: "Nobody has opened the job yet. People label with project.jobs[…].label().",
        }),
      ];
    const head = element(
      "tr",
      {},
      ...HEADS.map(([text, kind, title]) =>
        element("th", { class: kind, text, title, scope: "col" }),
      ),
    );
    return [
      element(
        "div",
        { class: "title" },
        element("h3", { text: "People" }),
        element("span", { class: "faint", text: "by name; speed is not compared" }),
      ),
      element(
        "table",
        { class: "people-table" },
        element("thead", {}, head),
        element("tbody", {}, ...people.map((row) => this._person(row))),
      ),
    ];
  }

  _person({
    person,
    done,
    skipped,
    seconds,
    agreement,
    known,
    right,
    confusion,
    seen,
    state,
    reason,
  }) {
    const name = isolated(person);
    const cell = (kind, ...children) => element("td", { class: kind }, ...children);
    const link = (number, key, words) =>
      number
        ? this._number(numeral(number), { [key]: person }, `${words} ${name}`, `${key} ${person}`)
        : "0";
    const gone =
      state === "active" ? null : element("span", { class: "gone", text: state, title: reason });
    return element(
      "tr",
      { class: state },
      cell("who", element("bdi", { text: person, title: person })),
      cell("number", link(done, "person", "answered by")),
      cell("number", link(skipped, "skipped_by", "skipped by")),
      cell("number", seconds === null ? "–" : numeral(Math.round(10 * seconds) / 10)),
      cell("shares", element("span", { text: decimals(agreement) }), track(agreement)),
      cell("number", known ? `${numeral(right)} of ${numeral(known)}` : "–"),
      cell(confusion ? "confusion" : "confusion none", element("bdi", { text: confusion ?? "–" })),
      cell(
        "number",
        gone ?? element("span", { data: seen === null ? {} : { seen }, text: seenText(seen) }),
      ),
    );
  }

  _course({ course = [], agreement, metric, settings }, width) {
    const title = element(
      "div",
      { class: "title" },
      element("h3", { text: "Agreement over time" }),
      element("span", {
        class: "faint",
        text: metric === "F1" ? "F1 of two people, 95 %" : "Krippendorff's alpha, 95 %",
      }),
    );
    if (course.length > 1) return [title, agreementChart(course, width)];
    const none =
      settings.max_annotators === 1
        ? "Each image gets one answer, so answers cannot be compared."
        : "Shown over time when 40 images have several answers.";
    return [title, ...(agreement ? [element("p", { class: "faint", text: none })] : [])];
  }

  _labels(rows) {
    const line = ([label, images, value, low, high]) =>
      element(
        "tr",
        {},
        element("td", { class: "who" }, chip(label, colorOf(label, this.figures.labels))),
        element(
          "td",
          { class: "shares" },
          element("span", { text: decimals(value) }),
          track(value, low, high),
        ),
        element("td", { class: "number faint", text: intervalText(low, high) }),
        element(
          "td",
          { class: "number" },
          images
            ? this._number(
                numeral(images),
                { label },
                `answers ${isolated(label)}`,
                `label ${label}`,
              )
            : "0",
        ),
      );
    const heads = [
      ["label", "who"],
      ["agreement", "shares"],
      ["", "number"],
      ["images", "number"],
    ].map(([text, kind]) => element("th", { class: kind, text, scope: "col" }));
    return rows.length
      ? [
          element(
            "table",
            { class: "label-table" },
            element("thead", {}, element("tr", {}, ...heads)),
            element("tbody", {}, ...rows.map(line)),
          ),
        ]
      : [];
  }

  _instructions(text) {
    const parts = text.trim()
      ? instructionNodes(text)
      : [element("p", { class: "faint", text: "None. Set them with job.update(instructions=…)." })];
    return [element("h3", { text: "Instructions" }), ...parts];
  }
}

export default widgetOf(JobDashboardScreen);
