"""Valid files of each format, and unique tokens planted into them at random places."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image

#: Photos of all inputs, 40 × 20 pixels.
PHOTOS = ("a.png", "b.png")

COCO = {
    "info": {"year": 2020, "version": "1"},
    "licenses": [{"id": 1, "name": "MIT", "url": "http://localhost/mit"}],
    "categories": [{"id": 1, "name": "cat", "supercategory": "pet"}, {"id": 2, "name": "dog"}],
    "images": [
        {
            "id": 1, "file_name": "a.png", "width": 40, "height": 20, "license": 1,
            "date_captured": "2020-01-01T00:00:00", "coco_url": "", "flickr_url": "",
        },
        {"id": 2, "file_name": "b.png", "width": 40, "height": 20, "date_captured": 0},
    ],
    "annotations": [
        {
            "id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 10], "area": 100, "iscrowd": 0,
            "segmentation": [[1, 2, 11, 2, 11, 12, 1, 12]],
        },
        {"id": 2, "image_id": 2, "category_id": 2, "bbox": [3, 2, 10, 10], "area": 100, "iscrowd": 0, "score": 0.5},
        {
            "id": 3, "image_id": 2, "category_id": 2, "bbox": [5, 0, 3, 20], "area": 50, "iscrowd": 1,
            "segmentation": {"size": [20, 40], "counts": [100, 50, 650]},
        },
    ],
}  # fmt: skip
_SIDES = {"x": 10, "y": 20, "width": 50, "height": 25, "rotation": 0}
_SIZE = {"original_width": 40, "original_height": 20}
_NAMES = {"from_name": "label", "to_name": "image"}
_BOX = {
    "id": "r1", "type": "rectanglelabels", **_NAMES, **_SIZE, "image_rotation": 0,
    "value": {**_SIDES, "rectanglelabels": ["cat"]}, "meta": {"text": ["blurred"]},
}  # fmt: skip
_POLYGON = {
    "id": "r2", "type": "polygonlabels", **_NAMES, **_SIZE,
    "value": {"points": [[10, 10], [50, 10], [50, 50]], "closed": True, "polygonlabels": ["dog"]},
}  # fmt: skip
_CHOICE = {"id": "r3", "type": "choices", "from_name": "c", "to_name": "image", "value": {"choices": ["good"]}}
_WHEN = {"created_at": "2020-01-01T00:00:00Z"}
TASKS = [
    {
        "id": 1, "data": {"image": "a.png"}, "meta": {}, **_WHEN,
        "annotations": [
            {"id": 1, "completed_by": 1, **_WHEN, "was_cancelled": False, "lead_time": 1.5, "result": [_BOX, _POLYGON]}
        ],
        "predictions": [{"id": 1, "model_version": "v1", "score": 0.5, "result": [_BOX]}],
    },
    {
        "id": 2, "data": {"image": "b.png"}, "predictions": [],
        "annotations": [{"id": 2, "completed_by": {"id": 1, "email": "a@b"}, "result": [_CHOICE]}],
    },
]  # fmt: skip
RECORDS = [
    {
        "image": "a.png", "id": 1, "box": [{**_SIDES, "rectanglelabels": ["cat"], **_SIZE}], "annotator": 1,
        "annotation_id": 1, **_WHEN, "updated_at": "2020-01-01T00:00:00Z", "lead_time": 1.2,
    },
    {"image": "b.png", "id": 2, "choice": "cat", "annotator": 1, "annotation_id": 2},
]  # fmt: skip
LABELME = {
    "version": "5.0", "flags": {}, "imagePath": "a.png", "imageData": None, "imageHeight": 20, "imageWidth": 40,
    "shapes": [
        {"label": "cat", "points": [[1, 2], [11, 12]], "shape_type": "rectangle", "flags": {}, "description": ""},
        {"label": "dog", "points": [[1, 2], [11, 12], [3, 15]], "shape_type": "polygon", "flags": {}},
    ],
}  # fmt: skip
CUSTOM_VISION = {
    "files": [
        {
            "filename": "a.png", "width": 40, "height": 20,
            "tags": [{"tag": "cat", "left": 0.1, "top": 0.1, "width": 0.5, "height": 0.5}],
        },
        {"filename": "b.png", "tags": [{"tag": "dog"}]},
    ]
}  # fmt: skip
_MANIFEST = [
    {
        "source-ref": "a.png", "boxes-metadata": {
            "objects": [{"confidence": 1}], "class-map": {"0": "cat"}, "type": "groundtruth/object-detection",
            "human-annotated": "yes", "creation-date": "2020-01-01T00:00:00", "job-name": "job",
        },
        "boxes": {
            "image_size": [{"width": 40, "height": 20, "depth": 3}],
            "annotations": [{"class_id": 0, "left": 1, "top": 2, "width": 10, "height": 10}],
        },
    },
    {
        "source-ref": "b.png", "kind": 0, "kind-metadata": {
            "class-name": "dog", "confidence": 1, "type": "groundtruth/image-classification",
            "human-annotated": "yes", "creation-date": "2020-01-01T00:00:00", "job-name": "job",
        },
    },
]  # fmt: skip
CVAT = (
    '<annotations><version>1.1</version><meta><task><id>1</id><labels><label><name>cat</name><color>#ff0000</color>'
    '</label><label><name>dog</name></label></labels></task></meta><image id="0" name="a.png" width="40" height="20">'
    '<box label="cat" source="manual" occluded="0" xtl="1" ytl="2" xbr="11" ybr="12" z_order="0"></box>'
    '<polygon label="dog" points="1,2;11,2;11,12" z_order="0"></polygon><tag label="dog" source="manual">'
    '<attribute name="size">big</attribute></tag></image><image id="1" name="b.png" width="40" height="20"></image>'
    "</annotations>"
)  # fmt: skip
VOC = (
    "<annotation><folder>x</folder><filename>a.png</filename><path>/x/a.png</path><source><database>Unknown</database>"
    "</source><size><width>40</width><height>20</height><depth>3</depth></size><segmented>0</segmented><object>"
    "<name>cat</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult><bndbox><xmin>1</xmin>"
    "<ymin>2</ymin><xmax>11</xmax><ymax>12</ymax></bndbox><attributes><attribute><name>rotation</name><value>0.0</value>"
    "</attribute></attributes></object></annotation>"
)
_FULL = (
    "image,label,left,top,width,height,confidence,annotator,note,crowd,split,status,created\n"
    "a.png,cat,1,2,10,10,0.5,me,blurred,no,train,labelled,2020-01-01T00:00:00+00:00\n"
    "a.png,dog,3,4,10,10,1,me,,yes,train,labelled,2020-01-01T00:00:00+00:00\nb.png,cat,1,2,10,10,,,,,test,,\n"
)
_TAGS = "filename,class,width,height,camera\na.png,cat,40,20,X1\nb.png,dog,40,20,X2\n"
_CORNERS = "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,40,20,cat,1,2,11,12\nb.png,40,20,dog,1,2,11,12\n"
_BARE = "a.png,cat\nb.png,dog\n"
_YOLO = {
    "data.yaml": "train: images\nnc: 2\nnames: [cat, dog]\n", "images/a.png": "", "images/b.png": "",
    "labels/a.txt": "0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.3 0.1 0.3 0.3\n", "labels/b.txt": "1 0.5 0.5 0.2 0.2\n",
}  # fmt: skip
#: Contents of files that no format reads beside the others.
_OTHERS = {
    ".dat": "x", ".txt": "hello", ".json": '{"a": 1}', ".csv": "x,y\n1,2\n", ".xml": "<x/>", ".npz": "PK", ".zip": "PK",
    ".png": "", "": "x", ".pdf": "x",
}  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """Token in an input: where it is, and what an issue may say instead, such as the key whose value it is."""

    where: tuple[Any, ...]
    names: tuple[str, ...]


_Plant = Callable[[Any, Random, str], tuple[Any, Planted]]


def _nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _nodes(each, (*path, key))


def in_json(document: Any, random: Random, token: str) -> tuple[Any, Planted]:
    """Plant a key, an odd value of a key, or an item of a list."""
    document = deepcopy(document)
    nodes = list(_nodes(document))
    how = random.choice(("key", "value", "item"))
    if how == "key":
        path, record = random.choice([(path, value) for path, value in nodes if isinstance(value, dict)])
        record[token] = random.choice((token, 7, [token], {"a": token}, True))
        return document, Planted((*path, token), ())
    if how == "value":
        path = random.choice([path for path, value in nodes if path and not isinstance(value, dict | list)])
        new: Any = random.choice((token, [token], {"a": token}))
    else:
        path, items = random.choice([(path, value) for path, value in nodes if isinstance(value, list)])
        new = [*items, random.choice((token, {"a": token}, [token], {token: 1}))]
    outer = document
    for key in path[:-1]:
        outer = outer[key]
    if path:
        outer[path[-1]] = new
    keys = [key for key in path if isinstance(key, str)]
    return (document if path else new), Planted(path, (keys[-1].removesuffix("s"),) if keys else ())


def in_xml(text: str, random: Random, token: str) -> tuple[str, Planted]:
    """Plant an element, an attribute, or the text or the value of one that is there."""
    root = ElementTree.fromstring(text)
    paths = {root: ()} | dict.fromkeys(root.iter(), ())
    for parent in root.iter():
        for child in parent:
            paths[child] = (*paths[parent], child.tag)
    element = random.choice(list(root.iter()))
    how = random.choice(("element", "attribute", "text", "value"))
    where: tuple[Any, ...] = paths[element]
    names: tuple[str, ...] = (f"<{element.tag}>",)
    if how == "element":
        ElementTree.SubElement(element, token).text = random.choice((token, "1"))
        where = (*where, token)
    elif how == "attribute" or (not element.attrib and len(element)):
        element.set(token, "1")
        where = (*where, f"@{token}")
    elif how == "text" or not element.attrib:
        element.text = token
    else:
        name = random.choice(list(element.attrib))
        element.set(name, token)
        where, names = (*where, f"@{name}"), (f"'{name}'",)
    return ElementTree.tostring(root, "unicode"), Planted(where, names)


def in_rows(text: str, random: Random, token: str) -> tuple[str, Planted]:
    """Plant a column, a cell, a further cell or a row."""
    rows = list(csv.reader(io.StringIO(text)))
    headed = rows[0][0] in ("image", "filename")
    how = random.choice(("column", "cell", "further", "row"))
    row = random.randrange(headed, len(rows))
    names: tuple[str, ...] = ()
    if how == "column" and headed:
        rows = [[*cells, token if cells is rows[0] else random.choice(("x", token, "1"))] for cells in rows]
    elif how == "row":
        rows.append([f"{token}.png", *rows[-1][1:]])
    elif how == "further":
        rows[row] = [*rows[row], token]
        names = ("more cells",)
    else:
        column = random.randrange(len(rows[row]))
        rows[row][column] = token
        names = (f"'{rows[0][column]}'", f"The {rows[0][column]} ") if headed else ()
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue(), Planted((how,), names)


def in_words(text: str, random: Random, token: str) -> tuple[str, Planted]:
    """Plant a word, a line, or a word in the place of another."""
    lines = text.splitlines()
    row = random.randrange(len(lines))
    words = lines[row].split()
    how = random.choice(("word", "line", "other"))
    if how == "line":
        lines.insert(row, token)
    else:
        words[random.randrange(len(words)) if how == "other" else len(words) :] = [token]
        lines[row] = " ".join(words)
    return "\n".join(lines) + "\n", Planted((how, row), ())


def beside(files: dict[str, Any], random: Random, token: str) -> Planted:
    """Add a file that no format reads to one of the folders of the files, or to a new one."""
    folder = random.choice(sorted({"", "more/", *(name.rpartition("/")[0] + "/" for name in files if "/" in name)}))
    ending, content = random.choice(sorted(_OTHERS.items()))
    files[f"{folder}{token}{ending}"] = content
    return Planted((folder, ending), ())


@dataclass(frozen=True)
class Input:
    """Files of a format, the path to read, and how a token is planted in the files ``changed``, or beside them."""

    read: str
    files: dict[str, Any]
    plant: _Plant | None = None
    changed: tuple[str, ...] = ()

    def write(self, folder: Path, random: Random, token: str | None) -> tuple[Path, Planted]:
        """Write the files, with a token unless it is None, and return the path to read."""
        planted, files = Planted((), ()), dict(self.files)
        if token and self.plant is None:
            planted = beside(files, random, token)
        elif token:
            name = random.choice(self.changed)
            files[name], planted = self.plant(files[name], random, token)
            if self.plant is in_words:  # a file with an error is named, with the line
                planted = replace(planted, names=(name.rpartition("/")[2],))
            elif name.endswith(".manifest"):
                line = planted.where[0] + 1 if planted.where else len(files[name])
                planted = replace(planted, names=(*planted.names, f"line {line} is not read"))
        _write(folder, files)
        return folder / self.read, planted


def _write(folder: Path, files: dict[str, Any]) -> None:
    for number, (name, content) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".png"):
            pixels = np.random.default_rng(number).integers(0, 255, (20, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        elif name.endswith(".manifest"):
            # the images of a manifest are found from the working folder
            lines = [json.dumps(line).replace('"source-ref": "', f'"source-ref": "{folder}/') for line in content]
            path.write_text("\n".join(lines))
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))


def _one(name: str, content: Any, plant: _Plant) -> Input:
    return Input(name, {**dict.fromkeys(PHOTOS, ""), name: content}, plant, (name,))


_FILES = {
    "coco": _one("coco.json", COCO, in_json),
    "label_studio": _one("tasks.json", TASKS, in_json),
    "label_studio_min": _one("records.json", RECORDS, in_json),
    "labelme": _one("a.json", LABELME, in_json),
    "custom_vision": _one("files.json", CUSTOM_VISION, in_json),
    "cvat": _one("annotations.xml", CVAT, in_xml),
    "voc": _one("a.xml", VOC, in_xml),
    "manifest": _one("all.manifest", _MANIFEST, in_json),
    "csv": _one("all.csv", _FULL, in_rows),
    "csv of tags": _one("tags.csv", _TAGS, in_rows),
    "csv of corners": _one("corners.csv", _CORNERS, in_rows),
    "csv without a header": _one("bare.csv", _BARE, in_rows),
    "yolo": Input("", _YOLO, in_words, ("data.yaml", "labels/a.txt", "labels/b.txt")),
}
_BY_LABEL = {"cat/a.png": "", "dog/b.png": ""}
#: Inputs of all formats, and folders of them beside which a file is planted.
INPUTS = {
    **_FILES,
    **{f"folder of {name}": Input("", each.files) for name, each in _FILES.items()},
    "folders of labels": Input("", _BY_LABEL),
    "folders of labels in splits": Input(
        "", {f"{split}/{name}": "" for split in ("train", "val") for name in _BY_LABEL}
    ),
}
