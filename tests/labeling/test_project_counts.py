"""Tests of the counts of a dataset: updated incrementally, and never recounted from the start."""

from __future__ import annotations

import pytest

from customlabels_nb.labeling.session import LabellingSession
from customlabels_nb.project.project import Project
from customlabels_nb.store import Action, SqlStore
from tests.labeling.conftest import another, named


def test_annotators_are_counted_with_every_edit(project: Project, session: LabellingSession) -> None:
    ben = another(project, "ben")
    assert session.annotators() == []
    session.assign(named(session, 1, 2), "apple")
    ben.follow()
    ben.assign(named(ben, 2, 3), "pear")
    session.follow()
    assert session.annotators() == ben.annotators() == ["anna", "ben"]
    session.assign(named(session, 3), "pear", on=False)
    session.assign(named(session, 2), "apple")
    assert session.annotators() == ["anna"]
    fresh = another(project, "carl")
    assert dict(+session.table.by_annotator) == dict(+fresh.table.by_annotator) == {"anna": 2}


def test_totals_follow_moves_between_datasets(project: Project, session: LabellingSession, store: SqlStore) -> None:
    action = Action("move", "ben")
    assert session.totals() == {"train": 30, "test": 0}
    store.move_images(named(session, 1, 2, 3), "train", "test", action)
    session.follow()
    assert session.totals() == {"train": 27, "test": 3}
    session.open("test")
    store.move_images(named(session, 3), "test", "train", action)
    session.follow()
    assert session.totals() == {"train": 28, "test": 2}


def test_edits_do_not_recount_the_database(session: LabellingSession, monkeypatch: pytest.MonkeyPatch) -> None:
    session.totals()
    monkeypatch.delattr(SqlStore, "statistics")
    session.assign(named(session, 1), "apple")
    assert session.totals() == {"train": 30, "test": 0}
