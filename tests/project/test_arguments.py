"""Tests of the numbers that users pass: the same values are accepted everywhere, with the same messages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.assist.guarantee import fewest_items
from customlabels_nb.checks.near_duplicates import check_threshold
from customlabels_nb.endpoints import EndpointServer
from customlabels_nb.errors import InputError, ProjectNameError
from customlabels_nb.inference.idle import idle_seconds
from customlabels_nb.inference.video import _pace
from customlabels_nb.labeling.review import ReviewQuery
from customlabels_nb.labeling.view import Query
from customlabels_nb.project.job_page import serve_job
from customlabels_nb.project.project import Project
from customlabels_nb.project.projects import load_project
from customlabels_nb.training.budget import parse_budget
from customlabels_nb.training.options import TrainingOptions
from customlabels_nb.widgets._pages import check_page_size
from customlabels_nb.workers.spreading import check_workers

TRUTH = pd.DataFrame({"image": ["a.jpg", "b.jpg"], "label": ["cat", "dog"]})
FOUND = TRUTH.assign(confidence=0.9)
REPORT = cl.evaluate(TRUTH, FOUND, TRUTH[["image"]].assign(hour=[1, 2]))


class Case(NamedTuple):
    """A call with one argument to check. ``good`` is a value that is accepted, or None where that takes long."""

    name: str
    call: Callable[[Project, Any], object]
    good: float | None = None


def photos(**options: Any) -> object:
    return cl.examples.write_photos("flowers", Path("never written"), **options)


INTEGERS = [
    Case("n", lambda p, v: p.train_set.sample(v), 2),
    Case("n", lambda p, v: p.train_set.show_batch(v), 2),
    Case("folds", lambda p, v: p.cross_validate(folds=v)),
    Case("repeats", lambda p, v: p.cross_validate(repeats=v)),
    Case("workers", lambda p, v: p.cross_validate(workers=v)),
    Case("workers", lambda p, v: p.fetch(workers=v, progress=False), 1),
    Case("workers", lambda _, v: check_workers(v, None), 2),
    Case("workers", lambda _, v: TrainingOptions(workers=v), 2),
    Case("steps", lambda p, v: p.train("v", steps=v)),
    Case("steps", lambda _, v: TrainingOptions(steps=v), 10),
    Case("input_size", lambda _, v: TrainingOptions(input_size=v), 320),
    Case("max_results", lambda p, v: p.search("a disc", max_results=v)),
    Case("sample", lambda p, v: p.verify(FOUND, sample=v)),
    Case("action_id", lambda p, v: p.undo(v)),
    Case("page_size", lambda _, v: check_page_size("page_size", v), 24),
    Case("max_results", lambda p, v: p.model("v1").detect_many([], max_results=v), 3),
    Case("batch_size", lambda p, v: p.model("v1").detect_many([], batch_size=v), 3),
    Case("views", lambda p, v: p.model("v1").start(views=v), 1),
    Case("every", lambda _, v: _pace(v), 2),
    Case("bins", lambda _, v: REPORT.calibration(v), 5),
    Case("bins", lambda _, v: REPORT.by("hour", bins=v), 2),
    Case("annotators", lambda p, v: p.jobs.create("check", annotators=v)),
    Case("max_annotators", lambda p, v: p.jobs.create("check", max_annotators=v)),
    Case("train", lambda _, v: photos(train=v)),
    Case("test", lambda _, v: photos(test=v)),
    Case("count", lambda _, v: cl.teaching.Exercises(v, {}), 2),
    Case("port", lambda p, v: serve_job(p.root, "check", port=v)),
    Case("port", lambda p, v: EndpointServer(p.root.parent, port=v)),
]

RANDOM_STATES = [
    Case("random_state", call, good)
    for call, good in [
        (lambda p, v: p.train_set.sample(1, random_state=v), 8),
        (lambda p, v: p.train_set.split(random_state=v), 8),
        (lambda p, v: p.train_set.show_batch(1, random_state=v), 8),
        (lambda p, v: p.cross_validate(random_state=v), None),
        (lambda p, v: p.train("v", random_state=v), None),
        (lambda p, v: p.verify(FOUND, random_state=v), None),
        (lambda p, v: p.map(random_state=v), None),
        (lambda p, v: p.map_layout(random_state=v), None),
        (lambda _, v: TrainingOptions(random_state=v), 8),
        (lambda _, v: cl.evaluate(TRUTH, FOUND, random_state=v), 8),
        (lambda _, v: REPORT.compare(baseline=REPORT, random_state=v), 8),
        (lambda _, v: photos(random_state=v), None),
        (lambda _, v: Query(random_state=v), 8),
        (lambda _, v: ReviewQuery(random_state=v), 8),
    ]
]

FRACTIONS = [
    Case("fraction", lambda p, v: p.train_set.sample(fraction=v), 1),
    Case("fraction", lambda p, v: p.train_set.split(v), 0.5),
    Case("test_fraction", lambda p, v: p.distribute(v)),
    Case("test_fraction", lambda p, v: p.verify(FOUND, test_fraction=v)),
    Case("threshold", lambda p, v: p.model("v1").detect_many([], threshold=v), 1),
    Case("threshold['disc']", lambda p, v: p.model("v1").detect_many([], threshold={"disc": v}), 1),
    Case("threshold", lambda _, v: check_threshold(v), 1),
    Case("thresholds", lambda _, v: cl.evaluate(TRUTH, FOUND, thresholds=v), 1),
    Case("thresholds['cat']", lambda _, v: cl.evaluate(TRUTH, FOUND, thresholds={"cat": v}), 1),
    Case("iou_threshold", lambda _, v: cl.evaluate(TRUTH, FOUND, iou_threshold=v), 1),
    Case("confidence", lambda _, v: Query(confidence=v), 1),
    Case("agreement", lambda p, v: p.jobs.create("check", agreement=v)),
    Case("target", lambda _, v: fewest_items(v), 0.75),
]

DURATIONS = [
    Case("budget", lambda _, v: parse_budget(v), 60),
    Case("idle_stop", lambda _, v: idle_seconds(v), 60),
    Case("every", lambda p, v: p.auto_refresh(v), 60),
    Case("lease", lambda p, v: p.jobs.create("check", lease=v)),
]


@pytest.fixture(scope="module")
def opened(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Yield a trained project that calls with accepted values may change."""
    folder = shutil.copytree(trained.root, tmp_path_factory.mktemp("opened") / "shapes")
    with closing(load_project(folder)) as project:
        yield project


