"""Check whether widgets will render in JupyterLab, Notebook, VS Code, Colab and the current notebook.

A page renders a widget if the environment of the *server* has the widget's front-end files (a "labextension"), in a
version compatible with the packages in the environment of the *kernel*. These are often two different environments.
Both are inspected through their files, without running any of their code.
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
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from customlabels_nb._utils.installing import install_command, installed_version
from customlabels_nb.diagnostics.checkup import GOOD, NOTE, PROBLEM, WARNING, DiagnosticLine

#: The labextensions that the widgets need.
_MANAGER, _ANYWIDGET = "@jupyter-widgets/jupyterlab-manager", "anywidget"
_PYTHON = re.compile(r"pythonw?[0-9.]*(\.exe)?", re.IGNORECASE)
_SHELL_EXEC = re.compile(r"^'''exec'? +\"?(/[^\"\n]*?python[0-9.]*)\"? ", re.MULTILINE)

TERMINAL, LAB, NOTEBOOK, VSCODE, COLAB, UNKNOWN = "terminal", "JupyterLab", "Notebook", "VS Code", "Colab", "unknown"
#: Command name of a server → its front end. Single-user servers of a JupyterHub show JupyterLab.
_LABS = ("jupyter-lab", "jupyterlab", "jupyter-labhub", "jupyterhub-singleuser", "jupyter-server", "jupyter_server")
_SERVERS = {**dict.fromkeys(_LABS, LAB), "jupyter-notebook": NOTEBOOK, "notebook": NOTEBOOK}

_AGAIN = "then restart it and reload the page"
#: Major version of ipywidgets in the kernel → required major version of the widget manager in the page.
_MANAGERS = {"8": "5", "7": "3"}
#: Files of widgets that VS Code and Notebook 6 load.
_ANYWIDGET_FILE, _MANAGER_FILE = "anywidget/index.js", "jupyter-js-widgets/extension.js"
Fault = tuple[str, str]
_of_widgets = partial(DiagnosticLine, "widgets")


def widgets() -> Iterator[DiagnosticLine]:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    notebook_place = NotebookServer(TERMINAL)
    if shell is not None and hasattr(shell, "kernel"):
        notebook_place = place_of(shell.user_ns, os.environ, _parents(), sys.modules)
    here = environment_at(Path(sys.prefix))
    if notebook_place.front_end != TERMINAL:
        yield this_notebook(notebook_place, here)
    if notebook_place.front_end == COLAB:
        return  # no other front end opens its notebooks
    yield jupyterlab(here)
    yield from on_path(here)
    yield notebook(here)
    yield vs_code(here)
    text = "widgets render there, because the first widget enables Colab's custom widget manager"
    yield _of_widgets("Colab", NOTE, text, "In a Colab cell: %pip install customlabels-nb")


def faults(server: Environment, kernel: Environment | None = None, front_end: str = LAB) -> list[Fault]:
    """Find the reasons why pages of a server would not render widgets of a kernel, with advice for each."""
    has = installed_version if kernel is None else kernel.version_of
    lab = server.version_of("jupyterlab")
    if front_end == NOTEBOOK and _parts(server.version_of("notebook") or "7", 1) < (7,):
        found = [
            (f"the front end of {package} is missing", server.repair(package, has(package)))
            for package, file in (("widgetsnbextension", _MANAGER_FILE), ("anywidget", _ANYWIDGET_FILE))
            if not server.has_nbextension(file)
        ]
    elif lab is None:
        found = [("JupyterLab is not installed in that environment", server.install("jupyterlab"))]
    elif _parts(lab, 1) < (4,):
        found = [(f"JupyterLab is {lab}, 4 or newer is required", server.install("-U", "jupyterlab"))]
    else:
        found = [
            *_manager_faults(server, has("ipywidgets")),
            *_anywidget_faults(server, has("anywidget")),
            *(
                (f"the extension {name} is disabled", f"{server.python} -m jupyter labextension enable {name}")
                for name in (_MANAGER, _ANYWIDGET)
                if server.is_disabled(name)
            ),
        ]
    return [(what, f"{command}, {_AGAIN}.") for what, command in found]


def _manager_faults(server: Environment, ipywidgets: str | None) -> Iterator[Fault]:
    """Yield what is wrong with the widget manager of JupyterLab for the kernel's ipywidgets, and the command."""
    manager = server.extension(_MANAGER)
    wanted = _MANAGERS.get((ipywidgets or "8").partition(".")[0])
    if manager is None or (wanted is not None and manager.partition(".")[0] != wanted):
        is_what = "is missing" if manager is None else f"is {manager}, incompatible with ipywidgets {ipywidgets}"
        is_damaged = manager is None and server.version_of("jupyterlab-widgets") is not None
        again = server.install("--force-reinstall", "jupyterlab-widgets")
        command = again if is_damaged else server.repair("ipywidgets", ipywidgets)
        yield f"the front end of ipywidgets {is_what}", command


