"""Tests of the server: the command, addresses, sizes, unknown operations and failures."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest

from customlabels_nb.cli import main
from customlabels_nb.errors import InputError
from customlabels_nb.rekognition import EndpointServer
from customlabels_nb.rekognition.endpoint import OPERATIONS
from customlabels_nb.rekognition.service_model import service_model
from customlabels_nb.rekognition.signatures import AccessKey
from customlabels_nb.settings import settings
from tests.conftest import ROOT
from tests.rekognition.service import KEY, Service
from tests.rekognition.test_signatures import Signed

NAMES = [
    "CreateProject",
    "DescribeProjects",
    "DeleteProject",
    "CreateDataset",
    "DescribeDataset",
    "ListDatasetEntries",
    "ListDatasetLabels",
    "UpdateDatasetEntries",
    "DistributeDatasetEntries",
    "DeleteDataset",
    "CreateProjectVersion",
    "DescribeProjectVersions",
    "DeleteProjectVersion",
    "StartProjectVersion",
    "StopProjectVersion",
    "DetectCustomLabels",
    "CopyProjectVersion",
    "TagResource",
    "UntagResource",
    "ListTagsForResource",
    "PutProjectPolicy",
    "ListProjectPolicies",
    "DeleteProjectPolicy",
]


def test_the_command_prints_what_clients_need_and_its_keys_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "customlabels_nb.cli", "serve", "--root", str(tmp_path), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert server.stdout is not None
        text = ""
        while "aws_secret_access_key" not in text:
            text += server.stdout.readline()
        credentials = re.search(r"\[custom-labels-access\]\n(?:aws_\w+ = \S+\n){2}", text)
        assert credentials
        (tmp_path / "credentials").write_text(credentials[0])
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in re.findall(r"^export (\w+)=(.+)$", text, re.MULTILINE):
            monkeypatch.setenv(name, value)
        arn = boto3.Session().client("rekognition").create_project(ProjectName="rooms")["ProjectArn"]
        assert arn.startswith("arn:aws:rekognition:us-east-1:")
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 130
    again = EndpointServer(tmp_path, port=0)
    shown = again.instructions()
    again.stop()
    assert "keys.json" in shown
    assert "secret" not in shown


def test_other_addresses_are_refused_with_a_key_for_tests(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"address='0\.0\.0\.0'"):
        EndpointServer(tmp_path, port=0, address="0.0.0.0", key=KEY)
    assert main(["serve", "--root", str(tmp_path), "--address", "0.0.0.0", "--key", "test:test"]) == 2


def test_wrong_arguments_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--root", str(tmp_path / "none")],
        ["--root", str(tmp_path), "--bucket", "photos"],
        ["--root", str(tmp_path), "--key", "test"],
    ):
        assert main(["serve", "--port", "0", *arguments]) == 2
    said = capsys.readouterr().err
    assert all(text in said for text in ("none", "--bucket='photos'", "ACCESS_KEY:SECRET_KEY"))


def test_a_port_in_use_is_named(service: Service, tmp_path: Path) -> None:
    port = int(service.server.url.rpartition(":")[2])
    with pytest.raises(InputError, match=f"port {port}"):
        EndpointServer(tmp_path, port=port)


def test_a_given_key_is_named_without_its_secret(tmp_path: Path) -> None:
    server = EndpointServer(tmp_path, port=0, key=AccessKey("test", "do not show"))
    shown = server.instructions()
    server.stop()
    assert shown.endswith("Access keys: test, as given")


def test_a_root_is_served_once(service: Service) -> None:
    with pytest.raises(InputError, match="already served"):
        EndpointServer(service.root, port=0)
    service.restart()
    assert service.call("describe_projects") == {"ProjectDescriptions": []}


def test_without_botocore_the_extra_is_named(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["botocore"] = None
import customlabels_nb
from customlabels_nb.cli import main
sys.exit(main(["serve", "--root", sys.argv[1]]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert ran.returncode == 2
    assert re.search(r"needs botocore.* install ", ran.stderr)


def test_the_buckets_end_with_the_server(tmp_path: Path) -> None:
    before = dict(settings.buckets)
    with EndpointServer(tmp_path, port=0, key=KEY, buckets={"photos": tmp_path}):
        assert "photos" in settings.buckets
    assert settings.buckets == before


def test_a_body_beyond_the_limit_is_refused(service: Service) -> None:
    with pytest.raises((urllib.error.HTTPError, urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(urllib.request.Request(service.server.url, bytes(17 * 2**20), method="POST"), timeout=20)
    assert service.call("describe_projects") == {"ProjectDescriptions": []}


def test_only_post_reaches_an_operation(service: Service) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(service.server.url, timeout=20)
    assert (caught.value.code, json.loads(caught.value.read())["__type"]) == (
        400,
        "MissingAuthenticationTokenException",
    )


def test_unknown_operations_have_a_documented_error(service: Service) -> None:
    for name in ("DetectFaces", "", "CreateProject;", "é"):
        signed = Signed(service)
        target = f"RekognitionService.{name}".encode("latin-1").decode("latin-1")
        signed = Signed(service, headers={"X-Amz-Target": target})
        status, found, body = signed.send()
        assert (status, found) == (400, "UnknownOperationException")
        assert "CreateProject" in body["Message"]


def test_all_operations_of_the_service_are_there() -> None:
    assert set(OPERATIONS) == set(NAMES) <= set(service_model().operation_names)


def test_each_account_gets_a_key_and_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("root", "other"):
        (tmp_path / name).mkdir()
    for account in ("11112222333", "111122223333x", "123456789012"):
        argument = f"{account}={tmp_path / 'none'}"
        assert main(["serve", "--port", "0", "--root", str(tmp_path / "root"), "--account", argument]) == 2
        assert f"account={account!r}" in capsys.readouterr().err
    first = EndpointServer(tmp_path / "root", port=0)
    first.stop()
    accounts = {"111122223333": tmp_path / "other"}
    with EndpointServer(tmp_path / "root", port=0, accounts=accounts) as server:
        shown = server.instructions()
        with pytest.raises(InputError, match="already served"):
            EndpointServer(tmp_path / "other", port=0)
    assert "[account-111122223333]" in shown
    assert "[custom-labels-access]" not in shown
    assert (tmp_path / "other" / ".rekognition" / "account").read_text() == "111122223333"
    again = EndpointServer(tmp_path / "root", port=0, accounts=accounts)
    assert "aws_secret_access_key" not in again.instructions()
    again.stop()


def test_a_failure_has_status_500_and_shows_nothing_of_the_reason(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> dict[str, Any]:
        raise RuntimeError("a secret path")

    monkeypatch.setitem(OPERATIONS, "DescribeProjects", fail)
    assert service.refused("describe_projects") == "InternalServerError"
    assert "a secret path" in caplog.text
    assert "AWS4" not in caplog.text
    assert "Signature" not in caplog.text
