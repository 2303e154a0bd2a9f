"""A Jupyter of some Python environment: read from its folders, without running anything of it.

A page shows a widget if the *server's* environment has the widget's front-end files (a "labextension"), in versions
that fit what the *kernel's* environment has. These are often two environments.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from customlabels_nb._utils.installing import install_command

#: The labextensions that our widgets need.
MANAGER, ANYWIDGET = "@jupyter-widgets/jupyterlab-manager", "anywidget"
_PYTHON = re.compile(r"pythonw?[0-9.]*(\.exe)?", re.IGNORECASE)
_SHELL_EXEC = re.compile(r"^'''exec'? +\"?(/[^\"\n]*?python[0-9.]*)\"? ", re.MULTILINE)


@dataclass(frozen=True)
class Kernel:
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
        return same_folder(self.prefix, Path(sys.prefix))

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

    def kernels(self) -> Iterator[Kernel]:
        """The Python kernels that a server of this environment offers, each name once, as it would be found."""
        seen = set()
        for folder in self._data():
            for file in sorted((folder / "kernels").glob("*/kernel.json")):
                argv = (_json(file) or {}).get("argv") or [""]
                name, program = file.parent.name.lower(), str(argv[0])
                if name in seen or not _PYTHON.fullmatch(re.split(r"[/\\]", program)[-1]):
                    continue
                seen.add(name)
                yield Kernel(name, Path(program) if re.search(r"[/\\]", program) else None, file.parent)
        if "python3" not in seen:
            yield Kernel("python3", None, self.prefix / "share" / "jupyter" / "kernels" / "python3")

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


def same_folder(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder."""
    return os.path.realpath(one) == os.path.realpath(other)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        read = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None
