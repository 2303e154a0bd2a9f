"""Verification: a person judges a sample of a model's predictions, which then become training data.

The sample is a database of its own in the project's folder ``feedback``. Its images have the predictions and, by their
status, the verdict: "unlabelled" has none yet, "labelled" is right or corrected, and "needs_review" is wrong. Therefore
a verdict is as durable as a label, and the annotator corrects boxes as usual.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb._utils.arguments import check_integer, check_random_state
from customlabels_nb._utils.files import scratch
from customlabels_nb._utils.text import counted
from customlabels_nb.assist.guarantee import check_boxes, precision_interval
from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.datasets.import_reports import ImportReport
from customlabels_nb.datasets.reviewed import has_tag
from customlabels_nb.errors import (
    Cancelled,
    CustomLabelsError,
    InputError,
    LabelError,
    NotAllowedError,
    NotEnoughDataError,
)
from customlabels_nb.images.locations import Location
from customlabels_nb.ingest.importer import import_images
from customlabels_nb.ingest.sources import ImportOptions, contents_of_tables
from customlabels_nb.labeling.drawing import DrawingSession
from customlabels_nb.labeling.edit_rules import Revisions, is_whole
from customlabels_nb.labeling.session import EditResult
from customlabels_nb.store import Action, SqlStore, create_store, open_store
from customlabels_nb.user_settings import settings

_RANDOM = "random"  # tag of the images that were drawn uniformly
_JUDGED = ("labelled", "needs_review")
_COLUMNS = ("image", "label", "confidence", *t.BOX_COLUMNS)


@dataclass(frozen=True)
class Submission:
    """Numbers of images added to train and test, a table of those left out, and wrong ones without other label."""

    train: int
    test: int
    unsettled: int
    issues: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        words = f"{counted(self.train, 'image')} added to train and {self.test:,} to test."
        if self.unsettled:
            words += f" {self.unsettled:,} of them without a label need review."
        if len(self.issues):
            words += f" {counted(len(self.issues), 'image was', 'images were')} not added. See .issues."
        return words


class Verification(DrawingSession):
    """Session in which a person judges predictions. Every verdict is stored when the method returns.

    ``path`` is the database of the sample from :func:`draw_sample`, ``project`` the store to which images are
    submitted, the share ``test_fraction`` of the random ones to test. ``test_precision`` returns the precision of the
    model on the test set.
    """

    def __init__(
        self,
        project: SqlStore,
        folder: Path,
        path: Path,
        *,
        test_fraction: float = 0.0,
        test_precision: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._project, self._folder = project, folder
        self._test_fraction, self._test_precision = test_fraction, test_precision
        store = open_store(str(path))
        stored = set(store.labels()["label"])
        new = [pair for pair in project.labels()[["label", "color"]].itertuples(index=False) if pair[0] not in stored]
        store.add_labels([(str(name), str(color)) for name, color in new], Action("add label", settings.user))
        rows = store.predictions(t.TRAIN)
        self._shown = {str(image): image_rows for image, image_rows in rows.groupby("image", sort=False)}
        self._nothing = rows.head(0)
        self.draws = bool(rows["left"].notna().any())
        super().__init__(store, path)

    @property
    def store(self) -> SqlStore:
        return self._store

    @property
    def model(self) -> str:
        return self.record().tags["model"]

    @property
    def notes(self) -> list[str]:
        issues, count = self._store.issues(), int(self.record().tags["known"])
        words = "is left out, because the project already has it", "are left out, because the project already has them"
        left_out = [f"{counted(count, 'image ' + words[0], 'images ' + words[1])}."] if count else []
        return left_out + [
            f"{where}: {message}" for where, message in zip(issues["where"], issues["message"], strict=True)
        ]

    def add_label(self, label: str) -> str:
        """Append a label to the project and to the sample unless it exists."""
        name = t.check_label(label)
        if name not in set(self._project.labels()["label"]):
            self._project.add_labels([(name, None)], self._action("add label"))
        return super().add_label(name)

    def row(self, image: str) -> dict[str, Any]:
        """Return :meth:`LabellingSession.row` with ``guesses``: lists of label, confidence, and box or None."""
        return {**super().row(image), "guesses": _as_lists(self._guesses([image]))}

    def _guesses(self, images: Sequence[str]) -> pd.DataFrame:
        tables = [self._shown[name] for name in images if name in self._shown]
        return pd.concat(tables, ignore_index=True) if tables else self._nothing

    # -- verdicts -----------------------------------------------------------------------------------
    def confirm(self, images: Sequence[str], *, revisions: Revisions = None) -> EditResult:
        """Judge the predictions of images as right. Without a prediction, there is nothing in the image."""
        return self._edit(images, self._guessed, "right", revisions)

    def reject(self, images: Sequence[str], *, revisions: Revisions = None) -> EditResult:
        """Judge all predictions of images as wrong, without saying what is right."""
        return self._edit(images, _reject, "wrong", revisions)

    def correct(self, images: Sequence[str], label: str, *, on: bool = True, revisions: Revisions = None) -> EditResult:
        """Give images another label, or in a multi-label task add or remove one. Predicted boxes get the label."""
        name = t.check_label(label)

        def change(rows: pd.DataFrame, before: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
            waiting = rows["status"] != "labelled"
            _, guessed = self._guessed(rows[waiting], before.head(0))
            stated = pd.concat([before[~before["image"].isin(rows.loc[waiting, "image"])], guessed], ignore_index=True)
            if self.draws:
                stated = stated.drop(columns=["annotator", "created"]).assign(label=name)
                stated = t.normalise_annotations(stated, annotator=self.user)
            else:
                alone = self.task == t.SINGLE_LABEL
                stated = stated[~stated["image"].isin(rows["image"])] if alone else stated[stated["label"] != name]
                if on:
                    added = t.label_images(rows["image"].tolist(), name, self.user)
                    stated = pd.concat([stated, added], ignore_index=True)
            return rows.assign(status="labelled"), stated

        return self._edit(images, change, f"correct to {name}", revisions)

    def _guessed(self, rows: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Edit the images so that they have exactly the predicted labels."""
        guesses = self._guesses(rows["image"].tolist())[["image", "label", *t.BOX_COLUMNS]]
        return rows.assign(status="labelled"), t.normalise_annotations(guesses, annotator=self.user)

    # -- results ------------------------------------------------------------------------------------
    def judged(self) -> pd.DataFrame:
        """Return judged predictions of the uniformly drawn images, one box each because boxes are not independent."""
        images, annotations, _ = self._store.tables(self.split)
        names = images.loc[has_tag(images, _RANDOM) & images["status"].isin(_JUDGED), "image"].tolist()
        guesses = self._guesses(names)
        if self.draws:
            return check_boxes(guesses[~is_whole(guesses)], annotations[~is_whole(annotations)], names)
        right = pd.MultiIndex.from_frame(guesses[["image", "label"]]).isin(
            list(annotations[["image", "label"]].itertuples(index=False, name=None))
        )
        return guesses[["image", "label", "confidence"]].assign(right=right)

    @property
    def precision(self) -> pd.DataFrame:
        """Precision by predicted label: label, shown, right, precision, and the 95 % interval from low to high."""
        counts = self.judged().groupby("label")["right"].agg(["size", "sum"])
        rows = [
            (label, shown, right, right / shown, *precision_interval(right, shown))
            for label, shown, right in zip(counts.index, counts["size"].tolist(), counts["sum"].tolist(), strict=True)
        ]
        return pd.DataFrame(rows, columns=["label", "shown", "right", "precision", "low", "high"])

    @cached_property
    def _on_test_set(self) -> float | None:
        with suppress(CustomLabelsError):  # the version may be damaged
            return self._test_precision()
        return None

    @property
    def sentence(self) -> str:
        """Precision in the field beside the one on the test set, in words."""
        right = self.judged()["right"]
        if right.empty:
            return "No prediction of a randomly drawn image has been judged yet."
        low, high = precision_interval(int(right.sum()), len(right))
        words = f"in the field {right.mean():.2f} ({low:.2f}–{high:.2f})"
        return words if self._on_test_set is None else f"{words}, on the test set {self._on_test_set:.2f}"

    def send(self) -> Submission:
        """Add the judged images to the project with their labels, one action per dataset, unless a label has gone."""
        if self._project.read_only:
            raise NotAllowedError(f"Project {self.project!r} is read-only, so nothing can be added.")
        images, annotations, _ = self._store.tables(self.split)
        gone = sorted(set(annotations["label"]) - set(self._project.labels()["label"]))
        if gone:
            raise LabelError(f"The project no longer has the labels {gone!r}. Add them, or correct these images.")
        there, judged = in_project(self._project, images), images["status"].isin(_JUDGED)
        new = images[judged & ~there]
        issues = [
            Issue("LABEL_KEPT", "The project already has this image, so its labels were kept.", where=name)
            for name in images.loc[judged & there, "image"]
        ]
        drawn = new.loc[has_tag(new, _RANDOM), "image"].tolist()
        to_test = new["image"].isin(drawn[: round(self._test_fraction * len(drawn))])
        reports: dict[str, ImportReport] = {}
        for split, part in ((t.TRAIN, new[~to_test]), (t.TEST, new[to_test])):
            plain = part.assign(tags=[[] for _ in range(len(part))])
            part_marks = annotations[annotations["image"].isin(part["image"])]
            if len(part):
                contents = contents_of_tables(plain, part_marks, f"feedback of {self.model}", root=None)
                after = reports[t.TRAIN].action if reports else None
                options = ImportOptions(split, on_known="skip")
                reports[split] = import_images(self._project, self._folder, contents, options, after=after)
        change_signal.notify(self._folder)
        names = [name for report in reports.values() for name in report.added_images]
        train, test = (reports[split].added if split in reports else 0 for split in t.SPLITS)
        unsettled = int((new["image"].isin(names) & (new["status"] == "needs_review")).sum())
        table = pd.concat([issues_to_frame(issues), *(report.issues for report in reports.values())], ignore_index=True)
        return Submission(train, test, unsettled, table)


