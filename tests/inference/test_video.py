"""Tests of predictions for videos."""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customlabels_nb.errors import (
    InputError,
    LabelError,
    MissingDependencyError,
    ModelError,
    NotAVideoError,
    TruncatedVideoError,
    VideoError,
)
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.inference import video as video_module
from customlabels_nb.inference import video_reading
from customlabels_nb.inference.detection import detect
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.video import clock, detect_video
from customlabels_nb.inference.video_reading import prefetch
from customlabels_nb.project.runnable import Runnable
from tests.inference.videos import boxes_of, read_video, write_video
from tests.models.pictures import gradient

BOX = ["left", "top", "width", "height"]
COLUMNS = ["frame", "timestamp_ms", "label", "confidence", *BOX]


@pytest.fixture(scope="module")
def discs(blots: dict[str, list[str]]) -> list[Image.Image]:
    """Return ten frames of a red disc, ten of a green one, ten of a blue one."""
    return [Image.open(blots[name][0]).convert("RGB") for name in ("red", "green", "blue") for _ in range(10)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, discs: list[Image.Image]) -> Path:
    """Return a video of them: three seconds at ten frames per second."""
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", discs)


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video for the detector: one moving image, twelve frames of 300 by 200 pixels."""
    wide = np.asarray(gradient(348, 200))
    frames = [Image.fromarray(wide[:, 4 * i : 4 * i + 300]) for i in range(12)]
    return write_video(tmp_path_factory.mktemp("waves") / "waves.mp4", frames)


def test_video_detections_have_times(predictor: Predictor, clip: Path) -> None:
    found = detect_video(predictor, clip)
    assert list(found.table.columns) == COLUMNS
    assert found.table["frame"].tolist() == [0, 10, 20]
    assert found.table["timestamp_ms"].tolist() == [0, 1000, 2000]
    assert found.table["label"].tolist() == ["red", "green", "blue"]
    assert (found.table.dtypes[["frame", "timestamp_ms"]] == np.int64).all()
    assert (found.table.dtypes[["confidence", *BOX]] == np.float64).all()
    assert found.table[BOX].isna().all(axis=None)
    assert found.frames.to_dict("list") == {"frame": [0, 10, 20], "timestamp_ms": [0, 1000, 2000], "found": [1, 1, 1]}
    assert (found.size, found.duration_ms, found.interrupted) == ((160, 120), 3000, False)
    assert found.notes == []


@pytest.mark.parametrize("kind", ["predictor", "detector"])
def test_each_frame_gives_what_its_picture_gives(kind: str, waves: Path, request: pytest.FixtureRequest) -> None:
    asked: Predictor = request.getfixturevalue(kind)
    found = detect_video(asked, waves, every=5, threshold=0, max_results=7)
    _, pictures, _ = read_video(waves)
    alone = [detect(asked, pictures[i], threshold=0, max_results=7).table.assign(frame=i) for i in (0, 5, 10)]
    pd.testing.assert_frame_equal(
        found.table[["frame", "label", "confidence", *BOX]],
        pd.concat(alone, ignore_index=True)[["frame", "label", "confidence", *BOX]],
        check_dtype=False,
        atol=1e-4,
    )
    assert len(found.table) == sum(map(len, alone)) > 8


def test_times_are_those_of_the_file_also_where_they_are_uneven(
    predictor: Predictor, discs: list[Image.Image], tmp_path: Path
) -> None:
    times = [0, 40, 50, 300, 999, 1033, 2500, 2510, 5000]
    path = write_video(tmp_path / "uneven.mp4", discs[:9], times_ms=times)
    every = detect_video(predictor, path, every=1, threshold=0, max_results=1)
    assert every.frames["timestamp_ms"].tolist() == times
    assert every.table["timestamp_ms"].tolist() == times
    by_time = detect_video(predictor, path, every="1s")
    assert by_time.frames["timestamp_ms"].tolist() == [0, 999, 2500, 5000]  # files round their times
    assert by_time.frames["frame"].tolist() == [0, 4, 6, 8]
    in_steps = detect_video(predictor, path, every="40ms").frames["timestamp_ms"]
    assert in_steps.tolist() == [0, 40, 300, 999, 2500, 5000]  # 1033 is before the step at 1040


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["a.mov", "a.mkv", "a.avi", "a.webm", "a.ts", "a.m4v", "a.gif"])
def test_common_video_formats_are_read(
    predictor: Predictor, discs: list[Image.Image], tmp_path: Path, name: str
) -> None:
    codec = {"avi": "mpeg4", "webm": "libvpx-vp9", "gif": "gif"}.get(name[2:], "libx264")
    if codec == "gif":
        discs[0].save(tmp_path / name, save_all=True, append_images=discs[1:], duration=100)
    else:
        write_video(tmp_path / name, discs, codec=codec, form="mpegts" if name == "a.ts" else None)
    found = detect_video(predictor, tmp_path / name, threshold=0, max_results=1)
    assert found.table["label"].tolist() == ["red", "green", "blue"]
    np.testing.assert_allclose(found.table["timestamp_ms"], [0, 1000, 2000], atol=1)  # also if the file starts later


@pytest.mark.thorough
def test_video_of_real_photos(fruit_photos: Path, tmp_path: Path, predictor: Predictor) -> None:
    photos = [Image.open(path).convert("RGB").resize((640, 480)) for path in sorted(fruit_photos.rglob("*.jpg"))[::9]]
    path = write_video(tmp_path / "photos.mp4", [photo for photo in photos for _ in range(5)])
    found = detect_video(predictor, path, every=5, threshold=0, to=tmp_path / "out")
    assert len(found.frames) == len(photos) == 5
    for place, photo in enumerate(photos):
        near = detect(predictor, photo, threshold=0).table.set_index("label")["confidence"]
        rows = found.table[found.table["frame"] == 5 * place].set_index("label")["confidence"]
        assert (rows - near).abs().max() < 0.15  # the video was compressed
    assert found.video is not None
    assert len(read_video(found.video)[1]) == 25


@pytest.mark.parametrize(("every", "frames"), [(1, 30), (7, 5), ("0.5s", 6), ("1 min", 1), ("100ms", 30), (1000, 1)])
def test_every_selects_frames(predictor: Predictor, clip: Path, every: Any, frames: int) -> None:
    assert len(detect_video(predictor, clip, every=every).frames) == frames


@pytest.mark.parametrize("every", [0, -3, 1.5, True, None, "", "5", "often", "0s", "-1s", "25h", [1]])
def test_invalid_every_is_refused(predictor: Predictor, clip: Path, every: Any) -> None:
    with pytest.raises(InputError, match="every="):
        detect_video(predictor, clip, every=every)


def test_invalid_arguments_are_refused(predictor: Predictor, model_folder: Path, clip: Path) -> None:
    with pytest.raises(InputError, match="threshold=80"):
        detect_video(predictor, clip, threshold=80)
    with pytest.raises(LabelError, match="pear"):
        detect_video(predictor, clip, threshold={"pear": 0.1})
    with pytest.raises(InputError, match="max_results"):
        detect_video(predictor, clip, max_results=0)
    with pytest.raises(InputError, match="has type int"):
        detect_video(predictor, 3)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="start"):
        detect_video(Predictor(model_folder), clip)


#: Rotation in the header → transformation of the image to display it upright.
TURNS = {
    (90, False): Image.Transpose.ROTATE_90,
    (180, False): Image.Transpose.ROTATE_180,
    (270, False): Image.Transpose.ROTATE_270,
    (0, True): Image.Transpose.FLIP_LEFT_RIGHT,
}


@pytest.mark.parametrize("turn", list(TURNS))
def test_frames_are_upright(detector: Predictor, tmp_path: Path, turn: tuple[int, bool]) -> None:
    given = gradient(300, 200)
    path = write_video(tmp_path / "turned.mp4", [given] * 3, turned=turn[0], flipped=turn[1])
    found = detect_video(detector, path, every=1, threshold=0, max_results=5, to=tmp_path / "drawn.mp4")
    upright = read_video(path)[1][0].transpose(TURNS[turn])
    assert found.size == upright.size
    expected = detect(detector, upright, threshold=0, max_results=5).table
    first = found.table[found.table["frame"] == 0]
    np.testing.assert_allclose(first[["confidence", *BOX]], expected[["confidence", *BOX]], atol=1e-3)
    drawn = read_video(tmp_path / "drawn.mp4")[1][0]
    assert (drawn.width > drawn.height) == (upright.width > upright.height)


def test_non_square_pixels_are_corrected(detector: Predictor, tmp_path: Path) -> None:
    path = write_video(tmp_path / "wide.mp4", [gradient(200, 200)] * 2, pixel=Fraction(3, 2))
    found = detect_video(detector, path, threshold=0, max_results=1)
    assert found.size == (300, 200)
    assert found.stills[0].picture.size == (300, 200)


def test_the_answers_in_the_form_of_the_api(detector: Predictor, waves: Path, tmp_path: Path) -> None:
    found = detect_video(detector, waves, every="300ms", threshold=0, max_results=2, to=tmp_path / "new" / "folder")
    assert found.answers == tmp_path / "new" / "folder" / "waves.mp4.json"
    written = json.loads(found.answers.read_text("utf-8"))
    assert written == found.response["CustomLabels"]
    assert [entry["Timestamp"] for entry in written] == [0, 0, 300, 300, 600, 600, 900, 900]
    assert all(type(entry["Timestamp"]) is int for entry in written)
    for entry, row in zip(written, found.table.to_dict("records"), strict=True):
        assert list(entry) == ["Name", "Confidence", "Geometry", "Timestamp"]
        assert entry["Name"] == row["label"]
        assert entry["Confidence"] == pytest.approx(100 * row["confidence"])
        assert entry["Geometry"]["BoundingBox"] == pytest.approx(
            {
                "Width": row["width"] / 300,
                "Height": row["height"] / 200,
                "Left": row["left"] / 300,
                "Top": row["top"] / 200,
            }
        )


def test_a_classifier_answers_without_boxes(predictor: Predictor, clip: Path) -> None:
    entries = detect_video(predictor, clip).response["CustomLabels"]
    assert [(entry["Name"], entry["Timestamp"]) for entry in entries] == [("red", 0), ("green", 1000), ("blue", 2000)]
    assert all("Geometry" not in entry for entry in entries)


def test_the_annotated_video_plays_in_browsers(detector: Predictor, tmp_path: Path) -> None:
    times = [0, 40, 50, 300, 999, 1033, 2500]
    path = write_video(tmp_path / "odd.mkv", [gradient(501, 333)] * 7, times_ms=times)
    found = detect_video(detector, path, every=3, threshold=0, max_results=3, to=tmp_path)
    assert found.video == tmp_path / "odd.mkv.annotated.mp4"
    drawn_times, pictures, facts = read_video(found.video)
    assert facts == {"codec": "h264", "pix_fmt": "yuv420p", "sound": False}
    assert boxes_of(found.video).index("moov") < boxes_of(found.video).index("mdat")  # playback starts before the end
    assert drawn_times == pytest.approx(times, abs=0.1)
    assert all(side % 2 == 0 for side in pictures[0].size)
    assert sorted(child.name for child in tmp_path.iterdir()) == [
        "odd.mkv", "odd.mkv.annotated.mp4", "odd.mkv.json",
    ]  # fmt: skip


def test_boxes_are_drawn_until_the_next_processed_frame(detector: Predictor, waves: Path, tmp_path: Path) -> None:
    found = detect_video(detector, waves, every=5, threshold=0, max_results=1)
    found.table[BOX] = [[100.0, 80, 60, 50], [20.0, 30, 200, 120], [40.0, 20, 100, 160]]
    assert found.to(tmp_path / "drawn.mp4", progress=False) is found
    _, given, _ = read_video(waves)
    _, drawn, _ = read_video(tmp_path / "drawn.mp4")
    scale = drawn[0].width / 300
    assert len(drawn) == 12
    for frame, picture in enumerate(drawn):
        left, top, _, height = found.table[BOX].to_numpy()[frame // 5]
        color = np.array([int(found.colors[found.table["label"][frame // 5]][i : i + 2], 16) for i in (1, 3, 5)])
        pixels = np.asarray(picture, dtype=int)
        middle = round((top + height / 2) * scale)
        around = range(round(left * scale) - 3, round(left * scale) + 4)
        assert min(np.abs(pixels[middle, x] - color).sum() for x in around) < 60
        inside = given[frame].resize(picture.size).getpixel((round((left + 30) * scale), middle))
        assert np.abs(pixels[middle, round((left + 30) * scale)] - np.array(inside)).sum() < 40  # same colors


def test_labels_are_written_on_the_video_of_a_classifier(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    found = detect_video(predictor, clip, to=tmp_path / "drawn.mp4")
    _, drawn, _ = read_video(tmp_path / "drawn.mp4")
    for second, label in enumerate(("red", "green", "blue")):
        color = np.array([int(found.colors[label][i : i + 2], 16) for i in (1, 3, 5)])
        for frame in (10 * second, 10 * second + 9):
            corner = np.asarray(drawn[frame], dtype=int)[:40, :80]
            assert (np.abs(corner - color).sum(axis=2) < 60).sum() > 150


def test_sound_is_left_out_with_a_note(predictor: Predictor, discs: list[Image.Image], tmp_path: Path) -> None:
    path = write_video(tmp_path / "loud.mp4", discs, sound=True)
    found = detect_video(predictor, path, to=tmp_path / "drawn.mp4")
    assert found.notes == ["The sound was ignored.", "The annotated video has no sound."]
    assert read_video(path)[2]["sound"]
    assert not read_video(tmp_path / "drawn.mp4")[2]["sound"]
    assert "has no sound" in found._repr_html_()


def test_other_files_are_refused(predictor: Predictor, discs: list[Image.Image], tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video at all, but quite some text in place of one" * 50)
    discs[0].save(tmp_path / "photo.jpg")
    write_video(tmp_path / "sound.m4a", [], sound=True, form="mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "head.mp4").write_bytes(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"\0\0\0\x08free")
    cases = {
        "empty.mp4": (NotAVideoError, "empty"),
        "text.mp4": (NotAVideoError, "MP4, MOV"),
        "photo.jpg": (NotAVideoError, "not a video"),
        "sound.m4a": (NotAVideoError, "no images .only sound."),
        "pipe.mp4": (NotAVideoError, "not a file"),
        "head.mp4": (NotAVideoError, "not a video"),
        "gone.mp4": (VideoError, "cannot be read"),
        ".": (NotAVideoError, "not a file"),
        "nul\0.mp4": (VideoError, "cannot be read"),
    }
    for name, (error, words) in cases.items():
        with pytest.raises(error, match=words) as caught:
            detect_video(predictor, f"{tmp_path}/{name}", to=tmp_path / "out")
        assert repr(f"{tmp_path}/{name}") in str(caught.value)
        assert isinstance(caught.value, InputError)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXTINF:3,\n{clip}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{clip}'\n"]
)
@pytest.mark.parametrize("name", ["list.m3u8", "list.ffconcat", "list.mp4"])
def test_lists_of_other_files_are_not_followed(
    predictor: Predictor, clip: Path, tmp_path: Path, text: str, name: str
) -> None:
    (tmp_path / name).write_text(text.format(clip=clip))
    with pytest.raises(NotAVideoError, match="not a video"):
        detect_video(predictor, tmp_path / name)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["a.mp4", "fast.mp4", "a.mov", "a.mkv", "a.avi", "a.webm"])
def test_truncated_video_is_reported_before_any_work(
    predictor: Predictor, discs: list[Image.Image], tmp_path: Path, name: str
) -> None:
    codec = {"avi": "mpeg4", "webm": "libvpx-vp9"}.get(name.split(".")[1], "libx264")
    noise = np.random.default_rng(3)
    frames = [Image.fromarray(noise.integers(0, 255, (120, 160, 3), dtype=np.uint8)) for _ in range(20)]
    options = {"movflags": "faststart"} if name == "fast.mp4" else None
    whole = write_video(tmp_path / name, frames, codec=codec, options=options).read_bytes()
    assert len(detect_video(predictor, tmp_path / name, every=1).frames) == 20
    (tmp_path / name).write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(TruncatedVideoError, match=r"truncated.*allow_damaged=True"):
        detect_video(predictor, tmp_path / name)
    if name in ("a.mp4", "a.mov"):  # the index was at its end
        with pytest.raises(TruncatedVideoError, match="Download the complete file"):
            detect_video(predictor, tmp_path / name, allow_damaged=True)
        return
    found = detect_video(predictor, tmp_path / name, every=1, allow_damaged=True, to=tmp_path / "drawn.mp4")
    assert 5 <= len(found.frames) < 20
    assert found.duration_ms == pytest.approx(len(found.frames) * 100, abs=150)  # ten frames a second
    assert any(f"The video was processed for {clock(found.duration_ms)}" in note for note in found.notes)
    assert f"of {clock(found.duration_ms)} processed" in repr(found)
    assert len(read_video(tmp_path / "drawn.mp4")[1]) == len(found.frames)


def test_damage_in_the_middle_is_counted_and_the_rest_goes_on(
    predictor: Predictor, discs: list[Image.Image], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "scratched.mkv", discs * 2, codec="libvpx-vp9")
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 3, len(data) // 2, 40):
        data[at] ^= 0xFF
    path.write_bytes(data)
    found = detect_video(predictor, path, every=1)
    assert 5 < len(found.frames) <= 60
    assert any("damaged packet" in note for note in found.notes) == (len(found.frames) < 60)


def test_metadata_that_is_not_utf_8_is_accepted(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    assert b"Lavf" in data  # the name of the encoder
    (tmp_path / "latin.mp4").write_bytes(data.replace(b"Lavf", b"L\xe4\xff\xe9"))
    assert len(detect_video(predictor, tmp_path / "latin.mp4").table) == 3


def test_too_many_pixels_are_refused(predictor: Predictor, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_reading, "MAX_PIXELS", 160 * 120)
    detect_video(predictor, clip)
    monkeypatch.setattr(video_reading, "MAX_PIXELS", 160 * 120 - 1)
    with pytest.raises(VideoError, match=r"clip\.mp4"):
        detect_video(predictor, clip)


def test_missing_package_is_named(predictor: Predictor, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r'install .*"av>='):
        detect_video(predictor, clip)


HOSTILE = [
    '"><img src=x onerror=alert(1)>.mp4',
    "concat:a.mp4|b.mp4",
    "http:clip.mp4",
    "-",
    "%03d.mp4",
    "~.mp4",
    "a\nb\x1b[2J.mp4",
    "x" * 250 + ".mp4",
    "..mp4",
    os.fsdecode(b"\xff\xfe.mp4"),
]


@pytest.mark.thorough
@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_names_and_nothing_else(
    predictor: Predictor, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path / "in")
    for given in (name, tmp_path / "in" / name):
        found = detect_video(predictor, given, to=tmp_path / "out")
        assert len(found.table) == 3
        assert found.video is not None
        assert found.answers is not None
        assert found.video.parent == found.answers.parent == tmp_path / "out"
        tags = _Tags(found._repr_html_())
        assert "img" not in tags.found
        assert tags.found.count("video") == 1
        assert repr(found).isprintable()
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]
    assert len(os.listdir(tmp_path / "out")) == 2


class _Tags(HTMLParser):
    """Parser that collects tags and rejects event handlers."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)


