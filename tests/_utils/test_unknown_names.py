"""Tests of the hints for names that an object does not have."""

from __future__ import annotations

import copy
import pickle
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter

import customlabels_nb as cl
from customlabels_nb._utils.unknown_names import SYNONYMS, NameHints
from customlabels_nb.errors import ArgumentError, CustomLabelsError, InputError, UnknownNameError

URL = pd.DataFrame({"image": ["https://example.org/a.jpg"], "label": ["a"], "confidence": [1.0]})


class Report(NameHints):
    """Object with the synonyms of a report, an attribute that fails and one that is set later."""

    def evaluate(self) -> None: ...

    @property
    def broken(self) -> int:
        return self._later  # type: ignore[attr-defined,no-any-return]

    @cached_property
    def cached(self) -> int:
        return [].missing  # type: ignore[attr-defined,no-any-return]


class OwnReport(Report):
    """Class of a user."""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("accuracy", "OwnReport has no attribute 'accuracy'. Use report.summary."),
        ("evaluat", "OwnReport has no attribute 'evaluat'. Did you mean 'evaluate'?"),
        ("zzz", "OwnReport has no attribute 'zzz'."),
        ("_later", "'OwnReport' object has no attribute '_later'"),
        ("broken", "'OwnReport' object has no attribute '_later'"),  # the error of the property, not of its name
        ("cached", "'list' object has no attribute 'missing'"),
    ],
)
def test_unknown_names_raise_an_error_with_a_suggestion(name: str, message: str) -> None:
    report = OwnReport()
    assert not hasattr(report, name)
    with pytest.raises(AttributeError) as caught:
        getattr(report, name)
    assert str(caught.value) == message
    assert isinstance(caught.value, UnknownNameError) == message.startswith("OwnReport")


def test_objects_that_are_not_initialised_do_not_recurse() -> None:
    for made in (OwnReport.__new__(OwnReport), cl.Dataset.__new__(cl.Dataset), cl.Report.__new__(cl.Report)):
        assert not hasattr(made, "_images")
        assert not hasattr(made, "accuracy")


def test_datasets_and_reports_are_copied_pickled_and_shown_as_before() -> None:
    tables = pd.DataFrame({"image": ["a.jpg", "b.jpg"], "label": ["cat", "dog"], "confidence": 1.0})
    dataset = cl.Dataset(tables[["image"]], tables[["image", "label"]])
    report = cl.evaluate(dataset, tables, tables["image"])
    for value in (dataset, report):
        for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301
            assert repr(again) == repr(value)
        shown, _ = DisplayFormatter().format(value)
        assert {"text/plain", "text/html"} <= set(shown)


def test_no_name_is_listed_twice_for_a_class() -> None:
    for name, synonyms in SYNONYMS.items():
        foreign = " ".join(synonyms.values()).split()
        assert len(foreign) == len(set(foreign)), name


def test_calls_with_wrong_arguments_name_the_right_ones(tmp_path: Path) -> None:
    project: Any = cl.create_project("rooms", tmp_path)
    calls = {
        "Project.train() has no argument 'budjet'. Did you mean 'budget'?": lambda: project.train(budjet="1s"),
        "Project.train() has no argument 'epochs'. Did you mean 'budget'?": lambda: project.train(epochs=3),
        "Labels.recolor() has no argument 'x'. It takes label, color.": lambda: project.labels.recolor(x=1),
        "Labels.rename() missing 1 required positional argument: 'new'. Call it as rename(label, new).": (
            lambda: project.labels.rename("a")
        ),
        "create_project() has no argument 'nme'. Did you mean 'name'?": lambda: cl.create_project(nme="a"),  # type: ignore[call-arg],
        "Labels.rename() takes 2 arguments, but 3 were given. Call it as rename(label, new).": (
            lambda: project.labels.rename("a", "b", "c")
        ),
        "detectors() takes 0 arguments, but 1 was given. Call it as detectors().": lambda: cl.detectors("d"),  # type: ignore[call-arg],
    }
    for message, call in calls.items():
        with pytest.raises(TypeError) as caught:
            call()
        assert isinstance(caught.value, ArgumentError)
        assert str(caught.value) == message
    with pytest.raises(TypeError) as caught:  # an error of the code that a function calls stays what it is
        project.train_set.filter(lambda images: len(3))
    assert not isinstance(caught.value, ArgumentError)


