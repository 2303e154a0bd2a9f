"""Tests of adding, listing, tagging and deleting images, and of regions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.endpoints.custom_vision import image_operations
from customlabels_nb.endpoints.custom_vision.stored_predictions import add_prediction
from customlabels_nb.images.reading import examine
from customlabels_nb.remote.memory_budget import image_memory
from customlabels_nb.store import SqlStore
from tests.endpoints.custom_vision.vision_service import NOBODY, VisionService, picture


@pytest.fixture
def photo_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the URL of a server whose photo.jpg is a picture."""

    class Photos(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = picture("red", 50) if self.path == "/photo.jpg" else b""
            self.send_response(200 if data else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Photos) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_each_image_of_a_batch_has_a_status(vision: VisionService) -> None:
    project = vision.project()
    red, blue = vision.tag(project, "red"), vision.tag(project, "blue")
    none = vision.tag(project, "none", "Negative")
    results = vision.upload(
        project,
        [
            {"name": "a.jpg", "contents": picture("red", 1), "tagIds": [red]},
            {"name": "again.jpg", "contents": picture("red", 1)},
            {"name": "text", "contents": b"text"},
            {"name": "cut.jpg", "contents": picture("red", 2)[:500]},
            {"name": "two", "contents": picture("red", 3), "tagIds": [red, blue]},
            {"name": "both", "contents": picture("red", 4), "tagIds": [none], "regions": []},
            {"name": "unknown", "contents": picture("red", 5), "tagIds": [NOBODY]},
            {"contents": b""},
        ],
        207,
    )
    assert [each["status"] for each in results] == [
        "OK", "OKDuplicate", "ErrorImageFormat", "ErrorImageFormat", "ErrorTagLimitExceed", "OK", "ErrorInvalidTag",
        "ErrorImageFormat",
    ]  # fmt: skip
    assert [each["sourceUrl"] for each in results[:3]] == ["a.jpg", "again.jpg", "text"]
    assert results[0]["image"] == results[1]["image"]
    assert [tag["tagName"] for tag in results[1]["image"]["tags"]] == ["red"]
    assert results[2]["image"] is None
    assert vision.call("GET", f"{project}/images/count") == 2
    multi = vision.project("multi", "Multilabel")
    tags = [vision.tag(multi, "a"), vision.tag(multi, "b"), vision.tag(multi, "none", "Negative")]
    entries = [{"contents": picture("red", 1)}, {"contents": picture("red", 2), "tagIds": [tags[2]]}]
    results = vision.upload(multi, entries, 207, tagIds=tags[:2])
    assert [each["status"] for each in results] == ["OK", "ErrorNegativeAndRegularTagOnSameImage"]
    assert {tag["tagName"] for tag in results[0]["image"]["tags"]} == {"a", "b"}


def test_a_known_image_gets_the_tags_and_regions_that_it_lacks(vision: VisionService) -> None:
    """Programs send one entry for each region or tag, so that an image comes several times, also in one batch."""
    for kind in ("Multilabel", "Multiclass", "boxes"):
        check_known_image(vision, kind)


def test_values_of_an_upload_that_are_not_read_are_logged(
    vision: VisionService, caplog: pytest.LogCaptureFixture
) -> None:
    project = vision.detector()
    region = {"tagId": vision.tag(project, "red"), "left": 0.1, "top": 0.1, "width": 0.2, "height": 0.3, "angle": 5}
    with caplog.at_level("INFO"):
        vision.upload(project, [{"NAME": "a", "contents": picture()}])
        assert not caplog.messages
        vision.upload(project, [{"contents": picture("red", 1), "caption": 1, "regions": [region]}])
        vision.upload(project, [{"contents": picture("red", 2), "extra\n": 1}], metadata={"a": "b"})
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "values that were not read: 'angle', 'caption'", "values that were not read: 'extra\\n', 'metadata'",
    ]  # fmt: skip


