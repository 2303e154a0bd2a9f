"""Tests of validating and repairing the polygons of a dataset."""

from __future__ import annotations

import pandas as pd

import customlabels_nb as cl
from customlabels_nb.core.geometry import polygon_to_ltwh

GOOD = [[10, 10], [40, 10], [40, 40]]
BAD = {
    "POLYGON_SELF_INTERSECTING": [[0, 0], [10, 10], [10, 0], [0, 10]],
    "POLYGON_OFF_FRAME": [[[50, 10], [90, 10], [90, 30], [50, 30]], [[60, 15], [65, 15], [65, 20]]],
    "POLYGON_NO_AREA": [GOOD, [[1, 1], [2, 2], [3, 3]]],
    "POLYGON_TOO_FEW_POINTS": [[5, 5], [20, 30]],
}


def dataset() -> cl.Dataset:
    """Return two images, the first with a good and four bad polygons, the second with a good one."""
    rows = [{"image": "1.jpg", "label": "pear", "polygon": polygon} for polygon in (GOOD, *BAD.values())]
    rows += [
        {"image": "2.jpg", "label": "apple", "polygon": GOOD},
        {"image": "2.jpg", "label": "apple", "polygon": None},
    ]
    for row in rows[:-1]:
        row |= dict(zip(("left", "top", "width", "height"), polygon_to_ltwh(row["polygon"]).tolist(), strict=True))
    images = pd.DataFrame({"image": ["1.jpg", "2.jpg"], "width": 80, "height": 60})
    return cl.Dataset(images, pd.DataFrame(rows))


def test_bad_polygons_are_found_and_their_lines_stay_usable() -> None:
    start = dataset()
    report = start.validate(check_images=False)
    lines = report.lines[report.lines["code"].str.startswith("POLYGON_")]
    assert lines["code"].tolist() == list(BAD)
    assert lines["source_ref"].unique().tolist() == ["1.jpg"]
    assert lines["detail"].tolist() == [f"annotation {number} of the image (pear)" for number in (2, 3, 4, 5)]
    assert not report.lines["code"].str.startswith("ERROR_MANIFEST").any()
    assert 'fix("mend_polygons")' in repr(report)
    hosted = start.validate("rekognition", check_images=False)
    assert not hosted.lines["code"].str.startswith("POLYGON_").any()


def test_values_that_are_not_polygons_become_boxes() -> None:
    whole = dataset()
    start = cl.Dataset(whole.images, whole.annotations.assign(polygon=[[[1, 1], [2]], *BAD.values(), [[], GOOD], None]))
    report = start.validate(check_images=False)
    codes = report.lines[report.lines["code"].str.startswith("POLYGON_")]["code"].tolist()
    assert codes == ["POLYGON_TOO_FEW_POINTS", *BAD]
    mended = report.fix("mend_polygons").annotations
    assert mended["polygon"].iat[0] is None
    assert mended[["left", "width"]].iloc[0].tolist() == [10, 30]


def test_polygons_are_mended_or_become_boxes() -> None:
    start = dataset()
    report = start.validate(check_images=False)
    mended = report.fix("mend_polygons")
    polygons = mended.annotations["polygon"].tolist()
    assert polygons[0] == polygons[5] == polygons[3] == GOOD
    assert sorted(map(len, polygons[1])) == [3, 3]
    assert polygons[2] == [[[50, 10], [80, 10], [80, 30], [50, 30]], [[60, 15], [65, 15], [65, 20]]]
    assert polygons[4] is polygons[6] is None
    assert mended.annotations[["left", "width"]].iloc[[2, 4]].to_numpy().tolist() == [[50, 30], [5, 15]]
    repairs = mended.issues[mended.issues["code"] == "ENTRY_REPAIRED"]
    boxed = "was mended, and its box was replaced by the polygon's bounding box"
    assert repairs["message"].tolist() == [
        f"mend_polygons: annotation {number} of the image (pear) {what}"
        for number, what in ((2, "was mended"), (3, boxed), (4, boxed), (5, "became a box"))
    ]
    again = mended.validate(check_images=False)
    assert not again.lines["code"].str.startswith("POLYGON_").any()
    boxes = report.fix("drop_bad_polygons")
    assert boxes.annotations["polygon"].notna().tolist() == [True, False, False, False, False, True, False]
    assert boxes.annotations[["left", "width"]].iloc[:5].equals(start.annotations[["left", "width"]].iloc[:5])
    assert start.annotations["polygon"].iloc[1] == BAD["POLYGON_SELF_INTERSECTING"]  # unchanged