def message_of(case: Case, project: Project, value: object) -> str:
    """Return the message of the error about the value."""
    with pytest.raises(InputError) as caught:
        case.call(project, value)
    return str(caught.value)


def name_of(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", [*INTEGERS, *RANDOM_STATES], ids=name_of)
def test_integers(case: Case, opened: Project) -> None:
    allowed = r" must be an integer (of at least \d+|from \d+ to [\d,]+)(, or None [a-z ]+)?\."
    for wrong in (-1,) if case.name == "every" else (True, 8.0, "8", -1, [8]):
        assert re.fullmatch(re.escape(f"{case.name}={wrong!r}") + allowed, message_of(case, opened, wrong))
    assert message_of(case, opened, np.int64(-1)) == message_of(case, opened, -1)
    if case.good is not None:
        case.call(opened, np.int64(case.good))


@pytest.mark.parametrize("case", RANDOM_STATES, ids=name_of)
def test_seeds_have_32_bits(case: Case, opened: Project) -> None:
    for wrong in (2**32, np.int64(2**32)):
        expected = "random_state=4294967296 must be an integer from 0 to 4,294,967,295."
        assert message_of(case, opened, wrong) == expected
    if case.good is not None:
        case.call(opened, 2**32 - 1)


@pytest.mark.parametrize("case", FRACTIONS, ids=name_of)
def test_fractions(case: Case, opened: Project) -> None:
    allowed = r" must be a number between [\d.]+ and [\d.]+(, but not [\d.]+( or 1)?)?(, or None[a-z', -]+)?\."
    for wrong in (True, "0.5", -0.5, float("nan"), [0.5]):
        assert re.fullmatch(re.escape(f"{case.name}={wrong!r}") + allowed, message_of(case, opened, wrong))
    assert message_of(case, opened, np.float64(1.5)) == message_of(case, opened, 1.5)
    assert message_of(case, opened, np.int64(85)).endswith(" Did you mean 0.85?")
    if case.good is not None:
        case.call(opened, np.float64(case.good))


@pytest.mark.parametrize("case", DURATIONS, ids=name_of)
def test_durations(case: Case, opened: Project) -> None:
    for wrong in (True, -1, float("nan"), [60]):
        assert message_of(case, opened, wrong).startswith(f"{case.name}={wrong!r} ")
    assert message_of(case, opened, np.int64(-1)) == message_of(case, opened, -1)
    if case.good is not None:
        case.call(opened, np.int64(case.good))


@pytest.mark.parametrize("name", ["v/1", "", "..", 5, "v" * 101])
def test_names_of_versions_and_projects(name: Any, opened: Project, tmp_path: Path) -> None:
    for argument, call in (
        ("name", lambda: opened.train(name)),
        ("alias", lambda: opened.model("v1").publish(name)),
        ("name", lambda: cl.create_project(name, tmp_path)),
    ):
        with pytest.raises(ProjectNameError, match=re.escape(f"{argument}={name!r} is not a valid name.")) as caught:
            call()
        assert ("create_project(name, folder)" in str(caught.value)) == (call.__code__.co_names[0] == "cl")
