"""Whether widgets will render: in JupyterLab, Notebook 7, VS Code and Colab, and in the notebook that asks.

A page shows a widget if the *server's* environment has the widget's front-end files (a "labextension"), in versions
that fit what the *kernel's* environment has. These are often two environments; both are read from their folders,
without running anything of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from customlabels_nb._utils.installing import install_command, installed_version
from customlabels_nb.diagnostics.checkup import GOOD, NOTE, PROBLEM, WARNING, DiagnosticLine

#: The labextensions that our widgets need.
_MANAGER, _ANYWIDGET = "@jupyter-widgets/jupyterlab-manager", "anywidget"
_PYTHON = re.compile(r"pythonw?[0-9.]*(\.exe)?", re.IGNORECASE)
_SHELL_EXEC = re.compile(r"^'''exec'? +\"?(/[^\"\n]*?python[0-9.]*)\"? ", re.MULTILINE)

TERMINAL, LAB, NOTEBOOK, VSCODE, COLAB, UNKNOWN = "terminal", "JupyterLab", "Notebook", "VS Code", "Colab", "unknown"
#: What a server's command line says → the front-end that people see. Single-user servers of a hub show JupyterLab.
_SERVERS = {
    "jupyter-lab": LAB,
    "jupyterlab": LAB,
    "jupyter-labhub": LAB,
    "jupyterhub-singleuser": LAB,
    "jupyter-server": LAB,
    "jupyter_server": LAB,
    "jupyter-notebook": NOTEBOOK,
    "notebook": NOTEBOOK,
}

_AGAIN = "then start it again and reload the page"
#: ipywidgets in the kernel → the page's widget manager that speaks with it.
_MANAGERS = {"8": "5", "7": "3"}
Fault = tuple[str, str]


def widgets() -> Iterator[DiagnosticLine]:
    """The lines for where this process is."""
    place = _this_place()
    own = environment_at(Path(sys.prefix))
    if place.front_end != TERMINAL:
        yield this_notebook(place, own)
    yield jupyterlab(own)
    yield from on_path(own)
    yield notebook(own)
    yield vs_code(own)
    if place.front_end != COLAB:
        text = "works there without more: the first widget switches Colab's manager for custom widgets on"
        yield DiagnosticLine("widgets", "Colab", NOTE, text, "There, in a cell: %pip install customlabels-nb")


def faults(server: Environment, kernel: Environment | None = None) -> list[Fault]:
    """Why a page of this server would not show widgets of that kernel: what is wrong, and what to do.

    Parameters
    ----------
    server : Environment
    kernel : Environment, optional
        The environment of the kernel; the one that this code runs in by default.
    """
    has = installed_version if kernel is None else kernel.version_of
    lab = server.version_of("jupyterlab")
    if lab is None:
        return [("JupyterLab isn't installed there", f"{server.install('jupyterlab')}, {_AGAIN}.")]
    if _parts(lab, 1) < (4,):
        return [(f"JupyterLab is {lab}; 4 or newer is needed", f"{server.install('-U', 'jupyterlab')}, {_AGAIN}.")]
    found = []
    ipywidgets, anywidget = has("ipywidgets"), has("anywidget")
    manager = server.extension(_MANAGER)
    wanted = _MANAGERS.get((ipywidgets or "8").partition(".")[0])
    if manager is None or (wanted is not None and manager.partition(".")[0] != wanted):
        is_what = "is missing" if manager is None else f"is {manager}, which doesn't fit ipywidgets {ipywidgets}"
        is_damaged = manager is None and server.version_of("jupyterlab-widgets") is not None
        again = server.install("--force-reinstall", "jupyterlab-widgets")
        command = again if is_damaged else server.repair("ipywidgets", ipywidgets)
        found.append((f"the page's part of ipywidgets {is_what}", command))
    extension = server.extension(_ANYWIDGET)
    if extension is None:
        found.append(("the page's part of anywidget is missing", server.repair("anywidget", anywidget)))
    elif anywidget is not None and _parts(extension, 2) != _parts(anywidget, 2):
        what = f"the page's part of anywidget is {extension}, the kernel's {anywidget}: they don't fit"
        found.append((what, server.repair("anywidget", anywidget)))
    found = [(what, f"{command}, {_AGAIN}.") for what, command in found]
    for name in (_MANAGER, _ANYWIDGET):
        if server.is_disabled(name):
            command = f"{server.python} -m jupyter labextension enable {name}"
            found.append((f"the extension {name} is switched off", f"{command}, {_AGAIN}."))
    return found


def this_notebook(place: NotebookServer, own: Environment) -> DiagnosticLine:
    """The line for the notebook in which this runs."""
    if place.front_end == COLAB:
        return _colab()
    if place.front_end == VSCODE:
        line = vs_code(own)
        return DiagnosticLine("widgets", "this notebook", line.state, f"VS Code; {line.text}", line.advice)
    if place.server_python is None:
        title = "" if place.front_end == UNKNOWN else f" ({place.front_end})"
        text = f"the server that shows it can't be seen from here{title}"
        advice = "Run: import ipywidgets; ipywidgets.IntSlider() — where a slider shows, widgets render."
        return DiagnosticLine("widgets", "this notebook", NOTE, text, advice)
    server = environment_at(prefix_of(place.server_python))
    where = "this environment" if server.is_own else str(server.prefix)
    wrong = faults(server)
    if wrong:
        what, advice = _together(wrong)
        text = f"{place.front_end} of {where} can't show widgets: {what}"
        return DiagnosticLine("widgets", "this notebook", PROBLEM, text, advice)
    return DiagnosticLine("widgets", "this notebook", GOOD, f"{place.front_end} of {where}: widgets render")


def jupyterlab(own: Environment) -> DiagnosticLine:
    """The line for the JupyterLab of this environment, which ``customlabels-nb lab`` starts."""
    wrong = faults(own, own)
    if wrong:
        what, advice = _together(wrong)
        return DiagnosticLine("widgets", "JupyterLab", PROBLEM, f"widgets will not render: {what}", advice)
    other = _other_kernel(own, own)
    if other is not None:
        return DiagnosticLine("widgets", "JupyterLab", WARNING, *other)
    text = f"{own.version_of('jupyterlab')}, anywidget {own.extension(_ANYWIDGET)}: widgets render"
    return DiagnosticLine("widgets", "JupyterLab", GOOD, text)


def on_path(own: Environment, path: str | None = None) -> Iterator[DiagnosticLine]:
    """The line for the ``jupyter lab`` that a terminal finds; none where that is the one of this environment.

    Parameters
    ----------
    own : Environment
    path : str, optional
        As the variable PATH names folders; that one by default.
    """
    start = "Use `customlabels-nb lab`, which starts the one of this environment"
    script = shutil.which("jupyter-lab", path=path)
    if script is None:
        yield DiagnosticLine("widgets", "jupyter lab", NOTE, "no such command is on PATH", f"{start}.")
        return
    python = python_of(Path(script))
    if python is None:
        text = f"{script} doesn't say which environment it is of"
        yield DiagnosticLine("widgets", "jupyter lab", NOTE, text, f"{start}, or run cl.doctor() in a notebook.")
        return
    server = environment_at(prefix_of(python)) if own.shared else Environment(prefix_of(python))
    if _same_folder(server.prefix, own.prefix):
        return
    head = f"the one on PATH is of another environment, {server.prefix}"
    wrong = faults(server, own)
    if wrong:
        what, advice = _together(wrong)
        yield DiagnosticLine("widgets", "jupyter lab", WARNING, f"{head}, and there {what}", f"{start}. Or: {advice}")
        return
    other = _other_kernel(server, own)
    if other is not None:
        yield DiagnosticLine("widgets", "jupyter lab", WARNING, f"{head}; {other[0]}", f"{start}. Or: {other[1]}")
        return
    yield DiagnosticLine("widgets", "jupyter lab", GOOD, f"{head}: widgets render, and it has a kernel of this one")


def notebook(own: Environment) -> DiagnosticLine:
    """The line for Notebook 7, which shows widgets with JupyterLab's parts."""
    found = own.version_of("notebook")
    if found is None:
        advice = f"If you want it: {own.install('notebook')}"
        return DiagnosticLine("widgets", "Notebook 7", NOTE, "not installed; JupyterLab does the same", advice)
    if _parts(found, 1) < (7,):
        text = f"Notebook is {found}; 7 or newer is needed"
        return DiagnosticLine("widgets", "Notebook 7", WARNING, text, f"{own.install('-U', 'notebook')}, {_AGAIN}.")
    wrong = faults(own, own)
    if wrong:
        what, advice = _together(wrong)
        return DiagnosticLine("widgets", "Notebook 7", WARNING, f"widgets will not render: {what}", advice)
    return DiagnosticLine("widgets", "Notebook 7", GOOD, f"{found}: widgets render")


