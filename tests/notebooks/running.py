"""Run a notebook like its reader: in a new folder, with an empty home, without network, in this Python."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat

from customlabels_nb.quickstart import run_cells
from tests import forked_kernels

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NOTEBOOKS = ROOT / "notebooks"
CHECKS = HERE / "checks"
CELL_SECONDS = 1200
#: Modules that most notebooks use, besides those of all forked kernels.
_IMPORTS = (
    "matplotlib.figure", "matplotlib.font_manager", "scipy.stats", "timm", "torch._dynamo",
    "customlabels_nb.assist.queue", "customlabels_nb.evaluation.plots", "customlabels_nb.examples",
    "customlabels_nb.inference.engines.selection", "customlabels_nb.inference.predictor",
    "customlabels_nb.training.classifier_recipe", "customlabels_nb.training.detector_recipe",
)  # fmt: skip
_START_SECONDS = 120
#: Metadata of the cells that the harness inserts.
_OURS = "harness"


class NotebookFailedError(AssertionError):
    """Error of a cell or check, of a network request, or of a check without a cell."""


def notebook_path(number: str) -> Path:
    """Return the notebook that begins with these two digits."""
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    return path


def numbers() -> list[str]:
    """Return the two digits of every notebook."""
    return sorted(path.name[:2] for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def execute(path: Path, folder: Path, checks: Path | None = None, *, brief: Path | None = None) -> Any:
    """Run a notebook from top to bottom, and return it with its outputs.

    Parameters
    ----------
    path : Path
        Notebook to run.
    folder : Path
        Working folder of the kernel. It is created if needed.
    checks : Path, optional
        File with checks, which run between the cells.
    brief : Path, optional
        Cache shared with other notebooks, whose trainings are as short, see :mod:`tests.notebooks.brief`.

    Raises
    ------
    NotebookFailedError
        With the cell and its error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    if checks is not None:
        _insert_checks(notebook, checks)
    with tempfile.TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as aside:
        environment = _private(Path(aside))
        if brief is not None:
            notebook.cells.insert(0, _cell("import tests.notebooks.brief", "the start"))
            environment["CUSTOMLABELS_NB_CACHE"] = str(brief)
        error = _run(notebook, folder, environment)
        asked = Path(aside, "network.txt")
        if asked.exists():
            raise NotebookFailedError(f"{path.name} asked for the network: {asked.read_text('utf-8').strip()}")
    if error is not None:
        raise NotebookFailedError(f"{path.name}: {error}")
    return _without_ours(notebook)


@contextmanager
def forking(folder: Path) -> Iterator[None]:
    """Fork the kernels of notebooks inside the block from one process, instead of importing everything for each."""
    from unittest import mock

    from ipykernel.kernelspec import get_kernel_dict

    address = folder / "kernels"  # the socket
    start = [sys.executable, "-m", forked_kernels.__name__, str(address), *_IMPORTS]
    kernel = [sys.executable, "-I", "-S", forked_kernels.__file__, str(address), "{connection_file}"]
    # read when matplotlib is imported; a kernel sets it by itself
    environment = _private(folder) | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    with (
        subprocess.Popen(start, cwd=ROOT, env=environment, stdin=subprocess.PIPE) as process,
        mock.patch("ipykernel.kernelspec.get_kernel_dict", return_value=get_kernel_dict() | {"argv": kernel}),
    ):
        end = time.monotonic() + _START_SECONDS
        while not address.exists():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        yield  # the process ends when its standard input is closed


def tagged(notebook: Any, tag: str) -> Any:
    """Return the only cell with a tag."""
    (cell,) = (cell for cell in notebook.cells if tag in tags_of(cell))
    return cell


def tags_of(cell: Any) -> tuple[str, ...]:
    """Return the tags of a cell."""
    return tuple(cell.metadata.get("tags", ()))


def _insert_checks(notebook: Any, checks: Path) -> None:
    """Insert a cell that loads the checks, and one for each check, after the cell with its tag."""
    tree = ast.parse(checks.read_text("utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("after_")}
    cells = [_cell(f"_checks = __import__('runpy').run_path({str(checks)!r})", "the start of the checks")]
    for cell in notebook.cells:
        cells.append(cell)
        for name in [f"after_{tag}" for tag in tags_of(cell)]:
            if name in names:
                names.remove(name)
                cells.append(_cell(f"_checks[{name!r}](globals())", f"the check {name}"))
    if names:
        raise NotebookFailedError(f"no cell has the tag that {', '.join(sorted(names))} of {checks} would follow")
    notebook.cells = cells


def _cell(source: str, what: str) -> Any:
    return nbformat.v4.new_code_cell(source, metadata={_OURS: what})


def _without_ours(notebook: Any) -> Any:
    """Remove the cells of the harness, and number the others as in a run without them."""
    copy = deepcopy(notebook)
    copy.cells = [cell for cell in copy.cells if _OURS not in cell.metadata]
    for count, cell in enumerate((cell for cell in copy.cells if cell.cell_type == "code"), 1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    copy.metadata.pop("widgets", None)
    return copy


def _private(folder: Path) -> dict[str, str]:
    """Return an environment without the user's settings, caches and name, and without network."""
    dropped = ("JUPYTER", "IPYTHON", "MPL", "XDG_", "CUSTOMLABELS_NB_", "AWS_", "HF_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    home = folder / "home"
    home.mkdir()
    return kept | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "CUSTOMLABELS_NB_CACHE": str(home / "cache"),
        "CUSTOMLABELS_NB_USER": "you",
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "NOTEBOOKS_NETWORK_LOG": str(folder / "network.txt"),
        "PYTHONPATH": os.pathsep.join([str(HERE / "offline"), str(HERE.parent / "light_imports"), str(ROOT)]),
    }


def _run(notebook: Any, folder: Path, environment: Mapping[str, str]) -> str | None:
    """Run all cells and return a description of the error, if any."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    reached = [0]
    try:
        run_cells(notebook, folder, environment=environment, on_start=lambda at: reached.__setitem__(0, at),
                  seconds=CELL_SECONDS)  # fmt: skip
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        cell = notebook.cells[reached[0]]
        trace = re.sub(r"\x1b\[[\d;]*m", "", str(error))
        return f"{cell.metadata.get(_OURS, 'the cell')}:\n{cell.source}\n{trace[-3000:]}"
    return None
