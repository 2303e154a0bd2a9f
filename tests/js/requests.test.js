import assert from "node:assert/strict";
import { test } from "node:test";

import { KernelGone, makeRequester } from "../../customlabels_nb/widgets/static/shared/requests.js";

function fakeComm() {
  const listeners = new Set();
  return {
    sent: [],
    on: (name, listener) => listeners.add(listener),
    off: (name, listener) => listeners.delete(listener),
    send(message, callbacks, buffers) {
      this.sent.push({ message, buffers });
    },
    answer: (message, buffers) => listeners.forEach((listener) => listener(message, buffers)),
    listeners,
  };
}

test("answers settle the request with their id, in any order", async () => {
  const comm = fakeComm();
  const request = makeRequester(comm);
  const first = request("page", { number: 1 });
  const second = request("page", { number: 2 });
  assert.deepEqual(comm.sent.map(({ message }) => message.content.number), [1, 2]);
  comm.answer({ answer: 2, content: "two" }, ["bytes"]);
  comm.answer({ answer: 1, content: "one" });
  assert.deepEqual(await first, ["one", []]);
  assert.deepEqual(await second, ["two", ["bytes"]]);
});

test("an error in the answer rejects with its text", async () => {
  const comm = fakeComm();
  const asked = makeRequester(comm)("save", {});
  comm.answer({ answer: 1, error: "stale" });
  await assert.rejects(asked, /stale/);
});

test("silence means that the kernel is gone, and a late answer changes nothing", async () => {
  const comm = fakeComm();
  const asked = makeRequester(comm, { patience: 5 })("save", {});
  await assert.rejects(asked, KernelGone);
  comm.answer({ answer: 1, content: "late" });
});

test("a comm that throws means that the kernel is gone", async () => {
  const comm = fakeComm();
  comm.send = () => {
    throw new Error("comm closed");
  };
  await assert.rejects(makeRequester(comm)("save", {}), KernelGone);
});

test("messages that answer nothing are passed over", async () => {
  const comm = fakeComm();
  const asked = makeRequester(comm)("save", {});
  comm.answer(null);
  comm.answer({ answer: 99, content: "not ours" });
  comm.answer({ answer: 1, content: "ours" });
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