def _anywidget_faults(server: Environment, anywidget: str | None) -> Iterator[Fault]:
    """Yield what is wrong with JupyterLab's extension for the kernel's anywidget, and the command."""
    extension = server.extension(_ANYWIDGET)
    if extension is None:
        yield "the front end of anywidget is missing", server.repair("anywidget", anywidget)
    elif anywidget is not None and _parts(extension, 2) != _parts(anywidget, 2):
        what = f"the front end of anywidget is {extension}, incompatible with the kernel's {anywidget}"
        yield what, server.repair("anywidget", anywidget)


def this_notebook(front_end: NotebookServer, environment: Environment) -> DiagnosticLine:
    if front_end.front_end == COLAB:
        if "google.colab.output" not in sys.modules:
            advice = "Run: from google.colab import output; output.enable_custom_widget_manager()"
            return _of_widgets("this notebook", WARNING, "Colab without its output module", advice)
        sys.modules["google.colab.output"].enable_custom_widget_manager()  # may be called more than once
        return _of_widgets("this notebook", GOOD, "Colab: the custom widget manager is enabled, widgets render")
    if front_end.front_end == VSCODE:
        line = vs_code(environment)
        return _of_widgets("this notebook", line.state, f"VS Code; {line.text}", line.advice)
    if front_end.server_python is None:
        title = "" if front_end.front_end == UNKNOWN else f" ({front_end.front_end})"
        text = f"its Jupyter server is unknown{title}"
        advice = "Run: import ipywidgets; ipywidgets.IntSlider(). If a slider appears, widgets render."
        return _of_widgets("this notebook", NOTE, text, advice)
    server = environment_at(prefix_of(front_end.server_python))
    where = "this environment" if server.is_own else str(server.prefix)
    if wrong := _together(faults(server, front_end=front_end.front_end)):
        what, advice = wrong
        text = f"{front_end.front_end} of {where} cannot show widgets: {what}"
        return _of_widgets("this notebook", PROBLEM, text, advice)
    return _of_widgets("this notebook", GOOD, f"{front_end.front_end} of {where}: widgets render")


def jupyterlab(environment: Environment) -> DiagnosticLine:
    """Return the report line for JupyterLab in this environment, which ``customlabels-nb lab`` starts."""
    if wrong := _together(faults(environment, environment)):
        what, advice = wrong
        return _of_widgets("JupyterLab", PROBLEM, f"widgets will not render: {what}", advice)
    other = _other_kernel(environment, environment)
    if other is not None:
        return _of_widgets("JupyterLab", WARNING, *other)
    text = f"{environment.version_of('jupyterlab')}, anywidget {environment.extension(_ANYWIDGET)}: widgets render"
    return _of_widgets("JupyterLab", GOOD, text)


def on_path(environment: Environment, path: str | None = None) -> Iterator[DiagnosticLine]:
    """Yield the report line for the ``jupyter lab`` on PATH, unless it belongs to this environment."""
    start = "Use `customlabels-nb lab`, which starts the JupyterLab of this environment"
    script = shutil.which("jupyter-lab", path=path)
    if script is None:
        yield _of_widgets("jupyter lab", NOTE, "no such command is on PATH", f"{start}.")
        return
    python = python_of(Path(script))
    if python is None:
        text = f"cannot determine the environment of {script}"
        yield _of_widgets("jupyter lab", NOTE, text, f"{start}, or run cl.doctor() in a notebook.")
        return
    server = environment_at(prefix_of(python)) if environment.shared else Environment(prefix_of(python))
    if _same_folder(server.prefix, environment.prefix):
        return
    head = f"the command on PATH belongs to a different environment, {server.prefix}"
    if wrong := _together(faults(server, environment)):
        what, advice = wrong
        yield _of_widgets("jupyter lab", WARNING, f"{head}, and there {what}", f"{start}. Or: {advice}")
        return
    other = _other_kernel(server, environment)
    if other is not None:
        yield _of_widgets("jupyter lab", WARNING, f"{head}, and {other[0]}", f"{start}. Or: {other[1]}")
        return
    yield _of_widgets("jupyter lab", GOOD, f"{head}: widgets render, with a kernel of this environment")


