"""Environments with other versions of the dependencies, each with its own Python, packages and selection of tests."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests import provision

ROOT = Path(__file__).resolve().parent.parent.parent
#: Packages that the summary names, as their distributions and as people write them.
NAMED = {"torch": "torch", "numpy": "NumPy", "pandas": "pandas", "pillow": "Pillow", "av": "PyAV"}
NOTEBOOK_01 = "tests/notebooks/test_notebooks.py::test_all_cells_of_a_notebook_run[01]"
WITHOUT_REQUESTS = "--ignore=tests/widgets/test_requests.py"  # many requests, which depend on no version
COLAB = ("-c", "tests/environments/colab.txt")


@dataclass(frozen=True)
class Environment:
    """Versions to test with.

    ``python`` is used if it is installed, otherwise the running one. Each item of ``installs`` are the arguments of
    one call of ``uv pip install``. ``short`` are the arguments of pytest for the thorough tier, if it tests them.
    """

    name: str
    python: str
    installs: tuple[tuple[str, ...], ...]
    short: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the environment, which git ignores."""
        return ROOT / f".venv-{self.name}"


ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        # on the oldest Python, because the oldest NumPy has no wheels for the newest, and with an ipywidgets that
        # JupyterLab 4 needs and that calls no deprecated methods (those of Notebook 6 are in the other environment)
        Environment("lowest", "3.11", (("--resolution", "lowest-direct", "-e", ".[test]", "ipywidgets>=8.1.5"),)),
        Environment(
            "colab",
            "3.13",
            # nbgrader of the extra `test` asks for IPython 8.10, but the tests run with it
            (("-e", ".[test]", *COLAB), ("ipython==7.34.0", *COLAB)),
            short=("-n", "2", "tests/core/test_tables.py", "tests/widgets", WITHOUT_REQUESTS, NOTEBOOK_01),
        ),
    )
}


def make(environment: Environment) -> tuple[str, dict[str, str]]:
    """Make an environment, instead of an older one of its name, and return its Python and the variables to run it.

    Raises
    ------
    Unavailable
        If there is no uv, or it cannot install the packages.
    """
    uv = provision.find_uv(os.environ)
    if uv is None:
        raise provision.Unavailable(f"No uv for the environment {environment.name!r}. Install it: pip install uv")
    folder = environment.folder
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    python = str(commands / "python")
    making = [uv, "venv", "--quiet", "--clear", "--python", _python(uv, environment.python), str(folder)]
    installing = [[uv, "pip", "install", "--quiet", "--python", python, *what] for what in environment.installs]
    for command in (making, *installing):
        print("$", *command, flush=True)
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise provision.Unavailable(f"The environment {environment.name!r} could not be made, see uv's message.")
    return python, {"VIRTUAL_ENV": str(folder), "PATH": f"{commands}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def _python(uv: str, wanted: str) -> str:
    """Return the Python of a version, or the running one if it is not installed."""
    command = [uv, "python", "find", "--no-python-downloads", "--system", wanted]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"No Python {wanted} here: using {platform.python_version()}. To install it: uv python install {wanted}")
    return sys.executable if done.returncode else done.stdout.strip()


def versions() -> str:
    """Return a line with the versions of Python, the operating system and the packages that results depend on."""
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = platform.platform(terse=True)
    return ", ".join(
        [
            f"Python {platform.python_version()} on {system} ({platform.machine()})",
            *(f"{name} {_version(package)}" for package, name in NAMED.items()),
        ]
    )


def versions_of(python: str) -> str:
    """Return the same line for another Python."""
    command = [python, "-c", f"from {__name__} import versions; print(versions())"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
