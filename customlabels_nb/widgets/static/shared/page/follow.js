// Look for changes of others: at once when the kernel pushes something, and regularly while the page is visible.

const LOOK_EVERY = 2_000; // milliseconds

// `look()` returns a Promise. `onError(error)` runs if it is rejected before the end. Returns a function that ends it.
export function follow(model, look, onError) {
  let looking = false;
  let again = false; // there was a push during a look
  let closed = false;
  const run = async (pushed) => {
    again ||= pushed && looking;
    if (looking) return;
    looking = true;
    try {
      await look();
    } catch (error) {
      if (!closed) onError(error);
    }
    looking = false;
    if (!again || closed) return;
    again = false;
    run(false);
  };
  const onPush = (message) => {
    if (message?.push) run(true);
  };
  model.on("msg:custom", onPush);
  const timer = setInterval(() => {
    if (!document.hidden) run(false);
  }, LOOK_EVERY);
  run(false);
  return () => {
    closed = true;
    clearInterval(timer);
    model.off("msg:custom", onPush);
  };
}
