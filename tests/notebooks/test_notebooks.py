"""Tests that the notebooks run, pass their checks, and have up-to-date outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests import provision
from tests.notebooks.cleaning import clean
from tests.notebooks.comparing import stale
from tests.notebooks.picturing import shooting
from tests.notebooks.running import checks_of, execute, forking, notebook_path, numbers, outputs_check

#: Notebook that is run again in its folder.
RUNS_TWICE = "02"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder as in the refresh command, because tables show less of a longer path."""
    with tempfile.TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as own:
        yield Path(own)


@pytest.fixture(scope="module")
def _forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with forking(tmp_path_factory.mktemp("kernels")):
        yield


@pytest.mark.thorough
@pytest.mark.usefixtures("_forking")
@pytest.mark.parametrize("number", numbers())
def test_a_notebook_runs_and_its_outputs_are_fresh(number: str, folder: Path, tmp_path: Path) -> None:
    path = notebook_path(number)
    run = execute(path, folder)
    print(f"{path.name}: {run.seconds:.1f} s")
    outputs = outputs_check(checks_of(path))
    if outputs is not None:
        outputs(run.notebook)
    committed = nbformat.read(path, as_version=4)
    fresh = clean(run.notebook, folder)
    assert stale(committed, fresh) == [], f"refresh the outputs: python -m tests.notebooks {number}"
    if number == RUNS_TWICE:
        none = tmp_path / "no_checks.py"
        none.write_text("")  # their text assumes a first run
        execute(path, folder, checks=none)


def test_html_becomes_a_picture_of_it() -> None:
    try:
        with shooting() as camera:
            picture, size = camera.shoot('<b style="display:block;width:200px;height:50px;background:#f00">x</b>')
    except provision.Unavailable as reason:
        pytest.skip(str(reason))
    assert picture.startswith(b"\x89PNG")
    assert size == (216, 66)
