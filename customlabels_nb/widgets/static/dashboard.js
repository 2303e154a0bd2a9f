// Dashboard widget: labelling progress as charts and numbers. The kernel pushes new totals after each action. Each bar
// opens a gallery below with exactly the images that it counts.

import { counted, numeral } from "./shared/numbers.js";
import { element, setText, show, widgetOf } from "./shared/dom.js";
import { AssistCard } from "./dashboard/assist.js";
import { Export } from "./dashboard/export.js";
import { FollowingScreen } from "./dashboard/following.js";
import { LabelChart } from "./dashboard/label_chart.js";
import { ProgressChart } from "./dashboard/progress_chart.js";
import { Training } from "./dashboard/training.js";
import { nextStepNodes } from "./shared/next_step.js";
import { SIDES, shareText } from "./dashboard/text.js";
import { WorkChart } from "./dashboard/work_chart.js";
import { HistoryList } from "./history/list.js";

const FOLLOW_JOB_EACH = 500;
const WIDE = 860;

class DashboardScreen extends FollowingScreen {
  constructor(model, el) {
    super(model, el, {
      kind: "",
      title: "Dashboard",
      hints: "click a bar or a number to show its images",
    });
  }

  build() {
    this.figures = null;
    this.jobs = null;
    this.formats = [];
    this.drawnStates = []; // of the charts
    const open = (split, link, words) => this.open(split, link, words);
    this.charts = [
      new ProgressChart(this.tooltip, open),
      new LabelChart(this.tooltip, open),
      new WorkChart(this.tooltip, open, (unit) => this.begin("unit", { unit })),
    ];
    this.training = new Training({
      open,
      check: () => this.begin("check", {}),
      stop: () => this.begin("stop", { job: "check" }),
    });
    this.export = new Export(this.panel, {
      begin: (options) => this.request("export", options).then(([news]) => this.receive(news)),
      stop: () => this.begin("stop", { job: "export" }),
    });
    this.assist = new AssistCard(this.panel, {
      open,
      ask: (kind, content) =>
        this.request(kind, content).then(([answer]) => {
          this.receive(answer);
          return answer;
        }),
      said: (text, options) => this.notices.say("assist", text, options),
    });
    this.history = new HistoryList(this.request, {
      said: (text, options) => this.notices.say("history", text, options),
      open: (split, action, words) => this.open(split, { action }, words),
    });
    this.tabs = ["overview", "history"].map((name) =>
      element("button", {
        class: "tab",
        text: name,
        data: { tab: name },
        attributes: { role: "tab" },
        on: { click: () => this._turn(name) },
      }),
    );
    this.exportButton = element("button", {
      class: "export",
      text: "Export…",
      title: "Export labelled images to files",
      on: { click: () => this.export.open(this.formats, this.figures, this.jobs?.export) },
    });
    this.step = element("div", { class: "band what-next", hidden: true });
    this.toolbar = element(
      "div",
      { class: "band toolbar" },
      this.title,
      element(
        "div",
        { class: "tabs", attributes: { role: "tablist", "aria-label": "View" } },
        ...this.tabs,
      ),
      this.summary,
      element("span", { class: "spring" }),
      this.exportButton,
    );
    this.pair = element("div", { class: "pair" }, this.charts[1].node, this.charts[2].node);
    this.overview = element(
      "div",
      { class: "overview" },
      this.charts[0].node,
      this.assist.node,
      this.pair,
      this.training.node,
    );
    this.past = element("div", { class: "past" }, this.history.node);
    this.body = element("div", { class: "body" }, this.empty, this.overview, this.past);
    this.panel.onClose = () => this.exportButton.focus({ preventScroll: true });
    this._turn("overview");
    return [this.toolbar, this.step, this.notices.node, this.body];
  }

  // -- requests to the kernel -------------------------------------------------------------------------
  greeting() {
    return { offset: -new Date().getTimezoneOffset() };
  }

  known() {
    return { seen: this.figures?.seen, jobs: this.jobs?.changes, assist: this.help };
  }

