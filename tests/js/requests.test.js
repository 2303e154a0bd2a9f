import assert from "node:assert/strict";
import { test } from "node:test";

import {
  greet,
  KernelGone,
  makeRequester,
  wayBack,
} from "../../customlabels_nb/widgets/static/shared/requests.js";

function fakeComm() {
  const listeners = new Set();
  return {
    sent: [],
    on: (name, listener) => listeners.add(listener),
    off: (name, listener) => listeners.delete(listener),
    set: () => {},
    send(message, callbacks, buffers) {
      this.sent.push({ message, buffers });
    },
    answer: (message, buffers) => listeners.forEach((listener) => listener(message, buffers)),
    // Answers the message that was sent as the `nth`, from 1 on.
    answerTo(nth, message, buffers) {
      this.answer({ answer: this.sent[nth - 1].message.id, ...message }, buffers);
    },
    listeners,
  };
}

test("answers settle the request with their id, in any order", async () => {
  const comm = fakeComm();
  const request = makeRequester(comm);
  const first = request("page", { number: 1 });
  const second = request("page", { number: 2 });
  assert.deepEqual(
    comm.sent.map(({ message }) => message.content.number),
    [1, 2],
  );
  comm.answerTo(2, { content: "two" }, ["bytes"]);
  comm.answerTo(1, { content: "one" });
  assert.deepEqual(await first, ["one", []]);
  assert.deepEqual(await second, ["two", ["bytes"]]);
});

test("two pages of one widget hear each other's answers and take only their own", async () => {
  const comm = fakeComm();
  const [one, other] = [makeRequester(comm)("row", 1), makeRequester(comm)("row", 2)];
  comm.answerTo(2, { content: "two" });
  comm.answerTo(1, { content: "one" });
  assert.deepEqual([(await one)[0], (await other)[0]], ["one", "two"]);
});

test("what the kernel pushes is heard until the page is closed", () => {
  const comm = fakeComm();
  const heard = [];
  const request = makeRequester(comm, { onPush: (...push) => heard.push(push) });
  comm.answer({ push: "go", place: 3 }, ["bytes"]);
  comm.answer({ answer: "another page's", content: {} });
  comm.answer("no object");
  request.close();
  comm.answer({ push: "go", place: 4 });
  assert.deepEqual(heard, [[{ push: "go", place: 3 }, ["bytes"]]]);
});

test("an error in the answer rejects with its text", async () => {
  const comm = fakeComm();
  const asked = makeRequester(comm)("save", {});
  comm.answerTo(1, { error: "stale" });
  await assert.rejects(asked, { message: "stale", refused: true });
  const later = makeRequester(comm)("save", {});
  comm.answerTo(2, { error: "the disk is full", again: true });
  await assert.rejects(later, { refused: false });
});

test("messages go around anywidget, which rejects them where a page was slow", () => {
  class Model {
    received = [];
    _handle_comm_msg(message) {
      this.received.push(message);
    }
  }
  class AnyModel extends Model {
    comm = {
      on_msg: (receive) => {
        this.comm.receive = receive;
      },
    };
    _handle_comm_msg() {
      throw new Error("Failed to initialize model.");
    }
  }
  const owner = new AnyModel();
  const [events, state] = [new Map(), {}];
  makeRequester({
    on: (name, listener) => events.set(name, listener),
    off: (name) => events.delete(name),
    set: (name, value) => {
      state[name] = value;
      events.get(`change:${name}`)?.(owner, value);
    },
  });
  owner.comm.receive("hello");
  assert.deepEqual(owner.received, ["hello"]);
  assert.deepEqual([...events.keys()], ["msg:custom"]);
  assert.equal(JSON.stringify(state), "{}");
});

test("silence means that the kernel is gone, and a late answer changes nothing", async () => {
  const comm = fakeComm();
  const asked = makeRequester(comm, { patience: 5 })("save", {});
  await assert.rejects(asked, KernelGone);
  comm.answerTo(1, { content: "late" });
});