def draw_sample(
    project: SqlStore,
    folder: Path,
    images: Sequence[str],
    predict: Callable[[], pd.DataFrame],
    *,
    model: str,
    key: str,
    sample: int,
    random_state: int,
) -> Path:
    """Draw images to judge, half of them uniformly and half of them the least certain of the others.

    Images that the project has, or that cannot be read, are left out. The same arguments and ``key`` return the same
    database. ``predict`` is not called if it exists.
    """
    if project.read_only:
        raise NotAllowedError(f"Project {project.project().name!r} is read-only, so no verdict can be stored.")
    sample, random_state = check_integer("sample", sample, 1), check_random_state(random_state)
    digest = hashlib.sha256(f"{key}\n{sample}\n{random_state}".encode("utf-8", "replace")).hexdigest()
    path = folder / "feedback" / f"{digest[:16]}.db"
    if path.exists():
        return path
    uris = {name: Location.of(name).below(folder).uri for name in dict.fromkeys(images)}
    predictions = predict()
    if predictions.attrs.get("interrupted"):
        raise Cancelled("Stopped by you. There is no sample yet.")
    task, predictions = _fitting(project, predictions, uris)
    listed = pd.DataFrame({"image": list(dict.fromkeys(uris.values()))})
    listed = listed[~listed["image"].isin(project.files()[0]["image"])]
    drawn = t.normalise_images(_drawn(listed["image"].to_numpy(), predictions, sample, random_state))
    (folder / "feedback").mkdir(exist_ok=True)
    with scratch(folder / "feedback") as part:
        new = part / "database" / path.name  # not in ``part``, whose lock writers would wait for
        new.parent.mkdir()
        store = create_store(str(new), project.project().name, task=task)
        action = Action("verify", settings.user, model)
        labels = project.labels()[["label", "color"]].itertuples(index=False)
        store.add_labels([(str(name), str(color)) for name, color in labels], action)
        contents = contents_of_tables(drawn, predictions.head(0), f"feedback of {model}", root=None)
        report = import_images(store, folder, contents, ImportOptions())
        kept = store.images(t.TRAIN)
        left_out = len(uris) - len(listed) + store.remove_images(t.TRAIN, kept[in_project(project, kept)], action).count
        unlabelled = store.images(t.TRAIN)["image"]
        if unlabelled.empty:
            reasons = report.issues["message"].tolist() or ["The project already has them."]
            raise NotEnoughDataError(f"None of the images can be verified: {reasons[0]}")
        store.replace_predictions(model, predictions[predictions["image"].isin(unlabelled)].assign(model=model), action)
        store.set_project(action, tags={"model": model, "known": str(left_out)})
        store.close()
        new.replace(path)
    return path


