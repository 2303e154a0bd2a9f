"""Invalid lines and the service's message about each: the table for test_rules.py.

Messages and paths are copied from the documentation, not from the package.
"""

from __future__ import annotations

import json

from tests.datasets.validation.manifests import BUCKET, GONE, Line, box_line, changed, image_line

MESSAGES = {
    "ERROR_INVALID_JSON_LINE": "The JSON Line has an invalid format.",
    "ERROR_MISSING_SOURCE_REF": "The source-ref key is missing.",
    "ERROR_INVALID_SOURCE_REF_FORMAT": "The format of the source-ref value is invalid.",
    "ERROR_NO_LABEL_ATTRIBUTES": "No label attributes found.",
    "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT": "The format of the label attribute {} is invalid.",
    "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT": "The format of the label attribute metadata is invalid.",
    "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE": "One or more bounding boxes has a missing confidence value.",
    "ERROR_MISSING_CLASS_MAP_ID": "One of more class ids is missing from the class map.",
    "ERROR_UNSUPPORTED_USE_CASE_TYPE": (
        "The use case type of the {} label attribute metadata is unsupported. Check the type field."
    ),
    "ERROR_INVALID_LABEL_NAME_LENGTH": "The label name length is invalid.",
    "ERROR_NO_VALID_LABEL_ATTRIBUTES": "No valid label attributes found.",
    "ERROR_INVALID_IMAGE": "The image is invalid. Check S3 path and/or image properties.",
    "ERROR_INVALID_IMAGE_DIMENSION": "The image dimension(s) do not conform to allowed dimensions.",
    "ERROR_INVALID_BOUNDING_BOX": "The bounding box has off frame values.",
    "ERROR_BOUNDING_BOX_TOO_SMALL": "The height and width of the bounding box is too small.",
    "ERROR_TOO_MANY_BOUNDING_BOXES": "There are more bounding boxes than the allowed maximum.",
    "ERROR_TOO_MANY_LABELS": "There are more image-level labels than the allowed maximum.",
    "ERROR_NO_VALID_ANNOTATIONS": "No valid annotations found.",
    "WARNING_UNANNOTATED_RECORD": "Record is unannotated.",
    "WARNING_NO_ANNOTATIONS": "No annotations were found.",
    "WARNING_NO_ATTRIBUTE_ANNOTATIONS": "No attribute annotations were found.",
    "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT": "The manifest file extension or contents are invalid.",
    "ERROR_MANIFEST_IS_EMPTY": "The manifest file is empty.",
    "ERROR_MANIFEST_SIZE_TOO_LARGE": "The manifest file size exceeds the maximum supported size.",
    "ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM": "The manifest file has too many rows.",
    "ERROR_TOO_MANY_RECORDS_IN_ERROR": "The manifest file has too many terminal errors.",
    "ERROR_MANIFEST_TOO_MANY_LABELS": "The manifest file has too many labels.",
    "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE": (
        "The manifest file contains insufficient labeled images to distribute the dataset."
    ),
    "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST": "The manifest file contains too many invalid rows.",
    "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS": "The manifest file contains images in multiple S3 buckets.",
    "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT": (
        "The manifest file contains insufficient labeled images per label to perform auto-split."
    ),
    "ERROR_MANIFEST_TOO_FEW_LABELS": "The manifest file has too few labels.",
    "ERROR_INSUFFICIENT_LABEL_OVERLAP": "Less than {}% label overlap between the training and testing manifest files.",
    "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS": "The manifest file has too few usable labels.",
    "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP": (
        "Less than {}% usable label overlap between the training and testing manifest files."
    ),
}

#: Codes that need access to a bucket, covered by test_access.py.
ACCESS_CODES = {
    "ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET",
    "ERROR_INVALID_PERMISSIONS_IMAGES_S3_BUCKET",
    "ERROR_FAILED_IMAGES_S3_COPY",
}

