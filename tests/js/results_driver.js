// Computes what the results screen shows at given positions and filters, for a test that compares it with Python.
// Reads {facts, described, buffers (base64), asked: [{position, filter}]} from stdin, writes JSON to stdout.

import { readFileSync } from "node:fs";

import {
  chooseImages,
  countsOf,
  itemsOf,
} from "../../customlabels_nb/widgets/static/results/choosing.js";
import { Engine, unpackArrays } from "../../customlabels_nb/widgets/static/results/engine.js";

const { facts, described, buffers, asked } = JSON.parse(readFileSync(0, "utf8"));
const bytes = buffers.map((text) => Uint8Array.from(Buffer.from(text, "base64")));
const engine = new Engine(facts, unpackArrays(described, bytes));
const plain = (values) => [...values];

const answers = asked.map(({ position, filter }) => {
  engine.choose(filter.slice);
  const state = engine.state(position);
  const bits = engine.bits(state);
  const { cells, images, width } = engine.matrix(state);
  return {
    thresholds: plain(state.thresholds),
    tp: plain(state.tp),
    fp: plain(state.fp),
    fn: plain(state.fn),
    f1: plain(state.f1),
    precision: plain(state.precision),
    recall: plain(state.recall),
    means: state.means,
    averages: engine.isDetection ? [state.mAP, state.mAR, ...state.average_precision] : null,
    matrix: plain(cells),
    width,
    accuracy: state.accuracy ?? null,
    cell_images: plain(images),
    counts: countsOf(engine, bits, facts.groups),
    chosen: chooseImages(engine, state, filter),
    curve: Object.fromEntries(
      Object.entries(engine.curve(position.iou_threshold)).map(([name, values]) => [
        name,
        plain(values),
      ]),
    ),
    items: itemsOf(engine, state, 0)
      .filter(({ result }) => result !== "tn")
      .map(({ label, confidence, result }) => [facts.labels[label].label, confidence, result]),
  };
});
process.stdout.write(JSON.stringify(answers));
