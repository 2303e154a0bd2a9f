// Training view widget: progress, curves, samples and messages of a run. The kernel sends updates while the cell runs.
// "Stop" is handled by a separate kernel thread.

import { element, keepKeys, setText, show, widgetOf } from "./shared/dom.js";
import { Notices } from "./shared/notices.js";
import { KernelGone, makeRequester } from "./shared/requests.js";
import { CurveChart } from "./training_view/chart.js";
import { RunState } from "./training_view/run_state.js";
import { Samples } from "./training_view/samples.js";
import {
  amountText,
  barOf,
  bestText,
  captionOf,
  clockText,
  figureText,
  leftText,
  phaseText,
} from "./training_view/text.js";

const STATUS_WORDS = {
  running: "training",
  stopping: "stopping…",
  done: "done",
  stopped: "stopped",
  failed: "failed",
};
// milliseconds; a comm's first message may be delayed until the cell has finished
const HELLO_AFTER = [100, 700, 2_500, 10_000, 60_000, 300_000];
const TICK = 1_000;
const SILENT = 30_000;
const STOP_AGAIN = 1_000;
const MOST_STOPS = 6;
const WIDE = 700;
const GAP = 28;

class TrainingScreen {
  constructor(model, el) {
    this.request = makeRequester(model, {
      onPush: ({ news }, buffers) => this._take(news, buffers),
    });
    this.run = new RunState();
    this.lastMessage = Date.now();
    this._build(el);
    this.resizing = new ResizeObserver(() => this._drawCurves());
    this.resizing.observe(this.root);
    this.request("awake", {}).catch(() => {});
    this._hello(0);
    this.ticking = setInterval(() => this._tick(), TICK);
  }

  _build(el) {
    this.root = keepKeys(
      element("div", {
        class: "clnb clnb-training",
        tabIndex: -1,
        attributes: { role: "region", "aria-label": "Training" },
      }),
    );
    this.notices = new Notices();
    this.status = element("span", { class: "state", attributes: { role: "status" } });
    this.title = element("strong", { class: "project" });
    this.best = element("span", { class: "faint best-so-far" });
    this.stop = element("button", {
      class: "stop",
      text: "Stop",
      title: "Stop the run at its next step. Results so far are saved.",
      on: { click: () => this._stop() },
    });
    this.toolbar = element(
      "div",
      { class: "band toolbar" },
      this.title,
      this.status,
      this.best,
      element("span", { class: "spring" }),
      this.stop,
    );
    this.filled = element("span", {});
    this.bar = element(
      "div",
      { class: "bar", attributes: { role: "progressbar", "aria-valuemin": "0" } },
      this.filled,
    );
    this.phase = element("bdi", { class: "phase" });
    this.amount = element("span", { class: "amount" });
    this.left = element("span", { class: "faint left" });
    this.under = element(
      "div",
      { class: "band labelbar" },
      this.phase,
      this.bar,
      this.amount,
      this.left,
    );
    const point = (step) => {
      for (const chart of this.charts) chart.mark(step);
    };
    this.charts = [new CurveChart("loss", point), new CurveChart("on held-out images", point)];
    this.pair = element(
      "div",
      { class: "pair", hidden: true },
      ...this.charts.map(({ node }) => node),
    );
    this.samples = new Samples();
    this.lines = keepKeys(
      element("div", {
        class: "lines",
        tabIndex: 0,
        hidden: true,
        attributes: { role: "log", "aria-label": "Messages" },
      }),
    );
    this.body = element("div", { class: "body" }, this.pair, this.samples.node, this.lines);
    this.over = element("span", { class: "over hints" });
    this.parameters = element("span", { class: "parameters" });
    this.elapsed = element("span", {
      class: "elapsed",
      attributes: { "aria-label": "Elapsed time" },
    });
    this.footer = element("div", { class: "band foot" }, this.elapsed, this.parameters, this.over);
    this.root.append(this.toolbar, this.notices.node, this.under, this.body, this.footer);
    el.append(this.root);
    this._draw();
  }

  // -- requests to the kernel -------------------------------------------------------------------------
  _hello(attempt) {
    const wait = HELLO_AFTER[Math.min(attempt, HELLO_AFTER.length - 1)];
    this.greeting = setTimeout(async () => {
      this._hello(attempt + 1); // try again unless there is a response
      try {
        const [news, buffers] = await this.request("hello", {});
        clearTimeout(this.greeting);
        this._take(news, buffers);
      } catch {
        // the next attempt, or the run's own updates, will succeed
      }
    }, wait);
  }

  _take(news, buffers) {
    if (this.closed) return;
    this._hearAgain();
    const isWhole = this.run.take(news, buffers);
    if (this.run.isOver) {
      clearInterval(this.ticking);
      this.notices.drop("stop");
    }
    this._draw();
    if (!isWhole) {
      clearTimeout(this.greeting);
      this._hello(0);
    }
  }

  // Repeat until confirmed: a message may be delayed until the end of the cell.
  async _stop(attempt = 1) {
    this.asked = true;
    this._drawStatus();
    try {
      await this.request("stop", {}, [], { patience: STOP_AGAIN * attempt });
      this.notices.drop("stop");
    } catch (error) {
      if (this.closed || this.run.isOver || this.run.short.status === "stopping") return;
      const isSilent = error instanceof KernelGone;
      if (attempt > 2 || !isSilent)
        this.notices.say(
          "stop",
          isSilent
            ? "The kernel has not confirmed the stop yet. You can also interrupt the kernel (■ above)."
            : error.message,
          { kind: "error" },
        );
      if (isSilent && attempt < MOST_STOPS) this._stop(attempt + 1);
      else {
        this.asked = false;
        this._drawStatus();
      }
    }
  }

