"""Changes to a project from the results screen: thresholds, labels of test images, training images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb.assist.stored_results import read_results
from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.core.decisions import MOST_CONFIDENT, Decision
from customlabels_nb.errors import InputError, ModelNotFoundError
from customlabels_nb.labeling.screen import ProjectScreen
from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.models.artifact import ModelConfig, load_config
from customlabels_nb.store import Action, SqlStore, VersionRecord

if TYPE_CHECKING:
    from customlabels_nb.evaluation import Evaluation
    from customlabels_nb.evaluation.basis import TestSetChanges
    from customlabels_nb.evaluation.exploring import Exploration

_ACTIONS = ("keep_thresholds", "open_images", "evaluate_again", "add_to_train", "versions")
_WRITING = ("keep_thresholds", "add_to_train")


class ProjectActions(ProjectScreen):
    """Actions of the results screen on a model version's project.

    ``keep_thresholds`` stores thresholds by label, or "most confident", in the version. ``open_images(names,
    predictions, box=None)`` returns the widget for correcting these test images beside predictions, where it selects
    the box, ``open_map(exploration, name, random_state)`` one with their map, and ``open_crops(boxes, split,
    seen=predictions)`` the gallery of a table of boxes. ``predict(version, images)`` runs a version on images, as
    :data:`.evaluation_now.Predict` describes.
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
        predict: Callable[[str, list[str]], tuple[pd.DataFrame, list[str]]],
    ) -> None:
        super().__init__(store, root)
        self._version = version
        self._config = config
        self.keep_thresholds = keep_thresholds
        self.open_images = open_images
        self.open_map = open_map
        self.open_crops = open_crops
        self._predict = predict

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
        """Labels of the model, by their names in the project now."""
        from customlabels_nb.training.evaluation_now import names_now

        record, config = self._version_named(self._version)
        return list(dict.fromkeys(names_now(self._store, record, config).values()))

    def kept_thresholds(self) -> dict[str, float] | str:
        """Return what the version decides by: the threshold of each label, or "most confident"."""
        from customlabels_nb.training.evaluation_now import names_now
        from customlabels_nb.training.stored import thresholds_now

        record, config = self._version_named(self._version)
        if config.decision == MOST_CONFIDENT:
            return MOST_CONFIDENT
        thresholds = {label: config.threshold_of(label) for label in config.labels}
        return thresholds_now(thresholds, names_now(self._store, record, config))

    def changes_since(self, evaluation: Evaluation) -> TestSetChanges:
        """Return how the test set has changed since an evaluation of the version."""
        from customlabels_nb.training.evaluation_now import changes_since

        return changes_since(self._store, self.root, evaluation, self._version_named(self._version)[1])

    def evaluate_again(self, evaluation: Evaluation) -> Evaluation:
        """Evaluate a version of this project again on the test set as it is now, as it was evaluated before.

        An evaluation that is up to date, or of another project, is returned as it is.
        """
        from customlabels_nb.training.evaluation_now import evaluation_now, is_current

        if (basis := evaluation.basis) is None or basis.root != self.root:
            return evaluation
        record, config = self._version_named(basis.version)
        if is_current(self._store, self.root, evaluation, config):
            return evaluation
        predict = partial(self._predict, record.name)
        return evaluation_now(self._store, self.root, record, thresholds=basis.thresholds, predict=predict)

    def truth_changed(self, *evaluations: Evaluation) -> pd.DataFrame | None:
        """List the image/label pairs whose truth has changed since the oldest of these versions was trained.

        It is None if one of the evaluations is not of a version of this project.
        """
        from customlabels_nb.training.evaluation_now import truth_changed_since_training

        bases = [evaluation.basis for evaluation in evaluations]
        own = [basis for basis in bases if basis is not None and basis.root == self.root]
        if len(own) < len(bases):
            return None
        records = [self._version_named(basis.version)[0] for basis in own]
        return truth_changed_since_training(self._store, self.root, min(records, key=lambda record: record.created))

    def longer_files(self) -> Mapping[str, str]:
        """Return the ``longer`` files of the project's images for :func:`.image_files.with_files`."""
        return self._store.longer_files()

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
        """Evaluate another version on the test set as it is now."""
        from customlabels_nb.training.evaluation_now import evaluation_now

        record, _ = self._version_named(name)
        return evaluation_now(self._store, self.root, record, predict=partial(self._predict, name))

    def _version_named(self, name: str) -> tuple[VersionRecord, ModelConfig]:
        record = next((version for version in self._store.versions() if version.name == name), None)
        if record is None:
            raise ModelNotFoundError(f"Version {name!r} does not exist.")
        return record, load_config(self.root / record.folder)
