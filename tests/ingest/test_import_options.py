"""Tests that import options are validated once and passed on together."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError
from customlabels_nb.ingest.sources import ImportOptions
from customlabels_nb.store.sql import SqlStore
from tests.images.pictures import write_folder

LABEL = "Boskoop 42"
THE_STORE = (SqlStore.__module__, "SqlStore.add_parts")


@pytest.mark.parametrize(
    "wrong", [{"split": "both"}, {"labels_from": "names"}, {"on_leak": "drop"}, {"on_duplicate": "drop"}]
)
def test_unknown_options_are_refused(wrong: dict[str, Any]) -> None:
    (name, value) = next(iter(wrong.items()))
    with pytest.raises(InputError, match=f"{name}='{value}'"):
        ImportOptions(**wrong)


def test_one_label_and_labels_of_folders_exclude_each_other() -> None:
    with pytest.raises(InputError, match="labels_from"):
        ImportOptions(label="apple", labels_from="folders")


def test_label_option_passes_through_few_functions(project: cl.Project, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", {"apple": 2})
    passed: dict[tuple[str, str], None] = {}

    def note(frame: FrameType, event: str, argument: object) -> None:
        code, module = frame.f_code, str(frame.f_globals.get("__name__"))
        if event != "call" or not module.startswith("customlabels_nb.") or THE_STORE in passed:
            return
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if any(name != "self" and holds_label(frame.f_locals.get(name)) for name in names):
            passed[module, code.co_qualname] = None

    sys.setprofile(note)
    try:
        project.add_images(tmp_path / "photos", label=LABEL, progress=False)
    finally:
        sys.setprofile(None)
    functions = [(module, name) for module, name in passed if not name.startswith("__create_fn__")]  # by dataclasses
    assert functions[0][1] == "Project.add_images"
    assert functions[-1] == THE_STORE
    assert len(functions) <= 16, functions
    assert len({module for module, _ in functions}) <= 8


def holds_label(value: object) -> bool:
    """Return True if the label is in an argument: directly, or in a table, a collection or a dataclass."""
    if isinstance(value, str):
        return value == LABEL
    if isinstance(value, pd.DataFrame):
        return any(value[column].astype(object).isin([LABEL]).any() for column in value.columns)
    if isinstance(value, dict):
        return any(map(holds_label, [*value.keys(), *value.values()]))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(holds_label, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return any(holds_label(getattr(value, field.name, None)) for field in dataclasses.fields(value))
    return False
