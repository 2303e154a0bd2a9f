"""Run a notebook like its reader: in a new folder, with an empty home, without network, in this Python."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from customlabels_nb.quickstart import run_cells
from tests import forked_kernels

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NOTEBOOKS = ROOT / "notebooks"
CHECKS = HERE / "checks"
CELL_SECONDS = 300
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


@dataclass(frozen=True)
class Run:
    """Executed notebook.

    Attributes
    ----------
    notebook : nbformat.NotebookNode
        The notebook with its original outputs.
    folder : Path
        Folder in which it ran, deleted by now unless the caller created it.
    seconds : float
        Duration including the start of the kernel.
    called : tuple
        Module and dotted name of the public functions called by the cells, if they were recorded.
    """

    notebook: Any
    folder: Path
    seconds: float
    called: tuple[tuple[str, str], ...] = ()


def notebook_path(number: str) -> Path:
    """Return the notebook that begins with these two digits."""
    found = sorted(NOTEBOOKS.glob(f"{number}_*.ipynb"))
    if len(found) != 1:
        raise FileNotFoundError(f"{number!r} names {len(found)} notebooks in {NOTEBOOKS}.")
    return found[0]


def numbers() -> list[str]:
    """Return the two digits of every notebook."""
    return sorted(path.name[:2] for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def checks_of(path: Path) -> Path | None:
    """Return the file with a notebook's checks, if there is one."""
    file = CHECKS / f"{path.name[:2]}.py"
    return file if file.is_file() else None