test("a comm that throws means that the kernel is gone", async () => {
  const comm = fakeComm();
  comm.send = () => {
    throw new Error("comm closed");
  };
  const request = makeRequester(comm)("save", {});
  await assert.rejects(request, KernelGone);
  await assert.rejects(request, (error) => !error.refused && !/comm closed/.test(error.message));
});

test("messages that answer nothing are passed over", async () => {
  const comm = fakeComm();
  const asked = makeRequester(comm)("save", {});
  comm.answer(null);
  comm.answer({ answer: 99, content: "not ours" });
  comm.answerTo(1, { content: "ours" });
  assert.equal((await asked)[0], "ours");
});

test("closing stops listening and rejects what is open", async () => {
  const comm = fakeComm();
  const request = makeRequester(comm);
  const asked = request("save", {});
  request.close();
  await assert.rejects(asked, KernelGone);
  assert.equal(comm.listeners.size, 0);
});

const soon = async () => {
  for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
};

test("a greeting that is lost is sent again until it is answered", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const comm = fakeComm();
  const greeted = greet(makeRequester(comm), { offset: 60 });
  context.mock.timers.tick(2_000);
  await soon();
  assert.deepEqual(
    comm.sent.map(({ message }) => [message.kind, message.content]),
    Array(2).fill(["hello", { offset: 60 }]),
  );
  comm.answerTo(2, { content: "welcome" });
  assert.equal((await greeted)[0], "welcome");
  context.mock.timers.tick(30_000);
  assert.equal(comm.sent.length, 2);
});

test("an answer that takes long is taken, though it was asked for again meanwhile", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const comm = fakeComm();
  const greeted = greet(makeRequester(comm));
  context.mock.timers.tick(9_000);
  await soon();
  comm.answerTo(1, { content: "welcome" });
  assert.equal((await greeted)[0], "welcome");
});

test(
  "a greeting is given up after half a minute, and at once by a page that is closed " +
    "or answered with an error",
  async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const comm = fakeComm();
    const greeted = assert.rejects(greet(makeRequester(comm)), KernelGone);
    for (const wait of [2_000, 4_000, 8_000, 16_000]) {
      context.mock.timers.tick(wait);
      await soon();
    }
    await greeted;
    assert.equal(comm.sent.length, 4);

    const request = makeRequester(comm);
    const closed = assert.rejects(greet(request), KernelGone);
    request.close();
    await closed;
    const refused = assert.rejects(greet(makeRequester(comm)), /not here/);
    comm.answerTo(6, { error: "not here" });
    await refused;
    assert.equal(comm.sent.length, 6);
  },
);

test("a dead kernel is called a lost connection where people know no kernels, with a button", () => {
  assert.deepEqual(
    [new KernelGone().message, wayBack()],
    ["The kernel does not respond.", { words: "Run the cell again", step: null }],
  );
  const { location } = globalThis;
  let reloads = 0;
  globalThis.document = { body: { classList: { contains: (name) => name === "clnb-page" } } };
  globalThis.location = { reload: () => (reloads += 1) };
  const { words, step } = wayBack();
  step.run();
  assert.deepEqual(
    [new KernelGone().message, words, step.label, reloads],
    ["The connection was lost.", "Reload the page", "Reload", 1],
  );
  Object.assign(globalThis, { document: undefined, location });
});

test("a view hears that another view of its widget got news, but not that it has asked for all", async () => {
  const comm = fakeComm();
  const heard = [];
  const view = (name) => makeRequester(comm, { onNews: () => heard.push(name) });
  const [one, other] = [view("one"), view("other")];
  const info = {};
  const answers = [{}, { info, rows: [] }, { info, page: {} }, { info, rows: [], whole: true }];
  for (const content of answers) {
    const asked = one("follow", {});
    comm.answerTo(comm.sent.length, { content });
    await asked;
  }
  assert.deepEqual(heard, ["other"]);
  other("edit", {});
  comm.answerTo(5, { content: { info } });
  assert.deepEqual(heard, ["other", "one"]);
});
