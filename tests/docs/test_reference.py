"""Tests that everything public documents its parameters and errors, and that the reference is up to date."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import CustomLabelsError
from customlabels_nb.evaluation.exploring.filtering import GROUPS, SHOWN, SORTS, Filter
from tests.docs.reference import (
    COMMAND,
    REFERENCE,
    anchor,
    classes,
    docstring,
    function_of,
    functions,
    markdown,
    members,
    own_members,
)

#: Parameters with the same meaning everywhere, described at the top of the reference or by their names.
_OBVIOUS = {
    "self",
    "cls",
    "ax",
    "progress",
    "events",
    "name",
    "path",
    "label",
    "note",
    "confirm",
    "split",
    "random_state",
}
_ELSEWHERE = re.compile(r":(meth|func|class|attr|mod):`|[Tt]he arguments are those of|as in `")


def everything() -> Iterator[tuple[str, str, Any]]:
    """Return the name, docstring and value of each public function, method and property."""
    for name, function in functions():
        yield name, docstring(None, name, function), function
    for owner in classes():
        for name, value in members(owner):
            yield f"{owner.__name__}.{name}", docstring(owner, name, value), value


EVERYTHING = list(everything())


def test_every_public_class_is_documented() -> None:
    names = {name for name, _, _ in EVERYTHING}
    assert len(names) > 200
    assert {"cl.create_project", "Project.train", "Model.detect", "Report.by", "Gallery.selected"} <= names


def test_each_public_name_has_a_docstring() -> None:
    missing = [name for name, doc, _ in EVERYTHING if len(doc.split()) < 3]
    missing += [owner.__name__ for owner in classes() if len((inspect.getdoc(owner) or "").split()) < 3]
    missing += [name for name in cl.__all__ if not (inspect.getdoc(getattr(cl, name)) or "").strip()]
    assert missing == []


def test_parameters_are_documented() -> None:
    silent = []
    for name, doc, value in EVERYTHING:
        function = function_of(value)
        if function is None or _ELSEWHERE.search(doc):
            continue
        asked = [p for p in inspect.signature(function).parameters if p not in _OBVIOUS and not p.startswith("_")]
        silent += [f"{name}({p})" for p in asked if not re.search(rf"\b{p}\b", doc)]
    assert silent == []


TABLES = (
    *(f"Report.{name}" for name in ("summary", "per_label", "per_image", "by", "calibration", "by_box_size")),
    *(f"Evaluation.{name}" for name in ("by", "calibration", "precision_recall", "by_box_size")),
    *(f"ConfusionMatrix.{name}" for name in ("to_frame", "confusions", "one_vs_rest")),
    *("Report.precision_recall", "cl.read_evaluation_snapshot"),
)


@pytest.mark.parametrize("name", TABLES)
def test_docstrings_list_the_columns_of_tables(name: str) -> None:
    doc = next(doc for own, doc, _ in EVERYTHING if own == name)
    assert "Returns\n-------\n" in doc
    assert re.search(r"\b(str|int64|float64)\b", doc)
    assert not re.search(r"\b[Ss]ee :", doc)


def test_documented_columns_are_those_of_the_tables() -> None:
    truth = pd.DataFrame(
        {"image": ["1", "2"], "label": ["a", "b"], "left": 0.0, "top": 0.0, "width": 9.0, "height": 9.0}
    )
    plain = truth[["image", "label"]]
    told = {name: doc for name, doc, _ in EVERYTHING}
    for rows in (truth, plain):
        report = cl.evaluate(rows, rows.assign(confidence=0.9), rows[["image"]].assign(camera="x"))
        tables = {
            "Report.summary": report.summary,
            "Report.per_label": report.per_label,
            "Report.per_image": report.per_image.drop(columns=["truth_top", "truth_width"], errors="ignore"),
            "Report.by": report.by("camera"),
            "Evaluation.by": report.by("camera"),
            "Report.calibration": report.calibration(),
            "Report.precision_recall": report.precision_recall("a"),
            "ConfusionMatrix.confusions": report.confusion_matrix.confusions(),
        }
        if rows is plain:
            tables["ConfusionMatrix.one_vs_rest"] = report.confusion_matrix.one_vs_rest()
            tables["Report.roc"] = report.roc("a")
        else:
            tables["Report.by_box_size"] = report.by_box_size()
        for name, table in tables.items():
            assert [column for column in table.columns if f"``{column}``" not in told[name]] == [], name
    for metric in report.summary["metric"]:
        assert metric in told["Report.summary"]


def test_filter_documents_each_field() -> None:
    doc = inspect.getdoc(Filter) or ""
    for field in dataclasses.fields(Filter):
        assert re.search(rf"^{field.name} : ", doc, re.MULTILINE)
    for value in (*SHOWN, *GROUPS, *SORTS):
        assert f'"{value}"' in doc
    assert Filter in classes()


def test_errors_that_a_method_raises_are_documented() -> None:
    known = {error.__name__ for error in vars(cl.errors).values() if isinstance(error, type)}
    assert CustomLabelsError.__name__ in known
    silent = []
    for name, doc, value in EVERYTHING:
        function = function_of(value)
        if function is None or ":meth:`" in doc:
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        raised = {
            node.exc.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
        }
        silent += [f"{name} raises {error}" for error in sorted(raised & known) if error not in doc]
    assert silent == []


def test_completion_offers_the_public_names_and_no_others() -> None:
    assert [name for name in dir(cl) if not name.startswith("_")] == cl.__all__
    for owner in classes():
        offered = {name for name in dir(owner) if not name.startswith("_")}
        assert {name for name, _ in members(owner)} <= offered


@pytest.mark.parametrize("name", cl.__all__)
def test_help_is_not_empty(name: str) -> None:
    assert inspect.getdoc(getattr(cl, name))


def test_the_reference_is_fresh() -> None:
    assert REFERENCE.read_text("utf-8") == markdown(), f"{REFERENCE.name} is stale: run {COMMAND}"


def test_the_reference_has_each_name_once_and_its_links_lead_somewhere() -> None:
    text = REFERENCE.read_text("utf-8")
    headings = re.findall(r"^#{2,4} (.+)$", text, re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert {name for name, function in functions()} <= set(headings)
    for owner in classes():
        assert {owner.__name__, *(f"{owner.__name__}.{name}" for name, _ in own_members(owner))} <= set(headings)
    anchors = {anchor(heading) for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
    tables = set(re.findall(r"^\| \[`.+?`\]\(#(.+?)\) \| \S.*\.\S* \|$", text, re.MULTILINE))
    assert {anchor(name) for name, _, _ in EVERYTHING if name in headings} <= tables
    assert " at 0x" not in text
    assert ":meth:" not in text


def test_a_member_is_described_once_and_other_classes_name_its_place() -> None:
    section = REFERENCE.read_text("utf-8").partition("\n### LoadedModel\n")[2].partition("\n### ")[0]
    assert "As in [Model](#model): [`detect`](#modeldetect), " in section
    assert "#### LoadedModel.detect\n" not in section
    assert "#### LoadedModel.folder\n" in section