def test_values_that_need_a_name_are_shown_with_it(tmp_path: Path) -> None:
    project: Any = cl.create_project("rooms", tmp_path)
    report: Any = cl.evaluate(URL, URL)
    calls = {
        "Report.by() takes 1 argument by position, but 2 were given. Call it as by('width', bins=5).": (
            lambda: report.by("width", 5)
        ),
        "Project.train() takes 1 argument by position, but 2 were given. Call it as train('v1', task='boxes').": (
            lambda: project.train("v1", "boxes")
        ),
        "Project.check() takes 0 arguments by position, but 1 was given. Call it as "
        "check(progress=False, near_duplicates=True).": (lambda: project.check(True, progress=False)),
        "Project.train() takes 1 argument by position, but 2 were given. Call it as train('v1', …=60) with one of the "
        "names recipe, budget, steps, input_size, max_boxes, random_state, workers, backend.": (
            lambda: project.train("v1", 60)
        ),
        "Project.undo() takes 1 argument by position, but 3 were given. Call it as undo(1, note='a').": (
            lambda: project.undo(1, "a", "b")
        ),
    }
    for message, call in calls.items():
        with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
            call()


def test_names_that_need_no_call_say_so(tmp_path: Path) -> None:
    project: Any = cl.create_project("rooms", tmp_path)
    with pytest.raises(UnknownNameError, match="Every change is saved at once"):
        project.save()
    with pytest.raises(UnknownNameError, match=re.escape("Use project.train_set.images.")):
        project.images  # noqa: B018


def test_calls_with_values_of_wrong_types_name_the_argument(tmp_path: Path) -> None:
    project: Any = cl.create_project("rooms", tmp_path, task="single-label")
    project.add_images(pd.DataFrame({"image": ["https://example.org/a.jpg"], "label": ["a"]}), progress=False)
    job = project.jobs.create("job", images="train")
    task = job.worker("anna").lease(1)[0]
    frame = pd.DataFrame({"image": [["a.jpg"]], "label": ["a"], "confidence": [1.0]})
    calls: dict[str, Any] = {
        "label=['a'] must be text.": lambda: project.labels.remove(["a"]),
        "labels=5 must be a list of texts.": lambda: project.labels.reorder(5),
        "source=None must be text, a path, Dataset or Labels.": lambda: project.labels.add_from(None),
        "name=3 must be text.": lambda: project.snapshots.restore(3),
        "note=None must be text.": lambda: project.update("train", project.train_set.relabel("b"), note=None),
        "split=['train'] must be 'train' or 'test' or None.": lambda: project.fetch(["train"]),
        "path=3 must be text or a path.": lambda: cl.unpack_project(3),  # type: ignore[arg-type]
        "folder=None must be text or a path.": lambda: cl.list_projects(None),  # type: ignore[arg-type]
        "The images table must be a DataFrame, not str.": lambda: cl.Dataset("a.jpg"),
        "project='rooms' must be Project. Use cl.create_project(name) or cl.load_project(name).": (
            lambda: cl.whoami("rooms")  # type: ignore[arg-type]
        ),
        "names=3 must be text.": lambda: cl.fetch_weights(3),  # type: ignore[arg-type]
        "task='a.jpg' must be LeasedTask.": lambda: job.worker("anna").submit("a.jpg", "a"),
        "tasks=[1] must be a list of LeasedTask or None.": lambda: job.worker("anna").release([1]),
        "instructions=None must be text.": lambda: setattr(project, "instructions", None),
        "images has no column 'image', but ['x'].": lambda: project.remove("train", pd.DataFrame({"x": [1]})),
        "'a\\ud800b' cannot be stored: it": lambda: project.add_predictions(URL, model="a\ud800b"),
        "The column 'image' has ['a.jpg'] in row 0, but needs": lambda: project.add_predictions(frame, model="m"),
        "A value is neither text nor a number (Error binding": lambda: job.decide_many({("a.jpg",): "a"}),
        "{'x': 1} is not a box.": lambda: job.worker("anna").submit(task, pd.DataFrame({"x": [1]})),
    }
    for message, call in calls.items():
        with pytest.raises(CustomLabelsError, match=f"^{re.escape(message)}"):
            call()
    with pytest.raises(InputError, match=r"folder='a\\x00' is not a valid path"):
        job.to("a\0")
