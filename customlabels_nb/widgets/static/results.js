// Results widget in a notebook: images and actions come from the kernel.

import { dataUri } from "./shared/dom.js";
import { makeRequester } from "./shared/requests.js";
import { picturesFrom } from "./results/gallery.js";
import { ResultsScreen } from "./results/screen.js";

const PATIENCE = 60_000; // milliseconds
const RUN_PATIENCE = 600_000; // comparisons and new evaluations may run models on new test images

function kernelSource(model) {
  let onPush = null;
  const request = makeRequester(model, {
    patience: 20_000,
    onPush: (message) => onPush(message),
  });
  const take = ([{ facts, arrays }, buffers]) => ({ facts, arrays, buffers });
  return {
    isLive: true,
    hello: async () => take(await request("hello", {}, [], { patience: PATIENCE })),
    refresh: async () => take(await request("refresh", {}, [], { patience: RUN_PATIENCE })),
    ask: (kind, content) => request(kind, content, [], { patience: RUN_PATIENCE }),
    training: async () => (await request("training", {}, [], { patience: PATIENCE }))[0].counts,
    advice: async () => (await request("advice", {}, [], { patience: PATIENCE }))[0],
    slices: async () => (await request("slices", {}, [], { patience: PATIENCE }))[0].items,
    thumbs: async (images, pixels) =>
      picturesFrom(...(await request("thumbs", { images, pixels }))),
    view: async (image) => {
      const [{ mime, size }, [bytes]] = await request("view", { image });
      return { uri: dataUri(bytes, mime), size };
    },
    onPush: (callback) => {
      onPush = callback;
    },
    close: () => request.close(),
  };
}

export default {
  render({ model, el }) {
    const screen = new ResultsScreen(kernelSource(model), el);
    return () => screen.close();
  },
};