def check_known_image(vision: VisionService, kind: str) -> None:
    """Send a batch in which an image comes with each of two tags, or with each of two regions."""
    project = vision.detector() if kind == "boxes" else vision.project(kind, kind)
    red, blue = vision.tag(project, "red"), vision.tag(project, "blue")
    none = vision.tag(project, "none", "Negative")
    place = {"left": 0.1, "top": 0.1, "width": 0.2, "height": 0.3}
    marks = [{"tagIds": [tag]} for tag in (red, blue)]
    if kind == "boxes":
        marks = [{"regions": [place | {"tagId": red, "left": left}]} for left in (0.1, 0.6)]
    entries = [{"contents": picture()} | mark for mark in ({}, *marks, *marks, {}, {"tagIds": [none]})]
    single, boxes = kind == "Multiclass", kind == "boxes"
    second = "ErrorTagLimitExceed" if single else "OKDuplicate"
    refusal = "ErrorNegativeAndRegularTagOnSameImage"
    statuses = ["OKDuplicate", second, "OKDuplicate", second, "OKDuplicate", refusal]
    for first in ("OK", "OKDuplicate") if boxes else ("OK",):  # the second time, nothing is added
        results = vision.upload(project, entries, 207)
        (image,) = vision.call("GET", f"{project}/images")
        assert [each["status"] for each in results] == [first, *statuses]
        assert [each["image"] for each in results] == [None if "Error" in s else image for s in (first, *statuses)]
        assert [tag["tagName"] for tag in image["tags"]] == (["red"] if single or boxes else ["red", "blue"])
        assert [region["left"] for region in image.get("regions", [])] == pytest.approx([0.1, 0.6] if boxes else [])
    if boxes:
        with closing(cl.load_project(vision.root / "things")) as python:
            assert "add images" in python.history["what"].iloc[0]


@pytest.mark.thorough
def test_every_upload_adds_to_a_known_image(vision: VisionService, photo_url: str) -> None:
    project = vision.project("rooms", "Multilabel")
    assert vision.server.custom_vision is not None
    (served,) = vision.server.custom_vision.folder.projects()
    prediction = {"id": str(uuid4()), "iteration": NOBODY, "predictions": []}
    add_prediction(served, prediction, None, picture("red", 50))
    tags = {name: vision.tag(project, name) for name in ("data", "files", "urls", "predictions")}
    vision.add(project, picture("red", 50), tags["data"])
    vision.upload(project, [{"contents": picture("red", 50), "tagIds": [tags["files"]]}])
    for name, source in (("urls", {"url": f"{photo_url}/photo.jpg"}), ("predictions", {"id": prediction["id"]})):
        vision.call("POST", f"{project}/images/{name}", json={"images": [{**source, "tagIds": [tags[name]]}]})
    image = vision.add(project, picture("red", 50), tags["data"])
    assert [tag["tagName"] for tag in image["tags"]] == ["data", "files", "urls", "predictions"]


def test_batches_that_cannot_be_are_refused_without_effect(vision: VisionService) -> None:
    project = vision.project()
    data = "eA=="
    for body, code in (
        ({}, "BadRequestImageBatch"),
        ({"images": [{"contents": data}] * 65}, "BadRequestExceededBatchSize"),
        ({"images": [{"contents": data}], "tagIds": [NOBODY]}, "BadRequestImageTags"),
        ({"images": [{"contents": data}], "tagIds": ["x"]}, "BadRequestInvalidIds"),
        ({"images": [{"contents": data, "regions": [{"tagId": NOBODY}]}]}, None),
        ({"images": [{"contents": "#"}]}, None),
    ):
        answer = vision.request("POST", f"{project}/images/files", json=body)
        assert answer.status_code == (207 if code is None else 400)
        if code is not None:
            assert answer.json()["code"] == code
    assert vision.refused("POST", f"{project}/images?tagIds={NOBODY}", data=picture()) == "BadRequestImageTags"
    assert vision.call("GET", f"{project}/images/count") == 0


def test_files_of_a_form_are_named_as_in_the_form(vision: VisionService) -> None:
    """The service keeps the quotes, and programs remove them."""
    project = vision.project()
    files = {"0": picture("red", 0), "1": ("b é.jpg", picture("red", 1))}
    images = vision.call("POST", f"{project}/images", files=files)["images"]
    assert [image["sourceUrl"] for image in images] == ['"0"', '"b é.jpg"']
    assert vision.call("POST", f"{project}/images", data=picture("red", 2))["images"][0]["sourceUrl"] == ""


