"""Whether widgets will render: in JupyterLab, Notebook 7, VS Code and Colab, and in the notebook that asks."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from customlabels_nb._utils.installing import installed_version
from customlabels_nb.diagnostics import places
from customlabels_nb.diagnostics.diagnostic_lines import GOOD, NOTE, PROBLEM, WARNING, DiagnosticLine
from customlabels_nb.diagnostics.environments import (
    ANYWIDGET,
    MANAGER,
    Environment,
    environment_at,
    prefix_of,
    python_of,
    same_folder,
)
from customlabels_nb.diagnostics.places import NotebookServer, this_place

_AGAIN = "then start it again and reload the page"
#: ipywidgets in the kernel → the page's widget manager that speaks with it.
_MANAGERS = {"8": "5", "7": "3"}
Fault = tuple[str, str]


def widgets() -> Iterator[DiagnosticLine]:
    """The lines for where this process is."""
    place = this_place()
    own = environment_at(Path(sys.prefix))
    if place.front_end != places.TERMINAL:
        yield this_notebook(place, own)
    yield jupyterlab(own)
    yield from on_path(own)
    yield notebook(own)
    yield vs_code(own)
    if place.front_end != places.COLAB:
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
    manager = server.extension(MANAGER)
    wanted = _MANAGERS.get((ipywidgets or "8").partition(".")[0])
    if manager is None or (wanted is not None and manager.partition(".")[0] != wanted):
        is_what = "is missing" if manager is None else f"is {manager}, which doesn't fit ipywidgets {ipywidgets}"
        is_damaged = manager is None and server.version_of("jupyterlab-widgets") is not None
        again = server.install("--force-reinstall", "jupyterlab-widgets")
        command = again if is_damaged else server.repair("ipywidgets", ipywidgets)
        found.append((f"the page's part of ipywidgets {is_what}", command))
    extension = server.extension(ANYWIDGET)
    if extension is None:
        found.append(("the page's part of anywidget is missing", server.repair("anywidget", anywidget)))
    elif anywidget is not None and _parts(extension, 2) != _parts(anywidget, 2):
        what = f"the page's part of anywidget is {extension}, the kernel's {anywidget}: they don't fit"
        found.append((what, server.repair("anywidget", anywidget)))
    found = [(what, f"{command}, {_AGAIN}.") for what, command in found]
    for name in (MANAGER, ANYWIDGET):
        if server.is_disabled(name):
            command = f"{server.python} -m jupyter labextension enable {name}"
            found.append((f"the extension {name} is switched off", f"{command}, {_AGAIN}."))
    return found


def this_notebook(place: NotebookServer, own: Environment) -> DiagnosticLine:
    """The line for the notebook in which this runs."""
    if place.front_end == places.COLAB:
        return _colab()
    if place.front_end == places.VSCODE:
        line = vs_code(own)
        return DiagnosticLine("widgets", "this notebook", line.state, f"VS Code; {line.text}", line.advice)
    if place.server_python is None:
        text = "the server that shows it can't be seen from here" + _title(place)
        advice = "Run: import ipywidgets; ipywidgets.IntSlider() — where a slider shows, widgets render."
        return DiagnosticLine("widgets", "this notebook", NOTE, text, advice)
    server = environment_at(prefix_of(place.server_python))
    where = "this environment" if server.is_own else str(server.prefix)
    wrong = faults(server)
    if wrong:
        what = " and ".join(fault for fault, _ in wrong)
        text = f"{place.front_end} of {where} can't show widgets: {what}"
        return DiagnosticLine("widgets", "this notebook", PROBLEM, text, " ".join(advice for _, advice in wrong))
    return DiagnosticLine("widgets", "this notebook", GOOD, f"{place.front_end} of {where}: widgets render")


def jupyterlab(own: Environment) -> DiagnosticLine:
    """The line for the JupyterLab of this environment, which ``customlabels-nb lab`` starts."""
    wrong = faults(own, own)
    if wrong:
        text = "widgets will not render: " + " and ".join(fault for fault, _ in wrong)
        return DiagnosticLine("widgets", "JupyterLab", PROBLEM, text, " ".join(advice for _, advice in wrong))
    other = _other_kernel(own, own)
    if other is not None:
        return DiagnosticLine("widgets", "JupyterLab", WARNING, *other)
    text = f"{own.version_of('jupyterlab')}, anywidget {own.extension(ANYWIDGET)}: widgets render"
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
    if same_folder(server.prefix, own.prefix):
        return
    head = f"the one on PATH is of another environment, {server.prefix}"
    wrong = faults(server, own)
    if wrong:
        what = " and ".join(fault for fault, _ in wrong)
        advice = f"{start}. Or: {' '.join(advice for _, advice in wrong)}"
        yield DiagnosticLine("widgets", "jupyter lab", WARNING, f"{head}, and there {what}", advice)
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
        text = "widgets will not render: " + " and ".join(fault for fault, _ in wrong)
        return DiagnosticLine("widgets", "Notebook 7", WARNING, text, " ".join(advice for _, advice in wrong))
    return DiagnosticLine("widgets", "Notebook 7", GOOD, f"{found}: widgets render")


def vs_code(own: Environment) -> DiagnosticLine:
    """The line for VS Code: it brings its own page, and takes the widgets' code from the kernel's environment."""
    lacking = [name for name in ("ipykernel", "ipywidgets", "anywidget") if own.version_of(name) is None]
    if lacking:
        text = f"{' and '.join(lacking)} missing in this environment"
        return DiagnosticLine("widgets", "VS Code", WARNING, text, f"{own.install(*lacking)}, then restart the kernel.")
    if not own.has_nbextension(ANYWIDGET):
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
    at_home = same_folder(server.prefix, kernel.prefix)
    fitting = [
        offer.name
        for offer in offered
        if (at_home if offer.python is None else same_folder(prefix_of(offer.python), kernel.prefix))
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


def _title(place: NotebookServer) -> str:
    return "" if place.front_end == places.UNKNOWN else f" ({place.front_end})"


def _parts(text: str, count: int) -> tuple[int, ...]:
    from packaging.version import Version

    return Version(text).release[:count]
