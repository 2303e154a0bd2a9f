"""Tests of batch sources: folders of a bucket, a web server and this machine, patterns, datasets, tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.errors import InputError
from customlabels_nb.events import Events
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.project.runnable import load_model
from customlabels_nb.user_settings import settings
from tests.facts import tells
from tests.remote.conftest import Web, web
from tests.s3_server import Bucket

__all__ = ["web"]


def names(found: pd.DataFrame) -> list[str]:
    return [image.rpartition("/")[2] for image in found["image"]]


def test_a_folder_of_a_bucket(predictor: Predictor, blots: dict[str, list[str]], bucket: Bucket) -> None:
    for number, path in enumerate([*blots["red"][:2], *blots["blue"][:2]]):
        bucket.put(f"photos/deep/{number}.jpg", Path(path).read_bytes())
    bucket.put("photos/broken.jpg", b"none")
    bucket.put("photos/refused.jpg", b"none")
    bucket.put("photos/note.txt", b"none")
    bucket.put("photos-of-others/9.jpg", b"none")
    bucket.server.refused.add("refused.jpg")
    found = detect_many(predictor, f"{bucket.url}/photos/")
    assert names(found) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert found["label"].tolist() == ["red", "red", "blue", "blue"]
    assert found["image"][0] == f"{bucket.url}/photos/deep/0.jpg"
    assert [(error["image"].rpartition("/")[2], error["code"]) for error in found.attrs["errors"]] == [
        ("broken.jpg", "IMAGE_NOT_AN_IMAGE"), ("refused.jpg", "IMAGE_NOT_FOUND"),
    ]  # fmt: skip
    assert names(detect_many(predictor, f"{bucket.url}/photos/deep/*.jpg")) == names(found)
    with pytest.raises(InputError, match="contains no images"):
        detect_many(predictor, f"{bucket.url}/none/")
    only = detect_many(predictor, f"{bucket.url}/photos")
    (error,) = only.attrs["errors"]
    assert tells(error["message"], "folder", "'/'")


def test_a_bucket_goes_on_where_it_was_stopped(
    predictor: Predictor, blots: dict[str, list[str]], bucket: Bucket, tmp_path: Path
) -> None:
    for number, path in enumerate(blots["red"]):
        bucket.put(f"photos/{number}.jpg", Path(path).read_bytes())
    urls = [f"{bucket.url}/photos/{number}.jpg" for number in range(6)]
    detect_many(predictor, urls[:4], to=tmp_path / "found.jsonl")
    bucket.requests.clear()
    settings.cache_dir = tmp_path / "another-cache"
    result = detect_many(predictor, f"{bucket.url}/photos/", to=tmp_path / "found.jsonl", resume=True)
    assert result.images == 6
    assert sorted(bucket.fetched()) == ["photos/4.jpg", "photos/5.jpg"]


def test_a_folder_of_a_web_server(predictor: Predictor, blots: dict[str, list[str]], web: Web) -> None:
    for name, path in (("a b.jpg", blots["red"][0]), ("deep/ü.jpg", blots["green"][0])):
        (web.root / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (web.root / "photos" / name).write_bytes(Path(path).read_bytes())
    found = detect_many(predictor, [f"{web.url}/photos/", f"{web.url}/gone.jpg"])
    assert found["label"].tolist() == ["red", "green"]
    assert names(found) == ["a%20b.jpg", "%C3%BC.jpg"]
    assert [error["code"] for error in found.attrs["errors"]] == ["IMAGE_NOT_FOUND"]


def test_folders_of_this_machine_in_all_ways(predictor: Predictor, blots: dict[str, list[str]], tmp_path: Path) -> None:
    folder = tmp_path / "a b ü"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(Path(blots["red"][0]).read_bytes())
    for sources in (folder, str(folder), folder.as_uri(), f"{folder.as_uri()}/", [folder.as_uri()], f"{folder}/*.jpg"):
        assert detect_many(predictor, sources)["label"].tolist() == ["red"]
    assert detect_many(predictor, (folder / "1.jpg").as_uri())["label"].tolist() == ["red"]
    with pytest.raises(InputError, match="does not exist"):
        detect_many(predictor, (tmp_path / "none").as_uri())


def test_sources_may_be_datasets_tables_and_generators(
    model_folder: Path, blots: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_model(model_folder).start("cpu")
    images = blots["green"]
    dataset = cl.Dataset(pd.DataFrame({"image": images}))
    for sources in (dataset, dataset.images, (path for path in images)):
        assert model.detect_many(sources, progress=False)["image"].tolist() == images
    result = model.detect_many(dataset, to=tmp_path / "found.jsonl", progress=False)
    assert (result.images, result.path, result.form) == (6, tmp_path / "found.jsonl", "JSON Lines")
    assert model.detect_many(dataset, to=tmp_path / "found.jsonl", resume=True, progress=False).images == 6
    events = Events()
    events.subscribe(lambda event: events.cancel())
    part = model.detect_many(images, to=tmp_path / "part.jsonl", batch_size=2, progress=False, events=events)
    assert part.left == 2
    model.stop()
    said = capsys.readouterr()
    assert tells(said.out + said.err, 2, "resume=True")
