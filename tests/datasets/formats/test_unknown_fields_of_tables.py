"""Property test: each unknown field of tables, COCO, Custom Vision and manifests is kept as a column or reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.datasets.formats import FORMATS
from customlabels_nb.datasets.formats.base import Contents
from tests.datasets.formats.shared import read
from tests.datasets.formats.test_ground_truth import BOX_LINE, LABEL_LINE
from tests.datasets.formats.test_unknown_fields_of_tools import facts, in_json, words
from tests.tiers import many

_COCO = {
    "info": {},
    "images": [{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}],
    "categories": [{"id": 1, "name": "cat"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "attributes": {"x": None}}],
}
_CUSTOM_VISION = {"files": [{"filename": "a.jpg", "width": 640, "height": 480, "tags": [{"tag": "cat"}]}]}
_LINE = {**BOX_LINE, **{key: value for key, value in LABEL_LINE.items() if key != "source-ref"}}
_BOX = "bounding-box"
_ENTRY = ("annotations", 0)
PLACES = {
    "coco": ("x.json", in_json(_COCO, (), ("images", 0), ("categories", 0), _ENTRY, (*_ENTRY, "attributes"))),
    "custom_vision": ("x.json", in_json(_CUSTOM_VISION, (), ("files", 0), ("files", 0, "tags", 0))),
    "ground_truth": (
        "x.manifest",
        in_json(_LINE, (), (_BOX, "annotations", 0), (f"{_BOX}-metadata",), (f"{_BOX}-metadata", "objects", 0)),
    ),
}  # fmt: skip


def is_kept_or_reported(found: Contents, name: str) -> bool:
    """Check that a field is a column, or named by one issue."""
    return name in found.images.columns or sum(name in issue.message for issue in found.issues) == 1


@pytest.mark.parametrize("format_", PLACES)
@given(data=st.data(), name=words.map("own_{}".format), value=facts | st.just(0) | st.just(False))
@settings(max_examples=many(50))
def test_unknown_fields_are_kept_or_reported(
    tmp_path_factory: pytest.TempPathFactory, format_: str, data: st.DataObject, name: str, value: Any
) -> None:
    file, places = PLACES[format_]
    path = Path(tmp_path_factory.getbasetemp(), file)
    path.write_text(data.draw(st.sampled_from(places))(name, value), "utf-8")
    found = read(FORMATS[format_], path)
    assert is_kept_or_reported(found, name)
    assert len(found.annotations)


@given(
    rows=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "x", "y", "0", "[1, 2]"])), min_size=1),
    name=words.map("Own {}".format),
)
@settings(max_examples=many(50))
def test_own_columns_are_kept_or_reported(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], name: str
) -> None:
    path = Path(tmp_path_factory.getbasetemp(), "x.csv")
    path.write_text("".join([f"image,label,{name}\n", *(f'{image}.jpg,cat,"{value}"\n' for image, value in rows)]))
    found = read(FORMATS["csv"], path)
    given_values = {image: {value for other, value in rows if other == image and value} for image, _ in rows}
    assert is_kept_or_reported(found, name) or not any(given_values.values())
    if name in found.images.columns:
        stored = dict(zip((Path(image).stem for image in found.images["image"]), found.images[name], strict=True))
        # numbers come back as numbers
        assert all({str(stored[image])} == values for image, values in given_values.items() if values)
