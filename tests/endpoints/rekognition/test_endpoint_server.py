"""Tests of the server: the command, addresses, sizes, unknown operations and failures."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders

from customlabels_nb.cli import main
from customlabels_nb.endpoints import EndpointServer, ServingOptions, server
from customlabels_nb.endpoints.http_messages import body_length
from customlabels_nb.endpoints.rekognition.access_keys import AccessKey
from customlabels_nb.endpoints.rekognition.endpoint import OPERATIONS
from customlabels_nb.endpoints.rekognition.resource_names import parse_arn
from customlabels_nb.endpoints.rekognition.service_model import service_model
from customlabels_nb.endpoints.served_versions import end_job, reserve_version
from customlabels_nb.errors import InputError, ServiceError
from customlabels_nb.user_settings import settings
from tests.conftest import ROOT
from tests.endpoints.rekognition.service import KEY, Service
from tests.endpoints.rekognition.test_detect_operation import fake_predictor
from tests.endpoints.rekognition.test_fuzzing import versions_in
from tests.endpoints.rekognition.test_signatures import Signed
from tests.images.pictures import jpeg
from tests.waiting import wait_until

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
    (tmp_path / "none").touch()
    for arguments in (
        ["--root", str(tmp_path / "none")],
        ["--root", str(tmp_path), "--bucket", "111122223333:photos=x"],
        ["--root", str(tmp_path), "--bucket", "photos"],
        ["--root", str(tmp_path), "--key", "test"],
    ):
        assert main(["serve", "--port", "0", *arguments]) == 2
    said = capsys.readouterr().err
    expected = ("none' is not a folder", "111122223333", "--bucket='photos'", "ACCESS_KEY:SECRET_KEY")
    assert all(text in said for text in expected)


def test_the_root_is_created(tmp_path: Path) -> None:
    with EndpointServer(tmp_path / "new" / "projects", port=0, accounts={"111122223333": tmp_path / "other"}) as server:
        assert server.instructions().startswith(f"Projects in {tmp_path / 'new' / 'projects'} are served.")
    assert (tmp_path / "other").is_dir()


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
        assert f"account={account!r} must have 12 digits" in capsys.readouterr().err
        assert not (tmp_path / "none").exists()
    first = EndpointServer(tmp_path / "root", port=0)
    first.stop()
    accounts = {"111122223333": tmp_path / "other"}
    with EndpointServer(tmp_path / "root", port=0, accounts=accounts) as server:
        shown = server.instructions()
        with pytest.raises(InputError, match="already served"):
            EndpointServer(tmp_path / "other", port=0)
    assert "[account-111122223333]" in shown
    assert "[custom-labels-access]" not in shown
    assert (tmp_path / "other" / ".endpoints" / "account").read_text() == "111122223333"
    again = EndpointServer(tmp_path / "root", port=0, accounts=accounts)
    assert "aws_secret_access_key" not in again.instructions()
    assert "export AWS_PROFILE=custom-labels-access\n" in again.instructions(), "new terminals need it after a restart"
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


# -- requests that are refused by their headers -----------------------------------------------------
class Connection:
    """Connection to a server, on which bytes are sent as they are."""

    def __init__(self, service: Service) -> None:
        host, port = service.server.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.received = self.socket.makefile("rb")

    def send(self, data: bytes) -> Connection:
        self.socket.sendall(data)
        return self

    def answer(self) -> tuple[int, str, HTTPHeaders]:
        """Return the status of the next answer, the code of its error, and its headers."""
        status = int(self.received.readline().split()[1])
        headers = HTTPHeaders.parse(b"".join(iter(self.received.readline, b"\r\n")).decode())
        body = json.loads(self.received.read(int(headers["Content-Length"])) or "{}")
        return status, body.get("__type", ""), headers

    def is_closed(self) -> bool:
        """Wait until the server has sent all, and return whether it has closed the connection."""
        try:
            return self.received.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.received.close()
        self.socket.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Host": "["}, "IncompleteSignatureException"),
        ({"Host": "a]b"}, "IncompleteSignatureException"),
        ({"Host": "a:99999999"}, "InvalidSignatureException"),
        ({"Host": "\xff"}, "InvalidSignatureException"),
        ({"url": "[x"}, "IncompleteSignatureException"),
        ({"url": "/%zz?%=&=#["}, "InvalidSignatureException"),
        ({"Content_Length": "-1"}, "SerializationException"),
        ({"Content_Length": "4, 5"}, "SerializationException"),
        ({"Content_Length": "\xb2"}, "SerializationException"),
        ({"Content_Length": "9" * 30}, "SerializationException"),
        ({"Content_Length": "9" * 12}, "InvalidParameterException"),
        ({"Transfer_Encoding": "chunked"}, "SerializationException"),
        ({"Transfer_Encoding": "nonsense"}, "SerializationException"),
    ],
)
def test_malformed_requests_get_an_error_of_the_service(
    service: Service, caplog: pytest.LogCaptureFixture, changes: dict[str, str], code: str
) -> None:
    signed = Signed(service)
    connection = Connection(service).send(signed.raw(**changes))
    if code == "InvalidSignatureException":
        connection.send(signed.body)
    status, found, headers = connection.answer()
    assert (status, found, headers["x-amzn-ErrorType"]) == (400, code, code)
    if "Signature" not in code:  # the end of the request is not known, or is far away
        assert connection.is_closed()
    connection.close()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert service.call("describe_projects") == {"ProjectDescriptions": []}


_NAMES = st.sampled_from(["Host", "X-Amz-Date", "X-Amz-Target", "Authorization", "Content-Length"])
_METHODS = st.sampled_from(["POST", "GET", "HEAD", "x"])
_TEXT = st.text(st.characters(max_codepoint=255, exclude_characters="\0\r\n"), max_size=12)


@settings_of_hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=_NAMES, text=_TEXT, cut=st.integers(0, 200), uri=_TEXT, method=_METHODS)
def test_no_header_and_no_url_causes_status_500(
    service: Service, name: str, text: str, cut: int, uri: str, method: str
) -> None:
    signed = Signed(service)
    headers = HTTPHeaders({"Host": signed.url.split("/")[2], "Content-Length": "2", **signed.headers})
    headers[name] = headers.get(name, "")[:cut] + text + headers.get(name, "")[cut:]
    endpoint = service.server.rekognition
    for each in ("/", uri):
        with suppress(ServiceError):
            endpoint.admit(each, headers, body_length(headers))
        assert endpoint.answer(method, each, headers, b"{}").status == 400


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"key": "other"}, "UnrecognizedClientException"),
        ({"name": "s3"}, "InvalidSignatureException"),
        ({"later": timedelta(minutes=-6)}, "InvalidSignatureException"),
        ({}, "InvalidParameterException"),
    ],
)  # fmt: skip
def test_requests_are_refused_before_their_body_is_read(
    service: Service, options: dict[str, Any], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        signed = Signed(service, **options, monkeypatch=patch)
    for more in ({}, {"Expect": "100-continue"}):
        connection = Connection(service).send(signed.raw(Content_Length="15000000", **more))
        assert connection.answer()[:2] == (400, code)
        assert connection.is_closed()
        connection.close()


def test_a_connection_is_used_again_after_a_short_request_was_refused(service: Service) -> None:
    wrong, right = Signed(service, key="other"), Signed(service)
    connection = Connection(service)
    assert connection.send(wrong.raw() + wrong.body).answer()[1] == "UnrecognizedClientException"
    assert connection.send(right.raw() + right.body).answer()[:2] == (200, "")
    connection.close()


def test_the_limit_of_a_request_depends_on_its_operation(service: Service) -> None:
    for name, most in (("CreateProject", 2**20), ("UpdateDatasetEntries", 2**23), ("DetectCustomLabels", 2**24)):
        signed = Signed(service, headers={"X-Amz-Target": f"RekognitionService.{name}"})
        headers = HTTPHeaders({"Host": signed.url.split("/")[2], **signed.headers})
        assert service.server.rekognition.admit("/", headers, most) == most
        with pytest.raises(ServiceError, match=f"at most {most:,}"):
            service.server.rekognition.admit("/", headers, most + 1)


def test_the_bytes_of_all_requests_are_limited(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.project("rooms")  # each request that is accepted is in conflict with it
    signed = Signed(service)
    monkeypatch.setattr(server, "MOST_BYTES_AT_ONCE", 2 * len(signed.body))
    whole = Signed(service, body=signed.body.ljust(2 * len(signed.body)))
    first, second = (Connection(service).send(signed.raw(Expect="100-continue")) for _ in range(2))
    for connection in (first, second):
        assert connection.received.readline().startswith(b"HTTP/1.1 100 ")
        assert connection.received.readline() == b"\r\n"

    def code_of(signed: Signed) -> str:
        connection = Connection(service).send(signed.raw() + signed.body)
        status, code, headers = connection.answer()
        connection.close()
        assert (status, headers.get("Retry-After")) == ((500, "1") if code == "ThrottlingException" else (400, None))
        return code

    assert code_of(signed) == "ThrottlingException"
    assert first.send(signed.body).answer()[1] == "ResourceInUseException"
    assert code_of(signed) == "ResourceInUseException"
    assert code_of(whole) == "ThrottlingException"
    second.close()  # without its body
    wait_until(lambda: code_of(whole) == "ResourceInUseException")
    first.close()


def test_a_body_that_does_not_arrive_ends_the_connection(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BODY_SECONDS", 0.2)
    service.restart()
    signed = Signed(service)
    connection = Connection(service).send(signed.raw() + signed.body[:5])
    assert connection.is_closed()
    connection.close()
    assert service.call("describe_projects") == {"ProjectDescriptions": []}


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate of 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.now(UTC) - timedelta(days=1)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(start).not_valid_after(start + timedelta(days=9))
    signed = builder.add_extension(host, critical=False)
    certificate, private_key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(signed.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private_key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private_key


def test_handshakes_that_never_end_leave_connections_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, private_key = _certificate(tmp_path)
    monkeypatch.setattr(server, "MOST_IDLE", 4)
    secure = ssl.create_default_context(cafile=str(certificate))
    given = {"certificate": certificate, "private_key": private_key, "port": 0, "key": KEY}
    with EndpointServer(tmp_path / "root", **given) as running, ExitStack() as held:
        port = int(running.url.rpartition(":")[2])
        openings = [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x01"] * 3
        stalled = []
        for opening in openings:
            stalled.append(held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)))
            stalled[-1].sendall(opening)
        for each in stalled[:8]:
            with suppress(ConnectionResetError):
                assert each.recv(1) == b""  # closed by the server, long before its time is over
        for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\x80" * 99):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as plain, suppress(ConnectionResetError):
                plain.sendall(sent)
                plain.recv(99)
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(running.url, timeout=20, context=secure)
        assert answer.value.code < 500


def test_files_for_https_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    certificate, private_key = _certificate(tmp_path)
    for files, words in [
        ((tmp_path / "gone.pem", private_key), "certificate='.*gone.pem' .* cannot be used: No such file"),
        ((private_key, certificate), "cannot be used"),
        ((None, private_key), "needs a certificate"),
    ]:
        with pytest.raises(InputError, match=words):
            EndpointServer(tmp_path / "root", certificate=files[0], private_key=files[1], port=0)


def test_requests_that_wait_leave_threads_for_others(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.options["options"] = ServingOptions(hold=300)
    service.restart()
    fake = fake_predictor(monkeypatch)
    fake.seconds = 300
    fake.go_on.clear()
    project = service.project("fuzzed")
    first, second = [arn for arn in versions_in(service, "fuzzed") if "/v0/" in arn or "/v4/" in arn]
    served = service.server.rekognition.folder.find(parse_arn(project))
    training = reserve_version(served, "slow", "TRAINING_IN_PROGRESS", {})
    image = {"Bytes": base64.b64encode(jpeg(1, (80, 80))).decode()}
    requests = [("DetectCustomLabels", {"ProjectVersionArn": arn, "Image": image}) for arn in (first, second)] * 44
    requests += [("DescribeProjectVersions", {"ProjectArn": project, "VersionNames": ["slow"]})] * 70
    waiting = []
    for name, content in requests:
        target = {"X-Amz-Target": f"RekognitionService.{name}"}
        signed = Signed(service, headers=target, body=json.dumps(content).encode())
        waiting.append(Connection(service).send(signed.raw() + signed.body))
    try:
        assert service.call("list_tags_for_resource", ResourceArn=project) == {"Tags": {}}
        assert len(service.call("describe_projects")["ProjectDescriptions"]) == 1
    finally:
        fake.go_on.set()
        end_job(served.store, training.local, "TRAINING_FAILED", "It failed.")
        answers = [connection.answer()[:2] for connection in waiting]
        for connection in waiting:
            connection.close()
    assert answers == [(200, "")] * len(requests)
