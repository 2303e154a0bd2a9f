"""Tests of thumbnails and uploads of a labelling screen."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest
from PIL import Image

from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.images import regions
from customlabels_nb.images.decoding import decode
from customlabels_nb.images.regions import Part
from customlabels_nb.labeling import session_files
from customlabels_nb.labeling.session_files import SessionFiles, report_as_json
from customlabels_nb.project import screens
from customlabels_nb.project.lifecycle import open_project
from customlabels_nb.project.project import Project
from customlabels_nb.user_settings import settings
from tests.facts import facts


@pytest.fixture
def files(project: Project) -> SessionFiles:
    return screens.session_files(open_project(project.root))


def png(color: str, size: tuple[int, int] = (30, 20)) -> bytes:
    """Return a PNG file of one color."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def upload(files: SessionFiles, label: str | None, on_known: str = "fill", **contents: bytes) -> object:
    """Upload files in two parts each."""
    batch = files.begin_upload()
    for name, data in contents.items():
        files.add_part(batch, name, data[:10], first=True)
        files.add_part(batch, name, data[10:], first=False)
    return files.end_upload(batch, "train", label, on_known)


def test_unreadable_thumbnails_have_a_reason(project: Project, files: SessionFiles, photos: Path) -> None:
    images = project.train_set.images
    (photos / "3.png").write_bytes(b"nothing")
    parts = [Part(name) for name in images["image"] if Path(name).stem in ("2", "3")]
    good, bad = files.thumbnails(parts, 150)
    assert isinstance(bad, ImageError)
    with Image.open(io.BytesIO(good)) as picture:
        assert picture.size == (48, 36)  # never enlarged
    assert files.thumbnails([Part(str(photos / "4.png"))], 100_000)