  // Update the clocks every second and detect a silent kernel.
  async _tick() {
    if (this.run.isOver) return;
    if (!this.isLost) this._drawClocks();
    const silent = Date.now() - this.lastMessage;
    if (silent < SILENT || this.asking || document.hidden) return;
    this.asking = true;
    try {
      await this.request("awake", {});
      this._hearAgain();
    } catch (error) {
      if (!this.closed && !this.run.isOver && error instanceof KernelGone) {
        this.isLost = true;
        this.notices.say(
          "gone",
          "No updates from the kernel. It may be busy or stopped. After a restart, see " +
            "project.versions for the result of the run.",
          { kind: "error" },
        );
      }
    }
    if (!this.closed) this._drawStatus();
    this.asking = false;
  }

  _hearAgain() {
    this.lastMessage = Date.now();
    this.isLost = false;
    this.notices.drop("gone");
  }

  // -- painting ---------------------------------------------------------------------------------------
  _draw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      if (this.closed) return;
      this._drawStatus();
      this._drawPhase();
      this._drawClocks();
      this._drawMessages();
      this.samples.draw(this.run.samples);
      this._drawCurves();
      show(this.body, !(this.pair.hidden && this.samples.node.hidden && this.lines.hidden));
    });
  }

  _drawStatus() {
    const { status, title, words, kept } = this.run.short;
    setText(this.title, title || "training");
    this.title.title = title;
    this.status.className = `state ${this.isLost ? "lost" : status}`;
    setText(this.status, this.isLost ? "no updates" : (STATUS_WORDS[status] ?? status));
    show(this.stop, status === "running" || status === "stopping");
    if (status === "stopping") this.asked = true;
    this.stop.disabled = Boolean(this.asked);
    setText(this.stop, this.asked ? "Stopping…" : "Stop");
    const best = this.run.of("figure").find((figure) => figure.best);
    this.best.title = bestText(best, kept);
    setText(this.best, this.best.title);
    if (this.run.isOver && this.ended !== words && (words || status !== "done")) {
      this.ended = words;
      this.notices.say("end", words || STATUS_WORDS[status], {
        kind: status === "failed" ? "error" : "info",
      });
    }
  }

  _drawPhase() {
    const { phase, over } = this.run.short;
    const isOver = this.run.isOver;
    show(this.under, !isOver);
    const bar = barOf(phase);
    setText(this.phase, bar.name);
    setText(this.amount, phase ? amountText(phase) : "");
    this.bar.classList.toggle("unknown", bar.share === null);
    this.filled.style.width = bar.share === null ? "" : `${bar.share * 100}%`;
    const state = {
      "aria-valuenow": bar.share === null ? null : phase.done,
      "aria-valuemax": bar.share === null ? null : phase.total,
      "aria-label": bar.name,
    };
    for (const [name, value] of Object.entries(state)) {
      if (value === null) this.bar.removeAttribute(name);
      else this.bar.setAttribute(name, String(value));
    }
    const finished = [...over, ...(isOver && phase ? [phase] : [])].slice(-6);
    const words = finished.map(phaseText);
    setText(this.over, words.join(" · "));
    this.over.title = words.join("\n");
    const rates = this.run
      .of("parameter")
      .filter(({ name }) => name !== "seconds")
      .map(({ name, points }) => `${captionOf(name)} ${figureText(points.at(-1)[2])}`);
    setText(this.parameters, rates.join(" · "));
  }

  // Continue the clocks between updates.
  _drawClocks() {
    const { seconds, left } = this.run.short;
    const since = this.run.isOver ? 0 : (Date.now() - this.lastMessage) / 1_000;
    setText(this.elapsed, clockText(seconds + since));
    setText(this.left, leftText(left === null || left === undefined ? null : left - since));
  }

  _drawMessages() {
    const { messages, told } = this.run;
    show(this.lines, messages.length > 0);
    if (told === this.drawnLines) return;
    const isAtEnd = this.lines.scrollHeight - this.lines.scrollTop - this.lines.clientHeight < 24;
    const fresh = messages.slice(Math.max(0, messages.length - (told - (this.drawnLines ?? 0))));
    this.drawnLines = told;
    this.lines.append(
      ...fresh.map(([index, text]) =>
        element(
          "div",
          { class: "line" },
          element("span", { class: "faint", text: clockText(index) }),
          element("span", { text }),
        ),
      ),
    );
    while (this.lines.childElementCount > messages.length) this.lines.firstChild.remove();
    if (isAtEnd) this.lines.scrollTop = this.lines.scrollHeight;
  }

  _drawCurves() {
    const width = this.root.clientWidth - 24;
    if (width <= 0) return;
    const groups = [this.run.of("loss"), this.run.of("figure")];
    const count = groups.filter((group) => group.length).length;
    const isWide = width >= WIDE && count > 1;
    this.root.classList.toggle("wide", isWide);
    this.root.classList.toggle("narrow", width < 676);
    show(this.pair, count > 0);
    this.charts.forEach((chart, index) => {
      show(chart.node, groups[index].length > 0);
      if (groups[index].length)
        chart.draw(groups[index], this.run.totalSteps, isWide ? (width - GAP) / 2 : width);
    });
  }

  close() {
    this.closed = true;
    clearInterval(this.ticking);
    clearTimeout(this.greeting);
    cancelAnimationFrame(this.frame);
    this.resizing.disconnect();
    this.request.close();
    this.root.remove();
  }
}

export default widgetOf(TrainingScreen);
