import assert from "node:assert/strict";
import { test } from "node:test";

import { follow } from "../../customlabels_nb/widgets/static/shared/page/follow.js";
import { partsIn } from "../../customlabels_nb/widgets/static/shared/page/parts.js";
import { set, template } from "../../customlabels_nb/widgets/static/shared/template.js";
import { openPage, press } from "./fake_dom.js";

test("a layout is cloned with its named elements and commands", () => {
  openPage();
  const layout = template(`
    <form class="a b" command="submit" ref="form">
      <input type="text" ref="field" command="type" maxlength="9">
      <p ref="text" hidden>one</p> <b>two</b>
      <button type="button" command="press">Go</button>
    </form>`);
  const ran = [];
  const [first, second] = [layout((name) => ran.push(name)), layout()];
  assert.notEqual(first.root, second.root);
  assert.equal(first.form, first.root);
  assert.equal(first.root.textContent, "one twoGo");
  assert.deepEqual([first.text.hidden, first.field.getAttribute("maxlength")], [true, "9"]);
  assert.deepEqual(
    [first.field, first.text].map((node) => node.getAttribute("ref")),
    [null, null],
  );
  first.field.fire("input");
  first.root.querySelector("button").click();
  first.root.fire("submit");
  assert.deepEqual(ran, ["type", "press", "submit"]);
  assert.deepEqual(
    [first.field, first.text].map((node) => node.dataset.lmSuppressShortcuts),
    ["true", undefined],
  );
});

test("data are written as text and to listed attributes only", () => {
  openPage();
  const { root } = template('<p class="a"></p>')();
  const hostile = "<img src=x onerror=alert(1)>";
  set(root, { text: hostile, title: hostile, "aria-label": hostile, "data-label": hostile });
  set(root, { ".b": true, ".a": false, hidden: true });
  assert.deepEqual([root.textContent, root.children], [hostile, []]);
  assert.deepEqual([root.className, root.hidden, root.dataset.label], ["b", true, hostile]);
  for (const name of ["innerHTML", "onclick", "href", "src", "style", "srcdoc", "outerHTML"])
    assert.throws(() => set(root, { [name]: hostile }), /cannot be written/);
});

test("the parts of a list stay while their keys are listed, and are painted when they change", () => {
  const page = openPage();
  const painted = [];
  const list = partsIn(page, () => {
    const { root } = template("<button></button>")();
    return {
      root,
      paint({ key, text }) {
        painted.push(key);
        set(root, { text });
      },
    };
  });
  const items = (...texts) => texts.map((text) => ({ key: text[0], text }));
  const shown = () => page.children.map((node) => node.textContent);
  list.paint(items("a", "b", "c"));
  const [a, b, c] = page.children;
  c.focus();
  list.paint(items("c2", "a", "d", "b"));
  assert.deepEqual(shown(), ["c2", "a", "d", "b"]);
  assert.deepEqual([page.children[0], page.children[1], page.children[3]], [c, a, b]);
  assert.deepEqual(painted, ["a", "b", "c", "c", "d"]);
  list.paint(items("b"));
  assert.deepEqual([shown(), list.get("a")], [["b"], undefined]);
  assert.equal(press("Tab").target, c); // it was moved without losing the focus
});

test("a push during a look is followed by another look", async () => {
  openPage();
  const listeners = [];
  const model = { on: (_, listener) => listeners.push(listener), off: () => listeners.pop() };
  const looks = [];
  const end = follow(model, () => new Promise((resolve) => looks.push(resolve)), assert.fail);
  listeners[0]({ answer: "1" });
  listeners[0]({ push: "follow" });
  listeners[0]({ push: "follow" });
  assert.equal(looks.length, 1);
  looks[0]();
  await new Promise(setImmediate);
  assert.equal(looks.length, 2);
  looks[1]();
  await new Promise(setImmediate);
  assert.equal(looks.length, 2);
  end();
  assert.deepEqual(listeners, []);
});
