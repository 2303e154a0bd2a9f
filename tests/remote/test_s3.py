"""Tests of images in a bucket of an S3 server: listed without reading, fetched once, identified by metadata."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from moto.server import ThreadedMotoServer

import customlabels_nb as cl
from customlabels_nb.errors import (
    Cancelled,
    ImageNotFoundError,
    ImageTooLargeError,
    InputError,
    MissingDependencyError,
)
from customlabels_nb.events import Events
from customlabels_nb.images.reading import open_image, read_bytes, read_content
from customlabels_nb.inference.inputs import expand_sources
from customlabels_nb.ingest.importer import ImportReport
from customlabels_nb.models.embeddings import embed
from customlabels_nb.models.feature_file import FeatureCache
from customlabels_nb.project.location import open_project_store
from customlabels_nb.remote import download_cache as remote
from customlabels_nb.remote.content_cache import project_cache
from customlabels_nb.remote.download_cache import fetch, fetch_all
from customlabels_nb.remote.remote_files import is_identity
from customlabels_nb.training.run import with_current_hashes
from customlabels_nb.user_settings import settings
from tests.facts import tells
from tests.images.pictures import jpeg
from tests.ingest.reading import codes, labels
from tests.s3_server import Bucket

Add = Callable[..., ImportReport]


@pytest.fixture
def photos(bucket: Bucket) -> Bucket:
    """Return a bucket with three apples and a pear."""
    for number, key in enumerate(["apple/0.jpg", "apple/1.jpg", "apple/deep/2.jpg", "pear/3.jpg"]):
        bucket.put(f"photos/{key}", jpeg(number))
    bucket.requests.clear()
    return bucket


# -- importing --------------------------------------------------------------------------------------
def test_a_folder_of_a_bucket_is_listed_once_and_nothing_is_read(project: cl.Project, add: Add, photos: Bucket) -> None:
    for key in ("root.jpg", "note.txt", "phone.psd", ".hidden/4.jpg", "apple/.5.jpg", "x" * 300 + "/6.jpg"):
        photos.put(f"photos/{key}", jpeg(hash(key) % 1000 + 100))
    photos.put("photos/empty/", b"")
    photos.put("photos-of-others/7.jpg", jpeg(7))
    photos.requests.clear()
    report = add(f"{photos.url}/photos/", labels_from="folders")
    assert photos.asked() == [f"GET /{photos.name}"]
    assert (report.added, report.ignored) == (6, 1)
    assert sorted(code for code, _ in codes(report)) == ["IMAGE_TYPE_UNSUPPORTED", "LABEL_UNUSABLE"]
    assert labels(project.train_set) == {
        "0.jpg": ["apple"], "1.jpg": ["apple"], "2.jpg": ["apple"], "3.jpg": ["pear"], "6.jpg": [], "root.jpg": [],
    }  # fmt: skip
    images = project.train_set.images
    assert images["image"][0] == f"{photos.url}/photos/apple/0.jpg"
    assert images["sha256"].map(is_identity).all()
    assert images[["width", "height"]].isna().all(axis=None)
    again = add(f"{photos.url}/photos", labels_from="folders")
    assert (again.added, again.known) == (0, 6)


def test_patterns_and_single_objects(project: cl.Project, add: Add, photos: Bucket) -> None:
    assert add(f"{photos.url}/photos/apple/*.jpg", label="apple").added == 2
    assert add([f"{photos.url}/photos/pear/3.jpg", f"{photos.url}/photos/apple/0.jpg"], label="pear").added == 1
    photos.put("photos/without-ending", jpeg(9))
    assert add(f"{photos.url}/photos/without-ending").added == 1
    assert photos.fetched() == []
    assert labels(project.train_set) == {
        "0.jpg": ["apple"],
        "1.jpg": ["apple"],
        "3.jpg": ["pear"],
        "without-ending": [],
    }
    report = add([f"{photos.url}/photos/gone.jpg", f"{photos.url}/photos"])
    assert (report.added, codes(report)) == (1, [("IMAGE_NOT_FOUND", "gone.jpg")])
    for nothing in ("/photos/*.tif", "/none/", "/none"):
        with pytest.raises(InputError) if nothing != "/none" else pytest.MonkeyPatch.context():
            add(photos.url + nothing)


def test_equal_content_is_recognised_without_reading_it(project: cl.Project, add: Add, photos: Bucket) -> None:
    photos.put("more/again.jpg", jpeg(0))
    photos.put("test/leak.jpg", jpeg(1))
    add(f"{photos.url}/photos/")
    report = add(f"{photos.url}/more/")
    assert (report.added, report.known, codes(report)) == (0, 1, [])
    assert codes(add(f"{photos.url}/test/", split="test")) == [("LEAK_BETWEEN_SPLITS", "leak.jpg")]
    assert photos.fetched() == []


def test_another_etag_is_another_content(project: cl.Project, add: Add, photos: Bucket) -> None:
    add(f"{photos.url}/photos/", labels_from="folders")
    before = project.train_set.images
    photos.put("photos/apple/1.jpg", jpeg(77))
    report = add(f"{photos.url}/photos/", labels_from="folders")
    assert (report.added, codes(report)) == (0, [("IMAGE_CHANGED", "1.jpg")])
    images = project.train_set.images
    assert (images["sha256"] != before["sha256"]).tolist() == [False, True, False, False]
    assert images["revision"].tolist() == [1, 2, 1, 1]
    assert labels(project.train_set)["1.jpg"] == ["apple"]
    assert read_bytes(images["image"][1]) == jpeg(77)


def test_verifying_fetches_and_checks_all(project: cl.Project, add: Add, photos: Bucket) -> None:
    photos.put("photos/text.jpg", b"Dear sir")
    report = add(f"{photos.url}/photos/", check_images=True)
    assert (report.added, codes(report)) == (4, [("IMAGE_NOT_AN_IMAGE", "text.jpg")])
    assert len(photos.fetched()) == 5
    images = project.train_set.images
    assert images[["width", "height"]].to_numpy().tolist() == [[48, 32]] * 4
    assert images["sha256"].map(is_identity).all()
    assert project.train_set._repr_html_().count("<img") == 4
    assert photos.asked() == []
    photos.put("later/1.jpg", jpeg(20, (60, 40)))
    for verify, widths in ((False, 0), (True, 60)):
        report = add(f"{photos.url}/later/", check_images=verify)
        assert len(report.issues) == 0
        assert project.train_set.images["width"].fillna(0).iloc[-1] == widths
    assert project.train_set.images["revision"].tolist() == [1] * 5


def test_copies_are_read_and_known_by_their_hash(project: cl.Project, add: Add, photos: Bucket) -> None:
    add(f"{photos.url}/photos/", copy=True)
    images = project.train_set.images
    assert images["sha256"].str.len().eq(64).all()
    assert sorted((project.root / image).read_bytes() for image in images["image"]) == sorted(map(jpeg, range(4)))
    assert add(f"{photos.url}/photos/", copy=True).known == 4


def test_odd_keys_are_read_again_by_what_the_tables_hold(
    project: cl.Project, add: Add, bucket: Bucket, tmp_path: Path
) -> None:
    keys = [
        "a b/ü 梨.jpg", "<script>alert(1)</script>.jpg", "100%41.jpg", "hash#1.jpg", "query?x=1&y.jpg", "//double.jpg",
        "quote'\".jpg", "[x]{y}.jpg",
    ]  # fmt: skip
    for number, key in enumerate(keys):
        bucket.put(f"odd/{key}", jpeg(number))
    assert add(f"{bucket.url}/odd/", labels_from="folders").added == len(keys)
    read = {image[len(bucket.url) + 5 :]: read_bytes(image) for image in project.train_set.images["image"]}
    assert read == {key: jpeg(number) for number, key in enumerate(keys)}
    assert "<script>" not in project.train_set._repr_html_()
    assert {path.name for path in tmp_path.iterdir()} == {"projects"}


def test_a_zip_in_a_bucket_is_unpacked(project: cl.Project, add: Add, bucket: Bucket, tmp_path: Path) -> None:
    from tests.ingest.test_sources import make_zip

    bucket.put("photos.zip", make_zip(tmp_path / "x.zip", {"apple/1.jpg": jpeg(1)}).read_bytes())
    assert add(f"{bucket.url}/photos.zip", labels_from="folders").added == 1
    assert project.train_set.labels_of_images() == [["apple"]]


# -- reading ----------------------------------------------------------------------------------------
def test_fetched_images_are_available_without_the_server(
    project: cl.Project, add: Add, photos: Bucket, monkeypatch: pytest.MonkeyPatch, anew: Callable[[], None]
) -> None:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://{}:{}".format(*server.get_host_and_port()))
    anew()
    add(f"{photos.url}/photos/")
    assert project.fetch(progress=False).empty
    server.stop()
    images = project.train_set.images
    for number, row in enumerate(images.itertuples()):
        assert read_content(row.image, content_id=row.sha256) == (jpeg(number), row.sha256)
        assert open_image(row.image).size == (48, 32)  # a recent check is not repeated
    settings.network = False
    assert read_content(images["image"][0], content_id=images["sha256"][0])[0] == jpeg(0)
    with pytest.raises(ImageNotFoundError, match=r"settings\.network is off"):
        open_image(images["image"][0])


def test_unknown_image_is_requested_once(photos: Bucket) -> None:
    url, key = f"{photos.url}/photos/apple/0.jpg", f"/{photos.name}/photos/apple/0.jpg"
    for _ in range(3):
        assert open_image(url).size == (48, 32)
    assert photos.asked() == [f"HEAD {key}", f"GET {key}"]


def test_changed_content_gets_its_own_hash(photos: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_TRUSTED_SECONDS", 0.0)
    url = f"{photos.url}/photos/apple/0.jpg"
    _, old = read_content(url)
    project_cache(None, "remote").folder.rename(settings.cache_dir / "gone")
    for number in (50, 51):  # other sizes, and the same size
        data = jpeg(number, (48, 32) if number == 51 else (300, 200))
        photos.put("photos/apple/0.jpg", data)
        read, now = read_content(url, content_id=old)
        assert (read, now) == (data, read_content(url, content_id=now)[1])
        assert now != old
    whole = b"x" * len(jpeg(0))
    photos.put("photos/apple/0.jpg", whole)
    assert read_content(url, content_id=old)[0] == whole


def test_an_object_that_came_in_parts_is_cached_too(bucket: Bucket) -> None:
    upload = bucket.client.create_multipart_upload(Bucket=bucket.name, Key="large.jpg")["UploadId"]
    where = {"Bucket": bucket.name, "Key": "large.jpg", "UploadId": upload}
    parts = [b"a" * 5 * 2**20, b"b" * 100]
    tags = [
        {"PartNumber": i, "ETag": bucket.client.upload_part(**where, PartNumber=i, Body=part)["ETag"]}
        for i, part in enumerate(parts, 1)
    ]
    bucket.client.complete_multipart_upload(**where, MultipartUpload={"Parts": tags})
    data, identity = read_content(f"{bucket.url}/large.jpg")
    assert data == b"".join(parts)
    assert "-2:" in identity
    bucket.requests.clear()
    assert read_content(f"{bucket.url}/large.jpg", content_id=identity) == (data, identity)
    assert bucket.asked() == []


def test_more_than_the_limit_is_not_read(photos: Bucket) -> None:
    url = f"{photos.url}/photos/apple/0.jpg"
    with pytest.raises(ImageTooLargeError, match="more than 100 bytes"):
        read_bytes(url, max_bytes=100)
    assert photos.fetched() == []
    _, identity = fetch(url)
    with pytest.raises(ImageTooLargeError):
        fetch(url, content_id=identity, max_bytes=100)
    with pytest.raises(ImageNotFoundError, match="does not exist"):
        read_bytes(f"{photos.url}/photos/none.jpg", max_bytes=100)


def test_the_cache_stays_within_its_limit(photos: Bucket) -> None:
    settings.cache_gb = 50_000 / 2**30
    urls = [photos.put(f"many/{number}.bin", bytes([number]) * 10_000) for number in range(12)]
    assert fetch_all(urls) == []
    kept = [path for path in project_cache(None, "remote").folder.glob("*/*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) <= 54_000
    assert fetch(urls[-1])[0] == bytes([11]) * 10_000


# -- errors -----------------------------------------------------------------------------------------
def test_errors_name_the_image_and_what_to_do(
    project: cl.Project, add: Add, photos: Bucket, monkeypatch: pytest.MonkeyPatch, anew: Callable[[], None]
) -> None:
    photos.server.refused.add("1.jpg")
    with pytest.raises(ImageNotFoundError, match=r"apple/1\.jpg'.*access is denied.*credentials"):
        open_image(f"{photos.url}/photos/apple/1.jpg")
    with pytest.raises(ImageNotFoundError, match=r"none\.jpg'.*does not exist"):
        open_image(f"{photos.url}/photos/none.jpg")
    with pytest.raises(ImageNotFoundError, match="does not exist"):
        open_image("s3://no-such-bucket-at-all/a.jpg")
    with pytest.raises(InputError, match=r"no-such-bucket-at-all/photos/' cannot be listed: .* not exist"):
        add("s3://no-such-bucket-at-all/photos/")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    anew()
    with pytest.raises(ImageNotFoundError, match=r"no credentials.*AWS_ACCESS_KEY_ID.*~/\.aws/credentials"):
        open_image(f"{photos.url}/photos/apple/0.jpg")
    with pytest.raises(InputError, match=r"no credentials.*AWS_ACCESS_KEY_ID"):
        add(f"{photos.url}/photos/")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    assert add(f"{photos.url}/photos/").added == 4  # without restarting Python
    settings.network = False
    with pytest.raises(InputError, match=r"settings\.network is off"):
        add(f"{photos.url}/photos/")


@pytest.mark.parametrize(
    ("url", "package"),
    [("gs://bucket/photos/", "gcsfs"), ("az://container/photos/", "adlfs"), ("abfs://container/*.jpg", "adlfs")],
)
def test_a_protocol_whose_package_is_missing_names_it(add: Add, url: str, package: str) -> None:
    pytest.importorskip("fsspec")
    try:
        fsspec.get_filesystem_class(url.partition(":")[0])
    except ImportError:
        with pytest.raises(MissingDependencyError, match=f"pip install .*{package}"):
            add(url)
        with pytest.raises(cl.errors.ImageError, match=f"pip install .*{package}"):
            open_image(url.replace("*", "a"))
    else:
        pytest.skip(f"{package} is installed")
    with pytest.raises(InputError, match="'gopher://' is not supported"):
        add("gopher://host/photos/")


def test_unavailable_images_do_not_stop_others(project: cl.Project, add: Add, photos: Bucket) -> None:
    add(f"{photos.url}/photos/")
    photos.delete("photos/apple/1.jpg")
    photos.server.refused.add("3.jpg")
    issues = project.fetch(progress=False)
    assert issues["code"].tolist() == ["IMAGE_NOT_FOUND"] * 2
    assert [where.rpartition("/")[2] for where in issues["where"]] == ["1.jpg", "3.jpg"]
    kept = sorted(path.read_bytes() for path in project_cache(None, "remote").folder.glob("*/*"))
    assert kept == sorted([jpeg(0), jpeg(2)])


# -- concurrency ------------------------------------------------------------------------------------
def test_no_more_are_fetched_at_once_than_allowed(photos: Bucket) -> None:
    urls = [photos.put(f"many/{number}.jpg", jpeg(number)) for number in range(24)]
    photos.server.seconds, photos.server.most_at_once = 0.02, 0
    assert fetch_all(urls, workers=4) == []
    assert 2 <= photos.server.most_at_once <= 4


def test_fetching_goes_on_where_it_was_stopped(project: cl.Project, add: Add, bucket: Bucket) -> None:
    for number in range(30):
        bucket.put(f"photos/{number:02}.jpg", jpeg(number))
    add(f"{bucket.url}/photos/")
    images = project.train_set.images
    urls, known = images["image"].tolist(), images["sha256"].tolist()
    events, heard = Events(), list[Any]()
    events.subscribe(lambda event: heard.append(event) or (event.done == 10 and events.cancel()))  # type: ignore[attr-defined]
    with pytest.raises(Cancelled):
        fetch_all(urls, content_ids=known, workers=2, events=events)
    first = bucket.fetched()
    assert 10 <= len(first) < 30
    assert fetch_all(urls, content_ids=known, workers=2) == []
    second = bucket.fetched()
    assert sorted(first + second) == [f"photos/{number:02}.jpg" for number in range(30)]
    assert fetch_all(urls, content_ids=known) == []
    assert bucket.asked() == []


def test_too_small_cache_is_reported(photos: Bucket) -> None:
    _, identity = fetch(f"{photos.url}/photos/apple/0.jpg")
    settings.cache_gb = 500 / 2**30
    events, heard = Events(), list[Any]()
    events.subscribe(heard.append)
    fetch_all([f"{photos.url}/photos/apple/0.jpg"], content_ids=[identity], events=events)
    assert "settings.cache_gb" in heard[0].text


# -- reading a manifest -----------------------------------------------------------------------------
def manifest(bucket: Bucket, path: Path, keys: list[str]) -> Path:
    """Write a manifest of boxes for images in the bucket."""
    facts = {"confidence": 1, "job-name": "labeling-job/x", "human-annotated": "yes",
             "creation-date": "2020-03-06T17:46:39.176", "type": "groundtruth/object-detection",
             "class-map": {"0": "apple"}, "objects": [{"confidence": 1}]}  # fmt: skip
    box = {"image_size": [{"width": 48, "height": 32, "depth": 3}],
           "annotations": [{"class_id": 0, "left": 1, "top": 2, "width": 10, "height": 9}]}  # fmt: skip
    lines = [{"source-ref": f"{bucket.url}/{key}", "box": box, "box-metadata": facts} for key in keys]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_dataset_in_a_bucket_is_used_without_being_copied(
    project: cl.Project, photos: Bucket, tmp_path: Path
) -> None:
    keys = ["photos/apple/0.jpg", "photos/apple/1.jpg", "photos/pear/3.jpg", "photos/apple/none.jpg"]
    dataset = cl.read_dataset(manifest(photos, tmp_path / "boxes.manifest", keys))
    report = project.import_dataset(dataset, progress=False)
    assert photos.asked() == []
    assert (report.added, len(report.issues)) == (4, 0)
    images = project.train_set.images
    assert images[["width", "height"]].to_numpy().tolist() == [[48, 32]] * 4
    assert images["sha256"].isna().all()
    shown = project.train_set._repr_html_()
    assert (shown.count("<img"), shown.count("does not exist")) == (3, 1)
    assert open_image(images["image"][0]).size == (48, 32)
    current = with_current_hashes(open_project_store(project.root), [project.train_set], Events())[0].images
    assert [is_identity(content) for content in current["sha256"]] == [True, True, True, False]
    assert len(photos.fetched()) == 3
    names, keyed = current["image"].tolist()[:3], current["sha256"].tolist()[:3]
    cache = FeatureCache(tmp_path / "features", 1 << 30)
    first = embed(names, keys=keyed, cache=cache)
    assert first.readable.all()
    assert photos.asked() == []
    again = embed(names, keys=keyed, cache=cache)
    np.testing.assert_array_equal(first.features, again.features)
    assert project.train_set.annotations[["left", "top", "width", "height"]].to_numpy().tolist() == [[1, 2, 10, 9]] * 4


def test_training_revalidates_images(project: cl.Project, add: Add, photos: Bucket) -> None:
    add(f"{photos.url}/photos/")
    before = project.train_set.images
    open_image(before["image"][0])
    photos.put("photos/apple/0.jpg", jpeg(77))
    photos.asked()
    current = with_current_hashes(open_project_store(project.root), [project.train_set], Events())[0].images
    assert photos.asked() == [f"HEAD /{photos.name}/photos/apple/0.jpg"]
    assert (current["sha256"] != before["sha256"]).tolist() == [True, False, False, False]
    assert project.issues["code"].tolist() == ["IMAGE_CHANGED"]
    assert read_content(before["image"][0], content_id=current["sha256"][0]) == (jpeg(77), current["sha256"][0])


def test_annotations_in_a_bucket_are_read_beside_their_images(
    project: cl.Project, photos: Bucket, tmp_path: Path
) -> None:
    path = manifest(photos, tmp_path / "x", ["photos/apple/0.jpg"])
    photos.put("sets/boxes.manifest", path.read_bytes() + b"{broken\n")
    dataset = cl.read_dataset(f"{photos.url}/sets/boxes.manifest")
    assert (dataset.name, dataset.images["image"].tolist()) == ("boxes.manifest", [f"{photos.url}/photos/apple/0.jpg"])
    assert dataset.issues["source"].tolist() == [f"{photos.url}/sets/boxes.manifest"]
    coco = {
        "images": [{"id": 1, "file_name": "apple/1.jpg", "width": 48, "height": 32}],
        "categories": [{"id": 1, "name": "apple"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 9]}],
    }
    photos.put("photos/coco.json", json.dumps(coco).encode())
    dataset = cl.read_dataset(f"{photos.url}/photos/coco.json")
    assert (
        dataset.images["image"].tolist()
        == dataset.annotations["image"].tolist()
        == [f"{photos.url}/photos/apple/1.jpg"]
    )
    assert project.import_dataset(dataset, progress=False).added == 1
    with pytest.raises(cl.errors.ManifestError, match=r"none\.json' cannot be read: .* not exist"):
        cl.read_dataset(f"{photos.url}/none.json")
    photos.server.refused.add("coco.json")
    with pytest.raises(cl.errors.ManifestError, match="access is denied") as caught:
        cl.read_dataset(f"{photos.url}/photos/coco.json")
    assert caught.value.code == "ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET"


def test_model_detects_in_a_bucket_folder(photos: Bucket) -> None:
    photos.put("photos/note.txt", b"x")
    images = [
        f"{photos.url}/photos/{name}" for name in ("apple/0.jpg", "apple/1.jpg", "apple/deep/2.jpg", "pear/3.jpg")
    ]
    assert expand_sources(f"{photos.url}/photos/") == images
    assert expand_sources(f"{photos.url}/photos/apple/*.jpg") == images[:2]


def test_a_table_of_urls_is_taken_as_it_is(project: cl.Project, add: Add, photos: Bucket) -> None:
    urls = [f"{photos.url}/photos/apple/{number}.jpg" for number in (0, 1, 9)]
    frame = pd.DataFrame({"image": urls, "label": "apple", "width": [48, None, 7.5], "height": [32, 32, 7]})
    report = add(frame)
    assert (report.added, report.issues["code"].tolist()) == (3, ["NOT_IMPORTED"])
    assert tells(report.issues["message"].iat[0], 2, "size of an image")
    assert photos.asked() == []
    images = project.train_set.images
    assert images["width"].fillna(0).tolist() == [48, 0, 0]
    assert images["height"].fillna(0).tolist() == [32, 0, 0]
    report = add(frame[["image", "label"]], check_images=True)
    assert (report.known, codes(report)) == (3, [("IMAGE_NOT_FOUND", "9.jpg")])
    images = project.train_set.images
    assert images["width"].tolist()[:2] == [48, 48]
    assert images["sha256"].map(is_identity).tolist() == [True, True, False]


# -- refreshing -------------------------------------------------------------------------------------
def test_bucket_is_refreshed(project: cl.Project, add: Add, photos: Bucket) -> None:
    photos.put("photos/.seen.jpg", jpeg(30))
    add(f"{photos.url}/photos/", labels_from="folders")
    add(f"{photos.url}/photos/.seen.jpg")
    project.update("train", project.train_set.relabel("quince", "image.str.endswith('0.jpg')"))
    photos.put("photos/plum/5.jpg", jpeg(5))
    photos.put("photos/apple/1.jpg", jpeg(11))
    photos.delete("photos/pear/3.jpg")
    photos.requests.clear()
    report = project.train_set.refresh()
    assert [where.rpartition("/")[2] for where in report.added] == ["5.jpg"]
    assert [where.rpartition("/")[2] for where in report.changed] == ["1.jpg"]
    assert [where.rpartition("/")[2] for where in report.vanished] == ["3.jpg"]
    assert photos.fetched() == []
    found = labels(project.train_set)
    assert (found["0.jpg"], found["5.jpg"], found["3.jpg"]) == (["quince"], ["plum"], ["pear"])
    project.remove("train", report.vanished)
    photos.put("photos/pear/3.jpg", jpeg(3))
    report = project.refresh(progress=False)
    assert (report.added, report.changed, report.vanished, len(report.removed)) == ([], [], [], 1)