def vs_code(own: Environment) -> DiagnosticLine:
    """The line for VS Code: it brings its own page, and takes the widgets' code from the kernel's environment."""
    lacking = [name for name in ("ipykernel", "ipywidgets", "anywidget") if own.version_of(name) is None]
    if lacking:
        text = f"{' and '.join(lacking)} missing in this environment"
        return DiagnosticLine("widgets", "VS Code", WARNING, text, f"{own.install(*lacking)}, then restart the kernel.")
    if not own.has_nbextension(_ANYWIDGET):
        text = "anywidget's files for it are missing; VS Code would fetch them from the network, if it is allowed to"
        command = own.repair("anywidget", own.version_of("anywidget"))
        return DiagnosticLine("widgets", "VS Code", WARNING, text, f"{command}, then restart the kernel.")
    text = f"with its Jupyter extension and the Python {own.python} as kernel: widgets render"
    return DiagnosticLine("widgets", "VS Code", GOOD, text)


def _colab() -> DiagnosticLine:
    if "google.colab.output" not in sys.modules:
        advice = "Run: from google.colab import output; output.enable_custom_widget_manager()"
        return DiagnosticLine("widgets", "this notebook", WARNING, "Colab, without its module for outputs", advice)
    sys.modules["google.colab.output"].enable_custom_widget_manager()  # saying it twice does no harm
    return DiagnosticLine(
        "widgets", "this notebook", GOOD, "Colab: its manager for custom widgets is on, widgets render"
    )


