"""Tests of zip files: nothing is extracted outside the folder, and refused members are issues."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.zip_files import unpack_zip
from customlabels_nb.errors import ArchiveError
from tests.images.pictures import jpeg, tree
from tests.tiers import many

Member = tuple[str | zipfile.ZipInfo, bytes]


@pytest.fixture
def archive(tmp_path: Path) -> Callable[[Iterable[Member]], Path]:
    """Return a function that creates a zip file of these members."""

    def make(members: Iterable[Member], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
        path = tmp_path / "photos.zip"
        with zipfile.ZipFile(path, "w", method) as opened:
            for name, data in members:
                opened.writestr(name, data, method)
        return path

    return make


def test_images_are_unpacked_and_nothing_else(tmp_path: Path, archive: Callable[..., Path]) -> None:
    members = [
        ("apple/a.jpg", b"1"),
        ("pear/b.PNG", b"22"),
        ("notes.txt", b"x"),
        ("run.py", b"x"),
        ("apple/._a.jpg", b"x"),
    ]
    root, issues = unpack_zip(archive(members), tmp_path / "target")
    assert root == tmp_path / "target"
    assert issues == []
    assert [name for name, kind in tree(root).items() if kind != "folder"] == ["apple/a.jpg", "pear/b.PNG"]
    assert (root / "pear" / "b.PNG").read_bytes() == b"22"


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg",
        "apple/../../evil.jpg",
        "apple/../evil.jpg",
        "..\\evil.jpg",
        "apple\\..\\..\\evil.jpg",
        "/tmp/evil.jpg",
        "//server/share/evil.jpg",
        "\\evil.jpg",
        "\\\\server\\share\\evil.jpg",
        "C:\\evil.jpg",
        "c:evil.jpg",
        "C:/evil.jpg",
    ],
)
def test_a_member_that_points_elsewhere_is_refused(tmp_path: Path, archive: Callable[..., Path], name: str) -> None:
    path = archive([(name, b"evil"), ("apple/good.jpg", b"good")])
    before = tree(tmp_path)
    root, issues = unpack_zip(path, tmp_path / "deep" / "er" / "target")
    assert [(issue.code, issue.where, issue.message) for issue in issues] == [
        ("ARCHIVE_MEMBER_REFUSED", name, "The path is outside the target folder.")
    ]
    assert issues[0].source == str(path)
    new = {name: kind for name, kind in tree(tmp_path).items() if name not in before and kind != "folder"}
    assert list(new) == ["deep/er/target/apple/good.jpg"]
    assert not os.path.exists("/tmp/evil.jpg")
    assert root == tmp_path / "deep" / "er" / "target"


def test_backslashes_inside_are_folders(tmp_path: Path, archive: Callable[..., Path]) -> None:
    root, issues = unpack_zip(archive([("apple\\ripe\\a.jpg", b"1"), ("pear\\b.jpg", b"2")]), tmp_path / "target")
    assert issues == []
    assert (root / "apple" / "ripe" / "a.jpg").read_bytes() == b"1"


def test_a_colon_is_part_of_a_name_where_there_are_no_drives(tmp_path: Path, archive: Callable[..., Path]) -> None:
    root, issues = unpack_zip(archive([("shot 12:30.jpg", b"1"), ("a/b:c.jpg", b"2")]), tmp_path / "target")
    assert issues == []
    assert (root / "shot 12:30.jpg").exists()


def test_links_are_refused(tmp_path: Path, archive: Callable[..., Path]) -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    root, issues = unpack_zip(archive([(link, b"/etc/passwd"), ("a.jpg", b"1")]), tmp_path / "target")
    assert [(issue.where, issue.message) for issue in issues] == [("link.jpg", "It is a link.")]
    assert list(tree(root)) == ["a.jpg"]


def patched(data: bytes, name: bytes, field: int, value: bytes) -> bytes:
    """Return the archive with a field of one member's central directory entry changed."""
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(name))
    return data[: entry + field] + value + data[entry + field + len(value) :]


