"""Tests of reading Parquet files with other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.dataset
import pytest

from customlabels_nb.errors import InputError
from customlabels_nb.events import Events
from customlabels_nb.inference.batch import detect_many
from customlabels_nb.inference.output_folder import OutputFolder
from customlabels_nb.inference.outputs import ParquetParts
from customlabels_nb.inference.predictor import Predictor

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


def test_files_of_chunks_that_begin_alike_stay_apart(
    predictor: Predictor, blots: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ParquetParts, "images_a_step", 4)
    to, images = tmp_path / "parts", [path for paths in blots.values() for path in paths]
    detect_many(predictor, images[:8], to=to, threshold=0, batch_size=4)
    # the first file as release 0.1.0 named it
    journal = to / "_journal.jsonl"
    (to / "part-000000000-000000004.parquet").rename(to / "part-000000.parquet")
    journal.write_text(journal.read_text().replace("part-000000000-000000004", "part-000000"))
    assert json.loads(journal.read_text().splitlines()[1])["mark"] == "part-000000.parquet"
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
