// Quick test widget: try a model on photos and move thresholds without running it again. The kernel side is in
// quick_test.py.

import { NO_CHOICE, toggledRow, withLabel } from "./quick_test/answers.js";
import { whyNoCamera } from "./quick_test/camera.js";
import { commandFor } from "./shared/keymap.js";
import { QUICK_TEST_KEYS } from "./quick_test/keys.js";
import { TryingScreen } from "./quick_test/screen.js";
import { dataUri, pause, widgetOf } from "./shared/dom.js";
import { incomingOf, inParts } from "./shared/incoming.js";
import { openKeys } from "./shared/panels.js";
import { greet, KernelGone, makeRequester } from "./shared/requests.js";

const LONG = 180_000; // milliseconds; the first load of a model, or the download of a large photo
const LOOK_AGAIN = 4_000;
const TELL_AFTER = 150;
const MOST_FILES = 12;
const GLANCE_AFTER = 40;
const ANOTHER_GLANCE = 2_000;

class QuickTest extends TryingScreen {
  constructor(model, el) {
    super(el);
    this.request = makeRequester(model, { onPush: (message) => this._pushed(message) });
    this.looking = setInterval(() => this._lookAgain(), LOOK_AGAIN);
    this._hello();
  }

  // -- requests to the kernel -------------------------------------------------------------------------
  async _hello() {
    try {
      const [content, pictures] = await greet(this.request);
      this.notices.drop("gone");
      this.root.classList.remove("loading");
      this._takeTrials(content.trials, pictures);
      this._takeState(content);
      if (content.current !== null) await this._show(content.current);
    } catch (error) {
      if (this.closed) return;
      if (!(error instanceof KernelGone)) this._complain("gone", error);
      else
        this.notices.say(
          "gone",
          "The kernel does not respond. It may be busy or stopped. After a restart, run this cell again.",
          { kind: "error", step: { label: "Try again", run: () => this._hello() } },
        );
    }
  }

  _takeState(state) {
    if (this.closed) return;
    Object.assign(this.state, state);
    this._draw();
  }

  // Images come with the first response only and are then cached.
  _takeTrials(trials, pictures = []) {
    const known = new Map(this.trials.map((trial) => [trial.number, trial.uri]));
    this.trials = trials.map((trial, index) => ({
      ...trial,
      uri: known.get(trial.number) ?? (pictures[index] ? dataUri(pictures[index]) : ""),
    }));
    const current = this.trial && this.trials.find(({ number }) => number === this.trial.number);
    if (current) this.trial.added = current.added;
  }

  // Handle the kernel's response with a photo and its predictions.
  _takeTrial([{ state, trial }, [view, small]]) {
    if (this.closed) return;
    const { answer, ...facts } = trial;
    if (!this.trials.some(({ number }) => number === facts.number))
      this.trials = [...this.trials.slice(1 - MOST_FILES), { ...facts, uri: dataUri(small) }];
    if (facts.number !== this.trial?.number && this.savedState?.[1] === "saved")
      this.savedState = null; // it is not about this photo
    this.trial = {
      ...facts,
      view: dataUri(view),
      answer: answer && { ...answer, key: `${facts.number} ${answer.model}` },
    };
    this.choice = NO_CHOICE;
    this.wanted = facts.number;
    this._takeState(state);
  }

  _pushed(message) {
    if (message.push === "threshold") {
      this.state.threshold = message.threshold;
      this._draw();
    } else if (message.push === "news") {
      this._hello();
    }
  }

  // Poll the state: other cells start and stop models, a model may stop by itself, and a widget may be displayed twice.
  async _lookAgain() {
    if (
      this.closed ||
      this.doing ||
      this.asking ||
      this.lens.isOn ||
      document.hidden ||
      this.root.classList.contains("loading") ||
      !this.root.isConnected
    )
      return;
    try {
      const [{ threshold, ...state }] = await this.request("state", {});
      if (this.closed || this.doing || this.asking) return;
      if (!this.telling) state.threshold = threshold;
      if (state.current !== null && state.current !== this.trial?.number)
        await this._hello(); // another view of this widget requested a photo
      else this._takeState(state);
    } catch {
      // the next action shows the error
    }
  }

  _complain(key, error) {
    if (this.closed) return;
    const text =
      error instanceof KernelGone
        ? "The kernel does not respond. It may be busy or stopped."
        : error.message;
    this.notices.say(key, text, { kind: "error" });
  }

  // -- models -----------------------------------------------------------------------------------------
  async _do(words, kind, content) {
    this.doing = words;
    this._draw();
    try {
      const [state] = await this.request(kind, content, [], { patience: LONG });
      this.doing = "";
      this.notices.drop("model");
      this._takeState(state);
      return true;
    } catch (error) {
      this.doing = "";
      this._complain("model", error);
      this._draw();
      return false;
    }
  }

