// A widget that does nothing but paint: a photo, boxes or polygons on a canvas above it, and one more that follows
// the pressed pointer.

import { dataUri, element } from "../customlabels_nb/widgets/static/shared/dom.js";

const LAYER = { position: "absolute", inset: "0", width: "100%", height: "100%" };

export default {
  render({ model, el }) {
    const [width, height] = model.get("stage");
    const [boxes, rings] = [model.get("boxes"), model.get("rings")];
    const side = Math.min(width, height);
    const ratio = globalThis.devicePixelRatio || 1;
    const photo = element("img", {
      src: dataUri(model.get("photo")),
      draggable: false,
      style: { ...LAYER, width: `${side}px`, height: `${side}px`, "max-width": "none" },
    });
    const paper = element("canvas", { width: width * ratio, height: height * ratio, style: LAYER });
    const root = element(
      "div",
      {
        class: "bare",
        style: { position: "relative", width: `${width}px`, height: `${height}px` },
      },
      photo,
      paper,
    );
    const pen = paper.getContext("2d");
    let start = null;
    const paint = (drawn) => {
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, width, height);
      pen.strokeStyle = "#d6336c";
      pen.lineWidth = 2;
      for (const [left, top, across, down] of boxes)
        pen.strokeRect(left * side, top * side, across * side, down * side);
      for (const ring of rings) {
        pen.beginPath();
        ring.forEach(([x, y], index) =>
          index ? pen.lineTo(x * side, y * side) : pen.moveTo(x * side, y * side),
        );
        pen.closePath();
        pen.stroke();
      }
      if (drawn) pen.strokeRect(...start, drawn[0] - start[0], drawn[1] - start[1]);
    };
    paper.addEventListener("pointerdown", (event) => {
      start = [event.offsetX, event.offsetY];
    });
    paper.addEventListener("pointermove", (event) => {
      if (start) requestAnimationFrame(() => paint(start && [event.offsetX, event.offsetY]));
    });
    paper.addEventListener("pointerup", () => {
      start = null;
      paint(null);
    });
    el.append(root);
    paint(null);
  },
};