def _other_kernel(server: Environment, kernel: Environment) -> Fault | None:
    """What is wrong if the server offers no kernel that is ``kernel``'s Python, or an other one by default."""
    offered = list(server.kernels())
    at_home = _same_folder(server.prefix, kernel.prefix)
    fitting = [
        offer.name
        for offer in offered
        if (at_home if offer.python is None else _same_folder(prefix_of(offer.python), kernel.prefix))
    ]
    register = f"{kernel.python} -m ipykernel install --user --name customlabels --display-name customlabels"
    if not fitting:
        return "it has no kernel of this environment", f"{register}, and choose that kernel in the notebook."
    default = next((offer for offer in offered if offer.name == "python3"), None)
    if at_home and default is not None and "python3" not in fitting:
        return (
            f"its kernel 'python3' starts another Python, {default.python}",
            f"Remove {default.folder}, or choose the kernel {fitting[0]!r} in the notebook.",
        )
    return None


def _together(wrong: Sequence[Fault]) -> Fault:
    return " and ".join(what for what, _ in wrong), " ".join(advice for _, advice in wrong)


def _parts(text: str, count: int) -> tuple[int, ...]:
    from packaging.version import Version

    return Version(text).release[:count]


@dataclass(frozen=True)
class _Kernel:
    """A kernel that a server offers: its name, and the Python that it starts (None: the server's own)."""

    name: str
    python: Path | None
    folder: Path


