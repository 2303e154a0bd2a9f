"""Tests of reading Parquet files with other programs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.dataset
import pytest

from customlabels_nb.inference.batch import detect_many
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
