"""Tests of signatures: keys, scopes, times, altered requests, and clients of other languages."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import stat
import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from customlabels_nb.endpoints import EndpointServer
from customlabels_nb.endpoints.rekognition.access_keys import load_keys, parse_key
from customlabels_nb.errors import InputError
from tests.endpoints.rekognition.service import SECRET, Service, classified, write_keys


class Signed:
    """Request for a server, signed by botocore as by a client, whose parts can be altered before it is sent."""

    def __init__(
        self, service: Service, *, path: str = "/", secret: str = SECRET, key: str = "test", token: str | None = None,
        name: str = "rekognition", headers: dict[str, str] | None = None, body: bytes | None = None,
        later: timedelta = timedelta(), monkeypatch: pytest.MonkeyPatch | None = None,
    ) -> None:  # fmt: skip
        self.body = json.dumps({"ProjectName": "rooms"}).encode() if body is None else body
        self.url = f"{service.server.url}{path}"
        target = {"X-Amz-Target": "RekognitionService.CreateProject", "Content-Type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", self.url, target | (headers or {}), self.body)
        if monkeypatch is not None:
            if not hasattr(botocore.auth, "get_current_datetime"):
                pytest.skip("this botocore takes its time from elsewhere")
            monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime.now(UTC) + later)
        SigV4Auth(Credentials(key, secret, token), name, "eu-west-3").add_auth(request)
        self.headers = dict(request.headers.items())

    def raw(self, method: str = "POST", url: str | None = None, **more: str) -> bytes:
        """Return the request line and the headers as they are sent, with some replaced."""
        _, _, host, path = self.url.split("/", 3)
        headers = {"Host": host, "Content-Length": str(len(self.body)), **self.headers}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        lines = [f"{method} {url or f'/{path}'} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def send(self) -> tuple[int, str | None, dict[str, Any]]:
        """Return the status, the error's code, and the body."""
        request = urllib.request.Request(self.url, self.body, self.headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, None, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            status, headers, body = error.code, error.headers, json.loads(error.read())
        assert body["__type"] == headers["x-amzn-ErrorType"]
        assert headers["x-amzn-RequestId"]
        return status, body["__type"], body


def code(signed: Signed, service: Service) -> str | None:
    """Return the error's code, which must not have executed anything."""
    status, found, _ = signed.send()
    assert (status, service.call("describe_projects")["ProjectDescriptions"]) == (400, [])
    return found


@pytest.mark.parametrize(
    "options",
    [{}, {"token": "session"}, {"path": "/user/x%20y/rekognition/"}, {"headers": {"X-Amz-Meta": "a   b"}}],
)
def test_requests_of_any_region_path_and_session_are_accepted(service: Service, options: dict[str, Any]) -> None:
    status, _, body = Signed(service, **options).send()
    assert status == 200
    assert body["ProjectArn"].startswith("arn:aws:rekognition:us-east-1:123456789012:project/rooms/")


def test_the_hash_of_the_body_may_be_signed_too(service: Service) -> None:
    body = b'{"ProjectName": "rooms"}'
    digest = hashlib.sha256(body).hexdigest()
    assert Signed(service, body=body, headers={"X-Amz-Content-SHA256": digest}).send()[0] == 200
    for wrong in ("UNSIGNED-PAYLOAD", hashlib.sha256(b"").hexdigest()):
        found = Signed(service, body=body, headers={"X-Amz-Content-SHA256": wrong}).send()[1]
        assert found == "InvalidSignatureException"


def test_wrong_keys_and_services_are_refused(service: Service) -> None:
    assert code(Signed(service, secret="other"), service) == "InvalidSignatureException"
    assert code(Signed(service, key="other"), service) == "UnrecognizedClientException"
    assert code(Signed(service, name="s3"), service) == "InvalidSignatureException"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_signature_of_another_time_is_refused_with_both_times(
    service: Service, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = Signed(service, later=timedelta(minutes=minutes), monkeypatch=monkeypatch)
    monkeypatch.undo()
    _, found, body = signed.send()
    assert found == "InvalidSignatureException"
    assert signed.headers["X-Amz-Date"] in body["Message"]
    assert datetime.now(UTC).strftime("%Y%m%dT%H") in body["Message"]


def test_four_minutes_of_skew_are_accepted(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = Signed(service, later=timedelta(minutes=4), monkeypatch=monkeypatch)
    monkeypatch.undo()
    assert signed.send()[0] == 200


def test_altered_requests_are_refused(service: Service) -> None:
    altered = Signed(service)
    altered.body = altered.body.replace(b"rooms", b"other")
    assert code(altered, service) == "InvalidSignatureException"
    elsewhere = Signed(service)
    elsewhere.url += "other"
    assert code(elsewhere, service) == "InvalidSignatureException"
    redirected = Signed(service)
    redirected.headers["X-Amz-Target"] = "RekognitionService.DescribeProjects"
    assert code(redirected, service) == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, "MissingAuthenticationTokenException"),
        ("Basic dGVzdDp0ZXN0", "MissingAuthenticationTokenException"),
        ("AWS4-HMAC-SHA256 ", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=test/2024/x, SignedHeaders=host, Signature=1", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=test/20240501/r/rekognition/aws4_request, SignedHeaders=host, Signature=1",
         "IncompleteSignatureException"),
    ],
)  # fmt: skip
def test_requests_without_a_whole_signature_are_refused(
    service: Service, authorization: str | None, expected: str
) -> None:
    signed = Signed(service)
    del signed.headers["Authorization"]
    if authorization is not None:
        signed.headers["Authorization"] = authorization
    assert code(signed, service) == expected


