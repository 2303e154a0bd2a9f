"""Tests of the wire: routes, keys, bodies, errors and addresses of files."""

from __future__ import annotations

import inspect
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests
from tornado.httputil import HTTPHeaders

from customlabels_nb.endpoints import EndpointServer
from customlabels_nb.endpoints.custom_vision import custom_vision_endpoint
from customlabels_nb.endpoints.custom_vision.routes import ROUTES
from customlabels_nb.endpoints.private_files import write_private
from customlabels_nb.errors import InputError, NotAllowedError, ServiceError, StaleEditError, StoreError
from tests.conftest import ROOT
from tests.endpoints.custom_vision.vision_service import KEY, NOBODY, VisionService, picture

UNAVAILABLE = {
    "suggest_tags_and_regions", "query_suggested_images", "query_suggested_image_count", "get_image_region_proposals",
    "get_artifact", "import_project", "export_project", "update_image_metadata",
}  # fmt: skip


def test_each_operation_of_the_sdk_has_a_route_with_its_method_and_path() -> None:
    training = pytest.importorskip("azure.cognitiveservices.vision.customvision.training.operations")
    prediction = pytest.importorskip("azure.cognitiveservices.vision.customvision.prediction.operations")
    expected = set()
    for part, module in (("training", training), ("prediction", prediction)):
        (mixin,) = (each for name, each in vars(module).items() if name.endswith("OperationsMixin"))
        for name, function in inspect.getmembers(mixin, inspect.isfunction):
            source = inspect.getsource(function)
            method = next(verb for verb in ("get", "post", "delete", "patch") if f"._client.{verb}(" in source)
            expected.add((name, method.upper(), f"/{part}{function.metadata['url']}"))
    found = {(route.name, route.method, route.path) for route in ROUTES if not route.path.startswith("/files")}
    assert found == expected
    assert len(found) == 60


def test_operations_that_are_not_available_are_named(vision: VisionService) -> None:
    refused = {route.name: route for route in ROUTES if isinstance(route.operation, str)}
    assert set(refused) >= UNAVAILABLE
    for name in UNAVAILABLE:
        path = refused[name].path.format(projectId=NOBODY, imageId=NOBODY, iterationId=NOBODY)
        error = vision.call(refused[name].method, path.removeprefix("/training/"), 400)
        assert error["code"] == "BadRequestOperationNotSupported"
        assert name in error["message"]


def test_versions_case_and_slashes_of_a_path_do_not_matter(vision: VisionService) -> None:
    for path in (
        "/customvision/v3.0/training/domains",
        "/customvision/v3.4-preview/training/domains",
        "/customvision/v3.3/Training/domains/",
        "//CustomVision/V3.1-Preview/TRAINING/Domains",
    ):
        for header in ("Training-Key", "Training-key", "TRAINING-KEY"):
            answer = requests.get(vision.server.url + path, headers={header: KEY.secret_key}, timeout=10)
            assert (answer.status_code, answer.json()[0]["name"]) == (200, "General")
    assert vision.refused("GET", "nothing", 404) == "NotFound"
    assert vision.refused("PUT", "domains", 404) == "NotFound"
    assert vision.refused("GET", f"{vision.server.url}/", 404) == "NotFound"


def test_a_wrong_key_is_denied_before_the_body_is_read(vision: VisionService) -> None:
    host, _, port = vision.server.url.removeprefix("http://").partition(":")
    for part, header in (("training", "Training-Key"), ("prediction", "Prediction-Key")):
        for key in (None, "", "wrong", "sécret", "x" * 5000):
            path = f"/customvision/v3.3/{part}/{NOBODY}/classify/iterations/x/image"
            given = "" if key is None else f"{header}: {key}\r\n"
            text = f"POST {path} HTTP/1.1\r\nHost: x\r\n{given}Content-Length: 90000000\r\n\r\n"
            with socket.create_connection((host, int(port)), 10) as connection:
                connection.sendall(text.encode("latin-1"))
                head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 401 Access Denied\r\n")
            assert b'{"error": {"code": "401", "message": "' in body


def test_bodies_need_a_length_below_the_limit(vision: VisionService) -> None:
    assert vision.server.custom_vision is not None
    admit = vision.server.custom_vision.admit
    headers = HTTPHeaders({"Training-Key": KEY.secret_key})
    uri, most = "/customvision/v3.3/training/projects", custom_vision_endpoint.MOST_BYTES
    assert most >= 64 * 2 * 2**20
    assert admit(uri, headers, most) == most
    for path, length, code in (
        (uri, most + 1, "BadRequestImageSizeBytes"),
        (uri, None, "LengthRequired"),
        ("/customvision/files/a/b/c/d", 2**20, "BadRequestImageSizeBytes"),
    ):
        with pytest.raises(ServiceError) as caught:
            admit(path, headers, length)
        assert caught.value.code == code
    chunked = vision.request("POST", "projects?name=x", data=iter([b"x"]))
    assert (chunked.status_code, chunked.json()["code"]) == (411, "LengthRequired")