def test_annotated_video_target(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    found = detect_video(predictor, clip, to=tmp_path / "only.json")
    assert (found.answers, found.video) == (tmp_path / "only.json", None)
    found.to(tmp_path / "only.mp4", progress=False)
    assert found.video == tmp_path / "only.mp4"
    assert sorted(os.listdir(tmp_path)) == ["only.json", "only.mp4"]
    (tmp_path / "folder.mp4").mkdir()
    assert found.to(tmp_path / "folder.mp4", progress=False).video == tmp_path / "folder.mp4" / "clip.mp4.annotated.mp4"
    for bad, words in (
        (tmp_path / "a.mov", r"a\.mov.*\.mp4.*\.json"),
        (tmp_path / "gone" / "a.mp4", "gone' does not exist"),
    ):
        with pytest.raises(InputError, match=words):
            detect_video(predictor, clip, to=bad)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        detect_video(predictor, clip, to=tmp_path / "file")
    with pytest.raises(InputError, match="is a URL"):
        detect_video(predictor, clip, to="s3://bucket/out")


def test_a_video_is_never_written_over_itself(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    mine, link = tmp_path / "mine.mp4", tmp_path / "link.mp4"
    mine.write_bytes(clip.read_bytes())
    link.symlink_to(mine)
    for target in (mine, link, tmp_path / "." / "mine.mp4"):
        with pytest.raises(InputError, match="is the source video itself"):
            detect_video(predictor, mine, to=target)
        with pytest.raises(InputError, match="is the source video itself"):
            detect_video(predictor, mine).to(target, progress=False)
    assert mine.read_bytes() == clip.read_bytes()


def test_full_disk_keeps_the_earlier_file(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "drawn.mp4").write_bytes(b"former")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"drawn\.mp4.*cannot be written"):
            detect_video(predictor, clip, to=tmp_path / "drawn.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "drawn.mp4").read_bytes() == b"former"
    assert os.listdir(tmp_path) == ["drawn.mp4"]


def test_video_deleted_before_drawing_is_named(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "short.mp4").write_bytes(clip.read_bytes())
    found = detect_video(predictor, tmp_path / "short.mp4")
    (tmp_path / "short.mp4").unlink()
    with pytest.raises(VideoError, match="cannot be read"):
        found.to(tmp_path / "drawn.mp4", progress=False)
    assert os.listdir(tmp_path) == []


def test_video_urls_are_read(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    assert len(detect_video(predictor, clip.as_uri()).table) == 3
    files = fsspec.filesystem("memory")
    files.pipe_file("/clips/far.mp4", clip.read_bytes())
    found = detect_video(predictor, "memory://clips/far.mp4", to=tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["far.mp4.annotated.mp4", "far.mp4.json"]
    found.to(tmp_path / "again.mp4", progress=False)  # downloaded again
    with pytest.raises(InputError, match=r"gone\.mp4.*cannot be read"):
        detect_video(predictor, "memory://clips/gone.mp4")


@pytest.mark.parametrize("by_keyboard", [True, False])
@pytest.mark.parametrize("phase", ["detect", "draw"])
def test_interrupt_keeps_detections(
    predictor: Predictor, clip: Path, tmp_path: Path, by_keyboard: bool, phase: str
) -> None:
    events = Events()

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.phase == phase and event.done >= 8:
            if by_keyboard:
                raise KeyboardInterrupt
            events.cancel()

    events.subscribe(stop)
    before = threading.active_count()
    found = detect_video(predictor, clip, every=1, to=tmp_path, events=events)
    assert found.interrupted
    assert (8 <= len(found.frames) < 30) if phase == "detect" else len(found.frames) == 30
    assert found.video is None
    assert os.listdir(tmp_path) == ([] if phase == "detect" else ["clip.mp4.json"])
    assert "then stopped" in repr(found)
    assert threading.active_count() == before
    found.to(tmp_path / "part.mp4", progress=False)
    assert len(read_video(tmp_path / "part.mp4")[1]) == 30


def test_progress_counts_frames(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    events, seen = Events(), []
    events.subscribe(seen.append)
    detect_video(predictor, clip, every=3, to=tmp_path / "a.mp4", events=events)
    by_phase = {phase: [event for event in seen if event.phase == phase] for phase in ("detect", "draw")}
    assert len(seen) == sum(map(len, by_phase.values()))
    for told in by_phase.values():
        assert {(event.total, event.unit) for event in told} == {(30, "frames")}
        done = [event.done for event in told]
        assert done == sorted(done)
        assert done[-1] == 30


def test_a_notebook_shows_the_annotated_video(
    predictor: Predictor, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = detect_video(predictor, clip, to=tmp_path / "drawn.mp4")
    html = found._repr_mimebundle_()["text/html"]
    source = re.search(r'<video controls[^>]* src="data:video/mp4;base64,([^"]*)"', html)
    assert source is not None
    assert base64.b64decode(source[1]) == (tmp_path / "drawn.mp4").read_bytes()
    monkeypatch.setattr(video_module, "MOST_EMBEDDED", 1000)
    html = found._repr_html_()
    assert "<video" not in html
    assert str(tmp_path / "drawn.mp4") in html
    assert html.count("data:image/jpeg") == 3
    (tmp_path / "drawn.mp4").unlink()
    assert "<video" not in found._repr_html_()


def test_notebook_shows_frames_with_times(predictor: Predictor, clip: Path) -> None:
    found = detect_video(predictor, clip, every=1)
    html = found._repr_html_()
    assert html.count("<img ") == 6
    assert "result.to(" in html
    assert [still.ms for still in found.stills] == sorted(still.ms for still in found.stills)
    assert found.stills[-1].ms > 2000
    spans = re.findall(r'<rect x="(\d+)" y="0" width="(\d+)"', html)
    assert [(int(start), int(start) + int(width)) for start, width in spans] == [(0, 107), (106, 213), (213, 320)]
    text = repr(found)
    assert re.fullmatch(r"clip\.mp4: 30 frames of 0:03\.0 processed; red ×10 .*, green ×10 .*, blue ×10 .*", text)
    nothing = detect_video(predictor, clip, threshold=1.0)
    assert nothing.table.empty
    assert (nothing.table.dtypes[["frame", "timestamp_ms"]] == np.int64).all()
    assert "Nothing was found." in nothing._repr_html_()
    assert len(nothing.stills) == 3


def test_clock_formats_times() -> None:
    assert [clock(ms) for ms in (0, 7340, 59_960, 61_000, 3_723_000)] == [
        "0:00.0", "0:07.3", "1:00.0", "1:01.0", "1:02:03.0",
    ]  # fmt: skip


class _Ready(Runnable):
    """Model that runs."""

    name = "ready"

    def __init__(self, predictor: Predictor) -> None:
        self._own = predictor

    @property
    def _predictor(self) -> Predictor | None:
        return self._own

    @property
    def folder(self) -> Path:
        return self._own.folder

    def start(self, device: str | None = None, *, idle_stop: str | float | None = None) -> _Ready:
        return self

    def stop(self) -> None:
        return


def test_loaded_models_detect_videos(
    predictor: Predictor, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = _Ready(predictor)
    found = model.detect_video(clip, "500ms", 0.0, 1, to=tmp_path, progress=False)
    assert len(found.table) == 6
    assert found.answers is not None
    events = Events()
    events.cancel()
    assert model.detect_video(clip, progress=False, events=events).interrupted
    assert "Stopped. The detections so far are available" in capsys.readouterr().out


@pytest.mark.thorough
def test_an_hour_takes_no_more_memory_than_a_minute(model_folder: Path, tmp_path: Path) -> None:
    grey = Image.new("RGB", (1280, 720), "grey")
    write_video(tmp_path / "short.mp4", [grey] * 20, rate=30)
    write_video(tmp_path / "long.mp4", [grey] * 120, rate=30)  # 330 MB decoded, 165 MB predicted
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from customlabels_nb.inference.predictor import Predictor\n"
        "from customlabels_nb.inference.video import detect_video\n"
        "model = Predictor(Path(sys.argv[1])); model.start('cpu')\n"
        "for name in ('short', 'long'):\n"
        "    detect_video(model, f'{sys.argv[2]}/{name}.mp4', every=2, to=f'{sys.argv[2]}/{name}')\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model_folder), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    short, long = map(int, done.stdout.split())
    assert long - short < 150, f"{short} MiB, then {long} MiB"


def test_prefetch_keeps_order_and_errors() -> None:
    assert list(prefetch(range(100), 3)) == list(range(100))

    def fails() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    stream = prefetch(fails(), 2)
    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_prefetch_is_bounded_and_stops() -> None:
    made: list[int] = []
    closed = threading.Event()

    def numbers() -> Iterator[int]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            closed.set()

    stream = prefetch(numbers(), 3)
    assert next(stream) == 0
    time.sleep(0.3)
    assert len(made) <= 6
    stream.close()
    assert closed.is_set()
    assert len(made) <= 6
