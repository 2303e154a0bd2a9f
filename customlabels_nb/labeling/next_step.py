"""Say what to do next in a project: one sentence with one action, the same on every screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customlabels_nb._utils.text import counted
from customlabels_nb.core import tables as t
from customlabels_nb.core.version_status import READY, STOPPED_TRAINING, TRAINING
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.store import SqlStore, VersionRecord
from customlabels_nb.training.plan import why_refused

_FEW = 300  # images. With more, the exact check of the training takes too long for a screen


@dataclass(frozen=True)
class NextStep:
    """Next action in a project: the reason for it, and the line of ``code`` that does it.

    A screen may have a button instead, which opens the images of ``link`` in the dataset ``split``: see
    :meth:`.DashboardSession.query`. An empty link adds images. Without a link, there are only lines of code.
    """

    text: str
    code: str
    button: str = ""
    link: Mapping[str, str] | None = None
    split: str = t.TRAIN


def find_next_step(store: SqlStore, root: Path, assist: Any) -> NextStep | None:
    """Return the first step that is possible, or None in a read-only project.

    Labels come before models, because a model is only as good as they are, and models before their evaluation.
    """
    if store.read_only:
        return None
    counts = store.status_counts().set_index(["status", "split"])["images"].to_dict()
    if not counts:
        return NextStep("There are no images yet.", "project.add_images('photos')", "Add images…", {})
    opens = "annotate" if store.project().task in t.DRAWN_TASKS else "label"
    for split in t.SPLITS:
        if count := counts.get(("unlabelled", split)):
            images = counted(count, f"{split} image has", f"{split} images have")
            button, link = f"Label {counted(count, 'image')}", {"show": "unlabelled"}
            return NextStep(f"{images} no label yet.", f"project.{opens}({split!r})", button, link, split)
    for split in t.SPLITS:
        if count := counts.get(("needs_review", split)):
            images = counted(count, f"{split} image is", f"{split} images are")
            text = f"{images} marked for review. Training leaves them out until somebody has decided."
            code, link = f"project.review({split!r}, show='needs_review')", {"show": "needs_review"}
            return NextStep(text, code, f"Review {counted(count, 'image')}", link, split)
    if assist is not None and (count := assist.summary()["queues"]["suspect"]):
        images = counted(count, "image has a label", "images have labels")
        text = f"{images} that may be wrong. A model would learn wrong labels."
        button, link = f"Review {counted(count, 'suspect')}", {"queue": "suspect"}
        return NextStep(text, "project.review(queue='suspect')", button, link)
    return _step_with_model(store, root, counts)


def finished_versions(store: SqlStore) -> list[VersionRecord]:
    return [version for version in store.versions() if version.status in READY]


def _step_with_model(store: SqlStore, root: Path, counts: Mapping[Any, int]) -> NextStep:
    """Return the step of a project whose labels are complete: train, or evaluate what was trained on them."""
    newest = next(reversed(store.versions()), None)
    if newest is not None and newest.status == TRAINING:
        return NextStep(f"Version {newest.name!r} is being trained.", f"project.model({newest.name!r}).status_message")
    if newest is not None and newest.status == STOPPED_TRAINING and not store.changes_since(newest.created)[0]:
        return NextStep(
            f"The training of version {newest.name!r} was stopped.", f"project.model({newest.name!r}).resume()"
        )
    last = next(reversed(finished_versions(store)), None)
    if last is not None and not store.changes_since(last.created)[0]:
        text = f"Nothing has changed since version {last.name!r} was trained. Look where it is wrong."
        tested = "" if "f1" in last.metrics else "project.test_set"
        return NextStep(text, f"project.model({last.name!r}).evaluate({tested})")
    has_test = any(split == t.TEST for _, split in counts)
    if sum(counts.values()) <= _FEW or not _has_enough_labels(store, has_test=has_test):
        train, test = (Dataset(*store.tables(split), name=split, root=root) for split in t.SPLITS)
        if refusal := why_refused(store.project().task, train, test):
            return NextStep(refusal, "project.add_images('photos')", "Add images…", {})
    if last is None:
        return NextStep("The labels are ready to train a model.", "project.train()")
    return NextStep(f"Labels have changed since version {last.name!r} was trained.", "project.train()")


def _has_enough_labels(store: SqlStore, *, has_test: bool) -> bool:
    """Check by counts alone whether the labels suffice for a training, in both datasets if there are test images."""
    uses = store.label_uses()
    usable = (uses["train"] > 0) & ((uses["test"] > 0) | (not has_test))
    return int(usable.sum()) >= (1 if store.project().task in t.DRAWN_TASKS else 2)