JSON_LINE, MISSING_REF, BAD_REF = (
    "ERROR_INVALID_JSON_LINE",
    "ERROR_MISSING_SOURCE_REF",
    "ERROR_INVALID_SOURCE_REF_FORMAT",
)
NO_ATTRIBUTES, ATTRIBUTE = "ERROR_NO_LABEL_ATTRIBUTES", "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"
METADATA, CONFIDENCE = "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT", "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"
CLASS_ID, TYPE, NAME = (
    "ERROR_MISSING_CLASS_MAP_ID",
    "ERROR_UNSUPPORTED_USE_CASE_TYPE",
    "ERROR_INVALID_LABEL_NAME_LENGTH",
)
NO_VALID_ATTRIBUTES, IMAGE, DIMENSION = (
    "ERROR_NO_VALID_LABEL_ATTRIBUTES",
    "ERROR_INVALID_IMAGE",
    "ERROR_INVALID_IMAGE_DIMENSION",
)
BOX, SMALL, MANY = "ERROR_INVALID_BOUNDING_BOX", "ERROR_BOUNDING_BOX_TOO_SMALL", "ERROR_TOO_MANY_BOUNDING_BOXES"
NO_VALID_ANNOTATIONS, UNANNOTATED = "ERROR_NO_VALID_ANNOTATIONS", "WARNING_UNANNOTATED_RECORD"
NOTHING, NOTHING_IN = "WARNING_NO_ANNOTATIONS", "WARNING_NO_ATTRIBUTE_ANNOTATIONS"

LABEL, OF_LABEL, BOXES, OF_BOXES = "label-0", "label-0-metadata", "bounding-box", "bounding-box-metadata"
OTHER_TYPE = {"type": "groundtruth/video-object-tracking"}
INSIDE, OFF, TINY = (10, 20, 30, 40), (620, 20, 30, 40), (10, 20, 1, 40)


def box_at(index: int, attribute: str = BOXES) -> str:
    return f"{attribute}.annotations[{index}]"


def spelt(line: Line, old: str, new: str) -> str:
    """Return the line as text with a replacement that ``json.dumps`` does not write."""
    text = json.dumps(line)
    assert old in text
    return text.replace(old, new, 1)


def only(code: str, where: str = "", value: str = "") -> list[tuple[str, str, str]]:
    return [(code, where, value)]


