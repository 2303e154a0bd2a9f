"""Tests of predictions by data and by URL, stored ones, quick tests, and batches of both kinds of clients."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
from azure.cognitiveservices.vision.customvision.training.models import (
    ImageIdCreateBatch,
    ImageIdCreateEntry,
    PredictionQueryTag,
    PredictionQueryToken,
    Region,
)
from msrest.exceptions import HttpOperationError
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.endpoints import predictors
from customlabels_nb.endpoints.custom_vision.stored_predictions import add_prediction, delete_predictions
from tests.endpoints.custom_vision.sdk_clients import FakeClassifier, FakeDetector, SdkServer, replace_predictor
from tests.images.pictures import encoded, jpeg, picture
from tests.remote.conftest import Web, web
from tests.waiting import wait_until

__all__ = ["web"]

PHOTO = jpeg(1, (100, 80))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SdkServer]:
    """Yield a server of an empty folder."""
    with SdkServer(tmp_path / "root") as server:
        yield server


@pytest.fixture
def classifier(monkeypatch: pytest.MonkeyPatch) -> FakeClassifier:
    """Return the predictor of every version."""
    fake = FakeClassifier()
    replace_predictor(monkeypatch, fake)
    return fake


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> FakeDetector:
    """Return the predictor of every version."""
    fake = FakeDetector()
    replace_predictor(monkeypatch, fake)
    return fake


@pytest.mark.usefixtures("classifier")
def test_all_tags_are_returned_in_order_and_add_up_to_one(server: SdkServer) -> None:
    project = server.published("single-label")
    answer = server.predictor.classify_image(project, "live", io.BytesIO(PHOTO))
    ids = {tag.name: tag.id for tag in server.trainer.get_tags(project)}
    found = [(each.tag_name, each.tag_id, each.probability) for each in answer.predictions]
    assert found == [(name, ids[name], share) for name, share in (("banana", 0.7), ("apple", 0.2), ("orange", 0.1))]
    assert all(each.bounding_box is None and each.tag_type == "Regular" for each in answer.predictions)
    (iteration,) = server.trainer.get_iterations(project)
    assert (answer.project, answer.iteration) == (project, iteration.id)
    assert answer.created > datetime.now(UTC) - timedelta(minutes=5)


@pytest.mark.usefixtures("detector")
def test_boxes_are_shares_of_the_upright_image(server: SdkServer) -> None:
    project = server.published("boxes")
    exif = Image.Exif()
    exif[0x0112] = 6  # it is to be turned by 90 degrees
    turned = io.BytesIO()
    Image.new("RGB", (200, 100)).save(turned, "JPEG", exif=exif)
    found = server.predictor.detect_image(project, "live", turned.getvalue()).predictions
    boxes = [(each.bounding_box.left, each.bounding_box.width, each.bounding_box.height) for each in found]
    assert boxes == [(0.0, 0.1, 0.05), (0.0, 0.2, 0.05)]
    assert [each.probability for each in found] == [0.5, 0.3], "without a threshold"


@pytest.mark.usefixtures("classifier")
@pytest.mark.parametrize("kind", ["GIF", "BMP", "PNG"])
def test_images_of_all_types_of_the_service_are_read(server: SdkServer, kind: str) -> None:
    project = server.published("single-label")
    assert server.predictor.classify_image(project, "live", encoded(picture(1, (80, 80)), kind)).predictions


@pytest.mark.parametrize("task", ["single-label", "boxes"])
def test_only_requests_that_want_it_are_stored(
    server: SdkServer, web: Web, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    replace_predictor(monkeypatch, FakeDetector() if task == "boxes" else FakeClassifier())
    project, kind = server.published(task), "detect" if task == "boxes" else "classify"
    (web.root / "photo.jpg").write_bytes(PHOTO)
    kept = []
    for source, value in (("image", PHOTO), ("image_url", f"{web.url}/photo.jpg")):
        ask = getattr(server.predictor, f"{kind}_{source}")
        kept.append(ask(project, "live", value, application="till").id)
        getattr(server.predictor, f"{kind}_{source}_with_no_store")(project, "live", value)
    stored = server.trainer.query_predictions(project, PredictionQueryToken(order_by="Oldest"))
    assert [each.id for each in stored.results] == kept
    for each in stored.results:
        with urlopen(each.original_image_uri) as file:
            assert file.read() == PHOTO
    assert server.refused(f"{kind}_image_url", project, "live", f"{web.url}/none.jpg") == "BadRequestImageUrl"
    assert server.refused(f"{kind}_image_url", project, "live", "file:///etc/hostname") == "BadRequestImageUrl"
    with pytest.raises(HttpOperationError, match=r"^The URL cannot be read: (?!cannot)"):
        getattr(server.predictor, f"{kind}_image_url")(project, "live", f"{web.url}/none.jpg")


@pytest.mark.usefixtures("classifier")
def test_predictions_that_cannot_be_made_are_refused(server: SdkServer) -> None:
    project = server.published("single-label")
    assert server.refused("classify_image", project, "other", PHOTO) == "NotFoundIteration"
    assert server.refused("classify_image", "0" * 32, "live", PHOTO) == "NotFoundProject"
    assert server.refused("detect_image", project, "live", PHOTO) == "BadRequestInvalid"
    assert server.refused("classify_image", project, "live", b"nonsense") == "BadRequestImageFormat"
    assert server.refused("classify_image", project, "live", PHOTO[:300]) == "BadRequestImageFormat"
    (iteration,) = server.trainer.get_iterations(project)
    server.trainer.unpublish_iteration(project, iteration.id)
    assert server.refused("classify_image", project, "live", PHOTO) == "NotFoundIteration"


@pytest.mark.usefixtures("classifier")
def test_a_name_that_python_publishes_serves_programs_too(server: SdkServer) -> None:
    project = server.project("single-label", "v1", "v2")
    python = cl.load_project(server.root / "fruit")
    python.model("v1").publish("live")
    (older,) = (each for each in server.trainer.get_iterations(project) if each.publish_name == "live")
    assert (older.name, server.predictor.classify_image(project, "live", PHOTO).iteration) == ("v1", older.id)
    assert server.refused("delete_iteration", project, older.id) == "BadRequestIterationIsPublished"
    server.trainer.unpublish_iteration(project, older.id)
    assert python.model("v1").record.alias is None
    assert server.refused("classify_image", project, "live", PHOTO) == "NotFoundIteration"
    newer, _ = server.trainer.get_iterations(project)
    server.trainer.publish_iteration(project, newer.id, "live", "/resource")
    assert python.model("live").name == "v2"
    python.model("v1").publish("live")  # takes over the name
    assert server.predictor.classify_image(project, "live", PHOTO).iteration == older.id
    assert [each.publish_name for each in server.trainer.get_iterations(project)] == [None, "live"]
    python.close()


@pytest.mark.usefixtures("classifier")
def test_a_name_for_programs_only_answers_beside_one_of_python(server: SdkServer) -> None:
    project = server.project("single-label", "v1", "v2")
    older, newer = sorted(server.trainer.get_iterations(project), key=lambda each: each.name)
    server.trainer.publish_iteration(project, older.id, "fruit (live)", "/resource")
    python = cl.load_project(server.root / "fruit")
    python.model("v1").publish("live")
    for name in ("fruit (live)", "live"):
        assert server.predictor.classify_image(project, name, PHOTO).iteration == older.id
    publish = "publish_iteration", project, newer.id, "live", "/resource"
    assert server.refused(*publish) == "BadRequestInvalidPublishName"
    server.trainer.publish_iteration(*publish[1:], overwrite=True)
    assert python.model("live").name == "v2"
    python.close()
    for name, iteration in (("fruit (live)", older), ("live", newer)):
        assert server.predictor.classify_image(project, name, PHOTO).iteration == iteration.id


@pytest.mark.usefixtures("classifier")
def test_four_megabytes_are_a_limit_with_quotas_only(tmp_path: Path) -> None:
    large = PHOTO + bytes(4 * 2**20)
    with SdkServer(tmp_path / "free") as server:
        assert server.predictor.classify_image(server.published("single-label"), "live", large).predictions
    with SdkServer(tmp_path / "limited", service_limits=True) as server:
        project = server.published("single-label")
        assert server.refused("classify_image", project, "live", large) == "BadRequestImageSizeBytes"
        assert server.trainer.quick_test_image(project, large).predictions


@pytest.mark.usefixtures("classifier")
def test_a_quick_test_asks_the_newest_iteration_or_a_given_one(server: SdkServer, web: Web) -> None:
    project = server.project("single-label")
    assert server.refused("quick_test_image", project, PHOTO) == "NotFoundProjectDefaultIteration"
    with SdkServer(server.root.parent / "other") as server:
        project = server.project("single-label", "v1", "v2")
        newest, older = server.trainer.get_iterations(project)
        (web.root / "photo.jpg").write_bytes(PHOTO)
        assert server.trainer.quick_test_image(project, PHOTO).iteration == newest.id
        answer = server.trainer.quick_test_image_url(project, f"{web.url}/photo.jpg", iteration_id=older.id)
        assert answer.iteration == older.id
        server.trainer.quick_test_image(project, PHOTO, store=False)
        assert len(server.trainer.query_predictions(project, PredictionQueryToken()).results) == 2


@pytest.mark.usefixtures("detector")
def test_stored_predictions_are_searched_and_paged_while_they_are_deleted(server: SdkServer) -> None:
    project = server.published("boxes")
    for number in range(5):
        server.predictor.detect_image(project, "live", PHOTO, application="till" if number % 2 else None)
    ids = [each.id for each in server.trainer.query_predictions(project, PredictionQueryToken()).results]
    tag = next(tag.id for tag in server.trainer.get_tags(project) if tag.name == "banana")

    def count(**query: Any) -> int:
        return len(server.trainer.query_predictions(project, PredictionQueryToken(**query)).results)

    assert count(application="till") == 2
    assert count(tags=[PredictionQueryTag(id=tag, min_threshold=0.4, max_threshold=0.6)]) == 5
    assert count(tags=[PredictionQueryTag(id=tag, min_threshold=0.6, max_threshold=1.0)]) == 0
    assert count(start_time=datetime.now(UTC) + timedelta(hours=1)) == 0
    assert count(end_time=datetime.now(UTC) + timedelta(hours=1)) == 5
    assert count(iteration_id=ids[0]) == 0
    for text in ("nonsense", "[0, 1e999]", "[" * 4000):
        code = server.refused("query_predictions", project, {"continuation": text})
        assert code == "BadRequestPredictionInvalidQueryParameters"

    for order in ("Newest", "Suggested", "Oldest"):
        token, listed = PredictionQueryToken(max_count=2, order_by=order), []
        while True:
            page = server.trainer.query_predictions(project, token)
            listed += [each.id for each in page.results]
            if order == "Oldest":
                server.trainer.delete_prediction(project, [each.id for each in page.results])
            if page.token.continuation is None:
                break
            token = page.token
        assert listed == (ids if order == "Newest" else ids[::-1])
    assert count() == 0


@pytest.mark.usefixtures("detector")
def test_stored_predictions_become_training_images(server: SdkServer) -> None:
    project = server.published("boxes")
    answer = server.predictor.detect_image(project, "live", PHOTO)
    tag, box = answer.predictions[0].tag_id, answer.predictions[0].bounding_box
    region = Region(tag_id=tag, left=box.left, top=box.top, width=box.width, height=box.height)
    unknown = "00000000-0000-0000-0000-000000000001"
    entries = [ImageIdCreateEntry(id=answer.id, regions=[region]), ImageIdCreateEntry(id=unknown)]
    created = server.trainer.create_images_from_predictions(project, ImageIdCreateBatch(images=entries))
    assert [each.status for each in created.images] == ["OK", "ErrorSource"]
    python = cl.load_project(server.root / "fruit")
    (image,) = python.train_set.images["image"]
    assert (server.root / "fruit" / image).read_bytes() == PHOTO
    assert python.train_set.annotations[["label", "left", "width"]].to_numpy().tolist() == [["banana", 0.0, 10.0]]
    python.close()


def test_requests_of_both_kinds_of_clients_are_one_batch(server: SdkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeDetector()
    replace_predictor(monkeypatch, fake)
    project = server.published("boxes")
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    amazon = boto3.client("rekognition", endpoint_url=server.url, **keys)
    (described,) = amazon.describe_projects()["ProjectDescriptions"]
    versions = amazon.describe_project_versions(ProjectArn=described["ProjectArn"])["ProjectVersionDescriptions"]
    detect = partial(
        amazon.detect_custom_labels,
        ProjectVersionArn=versions[0]["ProjectVersionArn"],
        Image={"Bytes": PHOTO},
        MinConfidence=0,
    )
    fake.go_on.clear()
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(server.predictor.detect_image, project, "live", PHOTO)
        wait_until(lambda: fake.batches == [1])
        ours = [pool.submit(server.new_predictor().detect_image, project, "live", PHOTO) for _ in range(3)]
        theirs = [pool.submit(detect) for _ in range(2)]
        limiter = predictors.limiter_of(server.version())
        wait_until(lambda: len(limiter.queue) == 5)
        fake.go_on.set()
        assert all(len(each.result().predictions) == 2 for each in [first, *ours])
        assert all(len(each.result()["CustomLabels"]) == 2 for each in theirs)
    assert fake.batches == [1, 5]


EARLIER_FILE = """
    CREATE TABLE predictions (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created REAL NOT NULL,
        iteration TEXT NOT NULL, application TEXT, answer TEXT NOT NULL, image BLOB NOT NULL);
    CREATE INDEX predictions_by_time ON predictions (created);
    INSERT INTO predictions VALUES (7, 'old', 1.0, 'i', NULL, '{"id": "old", "predictions": []}', x'0a0b')
