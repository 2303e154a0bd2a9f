// Dashboard widget: labelling progress as charts and numbers. The kernel pushes new totals after each action. Each bar
// opens a gallery below with exactly the images that it counts.

import { Tooltip } from "./shared/charts.js";
import { element, keepKeys, setText, show } from "./shared/dom.js";
import { Notices } from "./shared/notices.js";
import { Panel } from "./shared/panel.js";
import { greet, KernelGone, makeRequester } from "./shared/requests.js";
import { AssistCard } from "./dashboard/assist.js";
import { Export } from "./dashboard/export.js";
import { LabelChart } from "./dashboard/label_chart.js";
import { ProgressChart } from "./dashboard/progress_chart.js";
import { Training } from "./dashboard/training.js";
import { SIDES, counted, numeral, shareText } from "./dashboard/text.js";
import { WorkChart } from "./dashboard/work_chart.js";
import { HistoryList } from "./history/list.js";

const FOLLOW_EACH = 2_000;
const FOLLOW_JOB_EACH = 500;
const WIDE = 860;

class DashboardScreen {
  constructor(model, el) {
    this.model = model;
    this.request = makeRequester(model, { patience: 30_000 }); // milliseconds; a large gallery takes time to open
    this.figures = null;
    this.jobs = null;
    this.formats = [];
    this._build(el);
    this.onPush = (message) => { if (message?.push === "news") this._take(message.news); };
    model.on("msg:custom", this.onPush);
    this.resizing = new ResizeObserver(() => this._draw());
    this.resizing.observe(this.root);
    this._hello();
  }

  _build(el) {
    this.root = keepKeys(element("div", { class: "clnb clnb-dashboard loading", tabIndex: -1, attributes: { role: "region", "aria-label": "Dashboard" } }));
    this.panel = new Panel({ onClose: () => this.exportButton.focus({ preventScroll: true }) });
    this.notices = new Notices();
    this.tooltip = new Tooltip(this.root);
    const open = (split, link, words) => this.open(split, link, words);
    this.charts = [new ProgressChart(this.tooltip, open), new LabelChart(this.tooltip, open), new WorkChart(this.tooltip, open, (unit) => this._unit(unit))];
    this.training = new Training({ open, check: () => this._begin("check", {}), stop: () => this._begin("stop", { job: "check" }) });
    this.export = new Export(this.panel, { begin: (options) => this.request("export", options).then(([news]) => this._take(news)), stop: () => this._begin("stop", { job: "export" }) });
    this.assist = new AssistCard(this.panel, {
      open,
      ask: (kind, content) => this.request(kind, content).then(([answer]) => { this._take(answer); return answer; }),
      said: (text, options) => this.notices.say("assist", text, options),
    });
    this.history = new HistoryList(this.request, {
      said: (text, options) => this.notices.say("history", text, options),
      open: (split, action, words) => this.open(split, { action }, words),
    });
    this.title = element("strong", { class: "project" });
    this.summary = element("span", { class: "faint summary" });
    this.tabs = ["overview", "history"].map((name) => element("button", { type: "button", class: "tab", text: name, data: { tab: name }, attributes: { role: "tab" }, on: { click: () => this._turn(name) } }));
    this.exportButton = element("button", { type: "button", class: "export", text: "Export…", title: "Export labelled images to files", on: { click: () => this.export.open(this.formats, this.figures, this.jobs?.export) } });
    this.primary = element("button", { type: "button", class: "primary", on: { click: () => this.next?.run() } });
    this.toolbar = element(
      "div", { class: "band toolbar" }, this.title, element("div", { class: "tabs", attributes: { role: "tablist", "aria-label": "View" } }, ...this.tabs),
      this.summary, element("span", { class: "spring" }), this.exportButton, this.primary,
    );
    this.empty = element("div", { class: "empty", hidden: true });
    this.pair = element("div", { class: "pair" }, this.charts[1].node, this.charts[2].node);
    this.overview = element("div", { class: "overview" }, this.charts[0].node, this.assist.node, this.pair, this.training.node);
    this.past = element("div", { class: "past" }, this.history.node);
    this.body = element("div", { class: "body" }, this.empty, this.overview, this.past);
    this.below = element("span", { class: "below" });
    this.closer = element("button", { type: "button", class: "plain", text: "Close gallery", hidden: true, on: { click: () => this._closeGallery() } });
    this.hints = element("span", { class: "hints", text: "click a bar or a number to show its images" });
    this.state = element("span", { class: "state saved" });
    this.footer = element("div", { class: "band foot" }, this.below, this.closer, this.hints, this.state);
    this.root.append(this.toolbar, this.notices.node, this.body, this.footer, this.panel.node, this.tooltip.node);
    el.append(this.root);
    this._turn("overview");
  }