def notebook(environment: Environment) -> DiagnosticLine:
    """Return the report line for Notebook. Notebook 7 renders widgets with JupyterLab's extensions, 6 with its own."""
    version = environment.version_of("notebook")
    if version is None:
        advice = f"To install it: {environment.install('notebook')}"
        return _of_widgets("Notebook", NOTE, "not installed, JupyterLab is sufficient", advice)
    if _parts(version, 2) < (6, 5):
        text = f"Notebook is {version}, 6.5 or newer is required"
        advice = f"{environment.install('-U', 'notebook')}, {_AGAIN}."
        return _of_widgets("Notebook", WARNING, text, advice)
    if wrong := _together(faults(environment, environment, NOTEBOOK)):
        what, advice = wrong
        return _of_widgets("Notebook", WARNING, f"{version}: widgets will not render: {what}", advice)
    return _of_widgets("Notebook", GOOD, f"{version}: widgets render")


def vs_code(environment: Environment) -> DiagnosticLine:
    """Return the report line for VS Code, which loads the code of widgets from the kernel's environment."""
    lacking = [name for name in ("ipykernel", "ipywidgets", "anywidget") if environment.version_of(name) is None]
    if lacking:
        text = f"{' and '.join(lacking)} missing in this environment"
        command = environment.install(*lacking)
        return _of_widgets("VS Code", WARNING, text, f"{command}, then restart the kernel.")
    if not environment.has_nbextension(_ANYWIDGET_FILE):
        text = "anywidget's files for VS Code are missing, so it would have to download them"
        command = environment.repair("anywidget", environment.version_of("anywidget"))
        return _of_widgets("VS Code", WARNING, text, f"{command}, then restart the kernel.")
    text = f"widgets render with its Jupyter extension and the Python {environment.python} as kernel"
    return _of_widgets("VS Code", GOOD, text)


def _other_kernel(server: Environment, kernel: Environment) -> Fault | None:
    """Return the problem if the server has no kernel with the Python of ``kernel``, or a different default kernel."""
    offered = list(server.kernels())
    at_home = _same_folder(server.prefix, kernel.prefix)
    fitting = [
        offer.name
        for offer in offered
        if (at_home if offer.python is None else _same_folder(prefix_of(offer.python), kernel.prefix))
    ]
    register = f"{kernel.python} -m ipykernel install --user --name customlabels --display-name customlabels"
    if not fitting:
        return "it has no kernel of this environment", f"{register}, then choose that kernel in the notebook."
    default = next((offer for offer in offered if offer.name == "python3"), None)
    if at_home and default is not None and "python3" not in fitting:
        return (
            f"its kernel 'python3' starts a different Python, {default.python}",
            f"Remove {default.folder}, or choose the kernel {fitting[0]!r} in the notebook.",
        )
    return None


def _together(wrong: Sequence[Fault]) -> Fault | None:
    return (" and ".join(what for what, _ in wrong), " ".join(advice for _, advice in wrong)) if wrong else None


def _parts(text: str, count: int) -> tuple[int, ...]:
    from packaging.version import Version

    return Version(text).release[:count]


@dataclass(frozen=True)
class _Kernel:
    """Kernel that a server offers, with the Python that it starts (None for the server's own Python)."""

    name: str
    python: Path | None
    folder: Path


@dataclass(frozen=True)
class Environment:
    """Python environment as seen by a Jupyter server in it, with Jupyter's folders outside it."""

    prefix: Path
    shared: Sequence[Path] = ()
    config: Sequence[Path] = ()

    @property
    def is_own(self) -> bool:
        return _same_folder(self.prefix, Path(sys.prefix))

    @property
    def python(self) -> Path:
        names = ("Scripts/python.exe", "python.exe", "bin/python", "bin/python3")
        present = [self.prefix / name for name in names if (self.prefix / name).exists()]
        return present[0] if present else self.prefix / "bin" / "python"

    def version_of(self, package: str) -> str | None:
        folders = [*self.prefix.glob("lib/python3*/site-packages"), *self.prefix.glob("lib/python3*/dist-packages")]
        folders += self.prefix.glob("Lib/site-packages")
        if self.is_own:
            folders += [Path(entry) for entry in sys.path if entry]
        distribution = next(iter(distributions(name=package, path=[str(folder) for folder in folders])), None)
        return None if distribution is None else distribution.version

    def extension(self, name: str) -> str | None:
        """Return the version of a labextension that JupyterLab would load in this environment, or None."""
        for folder in self._data():
            description = _json(folder / "labextensions" / name / "package.json")
            if description is not None:
                return str(description.get("version", "0"))
        return None

    def is_disabled(self, name: str) -> bool:
        for folder in (*self.config, self.prefix / "etc" / "jupyter"):
            page = _json(folder / "labconfig" / "page_config.json") or {}
            switched = page.get("disabledExtensions", {})
            off = switched if isinstance(switched, list) else [key for key, is_off in switched.items() if is_off]
            if any(str(key).partition(":")[0] == name for key in off):
                return True
        return False

    def has_nbextension(self, file: str) -> bool:
        """Check whether a file of widgets that VS Code and Notebook 6 load is installed."""
        return any((folder / "nbextensions" / file).is_file() for folder in self._data())

    def kernels(self) -> Iterator[_Kernel]:
        """Yield the Python kernels that a server in this environment offers, only the first one of each name."""
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
        """Return the command that installs ``package`` in this environment, or reinstalls the same version."""
        wanted = f"{package}=={version}" if version else package
        is_there = version is not None and self.version_of(package) == version
        return self.install(*["--force-reinstall"] * is_there, wanted)

    def install(self, *what: str) -> str:
        """Return the command that installs ``what`` (requirements and options) in this environment."""
        return install_command(*what, python=self.python, has_pip=self.version_of("pip") is not None)

    def _data(self) -> list[Path]:
        in_prefix = self.prefix / "share" / "jupyter"
        is_virtual = (self.prefix / "pyvenv.cfg").is_file() or (self.prefix / "conda-meta").is_dir()
        return [in_prefix, *self.shared] if is_virtual else [*self.shared, in_prefix]


