// Camera of the browser: live stream and photos.

const WISH = {
  video: { width: { ideal: 1920 }, height: { ideal: 1080 }, facingMode: "environment" },
  audio: false,
};
const QUALITY = 0.95;
const GLANCE_SIDE = 640;
const GLANCE_QUALITY = 0.8;
const REASONS = {
  NotAllowedError: "Camera access was denied. Allow it in the address bar of the browser.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera is used by another program.",
};

export function whyNoCamera(error) {
  return Object.hasOwn(REASONS, error?.name ?? "")
    ? REASONS[error.name]
    : `Cannot use the camera: ${error?.message ?? error}`;
}

export class Lens {
  constructor() {
    this.stream = null;
    this.wanted = false;
  }

  get isOn() {
    return Boolean(this.stream);
  }

  // Open the stream once the user has allowed it. Returns null if it was closed meanwhile.
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

  // Return the current video frame as a file.
  async take(video) {
    const data = await frameOf(video, Infinity, QUALITY);
    if (!data) throw new Error("The camera is not ready yet.");
    return new File(
      [data],
      `camera-${new Date().toISOString().slice(0, 19).replaceAll(":", ".")}.jpg`,
      { type: "image/jpeg" },
    );
  }

  // Return the bytes of a small video frame, or null if there is none.
  async glance(video) {
    const data = await frameOf(video, GLANCE_SIDE, GLANCE_QUALITY);
    return data?.arrayBuffer();
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
  return new Promise((resolve) => {
    canvas.toBlob(resolve, "image/jpeg", quality);
  });
}

function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}
