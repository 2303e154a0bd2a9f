"""What a card tells of, from the files of a version's folder and its record alone: no image is opened.

So a card stays the same as long as the version does. What early releases did not keep is None or empty.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb.checks.box_rules import check_boxes
from customlabels_nb.checks.label_rules import check_labels
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import CustomLabelsError
from customlabels_nb.evaluation import Evaluation
from customlabels_nb.images.reading import is_remote
from customlabels_nb.models.artifact import ModelConfig, load_config
from customlabels_nb.store import VersionRecord
from customlabels_nb.training.kept_files import read_snapshot
from customlabels_nb.training.kinds import choose_kind
from customlabels_nb.training.stored import stored_evaluation

#: Thresholds that differ by less are the same: another release of a library may compute the last digits otherwise.
_SAME = 1e-6
#: What a card says among its limits.
_SAID = ("LABEL_HAS_FEW_IMAGES", "LABEL_HAS_FEW_TEST_IMAGES", "LABEL_NOT_IN_TEST", "TEST_SET_MISSING")
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, CustomLabelsError)


@dataclass(frozen=True, eq=False)
class CardFacts:
    """Everything that a card tells of.

    Attributes
    ----------
    project : str
        Its name.
    record : VersionRecord
    config : ModelConfig
    environment : dict
        Python, platform and packages as the training had them.
    train, test : Dataset or None
        As they were at training.
    evaluation : Evaluation or None
        Of the test images, at the version's thresholds.
    hand_set : tuple of str
        Labels whose thresholds aren't the assumed ones.
    """

    project: str
    record: VersionRecord
    config: ModelConfig
    environment: Mapping[str, Any]
    train: Dataset | None
    test: Dataset | None
    evaluation: Evaluation | None
    hand_set: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What was trained, one of :data:`customlabels_nb.training.kinds.KINDS`."""
        return self.record.kind or self.config.kind

    @property
    def training(self) -> Mapping[str, Any]:
        """What the training kept of itself."""
        return self.config.training

    @cached_property
    def reason(self) -> str:
        """Why this kind, as the end of a sentence; empty where that isn't known."""
        kept = self.training.get("reason")
        if isinstance(kept, str):
            return kept
        if self.train is None or self.test is None:
            return ""
        choice = choose_kind(self.train, self.test, named=self.record.config.get("kind"))
        return choice.reason if choice.kind == self.kind else "the project's task asked for it"

    @cached_property
    def training_images(self) -> dict[str, int]:
        """The number of training images by label."""
        known = self.record.statistics.get("training_images_per_label")
        if isinstance(known, dict):
            return {str(label): int(count) for label, count in known.items()}
        return {} if self.train is None else _images_by_label(self.train)

    @cached_property
    def warnings(self) -> list[str]:
        """What a check of the datasets before the training said, in sentences."""
        if self.train is None or self.test is None:
            return []
        found = check_labels(self.train, self.test, None)
        for dataset in (self.train, self.test):
            sizes = (dataset.images[side].to_numpy(dtype="float64", na_value=float("nan")) for side in _SIDES)
            found += check_boxes(dataset, *sizes)
        said = [finding.message for finding in found if finding.code not in _SAID]
        both = self._on_both_sides
        if both:
            said.append(
                f"{both:,} {'picture is' if both == 1 else 'pictures are'} in the training and in the test set."
            )
        return said

    @property
    def _on_both_sides(self) -> int:
        assert self.train is not None
        assert self.test is not None
        return len(set(self.train.images["sha256"].dropna()) & set(self.test.images["sha256"].dropna()))


_SIDES = ("width", "height")


def gather(
    folder: Path, root: Path, record: VersionRecord, project: str, evaluated: Evaluation | None = None
) -> CardFacts:
    """The facts of the version in ``folder``; ``evaluated`` is its evaluation at assumed thresholds, if at hand.

    Raises
    ------
    ArtifactError
        If there is no model there.
    """
    config = load_config(folder)
    evaluation, hand_set = _evaluation(folder, root, config, evaluated)
    return CardFacts(
        project,
        record,
        config,
        _environment(folder),
        _snapshot(folder, "train", root),
        _snapshot(folder, "test", root),
        evaluation,
        hand_set,
    )


def places(dataset: Dataset) -> list[str]:
    """Where images lie, in words that name no folder and no server: how many, and what kind of place."""
    found = dataset.images["image"].map(_place).value_counts()
    return [f"{count:,} {place}" for place, count in sorted(found.items())]


def labelled_between(dataset: Dataset, until: pd.Timestamp) -> tuple[str, str] | None:
    """The first and the last day (UTC) on which labels were given; None if that isn't known."""
    created = dataset.annotations["created"].dropna()
    created = created[created <= until]
    return None if created.empty else (str(created.min().date()), str(created.max().date()))


def _place(image: str) -> str:
    if is_remote(image):
        protocol = image.partition("://")[0].lower()
        return "on the web" if protocol in ("http", "https") else f"in object storage ({protocol})"
    outside = image[:7].lower() == "file://" or os.path.isabs(image)
    return "as files outside the project's folder" if outside else "in the project's folder"


def _images_by_label(dataset: Dataset) -> dict[str, int]:
    ready = dataset.images.loc[dataset.images["status"] == "labelled", "image"]
    marks = dataset.annotations[dataset.annotations["image"].isin(ready)].drop_duplicates(["image", "label"])
    return {str(label): int(count) for label, count in marks["label"].value_counts().items()}


def _evaluation(
    folder: Path, root: Path, config: ModelConfig, evaluated: Evaluation | None
) -> tuple[Evaluation | None, tuple[str, ...]]:
    try:
        assumed = evaluated or stored_evaluation(folder, root, config)
        table = assumed.per_label.set_index("label")["threshold"]
        own = config.thresholds
        hand_set = tuple(name for name in config.labels if name in own and abs(own[name] - table[name]) > _SAME)
        if not hand_set:
            return assumed, ()
        return stored_evaluation(folder, root, config, thresholds=dict(own)), hand_set
    except _DAMAGED:
        return None, ()


def _snapshot(folder: Path, split: str, root: Path) -> Dataset | None:
    try:
        return read_snapshot(folder, split, root)
    except _DAMAGED:
        return None


def _environment(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / "environment.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
