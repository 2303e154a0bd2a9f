"""Recognise annotation files of tools whose formats are not read, so that a message can say what to export instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from customlabels_nb.core.limits import IMAGE_SUFFIXES
from customlabels_nb.datasets.formats.json_file import outer_keys


class OtherTool(NamedTuple):
    """Tool whose files are not read, and what to do instead."""

    name: str
    instead: str


@dataclass(frozen=True)
class _Start:
    """Start of a file: its text, the keys of a JSON object, and those of the first object in a JSON array."""

    name: str
    keys: Mapping[str, str]
    first: Mapping[str, str]
    text: str

    def has(self, *words: str) -> bool:
        return all(f'"{word}"' in self.text for word in words)

    def line(self, pattern: str) -> bool:
        return re.match(pattern, self.text) is not None


_LOOKED_AT = 100  # keys
_ENDINGS = tuple(IMAGE_SUFFIXES)
_COCO = "Export COCO instead."
# type, truncated, occluded, alpha, the 4 corners, and 7 numbers in 3D, with an optional score
_KITTI = r"[A-Za-z]\w* -?\d+(\.\d+)? -?\d+( -?\d+(\.\d*)?(e[+-]?\d+)?){12,13}\s*(\n|$)"
_LABELS_BY_FILE = (
    "Read it with labels = json.load(open(path)), and convert it with pd.DataFrame({'image': labels.keys(), 'label': "
    "labels.values()}) for project.add_images or cl.evaluate."
)
_FACTS_BY_FILE = (
    "Read it with facts = json.load(open(path)), and convert it with pd.DataFrame.from_dict(facts, orient='index')"
    ".rename_axis('image').reset_index(), which needs a column 'label'."
)
_FILES_BY_LABEL = (
    "Read it with labels = json.load(open(path)), and convert it with pd.DataFrame([(image, label) for label in labels "
    "for image in labels[label]], columns=['image', 'label'])."
)


def _has_files_as_keys(keys: Mapping[str, str]) -> bool:
    """Check whether the keys of a JSON object are names of images."""
    return bool(keys) and all(name.lower().endswith(_ENDINGS) for name in [*keys][:_LOOKED_AT])


def _has_lists_of_files(start: _Start) -> bool:
    """Check whether the values of a JSON object are lists, the first one of names of images."""
    first = re.search(r'\[\s*"([^"]+)"', start.text)
    several = len(start.keys) > 1 and {*start.keys.values()} == {"["}
    return several and first is not None and first[1].lower().endswith(_ENDINGS)


TOOLS: dict[OtherTool, Callable[[_Start], bool]] = {
    OtherTool("Create ML", "Export COCO or Pascal VOC instead."):
        lambda start: "annotations" in start.first and start.has("coordinates"),
    OtherTool("detectron2", "Convert it with detectron2.data.datasets.convert_to_coco_json."):
        lambda start: {"file_name", "annotations"} <= start.first.keys() or start.has("bbox_mode"),
    OtherTool("Hasty", _COCO): lambda start: "label_classes" in start.keys,
    OtherTool("Supervisely", _COCO):
        lambda start: {"classes", "tags"} <= start.keys.keys() or {"objects", "size"} <= start.keys.keys()
        or start.has("classTitle", "exterior"),
    OtherTool("FiftyOne", "Export it with dataset.export(…, dataset_type=fo.types.COCODetectionDataset)."):
        lambda start: "samples" in start.keys or start.has("sample_fields", "media_type")
        or start.keys.keys() == {"classes", "labels"},
    OtherTool("VGG Image Annotator", _COCO): lambda start: start.has("regions", "file_attributes")
        or start.line(r".*\bregion_shape_attributes\b|# (Exported using VGG|CSV_HEADER = metadata_id)"),
    OtherTool("Labelbox", "Convert it to COCO with Labelbox's converter."):
        lambda start: "Labeled Data" in start.first or start.has("data_row"),
    OtherTool("Datumaro", "Convert it with 'datum convert -f coco'."):
        lambda start: {"items", "categories"} <= start.keys.keys(),
    OtherTool("Darwin (V7)", _COCO): lambda start: {"item", "annotations"} <= start.keys.keys(),
    OtherTool("VoTT", "Export Pascal VOC or CSV instead."):
        lambda start: {"assets", "tags"} <= start.keys.keys() or {"asset", "regions"} <= start.keys.keys(),
    OtherTool("COCO captions", "Captions are not labels."):
        lambda start: "annotations" in start.keys and start.has("caption"),
    OtherTool("COCO results", "With truth='coco.json', the COCO file with its images and categories, it is read."):
        lambda start: {"image_id", "category_id", "score"} <= start.first.keys(),
    OtherTool("Hugging Face ImageFolder", "Load it with the package 'datasets' and pass it to cl.from_huggingface."):
        lambda start: start.name.startswith("metadata.") and start.line(r'\s*(\{.*"file_name"|file_name\b)'),
    OtherTool("Open Images", _COCO): lambda start: start.line("ImageID,Source,LabelName"),
    OtherTool("KITTI", "Convert it to COCO or Pascal VOC."): lambda start: start.line(_KITTI),
    OtherTool("facts by file name", _FACTS_BY_FILE):
        lambda start: {*start.keys.values()} == {"{"} and _has_files_as_keys(start.keys),
    OtherTool("labels by file name", _LABELS_BY_FILE): lambda start: _has_files_as_keys(start.keys),
    OtherTool("files by label", _FILES_BY_LABEL): _has_lists_of_files,
    OtherTool("Turi Create", "Export it with SFrame.export_csv."): lambda start: start.name == "dir_archive.ini",
}  # fmt: skip


def other_tool(path: Path) -> OtherTool | None:
    """Return the tool that wrote an annotation file, if it is one whose files are not read."""
    (keys, text), (first, _) = outer_keys(path), outer_keys(path, of_first=True)
    start = _Start(path.name.lower(), keys, first, text)
    return next((tool for tool, matches in TOOLS.items() if matches(start)), None)
