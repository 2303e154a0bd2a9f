// Requests from the page to the kernel. Data and id travel in one message, and only the response with that id settles
// the request: traits may arrive after a later message, and a dead kernel never responds.

export class KernelGone extends Error {
  constructor() {
    super(isJobPage() ? "The connection was lost." : "The kernel does not respond.");
  }
}

// Return true on the page of `customlabels-nb label`. It has no cells, and its readers do not know what a kernel is.
export function isJobPage() {
  return Boolean(globalThis.document?.body?.classList?.contains("clnb-page"));
}

// Return what to do if the kernel does not come back, and a button for it where that is possible.
export function wayBack() {
  if (!isJobPage()) return { words: "Run the cell again", step: null };
  return {
    words: "Reload the page",
    step: { label: "Reload", run: () => globalThis.location.reload() },
  };
}

// Return what a screen says if its first request has failed, and the button that helps.
/** @returns {[text: string, step?: { label: string, run: () => void }]} */
export function openingFailure(error, again) {
  if (!(error instanceof KernelGone)) return [error.message];
  const { words, step } = wayBack();
  const text = `${error.message} ${words} to continue. Saved labels are not lost.`;
  return [text, step ?? { label: "Try again", run: again }];
}

// Return a function (kind, content, buffers) → Promise of [content, buffers] for an anywidget model. A request without
// a response within `patience` milliseconds is rejected with KernelGone. `onNews` runs when the kernel has sent news to
// another view of the widget, and `onPush(message, buffers)` when it sends a message that nobody has asked for.
export function makeRequester(
  model,
  { patience = 10_000, onNews = () => {}, onPush = (_message, _buffers) => {} } = {},
) {
  const open = new Map();
  const page = Math.random().toString(36).slice(2); // every view of a widget receives all responses
  let last = 0;

  const settle = (id) => {
    const request = open.get(id);
    open.delete(id);
    if (request) clearTimeout(request.timer);
    return request;
  };

  const onMessage = (message, buffers) => {
    if (message?.push) {
      onPush(message, buffers);
      return;
    }
    const request = settle(message?.answer);
    if (!request && isNews(message) && !message.answer.startsWith(`${page} `)) onNews();
    if (!request) return;
    if (message.error)
      request.reject(Object.assign(new Error(message.error), { refused: !message.again }));
    else request.resolve([message.content, buffers ?? []]);
  };
  receiveAlways(model);
  model.on("msg:custom", onMessage);

  // Slow requests may pass a longer timeout.
  const request = (kind, content, buffers = [], { patience: item = patience } = {}) => {
    const id = `${page} ${++last}`;
    const giveUp = () => settle(id)?.reject(new KernelGone());
    const answer = new Promise((resolve, reject) => {
      open.set(id, { resolve, reject, timer: setTimeout(giveUp, item) });
    });
    try {
      model.send({ id, kind, content }, undefined, buffers);
    } catch {
      giveUp(); // the comm was closed: the kernel was restarted or shut down
    }
    return answer;
  };

  request.closed = false;
  // Stop listening and reject pending requests.
  request.close = () => {
    model.off("msg:custom", onMessage);
    request.closed = true;
    for (const id of [...open.keys()]) settle(id).reject(new KernelGone());
  };
  return request;
}

// Return true for an answer with another state of the project, unless a view has asked for all of it or for a page.
function isNews(message) {
  const { info, page, whole } = message?.content ?? {};
  return Boolean(message?.answer && info && !page && !whole);
}

// Receive messages however long the page took to load the module: after 2 s, anywidget shows the widget nevertheless,
// but rejects all messages of the kernel for good. `model` is only a proxy, and its events bring the model with the
// comm.
function receiveAlways(model) {
  const onChange = (owner) => {
    const { _handle_comm_msg: receive } = Object.getPrototypeOf(Object.getPrototypeOf(owner)); // that of ipywidgets
    owner.comm?.on_msg((message) => receive.call(owner, message));
  };
  model.on("change:_received", onChange);
  model.set("_received", true);
  model.off("change:_received", onChange);
  model.set("_received", undefined); // the state of widgets can be saved in a notebook
}

// milliseconds; a comm's first message may be delayed until the cell has finished, or be lost
const GREETINGS = [0, 2_000, 6_000, 14_000];
const GREETING_PATIENCE = 30_000;

// Send the first request of a page, "hello", and retry until there is a response. The first response counts.
export function greet(request, content = {}) {
  return new Promise((resolve, reject) => {
    let open = GREETINGS.length;
    const ask = async (after) => {
      try {
        settle(
          resolve,
          await request("hello", content, [], { patience: GREETING_PATIENCE - after }),
        );
      } catch (error) {
        open -= 1;
        if (!(error instanceof KernelGone) || request.closed || !open) settle(reject, error);
      }
    };
    const [first, ...later] = GREETINGS;
    const timers = later.map((after) => setTimeout(ask, after, after));
    const settle = (how, value) => {
      for (const timer of timers) clearTimeout(timer);
      how(value);
    };
    ask(first);
  });
}
