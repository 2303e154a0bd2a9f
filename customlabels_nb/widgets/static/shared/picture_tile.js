// Base of the tiles of all grids: their picture, and how they are marked.

import { element, setText, show } from "./dom.js";

export class PictureTile {
  /** @type {HTMLElement} */ node;

  constructor() {
    this.picture = element("img", { alt: "", draggable: false, decoding: "async" });
    this.excuse = element("span", { class: "excuse", hidden: true });
    this.caption = element("div", { class: "caption" });
  }

  // Show a picture once it is loaded, or the reason why there is none.
  showPicture(uri, failure) {
    if (uri === this.uri && failure === this.failure) return;
    this.uri = uri;
    this.failure = failure;
    if (uri) this.picture.src = uri;
    else this.picture.removeAttribute("src");
    show(this.picture, Boolean(uri));
    show(this.excuse, Boolean(failure));
    setText(this.excuse, failure ?? "");
  }

  mark({ selected, focused }) {
    this.node.classList.toggle("selected", selected);
    this.node.classList.toggle("focused", focused);
    this.node.setAttribute("aria-selected", String(selected));
  }

  hide() {
    show(this.node, false);
    this.node.classList.remove("selected", "focused");
  }
}