  async _choose(name) {
    if (!(await this._do("choosing…", "choose", { model: name }))) return;
    if (this.trial) await this._show(this.trial.number);
  }

  _power() {
    if (this.doing) return;
    this._stopFilming(); // the camera would start the model again
    const isRunning = this.state.models.some(
      ({ name, device }) => name === this.state.model && device,
    );
    this._do(isRunning ? "stopping…" : "starting…", isRunning ? "stop" : "start", {});
  }

  // -- photos -----------------------------------------------------------------------------------------
  _incoming(files, url) {
    this.leave();
    if (files.length) this._files(files);
    else if (url) this._url(url);
    else
      this.notices.say("ask", "This is neither a file nor the URL of a photo.", { kind: "error" });
  }

  _paste(event) {
    // pasted text belongs to the field
    if (event.target.closest("input, textarea") && !event.clipboardData?.files.length) return;
    const { files, url } = incomingOf(event.clipboardData);
    event.preventDefault();
    event.stopPropagation();
    this._incoming(files, url);
  }

  async _files(files) {
    if (files.length > MOST_FILES)
      this.notices.say(
        "many",
        `Only the first ${MOST_FILES} of ${files.length.toLocaleString("en")} photos are ` +
          "tried. Use model.detect_many(folder) for more.",
      );
    for (const file of files.slice(0, MOST_FILES)) await this._file(file);
  }

  _file(file) {
    if (file.size > this.state.most_bytes) {
      this.notices.say(
        "ask",
        `${file.name} has ${(file.size / 2 ** 20).toFixed(0)} MB. The limit here is ` +
          `${(this.state.most_bytes / 2 ** 20).toFixed(0)} MB. Use model.detect(path) ` +
          "instead.",
        { kind: "error" },
      );
      return null;
    }
    return this._ask(async () => {
      const key = `${Date.now()} ${Math.random()}`;
      await inParts(file, (part, first) =>
        this.request("part", { key, first }, [part], { patience: LONG }),
      );
      return this.request("ask", { key, name: file.name || "photo" }, [], { patience: LONG });
    });
  }

  _url(url) {
    return this._ask(async () => {
      const answer = await this.request("ask", { url }, [], { patience: LONG });
      this.sources.url.value = "";
      return answer;
    });
  }

  async _show(number) {
    this.wanted = number; // keys may be faster than responses
    await this._ask(() => this.request("show", { number }, [], { patience: LONG }));
  }

  // Request predictions. Only the response to the latest request is shown.
  async _ask(question) {
    this.turn = (this.turn ?? 0) + 1;
    const { turn } = this;
    this._stopFilming();
    this.asking += 1;
    this._draw();
    try {
      const answer = await question();
      this.notices.drop("ask");
      if (turn === this.turn) this._takeTrial(answer);
      else this._remember(answer);
    } catch (error) {
      if (turn === this.turn) this.wanted = this.trial?.number;
      this._complain("ask", error);
    } finally {
      this.asking -= 1;
      if (!this.closed) this._draw();
    }
  }

  _remember([
    {
      trial: { answer, ...facts },
    },
    [, small],
  ]) {
    if (!this.trials.some(({ number }) => number === facts.number))
      this.trials = [...this.trials.slice(1 - MOST_FILES), { ...facts, uri: dataUri(small) }];
  }

  _turn(by) {
    const index = this.trials.findIndex(({ number }) => number === this.wanted);
    const next = this.trials[index + by];
    if (index >= 0 && next) this._show(next.number);
  }

  // -- camera -----------------------------------------------------------------------------------------
  async _film() {
    if (this.lens.isOn) return this._stopFilming();
    this.leave();
    try {
      const stream = await this.lens.open();
      if (!stream || this.closed) return this.lens.close();
      this.notices.drop("camera");
      this.live = null;
      this.picture.film(stream);
      this._watch(stream);
    } catch (error) {
      this.notices.say("camera", whyNoCamera(error), { kind: "error" });
    }
    return this._draw();
  }

  // Request predictions for the camera frame, again after each response.
  async _watch(stream) {
    let last = null;
    while (!this.closed && this.lens.stream === stream) {
      try {
        const bytes = document.hidden ? null : await this.lens.glance(this.picture.video);
        if (bytes) {
          const [live] = await this.request("glance", {}, [bytes], { patience: LONG });
          if (this.closed || this.lens.stream !== stream) return;
          this.live = {
            ...live,
            answer: {
              ...live.answer,
              key: `camera ${live.answer.rows.map(({ label }) => label).join("\n")}`,
            },
          };
          this.notices.drop("glance");
          if (last === null) await this._tellRunning();
          last = live;
          this._draw();
        }
      } catch (error) {
        if (this.lens.stream !== stream) return;
        this._complain("glance", error);
        await pause(ANOTHER_GLANCE);
      }
      await pause(GLANCE_AFTER);
    }
  }