def test_encrypted_members_are_refused(tmp_path: Path, archive: Callable[..., Path]) -> None:
    path = archive([("secret.jpg", b"1"), ("a.jpg", b"2")])
    path.write_bytes(patched(path.read_bytes(), b"secret.jpg", 8, b"\x01\x00"))
    root, issues = unpack_zip(path, tmp_path / "target")
    assert [(issue.where, issue.message) for issue in issues] == [
        ("secret.jpg", "It is encrypted. Unpack it with its password, and pass the folder.")
    ]
    assert list(tree(root)) == ["a.jpg"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_members_with_one_name_the_first_is_taken(tmp_path: Path, archive: Callable[..., Path]) -> None:
    path = archive([("a.jpg", b"first"), ("./a.jpg", b"second"), ("a.jpg", b"third"), ("A.jpg", b"other")])
    root, issues = unpack_zip(path, tmp_path / "target")
    assert (root / "a.jpg").read_bytes() == b"first"
    same_name = [issue.where for issue in issues if "same name" in issue.message]
    if (root / "A.jpg").read_bytes() == b"other":
        assert same_name == ["./a.jpg", "a.jpg"]
    else:  # a case-insensitive file system
        assert same_name == ["./a.jpg", "a.jpg", "A.jpg"]


def test_a_name_that_is_file_and_folder_is_taken_once(tmp_path: Path, archive: Callable[..., Path]) -> None:
    for number, order in enumerate((["a.jpg", "a.jpg/b.jpg"], ["a.jpg/b.jpg", "a.jpg"])):
        _, issues = unpack_zip(archive([(name, b"x") for name in order]), tmp_path / f"target{number}")
        assert [issue.where for issue in issues] == [order[1]]
        assert "cannot be written" in issues[0].message
        assert not [name for name in tree(tmp_path / f"target{number}") if name.endswith(".part")]


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, archive: Callable[..., Path]) -> None:
    path = archive([(f"{i}.jpg", bytes(1_000_000)) for i in range(3)])
    with pytest.raises(ArchiveError, match="zip bomb") as caught:
        unpack_zip(path, tmp_path / "target")
    assert "photos.zip" in str(caught.value)
    assert "3,000,000 bytes" in str(caught.value)
    assert not (tmp_path / "target").exists()
    with pytest.raises(ArchiveError, match="zip bomb"):
        unpack_zip(path, tmp_path / "target", limits=Limits("small", max_archive_bytes=100, max_archive_ratio=1e9))
    assert len(tree(unpack_zip(path, tmp_path / "target", limits=Limits("wide", max_archive_ratio=1e9))[0])) == 3


def test_members_that_share_their_bytes_count_once_as_packed(tmp_path: Path, archive: Callable[..., Path]) -> None:
    path = archive([("a.jpg", os.urandom(1000) + bytes(150_000))])
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entries = data[start:end] * 200  # each names the same bytes
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 200, 200, len(entries), start, 0)
    path.write_bytes(data[:start] + entries + tail)
    with pytest.raises(ArchiveError, match="zip bomb"):
        unpack_zip(path, tmp_path / "target")


@pytest.mark.parametrize("claimed", [10, 5_000_000])
def test_a_member_that_lies_about_its_size_is_refused(
    tmp_path: Path, archive: Callable[..., Path], claimed: int
) -> None:
    path = archive([("liar.jpg", os.urandom(60_000) + bytes(1_000_000)), ("a.jpg", b"2")])
    path.write_bytes(patched(path.read_bytes(), b"liar.jpg", 24, struct.pack("<L", claimed)))
    root, issues = unpack_zip(path, tmp_path / "target")
    assert [issue.where for issue in issues] == ["liar.jpg"]
    assert list(tree(root)) == ["a.jpg"]


def test_damaged_members_are_refused_and_the_others_unpacked(tmp_path: Path, archive: Callable[..., Path]) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        content = os.urandom(4000)
        path = archive([("broken.jpg", content), ("a.jpg", jpeg(1))], method=method)
        data = bytearray(path.read_bytes())
        data[200:2000] = bytes(1800)
        path.write_bytes(data)
        target = tmp_path / f"target{method}"
        _, issues = unpack_zip(path, target)
        assert [issue.where for issue in issues] == ["broken.jpg"]
        assert "cannot be" in issues[0].message
        assert list(tree(target)) == ["a.jpg"]


def test_an_unknown_compression_is_refused(tmp_path: Path, archive: Callable[..., Path]) -> None:
    path = archive([("odd.jpg", b"1" * 50), ("a.jpg", b"2")])
    data = patched(path.read_bytes(), b"odd.jpg", 10, b"\x63\x00")
    path.write_bytes(data)
    root, issues = unpack_zip(path, tmp_path / "target")
    assert [issue.where for issue in issues] == ["odd.jpg"]
    assert list(tree(root)) == ["a.jpg"]


