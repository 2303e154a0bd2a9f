// Thumbnails in the page: kept by name while they fit, asked for a page at a time, the next page before it is wanted.

const KEPT = 800;

export class Pictures {
  constructor() {
    this.uris = new Map();
    this.failures = new Map();
    this.ahead = []; // held, so that the browser keeps what it decoded
  }

  get(name) {
    const uri = this.uris.get(name);
    if (uri !== undefined) { // the least recently used go first
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

  // `thumbs` has, for each name, the index of its bytes or why there are none.
  take(names, thumbs, buffers, toUri) {
    names.forEach((name, index) => {
      const found = thumbs[index];
      if (typeof found === "number") {
        this.uris.set(name, toUri(buffers[found]));
        this.failures.delete(name);
      } else if (found) {
        this.failures.set(name, found);
      }
    });
    for (const name of this.uris.keys()) {
      if (this.uris.size <= KEPT) break;
      this.uris.delete(name);
    }
  }

  // Have pictures decoded that will be wanted next.
  decodeAhead(names) {
    this.ahead = names.filter((name) => this.uris.has(name)).map((name) => {
      const picture = new Image();
      picture.src = this.uris.get(name);
      picture.decode().catch(() => {}); // a tile shows what is wrong with it
      return picture;
    });
  }

  forget() {
    this.ahead = [];
    this.uris.clear();
    this.failures.clear();
  }
}
