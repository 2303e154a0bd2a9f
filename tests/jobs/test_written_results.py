"""Property tests: a job's results are in the datasets once, and never replace what a person said later."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from customlabels_nb.core import tables as t
from customlabels_nb.jobs.job import LabellingJob
from customlabels_nb.jobs.job_list import LabellingJobs
from customlabels_nb.store import Action, create_store
from customlabels_nb.user_settings import settings
from tests.jobs.conftest import ACTION, Place, check
from tests.tiers import many

#: Datasets that hold each image.
HOLDERS = {"a.jpg": ["train"], "b.jpg": ["test"], "c.jpg": ["train", "test"]}
PEOPLE = ("ann", "ben")
ROW = ["label", "annotator", "job"]
LABELS = st.sampled_from([None, "lemon", "lime"])
IMAGES = st.sampled_from([*HOLDERS])
STEPS = st.one_of(
    st.tuples(st.just("agree"), IMAGES, LABELS),
    st.tuples(st.just("answer"), IMAGES, st.sampled_from(PEOPLE), LABELS),
    st.tuples(st.just("take back"), IMAGES, st.sampled_from(PEOPLE)),
    st.tuples(st.just("requeue"), IMAGES),
    st.tuples(st.just("decide"), IMAGES, LABELS),
    st.tuples(st.just("withdraw"), IMAGES),
    st.tuples(st.just("label outside"), IMAGES, LABELS, st.integers(0, 1)),
    st.tuples(st.just("write")),
)


@dataclass
class Course:
    """Job of two people on three images, and what its results must be."""

    place: Place
    job: LabellingJob
    answers: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    decisions: dict[str, Any] = field(default_factory=dict)
    outside: dict[tuple[str, str], Any] = field(default_factory=dict)

    def agree(self, image: str, label: str | None) -> None:
        for name in PEOPLE:
            self.answer(image, name, label)

    def answer(self, image: str, name: str, label: str | None) -> None:
        worker = self.job.worker(name)
        tasks = [task for task in [*worker.answered(), *worker.lease(len(HOLDERS))] if task.image == image]
        if tasks:  # nobody is asked about an image that is decided
            assert worker.submit(tasks[0], label).counted
            self.answers[image][name] = label
        worker.release()

    def take_back(self, image: str, name: str) -> None:
        worker = self.job.worker(name)
        for task in worker.answered():
            if task.image == image:
                worker.withdraw(task)
                del self.answers[image][name]
        worker.release()

    def requeue(self, image: str) -> None:
        self.job.requeue(image)
        self.answers.pop(image, None)
        self.decisions.pop(image, None)

    def decide(self, image: str, label: str | None) -> None:
        self.job.decide(image, label)
        self.decisions[image] = label

    def withdraw(self, image: str) -> None:
        self.job.withdraw_decision(image)
        self.decisions.pop(image, None)

    def label_outside(self, image: str, label: str | None, holder: int) -> None:
        """Let olga label an image in one dataset. Nothing is stored if she finds it like that."""
        split = HOLDERS[image][holder % len(HOLDERS[image])]
        rows = self.place.store.images(split).query("image == @image")
        marks = t.empty(t.ANNOTATION_COLUMNS) if label is None else t.label_images([image], label, "olga")
        written = self.place.store.update_images(split, rows.assign(status="labelled"), marks, Action("label", "olga"))
        if written.count:
            self.outside[split, image] = label

    def write(self) -> None:
        """Write the results twice, and compare the datasets with what the people said."""
        self.job.consolidate()
        history = self.place.store.last_action()
        assert self.job.consolidate().changed == 0
        assert self.place.store.last_action() == history
        for image, splits in HOLDERS.items():
            for split in splits:
                assert self.stored(split, image) == self.expected(split, image), (split, image)
        check(self.place, len(PEOPLE))

    def stored(self, split: str, image: str) -> tuple[str, list[list[Any]]]:
        """Return status and annotations of an image."""
        images, marks, _ = self.place.store.tables(split, [image])
        return images["status"][0], marks[ROW].astype(object).where(marks[ROW].notna(), None).to_numpy().tolist()

    def expected(self, split: str, image: str) -> tuple[str, list[list[Any]]]:
        """Return status and annotations by the latest decision, or what both people answered."""
        if (split, image) in self.outside:
            label = self.outside[split, image]
            return "labelled", [] if label is None else [[label, "olga", None]]
        answers = list(self.answers[image].values())
        if image in self.decisions:
            label, by = self.decisions[image], "meg"
        elif len(answers) == len(PEOPLE) and len(set(answers)) == 1:
            label, by = answers[0], "+".join(sorted(PEOPLE))
        else:
            return "unlabelled", []
        return "labelled", [] if label is None else [[label, by, "labeling-job/leaves-1"]]


@examples(derandomize=True, max_examples=many(50))
@example(steps=[("agree", "c.jpg", None), ("write",), ("requeue", "c.jpg")])
@example(steps=[("label outside", "c.jpg", None, 1), ("agree", "c.jpg", "lime"), ("write",)])
@given(steps=st.lists(STEPS, min_size=3, max_size=9))
def test_results_are_written_once_and_taken_back_everywhere(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    settings.user = "meg"
    folder = tmp_path_factory.mktemp("results")
    place = Place(folder, store_of(folder))
    try:
        course = Course(place, LabellingJobs(place).create("leaves-1", [*HOLDERS], annotators=2, max_annotators=2))
        for what, *given_ in [*steps, ("write",)]:
            getattr(course, what.replace(" ", "_"))(*given_)
    finally:
        place.store.destroy()


def store_of(folder: Path) -> Any:
    """Create a project with the images, one of which is in both datasets."""
    store = create_store(str(folder / "project.db"), "leaves", task="single-label")
    for split in t.SPLITS:
        images = pd.DataFrame({"image": [image for image, splits in HOLDERS.items() if split in splits]})
        store.add_images(split, t.normalise_images(images), t.empty(t.ANNOTATION_COLUMNS), ACTION)
    store.add_labels([("lemon", None), ("lime", None)], ACTION)
    return store