def test_kept_thumbnails_and_those_to_be_made_come_in_order(project: Project, files: SessionFiles) -> None:
    images = project.train_set.images
    parts = [Part(*pair) for pair in zip(images["image"].tolist(), images["sha256"].tolist(), strict=True)]
    files.thumbnails(parts[::2], 160)
    (kept, content, _), (lacking, *_) = parts[:2]
    Path(kept).unlink()  # its thumbnail stays
    Path(lacking).write_bytes(b"nothing")
    found = files.thumbnails([*parts, Part(kept)], 160)
    assert isinstance(found[1], ImageError)
    assert isinstance(found[-1], ImageError)
    alone = [files.thumbnails([pair], 160)[0] for pair in parts[2:]]
    assert [found[0], *found[2:-1]] == [files.thumbnails([Part(kept, content)], 160)[0], *alone]
    assert len(set(alone)) == len(alone)


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the images that are decoded for thumbnails."""
    names: list[str] = []

    def noted(image: Image.Image, name: str) -> None:
        names.append(Path(name).stem)
        decode(image, name)

    monkeypatch.setattr(regions, "decode", noted)
    return names


def test_an_image_is_decoded_once_for_all_its_regions(
    project: Project, files: SessionFiles, decodings: list[str]
) -> None:
    images = project.train_set.images
    wholes = [Part(*pair) for pair in zip(images["image"].tolist(), images["sha256"].tolist(), strict=True)][:3]
    parts = [part._replace(region=region) for region in ((0, 0, 20, 18), (10, 9, 30, 27), None) for part in wholes]
    first = files.thumbnails([*parts, parts[0]], 160)
    names = sorted(Path(part.image).stem for part in wholes)
    assert sorted(decodings) == names
    assert len(set(first)) == 9
    assert first[0] == first[-1]
    assert files.thumbnails(parts, 100) == first[:-1]
    assert sorted(decodings) == names
    files.thumbnails([wholes[0]._replace(region=(0, 0, 20, 19)), *parts], 160)
    assert len(decodings) == 4


def test_regions_of_unreadable_images_have_a_reason(project: Project, files: SessionFiles, photos: Path) -> None:
    names = project.train_set.images["image"].tolist()
    Path(names[0]).write_bytes(b"nothing")
    parts = [Part(name, None, (0, 0, 10, height)) for height in (5, 6) for name in names[:2]]
    bad, good, worse, better = files.thumbnails(parts, 160)
    assert isinstance(bad, ImageError)
    assert isinstance(worse, ImageError)
    assert isinstance(good, bytes)
    assert isinstance(better, bytes)


def test_thumbnails_that_take_too_long_are_left_out(
    project: Project, files: SessionFiles, decodings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "threads", 1)
    images = project.train_set.images.head(4)
    parts = [Part(*pair) for pair in zip(images["image"].tolist(), images["sha256"].tolist(), strict=True)]
    files.thumbnails(parts[2:3], 160)
    found = files.thumbnails([*parts, parts[0]], 160, seconds=0)
    assert [data is None for data in found] == [False, True, False, True, False]
    assert len(decodings) == 2


def test_a_region_is_shown_large(files: SessionFiles, tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    Image.effect_noise((2400, 1200), 60).save(path)
    small, large = (files.full(Part(str(path), None, (0, 0, side, 600))) for side in (800, 2000))
    assert (small.width, small.height, small.scale) == (800, 600, 1)
    assert (large.width, large.height, large.scale) == (1600, 480, 0.8)
    assert files.full(Part(str(path))).data == path.read_bytes()


def test_uploads_land_in_the_project_and_get_one_label(project: Project, files: SessionFiles) -> None:
    report = upload(files, "plum", **{"a.png": png("red"), "b.png": png("blue")})
    assert report.added == 2
    new = project.train_set.filter("label == 'plum'").images["image"].tolist()
    assert sorted(Path(name).name for name in new) == ["a.png", "b.png"]
    assert sorted(path.name for path in (project.root / "images").iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize(("on_known", "labels"), [("fill", ["plum"]), ("replace", ["pear"]), ("skip", ["plum"])])
def test_uploaded_images_that_are_known(
    project: Project, files: SessionFiles, on_known: str, labels: list[str]
) -> None:
    upload(files, "plum", **{"a.png": png("red")})
    report = upload(files, "pear", on_known, **{"b.png": png("red")})
    known = project.train_set.filter("label == 'plum' or label == 'pear'")
    assert (report.added, known.annotations["label"].tolist()) == (0, labels)
    assert [path.name for path in (project.root / "images").iterdir()] == ["a.png"]
    assert report.issues["code"].tolist() == (["LABEL_KEPT"] if on_known == "fill" else [])


def test_uploaded_names_stay_in_the_folder(project: Project, files: SessionFiles) -> None:
    names = ["../../evil.png", "/etc/evil.png", "C:\\evil.png", "..", "a\0b.png", ".hidden.png", "x" * 400 + ".png"]
    colors = ["red", "blue", "green", "white", "black", "pink", "gold"]
    upload(files, None, **{name: png(color) for name, color in zip(names, colors, strict=True)})
    inside = sorted(path.name for path in (project.root / "images").iterdir())
    assert all(not name.startswith(".") for name in inside)
    assert not list(project.root.parent.glob("*evil*"))
    assert len(project.train_set) == 30 + len(inside)


def test_equal_names_do_not_overwrite(project: Project, files: SessionFiles) -> None:
    upload(files, None, **{"a.png": png("red"), "sub/a.png": png("blue")})
    upload(files, None, **{"A.png": png("green")})
    assert sorted(path.name for path in (project.root / "images").iterdir()) == ["A-3.png", "a-2.png", "a.png"]


def test_uploads_of_two_people_at_once_do_not_overwrite(
    project: Project, files: SessionFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, real = files.begin_upload(), session_files.upload_name
    files.add_part(batch, "a.png", png("red"), first=True)

    def upload_name(name: str, taken: set[str]) -> str:
        """Let another person upload a file of this name after the names in use were read."""
        monkeypatch.setattr(session_files, "upload_name", real)
        upload(screens.session_files(open_project(project.root)), "plum", **{"a.png": png("blue")})
        return real(name, taken)

    monkeypatch.setattr(session_files, "upload_name", upload_name)
    files.end_upload(batch, "train", "pear")
    folder = project.root / "images"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.png": png("blue"), "a-2.png": png("red")}
    labels = project.train_set.annotations.set_index("image")["label"]
    assert {Path(name).name: label for name, label in labels.items() if Path(name).parent == folder} == {
        "a.png": "plum", "a-2.png": "pear"
    }  # fmt: skip


def test_invalid_and_known_images_are_reported_and_not_stored(project: Project, files: SessionFiles) -> None:
    report = upload(files, None, **{"good.png": png("red"), "again.png": png("red"), "bad.jpg": b"text, not an image"})
    assert report.added == 1
    assert sorted(report.issues["code"]) == ["DUPLICATE_CONTENT", "IMAGE_NOT_AN_IMAGE"]
    assert [path.name for path in (project.root / "images").iterdir()] == ["good.png"]


def test_the_report_of_an_upload_names_files_once_and_no_folders(project: Project, files: SessionFiles) -> None:
    upload(files, None, **{"it's.png": png("red")})
    bad = {f"bad{number}.jpg": b"text, not an image" for number in range(40)}
    again = {"it's.png": png("red"), "it's new.png": png("blue"), "new.png": png("blue")}
    report = report_as_json(upload(files, None, **again, **bad))
    assert report["text"] == "1 image added to train, 1 image already in the dataset."
    assert report["count"] == 41
    duplicate, unusable = sorted(report["problems"], key=lambda problem: problem["count"])
    assert duplicate["files"] == ["new.png"]
    assert 'Duplicate of "it\'s new.png"' in duplicate["message"]
    assert (unusable["count"], len(unusable["files"]), unusable["files"][0]) == (40, 30, "bad0.jpg")
    assert str(project.root) not in str(report)


def test_a_batch_that_is_not_known_or_has_no_beginning_is_refused(project: Project, files: SessionFiles) -> None:
    with pytest.raises(InputError, match="another kernel"):
        files.add_part("nonsense", "a.png", b"x", first=True)
    batch = files.begin_upload()
    with pytest.raises(InputError, match=facts("upload", "'a.png'")):
        files.add_part(batch, "a.png", b"x", first=False)
    files.cancel_upload(batch)
    assert list((project.root / "images").iterdir()) == []


def test_an_upload_that_cannot_be_written_is_named(
    project: Project, files: SessionFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    batch = files.begin_upload()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full)
        with pytest.raises(InputError, match=r"The upload of 'a\.png' cannot be written: the disk is full"):
            files.add_part(batch, "a.png", b"x", first=True)
        patched.setattr(Path, "mkdir", full)
        with pytest.raises(InputError, match=r"images' cannot be written: the disk is full"):
            files.begin_upload()
    files.cancel_upload(batch)
    assert list((project.root / "images").iterdir()) == []


def test_pictures_of_instructions_are_only_ever_images(project: Project, files: SessionFiles) -> None:
    with pytest.raises(ImageError):
        files.instruction_picture("project.db")
    (project.root / "ripe.png").write_bytes(png("red", (2000, 1000)))
    with Image.open(io.BytesIO(files.instruction_picture("ripe.png"))) as picture:
        assert picture.size == (800, 400)
