"""Tests that the notebooks run, pass their checks, and have up-to-date outputs."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from customlabels_nb.quickstart import run_cells
from tests.notebooks.cleaning import clean
from tests.notebooks.comparing import stale
from tests.notebooks.running import CHECKS, NotebookFailedError, execute, forking, notebook_path, numbers

#: Notebook that is run again in its folder, where it finds its project.
RUNS_TWICE = "02"
#: Notebooks that run with little training in the first tier. The others take longer, or start processes that do.
BRIEF = ("01", "02", "13")
#: Notebooks that train for longest. They run in the exhaustive tier.
LONGEST = ("03", "06", "07", "09", "10", "11", "12")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder as in the refresh command, because tables show less of a longer path."""
    with tempfile.TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as own:
        yield Path(own)


@pytest.fixture(scope="module", autouse=True)
def _forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with forking(tmp_path_factory.mktemp("kernels")):
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache for all brief notebooks."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("number", BRIEF)
def test_all_cells_of_a_notebook_run(number: str, folder: Path, cache: Path) -> None:
    for _ in range(1 + (number == RUNS_TWICE)):
        execute(notebook_path(number), folder, brief=cache)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "number", [pytest.param(each, marks=[pytest.mark.exhaustive] * (each in LONGEST)) for each in numbers()]
)
def test_a_notebook_keeps_its_claims_and_its_outputs_are_fresh(number: str, folder: Path) -> None:
    path = notebook_path(number)
    executed = execute(path, folder, CHECKS / f"{number}.py")
    committed = nbformat.read(path, as_version=4)
    fresh = clean(executed, folder)
    assert stale(committed, fresh) == [], f"refresh the outputs: python -m tests.notebooks {number}"


def write(path: Path, *cells: tuple[str, str]) -> Path:
    """Write a notebook of code cells, each with tag and source."""
    made = [nbformat.v4.new_code_cell(source, metadata={"tags": [tag] if tag else []}) for tag, source in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def test_checks_run_after_their_cells_without_side_effects(tmp_path: Path) -> None:
    path = write(tmp_path / "77_x.ipynb", ("first", "number = 1"), ("last", "number += 1\nprint(number)"))
    checks = tmp_path / "77.py"
    checks.write_text("def after_first(ns):\n    assert ns['number'] == 1\n\n\n")
    executed = execute(path, tmp_path / "run", checks)
    assert [cell.source for cell in executed.cells] == ["number = 1", "number += 1\nprint(number)"]
    assert [cell.execution_count for cell in executed.cells] == [1, 2]
    assert executed.cells[1].outputs[0].text == "2\n"
    checks.write_text("def after_last(ns):\n    assert ns['number'] == 7, 'not seven'\n")
    with pytest.raises(NotebookFailedError, match=r"the check after_last(.|\n)*not seven"):
        execute(path, tmp_path / "run", checks)
    checks.write_text("def after_second(ns):\n    pass\n")
    with pytest.raises(NotebookFailedError, match="no cell has the tag that after_second"):
        execute(path, tmp_path / "run", checks)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", r"the cell:\n1 / 0(.|\n)*ZeroDivisionError"),
        (
            "from contextlib import suppress\nfrom urllib.request import urlopen\n"
            "with suppress(OSError):\n    urlopen('http://example.org', timeout=5)",
            r"network.*example\.org",
        ),
    ],
)
def test_a_cell_that_raises_or_asks_for_the_network_fails(source: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(NotebookFailedError, match=message):
        execute(write(tmp_path / "77_x.ipynb", ("", source)), tmp_path)


@pytest.mark.thorough
def test_response_during_sending_is_received(tmp_path: Path) -> None:
    """Test writing to an Output widget, which is sent back to it. One cell in fourteen used to run into the timeout."""
    source = "outputs = [w.Output() for _ in range(6)]\nfor one in outputs:\n    with one:\n        print('x')"
    cells = [nbformat.v4.new_code_cell(text) for text in ("import ipywidgets as w", *[source] * 60)]
    begun: list[float] = []
    run_cells(
        nbformat.v4.new_notebook(cells=cells),
        tmp_path,
        on_start=lambda _: begun.append(time.monotonic()),
        seconds=40,
    )
    begun.append(time.monotonic())
    assert max(later - earlier for earlier, later in itertools.pairwise(begun)) < 30
