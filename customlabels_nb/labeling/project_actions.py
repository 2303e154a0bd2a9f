"""Changes to a project from the results screen: thresholds, labels of test images, training images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb.assist.stored_results import read_results
from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.core.decisions import MOST_CONFIDENT, Decision
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import InputError, ModelNotFoundError
from customlabels_nb.labeling.screen import ProjectScreen
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.models.artifact import ModelConfig, load_config
from customlabels_nb.store import Action, SqlStore

if TYPE_CHECKING:
    from customlabels_nb.evaluation import Evaluation
    from customlabels_nb.evaluation.exploring import Exploration

_ACTIONS = ("keep_thresholds", "open_images", "truth_now", "add_to_train", "versions")
_WRITING = ("keep_thresholds", "add_to_train")


class ProjectActions(ProjectScreen):
    """Actions of the results screen on a model version's project.

    ``keep_thresholds`` stores thresholds by label, or "most confident", in the version. ``open_images(names,
    predictions, box=None)`` returns the widget for correcting these test images beside predictions, where it selects
    the box, ``open_map(exploration, name, random_state)`` one with their map, and ``open_crops(boxes, split,
    seen=predictions)`` the gallery of a table of boxes.
    """

    def __init__(
        self,
        store: SqlStore,
        root: Path,
        version: str,
        config: ModelConfig,
        *,
        keep_thresholds: Callable[[Mapping[str, float] | Decision], None],
        open_images: Callable[..., Any],
        open_map: Callable[[Exploration, str, int], Any],
        open_crops: Callable[..., Any],
    ) -> None:
        super().__init__(store, root)
        self._version = version
        self._config = config
        self.keep_thresholds = keep_thresholds
        self.open_images = open_images
        self.open_map = open_map
        self.open_crops = open_crops

    @property
    def can(self) -> list[str]:
        """Names of the actions that are available here."""
        return [name for name in _ACTIONS if not (self.read_only and name in _WRITING)]

    @property
    def facts(self) -> dict[str, str]:
        """Facts about the training run, as name → text."""
        training = self._config.training
        facts = {}
        seconds = training.get("seconds")
        if isinstance(seconds, int | float):
            facts["trained in"] = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
        if isinstance(training.get("device"), str):
            facts["on"] = training["device"]
        return facts

    def labels(self) -> list[str]:
        names: list[str] = self._store.labels()["label"].tolist()
        return names

    @property
    def model_labels(self) -> list[str]:
        return list(self._config.labels)

    def kept_thresholds(self) -> dict[str, float] | str:
        """Return what the version decides by: the threshold of each label, or "most confident"."""
        record = next(version for version in self._store.versions() if version.name == self._version)
        config = load_config(self.root / record.folder)
        if config.decision == MOST_CONFIDENT:
            return MOST_CONFIDENT
        return {label: config.threshold_of(label) for label in config.labels}

    def truth_now(self) -> tuple[list[str], pd.DataFrame, list[str]]:
        """Return the test images that models are tested on now, the current annotations, and the other test images."""
        from customlabels_nb.training.plan import usable_part

        images, annotations, _ = self._store.tables(t.TEST)
        is_used = images["image"].isin(usable_part(Dataset(images, annotations), self._config.task).images["image"])
        return images.loc[is_used, "image"].tolist(), annotations, images.loc[~is_used, "image"].tolist()

    def longer_files(self) -> Mapping[str, str]:
        """Return the ``longer`` files of the project's images for :func:`.image_files.with_files`."""
        return self._store.longer_files()

    def tags(self) -> dict[str, list[str]]:
        """Return the current tags of the test images."""
        images = self._store.images(t.TEST)
        return dict(zip(images["image"], images["tags"], strict=True))

    def suspects(self) -> pd.DataFrame | None:
        """Return the training images that probably have wrong labels, or None if assist has not looked for them."""
        results = read_results(self.root)
        return results and results.of_labels(self._store.labels()["label"]).suspects_left(self._store)

    def add_to_train(self, images: Sequence[str], label: str | None) -> int:
        """Move test images to the training set, replacing their labels with ``label`` if given. Return their number."""
        here = set(self._store.images(t.TEST)["image"])
        moved = [name for name in dict.fromkeys(images) if name in here]
        if not moved:
            raise InputError("None of these images is still in the project's test set.")
        if label is not None:
            label = t.check_label(label)
        count = self._store.move_images(moved, t.TEST, t.TRAIN, Action("move to train", self.user, label or "")).count
        if label is not None:
            session = LabellingSession(self._store, self.root, t.TRAIN)
            session.add_label(label)
            session.set_labels(moved, [label])
        change_signal.notify(self.root)
        return count

    def versions(self) -> list[str]:
        """Return the names of the other evaluated versions of the same task, newest first."""
        return [
            version.name
            for version in reversed(self._store.versions())
            if version.task == self._config.task and "f1" in version.metrics and version.name != self._version
        ]

    def evaluation_of(self, name: str) -> Evaluation:
        from customlabels_nb.training.stored import stored_evaluation

        record = next((version for version in self._store.versions() if version.name == name), None)
        if record is None:
            raise ModelNotFoundError(f"Version {name!r} does not exist.")
        folder = self.root / record.folder
        return stored_evaluation(folder, self.root, load_config(folder), columns=self._store.images(t.TEST))
