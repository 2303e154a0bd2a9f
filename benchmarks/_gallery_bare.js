// A widget that does nothing but paint: Page Down asks for the next page, the answer's bytes become its pictures.

import { dataUri, element, keepKeys } from "../customlabels_nb/widgets/static/shared/dom.js";

export default {
  render({ model, el }) {
    const pictures = Array.from({ length: 100 }, () =>
      element("img", { style: { width: "100%", "aspect-ratio": "9 / 8" } }),
    );
    const grid = element(
      "div",
      {
        style: {
          display: "grid",
          "grid-template-columns": "repeat(10, minmax(0, 1fr))",
          gap: "8px 6px",
        },
      },
      ...pictures,
    );
    const root = keepKeys(element("div", { class: "bare", tabIndex: 0 }, grid));
    let page = 0;
    const ask = () => model.send({ page });
    const paint = (message, buffers) => {
      buffers.forEach((bytes, index) => {
        pictures[index].src = dataUri(bytes);
      });
      root.dataset.page = message.page;
    };
    root.addEventListener("keydown", (event) => {
      if (event.key !== "PageDown") return;
      event.preventDefault();
      event.stopPropagation();
      page += 1;
      ask();
    });
    model.on("msg:custom", paint);
    el.append(root);
    ask();
    return () => model.off("msg:custom", paint);
  },
};
