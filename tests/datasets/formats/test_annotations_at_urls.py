"""Tests of annotation files at URLs, and of images whose names a URL has to encode."""

from __future__ import annotations

import json
import string
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import customlabels_nb as cl
from customlabels_nb.datasets import formats
from customlabels_nb.datasets.formats.base import ImageFinder
from customlabels_nb.errors import InputError
from customlabels_nb.images.reading import open_image
from tests.datasets.formats.test_contract import IN_FILES, target
from tests.remote.conftest import Web, web
from tests.tiers import many

__all__ = ["web"]

NAMES = [f"photos/{name}.png" for name in ("x#1", "a b", "50%25", "q?", "a%20b", "é/[1]+&;=", "plain")]
PATHS = [quote(name, safe="/+&;=") for name in NAMES]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "coco" else pytest.mark.thorough)
        for name in IN_FILES
        if name not in ("ground_truth", "yolo")
    ],
)
def test_images_beside_a_file_at_a_url_are_where_their_server_has_them(web: Web, name: str) -> None:
    """Manifests name images by their whole paths, and files of YOLO do not name any."""
    rows = pd.DataFrame({"image": [f"{web.root}/{name}" for name in NAMES], "label": "cat"})
    if "boxes" in formats.FORMATS[name].holds:
        rows = rows.assign(left=0.0, top=1.0, width=1.0, height=2.0)
    for width, image in enumerate(rows["image"], 1):
        Path(image).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width, 9)).save(image)
    written = cl.Dataset(rows[["image"]], rows).to(name, target(name, web.root))
    found = []
    for file in (path for path in written.files if path.suffix != ".txt" and path.name != "index.json"):
        text = file.read_text(encoding="utf-8").replace(f"{web.root}/", "")  # some formats write absolute paths
        (web.root / file.name).write_text(text, encoding="utf-8")
        found += cl.read_dataset(f"{web.url}/{quote(file.name)}").images["image"].tolist()
    assert found == [f"{web.url}/{path}" for path in PATHS]
    if name == "coco":
        assert [open_image(url).width for url in found] == list(range(1, len(NAMES) + 1))


def test_names_are_appended_to_the_url_of_images(tmp_path: Path) -> None:
    images = [{"id": number, "file_name": name} for number, name in enumerate(NAMES)]
    (tmp_path / "set.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    for options in (
        {"images": "http://there"},
        {"images": "http://there/"},
        {"relocate": {"photos/": "http://there/photos/"}},
        {"relocate": {"": "http://there/"}},
    ):
        found = cl.read_dataset(tmp_path / "set.json", **options).images["image"]  # type: ignore[arg-type]
        assert found.tolist() == [f"http://there/{path}" for path in PATHS]


@settings(max_examples=many(50))
@given(st.lists(st.text(f"{string.punctuation} aé".replace("/", "").replace("\\", ""), min_size=1), min_size=1))
def test_a_server_decodes_the_name_of_an_image(parts: list[str]) -> None:
    name = f"photos/{'/'.join(parts)}.jpg"
    found = ImageFinder(Path("/base"), relocate={"photos/": "http://there/now/"}).find(name)
    address = urlsplit(found)
    assert unquote(address.path) == name.replace("photos/", "/now/", 1)
    assert not address.query + address.fragment


@pytest.mark.parametrize(
    ("name", "moved", "prefixed"),
    [
        ("photos/50%.jpg", "https://new/50%25.jpg", "https://there/photos/50%25.jpg"),
        ("photos\\a b.jpg", None, "https://there/photos/a%20b.jpg"),
        ("http://old/a%20b.jpg?s=1", "https://new/a%20b.jpg?s=1", "https://there/a%20b.jpg"),
        ("s3://old/a%20b#.jpg", "https://new/a%2520b%23.jpg", "https://there/a%2520b%23.jpg"),
        ("/photos/a b.jpg", "https://new/a%20b.jpg", "https://there/a%20b.jpg"),
        ("../a b.jpg", None, "https://there/a%20b.jpg"),
        ("C:\\photos\\a b.jpg", None, "https://there/a%20b.jpg"),
    ],
)
def test_only_names_that_are_not_addresses_are_encoded(name: str, moved: str | None, prefixed: str) -> None:
    old = ("photos/", "/photos/", "http://old/", "s3://old/")
    finder = ImageFinder(Path("/base"), relocate=dict.fromkeys(old, "https://new/"), images="https://there")
    assert finder.find(name) == (moved or prefixed)
    assert ImageFinder(Path("/base"), images="https://there/").find(name) == prefixed


def test_names_in_buckets_are_not_encoded() -> None:
    finder = ImageFinder(Path("/base"), images="s3://there")
    assert finder.find("photos/50%25 #.jpg") == "s3://there/photos/50%25 #.jpg"
    with pytest.raises(InputError, match="''"):
        finder.find("")
