// View transform of the image: screen = image × scale + offset, in CSS pixels. Immutable.

const LARGEST_SCALE = 40;

export class Camera {
  constructor({ scale = 1, x = 0, y = 0 } = {}) {
    this.scale = scale;
    this.x = x;
    this.y = y;
    Object.freeze(this);
  }

  toScreen([px, py]) {
    return [px * this.scale + this.x, py * this.scale + this.y];
  }

  /** @param {number[]} point */
  toImage([sx, sy]) {
    return [(sx - this.x) / this.scale, (sy - this.y) / this.scale];
  }

  // Fit the complete image into the canvas, centred with a margin, without excessive enlargement.
  static fit(image, canvas, margin = 8) {
    const free = {
      width: Math.max(1, canvas.width - 2 * margin),
      height: Math.max(1, canvas.height - 2 * margin),
    };
    const scale = Math.min(free.width / image.width, free.height / image.height, LARGEST_SCALE);
    return Camera.centred(image, canvas, scale);
  }

  static centred(image, canvas, scale) {
    return new Camera({
      scale,
      x: (canvas.width - image.width * scale) / 2,
      y: (canvas.height - image.height * scale) / 2,
    });
  }

  // Zoom around `point`, which keeps its position on the screen.
  zoomed(point, factor, smallest = 0.01) {
    const scale = Math.min(Math.max(this.scale * factor, smallest), LARGEST_SCALE);
    const [px, py] = this.toImage(point);
    return new Camera({ scale, x: point[0] - px * scale, y: point[1] - py * scale });
  }

  // Zoom around `point`, out until the complete image fits. At a smaller scale (1:1 of a small image), only zoom in.
  zoomedWithin(point, factor, image, canvas) {
    const fit = Camera.fit(image, canvas);
    const zoomed = this.zoomed(point, factor, Math.min(fit.scale, this.scale));
    return factor < 1 && this.scale >= fit.scale && zoomed.scale <= fit.scale
      ? fit
      : zoomed.kept(image, canvas);
  }

  // Align the image's corner to a device pixel (`ratio` per CSS pixel). Otherwise browsers paint images half a pixel
  // off.
  snapped(ratio) {
    return new Camera({
      scale: this.scale,
      x: Math.round(this.x * ratio) / ratio,
      y: Math.round(this.y * ratio) / ratio,
    });
  }

  panned(dx, dy) {
    return new Camera({ scale: this.scale, x: this.x + dx, y: this.y + dy });
  }

  // Keep at least a part of the image on the canvas.
  kept(image, canvas, rest = 40) {
    const keep = (offset, length, room) => Math.min(Math.max(offset, rest - length), room - rest);
    return new Camera({
      scale: this.scale,
      x: keep(this.x, image.width * this.scale, canvas.width),
      y: keep(this.y, image.height * this.scale, canvas.height),
    });
  }
}
