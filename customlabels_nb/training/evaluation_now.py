"""Evaluate a version on the project's test set as it is now, with the predictions that the version keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from customlabels_nb._utils.text import counted
from customlabels_nb.core.tables import TEST
from customlabels_nb.datasets.dataset import Dataset
from customlabels_nb.errors import ArtifactError, InputError, NotEnoughDataError
from customlabels_nb.evaluation import Evaluation
from customlabels_nb.evaluation.basis import Basis, TestSetChanges
from customlabels_nb.evaluation.outcome_tables import changed_images, differing_truth
from customlabels_nb.images.locations import is_remote
from customlabels_nb.models.artifact import ModelConfig, load_config
from customlabels_nb.store import SqlStore, VersionRecord
from customlabels_nb.training.contents import content_now, contents_by_name, stored_files
from customlabels_nb.training.kept_files import (
    LATER,
    has_predictions,
    predictions_changed,
    read_contents,
    read_learnt,
    read_predictions,
    read_snapshot,
    snapshot_contents,
    write_predictions,
)
from customlabels_nb.training.plan import UsableImages, left_out, unread_notes, usable_part, without_machine_labels
from customlabels_nb.training.stored import JudgedPredictions, Thresholds, own_decision, stored_evaluation

#: Function that runs a version on images, and returns its predictions and the images that could not be read.
Predict: TypeAlias = Callable[[list[str]], tuple[pd.DataFrame, list[str]]]

#: Verdicts on a test image of today: what the evaluation of a version does with it.
KEPT, UNREAD, TRAINED, NEW = "kept", "unread", "trained", "new"


def evaluation_now(
    store: SqlStore, root: Path, record: VersionRecord, *, thresholds: Thresholds = None, predict: Predict | None = None
) -> Evaluation:
    """Evaluate a version on the test set as it is now.

    Test images without a stored prediction for their content are run through ``predict``, whose results are stored, or
    left out with a note if it is None. Test images that the version was trained on are left out, unless its own test
    set had them too. Labels that were renamed or merged since are followed by their ids. Without a test set, as for a
    copy in another project, the result is the evaluation of the training, with a note.

    Raises
    ------
    NotEnoughDataError
        If no test image can be evaluated.
    """
    if not store.statistics(TEST).total_entries:
        folder = root / record.folder
        config = load_config(folder)
        return stored_evaluation(folder, root, config, thresholds=thresholds, version=record, notes=[_NO_TEST_SET])
    judged, basis = _judged_now(store, root, record, thresholds, predict)
    return judged.evaluate(thresholds, basis)


def f1_now(store: SqlStore, root: Path, record: VersionRecord) -> tuple[float | None, str | None]:
    """Return the F1 of a version's stored predictions on the test set as it is now, and the decision it is computed by.

    Both are None if no test image has a stored prediction. The model is not run. The result is kept in memory until
    labels, thresholds or predictions change.
    """
    folder = root / record.folder
    if "f1" not in record.metrics or not has_predictions(folder, TEST):
        return None, None
    try:
        config = load_config(folder)
        if not store.statistics(TEST).total_entries:
            return record.metrics["f1"], record.metrics.get("decision")
        state = record.created, _state(store, config), predictions_changed(folder, LATER)
        known, f1 = _F1.get((root, record.name), (None, None))
        if known != state:
            f1 = _judged_now(store, root, record, None, None)[0].f1()
            _F1[root, record.name] = state, f1
        return f1, config.decision
    except (ArtifactError, InputError, NotEnoughDataError):  # damaged files, or no test image left
        return None, None


_NO_TEST_SET = "The project has no test set. These are the test images and labels of the training."
#: F1 of versions, by project folder and name, with the state of labels, thresholds and predictions it is for.
_F1: dict[tuple[Path, str], tuple[object, float]] = {}


def _judged_now(
    store: SqlStore, root: Path, record: VersionRecord, thresholds: Thresholds, predict: Predict | None
) -> tuple[JudgedPredictions, Basis]:
    """Collect today's truth and the predictions for it, with a description of both."""
    folder = root / record.folder
    config = load_config(folder)
    state, ids = _state(store, config), store.label_ids()  # before what it describes: a change in between is noticed
    test, part = _test_set(store, root, config)
    images = test.image_table[test.image_table["image"].isin(part.images["image"])]
    images = images.assign(sha256=_contents(store, images, root))
    kept, trained = _read_kept(folder), read_learnt(folder)
    verdicts, stored_as = _verdicts(images, kept, trained)
    new = images[verdicts == NEW]
    if predict is not None and len(new):
        later = _run(new, predict)
        if not store.read_only:
            _store_later(folder, config, later)
        kept = kept.with_later(later)
        verdicts, stored_as = _verdicts(images, kept, trained)
    notes = left_out(test, part, "test image", config.task)
    notes += unread_notes(images.loc[verdicts == UNREAD, "image"].tolist())
    for verdict, reason in (
        (TRAINED, "that the version was trained on"),
        (NEW, "new or changed since the version was trained. model.evaluate() runs the model on them"),
    ):
        if count := int((verdicts == verdict).sum()):
            notes.append(f"Left out: {counted(count, 'test image')} {reason}.")
    used = images[verdicts == KEPT]
    if used.empty:
        reasons = " ".join(notes) or "It has no images."
        raise NotEnoughDataError(
            f"The test set has nothing to evaluate {record.name!r} on. {reasons} "
            "model.evaluate(as_trained=True) returns the evaluation of its training."
        )
    here = pd.DataFrame({"now": used["image"].to_numpy(), "image": [stored_as[name] for name in used["image"]]})
    predictions = kept.table.merge(here, on="image").drop(columns="image").rename(columns={"now": "image"})
    colors = dict(zip(test.labels["label"], test.labels["color"], strict=True))
    truth = part.marks[part.marks["image"].isin(used["image"])]
    judged = JudgedPredictions(config, names_now(store, record, config), colors, used, truth, predictions, notes)
    return judged, Basis(root, record.name, thresholds, state, ids, frozenset(images["image"]))


