"""Tests of reading folders: all images in a stable order, and unreadable files are issues."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from customlabels_nb.errors import InputError
from customlabels_nb.images.listing import is_image_name, match_files, read_folder
from customlabels_nb.images.locations import to_path
from customlabels_nb.images.thumbnails import ContentCache
from tests.images.pictures import unreadable


def touch(root: Path, *names: str) -> None:
    """Write files of different sizes with these names."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))


def inside(root: Path, images: list[str]) -> list[str]:
    return [str(to_path(image).relative_to(root)) for image in images]


def test_the_label_is_the_folder_directly_below_the_root(tmp_path: Path) -> None:
    touch(tmp_path, "top.jpg", "apple/a.jpg", "apple/ripe/red/b.jpg", "pear/apple/c.jpg")
    found = read_folder(tmp_path, labels_from="folders")
    assert dict(zip(inside(tmp_path, found.images), found.labels, strict=True)) == {
        "apple/a.jpg": "apple",
        "apple/ripe/red/b.jpg": "apple",
        "pear/apple/c.jpg": "pear",
        "top.jpg": None,
    }
    assert read_folder(tmp_path).labels == [None] * 4


def test_the_order_is_that_of_names_however_the_files_were_made(tmp_path: Path) -> None:
    names = ["b/1.jpg", "a/2.jpg", "c.jpg", "a/10.jpg", "A.jpg", "b.jpg"]
    touch(tmp_path / "one", *names)
    touch(tmp_path / "two", *reversed(names))
    first, second = (inside(tmp_path / n, read_folder(tmp_path / n).images) for n in ("one", "two"))
    assert first == second == ["A.jpg", "a/10.jpg", "a/2.jpg", "b/1.jpg", "b.jpg", "c.jpg"]


def test_a_relative_root_gives_absolute_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "photos/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert read_folder("photos").images == read_folder("./photos/../photos/").images == [str(tmp_path / "photos/a.jpg")]


def test_hidden_files_are_passed_over_and_others_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.JPG", "b.TiFF", "._a.jpg", ".hidden/b.jpg", ".DS_Store", "notes.txt", "Thumbs.db", "jpg")
    found = read_folder(tmp_path)
    assert inside(tmp_path, found.images) == ["a.JPG", "b.TiFF"]
    assert len(found.others) == 3
    assert found.issues == []


def test_sizes_and_times_come_along(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(1, 1_234_567_890_123_456_789))
    assert read_folder(tmp_path).stats == [(5, 1_234_567_890_123_456_789)]


def test_a_link_back_into_a_folder_being_read_is_an_issue_and_the_rest_is_read(tmp_path: Path) -> None:
    touch(tmp_path, "apple/a.jpg", "pear/b.jpg")
    (tmp_path / "apple" / "again").symlink_to(tmp_path)
    (tmp_path / "apple" / "self").symlink_to(tmp_path / "apple")
    found = read_folder(tmp_path, labels_from="folders")
    assert inside(tmp_path, found.images) == ["apple/a.jpg", "pear/b.jpg"]
    assert [issue.code for issue in found.issues] == ["FOLDER_LOOP", "FOLDER_LOOP"]
    assert found.issues[0].where == str(tmp_path / "apple" / "again")


def test_links_to_folders_and_files_elsewhere_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "store", "deep/a.jpg", "b.jpg")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "linked").symlink_to(tmp_path / "store" / "deep")
    (tmp_path / "photos" / "file.jpg").symlink_to(tmp_path / "store" / "b.jpg")
    found = read_folder(tmp_path / "photos", labels_from="folders")
    assert inside(tmp_path / "photos", found.images) == ["file.jpg", "linked/a.jpg"]
    assert found.labels == [None, "linked"]


def test_a_link_that_leads_nowhere_is_an_issue_if_it_looks_like_an_image(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "gone.txt").symlink_to("nowhere.txt")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    found = read_folder(tmp_path)
    assert inside(tmp_path, found.images) == ["a.jpg"]
    assert [(issue.code, Path(issue.where).name) for issue in found.issues] == [
        ("IMAGE_NOT_FOUND", "gone.jpg"),
        ("IMAGE_NOT_FOUND", "loop.jpg"),
    ]


def test_a_folder_that_may_not_be_read_is_an_issue_unless_it_is_the_root(tmp_path: Path) -> None:
    touch(tmp_path, "apple/a.jpg", "locked/b.jpg", "pear/c.jpg")
    with unreadable(tmp_path / "locked"):
        found = read_folder(tmp_path)
        with pytest.raises(InputError, match="Permission denied"):
            read_folder(tmp_path / "locked")
    assert inside(tmp_path, found.images) == ["apple/a.jpg", "pear/c.jpg"]
    assert [(issue.code, issue.where) for issue in found.issues] == [("FOLDER_UNREADABLE", str(tmp_path / "locked"))]


@pytest.mark.parametrize("name", ["nowhere", "file.txt", ""])
def test_error_names_a_path_that_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    touch(tmp_path, "file.txt")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"The folder {name!r} "):
        read_folder(name)


def test_a_name_that_can_not_be_a_label_leaves_its_images_without(tmp_path: Path) -> None:
    touch(tmp_path, " /a.jpg", "ok/b.jpg")
    odd = os.path.join(os.fsencode(tmp_path), b"\xe4pfel")
    os.mkdir(odd)
    with open(os.path.join(odd, b"c.jpg"), "wb"):
        pass
    found = read_folder(tmp_path, labels_from="folders")
    assert found.labels == [None, "ok", None]
    assert [issue.code for issue in found.issues] == ["LABEL_UNUSABLE", "LABEL_UNUSABLE"]
    for issue in found.issues:
        f"{issue.where}{issue.message}".encode()  # it can be stored
    assert all(to_path(image).exists() for image in found.images)


