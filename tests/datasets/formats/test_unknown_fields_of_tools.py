"""Property test: each unknown field in files of labelling programs is kept as a column, or reported by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customlabels_nb.datasets.formats import FORMATS
from tests.datasets.formats.shared import read
from tests.tiers import many

_SIDES = {"x": 10, "y": 20, "width": 50, "height": 25, "original_width": 40, "original_height": 20}
_VALUE = {**_SIDES, "rectanglelabels": ["cat"]}
_RESULT = {"type": "rectanglelabels", "meta": {"rings": []}, "value": _VALUE}
_TASK = {
    "data": {"image": "a.jpg"},
    "annotations": [{"completed_by": 1, "result": [_RESULT]}],
    "predictions": [{"model_version": "v1", "result": [_RESULT]}],
}
_RECORD = {"image": "a.jpg", "id": 1, "box": [_VALUE], "annotator": 1, "annotation_id": 1}
_LABELME = {
    "imagePath": "a.jpg",
    "shapes": [{"label": "cat", "points": [[1, 2], [11, 22]], "shape_type": "rectangle", "flags": {}}],
}
_CVAT = (
    '<annotations><image name="a.jpg" width="40" height="20" ><box label="cat" xtl="1" ytl="2" xbr="11" ybr="12" >'
    '</box><tag label="dog" ></tag></image></annotations>'
)
_VOC = (
    "<annotation><filename>a.jpg</filename><object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>11</xmax>"
    "<ymax>12</ymax></bndbox></object></annotation>"
)
_LISTS = ("annotations", "predictions")
_TASK_PLACES = [
    (), ("data",), *((name, 0) for name in _LISTS),
    *((name, 0, "result", 0, *rest) for name in _LISTS for rest in ((), ("value",), ("meta",))),
]  # fmt: skip


def in_json(document: Any, *places: tuple[Any, ...], listed: bool = False) -> list[Callable[[str, Any], str]]:
    """Return functions that add a field to the object at each of the places in a document."""

    def at(place: tuple[Any, ...]) -> Callable[[str, Any], str]:
        def write(name: str, value: Any) -> str:
            changed = inner = deepcopy(document)
            for key in place:
                inner = inner[key]
            inner[name] = value
            return json.dumps([changed] if listed else changed)

        return write

    return [at(place) for place in places]


def in_xml(document: str, *ends: str, attribute: str = "") -> list[Callable[[str, Any], str]]:
    """Return functions that add an element before each of the tags ``ends``, or with ``attribute`` in them."""

    def at(end: str) -> Callable[[str, Any], str]:
        def write(name: str, value: Any) -> str:
            new = attribute.format(name=name, value=value) or f"<{name}>{value}</{name}>"
            return document.replace(end, f"{new}{end}", 1)

        return write

    return [at(end) for end in ends]


PLACES = {
    "label_studio": ("tasks.json", in_json(_TASK, *_TASK_PLACES, listed=True)),
    "label_studio_min": ("tasks.json", in_json(_RECORD, (), ("box", 0), listed=True)),
    "labelme": ("a.json", in_json(_LABELME, (), ("shapes", 0))),
    "cvat": (
        "annotations.xml",
        [
            *in_xml(_CVAT, "</annotations>", "</image>", "</box>", "</tag>"),
            *in_xml(_CVAT, "</box>", "</tag>", attribute='<attribute name="{name}">{value}</attribute>'),
            *in_xml(_CVAT, " ><box", " ></box>", " ></tag>", attribute=' {name}="{value}"'),
        ],
    ),
    "voc": ("a.xml", in_xml(_VOC, "</annotation>", "</object>")),
}
words = st.text("abcdefgh", min_size=1, max_size=9)
facts = (
    words | st.integers(1, 9) | st.booleans() | st.lists(words, min_size=1) | st.dictionaries(words, words, min_size=1)
)


@pytest.mark.parametrize("format_", PLACES)
@given(data=st.data(), name=words.map("own_{}".format))
@settings(max_examples=many(50))
def test_unknown_fields_are_kept_or_reported(
    tmp_path_factory: pytest.TempPathFactory, format_: str, data: st.DataObject, name: str
) -> None:
    file, places = PLACES[format_]
    folder = Path(tmp_path_factory.getbasetemp(), format_)
    folder.mkdir(exist_ok=True)
    write = data.draw(st.sampled_from(places))
    value = data.draw(words if file.endswith(".xml") else facts)
    (folder / file).write_text(write(name, value), "utf-8")
    found = read(FORMATS[format_], folder / file)
    kept = name in found.images.columns
    assert kept or sum(name in issue.message and issue.code == "NOT_IMPORTED" for issue in found.issues) == 1
    assert "cat" in found.annotations["label"].tolist()