def names_now(store: SqlStore, record: VersionRecord, config: ModelConfig) -> dict[str, str]:
    """Map the labels of a version, as it was trained, to their names in the project now."""
    names = store.current_labels(record.statistics.get("label_ids", {}))
    return {label: names.get(label, label) for label in config.labels}


def is_current(store: SqlStore, root: Path, evaluation: Evaluation, config: ModelConfig) -> bool:
    """Check whether neither the test set nor its files nor the decision have changed since an evaluation."""
    is_same = evaluation.basis is not None and evaluation.basis.state == _state(store, config)
    return is_same and not _replaced(store, root, evaluation.images)


def _replaced(store: SqlStore, root: Path, images: pd.DataFrame) -> list[str]:
    """Return the images whose files have another content now."""
    contents = zip(images["image"], images["sha256"], _contents(store, images, root), strict=True)
    return [image for image, was, now in contents if isinstance(was, str) and now != was]


def _state(store: SqlStore, config: ModelConfig) -> str:
    return f"{store.state_of(TEST)} {own_decision(config)!r}"


def _test_set(store: SqlStore, root: Path, config: ModelConfig) -> tuple[Dataset, UsableImages]:
    """Return the test set without labels by models, and the part that the version can be evaluated on."""
    test = without_machine_labels(Dataset(*store.tables(TEST), name=TEST, root=root))
    return test, usable_part(test, config.task)


def changes_since(store: SqlStore, root: Path, evaluation: Evaluation, config: ModelConfig) -> TestSetChanges:
    """Return how the test set differs from the one that a version was evaluated on."""
    basis = evaluation.basis
    if basis is None or is_current(store, root, evaluation, config) or not store.statistics(TEST).total_entries:
        return TestSetChanges()
    test, part = _test_set(store, root, config)
    usable, everywhere = set(part.images["image"]), set(test.image_table["image"])
    names = store.current_labels(basis.labels)
    corrected = changed_images(evaluation, usable, part.marks, everywhere - usable, names=names)
    is_there = evaluation.images["image"].isin(everywhere)
    replaced = _replaced(store, root, evaluation.images[is_there])
    return TestSetChanges(tuple(corrected), len(replaced), len(usable - basis.images), int((~is_there).sum()))


