"""JupyterLab (or Notebook 7) in Chromium, for tests.

`serve` runs a server isolated from the user's own, `Lab` opens notebooks on it in pages of their own, and `LabPage` is
one such notebook: run it, inspect it, read variables of its kernel, kill its kernel.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import queue
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from jupyter_client.blocking import BlockingKernelClient
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, Playwright

from tests import forked_kernels
from tests.browser.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent.parent
ARTIFACTS_VARIABLE = "CUSTOMLABELS_NB_ARTIFACTS"
HAS_NOTEBOOK = importlib.util.find_spec("notebook") is not None
FLAVOURS = ["lab", *[pytest.param("notebook", marks=pytest.mark.thorough)] * HAS_NOTEBOOK]
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # a camera that films a test card and needs no permission
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
#: Cell that keeps the kernel busy until `LabPage.let_go`.
BUSY = """
import time
from pathlib import Path
end = time.monotonic() + 300
while not Path("let-go").exists():
    assert time.monotonic() < end, "nobody has let go"
    time.sleep(0.1)
Path("let-go").unlink()
"""
SETTLE_SECONDS = 2
# no news from the network, all cells in the document however far down, and no autosave
SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "apputils-extension/themes": {"theme": THEMES["light"], "adaptive-theme": False},
    "docmanager-extension/plugin": {"autosave": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}


#: Error of anywidget if a module loads after two seconds. The widgets receive their messages nevertheless.
SLOW = "[anywidget] Failed to initialize model."


class CellError(AssertionError):
    """Error raised by a cell of the notebook."""


class PageError(AssertionError):
    """Uncaught JavaScript error on the page, or crash of the page."""


KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
#: Kernel that is a child process of the server.
OWN_KERNEL = {"name": "own", "display_name": "Python 3 of the server", "language": "python"}


def notebook(*cells: str) -> nbformat.NotebookNode:
    """Return a notebook of code cells."""
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


@dataclass(frozen=True)
class Server:
    """Running Jupyter server. ``files`` is its root folder."""

    process: psutil.Process
    url: str
    token: str
    files: Path
    runtime: Path
    settings: Path

    def request(self, path: str, method: str = "GET") -> Any:
        """Send a request to the server's REST API and return the JSON of the response, None if it is empty."""
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def write_settings(self, more: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Reset the settings to the defaults of the tests and add these."""
        for path in self.settings.rglob("*.jupyterlab-settings"):
            path.unlink()
        for name, values in (SETTINGS | dict(more or {})).items():
            path = self.settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values), encoding="utf-8")

    def stop_kernels(self) -> None:
        """Shut down the kernels of all notebooks, since each may use a gigabyte."""
        for kernel in self.request("/api/kernels"):
            with suppress(urllib.error.HTTPError):  # a kernel killed by a test
                self.request(f"/api/kernels/{kernel['id']}", method="DELETE")


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Run a Jupyter server of this environment with all its files in ``folder``."""
    folders = {
        name: folder / name for name in ("files", "config", "data", "runtime", "settings", "workspaces", "ipython")
    }
    for path in folders.values():
        path.mkdir()
    kernels = folder / "kernels"  # the socket
    commands = {
        KERNEL["name"]: ["-I", "-S", forked_kernels.__file__, str(kernels), "{connection_file}"],
        OWN_KERNEL["name"]: ["-m", "ipykernel_launcher", "-f", "{connection_file}"],
    }
    for kernel in (KERNEL, OWN_KERNEL):
        spec = folders["data"] / "kernels" / kernel["name"] / "kernel.json"
        spec.parent.mkdir(parents=True)
        spec.write_text(json.dumps(kernel | {"argv": [sys.executable, *commands[kernel["name"]]]}), encoding="utf-8")

    # nbgrader is installed for its own test, and would add its panels to JupyterLab
    parts = ("assignment_list", "course_list", "formgrader", "validate_assignment")
    off = {"ServerApp": {"jpserver_extensions": {f"nbgrader.server_extensions.{part}": False for part in parts}}}
    (folders["config"] / "jupyter_server_config.json").write_text(json.dumps(off), encoding="utf-8")
    pages = folders["config"] / "labconfig"
    pages.mkdir()
    (pages / "page_config.json").write_text('{"disabledExtensions": {"@jupyter/nbgrader": true}}', encoding="utf-8")

    # MPLBACKEND would prevent the kernel from choosing the inline backend
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER_P", "MPLBACKEND"))}
    env = kept | {
        "JUPYTER_CONFIG_DIR": str(folders["config"]),
        "JUPYTER_DATA_DIR": str(folders["data"]),
        "JUPYTER_RUNTIME_DIR": str(folders["runtime"]),
        "JUPYTERLAB_SETTINGS_DIR": str(folders["settings"]),
        "JUPYTERLAB_WORKSPACES_DIR": str(folders["workspaces"]),
        "IPYTHONDIR": str(folders["ipython"]),
        "CUSTOMLABELS_NB_USER": "you",  # the screens of labelling jobs would ask root for a name
        "JUPYTER_PREFER_ENV_PATH": "0",  # gives the kernel above priority over the environment's own
    }
    port, token = free_port(), secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={folders['files']}", "--LabApp.expose_app_in_browser=True"]
    command += ["--LabApp.extension_manager=readonly"]
    # A kernel killed early would come back on other ports, and a page that reconnects quickly would use the old ones
    # forever. By default, the server checks only every 3 s if the kernel is alive.
    command += ["--KernelRestarter.random_ports_until_alive=False", "--KernelRestarter.time_to_dead=0.5"]
    # A page that connects while its kernel restarts may send its request to the old one, and reconnects only then.
    command += ["--MappingKernelManager.kernel_info_timeout=10"]
    if HAS_NOTEBOOK:
        command += ["--JupyterNotebookApp.expose_app_in_browser=True"]

    log = folder / "server.log"
    forking = [sys.executable, "-m", forked_kernels.__name__, str(kernels)]
    with log.open("wb") as output:
        forks = psutil.Popen(forking, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=output, stderr=output)
        process = psutil.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    server = Server(process, url, token, folders["files"], folders["runtime"], folders["settings"])
    try:
        _wait_for(server, log, kernels)
        yield server
    finally:
        stop(process)
        stop(forks)


@contextmanager
def serve_notebook6(folder: Path, python: Path) -> Iterator[Server]:
    """Run Notebook 6 of another environment, which is the Python ``python``, with all its files in ``folder``."""
    folders = {name: folder / name for name in ("files", "config", "data", "runtime", "ipython")}
    for path in folders.values():
        path.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "MPLBACKEND"))} | {
        "JUPYTER_CONFIG_DIR": str(folders["config"]),
        "JUPYTER_DATA_DIR": str(folders["data"]),
        "JUPYTER_RUNTIME_DIR": str(folders["runtime"]),
        "IPYTHONDIR": str(folders["ipython"]),
        "CUSTOMLABELS_NB_USER": "you",
    }
    port, token = free_port(), secrets.token_hex(16)
    command = [str(python), "-m", "notebook", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--NotebookApp.token={token}", f"--NotebookApp.notebook_dir={folders['files']}"]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = psutil.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    server = Server(process, url, token, folders["files"], folders["runtime"], folder / "settings")
    try:
        _wait_for(server, log, folder)
        yield server
    finally:
        stop(process)


def launch(playwright: Playwright, program: str) -> Browser:
    """Start a Chromium whose pages wait longer than Playwright's 30 s."""
    chromium = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
    new_context = chromium.new_context

    def patient(**options: Any) -> BrowserContext:
        context = new_context(**options)
        context.set_default_timeout(1000 * PATIENCE)
        return context

    chromium.new_context = patient  # type: ignore[method-assign]
    return chromium


class Lab:
    """Factory of notebooks in pages of their own.

    Parameters
    ----------
    flavour : str
        ``"lab"``, ``"notebook"`` where that package is installed, or ``"notebook6"`` on a server of `serve_notebook6`.
    name : str
        Name for screenshots and logs.
    spare : list of playwright.sync_api.Page
        JupyterLab without documents, if an earlier test left it. Loading a new one takes several seconds.
    """

    def __init__(
        self,
        server: Server,
        browser: Browser,
        flavour: str = "lab",
        name: str = "lab",
        spare: list[Page] | None = None,
    ) -> None:
        self.server = server
        self.browser = browser
        self.flavour = flavour
        self.name = re.sub(r"[^\w.=-]+", "-", name).strip("-")
        self.spare = spare
        self.pages: list[LabPage] = []

    def open(
        self,
        notebook: nbformat.NotebookNode | Path,
        *,
        width: int = 1280,
        height: int = 900,
        kernel: Mapping[str, str] = KERNEL,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        **context_options: Any,
    ) -> LabPage:
        """Copy a notebook to an empty folder of the server, show it, and wait until its kernel is idle.

        ``settings`` of JupyterLab are added to :data:`SETTINGS`. Options such as ``device_scale_factor`` and
        ``has_touch`` are those of Playwright's ``new_context``.
        """
        self.server.write_settings(settings)
        name = notebook.name if isinstance(notebook, Path) else "test.ipynb"
        node = nbformat.read(notebook, as_version=4) if isinstance(notebook, Path) else notebook
        # runs it in this kernel without a question, whichever it was saved with
        node.metadata["kernelspec"] = dict(kernel)
        path = self.server.files / secrets.token_hex(4) / name
        path.parent.mkdir()
        nbformat.write(node, path)

        if self.spare and self.flavour == "lab" and not settings and not context_options:
            page = LabPage(self, self.spare.pop(), path)
            self.pages.append(page)
            page.page.set_viewport_size({"width": width, "height": height})
            page.enter()
            return page
        context = self.browser.new_context(viewport={"width": width, "height": height}, **context_options)
        scripts = ["harness.js", *["harness_notebook6.js"] * (self.flavour == "notebook6")]
        for script in scripts:
            context.add_init_script(path=Path(__file__).with_name(script))
        page = LabPage(self, context.new_page(), path, plain=not settings and not context_options)
        self.pages.append(page)
        page.show()
        return page

    def keep_evidence(self) -> None:
        """Save a screenshot and the console log of every page."""
        for number, page in enumerate(self.pages):
            name = f"{self.name}-{number}" if number else self.name
            with suppress(Error):  # a page that has crashed
                page.screenshot(name)
            log = artifacts() / f"{name}.log"
            log.write_text("\n".join(page.log) + "\n", encoding="utf-8", errors="replace")

    def close(self, *, passed: bool = True) -> None:
        """Close the pages and end their kernels, and raise `PageError` if there was an uncaught JavaScript error.

        If the test passed, one page without documents becomes the spare one.
        """
        uncaught = [text for page in self.pages for text in page.page_errors]
        if uncaught:
            self.keep_evidence()
        for page in self.pages:
            if passed and not uncaught and self.spare == [] and page.clear():
                self.spare.append(page.page)
            else:
                page.close()
        self.server.stop_kernels()
        if uncaught:
            raise PageError("\n".join(uncaught))


class LabPage:
    """Notebook in its own page. If it is ``plain``, the next test may use it.

    Attributes
    ----------
    page : playwright.sync_api.Page
        Page for everything not covered here.
    path : pathlib.Path
        File of the notebook. Its folder is the kernel's working folder.
    errors : list of str
        Errors in the console and uncaught errors.
    page_errors : list of str
        Uncaught errors. The test fails at its end if there are any.
    log : list of str
        Complete console output.
    """

    def __init__(self, lab: Lab, page: Page, path: Path, *, plain: bool = True) -> None:
        self.lab = lab
        self.plain = plain
        self._shown = 0
        self.page = page
        self.path = path
        self.errors: list[str] = []
        self.page_errors: list[str] = []
        self.log: list[str] = []
        self._clients: list[BlockingKernelClient] = []
        self._listeners: dict[Any, Any] = {
            "console": self._on_console,
            "pageerror": lambda error: str(error) == SLOW or self._on_error(error.stack or str(error)),
            "crash": lambda _: self._on_error("the page crashed"),
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)

    def show(self) -> None:
        """Load the page (again) and wait for the notebook and its kernel."""
        known = len(self.page_errors)
        self.reload()
        self._do("ready")
        if self.lab.flavour == "notebook":  # Notebook 7 throws two errors of its own while loading
            del self.page_errors[known:]

    def reload(self) -> None:
        """Load the page (again) without waiting for the kernel, which may be busy."""
        place = self.path.relative_to(self.lab.server.files).as_posix()
        where = f"lab/workspaces/{self.path.parent.name}/tree" if self.lab.flavour == "lab" else "notebooks"
        self._shown += 1
        self.page.goto(f"{self.lab.server.url}/{where}/{place}?token={self.lab.server.token}")

    def enter(self) -> None:
        """Show the notebook in a page that has loaded JupyterLab, and wait for it and its kernel."""
        self._shown += 1
        self._do("turnTo", self.path.relative_to(self.lab.server.files).as_posix())
        self._do("ready")
        self.close_others()

    def close_others(self) -> None:
        """Close all tabs of JupyterLab but this one."""
        self._do("closeOthers")

    def clear(self) -> bool:
        """Close all documents and return if the page is then like a new one."""
        # widgets of a reloaded page may look for their kernel until later
        if not self.plain or self._shown > 1 or self.lab.flavour != "lab" or self.page.is_closed():
            return False
        known = len(self.errors)
        try:
            self.page.mouse.move(0, 0)
            clean = self._do("clear", THEMES["light"])
        except Error:  # a page that has crashed
            return False
        if not clean or len(self.errors) > known:
            return False
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)
        self._stop_clients()
        return True

    def beside(self, notebook: nbformat.NotebookNode) -> None:
        """Open ``beside.ipynb`` in a second tab of the page, which receives all actions until `turn_to`."""
        path = self.path.with_name("beside.ipynb")
        notebook.metadata["kernelspec"] = KERNEL
        nbformat.write(notebook, path)
        self.turn_to(path.name)
        self._do("ready")

    def turn_to(self, name: str) -> None:
        """Show the tab of a notebook in this folder."""
        self._do("turnTo", self.path.with_name(name).relative_to(self.lab.server.files).as_posix())

    def run_all(self, *, seconds: float = PATIENCE) -> None:
        """Run all cells and wait for the last, and raise `CellError` if one raised."""
        self._raise_for(self._do("runAll", seconds=seconds))

    def run_cell(self, index: int, *, seconds: float = PATIENCE, wait: bool = True) -> None:
        """Run a cell. With ``wait``, wait for its end and raise `CellError` if it raised."""
        if wait:
            self._raise_for(self._do("runCell", index, seconds=seconds))
        else:
            self.page.evaluate("index => { window.harness.runCell(index).catch(() => {}) }", index)

    def cell(self, index: int) -> Locator:
        """Return a cell of the visible tab with its input and output."""
        if self.lab.flavour == "notebook6":
            return self.page.locator("#notebook-container > .cell").nth(index)
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        """Return a cell's output."""
        return self.cell(index).locator(".output_wrapper" if self.lab.flavour == "notebook6" else ".jp-Cell-outputArea")

    def set_theme(self, theme: str) -> None:
        """Switch to the ``"light"`` or ``"dark"`` theme."""
        self._do("setTheme", THEMES[theme])

    def css(self, name: str, selector: str = "body") -> str:
        """Return the computed value of a CSS property or variable."""
        script = "(element, name) => getComputedStyle(element).getPropertyValue(name).trim()"
        return str(self.page.locator(selector).evaluate(script, name))

    def screenshot(self, name: str) -> Path:
        """Save a screenshot of the page among the artifacts."""
        path = artifacts() / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def save(self) -> nbformat.NotebookNode:
        """Save the notebook and return its content."""
        self._do("save")
        return nbformat.read(self.path, as_version=4)

    def value(self, expression: str, *, seconds: float = PATIENCE) -> Any:
        """Return the value of an expression in the kernel, which must be a Python literal."""
        client = self._new_client(stdin=False, hb=False, control=False)
        client.kernel_info(reply=True, timeout=seconds)
        # messages sent by the page come first, with a time limit because a camera sends them continually
        end = time.monotonic() + SETTLE_SECONDS
        with suppress(queue.Empty):
            while time.monotonic() < end:
                client.get_iopub_msg(timeout=0.2)
        asked = {"value": f"repr({expression})"}
        reply = client.execute("", silent=True, user_expressions=asked, reply=True, timeout=seconds)
        self._clients.remove(client)
        client.stop_channels()
        answer = reply["content"]["user_expressions"]["value"]
        if answer["status"] != "ok":
            raise CellError(f"{expression}: {answer['ename']}: {answer['evalue']}")
        return ast.literal_eval(ast.literal_eval(answer["data"]["text/plain"]))

    def expect_value(self, expression: str, wanted: Any, *, seconds: float = PATIENCE) -> None:
        """Wait until an expression in the kernel has this value, for messages that the page sends after a while."""
        end = time.monotonic() + seconds
        while (found := self.value(expression)) != wanted and time.monotonic() < end:
            time.sleep(0.1)
        assert found == wanted, expression

    def let_go(self) -> None:
        """Let a `BUSY` cell finish."""
        (self.path.parent / "let-go").touch()

    def hide(self) -> None:
        """Make the page report that it is in the background, where widgets do not poll."""
        self.page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")

    def unhide(self) -> None:
        """Undo `hide`."""
        self.page.evaluate("delete document.hidden")

    @contextmanager
    def without_interval(self, ms: int) -> Iterator[None]:
        """Disable the page's action at this interval while the block runs, so that results do not depend on it."""
        assert self._do("leaveOut", ms), f"no timer with an interval of {ms} ms"
        yield
        self._do("leaveOut", None)

    def kernel_client(self, *, seconds: float = PATIENCE) -> BlockingKernelClient:
        """Return a second client of the page's kernel once the kernel is idle. It is stopped with the page."""
        client = self._new_client()
        client.wait_for_ready(timeout=seconds)
        return client

    def kill_kernel(self) -> None:
        """Kill the kernel's process, like running out of memory does. The server soon starts another one."""
        process = psutil.Process(int(self._connection_file.with_suffix(".pid").read_text(encoding="ascii")))
        process.kill()
        process.wait(10)

    def shut_kernel_down(self) -> None:
        """Shut the kernel down as the menu does. It is not restarted."""
        self._do("shutdown")

    def wait_for_kernel(self) -> None:
        """Wait until the kernel is idle, including the new one after `kill_kernel`."""
        self._do("idle")

    def close(self) -> None:
        """Close the page."""
        self._stop_clients()
        self.page.context.close()

    @property
    def _connection_file(self) -> Path:
        return self.lab.server.runtime / f"kernel-{self._do('kernelId')}.json"

    def _new_client(self, **channels: bool) -> BlockingKernelClient:
        client = BlockingKernelClient()
        client.load_connection_file(str(self._connection_file))
        client.start_channels(**channels)
        self._clients.append(client)
        return client

    def _stop_clients(self) -> None:
        for client in self._clients:
            client.stop_channels()

    def _do(self, action: str, argument: Any = None, *, seconds: float = PATIENCE) -> Any:
        # the browser may drop the promise that its debugger waits for, but not the one in the window
        expression = "given => (window.running = window.harness.within(...given))"
        try:
            return self.page.evaluate(expression, [seconds, action, argument])
        except Error as error:
            if "garbage collected" not in str(error):
                raise
            return self.page.evaluate("() => window.running")

    def _raise_for(self, errors: Sequence[dict[str, Any]]) -> None:
        if errors:
            text = "\n\n".join(f"cell {error['cell']}:\n{error['text']}" for error in errors)
            raise CellError(re.sub(r"\x1b\[[\d;]*m", "", text))

    def _on_console(self, message: ConsoleMessage) -> None:
        place = message.location.get("url", "")
        self.log.append(f"{message.type}: {message.text} ({place})")
        if message.type == "error":
            self.errors.append(f"{message.text} ({place})")

    def _on_error(self, text: str) -> None:
        self.log.append(f"uncaught: {text}")
        self.errors.append(text)
        self.page_errors.append(text)


def artifacts() -> Path:
    """Return the folder for screenshots and logs."""
    folder = Path(os.environ.get(ARTIFACTS_VARIABLE) or ROOT / "test-artifacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(server: Server, log: Path, kernels: Path) -> None:
    """Wait until the server responds, or raise RuntimeError with the end of its log."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.process.poll() is None:
        with suppress(OSError):
            server.request("/api/status")
            if kernels.exists():
                return
        time.sleep(0.1)
    text = log.read_text(encoding="utf-8", errors="replace")[-3000:]
    raise RuntimeError(f"The Jupyter server did not start; its log ends with:\n{text}")


def stop(process: psutil.Process) -> None:
    """Terminate a process and its children, and kill those that remain."""
    with suppress(psutil.NoSuchProcess):
        below = process.children(recursive=True)
        process.terminate()
        _, alive = psutil.wait_procs([process, *below], timeout=10)
        for left in alive:
            left.kill()
        psutil.wait_procs(alive, timeout=10)
