"""A version of a model: start, detect, evaluate, stop."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from customlabels_nb.dataset import Dataset
from customlabels_nb.errors import ArtifactError, ModelNotFoundError, ModelNotReadyError, NotAllowedError, StoreError
from customlabels_nb.events import Events, progress_bars, say
from customlabels_nb.locations import Place, check_name, check_tags
from customlabels_nb.report import Report
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, Store, VersionRecord
from customlabels_nb.training.status import Heartbeat, is_settled, remove_folder, this_process

if TYPE_CHECKING:
    from customlabels_nb.inference.detection import Detection
    from customlabels_nb.inference.predictor import Predictor

_READY = ("TRAINING_COMPLETED", "STARTING", "RUNNING", "STOPPING", "STOPPED", "FAILED")
_RUNNING = ("STARTING", "RUNNING", "STOPPING")
_BUSY = ("TRAINING_IN_PROGRESS", *_RUNNING)
_DONE = {"RUNNING": "start version", "STOPPED": "stop version", "FAILED": "start version (failed)"}
#: What runs in this process, by project folder and version, with its heartbeat.
_PREDICTORS: dict[tuple[Path, str], tuple[Predictor, Heartbeat]] = {}


class Model:
    """One version of a project's model. Made by ``project.train()`` and ``project.model(name)``."""

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self.name = name

    @property
    def _root(self) -> Path:
        return self._place.root

    @property
    def _store(self) -> Store:
        return self._place.store

    # -- what is known of it ------------------------------------------------------------------------
    @property
    def record(self) -> VersionRecord:
        """The version as the project keeps it: status, message, times, tags, metrics, configuration."""
        for version in self._store.versions():
            if version.name == self.name:
                return version
        raise ModelNotFoundError(f"There is no version {self.name!r} any more.")

    @property
    def status(self) -> str:
        """One of :data:`customlabels_nb.store.base.VERSION_STATUSES`."""
        return self.record.status

    @property
    def status_message(self) -> str:
        """What the status means, as a sentence."""
        return self.record.status_message

    @property
    def folder(self) -> Path:
        """The folder with the weights, the snapshots and everything else of the version."""
        return self._root / self.record.folder

    @property
    def thresholds(self) -> dict[str, float]:
        """The assumed threshold of each label: the confidence at which its F1 on the test set was highest."""
        from customlabels_nb.models.artifact import load_config

        self._require_ready()
        return dict(load_config(self.folder).thresholds)

    # -- running ------------------------------------------------------------------------------------
    def start(self, device: str | None = None) -> Model:
        """Load the weights on a device (cuda → mps → cpu unless named) and warm up.

        Where it runs already nothing happens; on another device, it moves there.
        """
        from customlabels_nb.device import choose_device
        from customlabels_nb.inference.predictor import Predictor

        self._require_ready()
        chosen = None if device is None else choose_device(device)
        running = self._predictor
        if running is not None and chosen in (None, running.device):
            return self
        self._set("STARTING", "The model is starting.")
        predictor = running or Predictor(self.folder)
        try:
            predictor.start(chosen)
        except BaseException as error:
            self._forget()
            self._set("FAILED", f"The model could not be started: {error}")
            raise
        self._remember(predictor)
        self._set("RUNNING", f"The model is running on {predictor.device}.")
        return self

    def stop(self) -> None:
        """Free the memory that the model takes. Stopping what doesn't run is no error.

        Raises
        ------
        NotAllowedError
            If it runs in another kernel: stop it there.
        """
        predictor, record = self._predictor, self.record
        if predictor is not None:
            predictor.stop()
            self._forget()
        elif record.status not in _RUNNING:
            return
        elif not is_settled(record):
            raise NotAllowedError(f"{self.name!r} runs in another kernel ({record.host}, {record.pid}): stop it there.")
        self._set("STOPPED", "The model has stopped running.")

    @contextmanager
    def started(self, device: str | None = None) -> Iterator[Model]:
        """``with model.started(): …`` starts, and stops at the end whatever happens."""
        self.start(device)
        try:
            yield self
        finally:
            self.stop()

    def detect(
        self, image: Any, threshold: float | Mapping[str, float] | None = None, max_results: int | None = None
    ) -> Detection:
        """Find the labels of one image.

        Parameters
        ----------
        image : path, URL, bytes, PIL image, array or tensor
            Arrays are (height, width[, 3 or 4]), tensors (3, height, width); uint8, or float between 0 and 1.
        threshold : float or dict, optional
            Confidence (0..1) from which on a label counts, for all labels or by label; each label's assumed
            threshold if it isn't given. 0 returns everything.
        max_results : int, optional
            At most so many, the most confident ones.

        Returns
        -------
        Detection
            Shows itself as the picture with its labels; ``.table``, ``.response`` (the API's JSON).
        """
        from customlabels_nb.inference.detection import detect

        root = self._root if _lies_in(self._root, image) else None
        return detect(self._running(), image, threshold=threshold, max_results=max_results, root=root)

    def detect_many(
        self,
        images: Any,
        threshold: float | Mapping[str, float] | None = None,
        max_results: int | None = None,
        *,
        batch_size: int | None = None,
        progress: bool = True,
        events: Events | None = None,
    ) -> pd.DataFrame:
        """Find the labels of many images: paths, a glob, a folder, a dataset or a DataFrame with a column ``image``.

        Returns
        -------
        DataFrame
            image, label, confidence (0..1), left, top, width, height (pixels; null from classifiers).
            ``.attrs["errors"]`` lists the images that could not be read: dicts of image, code, message.
        """
        from customlabels_nb.inference.batch import detect_many

        sources = images.images if isinstance(images, Dataset) else images
        with progress_bars(events or Events(), show=progress) as stream:
            found = detect_many(
                self._running(),
                sources,
                root=images.root if isinstance(images, Dataset) else self._root,
                threshold=threshold,
                max_results=max_results,
                batch_size=batch_size,
                events=stream,
            )
        if found.attrs.get("interrupted"):
            say(f"Stopped: {len(found.attrs['remaining']):,} images are left, see .attrs['remaining'].")
        return found

    # -- judging ------------------------------------------------------------------------------------
    def evaluate(self) -> Report:
        """What the test set says of this version: its own test images as they were at training, no model run."""
        from customlabels_nb import evaluation
        from customlabels_nb.models.artifact import load_config
        from customlabels_nb.training.snapshots import read_predictions, read_snapshot

        self._require_ready()
        config, predictions = load_config(self.folder), read_predictions(self.folder)
        labels = pd.DataFrame({"label": config.labels, "colour": config.colours})
        truth = read_snapshot(self.folder, "test", self._root).annotations
        images = predictions["image"].unique()
        result = evaluation.evaluate(truth[truth["image"].isin(images)], predictions, images=images, labels=labels)
        facts = config.training
        details = {"evaluated": datetime.fromisoformat(facts["ended"]), "training_images": facts["training_images"]}
        if facts["left_out"]:
            details["left out, as they could not be read"] = facts["left_out"]
        return Report(result, name=self.name, project=self._store.project().name, details=details)

    # -- its life -----------------------------------------------------------------------------------
    def resume(self, *, progress: bool = True, events: Events | None = None) -> Model:
        """Go on with a training that was stopped or killed, on the images and options that it began with."""
        from customlabels_nb.training.run import resume_version

        record = self.record
        if record.status != "TRAINING_FAILED":
            raise NotAllowedError(f"Only a failed training can be resumed; {self.name!r} is {record.status}.")
        with progress_bars(events or Events(), show=progress) as stream:
            resume_version(self._store, self._root, record, stream)
        self.evaluate().to(self.folder / "evaluation")
        return self

    def publish(self, alias: str) -> None:
        """Make this the version that ``project.model(alias)`` means, in place of the one that it meant before."""
        if check_name(alias) == "latest" or any(version.name == alias for version in self._store.versions()):
            raise NotAllowedError(f"alias={alias!r} is the name of a version or means the latest; choose another.")
        self._require_ready()
        self._store.update_version(self.name, Action("publish version", settings.user, self.name), alias=alias)

    def tag(self, **tags: str) -> None:
        """Set tags (key → value) beside those that are there."""
        merged = {**self.record.tags, **check_tags(tags)}
        self._store.update_version(self.name, Action("tag version", settings.user, self.name), tags=merged)

    def delete(self, *, confirm: bool = False) -> None:
        """Delete the version and its folder; asks unless ``confirm=True``. Refused while it trains or runs."""
        record = self.record
        if record.status in _BUSY:
            raise NotAllowedError(f"{self.name!r} can't be deleted while it is {record.status}; stop it first.")
        require_confirmation(f"Delete the version {self.name!r} for ever?", confirm)
        self._store.update_version(self.name, status="DELETING", status_message="The model is being deleted.")
        remove_folder(self._root / record.folder, self._root)
        self._store.delete_version(self.name, Action("delete version", settings.user, self.name))

    def __repr__(self) -> str:
        try:
            record = self.record
        except (StoreError, ModelNotFoundError) as error:
            return f"Model({self.name!r}, gone: {error})"
        return f"Model({self.name!r}, {record.status}: {record.status_message})"

    def _repr_html_(self) -> str:
        try:
            record = self.record
        except (StoreError, ModelNotFoundError):
            return html.escape(repr(self))
        f1 = record.metrics.get("f1")
        score = f" · F1 <b>{f1:.3f}</b>" if isinstance(f1, float) else ""
        return f"<div><b>{html.escape(self.name)}</b>{score} · {html.escape(record.status_message)}</div>"

    @property
    def _predictor(self) -> Predictor | None:
        """What runs it in this process, whichever object started it."""
        beating = _PREDICTORS.get(self._key)
        return beating[0] if beating is not None and beating[0].running else None

    @property
    def _key(self) -> tuple[Path, str]:
        return self._root.resolve(), self.name

    def _remember(self, predictor: Predictor) -> None:
        if self._key not in _PREDICTORS:
            _PREDICTORS[self._key] = (predictor, Heartbeat(self._store, self.name))

    def _forget(self) -> None:
        beating = _PREDICTORS.pop(self._key, None)
        if beating is not None:
            beating[1].stop()

    def _running(self) -> Predictor:
        if self._predictor is None:
            self.start()
            predictor = self._predictor
            assert predictor is not None
            say(f"{self.name} was not running: started on {predictor.device}. model.stop() frees its memory.")
            return predictor
        return self._predictor

    def _require_ready(self) -> None:
        record = self.record
        if record.status not in _READY:
            raise ModelNotReadyError(f"{self.name!r} is {record.status}: {record.status_message}")
        if not (self._root / record.folder).is_dir():
            raise ArtifactError(f"The folder of {self.name!r} is gone: {str(self._root / record.folder)!r}.")

    def _set(self, status: str, message: str) -> None:
        if self._store.read_only:  # it may be looked at and run, but nothing can be noted
            return
        nobody: dict[str, Any] = {"host": None, "pid": None, "heartbeat": None}
        process = this_process() if status in _RUNNING else nobody
        action = None if status == "STARTING" else Action(_DONE[status], settings.user, self.name)
        self._store.update_version(self.name, action, status=status, status_message=message, **process)


def _lies_in(root: Path, image: Any) -> bool:
    """Whether ``image`` is the relative path of a copy or upload in the project's folder, as its tables name it."""
    if not isinstance(image, str) or "\0" in image or os.path.exists(image):
        return False
    return not os.path.isabs(image) and (root / image).is_file()


def require_confirmation(question: str, confirm: bool, consequence: str = "This can't be undone.") -> None:
    """Ask the person at the notebook, unless ``confirm``; anything but yes is a refusal.

    Raises
    ------
    NotAllowedError
        If the answer isn't yes, or nobody can be asked.
    """
    if confirm:
        return
    try:
        answer = input(f"{question} {consequence} Type yes: ")
    except (EOFError, OSError, RuntimeError) as error:  # ipykernel raises StdinNotImplementedError, a RuntimeError
        raise NotAllowedError(f"{question} Nobody can be asked here: say confirm=True.") from error
    if answer.strip().lower() not in ("y", "yes"):
        raise NotAllowedError("Not confirmed; nothing was deleted.")
