// Results screen as a standalone file: all data is in the page.

import { ResultsScreen } from "./screen.js";

function fromBase64(text) {
  /** @type {typeof Uint8Array & { fromBase64?: (text: string) => Uint8Array }} */
  const decoder = Uint8Array;
  if (decoder.fromBase64) return decoder.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

function fileSource({ facts, arrays, buffers, training, advice, slices, pictures }) {
  const none = { uri: null, failure: "not included in this file", size: null };
  const known = new Map(
    pictures.map(([image, uri, size]) => [image, { uri, failure: null, size }]),
  );
  return {
    isLive: false,
    hello: async () => ({ facts, arrays, buffers: buffers.map(fromBase64) }),
    training: async () => training,
    advice: async () => advice,
    slices: async () => slices,
    thumbs: async (images) => images.map((image) => known.get(image) ?? none),
    view: async (image) => {
      const picture = known.get(image);
      if (!picture) throw new Error("This image is not included in this file.");
      return picture;
    },
    ask: async () => [{}, []],
    onPush: () => {},
    close: () => {},
  };
}

const content = JSON.parse(document.getElementById("content").textContent);
Object.assign(window, {
  results: new ResultsScreen(fileSource(content), document.getElementById("screen")),
});
