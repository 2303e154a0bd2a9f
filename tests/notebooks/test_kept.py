"""Tests of the committed notebooks: executed, small, machine-independent, and naming only what they call."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import nbformat
import pytest

import customlabels_nb as cl
from tests.notebooks.cleaning import MOST_BYTES, WIDGET, sources_hash
from tests.notebooks.running import CHECKS, NOTEBOOKS, ROOT, notebook_path, numbers

PATHS = [notebook_path(number) for number in numbers()]
_MACHINE = re.compile(rf"{re.escape(str(ROOT))}|/(tmp|home|root|Users|private)/|[A-Z]:\\\\Users")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_committed_notebook_was_run_with_its_sources(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.get("sources") == sources_hash(notebook), (
        f"refresh the outputs: python -m tests.notebooks {path.name[:2]}"
    )
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = {kind for cell in code for output in cell.outputs for kind in output.get("data", {})}
    assert kinds & {"image/png", "image/jpeg"}, "no visible image"
    assert WIDGET not in kinds
    assert notebook.cells[0].source.startswith("# ")
    text = path.read_text("utf-8")
    assert len(text.encode()) <= MOST_BYTES
    assert _MACHINE.search(re.sub(r"[A-Za-z0-9+/]{200,}", "", text)) is None
    assert f"notebooks/{path.name}" in (ROOT / "README.md").read_text("utf-8")


def test_every_notebook_has_checks_and_every_check_a_notebook() -> None:
    assert sorted(path.stem for path in CHECKS.glob("*.py")) == numbers()


def public_functions() -> set[str]:
    """Return the names of the package's functions and of its main classes' public methods."""
    found = {name for name in cl.__all__ if inspect.isfunction(getattr(cl, name))}
    for owner in (cl.Project, cl.Dataset, cl.Model, cl.Report):
        for name, value in inspect.getmembers(owner):
            if not name.startswith("_") and inspect.isfunction(value):
                found.add(name)
    return found


def called(source: str) -> set[str]:
    """Return the names that code calls or passes on to be called."""
    tree = ast.parse(re.sub(r"^(\s*)[!%].*", r"\1pass", source, flags=re.MULTILINE))
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} | {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
    }


def test_functions_named_in_prose_are_called_in_a_cell() -> None:
    named: dict[str, str] = {}
    used: set[str] = set()
    for path in PATHS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                used |= called(cell.source)
            for code in re.findall(r"`([^`]+)`", cell.source) if cell.cell_type == "markdown" else ():
                for name in re.findall(r"(?<![\w/\"'])(?:\w+\.)*(\w+)\b(?!\.\w)", code):
                    named.setdefault(name, path.name)
    public = public_functions()
    lost = {name: path for name, path in named.items() if name in public and name not in used}
    assert len(public & set(named)) >= 10
    assert not lost, f"named in the text, but not called in any cell: {lost}"


def test_all_are_numbered_one_after_another() -> None:
    assert len(PATHS) == len(list(NOTEBOOKS.glob("*.ipynb")))
    assert [int(number) for number in numbers()] == list(range(1, len(PATHS) + 1))
