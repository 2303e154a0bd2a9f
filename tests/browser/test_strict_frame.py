"""Tests of widgets under the rules of VS Code and Colab: a sandboxed frame without eval, origins and connections."""

from __future__ import annotations

import base64
import json
from collections import deque
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, Frame, Route, expect

import customlabels_nb as cl
from customlabels_nb.project.project import Project
from tests.labeling.conftest import photos, project  # noqa: F401

pytestmark = pytest.mark.browser

ADDRESS = "http://notebook.test"
#: Modules come from blobs, as anywidget loads them, and only the script of the frame has the nonce.
RULES = (
    "default-src 'none'; script-src 'nonce-frame' blob:; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
OUTSIDE = '<!doctype html><title>notebook</title><iframe sandbox="allow-scripts" src="/frame"></iframe>'
OUTSIDE += "<style>iframe { width: 1100px; height: 850px; border: 0 }</style>"
#: A notebook program: it loads the module and the style of a widget and exchanges messages with the kernel.
FRAME = """<!doctype html><title>output</title><div id="cell"></div><script nonce="frame">
window.violations = [];
addEventListener("securitypolicyviolation", (e) => violations.push(`${e.effectiveDirective} ${e.blockedURI}`));
addEventListener("error", (e) => violations.push(e.message));
addEventListener("unhandledrejection", (e) => violations.push(String(e.reason)));
const text = (part) => btoa(Array.from(new Uint8Array(part.buffer ?? part), (b) => String.fromCharCode(b)).join(""));
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
let leave, listeners = [], values = {};
const model = {
  get: (name) => values[name],
  set: (name, value) => { values[name] = value; },
  save_changes() {},
  on: (name, listener) => listeners.push([name, listener]),
  off: (name, listener) => { listeners = listeners.filter((one) => one[0] !== name || one[1] !== listener); },
  send: (content, _, buffers = []) => { toKernel(JSON.stringify(content), buffers.map(text)); },
};
async function poll() {
  for (const [content, buffers] of await fromKernel())
    for (const [name, listener] of listeners) if (name === "msg:custom") listener(content, buffers.map(bytes));
  setTimeout(poll, 20);
}
poll();
window.display = async (source, css, traits) => {
  leave?.();
  listeners = [];
  values = traits;
  const style = document.createElement("style");
  style.textContent = css;
  const el = document.createElement("div");
  document.getElementById("cell").replaceChildren(style, el);
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  leave = await module.default.render({ model, el });
};
</script>"""


class StrictPage:
    """Page of a notebook program that shows the widgets of this process in a sandboxed frame."""

    def __init__(self, browser: Browser) -> None:
        self.context = browser.new_context(viewport={"width": 1120, "height": 870})
        self.page = self.context.new_page()
        self.widget: Any = None
        self.asked: list[str] = []
        self.said: list[str] = []
        self.sent: deque[tuple[Any, list[str]]] = deque()
        self.page.on("console", lambda message: self.said.append(message.text) if message.type == "error" else None)
        self.page.expose_function("toKernel", self._to_kernel)
        self.page.expose_function("fromKernel", self._from_kernel)
        self.context.route("**", self._serve)
        self.page.goto(ADDRESS)
        self.frame.wait_for_function("() => Boolean(window.display)")

    @property
    def frame(self) -> Frame:
        return self.page.frames[1]

    def show(self, widget: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Show a widget in place of the one before."""
        self.widget = widget
        self.sent.clear()
        monkeypatch.setattr(widget, "send", self._send)
        traits = {name: value for name, value in widget.get_state().items() if isinstance(value, str | int | float)}
        # later, because a script that the test itself runs may use eval
        given = [str(widget._esm), str(widget._css), traits]
        self.frame.evaluate("given => { setTimeout(() => display(...given)) }", given)

    def violations(self) -> list[str]:
        return [*self.frame.evaluate("violations"), *self.said]

    def _serve(self, route: Route) -> None:
        path = route.request.url.removeprefix(ADDRESS)
        if path == "/":
            route.fulfill(body=OUTSIDE, content_type="text/html")
        elif path == "/frame":
            route.fulfill(body=FRAME, content_type="text/html", headers={"Content-Security-Policy": RULES})
        else:
            self.asked.append(route.request.url)
            route.abort()

    def _send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append((content, [base64.b64encode(bytes(part)).decode() for part in buffers or []]))

    def _to_kernel(self, content: str, buffers: list[str]) -> None:
        self.widget.answer(self.widget, json.loads(content), [base64.b64decode(part) for part in buffers])

    def _from_kernel(self) -> list[Any]:
        return [self.sent.popleft() for _ in range(len(self.sent))]


def test_widgets_work_in_a_sandboxed_frame_without_eval_and_other_origins(
    browser: Browser,
    project: Project,  # noqa: F811
    photos: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = StrictPage(browser)
    root = page.frame.locator("#cell .clnb").first
    page.show(project.label("train", sort="name"), monkeypatch)
    root.locator(".tile img[src^='data:']").first.wait_for()
    assert root.evaluate("root => getComputedStyle(root).display") != "inline"  # its style is used
    root.focus()
    page.page.keyboard.press("2")
    expect(root.locator(".tile .chip").first).to_contain_text("pear")
    expect(root.locator(".state")).to_have_text("saved")
    assert project.train_set.annotations["label"].tolist() == ["pear"]

    truth = pd.DataFrame({"image": ["a.png", "b.png"], "label": ["apple", "pear"]})
    report = cl.evaluate(truth, truth.assign(confidence=0.9), truth[["image"]])
    screens = (project.review("train"), project.dashboard(), project.history_panel(), project.labels.edit())
    boxes = cl.create_project("boxes", tmp_path, task="boxes")
    boxes.add_images(photos, progress=False)
    for widget in (*screens, report.show(), boxes.annotate("train")):
        page.show(widget, monkeypatch)
        page.frame.locator("#cell .clnb:not(.loading)").first.wait_for()
    assert page.violations() == []
    assert page.asked == []

    for forbidden in ("new Function('1')", "fetch('http://example.test/')", "parent.document.title"):
        known = len(page.violations())
        page.frame.evaluate(f"() => {{ setTimeout(() => {forbidden}) }}")
        page.frame.wait_for_function("known => window.violations.length > known", arg=known - len(page.said))
    assert page.asked == []  # the frame refuses it before it reaches the network
    page.context.close()
