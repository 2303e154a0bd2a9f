"""Drive the system's Firefox by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/).

Playwright can only drive its own build of Firefox, and Debian packages no geckodriver, but Firefox implements BiDi
itself.
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import psutil
import websocket

from tests.browser.jupyter import Server
from tests.browser.waiting import PATIENCE

#: Keys that are not characters, with their WebDriver code points.
KEYS = {"Control": "\ue009", "Shift": "\ue008", "Enter": "\ue007", "Escape": "\ue00c", "PageDown": "\ue00f"}
#: Nothing is requested from the network.
PREFERENCES = {
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.server": "",
    "app.normandy.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.captive-portal-service.enabled": False,
}
_HARNESS = Path(__file__).with_name("harness.js")


class FirefoxError(AssertionError):
    """Error of a command refused by Firefox, or of a script in it."""


class Firefox:
    """Window of Firefox that shows notebooks.

    Attributes
    ----------
    page_errors : list of str
        Uncaught JavaScript errors.
    """

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=180, suppress_origin=True)
        self._number = 0
        self.page_errors: list[str] = []
        self._ask("session.new", capabilities={})
        self._ask("session.subscribe", events=["log.entryAdded"])
        self._window = self._ask("browsingContext.getTree")["contexts"][0]["context"]
        self._ask("browsingContext.setViewport", context=self._window, viewport={"width": 1280, "height": 1000})
        self._ask("script.addPreloadScript", functionDeclaration=f"() => {{ {_HARNESS.read_text('utf-8')} }}")

    def open(self, server: Server, notebook: nbformat.NotebookNode) -> Path:
        """Open a notebook in its own folder, wait until its kernel is idle, and return the folder."""
        server.write_settings()
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        folder = server.files / secrets.token_hex(4)
        folder.mkdir()
        nbformat.write(notebook, folder / "test.ipynb")
        url = f"{server.url}/lab/workspaces/{folder.name}/tree/{folder.name}/test.ipynb?token={server.token}"
        self._ask("browsingContext.navigate", context=self._window, url=url, wait="complete")
        # Lab's current widget is the one focused last, and a headless window never has the focus
        panels = "[...(window.jupyterapp?.shell?.widgets('main') ?? [])]"
        self.wait_for(f"{panels}.some((panel) => panel.context)")
        self.evaluate(f"{panels}[0].node.dispatchEvent(new FocusEvent('focus'))")
        self.harness("ready")
        return folder

    def harness(self, action: str, argument: Any = None) -> Any:
        """Perform an action in JupyterLab. See ``harness.js``."""
        return self.evaluate(f"window.harness.within(150, {json.dumps(action)}, {json.dumps(argument)})")

    def evaluate(self, script: str) -> Any:
        """Evaluate an expression in the page, awaiting promises, and return its value."""
        # BiDi returns values in its own notation, and JSON is simpler
        expression = f"Promise.resolve({script}).then((value) => JSON.stringify(value ?? null))"
        where = {"context": self._window}
        found = self._ask("script.evaluate", expression=expression, target=where, awaitPromise=True)
        if found["type"] == "exception":
            raise FirefoxError(f"{script[:200]}: {found['exceptionDetails']['text']}")
        return json.loads(found["result"]["value"])

    def wait_for(self, script: str, *, seconds: float = PATIENCE) -> Any:
        """Wait until an expression is true and return its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.evaluate(script)
            if value:
                return value
            time.sleep(0.1)
        raise FirefoxError(f"waited {seconds} s for {script}")

    def drag(self, start: Sequence[float], end: Sequence[float]) -> None:
        """Press the mouse at a position of the window, move to another and release. Click if they are equal."""
        places = [start, start, end, end] if tuple(start) != tuple(end) else [start]
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 20} for x, y in places]
        button = {"button": 0}
        steps = [moves[0], {"type": "pointerDown", **button}, *moves[1:], {"type": "pointerUp", **button}]
        self._act({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps})

    def press(self, *keys: str) -> None:
        """Press keys one after another. ``"Control+z"`` holds the first."""
        steps = []
        for key in keys:
            parts = [KEYS.get(part, part) for part in re.split(r"(?<=.)\+", key)]
            steps += [{"type": "keyDown", "value": part} for part in parts]
            steps += [{"type": "keyUp", "value": part} for part in reversed(parts)]
        self._act({"type": "key", "id": "keyboard", "actions": steps})

    def close(self) -> None:
        """End the session."""
        with suppress(websocket.WebSocketException, OSError):
            self._ask("browser.close")
        self._socket.close()

    def _act(self, actions: Mapping[str, Any]) -> None:
        self._ask("input.performActions", context=self._window, actions=[actions])

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("method") == "log.entryAdded" and answer["params"].get("type") == "javascript":
                self.page_errors.append(answer["params"]["text"])
            if answer.get("id") != self._number:
                continue
            if answer["type"] == "error":
                raise FirefoxError(f"{method}: {answer['error']}: {answer['message']}")
            return answer["result"]


@contextmanager
def firefox(program: str, folder: Path) -> Iterator[Firefox]:
    """Run a headless Firefox with its profile in ``folder`` while the block runs."""
    log = folder / "firefox.log"
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
    (folder / "user.js").write_text("".join(lines), encoding="utf-8")
    command = [program, "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0"]
    with log.open("wb") as output:
        process = psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        browser = Firefox(f"{_address(process, log)}/session")
        try:
            yield browser
        finally:
            browser.close()
    finally:
        with suppress(psutil.NoSuchProcess):
            below = process.children(recursive=True)
            process.terminate()
            _, alive = psutil.wait_procs([process, *below], timeout=10)
            for left in alive:
                left.kill()


def _address(process: psutil.Popen, log: Path) -> str:
    """Return the WebDriver BiDi address that Firefox prints to its log."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"WebDriver BiDi listening on (ws://\S+)", log.read_text("utf-8", errors="replace"))
        if found:
            return found[1]
        time.sleep(0.1)
    raise FirefoxError(f"Firefox did not start; its log ends with:\n{log.read_text('utf-8', errors='replace')[-2000:]}")
