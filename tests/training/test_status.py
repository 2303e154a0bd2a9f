"""Tests of the status of versions that several kernels train, run and delete at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from customlabels_nb.errors import InputError, NotAllowedError
from customlabels_nb.store import Action, SqlStore, VersionRecord, create_store, open_store
from customlabels_nb.training import status
from customlabels_nb.training.status import honest_status, resuming, settle_orphans, this_process
from tests.other_kernels import before_next_write

DEAD = {"host": this_process()["host"], "pid": 2**22 + 1}  # an ID that no process has
NOBODY = dict.fromkeys(("host", "pid", "heartbeat"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(create_store(str(tmp_path / "project.db"), "fruit")) as made:
        yield made


@pytest.fixture
def other(store: SqlStore) -> Iterator[SqlStore]:
    """Yield the store as another kernel opens it."""
    with closing(open_store(store.location[0])) as opened:
        yield opened


def add(store: SqlStore, name: str, **values: Any) -> VersionRecord:
    """Add a version that is being trained."""
    now = datetime.now(UTC)
    known = {"status": "TRAINING_IN_PROGRESS", "status_message": "", "folder": f"versions/{name}"}
    record = VersionRecord(**{"name": name, "created": now, "updated": now, **known, **values})  # type: ignore[arg-type]
    store.add_version(record, Action("begin training", "ann"))
    return record


def found(store: SqlStore, name: str) -> VersionRecord:
    return next(version for version in store.versions() if version.name == name)


@pytest.mark.parametrize(
    ("state", "is_alive"),
    [
        ("TRAINING_COMPLETED", False),  # it ended normally, and its kernel too
        ("TRAINING_FAILED", False),
        ("TRAINING_IN_PROGRESS", True),  # resumed
        ("RUNNING", True),
    ],
)
def test_a_version_that_changed_before_it_could_be_settled_stays_as_it_is(
    store: SqlStore, other: SqlStore, monkeypatch: pytest.MonkeyPatch, state: str, is_alive: bool
) -> None:
    add(store, "v1", **DEAD)
    meanwhile = {"status": state, "status_message": "Meanwhile.", **(this_process() if is_alive else NOBODY)}
    before_next_write(monkeypatch, store, lambda: other.update_version("v1", **meanwhile))
    assert settle_orphans(store) == []
    record = found(store, "v1")
    assert {name: getattr(record, name) for name in meanwhile} == meanwhile
    assert "settle" not in store.history()["what"].tolist()
    assert settle_orphans(store) == []


def test_only_the_versions_that_were_settled_are_returned(store: SqlStore) -> None:
    add(store, "dead", **DEAD)
    add(store, "alive", **this_process())
    add(store, "stopped", **DEAD, status="RUNNING")
    assert settle_orphans(store) == ["dead", "stopped"]
    assert [version.status for version in store.versions()] == ["TRAINING_FAILED", "TRAINING_IN_PROGRESS", "STOPPED"]
    assert store.history()["what"].tolist().count("settle") == 2


def test_a_reserved_version_waits_as_long_as_its_process_is_alive(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = this_process() | {"heartbeat": None}
    add(store, "checks", **process, endpoint={"process": [process["pid"], 0.0]})
    add(store, "waits", **process)  # an endpoint claims it each minute
    add(store, "silent", **this_process())
    add(store, "dead", **DEAD)
    assert settle_orphans(store) == ["dead"]
    monkeypatch.setattr(status, "SILENT", timedelta(0))
    assert settle_orphans(store) == ["waits", "silent"]


def test_a_version_that_a_notebook_resumes_is_not_trained_by_an_endpoint(store: SqlStore) -> None:
    add(store, "v1", status="TRAINING_FAILED", endpoint={"status": "TRAINING_IN_PROGRESS", "name": "first"}, **NOBODY)
    record = found(store, "v1")
    with pytest.raises(InputError), resuming(store, record):
        raise InputError("a check failed")
    assert found(store, "v1").endpoint == record.endpoint
    with resuming(store, record):
        assert found(store, "v1").endpoint == {"name": "first"}


def test_end_of_training_keeps_the_status_of_another_kernel(store: SqlStore, other: SqlStore) -> None:
    add(store, "v1", **this_process())
    elsewhere = {"status": "RUNNING", "host": "elsewhere", "pid": 7, "heartbeat": datetime.now(UTC)}
    with honest_status(store, "v1"):
        store.update_version("v1", status="TRAINING_COMPLETED")
        other.update_version("v1", **elsewhere)
    record = found(store, "v1")
    assert {name: getattr(record, name) for name in elsewhere} == elsewhere
    add(store, "v2", **this_process())
    with honest_status(store, "v2"):
        store.update_version("v2", status="TRAINING_COMPLETED")
    assert (found(store, "v2").host, found(store, "v2").pid) == (None, None)


def test_a_training_is_resumed_by_one_kernel_only(store: SqlStore, other: SqlStore) -> None:
    record = add(store, "v1", status="TRAINING_FAILED", status_message="Stopped by you.")
    with resuming(store, record):
        assert found(other, "v1").status == "TRAINING_IN_PROGRESS"
        assert settle_orphans(other) == []
        with pytest.raises(NotAllowedError, match="'v1' is TRAINING_IN_PROGRESS"), resuming(other, record):
            pytest.fail("two kernels train one version")
    assert found(store, "v1").status == "TRAINING_IN_PROGRESS"  # which training goes on with


def test_a_training_that_cannot_be_resumed_is_as_before(store: SqlStore) -> None:
    record = add(store, "v1", status="TRAINING_FAILED", status_message="Stopped by you.")
    history = len(store.history())
    with pytest.raises(InputError, match="a check failed"), resuming(store, record):
        raise InputError("a check failed")
    now = found(store, "v1")
    assert (now.status, now.status_message, now.pid) == ("TRAINING_FAILED", "Stopped by you.", None)
    assert len(store.history()) == history
