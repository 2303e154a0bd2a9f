// Thumbnail cache by name, loaded page by page. The next page is prefetched.

const KEPT = 800;

export class Pictures {
  constructor() {
    this.uris = new Map();
    this.failures = new Map();
    this.ahead = []; // references keep the decoded images in memory
  }

  get(name) {
    const uri = this.uris.get(name);
    if (uri !== undefined) {
      // evict the least recently used
      this.uris.delete(name);
      this.uris.set(name, uri);
    }
    return uri ?? null;
  }

  failure(name) {
    return this.failures.get(name) ?? null;
  }

  has(name) {
    return this.uris.has(name) || this.failures.has(name);
  }

  // `thumbs` has the index of the bytes for each name, the reason why there is no thumbnail, or null if it comes later.
  take(names, thumbs, buffers, toUri) {
    names.forEach((name, index) => {
      const thumb = thumbs[index];
      if (typeof thumb === "number") {
        this.uris.set(name, toUri(buffers[thumb]));
        this.failures.delete(name);
      } else if (thumb) {
        this.failures.set(name, thumb);
      }
    });
    for (const name of this.uris.keys()) {
      if (this.uris.size <= KEPT) break;
      this.uris.delete(name);
    }
  }

  // Decode the images of the next page in advance.
  decodeAhead(names) {
    this.ahead = names
      .filter((name) => this.uris.has(name))
      .map((name) => {
        const picture = new Image();
        picture.src = this.uris.get(name);
        picture.decode().catch(() => {}); // its tile shows the error
        return picture;
      });
  }
}