@pytest.mark.parametrize(
    ("names", "root"),
    [
        (["fruit/apple/a.jpg", "fruit/pear/b.jpg"], "fruit"),
        (["fruit/apple/a.jpg"], "fruit"),
        (["apple/a.jpg"], ""),
        (["x/y/apple/a.jpg", "x/y/pear/b.jpg"], "x/y"),
        (["fruit/apple/a.jpg", "__MACOSX/fruit/apple/._a.jpg"], "fruit"),
        (["fruit/apple/a.jpg", "top.jpg"], ""),
        (["fruit/apple/a.jpg", "fruit/b.jpg"], "fruit"),
    ],
)
def test_one_folder_around_everything_is_the_root(
    tmp_path: Path, archive: Callable[..., Path], names: list[str], root: str
) -> None:
    found, _ = unpack_zip(archive([(name, name.encode()) for name in names]), tmp_path / "target")
    assert found == tmp_path / "target" / root


def test_an_empty_archive_unpacks_to_nothing(tmp_path: Path, archive: Callable[..., Path]) -> None:
    assert unpack_zip(archive([]), tmp_path / "target") == (tmp_path / "target", [])
    assert unpack_zip(archive([("apple/", b""), ("notes.txt", b"x")]), tmp_path / "target")[1] == []
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 half", b"PK\x05\x06" + b"\xff" * 18])
def test_error_names_a_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photos.zip"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"photos\.zip"):
        unpack_zip(path, tmp_path / "target")


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "folder.zip").mkdir()
    for name in ("pipe.zip", "folder.zip", "missing.zip"):
        with pytest.raises(ArchiveError, match=name):
            unpack_zip(tmp_path / name, tmp_path / "target")


def test_names_too_long_for_the_disk_are_issues(tmp_path: Path, archive: Callable[..., Path]) -> None:
    long = ["x" * 300 + ".jpg", "y" * 300 + "/a.jpg", "é" * 120 + ".jpg"]
    root, issues = unpack_zip(archive([(name, b"1") for name in long]), tmp_path / "target")
    assert [issue.where for issue in issues] == long[:2]
    assert len(tree(root)) == 1


def test_unpacking_again_writes_nothing_and_repairs_what_was_damaged(
    tmp_path: Path, archive: Callable[..., Path]
) -> None:
    path = archive([("a.jpg", b"one"), ("b.jpg", b"two")])
    root, _ = unpack_zip(path, tmp_path / "target")
    os.utime(root / "a.jpg", ns=(5, 5))
    (root / "b.jpg").write_bytes(b"oth")
    assert unpack_zip(path, tmp_path / "target")[1] == []
    assert (root / "a.jpg").stat().st_mtime_ns == 5
    assert (root / "b.jpg").read_bytes() == b"two"


@hypothesis_settings(max_examples=many(60))
@given(st.data())
def test_a_changed_archive_gives_images_issues_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in ("apple/a.jpg", "pear/b.jpg"):
            opened.writestr(name, name * 9)
    changed = bytearray(buffer.getvalue())
    for place in data.draw(st.lists(st.integers(0, len(changed) - 1), min_size=1, max_size=5)):
        changed[place] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "a.zip").write_bytes(changed)
    with contextlib.suppress(ArchiveError):
        unpack_zip(folder / "a.zip", folder / "target")
    assert {name.split("/")[0] for name in tree(folder)} <= {"a.zip", "target"}
    shutil.rmtree(folder)


@pytest.mark.parametrize(("encoding", "issues"), [("utf-8", 0), ("gbk", 1)])
def test_names_that_are_not_marked_as_utf_8(
    archive: Callable[[Iterable[Member]], Path], tmp_path: Path, encoding: str, issues: int
) -> None:
    name = "汽车厂".encode(encoding)
    path = archive([(f"{'Q' * len(name)}/a.jpg", jpeg(1)), ("b/b.jpg", jpeg(2))])
    path.write_bytes(path.read_bytes().replace(b"Q" * len(name), name))
    root, found = unpack_zip(path, tmp_path / "out")
    assert sorted(folder.name for folder in root.iterdir()) == ["b", "汽车厂"]
    assert [issue.code for issue in found] == ["ENTRY_ADJUSTED"] * issues
    assert all("gb" in issue.message.lower() for issue in found)