@dataclass(frozen=True)
class Environment:
    """A Python environment as a Jupyter server in it would find its parts.

    Attributes
    ----------
    prefix : Path
        The environment's folder, with ``bin``, ``lib`` and ``share`` (on Windows ``Scripts`` and ``Lib``) below.
    shared : sequence of Path
        Jupyter's data folders outside of it: the person's and the machine's.
    config : sequence of Path
        Its configuration folders outside of it.
    """

    prefix: Path
    shared: Sequence[Path] = ()
    config: Sequence[Path] = ()

    @property
    def is_own(self) -> bool:
        """Whether the Python that asks is of this environment."""
        return _same_folder(self.prefix, Path(sys.prefix))

    @property
    def python(self) -> Path:
        """The command for this environment's Python."""
        names = ("Scripts/python.exe", "python.exe", "bin/python", "bin/python3")
        present = [self.prefix / name for name in names if (self.prefix / name).exists()]
        return present[0] if present else self.prefix / "bin" / "python"

    def version_of(self, package: str) -> str | None:
        """The version of an installed package; None if it isn't there."""
        folders = [*self.prefix.glob("lib/python3*/site-packages"), *self.prefix.glob("lib/python3*/dist-packages")]
        folders += self.prefix.glob("Lib/site-packages")
        if self.is_own:
            folders += [Path(entry) for entry in sys.path if entry]
        found = next(iter(distributions(name=package, path=[str(folder) for folder in folders])), None)
        return None if found is None else found.version

    def extension(self, name: str) -> str | None:
        """The version of a labextension that this environment's JupyterLab would load; None if there is none."""
        for folder in self._data():
            description = _json(folder / "labextensions" / name / "package.json")
            if description is not None:
                return str(description.get("version", "0"))
        return None

    def is_disabled(self, name: str) -> bool:
        """Whether somebody switched a labextension off."""
        answer = False
        for folder in (*self.config, self.prefix / "etc" / "jupyter"):
            page = _json(folder / "labconfig" / "page_config.json") or {}
            switched = page.get("disabledExtensions", {})
            off = switched if isinstance(switched, list) else [key for key, is_off in switched.items() if is_off]
            answer = answer or any(str(key).partition(":")[0] == name for key in off)
        return answer

    def has_nbextension(self, name: str) -> bool:
        """Whether the files are there from which VS Code takes a widget."""
        return any((folder / "nbextensions" / name / "index.js").is_file() for folder in self._data())

    def kernels(self) -> Iterator[_Kernel]:
        """The Python kernels that a server of this environment offers, each name once, as it would be found."""
        seen = set()
        for folder in self._data():
            for file in sorted((folder / "kernels").glob("*/kernel.json")):
                argv = (_json(file) or {}).get("argv") or [""]
                name, program = file.parent.name.lower(), str(argv[0])
                if name in seen or not _PYTHON.fullmatch(re.split(r"[/\\]", program)[-1]):
                    continue
                seen.add(name)
                yield _Kernel(name, Path(program) if re.search(r"[/\\]", program) else None, file.parent)
        if "python3" not in seen:
            yield _Kernel("python3", None, self.prefix / "share" / "jupyter" / "kernels" / "python3")

    def repair(self, package: str, version: str | None) -> str:
        """The command that installs ``package`` here, or again where only its files for the page are missing."""
        wanted = f"{package}=={version}" if version else package
        is_there = version is not None and self.version_of(package) == version
        return self.install(*["--force-reinstall"] * is_there, wanted)

    def install(self, *what: str) -> str:
        """The command that installs ``what``, requirements and options, here."""
        return install_command(*what, python=self.python, has_pip=self.version_of("pip") is not None)

    def _data(self) -> list[Path]:
        own = self.prefix / "share" / "jupyter"
        is_virtual = (self.prefix / "pyvenv.cfg").is_file() or (self.prefix / "conda-meta").is_dir()
        return [own, *self.shared] if is_virtual else [*self.shared, own]


def environment_at(prefix: Path) -> Environment:
    """The environment at ``prefix``, with the folders of the person and the machine that its Jupyter looks into."""
    from jupyter_core import paths

    named = [Path(entry) for entry in os.environ.get("JUPYTER_PATH", "").split(os.pathsep) if entry]
    shared = [*named, Path(paths.jupyter_data_dir()), *map(Path, paths.SYSTEM_JUPYTER_PATH)]
    config = [Path(paths.jupyter_config_dir()), *map(Path, paths.SYSTEM_CONFIG_PATH)]
    return Environment(prefix, shared, config)


