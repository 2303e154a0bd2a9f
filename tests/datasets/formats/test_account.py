"""Property test: what a file has is in the tables of the result, or an issue names it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import customlabels_nb as cl
from customlabels_nb.errors import CustomLabelsError
from tests.datasets.formats.planting import INPUTS
from tests.tiers import many

#: Keys whose values have no meaning here, with all in them: those of the programs, and where an image was.
MEANINGLESS = {
    "coco": {"id", "coco_url", "flickr_url"},
    "label_studio": {
        "id",
        "meta",
        "lead_time",
        "was_cancelled",
        "type",
        "closed",
        "from_name",
        "to_name",
        "completed_by",
    },
    "label_studio_min": {"id", "annotation_id", "lead_time"},
    "labelme": {"version", "imageData"},
    "cvat": {"version", "meta", "@id"},
    "manifest": {"kind", "depth", "class-map"},
    "voc": {"folder", "path", "source", "depth", "@verified"},
}


#: What messages call the values of a key.
CALLED = {
    "segmentation": ("polygon", "mask"), "size": ("mask",), "count": ("mask",), "image_size": ("an image size",),
}  # fmt: skip


def texts_of(path: Path) -> tuple[str, str]:
    """Return the texts in the tables that are read from a path, and those of the issues or the error."""
    try:
        found = cl.read_dataset(path)
    except CustomLabelsError as error:
        return "", str(error).replace(str(path), "")
    tables = (found.images, found.annotations, found.labels, found.predictions)
    cells = [[*map(str, table), *map(str, table.to_numpy().ravel())] for table in tables]
    facts = {key: str(value) for key, value in found.images.attrs.items()}
    issues = found.issues[["message", "where", "source"]].astype(str).to_numpy().ravel().tolist()
    errors = found.issues[found.issues["code"].str.startswith("ERROR_")]
    issues += [f"line {line} is not read" for line in errors["line"]]
    return json.dumps([cells, facts], ensure_ascii=False), "\n".join(issues).replace(str(path), "")


@settings(max_examples=many(400), deadline=None)
@given(name=st.sampled_from(sorted(INPUTS)), seed=st.integers(0, 2**32))
def test_planted_values_are_read_or_named(tmp_path_factory: pytest.TempPathFactory, name: str, seed: int) -> None:
    random = Random(seed)
    token = f"tok{random.randrange(10**6)}k"
    path, planted = INPUTS[name].write(tmp_path_factory.mktemp("planted"), random, token)
    if MEANINGLESS.get(name, set()).isdisjoint(planted.where):
        read, said = texts_of(path)
        names = [token, *planted.names, *(name for key in planted.names for name in CALLED.get(key, ()))]
        assert token in read or any(name in said for name in names), planted


@pytest.mark.parametrize("name", INPUTS)
def test_clean_files_give_no_issues(tmp_path: Path, name: str) -> None:
    path, _ = INPUTS[name].write(tmp_path, Random(0), None)
    assert cl.read_dataset(path).issues["message"].tolist() == []