def _fitting(project: SqlStore, predictions: pd.DataFrame, uris: dict[str, str]) -> tuple[str, pd.DataFrame]:
    """Return the task of a sample, and the predictions that fit it, after checking that they fit the project."""
    task = project.project().task
    unknown = sorted(set(predictions["label"].dropna()) - set(project.labels()["label"]))
    if unknown:
        raise LabelError(
            f"The project has no labels {unknown!r}, which were predicted. Add them with project.labels.add(name), or "
            "rename them with predictions.replace({'label': {old: new}})."
        )
    predictions = t.normalise_annotations(
        predictions.assign(image=predictions["image"].map(uris))[[c for c in _COLUMNS if c in predictions]]
    )
    boxes = bool(predictions["left"].notna().any())
    if boxes and task in (t.SINGLE_LABEL, "multi-label"):
        raise InputError(
            f"predictions has boxes, but the project's task is {task!r}. Pass the predictions of a classifier."
        )
    if task == t.SINGLE_LABEL:  # the surest label is the prediction
        predictions = predictions.sort_values("confidence", ascending=False, kind="stable").drop_duplicates("image")
    several = predictions.duplicated("image").any()
    return task or ("boxes" if boxes else "multi-label" if several else t.SINGLE_LABEL), predictions


def _drawn(images: np.ndarray[Any, Any], predictions: pd.DataFrame, sample: int, random_state: int) -> pd.DataFrame:
    rng, count = np.random.default_rng(random_state), min(sample, len(images))
    half = count if count == len(images) else (count + 1) // 2
    uniform = rng.permutation(images)[:half]
    sure = predictions.groupby("image")["confidence"].min().reindex(images).drop(uniform).sort_values(kind="stable")
    chosen = rng.permutation([*uniform, *sure.index[: count - half]])
    return pd.DataFrame({"image": chosen, "tags": [[_RANDOM] if name in set(uniform) else [] for name in chosen]})


def in_project(project: SqlStore, images: pd.DataFrame) -> pd.Series:
    """Return a mask of the images that the project has, by name or content."""
    files = project.files()[0]
    return images["image"].isin(files["image"]) | images["sha256"].isin(files["sha256"].dropna())


def _reject(images: pd.DataFrame, annotations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return images.assign(status="needs_review"), annotations.head(0)


def _as_lists(rows: pd.DataFrame) -> list[list[Any]]:
    boxes = rows[list(t.BOX_COLUMNS)].round(1).astype(object).where(rows["left"].notna(), None).to_numpy().tolist()
    columns = zip(rows["label"].tolist(), rows["confidence"].tolist(), boxes, strict=True)
    return [[label, confidence, None if box[0] is None else box] for label, confidence, box in columns]