def environment_at(prefix: Path) -> Environment:
    """Return the environment at ``prefix``, with the user and system folders that Jupyter reads."""
    from jupyter_core import paths

    named = [Path(entry) for entry in os.environ.get("JUPYTER_PATH", "").split(os.pathsep) if entry]
    shared = [*named, Path(paths.jupyter_data_dir()), *map(Path, paths.SYSTEM_JUPYTER_PATH)]
    config = [Path(paths.jupyter_config_dir()), *map(Path, paths.SYSTEM_CONFIG_PATH)]
    return Environment(prefix, shared, config)


def python_of(script: Path) -> Path | None:
    """Return the Python that runs an installed script according to its first lines, or None if they do not name one."""
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
        executable = shutil.which(words.split()[-1])
        return Path(executable) if executable else None
    if _PYTHON.fullmatch(words.rpartition("/")[2]):
        return Path(words)
    wrapped = _SHELL_EXEC.search(head)  # installers write this when the path is too long for a shebang
    return Path(wrapped[1]) if wrapped else None


def prefix_of(python: Path) -> Path:
    """Return the environment folder of a Python, without following links, because the Python of a venv is a link."""
    return python.parent.parent if python.parent.name.lower() in ("bin", "scripts") else python.parent


def _same_folder(first: Path, other: Path) -> bool:
    return os.path.realpath(first) == os.path.realpath(other)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        read = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None


@dataclass(frozen=True)
class NotebookServer:
    """Front end of a notebook, and the Python of the server that started its kernel, if known."""

    front_end: str
    server_python: Path | None = None


def place_of(
    namespace: Mapping[str, Any],
    environment: Mapping[str, str],
    parents: Sequence[tuple[Sequence[str], Path | None]],
    modules: Mapping[str, Any],
) -> NotebookServer:
    """Detect the front end of a kernel, from environment variables last, because VS Code's terminals pass theirs on."""
    if "google.colab" in modules or "COLAB_RELEASE_TAG" in environment:
        return NotebookServer(COLAB)
    if "__vsc_ipynb_file__" in namespace:
        return NotebookServer(VSCODE)
    for command, python in parents:
        for word in _program_words(command):
            if word in _SERVERS:
                return NotebookServer(_SERVERS[word], python)
    return NotebookServer(VSCODE if any(name.startswith("VSCODE_") for name in environment) else UNKNOWN)


def _program_words(command: Sequence[str]) -> list[str]:
    """Return the words of a command line that may name its program: the first ones, or the one after ``-m``."""
    words = [Path(word).name.removesuffix(".exe") for word in command[:4]]
    if "-m" in words:
        return [words[words.index("-m") + 1].partition(".")[0]] if words.index("-m") + 1 < len(words) else []
    named = words[:2]
    if "jupyter" in named:  # jupyter lab, with a space
        named += [f"jupyter-{word}" for word in words[named.index("jupyter") + 1 :][:1]]
    return [word for word in named if word not in ("notebook", "jupyterlab")]


def _parents() -> list[tuple[Sequence[str], Path | None]]:
    import psutil

    parents: list[tuple[Sequence[str], Path | None]] = []
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process().parents():
            with contextlib.suppress(psutil.Error):
                parents.append((process.cmdline(), _python_of(process)))
    return parents


def _python_of(process: Any) -> Path | None:
    """Return the Python of a process as it was invoked, without resolving the link of a virtual environment."""
    import psutil

    command = process.cmdline()
    program = Path(command[0]) if command else Path()
    if program.is_absolute():
        return program
    with contextlib.suppress(psutil.Error):
        executable = shutil.which(program.name, path=process.environ().get("PATH"))
        if executable:
            return Path(executable)
    with contextlib.suppress(psutil.Error):
        return Path(process.exe())
    return None