def test_keys_are_made_once_and_printed_once(tmp_path: Path) -> None:
    with VisionService(tmp_path, key=None) as service:
        shown = service.server.instructions()
        keys = dict(line.split("=", 1) for line in shown.splitlines() if "_KEY=" in line)
        url = f"{service.server.url}/customvision/v3.3/training/domains"
        for name, status in (("TRAINING_KEY", 200), ("PREDICTION_KEY", 401)):
            assert requests.get(url, headers={"Training-Key": keys[name]}, timeout=10).status_code == status
        assert f"ENDPOINT={service.server.url}" in shown
        service.restart()
        shown = service.server.instructions()
        assert "custom_vision_keys.json" in shown
        assert not any(key in shown for key in keys.values())
        url = f"{service.server.url}/customvision/v3.3/training/domains"
        assert requests.get(url, headers={"Training-Key": keys["TRAINING_KEY"]}, timeout=10).status_code == 200
    file = tmp_path / ".endpoints" / "custom_vision_keys.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        EndpointServer(tmp_path, port=0, only="custom-vision")
    file.chmod(0o600)
    file.write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        EndpointServer(tmp_path, port=0, only="custom-vision")


@pytest.mark.parametrize("key", ["", "x" * 15, None, 10**20])
def test_a_key_that_could_be_guessed_is_not_used(tmp_path: Path, key: object, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / ".endpoints" / "custom_vision_keys.json"
    content = {"training": key, "prediction": "x" * 16, "secret": "00" * 16}
    write_private(file, content)
    with VisionService(tmp_path, key=None, only="custom-vision") as service:
        (record,) = caplog.records
        assert f"The key 'training' in {str(file)!r} is not used" in record.getMessage()
        domains = f"{service.server.url}/customvision/v3.3/training/domains"
        for headers in ({}, {"Training-Key": str(key)}):
            assert requests.get(domains, headers=headers, timeout=10).status_code == 401
        predicted = f"{service.server.url}/customvision/v3.0/prediction/{NOBODY}/classify/iterations/x/image"
        assert requests.post(predicted, headers={"Prediction-Key": "x" * 16}, timeout=10).status_code == 404
    write_private(file, content | {"secret": ""})
    with pytest.raises(InputError, match="its secret has fewer than 16 bytes"):
        EndpointServer(tmp_path, port=0, only="custom-vision")


def test_without_botocore_custom_vision_is_served_from_a_folder_given_as_text(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["botocore"] = None
from customlabels_nb.endpoints import EndpointServer
with EndpointServer(sys.argv[1], port=0, only="custom-vision") as server:
    assert "TRAINING_KEY=" in server.instructions()
"""
    run = [sys.executable, "-c", program, str(tmp_path / "new" / "root")]
    subprocess.run(run, check=True, cwd=ROOT, env=dict(os.environ))
    assert (tmp_path / "new" / "root" / ".endpoints").is_dir()


def test_only_names_a_service(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only='azure'"):
        EndpointServer(tmp_path, port=0, only="azure")
    with EndpointServer(tmp_path, port=0, only="rekognition") as server:
        answer = requests.get(f"{server.url}/customvision/v3.3/training/domains", timeout=10)
        assert answer.json()["__type"] == "MissingAuthenticationTokenException"
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is not a folder"):
        EndpointServer(tmp_path / "file", port=0, only="custom-vision")


def multipart(content: bytes, disposition: str, boundary: str = "b1") -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data{disposition}\r\nContent-Type: image/jpeg\r\n\r\n"
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


def test_images_come_in_every_kind_of_body(vision: VisionService) -> None:
    project, number = vision.project(), 0
    for disposition in ('; name="imageData"', '; name=""; filename="a.jpg"', '; name="x"; filename=""', ""):
        for type_ in ("multipart/form-data; boundary=b1", "application/octet-stream", None):
            data, number = picture(random_state=number, size=(40, 30)), number + 1
            headers = {} if type_ is None else {"Content-Type": type_}
            body = multipart(data, disposition)
            answer = vision.call("POST", f"{project}/images", data=body, headers=headers)
            (image,) = answer["images"]
            assert (answer["isBatchSuccessful"], image["status"]) == (True, "OK")
            assert vision.request("GET", image["image"]["originalImageUri"]).content == data
    for type_ in ("image/jpeg", "application/octet-stream", "multipart/form-data; boundary=none"):
        headers = {"Content-Type": type_}
        answer = vision.call("POST", f"{project}/images", data=data, headers=headers)
        assert [each["status"] for each in answer["images"]] == ["OKDuplicate"]


def test_a_multipart_body_may_have_several_images(vision: VisionService) -> None:
    project = vision.project()
    files = [("a", ("a.jpg", picture("red", 1))), ("b", ("b.jpg", picture("blue", 2))), ("c", ("c.txt", b"text"))]
    answer = vision.call("POST", f"{project}/images", 207, files=files)
    assert [each["status"] for each in answer["images"]] == ["OK", "OK", "ErrorImageFormat"]
    assert vision.refused("POST", f"{project}/images") == "BadRequestImageStream"
    many = [(str(number), ("x", b"x")) for number in range(65)]
    assert vision.refused("POST", f"{project}/images", files=many) == "BadRequestExceededBatchSize"


def test_bodies_that_are_not_the_expected_json_are_refused(vision: VisionService) -> None:
    project, deep = vision.project(), b"[" * 5000
    wrong = b'{"images": 3}', b'{"images": [3]}', b'{"images": [{"url": 3}]}', b'{"images": {}}'
    infinite = b'{"images": NaN}', b'{"images": 1e999}'
    for body in (b"{", b"[]", b"nope", b"\xff", deep, *wrong, *infinite):
        code = vision.refused("POST", f"{project}/images/urls", data=body, headers={"Content-Type": "application/json"})
        assert code == "BadRequestInvalid"


def test_names_in_json_have_any_case(vision: VisionService) -> None:
    project = vision.project()
    tag = vision.tag(project, "red")
    image = vision.add(project, picture())
    body = {"Tags": [{"IMAGEID": image["id"].upper(), "tagid": tag}]}
    assert vision.call("POST", f"{project}/images/tags", json=body)["created"] == [
        {"imageId": image["id"], "tagId": tag}
    ]


def test_deleting_answers_without_a_body(vision: VisionService) -> None:
    project = vision.project()
    answer = vision.request("DELETE", project)
    assert (answer.status_code, answer.content, answer.headers.get("Content-Length")) == (204, b"", None)
    assert vision.refused("DELETE", project, 404) == "NotFoundProject"
    assert vision.refused("GET", f"projects/{'x' * 3000}", 404) == "NotFoundProject"


def test_files_need_no_key_and_cannot_be_guessed(vision: VisionService) -> None:
    project = vision.project()
    data = picture(size=(1600, 900), format="PNG")
    image = vision.add(project, data)
    other = vision.add(project, picture("blue"))
    original = requests.get(image["originalImageUri"], timeout=10)
    assert (original.content, original.headers["Content-Type"]) == (data, "image/png")
    widths = {}
    for kind in ("resizedImageUri", "thumbnailUri"):
        answer = requests.get(image[kind], timeout=10)
        assert answer.headers["Content-Type"] == "image/jpeg"
        widths[kind] = len(answer.content)
    assert widths["thumbnailUri"] < widths["resizedImageUri"] < len(data)
    head = requests.head(image["originalImageUri"], timeout=10)
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(data)))
    for wrong in (
        image["originalImageUri"][:-1] + ("0" if image["originalImageUri"][-1] != "0" else "1"),
        image["originalImageUri"].replace("/original/", "/thumbnail/"),
        image["originalImageUri"].replace(image["id"], other["id"]),
        image["originalImageUri"].replace(image["id"], "..%2F..%2Fproject.db"),
    ):
        answer = requests.get(wrong, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (404, "NotFoundImage")
    before = image["originalImageUri"].partition("/customvision/")[2]
    vision.restart()
    assert requests.get(f"{vision.server.url}/customvision/{before}", timeout=10).content == data
    vision.call("DELETE", f"{project}/images", 204, params={"imageIds": image["id"]})
    assert vision.refused("GET", f"{vision.server.url}/customvision/{before}", 404) == "NotFoundImage"


def test_a_strange_host_is_not_in_addresses(vision: VisionService) -> None:
    assert vision.server.custom_vision is not None
    project = vision.project()
    vision.add(project, picture())
    uri = f"/customvision/v3.3/training/{project}/images"
    for host in ("evil.example/x?", "a b", "<script>", ""):
        headers = HTTPHeaders({"Host": host, "Training-Key": KEY.secret_key})
        answer = vision.server.custom_vision.answer("GET", uri, headers, b"")
        assert b'"originalImageUri": "http://localhost/customvision/' in answer.body


def test_unexpected_failures_are_logged_and_not_shown(
    vision: VisionService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("private")

    monkeypatch.setattr(custom_vision_endpoint, "find_route", fail)
    answer = vision.request("GET", "domains")
    assert (answer.status_code, answer.json()["code"]) == (500, "ErrorUnknown")
    assert "private" not in answer.text
    assert "private" in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StaleEditError("x", images=[], theirs=pd.DataFrame(), yours=pd.DataFrame()), 409, "Conflict"),
        (NotAllowedError("x"), 409, "Conflict"),
        (StoreError("The disk is full."), 500, "ErrorUnknown"),
        (InputError("x"), 400, "BadRequestInvalid"),
    ],
)
def test_errors_of_the_project_have_a_status(vision: VisionService, error: Exception, status: int, code: str) -> None:
    assert vision.server.custom_vision is not None
    answer = vision.server.custom_vision.failure(error)
    assert (answer.status, json.loads(answer.body)["code"]) == (status, code)


def test_too_many_bytes_at_once_are_to_be_sent_again(vision: VisionService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customlabels_nb.endpoints.server.MOST_BYTES_AT_ONCE", 10)
    answer = vision.request("POST", "projects?name=x", data=b"x" * 11)
    assert (answer.status_code, answer.json()["code"]) == (503, "ErrorServerTimeOut")
    assert vision.call("GET", "projects") == []