"""


@pytest.mark.usefixtures("classifier")
def test_stored_predictions_of_earlier_releases_stay(server: SdkServer) -> None:
    project = server.published("single-label")
    path = server.root / "fruit" / "endpoints.db"
    for file in path.parent.glob("endpoints.db*"):
        file.unlink()
    assert server.trainer.query_predictions(project, PredictionQueryToken()).results == []
    assert not path.exists()
    with closing(sqlite3.connect(path)) as earlier, earlier:
        earlier.executescript(EARLIER_FILE)
    new = server.predictor.classify_image(project, "live", PHOTO)
    found = server.trainer.query_predictions(project, PredictionQueryToken(order_by="Oldest")).results
    assert [each.id for each in found] == ["old", new.id]
    with urlopen(found[0].original_image_uri) as answer:
        assert answer.read() == b"\n\x0b"


def test_predictions_are_kept_for_thirty_days_and_whatever_a_wrong_clock_says(
    server: SdkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.project("single-label", "v1")
    served, now = server.version().served, datetime(2026, 1, 1, tzinfo=UTC)

    def store_on(*days: float) -> list[str]:
        for day in days:
            monkeypatch.setattr("time.time", (now + timedelta(days=day)).timestamp)
            add_prediction(served, {"id": f"day {day}", "iteration": "i"}, None, b"")
        with closing(sqlite3.connect(served.project.root / "endpoints.db")) as file:
            return [row[0] for row in file.execute("SELECT id FROM predictions ORDER BY created")]

    assert store_on(0, 20) == ["day 0", "day 20"]
    assert store_on(51, 51.1, 51.9) == ["day 0", "day 20", "day 51", "day 51.1", "day 51.9"]  # a wrong clock
    delete_predictions(served, ["day 51", "day 51.1", "day 51.9"])
    assert store_on(31, 32.5) == ["day 20", "day 31", "day 32.5"]