  // -- requests to the kernel -------------------------------------------------------------------------
  async _hello() {
    try {
      const [news] = await greet(this.request, { offset: -new Date().getTimezoneOffset() });
      if (this.closed) return;
      this.formats = news.formats;
      this._take(news);
      this._followSoon();
    } catch (error) {
      if (this.closed) return;
      const gone = error instanceof KernelGone;
      this._say(gone ? "The kernel does not respond. Run the cell again to continue." : error.message, { label: "Try again", run: () => this._hello() });
    } finally {
      this.root.classList.remove("loading");
    }
  }

  _followSoon() {
    clearTimeout(this.timer);
    const running = this.help?.running || (this.jobs && [this.jobs.check, this.jobs.export].some((job) => job.state === "running"));
    this.timer = setTimeout(() => this._follow(), running ? FOLLOW_JOB_EACH : FOLLOW_EACH);
  }

  async _follow() {
    if (this.closed) return;
    try {
      if (!document.hidden) {
        const [news] = await this.request("follow", { seen: this.figures?.seen, jobs: this.jobs?.changes, assist: this.help });
        if (this.closed) return;
        this.notices.drop("gone");
        this._take(news);
        this._tellState(true);
      }
    } catch (error) {
      if (this.closed) return;
      if (error instanceof KernelGone) {
        this._tellState(false);
        this.notices.say("gone", "The kernel does not respond. These numbers may be outdated. Run the cell again to continue.", { kind: "error" });
      } else this.notices.say("gone", error.message, { kind: "error" });
    }
    this._followSoon();
  }

  _take({ figures, jobs, assist, ended }) {
    if (this.closed) return;
    if (assist !== undefined) this.help = assist;
    if (figures && (!this.figures || figures.seen >= this.figures.seen)) {
      this.figures = figures;
      this._draw();
      if (this.tab === "history") this.history.load({ quiet: true }).catch(() => {});
    }
    if (jobs && (!this.jobs || jobs.changes >= this.jobs.changes)) {
      this.jobs = jobs;
      this.export.draw(jobs.export);
      this._followSoon();
    }
    if (this.jobs && this.figures) this.training.drawCheck(this.jobs.check, this.figures.seen);
    this.assist.draw(this.help, this.figures?.labels);
    if (ended) this.assist.finish(ended);
  }

  async _begin(kind, content) {
    try {
      const [news] = await this.request(kind, content);
      this._take(news);
    } catch (error) {
      this.notices.say("job", error.message, { kind: "error" });
    }
  }

  async _unit(unit) {
    try {
      const [news] = await this.request("unit", { unit });
      this._take(news);
    } catch (error) {
      this.notices.say("unit", error.message, { kind: "error" });
    }
  }

  async open(split, link, words) {
    setText(this.below, "opening…");
    this.tooltip.hide();
    try {
      const [{ total }] = await this.request("open", { split, link });
      if (this.closed) return;
      this.notices.drop("open");
      setText(this.below, `Below: ${words}`);
      this.below.title = `${words}: ${counted(total, "image")}`;
      show(this.closer, true);
      this._scrollToGallery();
    } catch (error) {
      setText(this.below, "");
      this.notices.say("open", error.message, { kind: "error" });
    }
  }

  // The gallery is a separate widget next to this one in their box. It is rendered a moment later.
  _scrollToGallery(tries = 20) {
    const gallery = this.root.closest(".widget-vbox")?.querySelector(".clnb-gallery, .clnb-annotator, .clnb-review");
    if (gallery) gallery.scrollIntoView({ block: "nearest" });
    else if (tries && !this.closed) setTimeout(() => this._scrollToGallery(tries - 1), 100);
  }