def execute(
    path: Path,
    folder: Path | None = None,
    *,
    checks: Path | None = None,
    record: bool = False,
    broken: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Run a notebook from top to bottom with its checks between the cells.

    Parameters
    ----------
    path : Path
        Notebook to run.
    folder : Path, optional
        Working folder of the kernel. By default, a temporary one.
    checks : Path, optional
        File with its checks. By default, ``checks_of(path)``.
    record : bool
        Record the public functions that cells call.
    broken : mapping, optional
        Arguments of :func:`tests.notebooks.inside.break_function`.
    environment : mapping, optional
        Additional environment variables of the kernel.

    Raises
    ------
    NotebookFailedError
        With the cell and its error.
    """
    with tempfile.TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as own:
        place, aside = folder or Path(own, "run"), Path(own, "aside")
        place.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
        notebook = nbformat.read(path, as_version=4)
        _empty(notebook)
        checks = checks or checks_of(path)
        calls = aside / "called.json"
        running = _with_checks(notebook, checks, calls if record else None, dict(broken) if broken else None)
        started = time.perf_counter()
        with _private(aside, environment or {}) as variables:
            error = _run(running, place, variables)
        seconds = time.perf_counter() - started
        asked = aside / "network.txt"
        if asked.exists():
            raise NotebookFailedError(f"{path.name} asked for the network: {asked.read_text('utf-8').strip()}")
        if error is not None:
            raise NotebookFailedError(f"{path.name}: {error}")
        called = json.loads(calls.read_text("utf-8")) if record else ()
        done = deepcopy(running)
        done.cells = [cell for cell in running.cells if _OURS not in cell.metadata]
        return Run(_renumbered(done), place, seconds, tuple((module, name) for module, name in called))


@contextmanager
def forking(folder: Path) -> Iterator[None]:
    """Fork the kernels of notebooks inside the block from one process, instead of importing everything for each."""
    from unittest import mock

    from ipykernel.kernelspec import get_kernel_dict

    address = folder / "kernels"  # the socket
    start = [sys.executable, "-m", forked_kernels.__name__, str(address), *_IMPORTS]
    kernel = [sys.executable, "-I", "-S", forked_kernels.__file__, str(address), "{connection_file}"]
    # read when matplotlib is imported; a kernel sets it by itself
    shown = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    with (
        _private(folder, shown) as environment,
        subprocess.Popen(start, cwd=ROOT, env=environment, stdin=subprocess.PIPE) as process,
        mock.patch("ipykernel.kernelspec.get_kernel_dict", return_value=get_kernel_dict() | {"argv": kernel}),
    ):
        end = time.monotonic() + _START_SECONDS
        while not address.exists():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        yield  # the process ends when its standard input is closed


def outputs_check(checks: Path | None) -> Any:
    """Return the function ``outputs`` of a file with checks, if it has one."""
    if checks is None:
        return None
    names: dict[str, Any] = {"__file__": str(checks), "__name__": f"checks_{checks.stem}"}
    exec(compile(checks.read_text("utf-8"), checks, "exec"), names)  # noqa: S102
    return names.get("outputs")


def tagged(notebook: Any, tag: str) -> Any:
    """Return the first code cell with a tag.

    Raises
    ------
    LookupError
        If there is none.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code" and tag in tags_of(cell):
            return cell
    raise LookupError(f"no cell has the tag {tag!r}")


def tags_of(cell: Any) -> tuple[str, ...]:
    """Return the tags of a cell."""
    return tuple(cell.metadata.get("tags", ()))


def text_of(cell: Any) -> str:
    """Return the printed and displayed output of a code cell as plain text."""
    parts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(part.rstrip() for part in parts if part)


def html_of(cell: Any) -> str:
    """Return the HTML that a code cell displayed."""
    return "\n".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


def pictures_of(cell: Any) -> int:
    """Count the PNG and JPEG outputs of a code cell."""
    kinds = ("image/png", "image/jpeg")
    return sum(any(kind in output.get("data", {}) for kind in kinds) for output in cell.outputs)


def _empty(notebook: Any) -> None:
    """Remove all outputs and execution counts."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def _with_checks(notebook: Any, checks: Path | None, record: Path | None, broken: dict[str, str] | None) -> Any:
    """Return a copy with a cell before the first one, and a cell for each check after its cell."""
    copy = deepcopy(notebook)
    given = ", ".join(repr(None if value is None else str(value)) for value in (checks, record))
    inside = '__import__("importlib").import_module("tests.notebooks.inside")'
    left = _check_names(checks)
    cells = [_cell(f"{inside}.prepare({given}, {broken!r})", "the harness's own start")]
    for cell in notebook.cells:
        cells.append(deepcopy(cell))
        for tag in tags_of(cell) if cell.cell_type == "code" else ():
            name = f"after_{re.sub(r'[^0-9A-Za-z_]', '_', tag)}"
            if name in left:
                left[name] = True
                cells.append(_cell(f"{inside}.check({name!r})", f"the check {name}"))
    if "at_end" in left:
        left["at_end"] = True
        cells.append(_cell(f"{inside}.check('at_end')", "the check at_end"))
    cells.append(_cell(f"{inside}.finish()", "the harness's own end"))
    lost = [name for name, follows in left.items() if not follows]
    if lost:
        raise NotebookFailedError(f"no code cell has the tag that {', '.join(lost)} of {checks} would follow")
    copy.cells = cells
    return copy


def _check_names(checks: Path | None) -> dict[str, bool]:
    """Return the names of the checks that follow cells, none of them used yet."""
    tree = ast.parse(checks.read_text("utf-8")) if checks else ast.Module([], [])
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {name: False for name in names if name.startswith("after_") or name == "at_end"}


def _cell(source: str, what: str) -> Any:
    return nbformat.v4.new_code_cell(source, metadata={_OURS: what})


def _renumbered(notebook: Any) -> Any:
    """Renumber the cells as in a run without the harness's cells."""
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
    notebook.metadata.pop("widgets", None)
    return notebook


@contextmanager
def _private(folder: Path, more: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield an environment without the user's settings, caches and name, and without network."""
    dropped = ("JUPYTER", "IPYTHON", "MPL", "XDG_", "CUSTOMLABELS_NB_", "AWS_", "HF_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    home = folder / "home"
    home.mkdir()
    yield kept | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "CUSTOMLABELS_NB_CACHE": str(home / "cache"),
        "CUSTOMLABELS_NB_USER": "you",
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "NOTEBOOKS_NETWORK_LOG": str(folder / "network.txt"),
        "PYTHONPATH": os.pathsep.join([str(HERE / "offline"), str(ROOT)]),
        **more,
    }
    shutil.rmtree(home, ignore_errors=True)


def _run(notebook: Any, folder: Path, environment: Mapping[str, str]) -> str | None:
    """Run all cells and return a description of the error, if any."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    reached = [0]
    try:
        run_cells(notebook, folder, environment=environment, on_start=lambda at: reached.__setitem__(0, at),
                  seconds=CELL_SECONDS)  # fmt: skip
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        cell = notebook.cells[reached[0]]
        what = cell.metadata.get(_OURS) or f"cell {_code_number(notebook, reached[0])}:\n{cell.source}"
        trace = re.sub(r"\x1b\[[\d;]*m", "", str(error))
        return f"{what}\n{trace[-3000:]}"
    return None


def _code_number(notebook: Any, index: int) -> int:
    own = [cell for cell in notebook.cells[: index + 1] if cell.cell_type == "code" and _OURS not in cell.metadata]
    return len(own)