@pytest.mark.parametrize("name", ["<script>", "a b", 'it\'s "quoted"', "naïve 梨", "new\nline", "100%41", "#?&"])
def test_odd_names_of_folders_and_files_are_kept(tmp_path: Path, name: str) -> None:
    touch(tmp_path, f"{name}/{name}.jpg")
    found = read_folder(tmp_path, labels_from="folders")
    assert found.labels == [name]
    assert to_path(found.images[0]).read_bytes()


def test_a_folder_deeper_than_pythons_stack_is_read(tmp_path: Path) -> None:
    deep = "/".join("d" * 1100)
    touch(tmp_path, "a.jpg")
    folder = os.open(tmp_path, os.O_RDONLY)
    for name in deep.split("/"):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(os.open("end.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
    os.close(folder)
    try:
        found = read_folder(tmp_path, labels_from="folders")
        assert [Path(image).name for image in found.images] == ["a.jpg", "end.jpg"]
        assert found.labels == [None, "d"]
    finally:
        os.unlink(tmp_path / deep / "end.jpg")  # shutil.rmtree recurses for each level
        for level in range(1100, 0, -1):
            os.rmdir(tmp_path / deep[: 2 * level - 1])


def test_thousands_of_files(tmp_path: Path) -> None:
    for number in range(5000):
        folder = tmp_path / f"label {number % 7}"
        if number < 7:
            folder.mkdir()
        os.close(os.open(folder / f"{number:05}.jpg", os.O_WRONLY | os.O_CREAT))
    found = read_folder(tmp_path, labels_from="folders")
    assert len(found.images) == len(set(found.images)) == 5000
    assert found.images == sorted(found.images)
    assert len(set(found.labels)) == 7


def test_image_names_are_recognised() -> None:
    assert all(map(is_image_name, ["a.jpg", "A.JPEG", "b.png", "c.webp", "d.ppm", "e.f.tif", "g.DCM"]))
    assert not any(map(is_image_name, ["h.psd", ".jpg", "jpg", "a.txt", "a.jpg.part", "._a.jpg", "a.svg", ""]))


def test_images_of_types_that_are_not_read_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.PSD", "deep/c.svg", "d.NEF", ".e.psd", "notes.txt")
    found = read_folder(tmp_path)
    assert inside(tmp_path, found.images) == ["a.jpg"]
    assert [(issue.code, Path(issue.where).name) for issue in found.issues] == [
        ("IMAGE_TYPE_UNSUPPORTED", "b.PSD"),
        ("IMAGE_TYPE_UNSUPPORTED", "d.NEF"),
        ("IMAGE_TYPE_UNSUPPORTED", "c.svg"),
    ]
    assert all("JPEG or PNG" in issue.message for issue in found.issues)
    assert "PSD" in found.issues[0].message
    assert len(found.others) == 1


def test_caches_and_projects_in_a_folder_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "photos/a.jpg", "fruit/project.db", "fruit/images/b.jpg", "far/c.jpg", "other/d.jpg", "odd/e.jpg")
    ContentCache(tmp_path / "kept", 1 << 20).put("abcd.jpg", b"x")
    (tmp_path / "far" / "project.json").write_text('{"store": "postgresql://host/db", "schema": "customlabels_0a"}')
    (tmp_path / "other" / "project.json").write_text('{"name": "of another tool"}')
    (tmp_path / "odd" / "CACHEDIR.TAG").write_text("no such thing")
    found = read_folder(tmp_path, labels_from="folders")
    assert inside(tmp_path, found.images) == ["odd/e.jpg", "other/d.jpg", "photos/a.jpg"]
    assert [(issue.code, Path(issue.where).name) for issue in found.issues] == [
        ("FOLDER_IS_PROJECT", "far"),
        ("FOLDER_IS_PROJECT", "fruit"),
    ]
    # a folder named explicitly is read
    assert inside(tmp_path, read_folder(tmp_path / "fruit").images) == ["fruit/images/b.jpg"]
    assert len(read_folder(tmp_path / "kept").images) == 1
    assert inside(tmp_path, match_files(f"{tmp_path}/**/*.jpg")) == ["odd/e.jpg", "other/d.jpg", "photos/a.jpg"]
    assert inside(tmp_path, match_files(f"{tmp_path}/fruit/*/*.jpg")) == ["fruit/images/b.jpg"]


def test_the_fixed_part_of_a_pattern_is_taken_as_it_is(tmp_path: Path) -> None:
    touch(tmp_path, "photos [2024]/a.jpg", "photos [2024]/deep/b.jpg", "photos 2/c.jpg", "photos [2024]/.d.jpg")
    assert inside(tmp_path, match_files(f"{tmp_path}/photos [2024]/*.jpg")) == ["photos [2024]/a.jpg"]
    assert inside(tmp_path, match_files(f"{tmp_path}/photos [2024]/**/?.jpg")) == [
        "photos [2024]/a.jpg",
        "photos [2024]/deep/b.jpg",
    ]
    assert match_files("**/c.jpg", root=tmp_path) == [os.path.join("photos 2", "c.jpg")]
    assert match_files(f"{tmp_path}/photos*/nothing*") == []


def test_the_home_folder_has_a_short_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    touch(tmp_path, "photos/a.jpg", "here/~/b.jpg")
    assert inside(tmp_path, read_folder("~/photos").images) == ["photos/a.jpg"]
    monkeypatch.chdir(tmp_path / "here")
    assert inside(tmp_path, read_folder("~").images) == ["here/~/b.jpg"]