  // Update the state after the first request, which may have started the model.
  async _tellRunning() {
    const [{ threshold, current, ...state }] = await this.request("state", {});
    this._takeState(state);
  }

  async _shoot() {
    if (!this.lens.isOn) return;
    try {
      const file = await this.lens.take(this.picture.video);
      this.leave();
      await this._file(file);
    } catch (error) {
      this.notices.say("camera", error.message, { kind: "error" });
    }
  }

  _stopFilming() {
    if (!this.lens.wanted) return;
    this.lens.close();
    this.live = null;
    this.notices.drop("glance");
    this.picture.film(null);
    this._draw();
  }

  // -- thresholds and choices -------------------------------------------------------------------------
  _setThreshold(value) {
    this.state.threshold = value === null ? null : Math.round(value * 100) / 100;
    this._draw();
    clearTimeout(this.telling);
    const telling = setTimeout(async () => {
      try {
        await this.request("threshold", { threshold: this.state.threshold });
      } catch (error) {
        this._complain("threshold", error);
      }
      if (this.telling === telling) this.telling = null;
    }, TELL_AFTER);
    this.telling = telling;
  }

  _nudge(by) {
    const now = this.state.threshold ?? Number(this.thresholds.slider.value);
    this._setThreshold(Math.min(1, Math.max(0, now + by)));
  }

  _toggle(index) {
    if (this.answer && this.canTake)
      this._decide(toggledRow(this.answer, this.state.threshold, this.choice, index));
  }

  _decide(choice) {
    this.choice = choice;
    this._draw();
  }

  _ownLabel(label) {
    const oneLabel = Boolean(this.state.project?.one_label || this.answer?.one_label);
    this._decide(withLabel(this.answer, this.state.threshold, this.choice, label, oneLabel));
    this.leave();
  }

  // -- dataset ----------------------------------------------------------------------------------------
  async _add(split) {
    if (!this.canTake || !this.answer || this.isAdding || this.asking) return;
    const { number, answer } = this.trial;
    const content = {
      number,
      split,
      model: answer.model,
      rows: this.taken,
      labels: this.choice.labels,
    };
    await this._write("add", content, "saving…");
    this.leave();
  }

  async _undo() {
    if (!this.state.project || this.isAdding) return;
    const content = await this._write("undo", {}, "undoing…");
    if (content && content.undone === null)
      this.notices.say("add", "Nothing to undo: no photo was added here.");
    else if (
      content &&
      content.undone !== this.trial?.number &&
      this.trials.some(({ number }) => number === content.undone)
    )
      await this._show(content.undone);
  }

  async _write(kind, content, words) {
    this.isAdding = true;
    this.savedState = ["saving", words];
    this._draw();
    try {
      const [{ trials, ...state }] = await this.request(kind, content, [], { patience: LONG });
      this.notices.drop("add");
      this._takeTrials(trials);
      this.savedState = ["saved", kind === "undo" ? "undone" : "saved"];
      this.isAdding = false;
      this._takeState(state);
      return state;
    } catch (error) {
      this.savedState = [
        "lost",
        error instanceof KernelGone ? "not saved – the kernel does not respond" : "not saved",
      ];
      this._complain("add", error);
      return null;
    } finally {
      this.isAdding = false;
      if (!this.closed) this._draw();
    }
  }

  // -- keys -------------------------------------------------------------------------------------------
  _key(event) {
    const field = event.target.closest("input, select, textarea");
    const isMeant = field && !(field.type === "checkbox" && event.key !== " ");
    if (event.defaultPrevented || isMeant || this.panel.isOpen) {
      if (field) event.stopPropagation();
      return;
    }
    if (
      event.target.closest("button") &&
      (event.key === "Enter" || event.key === " ") &&
      !event.ctrlKey
    )
      return;
    const command = commandFor(QUICK_TEST_KEYS, event);
    const action = command && this._actions(command)[command.do];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  _actions(command) {
    return {
      turn: () => this._turn(command.by),
      nudge: () => this._nudge(command.by),
      take: () => this._shoot(),
      escape: () => {
        this._stopFilming();
        this.leave();
      },
      help: () => openKeys(this.panel, QUICK_TEST_KEYS.help),
      open: () => this.chooser.click(),
      url: () => this.sources.url.focus(),
      camera: () => {
        if (!this.sources.camera.hidden) this._film();
      },
      assumed: () => this._setThreshold(null),
      label: () => {
        if (!this.adding.node.hidden && !this.adding.field.hidden) this.adding.field.focus();
      },
      power: () => this._power(),
      toggle: () => {
        const index = this.list.shown[command.number - 1];
        if (index !== undefined) this._toggle(index);
      },
      add: () => this._add(this.adding.split.value),
      held: () => {},
      undo: () => this._undo(),
    };
  }

  close() {
    super.close();
    clearInterval(this.looking);
    clearTimeout(this.telling);
    this.request.close();
  }
}

export default widgetOf(QuickTest);
