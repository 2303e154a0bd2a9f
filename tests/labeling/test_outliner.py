"""Tests of outlines for a screen: the choice of the engine, encoding ahead, caches, errors and labelling jobs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from PIL import Image

from customlabels_nb.core.polygons import area
from customlabels_nb.errors import InputError, ModelError, WeightsUnavailableError
from customlabels_nb.images.outlining import Click
from customlabels_nb.labeling.outliner import Outliner
from customlabels_nb.remote.content_cache import ContentCache
from customlabels_nb.user_settings import settings
from tests.labeling.color_segmenter import ColorSegmenter, shapes_picture

RED = Click(30, 30, True)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ColorSegmenter:
    engine = ColorSegmenter()
    monkeypatch.setattr(settings, "outline_engine", engine)
    return engine


def outliner(folder: Path, decode: Any = lambda _name: shapes_picture(), content: str = "c0ffee") -> Outliner:
    """Return an outliner of images that all have this content hash."""
    return Outliner(lambda name, _known: (decode(name), content), decode, ContentCache(folder / "cache", 10**9))


def find(outlines: Outliner, *clicks: Click, image: str = "a", content: str | None = None) -> Any:
    return outlines.find((image, content), box=None, clicks=clicks, view=None).result(60)


def test_an_image_is_encoded_once_for_all_clicks(tmp_path: Path, engine: ColorSegmenter) -> None:
    outlines = outliner(tmp_path)
    assert outlines.prepare(("a", None), ("b", None)).result(60) == {"engine": "by-color", "advice": ""}
    first = find(outlines, RED)
    assert area(first["polygon"]) == pytest.approx(1320, rel=0.03)
    assert first["pixel"] == 1
    both = find(outlines, RED, Click(80, 40, True))
    assert len(both["polygon"]) == 2
    assert area(both["polygon"]) == pytest.approx(area(first["polygon"]) + 30 * 40, rel=0.03)
    assert find(outlines, RED, Click(30, 31, False))["polygon"] is None
    assert engine.previous == [False, True, True]  # each click refines the result before
    find(outlines, RED, image="b")
    assert len(engine.encoded) == 2


def test_features_are_cached_on_disk_by_content(tmp_path: Path, engine: ColorSegmenter) -> None:
    found = find(outliner(tmp_path), RED, content="c0ffee")
    assert find(outliner(tmp_path), RED, content="c0ffee", image="renamed") == found
    assert len(engine.encoded) == 1
    engine.version = "2"
    find(outliner(tmp_path), RED, content="c0ffee")
    for path in (tmp_path / "cache").glob("*/*.safetensors"):
        path.write_bytes(b"damaged")
    find(outliner(tmp_path), RED, content="c0ffee")
    assert len(engine.encoded) == 3
    for _ in range(2):  # a file that has changed since it was hashed is not cached
        find(outliner(tmp_path), RED, content="decade")
    assert len(engine.encoded) == 5


def test_the_least_used_features_leave_memory_first(tmp_path: Path, engine: ColorSegmenter) -> None:
    outlines = outliner(tmp_path)
    for image in ("a", "b", "c", "d", "a", "e", "a", "b"):
        find(outlines, RED, image=image)
    assert len(engine.encoded) == 6  # "b" left when "e" came, "a" was used again


def test_turning_pages_encodes_only_the_image_in_view(tmp_path: Path, engine: ColorSegmenter) -> None:
    started, go = threading.Event(), threading.Event()
    opened = []

    def decode(name: str) -> Image.Image:
        opened.append(name)
        started.set()
        assert go.wait(60)
        return shapes_picture()

    outlines = outliner(tmp_path, decode)
    first = outlines.prepare(("a", None), ("b", None))
    assert started.wait(60)
    turns = [outlines.prepare((name, None), (f"{name}+", None)) for name in "xyz"]
    second = outlines.prepare(("c", None), ("d", None))
    clicked = outlines.find(("c", None), box=None, clicks=[RED], view=None)
    assert not clicked.done()
    go.set()
    assert first.result(60) == second.result(60) == turns[0].result(60)
    assert clicked.result(60)["polygon"]
    outlines.find(("d", None), box=None, clicks=[RED], view=None).result(60)
    assert [name for name in opened if name != "b"] == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ({"clicks": [Click(500, 1, True)]}, r"click \(500, 1\) is outside the 120 × 80 pixel image"),
        ({"clicks": [RED] * 200}, "at most 100 clicks"),
        ({"box": (130, 10, 5, 5)}, "box .* is empty or outside"),
    ],
)
def test_impossible_prompts_are_refused(
    tmp_path: Path, engine: ColorSegmenter, prompts: dict[str, Any], words: str
) -> None:
    for setting in (engine, "grabcut"):
        settings.outline_engine = setting
        with pytest.raises(InputError, match=words):
            outliner(tmp_path).find(("a", None), **{"box": None, "clicks": [], "view": None, **prompts}).result(60)


def test_auto_is_grabcut_until_there_are_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(settings, "outline_engine", "auto")
    outlines = outliner(tmp_path)
    answer = outlines.prepare(("a", None)).result(60)
    assert answer["engine"] == "GrabCut"
    assert "customlabels-nb fetch sam2" in answer["advice"]
    assert area(find(outlines, RED)["polygon"]) == pytest.approx(1320, rel=0.1)


def test_missing_weights_are_named_and_a_job_page_downloads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(settings, "outline_engine", "sam2")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", _refuse_network(huggingface_hub.snapshot_download))
    outlines = outliner(tmp_path)
    reports: list[str] = []
    outlines.report = reports.append
    with pytest.raises(WeightsUnavailableError, match="customlabels-nb fetch sam2"):
        find(outlines, RED)
    assert reports == ["Downloading facebook/sam2.1-hiera-tiny, 156 MB, Apache-2.0 …", ""]
    outlines.for_labelers = True
    monkeypatch.setattr(settings, "network", True)
    with pytest.raises(ModelError, match=r"^Outlines are not available here\. Draw a polygon instead \(P\)"):
        find(outlines, RED)


def _refuse_network(download: Any) -> Any:
    def local_only(*args: Any, local_files_only: bool = False, **more: Any) -> Any:
        if not local_files_only:
            raise OSError("The server cannot be reached")
        return download(*args, local_files_only=True, **more)

    return local_only


def test_an_unknown_engine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "outline_engine", "sam3")
    outlines = outliner(tmp_path)
    with pytest.raises(InputError, match="'sam3'"):
        find(outlines, RED)
    outlines.for_labelers = True
    with pytest.raises(ModelError, match=r"^Outlines are not available here\."):
        find(outlines, RED)