def test_only_images_of_a_detector_have_regions(vision: VisionService) -> None:
    """Programs read the regions of an image if it has that member, else its tags."""
    for project, has_regions in (
        (vision.project(), False),
        (vision.detector(), True),
    ):
        vision.upload(project, [{"contents": picture()}])
        (image,) = vision.call("GET", f"{project}/images")
        assert ("regions" in image) == has_regions


def test_images_come_from_urls(vision: VisionService, photo_url: str) -> None:
    project = vision.project()
    red = vision.tag(project, "red")
    urls = [f"{photo_url}/photo.jpg", f"{photo_url}/none.jpg", "file:///etc/passwd", "/etc/passwd", "ftp://x/y"]
    urls.append(f"simplecache::{photo_url}/photo.jpg?2")
    body = {"Images": [{"URL": url, "TagIds": [red]} for url in urls]}
    answer = vision.call("POST", f"{project}/images/urls", 207, json=body)
    assert [each["status"] for each in answer["images"]] == ["OK", *["ErrorSource"] * 5]
    (image,) = vision.call("GET", f"{project}/images/tagged")
    assert vision.request("GET", image["originalImageUri"]).content == picture("red", 50)
    assert [each["sourceUrl"] for each in answer["images"]] == urls


class _Photos(BaseHTTPRequestHandler):
    """Handler that sends the picture with the number in the path, and for ``/wait`` nothing until ``ended`` is set."""

    ended: threading.Event
    waiting: threading.Semaphore

    def do_GET(self) -> None:
        if self.path == "/wait":
            self.waiting.release()
            self.ended.wait(60)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(picture("red", int(self.path[1:])))

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def photos() -> Iterator[Any]:
    """Yield the handler of a server of pictures, with its ``url``."""
    handler: Any = type("Photos", (_Photos,), {"ended": threading.Event(), "waiting": threading.Semaphore(0)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        handler.url = f"http://127.0.0.1:{web.server_port}"
        yield handler
        handler.ended.set()
        web.shutdown()
        thread.join()


def _add_urls(vision: VisionService, project: str, *urls: str) -> list[str]:
    """Add images by their URLs, in any thread, and return what became of them."""
    url = f"{vision.server.url}/customvision/v3.3/training/{project}/images/urls"
    body = {"images": [{"url": each} for each in urls]}
    answer = requests.post(url, json=body, headers={"Training-Key": "secret"}, timeout=60)
    return [image["status"] for image in answer.json()["images"]]


def test_batches_of_more_bytes_than_the_memory_for_images_are_added(
    vision: VisionService, photos: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = [[f"{photos.url}/{number}" for number in range(start, start + 12)] for start in (0, 12)]
    largest = max(len(picture("red", number)) for number in range(24))
    monkeypatch.setattr(image_memory, "limit", largest)
    used: list[int] = []

    def examined(data: bytes, name: str) -> tuple[int, int, int]:
        used.append(image_memory.used)
        return examine(data, name)

    monkeypatch.setattr(image_operations, "examine", examined)
    projects = [vision.project(name) for name in ("a", "b")]
    with ThreadPoolExecutor(2) as pool:
        answers = [
            pool.submit(_add_urls, vision, *arguments)
            for arguments in zip(projects, *zip(*batches, strict=True), strict=True)
        ]
        assert [answer.result() for answer in answers] == [["OK"] * 12] * 2
    assert len(used) == 24
    assert 0 < min(used) <= max(used) <= largest
    assert image_memory.used == 0
    assert not list(vision.root.rglob("*.part"))


def test_images_at_urls_have_a_limit_of_bytes_and_a_time(
    vision: VisionService, photos: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = vision.project()
    monkeypatch.setattr(image_memory, "limit", len(picture("red", 1)) - 1)
    assert _add_urls(vision, project, f"{photos.url}/1") == ["ErrorImageSize"]
    monkeypatch.setattr(image_operations, "DOWNLOAD_SECONDS", 0.5)
    assert _add_urls(vision, project, *[f"{photos.url}/wait"] * 20) == ["ErrorSource"] * 20
    assert not photos.ended.is_set()


def test_servers_that_do_not_answer_keep_only_other_downloads_waiting(tmp_path: Path, photos: Any) -> None:
    with VisionService(tmp_path / "root") as vision, ThreadPoolExecutor(17) as pool:  # one more than download at once
        project = vision.project()
        answers = [pool.submit(_add_urls, vision, project, f"{photos.url}/wait") for _ in range(17)]
        for _ in range(16):
            assert photos.waiting.acquire(timeout=60)
        assert vision.call("GET", f"{project}/images/count") == 0
        assert not any(answer.done() for answer in answers)
        photos.ended.set()
        assert [answer.result() for answer in answers] == [["ErrorSource"]] * 17


def test_lists_are_paged_filtered_and_ordered(vision: VisionService) -> None:
    project = vision.project("rooms", "Multilabel")
    red, blue = vision.tag(project, "red"), vision.tag(project, "blue")
    tags = [[red], [blue], [red, blue], [], [], [red]]
    entries = [{"contents": picture("red", n, (40, 30)), "tagIds": tags[n]} for n in range(len(tags))]
    ids = [each["image"]["id"] for each in vision.upload(project, entries)]

    def listed(kind: str, **query: Any) -> list[int]:
        images = vision.call("GET", f"{project}/{kind}", params=query)
        return [ids.index(image["id"]) for image in images]

    assert listed("images") == [5, 4, 3, 2, 1, 0]
    assert listed("images", orderBy="Oldest", taggingStatus="untagged") == [3, 4]
    assert listed("images/tagged", take=2) == [5, 2]
    assert listed("images/tagged", take=2, skip=3) == [0]
    assert listed("images/tagged", tagIds=blue) == [2, 1]
    assert listed("images/tagged", tagIds=f"{red},{blue}", orderBy="oldest") == [0, 1, 2, 5]
    assert listed("images/untagged", skip=1) == [3]
    assert listed("images", take=0) == []
    assert listed("images/id", imageIds=f"{ids[3]},{NOBODY},{ids[1]}") == [3, 1]
    for kind, query, count in (
        ("images/count", {}, 6),
        ("images/count", {"taggingStatus": "Tagged", "tagIds": red}, 3),
        ("images/tagged/count", {"tagIds": blue}, 2),
        ("images/untagged/count", {}, 2),
    ):
        assert vision.call("GET", f"{project}/{kind}", params=query) == count
    for query, code in (
        ({"take": 257}, "BadRequestInvalid"),
        ({"take": "x"}, "BadRequestInvalid"),
        ({"skip": -1}, "BadRequestInvalid"),
        ({"skip": 1.5}, "BadRequestInvalid"),
        ({"orderBy": "Best"}, "BadRequestInvalid"),
        ({"tagIds": "x"}, "BadRequestInvalidIds"),
        ({"tagIds": NOBODY}, "BadRequestInvalidIds"),
    ):
        assert vision.refused("GET", f"{project}/images/tagged", params=query) == code
    assert vision.refused("GET", f"{project}/images?iterationId={NOBODY}", 404) == "NotFoundIteration"
    left = 6  # a program that deletes while it pages
    while images := vision.call("GET", f"{project}/images", params={"take": 4}):
        chosen = ",".join(image["id"] for image in images)
        vision.call("DELETE", f"{project}/images", 204, params={"imageIds": chosen})
        left -= len(images)
        assert vision.call("GET", f"{project}/images/count") == left
    assert left == 0


def test_images_are_read_again_only_after_a_change(vision: VisionService, monkeypatch: pytest.MonkeyPatch) -> None:
    project, reads = vision.project("rooms"), list[str]()
    vision.painted(project, 4)
    for name in ("images", "annotations", "files"):
        read = getattr(SqlStore, name)
        monkeypatch.setattr(SqlStore, name, lambda store, name=name, read=read: reads.append(name) or read(store))
    pages = [vision.call("GET", f"{project}/images/tagged", params={"take": 1, "skip": skip}) for skip in range(4)]
    assert all(vision.request("GET", image["thumbnailUri"]).ok for (image,) in pages)
    assert sorted(reads) == ["annotations", "images"]
    python = cl.load_project(vision.root / "rooms")
    python.labels.rename("red", "green")
    python.close()
    assert {tag["name"]: tag["imageCount"] for tag in vision.call("GET", f"{project}/tags")} == {"green": 2, "blue": 2}
    none = vision.tag(project, "none", "Negative")
    assert vision.call("GET", f"{project}/images/tagged/count", params={"tagIds": none}) == 0


def test_all_images_are_deleted_and_can_come_back(vision: VisionService) -> None:
    project = vision.project()
    image = vision.add(project, picture())
    assert vision.refused("DELETE", f"{project}/images") == "BadRequestInvalidIds"
    answer = vision.request("DELETE", f"{project}/images", params={"allImages": "true"})
    assert (answer.status_code, answer.content) == (202, b"")
    assert vision.call("GET", f"{project}/images") == []
    assert vision.add(project, picture())["id"] == image["id"]


def test_tags_of_images_change(vision: VisionService) -> None:
    project = vision.project("rooms")
    red, blue = vision.tag(project, "red"), vision.tag(project, "blue")
    ids = [vision.add(project, picture("red", number))["id"] for number in range(2)]
    pairs = [{"imageId": ids[0], "tagId": red}, {"imageId": ids[0], "tagId": red}, {"imageId": ids[0], "tagId": blue}]
    assert vision.call("POST", f"{project}/images/tags", json={"tags": pairs}) == {
        "created": pairs[:1], "duplicated": pairs[:1], "exceeded": pairs[2:],
    }  # fmt: skip
    assert vision.call("GET", f"{project}/tags/{red}")["imageCount"] == 1
    for body, code in (
        ({}, "BadRequestImageTags"),
        ({"tags": [{"imageId": NOBODY, "tagId": red}]}, "NotFoundImage"),
        ({"tags": [{"imageId": ids[0], "tagId": NOBODY}]}, "BadRequestInvalidIds"),
        ({"tags": [{"imageId": ids[0]}]}, "BadRequestInvalidIds"),
    ):
        status = 404 if code == "NotFoundImage" else 400
        assert vision.refused("POST", f"{project}/images/tags", status, json=body) == code
    query = {"imageIds": ",".join(ids), "tagIds": f"{red},{blue}"}
    vision.call("DELETE", f"{project}/images/tags", 204, params=query)
    assert vision.call("GET", f"{project}/images/untagged/count") == 2
    assert vision.refused("DELETE", f"{project}/images/tags", params={"imageIds": ids[0]}) == "BadRequestInvalidIds"


def test_regions_are_boxes_in_pixels(vision: VisionService) -> None:
    project = vision.detector("things")
    red, blue = vision.tag(project, "red"), vision.tag(project, "blue")
    region = {"tagId": red, "left": 0.25, "top": 0.5, "width": 0.5, "height": 0.25}
    (result,) = vision.upload(project, [{"contents": picture(size=(200, 100)), "regions": [region, region]}])
    image = result["image"]
    assert [each.items() >= region.items() for each in image["regions"]] == [True]
    assert [tag["tagName"] for tag in image["tags"]] == ["red"]
    second = {"imageId": image["id"], **region, "tagId": blue, "height": 0.5}
    answer = vision.call("POST", f"{project}/images/regions", json={"regions": [second, second, {**second, **region}]})
    assert [len(answer[name]) for name in ("created", "duplicated", "exceeded")] == [1, 2, 0]
    created = answer["created"][0]
    assert created.items() >= second.items()
    (image,) = vision.call("GET", f"{project}/images")
    known = {each["regionId"]: each["tagName"] for each in image["regions"]}
    assert set(known.values()) == {"red", "blue"}
    assert known[created["regionId"]] == "blue"
    python = cl.load_project(vision.root / "things")
    boxes = python.train_set.annotations[["label", *t.BOX_COLUMNS]].values.tolist()
    assert sorted(boxes) == [["blue", 50, 50, 100, 50], ["red", 50, 50, 100, 25]]
    python.close()
    vision.call("DELETE", f"{project}/images/regions", 204, params={"regionIds": created["regionId"]})
    vision.call("DELETE", f"{project}/images/regions", 204, params={"regionIds": created["regionId"]})
    (image,) = vision.call("GET", f"{project}/images")
    assert {each["regionId"]: each["tagName"] for each in image["regions"]} == {
        id_: name for id_, name in known.items() if name == "red"
    }
    vision.call("DELETE", f"{project}/images/tags", 204, params={"imageIds": image["id"], "tagIds": red})
    assert vision.call("GET", f"{project}/images/untagged")[0]["regions"] == []


def test_regions_that_cannot_be_are_refused(vision: VisionService) -> None:
    project, other = vision.detector(), vision.project()
    red, none = vision.tag(project, "red"), vision.tag(project, "none", "Negative")
    image = vision.add(project, picture())
    good = {"imageId": image["id"], "tagId": red, "left": 0.1, "top": 0.1, "width": 0.5, "height": 0.5}
    path = f"{project}/images/regions"
    for change, code in (
        ({"left": 0.6}, "BadRequestImageRegions"),
        ({"width": 0}, "BadRequestImageRegions"),
        ({"height": None}, "BadRequestImageRegions"),
        ({"left": -0.1}, "BadRequestInvalid"),
        ({"top": "x"}, "BadRequestInvalid"),
        ({"width": 1e300}, "BadRequestInvalid"),
        ({"tagId": NOBODY}, "BadRequestInvalidIds"),
        ({"tagId": none}, "BadRequestNegativeAndRegularTagOnSameImage"),
    ):
        assert vision.refused("POST", path, json={"regions": [good | change]}) == code
    assert vision.refused("POST", path, json={"regions": []}) == "BadRequestImageRegions"
    assert vision.refused("POST", path, 404, json={"regions": [good | {"imageId": NOBODY}]}) == "NotFoundImage"
    assert vision.refused("DELETE", path) == "BadRequestInvalidIds"
    red = vision.tag(other, "red")
    entry = {"contents": "eA==", "regions": [good | {"tagId": red}]}
    assert vision.refused("POST", f"{other}/images/files", json={"images": [entry]}) == "BadRequestImageRegions"
    assert vision.refused("POST", f"{other}/images/regions", json={"regions": [good]}) == "BadRequestImageRegions"
    edge = good | {"left": 0.5, "width": 0.5000001, "top": -0.0000001}
    (created,) = vision.call("POST", path, json={"regions": [edge]})["created"]
    assert (created["top"], created["left"] + created["width"]) == (0.0, 1.0)


def test_limits_of_images_are_enforced_on_request_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "customlabels_nb.endpoints.custom_vision.image_operations"
    for name, value in (("_MOST_BYTES", 3000), ("_MOST_SIDE", 100), ("_MOST_REGIONS", 1)):
        monkeypatch.setattr(f"{module}.{name}", value)
    for limited in (False, True):
        with VisionService(tmp_path / str(limited), service_limits=limited) as service:
            project = service.detector()
            region = {"tagId": service.tag(project, "red"), "left": 0, "top": 0, "width": 0.5, "height": 0.5}
            entries: list[dict[str, Any]] = [
                {"contents": picture(size=(300, 200))},
                {"contents": picture(size=(120, 10))},
                {"contents": picture("red", 1, (40, 30)), "regions": [region, region | {"width": 0.2}]},
                {"contents": picture("red", 2, (40, 30)), "regions": [region]},
            ]
            results = service.upload(project, entries, 207 if limited else 200)
            errors = ["ErrorImageSize", "ErrorImageDimensions", "ErrorRegionLimitExceed", "OK"]
            assert [each["status"] for each in results] == (errors if limited else ["OK"] * 4)
            (again,) = service.upload(
                project, [{**entries[3], "regions": [region | {"width": 0.3}]}], 207 if limited else 200
            )
            assert again["status"] == ("ErrorRegionLimitExceed" if limited else "OKDuplicate")
            more = {"imageId": results[3]["image"]["id"], **region, "height": 0.1}
            answer = service.call("POST", f"{project}/images/regions", json={"regions": [more]})
            assert len(answer["exceeded" if limited else "created"]) == 1


def test_several_programs_add_images_at_once(vision: VisionService) -> None:
    project = vision.project()
    red = vision.tag(project, "red")
    failures: list[BaseException] = []

    def add(first: int) -> None:
        try:
            for number in range(first, first + 6):
                vision.add(project, picture("red", number // 2, (40, 30)), red)  # each picture is sent twice or more
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(first,)) for first in (0, 2, 4, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert vision.call("GET", f"{project}/tags/{red}")["imageCount"] == 5