#: name → line, expected issues (code, where, value in the message), outcome of the line.
CASES: dict[str, tuple[Line | str | bytes, list[tuple[str, str, str]], str]] = {
    "an image-level line": (image_line(), [], "valid"),
    "two labels": (image_line("a.png", "apple", "pear"), [], "valid"),
    "without job name": (image_line(job_name=GONE), [], "valid"),
    "any whole number as value": (changed(image_line(), {LABEL: -7}), [], "valid"),
    "a date with zone": (image_line(creation_date="2020-03-06T17:46:39Z"), [], "valid"),
    "a date with a space": (image_line(creation_date="2020-03-06 17:46:39.5"), [], "valid"),
    "a box line": (box_line(boxes=(INSIDE, (0, 0, 640, 480))), [], "valid"),
    "image-level labels and boxes": ({**image_line(), **box_line()}, [], "valid"),
    "a label of 256 characters": (image_line("a.png", "x" * 256), [], "valid"),
    "fifty boxes": (box_line(boxes=[INSIDE] * 50), [], "valid"),
    "what an earlier validation wrote": (
        changed(box_line(), {"errors": [{}], "bounding-box/errors": [{}], "bounding-box/annotations/0/errors": [{}],
                             "bounding-box-metadata/warnings": [{}], "cl-errors": [{}], "cl-metadata": {}}),
        [], "valid",
    ),
    # -- 1: no JSON object
    "cut off": ('{"source-ref": "s3://bucket/a.png"', only(JSON_LINE), "invalid"),
    "an array": ("[]", only(JSON_LINE), "invalid"),
    "a number": ("5", only(JSON_LINE), "invalid"),
    "null": ("null", only(JSON_LINE), "invalid"),
    "two objects": ("{} {}", only(JSON_LINE), "invalid"),
    "not UTF-8": (b'{"source-ref": "s3://bucket/\xff.png"}', only(JSON_LINE), "invalid"),
    "nested without end": ("[" * 200_000, only(JSON_LINE), "invalid"),
    "longer than 100,000 characters": (changed(image_line(), {"errors": "x" * 100_000}), only(JSON_LINE), "invalid"),
    # -- 2, 3: no image
    "an empty object": ("{}", only(MISSING_REF), "invalid"),
    "another spelling": (
        changed(image_line(), {"source-ref": GONE, "source_ref": "s3://bucket/a.png"}), only(MISSING_REF), "invalid",
    ),
    **{
        f"source-ref {ref!r}": (changed(image_line(), {"source-ref": ref}), only(BAD_REF), "invalid")
        for ref in (5, None, True, [], {}, "", "a.png", "/photos/a.png", "http://bucket/a.png", "s3://", "s3://bucket",
                    "s3://bucket/", "s3:///a.png")
    },
    # -- 4: no attributes
    "an attribute without metadata": (changed(image_line(), {OF_LABEL: GONE}), only(NO_ATTRIBUTES), "invalid"),
    "metadata without attribute": (changed(image_line(), {LABEL: GONE}), only(NO_ATTRIBUTES), "invalid"),
    # -- 5: attributes
    **{
        f"image-level value {value!r}": (changed(image_line(), {LABEL: value}), only(ATTRIBUTE, "", LABEL), "invalid")
        for value in ("1", 1.5, True, None, [1], {})
    },
    **{
        f"box attribute with {path} {value!r}": (
            changed(box_line(), {f"{BOXES}{path}": value}), only(ATTRIBUTE, "", BOXES), "invalid",
        )
        for path, value in (
            ("", 1), ("", []), ("", None), ("/annotations", {}), ("/annotations", "x"), ("/annotations/0", 5),
            ("/annotations/0/top", GONE), ("/annotations/0/left", "10"), ("/annotations/0/width", None),
            ("/annotations/0/height", True), ("/image_size", GONE), ("/image_size", []), ("/image_size", {}),
            ("/image_size/0/width", GONE), ("/image_size/0/height", "tall"), ("/image_size/0/width", 0),
        )
    },
    "a coordinate that is no number": (
        spelt(box_line(), '"left": 10', '"left": NaN'), only(ATTRIBUTE, "", BOXES), "invalid",
    ),
    "a coordinate beyond floats": (
        spelt(box_line(), '"left": 10', '"left": 1e400'), only(ATTRIBUTE, "", BOXES), "invalid",
    ),
    # -- 6: metadata
    **{
        f"metadata {value!r}": (changed(image_line(), {OF_LABEL: value}), only(METADATA), "invalid")
        for value in (None, [], "x", 5)
    },
    **{
        f"image-level metadata with {key} {value!r}": (image_line(**{key: value}), only(METADATA), "invalid")
        for key, value in (
            ("confidence", GONE), ("confidence", -0.1), ("confidence", 1.1), ("confidence", "1"), ("confidence", True),
            ("confidence", None), ("class_name", GONE), ("class_name", 5), ("class_name", None),
            ("human_annotated", GONE), ("human_annotated", "maybe"), ("human_annotated", True), ("creation_date", GONE),
            ("creation_date", "yesterday"), ("creation_date", 5), ("type", GONE), ("type", 5), ("job_name", 5),
        )
    },
    **{
        f"box metadata with {key} {value!r}": (box_line(**{key: value}), only(METADATA), "invalid")
        for key, value in (
            ("objects", {}), ("objects", "x"), ("objects", [5]), ("objects", [{"confidence": 2}]), ("class_map", []),
            ("class_map", {"0": 5}), ("human_annotated", GONE), ("creation_date", GONE), ("type", GONE),
        )
    },
    # -- 7, 8: what belongs to a box
    "fewer confidences than boxes": (
        box_line(boxes=[INSIDE] * 2, objects=[{"confidence": 1}]), only(CONFIDENCE), "invalid",
    ),
    "more confidences than boxes": (box_line(objects=[{"confidence": 1}] * 2), only(CONFIDENCE), "invalid"),
    "no confidences": (box_line(objects=GONE), only(CONFIDENCE), "invalid"),
    "an object without confidence": (box_line(objects=[{}]), only(CONFIDENCE), "invalid"),
    "a class id that isn't in the map": (
        changed(box_line(), {"bounding-box/annotations/0/class_id": 1}), only(CLASS_ID), "invalid",
    ),
    "no class id": (changed(box_line(), {"bounding-box/annotations/0/class_id": GONE}), only(CLASS_ID), "invalid"),
    "no class map": (box_line(class_map=GONE), only(CLASS_ID), "invalid"),
    # -- all that apply are reported
    "another type": (
        image_line(**OTHER_TYPE), [(TYPE, OF_LABEL, OF_LABEL), (NO_VALID_ATTRIBUTES, "", "")], "invalid",
    ),
    "another type beside a good one": (
        {**image_line(**OTHER_TYPE), **box_line()}, only(TYPE, OF_LABEL, OF_LABEL), "valid",
    ),
    "a label without a name beside a good one": (
        {**image_line("a.png", ""), **box_line()}, only(NAME, OF_LABEL), "valid",
    ),
    "a label of 257 characters beside a good one": (
        {**image_line("a.png", "x" * 257), **box_line()}, only(NAME, OF_LABEL), "valid",
    ),
    "a box label of 257 characters beside a good one": (
        {**image_line(), **box_line(labels=["x" * 257])}, only(NAME, OF_BOXES), "valid",
    ),
    **{
        f"{name}, image-level": (image_line(name), only(IMAGE), "invalid")
        for name in ("nowhere.png", "empty.png", "text.png", "cut.png", "a.gif", "a.bmp", "heavy.jpg", "63x64.png",
                     "64x4097.png", "64x1281.png", "folder.png")
    },
    **{
        f"{name}, with boxes": (box_line(name, [(0, 0, 20, 20)], size=(64, 64)), only(IMAGE), "invalid")
        for name in ("nowhere.png", "empty.png", "text.png", "cut.png", "a.gif", "heavy.jpg")
    },
    "a type that its name doesn't tell": (image_line("jpeg-in-disguise.png"), [], "valid"),
    "the smallest image": (image_line("64x64.png"), [], "valid"),
    "the narrowest image": (image_line("64x1280.png"), [], "valid"),
    "the largest image": (image_line("4096x4096.png"), [], "valid"),
    "15 million bytes": (image_line("just-not-heavy.jpg"), [], "valid"),
    "an image too small for boxes": (
        box_line("63x64.png", [(0, 0, 20, 20)], size=(63, 64)), only(DIMENSION), "invalid",
    ),
    "an image too large for boxes": (
        box_line("300x4097.png", [(0, 0, 20, 20)], size=(300, 4097)), only(DIMENSION), "invalid",
    ),
    "an image too large and too narrow for boxes": (
        box_line("64x4097.png", [(0, 0, 20, 20)], size=(64, 4097)), [(IMAGE, "", ""), (DIMENSION, "", "")], "invalid",
    ),
    **{
        f"one box at {box} among good ones": (box_line(boxes=[INSIDE, box]), only(BOX, box_at(1)), "valid")
        for box in ((-1, 20, 30, 40), (10, -0.5, 30, 40), OFF, (10, 450, 30, 40), (700, 500, 30, 40),
                    (10, 20, 1e300, 40), (10, 20, -30, 40))
    },
    "all boxes off frame": (
        box_line(boxes=[OFF, OFF]), [(BOX, box_at(0), ""), (BOX, box_at(1), ""), (NO_VALID_ANNOTATIONS, "", "")],
        "invalid",
    ),
    "all boxes off frame beside an image-level label": ({**image_line(), **box_line(boxes=[OFF])}, only(BOX, box_at(0)),
                                                        "valid"),
    "off the real image's frame": (
        box_line("64x64.png", [(0, 0, 30, 30), (40, 10, 30, 30)], size=(640, 480)), only(BOX, box_at(1)), "valid",
    ),
    "one small box among good ones": (box_line(boxes=[TINY, INSIDE]), only(SMALL, box_at(0)), "valid"),
    "a box of 1 × 1 pixels": (
        box_line(boxes=[(5, 5, 1, 1)]), [(SMALL, box_at(0), ""), (NO_VALID_ANNOTATIONS, "", "")], "invalid",
    ),
    "a box that is too small when the image is shrunk to 1,280 pixels": (
        box_line("4096x4096.png", [(5, 5, 3.2, 40), (5, 5, 3.3, 40)], size=(4096, 4096)), only(SMALL, box_at(0)),
        "valid",
    ),
    "fifty-one boxes": (box_line(boxes=[INSIDE] * 51), only(MANY, BOXES), "invalid"),
    "fifty-one boxes beside an image-level label": (
        {**image_line(), **box_line(boxes=[INSIDE] * 51)}, only(MANY, BOXES), "valid",
    ),
    "fifty image-level labels beside a box": (
        {**image_line("a.png", *(f"label {n}" for n in range(50))), **box_line()}, [], "valid",
    ),
    "fifty-one image-level labels": (
        image_line("a.png", *(f"label {n}" for n in range(51))), only("ERROR_TOO_MANY_LABELS"), "invalid",
    ),
    "fifty-one attributes of one label": (image_line("a.png", *["apple"] * 51), [], "valid"),
    # -- warnings
    "only a source-ref": ({"source-ref": BUCKET + "a.png"}, only(UNANNOTATED), "ignored"),
    "no boxes": (box_line(boxes=[]), [(NOTHING_IN, BOXES, ""), (NOTHING, "", "")], "ignored"),
    "no list of boxes": (
        changed(box_line(boxes=[]), {"bounding-box/annotations": GONE}), [(NOTHING_IN, BOXES, ""), (NOTHING, "", "")],
        "ignored",
    ),
    "no boxes beside an image-level label": ({**image_line(), **box_line(boxes=[])}, only(NOTHING_IN, BOXES), "valid"),
    # -- the order
    "2 before 4": ({"label": 1}, only(MISSING_REF), "invalid"),
    "3 before 4": ({"source-ref": 5, "label": 1}, only(BAD_REF), "invalid"),
    "3 before 5": (changed(image_line(), {"source-ref": 5, LABEL: "1"}), only(BAD_REF), "invalid"),
    "5 before 6": (changed(image_line(type=GONE), {LABEL: "1"}), only(ATTRIBUTE, "", LABEL), "invalid"),
    "5 of the second attribute before 6 of the first": (
        {**image_line(confidence=7), **changed(box_line(), {BOXES: 1})}, only(ATTRIBUTE, "", BOXES), "invalid",
    ),
    "6 before 7": (box_line(objects=[], creation_date="x"), only(METADATA), "invalid"),
    "7 before 8": (box_line(objects=[], class_map={}), only(CONFIDENCE), "invalid"),
    "7 of the second attribute before 8 of the first": (
        {**box_line(class_map={}), **box_line(objects=[], key="more")}, only(CONFIDENCE), "invalid",
    ),
    "8 before a box off frame and an image that isn't there": (
        box_line("nowhere.png", [OFF], class_map={}), only(CLASS_ID), "invalid",
    ),
    "1 to 8 end the line before another type": (
        {**image_line(**OTHER_TYPE), **box_line(objects=[])}, only(CONFIDENCE), "invalid",
    ),
    "all that apply": (
        {
            **changed(image_line("63x64.png", "", "track", "good"), {"label-1-metadata/type": "x/y"}),
            **box_line("63x64.png", [OFF, TINY, *[INSIDE] * 49], size=(640, 480)),
            "source-ref": BUCKET + "63x64.png",
        },
        [
            (TYPE, "label-1-metadata", "label-1-metadata"), (NAME, OF_LABEL, ""), (DIMENSION, "", ""),
            (BOX, box_at(0), ""), (SMALL, box_at(1), ""), (MANY, BOXES, ""),
        ],
        "invalid",
    ),
}  # fmt: skip