  async _closeGallery() {
    show(this.closer, false);
    setText(this.below, "");
    this.root.focus({ preventScroll: true });
    await this._begin("close", {});
  }

  // -- painting ---------------------------------------------------------------------------------------
  _turn(tab) {
    this.tab = tab;
    for (const node of this.tabs) {
      node.classList.toggle("current", node.dataset.tab === tab);
      node.setAttribute("aria-selected", String(node.dataset.tab === tab));
    }
    show(this.past, tab === "history");
    if (tab === "history") this.history.load().catch((error) => this.notices.say("history", error.message, { kind: "error" }));
    this._draw();
  }

  _draw() {
    const { figures } = this;
    const width = this.root.clientWidth - 24;
    if (!figures || width <= 0) return;
    this.root.classList.toggle("narrow", width < 676);
    this.root.classList.toggle("wide", width >= WIDE);
    const total = (status) => SIDES.reduce((sum, split) => sum + figures.statuses[split][status], 0);
    const all = Object.keys(figures.statuses.train).reduce((sum, status) => sum + total(status), 0);
    setText(this.title, figures.project);
    setText(this.summary, all ? `${counted(all, "image")}, ${numeral(total("labelled"))} labelled (${shareText(total("labelled"), all)})` : "");
    this._chooseNext(figures, total, all);
    show(this.exportButton, all > 0);
    show(this.hints, all > 0);
    show(this.empty, !all && this.tab === "overview");
    show(this.overview, all > 0 && this.tab === "overview");
    if (!all) this._say("There are no images yet.", figures.read_only ? null : { label: "Open the gallery to add images", run: () => this.open("train", {}, "train") });
    else if (this.tab === "overview") this._drawCharts(figures, width);
    this._tellState(true);
  }

  // Redraw only what changed, so that hovered and focused bars remain.
  _drawCharts(figures, width) {
    for (const node of [this.pair, this.training.node]) show(node, figures.complete);
    const half = width >= WIDE ? (width - 28) / 2 : width;
    this.charts.forEach((chart, index) => {
      if (index && !figures.complete) return;
      const needed = index ? [figures.labels, figures.work, figures.annotators, figures.unit] : figures.statuses;
      const state = JSON.stringify([index === 1 ? figures.labels : needed, index ? half : width]);
      if (chart.state === state) return;
      chart.state = state;
      chart.draw(figures, index ? half : width);
    });
    if (figures.complete) this.training.draw(figures);
  }

  // Choose the recommended next step.
  _chooseNext({ queue, statuses, read_only: readOnly }, total, all) {
    const side = (status) => SIDES.find((split) => statuses[split][status]);
    const waiting = total("unlabelled");
    if (waiting) {
      const split = side("unlabelled");
      this.next = { label: `Label ${counted(statuses[split].unlabelled, "image")}`, run: () => this.open(split, { show: "unlabelled" }, `${split}, unlabelled`) };
    } else if (total("needs_review")) {
      const split = side("needs_review");
      this.next = { label: `Review ${counted(statuses[split].needs_review, "image")}`, run: () => this.open(split, { show: "needs_review" }, `${split}, to review`) };
    } else this.next = { label: "Check dataset", run: () => this._begin("check", {}) };
    setText(this.primary, this.next.label);
    show(this.primary, all > 0 && !readOnly);
    this.training.checkButton.hidden = Boolean(all && !waiting && !total("needs_review") && !readOnly);
  }

  _say(text, step = null) {
    show(this.empty, true);
    this.empty.replaceChildren(element("p", { text }), ...(step ? [element("button", { type: "button", text: step.label, on: { click: step.run } })] : []));
  }

  _tellState(isAlive) {
    this.state.className = `state ${isAlive ? "saved" : "lost"}`;
    const reading = this.figures && !this.figures.complete;
    setText(this.state, reading ? "reading annotations…" : isAlive ? "up to date" : "not up to date");
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.resizing.disconnect();
    this.model.off("msg:custom", this.onPush);
    this.request.close();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const screen = new DashboardScreen(model, el);
    return () => screen.close();
  },
};