  get followEach() {
    const running =
      this.help?.running ||
      (this.jobs && [this.jobs.check, this.jobs.export].some((job) => job.state === "running"));
    return running ? FOLLOW_JOB_EACH : super.followEach;
  }

  get reading() {
    return this.figures && !this.figures.complete ? "reading annotations…" : "";
  }

  take({ figures, jobs, assist, ended, formats, next }) {
    if (formats) this.formats = formats;
    if (next !== undefined) this.next = next;
    if (assist !== undefined) this.help = assist;
    if (figures && (!this.figures || figures.seen >= this.figures.seen)) {
      this.figures = figures;
      this.draw();
      if (this.tab === "history") this.history.load({ quiet: true }).catch(() => {});
    } else if (next !== undefined) this.draw();
    if (jobs && (!this.jobs || jobs.changes >= this.jobs.changes)) {
      this.jobs = jobs;
      this.export.draw(jobs.export);
      this.followSoon();
    }
    if (this.jobs && this.figures) this.training.drawCheck(this.jobs.check, this.figures.seen);
    this.assist.draw(this.help, this.figures?.labels);
    if (ended) this.assist.finish(ended);
  }

  open(split, link, words) {
    return this.openBelow({ split, link }, words);
  }

  // -- painting ---------------------------------------------------------------------------------------
  _turn(tab) {
    this.tab = tab;
    for (const node of this.tabs) {
      node.classList.toggle("current", node.dataset.tab === tab);
      node.setAttribute("aria-selected", String(node.dataset.tab === tab));
    }
    show(this.past, tab === "history");
    if (tab === "history")
      this.history
        .load()
        .catch((error) => this.notices.say("history", error.message, { kind: "error" }));
    this.draw();
  }

  draw() {
    const { figures } = this;
    const width = this.root.clientWidth - 24;
    if (!figures || width <= 0) return;
    this.root.classList.toggle("narrow", width < 676);
    this.root.classList.toggle("wide", width >= WIDE);
    const total = (status) =>
      SIDES.reduce((sum, split) => sum + figures.statuses[split][status], 0);
    const all = Object.keys(figures.statuses.train).reduce((sum, status) => sum + total(status), 0);
    setText(this.title, figures.project);
    setText(
      this.summary,
      all
        ? `${counted(all, "image")}, ${numeral(total("labelled"))} labelled (${shareText(total("labelled"), all)})`
        : "",
    );
    this._showNext(all);
    show(this.exportButton, all > 0);
    show(this.hints, all > 0);
    show(this.empty, !all && this.tab === "overview");
    show(this.overview, all > 0 && this.tab === "overview");
    if (all && this.tab === "overview") this._drawCharts(figures, width);
    this.updateState(true);
  }

  // Redraw only what changed, so that hovered and focused bars remain.
  _drawCharts(figures, width) {
    for (const node of [this.charts[2].node, this.training.node]) show(node, figures.complete);
    const half = width >= WIDE ? (width - 28) / 2 : width;
    this.charts.forEach((chart, index) => {
      if (index > 1 && !figures.complete) return;
      const needed = index
        ? [figures.labels, figures.work, figures.annotators, figures.unit]
        : figures.statuses;
      const state = JSON.stringify([index === 1 ? figures.labels : needed, index ? half : width]);
      if (this.drawnStates[index] === state) return;
      this.drawnStates[index] = state;
      chart.draw(figures, index ? half : width);
    });
    if (figures.complete) this.training.draw(figures);
  }

  // Show what to do next, without replacing a button that may be focused.
  _showNext(all) {
    const shown = JSON.stringify([all > 0, this.next]);
    if (shown === this.shownNext) return;
    this.shownNext = shown;
    const nodes = nextStepNodes(this.next, ({ link, split }) => {
      const words = link && [split, ...Object.values(link)].join(", ").replace("_", " ");
      return link && (() => this.open(split, link, words));
    });
    show(this.step, all > 0 && nodes.length > 0);
    (all ? this.step : this.empty).replaceChildren(
      ...(nodes.length ? nodes : [element("p", { text: "There are no images yet." })]),
    );
  }
}

export default widgetOf(DashboardScreen);
