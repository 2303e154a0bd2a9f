"""What the results screen of a version can do to its project: thresholds kept, truth put right, images to train on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError, ModelNotFoundError
from customlabels_nb.evaluation.exploring import ProjectActions
from customlabels_nb.labeling import LabellingSession, Query, change_signal
from customlabels_nb.models.artifact import ModelConfig, load_config
from customlabels_nb.project.location import ProjectLocation
from customlabels_nb.project.screens import open_annotator, open_gallery
from customlabels_nb.settings import settings
from customlabels_nb.store import Action
from customlabels_nb.training.stored import stored_evaluation

if TYPE_CHECKING:
    from customlabels_nb.evaluation import Evaluation


class Version(Protocol):
    """What is needed of a version; :class:`customlabels_nb.project.model.Model` is one."""

    name: str
    _place: ProjectLocation

    def set_thresholds(self, thresholds: Mapping[str, float]) -> None:
        """Make thresholds by label its own."""


def project_actions(version: Version, config: ModelConfig) -> ProjectActions:
    """The actions on one version of a project.

    Parameters
    ----------
    version : Version
    config : ModelConfig
        Of the version.
    """
    place = version._place
    project = _ActionsOfVersion(place, config.kind)
    writable = not place.store.read_only
    return ProjectActions(
        keep_thresholds=version.set_thresholds if writable else None,
        open_images=project.open_images,
        truth_now=project.truth_now,
        moment=place.store.last_action,
        add_to_train=project.add_to_train if writable else None,
        versions=lambda: [other for other in project.versions(config.kind) if other != version.name],
        evaluation_of=project.evaluation_of,
        labels=lambda: place.store.labels()["label"].tolist(),
        facts=_facts(config),
    )


class _ActionsOfVersion:
    def __init__(self, place: ProjectLocation, kind: str) -> None:
        self._place = place
        self._kind = kind

    def open_images(self, images: Sequence[str]) -> Any:
        """The gallery of these test images, or the annotator where boxes are drawn; the first one comes first."""
        query = Query(images=frozenset(images), sort="added")
        if self._kind == "detection":
            screen: Any = open_annotator(self._place, t.TEST, dataset=self._dataset, query=query)
        else:
            screen = open_gallery(self._place, t.TEST, dataset=self._dataset, query=query, page_size=24, mode="grid")
        if images and screen.session.place_of(images[0]) is not None:
            screen.display(images[0])
        return screen

    def truth_now(self) -> tuple[list[str], pd.DataFrame]:
        """Names of the test images as they are now, and their annotations."""
        images, annotations, _ = self._place.store.tables(t.TEST)
        return images["image"].tolist(), annotations

    def add_to_train(self, images: Sequence[str], label: str | None) -> int:
        """Move test images to the training images, with this label instead of theirs; gives how many."""
        here = set(self._place.store.images(t.TEST)["image"])
        moved = [name for name in dict.fromkeys(images) if name in here]
        if not moved:
            raise InputError("None of these images is a test image of the project any more.")
        if label is not None:
            label = t.check_label(label)
        action = Action("move to train", settings.user, "" if label is None else label)
        count = self._place.store.move_images(moved, t.TEST, t.TRAIN, action).count
        if label is not None:
            session = LabellingSession(self._place.store, self._place.root, t.TRAIN)
            session.add_label(label)
            session.set_labels(moved, [label])
        change_signal.notify(self._place.root)
        return count

    def versions(self, kind: str) -> list[str]:
        """Versions that were evaluated on the same task, the latest first."""
        return [v.name for v in reversed(self._place.store.versions()) if v.kind == kind and "f1" in v.metrics]

    def evaluation_of(self, name: str) -> Evaluation:
        """The evaluation of another version, from what it kept."""
        found = next((version for version in self._place.store.versions() if version.name == name), None)
        if found is None:
            raise ModelNotFoundError(f"There is no version {name!r} any more.")
        folder = self._place.root / found.folder
        now = self._place.store.images(t.TEST)
        return stored_evaluation(folder, self._place.root, load_config(folder), columns=now)

    def _dataset(self, split: str) -> Dataset:
        return Dataset.as_stored(*self._place.store.tables_later(split), name=split, root=self._place.root, unread=list)


def _facts(config: ModelConfig) -> dict[str, str]:
    training = config.training
    found = {}
    seconds = training.get("seconds")
    if isinstance(seconds, int | float):
        found["trained in"] = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    if isinstance(training.get("device"), str):
        found["on"] = training["device"]
    return found
