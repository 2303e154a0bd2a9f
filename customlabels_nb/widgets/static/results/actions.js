// Actions of the results screen: open images for labelling, save thresholds, move images to the training set, compare
// versions, show advice. All requests go to the screen's source.

import { setText, show, whenBelow } from "../shared/dom.js";
import { askLabel, askPath, comparisonBar, openAdvice, openVersions } from "./dialogs.js";
import { MOST_CONFIDENT } from "./engine.js";
import { boxesText, imagesText } from "./text.js";

export class Actions {
  constructor(screen) {
    this.screen = screen;
    this.compared = null;
  }

  // Send a request and return the kernel's response, or null on failure. The footer shows the action in progress.
  async ask(kind, content, words = "") {
    const { saved, notices, source } = this.screen;
    saved.className = "state saving";
    setText(saved, words);
    try {
      const [answer] = await source.ask(kind, content);
      saved.className = "state";
      setText(saved, "");
      notices.drop("kernel");
      return answer;
    } catch (error) {
      setText(saved, "");
      this.screen.failed("do", error);
      return null;
    }
  }

  // Open images for correction, with this box selected.
  fix(images, box = null) {
    return this._openBelow("fix", { images, box }, imagesText);
  }

  // Open the boxes with a mistake (see mistakesOf) in these images as crops.
  crops(images, mistake) {
    return this._openBelow("crops", { images, ...mistake }, boxesText);
  }

  async _openBelow(kind, content, countText) {
    const { screen } = this;
    const answer = await this.ask(kind, { ...content, position: screen.position }, "opening…");
    if (!answer) return;
    screen.viewer.close();
    setText(screen.saved, `Below: ${countText(answer.count)} to correct`);
    show(screen.closer, true);
    whenBelow(screen, (below) => {
      below.scrollIntoView({ block: "nearest" });
      below.focus({ preventScroll: true });
    });
  }

  async closeBelow() {
    show(this.screen.closer, false);
    await this.ask("close", {});
    this.screen.lookForChanges();
  }

  async add(images) {
    const { panel, facts, engine, notices } = this.screen;
    const chosen = await askLabel(panel, images.length, facts.project_labels, engine.isDetection);
    if (!chosen) return;
    const answer = await this.ask("add", { images, label: chosen.label }, "moving…");
    if (answer)
      notices.say(
        "added",
        `${imagesText(answer.count)} moved to the training set. Train again to use ` +
          `${answer.count === 1 ? "it" : "them"}.`,
      );
  }

  async export() {
    const { panel, facts, notices } = this.screen;
    const chosen = await askPath(panel, facts.writes);
    if (!chosen) return;
    const answer = await this.ask("export", chosen, "writing…");
    if (answer) notices.say("written", `Exported to ${answer.written}`);
  }

  async keep(position) {
    const { controls, notices } = this.screen;
    const answer = await this.ask("keep", { position }, "saving…");
    if (!answer) return;
    controls.keepAs(answer.kept);
    notices.say(
      "kept",
      answer.kept === MOST_CONFIDENT
        ? "Saved: model.detect() answers with the most confident label from now on."
        : "Thresholds saved. model.detect() uses them from now on.",
    );
  }

  showAdvice(items) {
    const { screen } = this;
    const fix = screen.can("open_images") ? (images) => this.fix(images) : null;
    const showImages = (item) =>
      screen.narrow({
        show: "all",
        label: null,
        pair: null,
        slice: null,
        search: "",
        images: item.images.map((index) => screen.facts.images[index]),
      });
    const thumbs = (images) => screen.source.thumbs(images, 96);
    openAdvice(screen.panel, items, {
      show: showImages,
      fix,
      isDoubtful: (image) => screen.isDoubtful(image),
      thumbs,
      look: (image) => screen.openImage(image),
    });
  }

  async chooseVersion() {
    const answer = await this.ask("versions", {});
    if (answer)
      openVersions(this.screen.panel, answer.names, {
        compare: (name) => this.compare(name),
        current: this.compared,
      });
  }

  async compare(name) {
    const { screen } = this;
    const answer = await this.ask("compare", { name }, "comparing…");
    if (!answer) return;
    if (answer.renewed) await screen.reload();
    for (const group of ["fixed", "broken"]) delete screen.facts.groups[group];
    Object.assign(screen.facts.groups, answer.groups);
    this.take(answer.comparison);
    screen.buildTable();
    const isGone = !this.compared && ["fixed", "broken"].includes(screen.filter.show);
    screen.narrow(isGone ? { show: "mistakes" } : {});
  }

  take(comparison) {
    const { screen } = this;
    this.compared = comparison;
    const onEnd = screen.can("versions") ? () => this.compare(null) : null;
    show(screen.comparison, Boolean(comparison));
    screen.comparison.replaceChildren(
      ...(comparison ? [comparisonBar(comparison, { onEnd })] : []),
    );
  }
}
