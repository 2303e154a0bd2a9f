"""Tests of the limits of images, of requests at once, and of models that run elsewhere."""

from __future__ import annotations

import io
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.endpoints import predictors
from customlabels_nb.endpoints.project_folders import RELAXED
from customlabels_nb.endpoints.rekognition import buckets, detect_operation
from customlabels_nb.endpoints.rekognition.resource_names import parse_arn
from customlabels_nb.endpoints.served_versions import ServedVersion, change_facts, versions_of
from customlabels_nb.errors import ModelError
from customlabels_nb.store import Action
from customlabels_nb.training.status import this_process
from tests.endpoints.rekognition.service import Service
from tests.endpoints.rekognition.test_project_operations import version
from tests.images.pictures import encoded, jpeg, picture, png_chunk, png_header
from tests.waiting import wait_until


class Fake:
    """Predictor that finds a label in each image. ``batches`` has the numbers of images of the passes."""

    config = SimpleNamespace(
        task="boxes",
        is_detector=True,
        labels=("a",),
        colors=("#000000",),
        input_size=64,
        fill=(0, 0, 0),
        threshold_of=lambda _label, _views: 0.4,
    )
    views = 1
    larger_size = None

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.seconds = 20.0
        self.go_on = threading.Event()
        self.go_on.set()

    def boxes(self, images: list[Any], at_once: int | None = None, thresholds: object = None) -> list[Any]:
        self.batches.append(len(images))
        assert self.go_on.wait(self.seconds)
        box = np.array([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 20.0, 10.0]])
        labels, confidences = np.array([0, 0]), np.array([0.5, 0.3])
        return [SimpleNamespace(boxes=box, labels=labels, confidences=confidences, masks=None) for _ in images]


def fake_predictor(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Replace the predictor of every version."""
    fake = Fake()
    monkeypatch.setattr(detect_operation, "predictor_of", lambda _: fake)
    return fake


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Return the predictor of every version."""
    return fake_predictor(monkeypatch)


@pytest.fixture
def arn(service: Service, fake: Fake) -> str:
    """Return the ARN of a running version."""
    return running(service)


def running(service: Service) -> str:
    project = service.project()
    service.add_version(replace(version("v"), status="RUNNING", **this_process()))
    found = service.call("describe_project_versions", ProjectArn=project)["ProjectVersionDescriptions"]
    return str(found[0]["ProjectVersionArn"])


def png(width: int, height: int) -> bytes:
    return encoded(Image.new("RGB", (width, height)), "PNG")


def padded(data: bytes, size: int) -> bytes:
    return data + bytes(size - len(data))


def test_boxes_are_ratios_of_the_image(service: Service, arn: str) -> None:
    found = service.call("detect_custom_labels", ProjectVersionArn=arn, Image={"Bytes": png(100, 80)})["CustomLabels"]
    box = {"Width": 0.1, "Height": 0.125, "Left": 0.0, "Top": 0.0}
    assert found == [{"Name": "a", "Confidence": 50.0, "Geometry": {"BoundingBox": box}}]


def test_boxes_are_ratios_of_the_upright_image(service: Service, arn: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # it is to be turned by 90 degrees
    file = io.BytesIO()
    Image.new("RGB", (200, 100)).save(file, "JPEG", exif=exif)
    image = {"Bytes": file.getvalue()}
    (found,) = service.call("detect_custom_labels", ProjectVersionArn=arn, Image=image)["CustomLabels"]
    assert found["Geometry"]["BoundingBox"] == {"Width": 0.1, "Height": 0.05, "Left": 0.0, "Top": 0.0}


PNG = png(64, 64)
BOMB = png_header(60_000, 60_000) + png_chunk(b"IDAT", zlib.compress(bytes(10_000))) + png_chunk(b"IEND", b"")
CASES: list[tuple[bytes, str | None]] = [
    (PNG, None),
    (png(63, 64), "InvalidParameterException"),
    (png(64, 63), "InvalidParameterException"),
    (png(4096, 205), None),
    (png(4097, 300), "ImageTooLargeException"),
    (png(1280, 64), None),
    (png(1281, 64), "InvalidParameterException"),
    (jpeg(1, (80, 80)), None),
    (encoded(picture(1, (80, 80)), "WEBP"), "InvalidImageFormatException"),
    (encoded(picture(1, (80, 80)), "GIF"), "InvalidImageFormatException"),
    (jpeg(1, (80, 80))[:200], "InvalidImageFormatException"),
    (b"nonsense", "InvalidImageFormatException"),
    (BOMB, "ImageTooLargeException"),
    (padded(PNG, 4_000_000), None),
    (padded(PNG, 4_000_001), "ImageTooLargeException"),
    (padded(PNG, 5_500_000), "ImageTooLargeException"),
]


@pytest.mark.parametrize(("data", "code"), CASES, ids=range(len(CASES)))
def test_images_beyond_the_limits_are_refused(service: Service, arn: str, data: bytes, code: str | None) -> None:
    request = {"ProjectVersionArn": arn, "Image": {"Bytes": data}}
    if code is None:
        assert service.call("detect_custom_labels", **request)["CustomLabels"]
    else:
        assert service.refused("detect_custom_labels", **request) == code


def test_objects_may_have_fifteen_megabytes(service: Service, arn: str) -> None:
    for size, code in ((15_000_000, None), (15_000_001, "ImageTooLargeException")):
        request = {"ProjectVersionArn": arn, "Image": {"S3Object": service.put("big.png", padded(PNG, size))}}
        if code is None:
            assert service.call("detect_custom_labels", **request)["CustomLabels"]
        else:
            assert service.refused("detect_custom_labels", **request) == code


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ({}, "InvalidParameterException"),
        ({"Bytes": PNG, "S3Object": {"Bucket": "photos", "Name": "a"}}, "InvalidParameterException"),
        ({"S3Object": {"Bucket": "photos"}}, "InvalidParameterException"),
        ({"S3Object": {"Bucket": "photos", "Name": "none.jpg"}}, "InvalidS3ObjectException"),
        ({"S3Object": {"Bucket": "photos", "Name": "../root/rooms/project.db"}}, "InvalidS3ObjectException"),
    ],
)
def test_images_that_name_no_picture_are_refused(service: Service, arn: str, image: dict[str, Any], code: str) -> None:
    assert service.refused("detect_custom_labels", ProjectVersionArn=arn, Image=image) == code