def python_of(script: Path) -> Path | None:
    """The Python that runs an installed command, from its first lines; None where these don't say."""
    if script.suffix.lower() == ".exe":
        beside = (script.parent / "python.exe", script.parent.parent / "python.exe")
        return next((path for path in beside if path.is_file()), None)
    try:
        with script.open("rb") as file:
            head = os.fsdecode(file.read(2000))
    except OSError:
        return None
    words = head.partition("\n")[0].removeprefix("#!").strip()
    if not head.startswith("#!"):
        return None
    if words.startswith("/usr/bin/env ") and _PYTHON.fullmatch(words.split()[-1]):
        found = shutil.which(words.split()[-1])
        return Path(found) if found else None
    if _PYTHON.fullmatch(words.rpartition("/")[2]):
        return Path(words)
    wrapped = _SHELL_EXEC.search(head)  # what installers write where the path is too long for a first line
    return Path(wrapped[1]) if wrapped else None


def prefix_of(python: Path) -> Path:
    """The folder of the environment that a Python is of; links are not followed, as venv's Python is one."""
    return python.parent.parent if python.parent.name.lower() in ("bin", "scripts") else python.parent


def _same_folder(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder."""
    return os.path.realpath(one) == os.path.realpath(other)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        read = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None


@dataclass(frozen=True)
class NotebookServer:
    """The front-end's name, and the Python of the server that started the kernel, where it can be seen."""

    front_end: str
    server_python: Path | None = None


def _this_place() -> NotebookServer:
    """Where this very process is."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or not hasattr(shell, "kernel"):
        return NotebookServer(TERMINAL)
    return place_of(shell.user_ns, os.environ, _parents(), sys.modules)


def place_of(
    namespace: Mapping[str, Any],
    environment: Mapping[str, str],
    parents: Sequence[tuple[Sequence[str], Path | None]],
    modules: Mapping[str, Any],
) -> NotebookServer:
    """Where a kernel is.

    Parameters
    ----------
    namespace : mapping
        The variables of the kernel; VS Code keeps the notebook's path among them.
    environment : mapping
        Environment variables. Those of VS Code are inherited by what is started in its terminal: they count last.
    parents : sequence of (command line, Python or None)
        The processes above the kernel's, the nearest first.
    modules : mapping
        What is imported; Colab imports its own package into each kernel.
    """
    if "google.colab" in modules or "COLAB_RELEASE_TAG" in environment:
        return NotebookServer(COLAB)
    if "__vsc_ipynb_file__" in namespace:
        return NotebookServer(VSCODE)
    for command, python in parents:
        for word in _told_apart(command):
            if word in _SERVERS:
                return NotebookServer(_SERVERS[word], python)
    return NotebookServer(VSCODE if any(name.startswith("VSCODE_") for name in environment) else UNKNOWN)


def _told_apart(command: Sequence[str]) -> list[str]:
    """The words of a command line that can name its program: the first ones, and what follows ``-m``."""
    words = [Path(word).name.removesuffix(".exe") for word in command[:4]]
    if "-m" in words:
        return [words[words.index("-m") + 1].partition(".")[0]] if words.index("-m") + 1 < len(words) else []
    named = words[:2]
    if "jupyter" in named:  # jupyter lab, with a space
        named += [f"jupyter-{word}" for word in words[named.index("jupyter") + 1 :][:1]]
    return [word for word in named if word not in ("notebook", "jupyterlab")]


def _parents() -> list[tuple[Sequence[str], Path | None]]:
    import psutil

    found: list[tuple[Sequence[str], Path | None]] = []
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process().parents():
            with contextlib.suppress(psutil.Error):
                found.append((process.cmdline(), _python_of(process)))
    return found


def _python_of(process: Any) -> Path | None:
    """The Python of a process as it was called: behind a virtual environment's link stands another path."""
    import psutil

    command = process.cmdline()
    program = Path(command[0]) if command else Path()
    if program.is_absolute():
        return program
    with contextlib.suppress(psutil.Error):
        found = shutil.which(program.name, path=process.environ().get("PATH"))
        if found:
            return Path(found)
    with contextlib.suppress(psutil.Error):
        return Path(process.exe())
    return None
