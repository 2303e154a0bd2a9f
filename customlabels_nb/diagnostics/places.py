"""Where this code runs: in a terminal, or in a kernel, and then behind which front-end."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class NotebookServer:
    """The front-end's name, and the Python of the server that started the kernel, where it can be seen."""

    front_end: str
    server_python: Path | None = None


def this_place() -> NotebookServer:
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
