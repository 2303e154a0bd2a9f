// The browser's camera: its stream while it is on, and pictures of it.

const WISH = { video: { width: { ideal: 1920 }, height: { ideal: 1080 }, facingMode: "environment" }, audio: false };
const QUALITY = 0.95;
const GLANCE_SIDE = 640;
const GLANCE_QUALITY = 0.8;
const REASONS = {
  NotAllowedError: "The browser may not use the camera: allow it beside the address of this page.",
  NotFoundError: "The browser finds no camera.",
  NotReadableError: "Another program uses the camera.",
};

export function whyNoCamera(error) {
  return Object.hasOwn(REASONS, error?.name ?? "") ? REASONS[error.name] : `The camera can't be used: ${error?.message ?? error}`;
}

export class Lens {
  constructor() {
    this.stream = null;
    this.wanted = false;
  }

  get isOn() {
    return Boolean(this.stream);
  }

  // The stream, once the browser's user has allowed it; null if it was put off meanwhile.
  async open() {
    this.wanted = true;
    const stream = await navigator.mediaDevices.getUserMedia(WISH);
    if (!this.wanted) {
      stop(stream);
      return null;
    }
    this.stream = stream;
    return stream;
  }

  // What the video shows now, as a file.
  async take(video) {
    const data = await frameOf(video, Infinity, QUALITY);
    if (!data) throw new Error("The camera shows nothing yet.");
    return new File([data], `camera-${new Date().toISOString().slice(0, 19).replaceAll(":", ".")}.jpg`, { type: "image/jpeg" });
  }

  // The bytes of a small picture of it; null while there is none.
  async glance(video) {
    const data = await frameOf(video, GLANCE_SIDE, GLANCE_QUALITY);
    return data && data.arrayBuffer();
  }

  close() {
    this.wanted = false;
    if (this.stream) stop(this.stream);
    this.stream = null;
  }
}

async function frameOf(video, side, quality) {
  const scale = Math.min(1, side / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale) || 0;
  canvas.height = Math.round(video.videoHeight * scale) || 0;
  if (!canvas.width || !canvas.height) return null;
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/jpeg", quality); });
}

function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}

export function pause(milliseconds) {
  return new Promise((resolve) => { setTimeout(resolve, milliseconds); });
}