@pytest.mark.parametrize("date", ["yesterday", "20240501T000000"])
def test_a_time_of_another_form_is_incomplete(service: Service, date: str) -> None:
    signed = Signed(service)
    signed.headers["X-Amz-Date"] = date
    assert code(signed, service) == "IncompleteSignatureException"


def test_headers_that_must_be_signed_are_named(service: Service) -> None:
    signed = Signed(service)
    signed.headers["Authorization"] = signed.headers["Authorization"].replace(";x-amz-target", "")
    status, found, body = signed.send()
    assert (status, found) == (400, "IncompleteSignatureException")
    assert "x-amz-target" in body["Message"]


# -- keys -------------------------------------------------------------------------------------------
def test_the_first_start_makes_keys_that_only_the_owner_reads(tmp_path: Path) -> None:
    made = load_keys(tmp_path / "state" / "keys.json")
    (key,) = made.keys.values()
    assert len(made.new) == 1
    assert len(key.secret_key) >= 40
    assert stat.S_IMODE((tmp_path / "state" / "keys.json").stat().st_mode) == 0o600
    again = load_keys(tmp_path / "state" / "keys.json")
    assert (again.keys, again.secret, again.new) == (made.keys, made.secret, [])


def test_a_given_key_replaces_those_of_the_file(tmp_path: Path) -> None:
    load_keys(tmp_path / "keys.json")
    assert list(load_keys(tmp_path / "keys.json", parse_key("test:a:b")).keys) == ["test"]
    assert parse_key("test:a:b").secret_key == "a:b"


@pytest.mark.parametrize("text", ["", "test", ":x", "x:", "a/b:c"])
def test_a_key_of_another_form_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(InputError, match="ACCESS_KEY:SECRET_KEY"):
        parse_key(text)


def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    path = write_keys(tmp_path)
    path.write_text("{}")
    with pytest.raises(InputError, match=r"keys\.json"):
        load_keys(path)


def test_keys_that_could_be_guessed_are_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secrets = {"none": None, "empty": "", "number": 10**20, "short": "x" * 15, "long": "x" * 16}
    path = write_keys(tmp_path, *({"access_key": name, "secret_key": secret} for name, secret in secrets.items()))
    assert list(load_keys(path).keys) == ["long"]
    assert sorted(record.getMessage().split("'")[1] for record in caplog.records) == sorted(secrets.keys() - {"long"})
    assert all(str(path) in record.getMessage() for record in caplog.records)
    caplog.clear()
    assert list(load_keys(path, parse_key("test:a")).keys) == ["test"]  # only for this machine
    assert caplog.records == []
    path.write_text(json.dumps({"secret": "00" * 15, "keys": []}))
    with pytest.raises(InputError, match="its secret has fewer than 16 bytes"):
        load_keys(path)


@pytest.mark.skipif(os.name != "posix", reason="other systems have no permission bits")
def test_keys_that_others_can_read_are_refused_with_the_command_that_fixes_it(tmp_path: Path) -> None:
    (tmp_path / "my projects").mkdir()
    path = write_keys(tmp_path / "my projects", {"access_key": "test", "secret_key": SECRET})
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(InputError) as caught:
            EndpointServer(tmp_path / "my projects", port=0)
        command = str(caught.value).partition("Run: ")[2]
        assert command == f"chmod 600 '{path}'"
        subprocess.run(shlex.split(command), check=True)
        assert list(load_keys(path).keys) == ["test"]


