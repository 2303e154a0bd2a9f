// The two toolbars: model and photos, and threshold.

import { element, setText, show } from "../shared/dom.js";

export class Sources {
  // `on` has model(name), power(), open(), url(text), camera(), leave().
  constructor(on) {
    this.picker = element("select", {
      attributes: { "aria-label": "Model" },
      data: { menu: "model" },
      on: { change: () => on.model(this.picker.value) },
    });
    this.state = element("span", { class: "state", attributes: { role: "status" } });
    this.power = element("button", { class: "power", on: { click: on.power } });
    const button = (text, action, title) =>
      element("button", { text, title, on: { click: action } });
    this.open = button("Photos…", on.open, "Choose photos (O), or drop or paste them");
    this.url = element("input", {
      type: "url",
      class: "url",
      placeholder: "https://… ⏎",
      attributes: { "aria-label": "URL of a photo" },
      on: { keydown: (event) => this._key(event, on) },
    });
    this.camera = button("Camera", on.camera, "Take a photo with the camera (C)");
    show(this.camera, Boolean(navigator.mediaDevices?.getUserMedia)); // not available on pages without HTTPS
    this.node = element(
      "div",
      { class: "band toolbar" },
      element(
        "span",
        { class: "group which" },
        element("label", { class: "menu model-menu" }, this.picker),
        this.state,
        this.power,
      ),
      element("span", { class: "group photos" }, this.open, this.url, this.camera),
    );
  }

  draw({ models, model }, doing) {
    const state = JSON.stringify([models, model]);
    if (state !== this.known) {
      this.known = state;
      const words = ({ name, about, device }) =>
        [name, about, device && name !== model ? "running" : ""].filter(Boolean).join(" · ");
      this.picker.replaceChildren(
        ...models.map((choice) =>
          element("option", {
            value: choice.name,
            text: words(choice),
            selected: choice.name === model,
          }),
        ),
      );
    }
    this.picker.value = model;
    this.picker.disabled = models.length < 2;
    this.picker.title = model;
    const device = models.find(({ name }) => name === model)?.device ?? null;
    this.state.className = `state ${doing ? "busy" : device ? "running" : "stopped"}`;
    setText(this.state, doing || (device ? `running on ${device}` : "stopped"));
    setText(this.power, device ? "Stop" : "Start");
    this.power.title = device
      ? "Unload the model to free memory (S)"
      : "Load the model now instead of with the first photo (S)";
    this.power.disabled = Boolean(doing);
  }

  // Show whether the camera is on.
  filming(isOn) {
    this.camera.setAttribute("aria-pressed", String(isOn));
    this.camera.classList.toggle("current", isOn);
  }

  _key(event, on) {
    event.stopPropagation();
    if (event.key === "Enter" && this.url.value.trim()) {
      event.preventDefault();
      on.url(this.url.value.trim());
    } else if (event.key === "Escape") {
      on.leave();
    }
  }
}

export class Thresholds {
  // `on` has threshold(number or null).
  constructor(on) {
    const tab = (text, value, title) =>
      element("button", {
        class: "tab",
        text,
        title,
        attributes: { role: "radio" },
        on: { click: () => on.threshold(value()) },
      });
    this.own = tab(
      "the model's",
      () => null,
      "The model's decision: its most confident label, or each label's own threshold (A)",
    );
    this.one = tab("one for all", () => Number(this.slider.value), "One threshold for all labels");
    this.slider = element("input", {
      type: "range",
      class: "slider",
      min: 0,
      max: 1,
      step: 0.01,
      value: "0.5",
      attributes: { "aria-label": "Threshold for all labels" },
      on: { input: () => on.threshold(Number(this.slider.value)) },
    });
    this.value = element("output", { class: "value" });
    this.summary = element("span", { class: "faint summary", attributes: { role: "status" } });
    this.node = element(
      "div",
      { class: "band labelbar" },
      element("span", { text: "Threshold" }),
      element(
        "span",
        { class: "tabs", attributes: { role: "radiogroup", "aria-label": "Threshold" } },
        this.own,
        this.one,
      ),
      this.slider,
      this.value,
      this.summary,
    );
  }

  draw(threshold, summary) {
    const isOwn = threshold === null;
    for (const [node, on] of [
      [this.own, isOwn],
      [this.one, !isOwn],
    ]) {
      node.classList.toggle("current", on);
      node.setAttribute("aria-checked", String(on));
    }
    this.slider.classList.toggle("idle", isOwn);
    if (!isOwn) this.slider.value = String(threshold);
    setText(this.value, isOwn ? "" : threshold.toFixed(2));
    setText(this.summary, summary);
  }
}
