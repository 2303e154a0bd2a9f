// What annotator.py asks `window.clock` (_gallery_clock.js) besides: what an annotator shows, and how a peer follows
// the pointer.
(() => {
  const PATIENCE = 5_000;
  const OPERATIONS = ["clearRect", "drawImage", "fillRect", "putImageData", "stroke", "strokeRect"];
  const heading = (root) => root.querySelector(".side.right h4").textContent;

  Object.assign(window.clock.conditions, {
    image: (root, { number }) => {
      const photo = () => root.querySelector(".photo");
      const before = photo().src;
      return () =>
        root.querySelector(".position").textContent.startsWith(`${number} of`) &&
        photo().src &&
        photo().src !== before;
    },
    guides: (root) => {
      const rows = [...root.querySelectorAll(".side.left .row")];
      const before = rows.map((row) => row.className).join();
      return () => rows.map((row) => row.className).join() !== before;
    },
    drawn:
      (root, { count }) =>
      () =>
        heading(root).endsWith(` ${count}`),
    stored:
      (root, { count }) =>
      () =>
        heading(root).endsWith(` ${count}`) && root.querySelector(".state").textContent === "saved",
  });

  let following = null;

  // From the next move of the pointer on: until anything below `selector` has been painted, and that frame is over.
  // Null if nothing is.
  window.clock.follow = (selector) => {
    const root = document.querySelector(selector);
    const { prototype } = CanvasRenderingContext2D;
    const own = OPERATIONS.map((name) => prototype[name]);
    following = new Promise((resolve) => {
      let began = null;
      const begin = (event) => {
        began ??= event.timeStamp;
      };
      const noticed = () => {
        if (began === null) return;
        stop();
        const painted = performance.now();
        requestAnimationFrame(function frame(time) {
          if (time < painted) requestAnimationFrame(frame);
          else setTimeout(() => resolve(performance.now() - began));
        });
      };
      OPERATIONS.forEach((name, index) => {
        prototype[name] = function operation(...given) {
          if (root.contains(this.canvas)) noticed();
          return own[index].apply(this, given);
        };
      });
      const observer = new MutationObserver(noticed);
      const late = setTimeout(() => {
        stop();
        resolve(null);
      }, PATIENCE);
      const stop = () => {
        clearTimeout(late);
        observer.disconnect();
        OPERATIONS.forEach((name, index) => {
          prototype[name] = own[index];
        });
        removeEventListener("pointermove", begin, true);
      };
      addEventListener("pointermove", begin, true);
      observer.observe(root, {
        subtree: true,
        childList: true,
        attributes: true,
        characterData: true,
      });
    });
  };
  window.clock.followed = () => following;
})();