def test_a_denial_holds_for_every_spelling_of_an_arn(tmp_path: Path) -> None:
    for name in ("root", "photos"):
        (tmp_path / name).mkdir()
    keys = [{"access_key": "test", "secret_key": SECRET}, {"access_key": "other", "secret_key": SECRET}]
    path = write_keys(tmp_path / "root", *keys)
    with Service(tmp_path / "root", tmp_path / "photos", key=None) as service:
        project = service.project()
        dataset = service.dataset(project, [classified("1.jpg", "a")])
        service.server.stop()
        denied = [f"rekognition:* {arn.partition(':project/')[2]}" for arn in (project, dataset)]
        write_keys(tmp_path / "root", keys[0], {**keys[1], "deny": denied})
        assert path.exists()
        with service:
            other = service.new_client("other")
            for digits, code in (("", "AccessDeniedException"), ("0", "ResourceNotFoundException")):
                arns = [f"{arn.rpartition('/')[0]}/{digits}{arn.rpartition('/')[2]}" for arn in (project, dataset)]
                for operation, request in (
                    ("delete_project", {"ProjectArn": arns[0]}),
                    ("list_dataset_entries", {"DatasetArn": arns[1]}),
                    ("tag_resource", {"ResourceArn": arns[0], "Tags": {"a": "b"}}),
                    ("distribute_dataset_entries", {"Datasets": [{"Arn": arns[1]}] * 2}),
                ):
                    with pytest.raises(ClientError) as caught:
                        getattr(other, operation)(**request)
                    assert caught.value.response["Error"]["Code"] == code


def test_a_key_may_do_what_its_permissions_say(tmp_path: Path) -> None:
    for name in ("root", "photos"):
        (tmp_path / name).mkdir()
    keys: list[dict[str, Any]] = [
        {"access_key": "test", "secret_key": SECRET},
        {"access_key": "lister", "secret_key": SECRET, "allow": ["rekognition:Describe*"]},
        {"access_key": "room", "secret_key": SECRET, "allow": ["rekognition:* project/rooms/*"]},
        {"access_key": "careful", "secret_key": SECRET, "deny": ["rekognition:Delete*", "rekognition:List* /test/*"]},
    ]
    path = write_keys(tmp_path / "root", *keys)
    with Service(tmp_path / "root", tmp_path / "photos", key=None) as service:
        arns = {name: service.project(name) for name in ("rooms", "other")}
        datasets = {name: service.dataset(arn) for name, arn in arns.items()}
        test_set = service.dataset(arns["rooms"], kind="TEST")

        def may(key: str, operation: str, **request: Any) -> bool:
            client = service.new_client(key)
            try:
                getattr(client, operation)(**request)
            except client.exceptions.AccessDeniedException:
                return False
            return True

        for key in ("lister", "careful"):
            assert may(key, "describe_projects")
        assert not may("room", "describe_projects")
        assert not may("lister", "create_project", ProjectName="x")
        assert may("lister", "describe_dataset", DatasetArn=datasets["rooms"])
        assert not may("lister", "list_dataset_entries", DatasetArn=datasets["rooms"])
        assert may("room", "list_dataset_entries", DatasetArn=datasets["rooms"])
        assert not may("room", "list_dataset_entries", DatasetArn=datasets["other"])
        copied = {
            "ProjectArn": arns["rooms"],
            "DatasetType": "TEST",
            "DatasetSource": {"DatasetArn": datasets["other"]},
        }
        assert not may("room", "create_dataset", **copied)
        assert may("careful", "list_dataset_entries", DatasetArn=datasets["rooms"])
        assert not may("careful", "list_dataset_entries", DatasetArn=test_set)
        assert not may("careful", "delete_project", ProjectArn=arns["other"])
        both = [{"Arn": datasets["rooms"]}, {"Arn": datasets["other"]}]
        assert not may("room", "distribute_dataset_entries", Datasets=both)
        assert len(service.call("describe_projects")["ProjectDescriptions"]) == 2
    for wrong in (3, "rekognition:* project/rooms/0123"):
        keys[1]["allow"] = [wrong]
        write_keys(tmp_path / "root", *keys)
        with pytest.raises(InputError, match="damaged"):
            load_keys(path)
