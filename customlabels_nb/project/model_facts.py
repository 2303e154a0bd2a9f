"""What is known of a version, and what people say of it: its record, its card, names, tags and description."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from customlabels_nb._utils.text import escaped, one_line
from customlabels_nb.errors import (
    ArtifactError,
    CustomLabelsError,
    ModelNotFoundError,
    ModelNotReadyError,
    NotAllowedError,
    StoreError,
)
from customlabels_nb.events import say
from customlabels_nb.project.location import ProjectLocation, check_description, check_name, check_tags
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, SqlStore, VersionRecord
from customlabels_nb.store.records import DESCRIPTION

if TYPE_CHECKING:
    from customlabels_nb.evaluation import Evaluation
    from customlabels_nb.project.model_card import ModelCard

#: The statuses of versions that can run.
READY = ("TRAINING_COMPLETED", "COPYING_COMPLETED", "STARTING", "RUNNING", "STOPPING", "STOPPED", "FAILED")


class ModelFacts:
    """The part of a version that runs nothing; see :class:`customlabels_nb.project.model.Model`."""

    def __init__(self, place: ProjectLocation, name: str) -> None:
        self._place = place
        self.name = name

    @property
    def _root(self) -> Path:
        return self._place.root

    @property
    def _store(self) -> SqlStore:
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
        """One of :data:`customlabels_nb.store.records.VERSION_STATUSES`."""
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
        """The confidence from which on each label counts: assumed (F1 on the test set was highest there), or set."""
        from customlabels_nb.models.artifact import load_config

        self._require_ready()
        return dict(load_config(self.folder).thresholds)

    @property
    def card(self) -> ModelCard:
        """The version's card: what it is, what it learnt from, how well it does, and what it can't.

        Shows itself; ``.text`` is its Markdown, ``.to(path)`` writes it.
        """
        return self._make_card(None)

    def _make_card(self, evaluated: Evaluation | None) -> ModelCard:
        from customlabels_nb.project.model_card import make_card

        self._require_ready()
        return make_card(self.folder, self._root, self.record, self._store.project().name, evaluated=evaluated)

    # -- what people say of it ----------------------------------------------------------------------
    def publish(self, alias: str) -> None:
        """Make this the version that ``project.model(alias)`` means, in place of the one that it meant before.

        Raises
        ------
        NotAllowedError
            If ``alias`` is "latest" or the name of a version.
        """
        if check_name(alias) == "latest" or any(version.name == alias for version in self._store.versions()):
            raise NotAllowedError(f"alias={alias!r} is the name of a version or means the latest; choose another.")
        self._require_ready()
        self._store.update_version(self.name, Action("publish version", settings.user, self.name), alias=alias)

    def tag(self, **tags: str) -> None:
        """Set tags (key → value) beside those that are there."""
        merged = {**self.record.tags, **check_tags(tags)}
        self._store.update_version(self.name, Action("tag version", settings.user, self.name), tags=merged)
        if DESCRIPTION in tags:
            self._write_card()

    @property
    def description(self) -> str:
        """What it is for, in your words; ``describe`` sets it."""
        return self.record.description

    def describe(self, text: str) -> None:
        """Say what it is for, which the card and the table of versions show; an empty text takes that back.

        It is kept as the tag ``description``.
        """
        tags = {**self.record.tags, DESCRIPTION: check_description(text)}
        kept = {key: value for key, value in tags.items() if value or key != DESCRIPTION}
        self._store.update_version(self.name, Action("describe version", settings.user, self.name), tags=kept)
        self._write_card()

    def __repr__(self) -> str:
        try:
            record = self.record
        except (StoreError, ModelNotFoundError) as error:
            return f"Model({self.name!r}, gone: {error})"
        described = f" {one_line(record.description)!r}" if record.description else ""
        return f"Model({self.name!r}, {record.status}: {record.status_message}{described})"

    def _repr_html_(self) -> str:
        try:
            record = self.record
        except (StoreError, ModelNotFoundError):
            return html.escape(repr(self))
        f1 = record.metrics.get("f1")
        score = f" · F1 <b>{f1:.3f}</b>" if isinstance(f1, float) else ""
        described = f" · <bdi>{escaped(record.description)}</bdi>" if record.description else ""
        return f"<div><b>{html.escape(self.name)}</b>{score} · {html.escape(record.status_message)}{described}</div>"

    def _require_ready(self) -> None:
        record = self.record
        if record.status not in READY:
            raise ModelNotReadyError(f"{self.name!r} is {record.status}: {record.status_message}")
        if not (self._root / record.folder).is_dir():
            raise ArtifactError(f"The folder of {self.name!r} is gone: {str(self._root / record.folder)!r}.")

    def _write_card(self) -> None:
        """Write the card of a version that can have one; what was done besides doesn't depend on it."""
        if self.record.status not in READY or not self.folder.is_dir():
            return
        try:
            self.card.to(self.folder)
        except CustomLabelsError as error:
            say(f"The card of {self.name} could not be written: {error}")
