"""Tests of reading Parquet files with other programs."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pyarrow.dataset
import pytest

from customlabels_nb.errors import InputError
from customlabels_nb.events import Events
from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.output_folder import OutputFolder
from customlabels_nb.inference.outputs import ParquetParts
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.result_writing import WrittenDetections

COLUMNS = ["image", "label", "confidence", "left", "top", "width", "height"]


def test_a_parquet_folder_is_one_table(
    predictor: Predictor, blots: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ParquetParts, "images_a_step", 5)
    images = [path for paths in blots.values() for path in paths]
    detect_many(predictor, images, to=tmp_path / "parts", threshold=0, batch_size=5)
    found = pd.read_parquet(tmp_path / "parts")
    assert list(found.columns) == COLUMNS
    assert found["image"].tolist() == [image for image in images for _ in range(3)]
    whole = pyarrow.dataset.dataset(tmp_path / "parts")
    assert len(whole.files) == 4
    assert [str(field.type) for field in whole.schema] == ["string", "string", *["double"] * 5]
    assert whole.to_table()["left"].null_count == len(found)


def test_a_parquet_folder_without_rows_is_a_table_too(
    predictor: Predictor, blots: dict[str, list[str]], tmp_path: Path
) -> None:
    for name, images in (("none", []), ("nothing", blots["red"])):
        detect_many(predictor, images, to=tmp_path / f"{name}.parquet", threshold=1.0)
        found = pd.read_parquet(tmp_path / f"{name}.parquet")
        assert list(found.columns) == COLUMNS
        assert found.empty
        detect_many(predictor, blots["green"], to=tmp_path / f"{name}.parquet", threshold=1.0, resume=True)
        assert pd.read_parquet(tmp_path / f"{name}.parquet").empty


@pytest.mark.parametrize("kind", ["part", "_images"])
@pytest.mark.parametrize("damage", ["cut", "empty", "foreign", "gone", *range(12)])
def test_damaged_files_are_named_and_parts_made_again(
    predictor: Predictor, blots: dict[str, list[str]], tmp_path: Path, kind: str, damage: str | int
) -> None:
    to = tmp_path / "parts"
    whole = detect_many(predictor, blots["red"], to=to, threshold=0)
    assert isinstance(whole, WrittenDetections)
    table = whole.table()
    (file,) = to.glob(f"{kind}*")
    content = bytearray(file.read_bytes())
    if damage == "foreign":
        pd.DataFrame({"x": [1] * 6}).to_parquet(file)
    elif damage == "gone":
        file.unlink()
    else:
        if isinstance(damage, int):
            content[damage * (len(content) - 1) // 11] ^= 16
        file.write_bytes({"cut": content[:-9], "empty": b""}.get(str(damage), bytes(content)))
    try:
        found = detect_many(predictor, blots["red"], to=to, threshold=0, resume=True)
        assert isinstance(found, WrittenDetections)
        pd.testing.assert_frame_equal(found.table(), table)  # a changed byte may not matter
    except InputError as error:
        assert (file.name if damage != "gone" else "_images-…") in str(error)  # noqa: PT017
        if kind == "_images":
            return
        with pytest.raises(InputError, match=file.name):
            found.head(3)
        file.unlink()
        again = detect_many(predictor, blots["red"], to=to, threshold=0, resume=True)
        assert isinstance(again, WrittenDetections)
        assert (again.images, again.found, again.left) == (whole.images, whole.found, 0)
        pd.testing.assert_frame_equal(again.table(), table)


def test_files_of_chunks_that_begin_alike_stay_apart(
    predictor: Predictor, blots: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ParquetParts, "images_a_step", 4)
    to, images = tmp_path / "parts", [path for paths in blots.values() for path in paths]
    detect_many(predictor, images[:8], to=to, threshold=0, batch_size=4)
    # a worker of an earlier run, which this one believes to have ended, writes a longer chunk
    events, late = Events(), to / "part-000000008-000000018.parquet"
    events.subscribe(lambda event: late.write_bytes((to / "part-000000004-000000008.parquet").read_bytes()))
    found = detect_many(predictor, images, to=to, threshold=0, batch_size=4, resume=True, events=events)
    assert found.table()["image"].tolist() == [image for image in images for _ in range(3)]  # type: ignore[operator]
    assert not late.exists()
    assert len(pd.read_parquet(to)) == found.found  # type: ignore[union-attr]


def test_a_password_in_a_url_is_removed() -> None:
    with pytest.warns(UserWarning, match="'s3://bucket/found/' was removed"):
        folder = OutputFolder("s3://key:secret@bucket/found/")
    assert (folder.place, ParquetParts(folder).path) == ("s3://bucket/found", "s3://bucket/found")
    removed = pytest.warns(UserWarning, match="'https://host/found' was removed")
    with removed, pytest.raises(InputError, match=r"^to='https://host/found' is on a web server"):
        OutputFolder("https://me:secret@host/found")


def test_a_file_that_is_renamed_while_a_folder_is_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.parquet", "b.part"):
        (tmp_path / name).write_bytes(b"12")
    entries = list(os.scandir(tmp_path))
    (tmp_path / "b.part").unlink()
    monkeypatch.setattr(os, "scandir", lambda path: iter(entries))
    assert OutputFolder(tmp_path).sizes() == {"a.parquet": 2}
