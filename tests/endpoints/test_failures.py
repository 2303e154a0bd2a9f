"""Tests of failures that are not the client's: what clients and the log learn of a full disk."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from customlabels_nb.endpoints import EndpointServer
from customlabels_nb.endpoints.failures import DISK_FULL, FAILED_BY_SERVICE, job_message
from customlabels_nb.errors import InputError, ProjectError, ServiceError
from customlabels_nb.store import SqlStore
from tests.endpoints.custom_vision.vision_service import KEY

PRIVATE = "/srv/private/fruit"


def full(number: int = errno.ENOSPC) -> OSError:
    return OSError(number, "No space left on device", PRIVATE)


def caused(error: Exception, cause: Exception | None = None) -> Exception:
    error.__cause__ = cause or full()
    return error


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EndpointServer]:
    """Return a server of both endpoints that is not started."""
    server = EndpointServer(tmp_path, port=0, key=KEY)
    yield server
    server.stop()


@pytest.mark.parametrize(
    "error",
    [
        full(),
        full(errno.EDQUOT),
        caused(InputError(f"{PRIVATE} cannot be written: the disk is full.")),
        caused(ServiceError("InternalServerError", PRIVATE), caused(ProjectError(PRIVATE))),
    ],
)
def test_clients_learn_that_the_disk_is_full_but_no_path(
    server: EndpointServer, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    assert server.rekognition is not None
    assert server.custom_vision is not None
    first, second = server.rekognition.failure(error), server.custom_vision.failure(error)
    assert (first.status, json.loads(first.body)) == (500, {"__type": "InternalServerError", "Message": DISK_FULL})
    assert (second.status, json.loads(second.body)) == (500, {"code": "ErrorUnknown", "message": DISK_FULL})
    assert job_message(error, "A job failed.") == DISK_FULL
    assert len(caplog.records) == 3
    assert all(record.exc_info is None and PRIVATE not in record.getMessage() for record in caplog.records)
    assert all(record.getMessage().endswith("failed. The disk is full.") for record in caplog.records)


def test_a_job_shows_errors_of_the_client_and_logs_others(caplog: pytest.LogCaptureFixture) -> None:
    assert job_message(InputError("No image has a label.\nMore"), "A job failed.") == "No image has a label."
    assert caplog.records == []
    assert job_message(RuntimeError("private"), "A job failed.") == FAILED_BY_SERVICE
    assert "RuntimeError: private" in caplog.text


def test_a_project_that_cannot_be_stored_whole_is_not_created(
    server: EndpointServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **facts: object) -> None:
        raise full()

    assert server.custom_vision is not None
    headers = {"Training-Key": KEY.secret_key}
    uri = "/customvision/v3.3/training/projects"
    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "change_setting", fail)
        answer = server.custom_vision.answer("POST", f"{uri}?name=fruit", headers, b"")
    assert (answer.status, json.loads(answer.body)["message"]) == (500, DISK_FULL)
    assert json.loads(server.custom_vision.answer("GET", uri, headers, b"").body) == []
    assert [path.name for path in server.root.iterdir()] == [".endpoints"]


def test_a_project_that_cannot_be_opened_on_a_full_disk_does_not_seem_to_be_gone(
    server: EndpointServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.custom_vision is not None
    headers = {"Training-Key": KEY.secret_key}
    uri = "/customvision/v3.3/training/projects"
    server.custom_vision.answer("POST", f"{uri}?name=fruit", headers, b"")
    (tmp_path / "fruit").rename(tmp_path / "moved")

    def fail(*_: object) -> None:
        raise full()

    with monkeypatch.context() as patch:
        patch.setattr("customlabels_nb.endpoints.project_folders.load_project", fail)
        answer = server.custom_vision.answer("GET", uri, headers, b"")
    assert (answer.status, json.loads(answer.body)["message"]) == (500, DISK_FULL)
    assert len(json.loads(server.custom_vision.answer("GET", uri, headers, b"").body)) == 1