def truth_changed_since_training(store: SqlStore, root: Path, record: VersionRecord) -> pd.DataFrame:
    """List the ``image`` and ``label`` of today's test images whose truth has changed since a version was trained."""
    folder = root / record.folder
    config, names = load_config(folder), store.current_labels(record.statistics.get("label_ids", {}))
    before = usable_part(read_snapshot(folder, TEST, root), config.task)
    now = _test_set(store, root, config)[1]
    sides = [
        part.marks[part.marks["image"].isin(other.images["image"])] for part, other in ((before, now), (now, before))
    ]
    sides[0] = sides[0].assign(label=sides[0]["label"].map(lambda label: names.get(label, label)))
    return differing_truth(config.task, *sides)


# -- which predictions there are ---------------------------------------------------------------------
class _Contents:
    """Images by name and content. An image whose content is unknown is recognised by its name."""

    def __init__(self, contents: Mapping[str, str | None]) -> None:
        self._contents = contents
        self._names = {content: name for name, content in contents.items() if content is not None}

    def find(self, name: str, content: str | None) -> str | None:
        """Return the name of the same image, None if there is none or its content has changed."""
        if name in self._contents and (content is None or self._contents[name] in (None, content)):
            return name
        return None if content is None else self._names.get(content)


@dataclass(frozen=True)
class _Kept:
    """Predictions that a version keeps: the content hashes of the images, the unread ones, and the table."""

    contents: Mapping[str, str | None]
    unread: frozenset[str]
    table: pd.DataFrame

    def with_later(self, later: _Kept) -> _Kept:
        again = later.contents.keys()
        earlier = self.table[~self.table["image"].isin(again)]
        table = pd.concat([earlier, later.table], ignore_index=True) if len(later.table) else earlier
        return _Kept({**self.contents, **later.contents}, (self.unread - again) | later.unread, table)


def _read_kept(folder: Path) -> _Kept:
    """Read the predictions. Images that were not read or labelled at the training are not among them."""
    names, table = read_predictions(folder)
    contents = snapshot_contents(folder, TEST)
    kept = _Kept({name: contents.get(name) for name in names}, frozenset(), table)
    return kept.with_later(_read_later(folder)) if has_predictions(folder, LATER) else kept


def _read_later(folder: Path) -> _Kept:
    contents, unread = read_contents(folder, split=LATER)
    return _Kept(contents, frozenset(unread), read_predictions(folder, split=LATER)[1])


def _verdicts(
    images: pd.DataFrame, kept: _Kept, trained: Mapping[str, str | None]
) -> tuple[pd.Series, dict[str, str | None]]:
    """Return the verdict on each test image, and the name under which its prediction is stored.

    An image that was in the version's own test set stays there, also if a copy of it was in its training set.
    """
    tested, learnt, stored_as, verdicts = _Contents(kept.contents), _Contents(trained), {}, []
    for name, content in contents_by_name(images).items():
        stored_as[name] = stored = tested.find(name, content)
        rules = (
            (UNREAD, stored in kept.unread),
            (KEPT, stored is not None),
            (TRAINED, learnt.find(name, content) is not None),
            (NEW, True),
        )
        verdicts.append(next(verdict for verdict, holds in rules if holds))
    return pd.Series(verdicts, index=images.index, dtype=object), stored_as


def _run(new: pd.DataFrame, predict: Predict) -> _Kept:
    table, unread = predict(new["image"].tolist())
    return _Kept(contents_by_name(new), frozenset(unread), table)


def _store_later(folder: Path, config: ModelConfig, later: _Kept) -> None:
    """Store predictions with those that were stored after the training before."""
    every = _read_later(folder).with_later(later) if has_predictions(folder, LATER) else later
    names, labels = list(every.contents), list(config.labels)
    write_predictions(folder, names, labels, every.table, split=LATER, contents=every.contents, unread=every.unread)


def _contents(store: SqlStore, images: pd.DataFrame, root: Path) -> list[Any]:
    """Return the content hash of each image, of local files that of now."""
    stored = stored_files(store)
    return [
        sha256 if is_remote(image) else content_now(image, root, sha256, stored)
        for image, sha256 in zip(images["image"], images["sha256"], strict=True)
    ]