def test_bytes_of_another_type_are_refused_with_the_types_that_are_read(service: Service, arn: str) -> None:
    with pytest.raises(ClientError, match=r"InvalidImageFormatException.*The 5 bytes are not a PNG or JPEG image\."):
        service.call("detect_custom_labels", ProjectVersionArn=arn, Image={"Bytes": b"hello"})


def test_a_bucket_that_cannot_be_read_names_the_option_for_a_folder(
    service: Service, arn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(url: str) -> None:
        raise PermissionError(url)

    monkeypatch.setattr(buckets, "open_system", denied)
    image = {"S3Object": {"Bucket": "my-photos", "Name": "a.jpg"}}
    with pytest.raises(ClientError, match=r"InvalidS3ObjectException.*start the server with --bucket my-photos=DIR"):
        service.call("detect_custom_labels", ProjectVersionArn=arn, Image=image)


def test_the_limits_of_images_can_be_lifted(tmp_path: Path, fake: Fake) -> None:
    for name in ("root", "photos"):
        (tmp_path / name).mkdir()
    with Service(tmp_path / "root", tmp_path / "photos", limits=RELAXED) as service:
        arn = running(service)
        for size in ((10, 10), (5000, 70)):
            request = {"ProjectVersionArn": arn, "Image": {"Bytes": png(*size)}}
            assert service.call("detect_custom_labels", **request)["CustomLabels"]


def started_with(service: Service, arn: str, units: int) -> ServedVersion[Any]:
    """Return a version that runs with inference units, as if a program had started it."""
    (found,) = versions_of(service.server.rekognition.folder.find(parse_arn(arn)))
    change_facts(found.served.store, found.local, min_units=units)
    return found


def test_inference_units_limit_concurrent_requests(service: Service, arn: str, fake: Fake) -> None:
    started_with(service, arn, 2)
    fake.go_on.clear()
    request = {"ProjectVersionArn": arn, "Image": {"Bytes": PNG}}

    def ask(_: int) -> str:
        try:
            return str(service.call("detect_custom_labels", **request)["CustomLabels"][0]["Name"])
        except service.client.exceptions.ProvisionedThroughputExceededException:
            return "refused"

    with ThreadPoolExecutor(45) as pool:  # 2 are computed, and 40 may wait
        answers = [pool.submit(ask, number) for number in range(45)]
        wait_until(lambda: sum(answer.done() for answer in answers) == 3)
        fake.go_on.set()
        found = sorted(answer.result() for answer in answers)
    assert found == ["a"] * 42 + ["refused"] * 3
    assert max(fake.batches) <= 2


def test_concurrent_requests_are_one_batch(service: Service, arn: str, fake: Fake) -> None:
    gate = predictors.limiter_of(started_with(service, arn, 8))
    fake.go_on.clear()
    request = {"ProjectVersionArn": arn, "Image": {"Bytes": PNG}}
    with ThreadPoolExecutor(8) as pool:
        answers = []
        for number, least in enumerate((0, 30, 31, 40, 50, 51, 60, 100)):
            answers.append(pool.submit(service.call, "detect_custom_labels", **request, MinConfidence=least))
            if number == 0:
                wait_until(lambda: fake.batches == [1])
        wait_until(lambda: len(gate.queue) == 7)
        fake.go_on.set()
        found = [len(answer.result()["CustomLabels"]) for answer in answers]
    assert found == [2, 2, 1, 1, 1, 0, 0, 0]
    assert fake.batches == [1, 7]


def test_an_error_of_the_model_ends_no_other_request(
    service: Service, arn: str, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> list[Any]:
        raise ModelError("The model is not running.")

    request = {"ProjectVersionArn": arn, "Image": {"Bytes": PNG}}
    with monkeypatch.context() as patch:
        patch.setattr(fake, "boxes", fail)
        assert service.refused("detect_custom_labels", **request) == "ResourceNotReadyException"
    assert service.call("detect_custom_labels", **request)["CustomLabels"]


def test_a_version_without_running_model_is_not_ready(service: Service, arn: str) -> None:
    with service.store() as store:
        store.update_version("v", status="STOPPED", updated=datetime.now(UTC))
    request = {"ProjectVersionArn": arn, "Image": {"Bytes": PNG}}
    assert service.refused("detect_custom_labels", **request) == "ResourceNotReadyException"


def test_a_version_that_was_trained_again_elsewhere_is_loaded_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loaded(Fake):
        """Model that a request loads."""

        def __init__(self, _: Path) -> None:
            super().__init__()
            models.append(self)
            name = ("old", "new")[len(models) - 1]
            self.config = SimpleNamespace(**{**vars(Fake.config), "labels": (name,)})
            self.stopped = False

        def start(self, *, engine: str | None, idle_stop: str) -> Loaded:
            return self

        def stop(self) -> None:
            self.stopped = True

        def _running(self) -> Loaded:
            return self

    models: list[Loaded] = []
    monkeypatch.setattr(predictors, "load_model", Loaded)
    request = {"ProjectVersionArn": running(service), "Image": {"Bytes": PNG}}
    python = cl.load_project(service.root / "rooms")
    found = []
    for _ in range(2):
        for _ in range(2):
            found.append(service.call("detect_custom_labels", **request)["CustomLabels"][0]["Name"])
        old = python.model("v").record
        with service.store() as store:
            store.delete_version("v", Action("delete", "test"))
        service.add_version(replace(old, created=datetime.now(UTC)))
        assert service.refused("detect_custom_labels", **request) == "ResourceNotFoundException"
        (project,) = service.call("describe_projects")["ProjectDescriptions"]
        versions = service.call("describe_project_versions", ProjectArn=project["ProjectArn"])
        request["ProjectVersionArn"] = versions["ProjectVersionDescriptions"][0]["ProjectVersionArn"]
    assert found == ["old", "old", "new", "new"]
    assert [model.stopped for model in models] == [True, False]
    python.close()
