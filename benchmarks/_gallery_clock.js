// How long the page takes from a key or click until what it asked for is painted. `window.clock` is used by gallery.py.
(() => {
  const PATIENCE = 60_000;
  const BEGINNINGS = ["keydown", "pointerdown", "change"];
  const frame = () =>
    new Promise((resolve) => {
      requestAnimationFrame(resolve);
    });
  const pause = (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    });
  const shown = (root, selector) =>
    [...root.querySelectorAll(selector)].filter((node) => !node.closest("[hidden]"));
  const sources = (root) => [...root.querySelectorAll("img")].map((picture) => picture.src);

  // Each is made before the key is pressed, and gives a function that says whether the page is as it shall be.
  const conditions = {
    page:
      (root, { position, count, least = null }) =>
      () => {
        const pictures = shown(root, ".tile img[src]").length;
        return (
          root.querySelector(".position").textContent.startsWith(position) &&
          (least === null ? pictures === count : pictures >= least)
        );
      },
    bare:
      (root, { page }) =>
      () =>
        root.dataset.page === String(page),
    chips:
      (root, { label, places }) =>
      () => {
        const tiles = root.querySelectorAll(".tile");
        return places.every(
          (place) => tiles[place].querySelector(".chip:not(.predicted) bdi")?.textContent === label,
        );
      },
    selected:
      (root, { count }) =>
      () =>
        root.querySelectorAll(".tile.selected").length === count,
    saved: (root, given) => {
      const labelled = conditions.chips(root, given);
      return () => labelled() && root.querySelector(".state").textContent === "saved";
    },
    otherPictures: (root, { count }) => {
      const before = new Set(sources(root));
      return () => {
        const now = sources(root);
        return now.length === count && now.every((source) => source && !before.has(source));
      };
    },
    pressed:
      (root, { place, button }) =>
      () =>
        root
          .querySelectorAll(".widget-toggle-buttons")
          [place].querySelectorAll("button")
          [button].classList.contains("mod-active"),
  };

  let running = null;

  // From the next key or click on: until `condition` holds below `selector`, its pictures are decoded, and two frames.
  function arm({ selector, condition, pictures = null, begins = BEGINNINGS, ...given }) {
    const root = document.querySelector(selector);
    const holds = conditions[condition](root, given);
    running = new Promise((resolve, reject) => {
      let began = null;
      const begin = (event) => {
        began ??= event.timeStamp;
      };
      for (const type of begins) addEventListener(type, begin, true);
      const check = async () => {
        if (began === null || !holds()) return;
        end();
        if (pictures) await Promise.all(shown(root, pictures).map((picture) => picture.decode()));
        await frame();
        await frame();
        resolve(performance.now() - began);
      };
      const observer = new MutationObserver(() => {
        check().catch(reject);
      });
      const late = setTimeout(() => {
        end();
        reject(new Error(`waited for ${condition} ${JSON.stringify(given)}`));
      }, PATIENCE);
      const end = () => {
        clearTimeout(late);
        observer.disconnect();
        for (const type of begins) removeEventListener(type, begin, true);
      };
      observer.observe(root, {
        subtree: true,
        childList: true,
        attributes: true,
        characterData: true,
      });
    });
    running.catch(() => {});
  }

  // Requests of widgets and their answers: when, and how long they took.
  const open = new Map();
  const answered = [];
  let lastNews = 0;

  function watch() {
    const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
    kernel.anyMessage.connect((_, { msg }) => {
      const { comm_id: comm, data } = msg.content ?? {};
      const content =
        msg.header.msg_type === "comm_msg" && data?.method === "custom" ? data.content : null;
      if (content?.kind)
        open.set(`${comm} ${content.id}`, { kind: content.kind, sent: performance.now() });
      const request = content && open.get(`${comm} ${content.answer}`);
      if (!request) return;
      open.delete(`${comm} ${content.answer}`);
      answered.push({ kind: request.kind, took: performance.now() - request.sent });
      lastNews = performance.now();
    });
  }

  window.clock = {
    conditions,
    arm,
    watch,
    read: () => running,
    // Resolves when nothing was on its way for so long.
    async quiet(ms) {
      const end = performance.now() + PATIENCE;
      while (open.size || performance.now() - lastNews < ms) {
        if (performance.now() > end)
          throw new Error(`no quiet: ${[...open.values()].map(({ kind }) => kind)}`);
        await pause(20);
      }
    },
    // How long requests of this kind took since the last call, until their answer was in the page.
    trips(kind) {
      const own = answered.filter((answer) => answer.kind === kind).map(({ took }) => took);
      answered.length = 0;
      return own;
    },
  };
})();
