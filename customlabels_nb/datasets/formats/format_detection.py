"""Detect the format of a file or folder, and find annotations beside images.

A folder is read if it has a known layout, contains one file of annotations, or contains nothing but images. A folder
with annotations that cannot be read is refused, because labels guessed from its names would hide them.
"""

from __future__ import annotations

import codecs
import json
import os
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, TypeAlias

from customlabels_nb._utils.text import counted
from customlabels_nb.core.issues import CODES, Issue
from customlabels_nb.core.limits import DICOM_SUFFIXES, IMAGE_SUFFIXES, JPEG_SUFFIXES
from customlabels_nb.core.tables import SPLIT_NAMES
from customlabels_nb.datasets.formats import (
    coco,
    csv_labels,
    custom_vision,
    cvat,
    ground_truth,
    image_folder,
    label_studio,
    labelme,
    voc,
    yolo,
    yolo_classify,
)
from customlabels_nb.datasets.formats.base import Format
from customlabels_nb.datasets.formats.entries import finite
from customlabels_nb.datasets.formats.json_file import empty, shown
from customlabels_nb.datasets.formats.manifest_lines import UNUSABLE
from customlabels_nb.datasets.formats.other_tools import other_tool
from customlabels_nb.datasets.formats.zip_files import other_members
from customlabels_nb.errors import ArchiveError, InputError, ManifestError
from customlabels_nb.images.listing import FoundFiles, is_hidden, read_folder
from customlabels_nb.images.locations import is_remote, to_path, to_uri

FormatName: TypeAlias = Literal[
    "ground_truth", "coco", "custom_vision", "label_studio", "label_studio_min", "yolo", "cvat", "voc", "labelme",
    "csv", "yolo_classify", "image_folder",
]  # fmt: skip
#: Formats by name, in the order in which format detection tries them.
FORMATS: dict[str, Format] = {
    format_.name: format_
    for format_ in (
        ground_truth.FORMAT, coco.FORMAT, custom_vision.FORMAT, label_studio.FORMAT, label_studio.RECORDS, yolo.FORMAT,
        cvat.FORMAT, voc.FORMAT, labelme.FORMAT, csv_labels.FORMAT, yolo_classify.FORMAT, image_folder.FORMAT,
    )
}  # fmt: skip
#: Formats that take the labels from the names of folders.
FOLDERS = (yolo_classify.FORMAT, image_folder.FORMAT)

_TEXTS = frozenset({
    ".json", ".jsonl", ".ndjson", ".manifest", ".csv", ".tsv", ".txt", ".xml", ".yaml", ".yml", ".names", ".data",
    ".lst", ".list", ".ini", ".gt", "",
})  # fmt: skip
_DATA = frozenset({
    ".mat", ".npy", ".npz", ".pkl", ".pickle", ".tfrecord", ".tfrecords", ".record", ".parquet", ".arrow", ".h5",
    ".hdf5", ".lmdb", ".mdb",
})  # fmt: skip
# files for each image, of one type
_PAIRED = frozenset({".txt", ".xml", ".csv", ".tsv", ".gt", ".pts", ".ann", ".bbox", ".lab", ".mat", ".npy", ".npz"})
_ANNOTATION_NAME = re.compile(
    r"(data|dataset)\.ya?ml|labels?\.(csv|tsv|txt|json|xml|xlsx?|zip)(\.gz)?"
    r"|_?annotations?(\..+)?\.(csv|tsv|txt|json|jsonl|xml|xlsx?|zip)(\.gz)?"
    r"|instances_.*\.json|.*\.manifest|_classes\.csv|metadata\.(jsonl|csv)|gt(_.*)?\.(txt|csv|json)|.*_gt\.(txt|csv|json)"
)
# notes of people, and what this package writes for people
_NOTES = re.compile(
    r"(readme|read_me|licen[cs]e|notice|notes?|credits|copying|copyright|changelog|todo|authors|citation)\b.*"
    r"|exif.*\.csv|_journal\.jsonl|_run\.json"
)
#: Names of files without a meaning here, in lower case: notes, and what systems and other programs put beside photos.
_MEANINGLESS = {
    "for people": _NOTES,
    "of a system": re.compile(r"(thumbs|ehthumbs)\.db|desktop\.ini|icon\r|.*\.(lnk|url)"),
    "of a photo program": re.compile(r".*\.(xmp|aae|thm|pp3|dop)"),
    "facts of Google about a photo": re.compile(r".*\.(jpe?g|png|heic|gif|webp)(\.supplemental-metadata)?\.json"),
    "the labels of Ultralytics again": re.compile(r".*\.cache"),
    "names of the labels again": re.compile(r"(classes|labels|labelmap)\.txt|(data|dataset)\.ya?ml"),
}
_RESULTS = re.compile(r".*(predictions?|detections?|results?|answers|metrics|report|confusion_matrix)\b.*")
_CONFIDENCE = re.compile(rb"conf|score|prob", re.IGNORECASE)
_TRUTH_FOLDER = re.compile(r"labels?|annotations?|gt|ground_?truth")
_MASK_FOLDER = re.compile(r"masks?|segmentation.*|.*annot(ation)?s?|labels?|gt|ground_?truth|.*_gt|instances?|panoptic")
_MASK_ENDING = re.compile(r"(_gtfine|_gtcoarse)?_(masks?|seg|segmentation|gt|labels?|labelids|instanceids|l)$")
_PHOTOGRAPHIC = JPEG_SUFFIXES | DICOM_SUFFIXES  # never masks
_MOST_LOOKED_AT, _MOST_ALIKE = 200, 3  # files that are opened in a folder, and in one of its folders with one extension
_HEAD_BYTES, _LARGEST = 2**16, 2**26
_SHOWN, _MOST_LINES = 3, 20
_SPLIT = re.compile(rf"(?<![a-z])({'|'.join(SPLIT_NAMES)})(?![a-z])")
_OTHER_FILES = {
    **dict.fromkeys(IMAGE_SUFFIXES, "it is an image. Pass it to project.add_images"),
    ".zip": "it is a zip file, which has to be unpacked first",
    ".gz": "it is compressed with gzip. Unpack it first",
    **dict.fromkeys((".7z", ".rar", ".tar", ".tgz"), "it is an archive. Unpack it first"),
    **dict.fromkeys(
        (".xlsx", ".xls"), "it is a spreadsheet. Save it as CSV, or pass pd.read_excel(path) to project.add_images"
    ),
    ".parquet": "it is not a Parquet file, or damaged",
}
_WORDS = re.compile(r"[^\s,;:|\"'<>(){}\[\]/\\=]+")


@dataclass(frozen=True)
class Clue:
    """File beside images that holds annotations: the format that reads it, or the reason why it is not read."""

    file: str
    why: str
    format: Format | None = None
    refuses: bool = True  # the folder, unless it is read with labels_from


def is_meaningless(name: str) -> bool:
    """Check whether a file in a folder, named relative to it, has no meaning for its images and labels."""
    file = PurePosixPath(name.lower())
    is_list = "imagesets" in file.parts  # of Pascal VOC, for each split and task
    return is_list or any(names.fullmatch(file.name) for names in _MEANINGLESS.values())


def named_format(name: str) -> Format:
    """Return the format called ``name``, or raise InputError."""
    if not isinstance(name, str) or name not in FORMATS:
        raise InputError(f"format={name!r} is not a known format. Choose one of {list(FORMATS)!r}.")
    return FORMATS[name]


class Detected(NamedTuple):
    """Format of a file or folder, the paths to read with the splits that their names state, and issues.

    The paths are the path itself, or the only file of annotations in the folder, or one file for each split.
    """

    format: Format
    files: dict[Path, str | None]
    issues: Sequence[Issue] = ()


def detect(path: Path, found: FoundFiles | None = None) -> Detected:
    """Find out the format of a file or folder, in which these files were ``found``, or raise ManifestError."""
    for format_ in FORMATS.values():
        if format_ not in FOLDERS and format_.recognise(path):
            return Detected(format_, {path: None})
    if path.is_dir():
        return _detect_in_folder(path, found or read_folder(path))
    if not path.stat().st_size:
        raise empty(path)
    raise ManifestError(
        f"{str(path)!r}: {CODES[UNUSABLE]} ({_why_unread(path)}) It matches none of {', '.join(FORMATS)}. Specify the "
        "format with `format`, or pass a table with the columns image and label to project.add_images.",
        UNUSABLE,
    )


def _detect_in_folder(folder: Path, found: FoundFiles) -> Detected:
    top = to_uri(folder)
    clues = list(annotation_files(found.images, found.others, top))
    if readable := _files_to_read(clues, folder):
        return readable
    if refusing := [clue for clue in clues if clue.refuses]:
        raise _refusal(folder, refusing)
    chosen = next(format_ for format_ in FOLDERS if format_.recognise(folder))
    return Detected(chosen, {folder: None}, _issues_of(clues, top))


def _files_to_read(clues: Sequence[Clue], folder: Path) -> Detected | None:
    """Return the only file of annotations, or those of the splits, or None if there are none or others."""
    readable = {to_path(clue.file): clue.format for clue in clues if clue.format is not None}
    formats = list(dict.fromkeys(readable.values()))
    instances = {file: each for file, each in readable.items() if file.name.startswith("instances_")}
    if formats == [coco.FORMAT] and instances:  # the download of COCO has captions and keypoints of the same images
        readable = instances
    stated = {file: _split_in(file.relative_to(os.path.abspath(folder))) for file in readable}
    if len(formats) != 1 or (len(readable) > 1 and len(set(stated.values()) - {""}) < len(stated)):
        return None
    return Detected(formats[0], {file: SPLIT_NAMES.get(name) for file, name in stated.items()})


def _refusal(folder: Path, clues: Sequence[Clue]) -> ManifestError:
    """Create the error for a folder with annotations that are not read, or with several files that could be."""
    readable = [clue for clue in clues if clue.format is not None]
    shown = readable or clues
    how = "Read one of these files" if readable else "Mend or remove them, or read one with format="
    first = (
        f"{str(folder)!r} contains annotations that are not read with the folder. {how}, with images={str(folder)!r} "
        "if its images are elsewhere. To use the names of the folders as labels, pass labels_from='folders'."
    )
    lines = [f"- {clue.file}: {clue.why}" for clue in shown[:_SHOWN]]
    more = [f"- and {len(shown) - _SHOWN:,} more"] if len(shown) > _SHOWN else []
    return ManifestError("\n".join([first, *lines, *more]), UNUSABLE)


def _split_in(path: Path) -> str:
    """Return the name of the split, such as "valid", that the name of a file or of its folders states, or ""."""
    return next(reversed(_SPLIT.findall(path.as_posix().lower())), "")


# -- annotations beside images ----------------------------------------------------------------------
def issues_beside(images: Sequence[str], others: Sequence[str], top: str) -> list[Issue]:
    """Report the annotations in the folder ``top``, when its labels are the names of its folders."""
    return _issues_of(annotation_files(images, others, top), top)


def _issues_of(clues: Iterable[Clue], top: str) -> list[Issue]:
    return [Issue("ENTRY_UNREADABLE", f"It may hold annotations: {clue.why}", clue.file, top) for clue in clues]


def annotation_files(images: Sequence[str], others: Sequence[str], top: str) -> Iterator[Clue]:
    """Yield the files that hold annotations, among ``others`` in the folder ``top`` with these images."""
    names = {image.rpartition("/")[2] for image in images} if others else set()
    stems = {posixpath.splitext(name)[0] for name in names}
    for file in _to_look_at(others, top):
        if clue := _clue(file, names, stems):
            yield clue
    yield from _paired_files(others, stems)
    yield from _masks(images, top)


def _to_look_at(others: Sequence[str], top: str) -> Iterator[str]:
    """Yield the files that may hold annotations, the uppermost first and only a few of many that are alike."""
    alike = Counter[tuple[str, str]]()
    below = len(top.rstrip("/")) + 1
    chosen = []
    for file in sorted(others, key=lambda file: (file.count("/"), file)):
        path = PurePosixPath(file[below:])
        kind = str(path.parent), path.suffix.lower()
        alike[kind] += 1
        few = kind[1] in _TEXTS | _DATA | {".zip"} and alike[kind] <= _MOST_ALIKE
        if few or _ANNOTATION_NAME.fullmatch(path.name.lower()):
            chosen.append(file)
    yield from islice(chosen, _MOST_LOOKED_AT)


def _clue(file: str, names: set[str], stems: set[str]) -> Clue | None:
    """Decide whether a file holds annotations of images with these names. The first rule counts.

    1. Notes and results of models: no, unless it is a JSON file of a format, such as Label Studio's result.json.
    2. A file that cannot be opened: yes, if it has a usual name of annotations.
    3. A zip file with annotations: yes, but only with an issue, because it may be a copy of the folder.
    4. A list of the labels that the folders have: no.
    5. A file that a format recognises: yes.
    6. A file that :func:`_why_not_read` has a reason for: yes, but it is not read.
    """
    name = PurePosixPath(file).name.lower()
    path = None if is_remote(file) else to_path(file)
    notes = _is_note(name, path)
    if path is None or not path.is_file():
        where = "a remote folder" if path is None else "a zip file"
        named = not notes and _ANNOTATION_NAME.fullmatch(name)
        return Clue(file, f"other files of {where} are not read.") if named else None
    if (notes and not name.endswith(".json")) or _names_folders(path):
        return None
    if name.endswith(".zip") and not _ANNOTATION_NAME.fullmatch(name):
        return _clue_of_zip(file, path)
    if format_ := _format_of(path):
        return Clue(file, f"it is a {format_.name!r} file, which is read by itself.", format_)
    why = "" if notes else _why_not_read(path, names, stems)
    return Clue(file, why) if why else None


def _is_note(name: str, path: Path | None) -> bool:
    """Check whether a file has notes, or results of a model, unless these are among labels and have no confidences."""
    if _NOTES.fullmatch(name) or not _RESULTS.fullmatch(name) or path is None or not path.is_file():
        return (_NOTES.fullmatch(name) or _RESULTS.fullmatch(name)) is not None
    among_labels = _TRUTH_FOLDER.fullmatch(path.parent.name.lower())
    return not among_labels or _CONFIDENCE.search(_head(path).partition(b"\n")[0]) is not None


def _clue_of_zip(file: str, path: Path) -> Clue | None:
    """Return a clue if a zip file has a file that may hold annotations."""
    try:
        names = [name for name in other_members(path) if not any(map(is_hidden, name.split("/")))]
    except ArchiveError:
        return None
    paths = [PurePosixPath(name) for name in names]
    kept = [each for each in paths if each.suffix and each.suffix.lower() in _TEXTS | _DATA]
    inner = min((str(each) for each in kept if not _NOTES.fullmatch(each.name.lower())), default=None)
    why = f"it is a zip file with {shown(inner)}. Unpack it first, if it is about these images."
    return None if inner is None else Clue(file, why, refuses=False)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


def _format_of(path: Path) -> Format | None:
    formats = (format_ for format_ in FORMATS.values() if format_ not in FOLDERS and format_.recognise(path))
    return next((format_ for format_ in formats if format_ is not csv_labels.FORMAT or not _is_list(path)), None)


def _why_not_read(path: Path, names: set[str], stems: set[str]) -> str:
    """Return why a file without a known format may hold annotations, or nothing if it does not. The first rule counts.

    1. A file of another tool, or of a type that only programs write.
    2. A file with a usual name of annotations, which cannot be read.
    3. A JSON file that is named after a photo beside it, as phones and Google Takeout write it: no annotations.
       In another folder: annotations.
    4. A file that lists images, in an unknown layout.
    """
    suffix = path.suffix.lower()
    if tool := other_tool(path):
        return f"{tool.name} files are not read. {tool.instead}"
    if suffix in _DATA:
        return f"{path.suffix} files are not read."
    if _ANNOTATION_NAME.fullmatch(path.name.lower()):
        return f"{_why_unread(path)}."
    if suffix == ".json" and (path.stem in stems or path.stem.partition(".supp")[0] in names):
        return "" if _has_photo(path) else "it is named after an image, but its layout is unknown."
    listed = _count_listed(path, names, stems)
    return f"it names {counted(listed, 'image')}, but its layout is unknown." if listed else ""


def _has_photo(path: Path) -> bool:
    """Check whether the folder of a JSON file has another file that starts with its name."""
    photo = path.stem.partition(".supp")[0]
    return any(name.startswith(photo) and name != path.name for name in os.listdir(path.parent))


def _names_folders(path: Path) -> bool:
    """Check whether a file only describes the labels that the folders have."""
    try:
        return path.suffix.lower() in (".yaml", ".yml", ".txt", ".names") and yolo.describes_folders(path)
    except (OSError, ValueError):
        return False


def _is_list(path: Path) -> bool:
    """Check whether the first line of a table has a single cell."""
    with path.open("rb") as file:
        return not re.search(rb"[,;\t|]", file.readline(_HEAD_BYTES))


def _count_listed(path: Path, names: set[str], stems: set[str]) -> int:
    """Count the images that a text names, or return 0 if it is not a list of images."""
    head = _head(path)
    if b"\0" in head:
        return 0
    text = head.decode("utf-8", "replace")
    words = set(_WORDS.findall(text))
    found = {PurePosixPath(name).stem for name in words & names} | {stem for stem in words & stems if len(stem) > 3}
    if path.suffix.lower() in (".csv", ".tsv"):  # numbers of images, which elsewhere may be any numbers
        found |= stems.intersection(re.findall(r"^[\"']?([^,;\t\"']+)", text, re.MULTILINE))
    lines = sum(1 for line in text.split("\n") if line.strip())
    is_list = path.suffix.lower() in (".json", ".xml", ".yaml", ".yml") or len(found) * 4 >= lines
    return len(found) if is_list and len(found) >= min(2, len(stems)) else 0


def _paired_files(others: Sequence[str], stems: set[str]) -> Iterator[Clue]:
    """Yield a clue for each type of files that are named after images.

    One text beside many images is a note, unless it has rows of numbers.
    """
    paired = defaultdict[str, dict[str, str]](dict)
    for file in others:
        path = PurePosixPath(file)
        stem = path.stem.removeprefix("gt_")
        if stem in stems and path.suffix.lower() in _PAIRED:
            paired[path.suffix.lower()].setdefault(stem, file)
    for suffix, files in paired.items():
        count = f"{counted(len(files), 'image has', 'images have')} a {suffix} file of the same name"
        first, why = min(files.values()), "but their layout is unknown."
        local = [path for path in map(to_path, islice(sorted(files.values()), _MOST_ALIKE)) if not is_remote(first)]
        if suffix == ".txt" and local and all(map(yolo.is_label_file, local)):
            why = "with boxes of YOLO. Add their labels, one per line in the order of their numbers, as classes.txt."
        elif suffix == ".txt" and len(files) * 2 < len(stems) and len(files) < 2 and not any(map(_has_rows, local)):
            continue
        yield Clue(first, f"{count}, {why}")


def _has_rows(path: Path) -> bool:
    """Check whether one of the first lines has four numbers."""
    lines = _head(path).decode("utf-8", "replace").split("\n")[:_MOST_LINES]
    return any(sum(finite(word) is not None for word in re.split(r"[\s,;]+", line)) >= 4 for line in lines)


def _masks(images: Sequence[str], top: str) -> Iterator[Clue]:
    """Yield a clue if images have another image of the same name in a folder of masks, or beside them."""
    below = len(top.rstrip("/")) + 1
    photos, masks, labels = set[str](), dict[str, str](), set[str]()
    if {image[image.rfind(".") :] for image in images} <= _PHOTOGRAPHIC:
        return
    for image in images:  # as texts, because a Path of each would take longer than listing them
        folder, _, name = image[below:].lower().rpartition("/")
        stem, suffix = posixpath.splitext(name)
        if suffix not in _PHOTOGRAPHIC and (_MASK_ENDING.search(stem) or _has_masks(folder)):
            masks[_MASK_ENDING.sub("", stem)] = image
        else:
            photos.add(stem.removesuffix("_leftimg8bit"))
            labels.add(folder)
    common = masks.keys() & photos
    about_masks = any("mask" in folder for folder in labels)  # photos of faces with and without masks
    if common and not about_masks:
        many = counted(len(common), "image looks like a mask of another", "images look like masks of others")
        yield Clue(masks[min(common)], f"{many}. Masks are not read.")


@lru_cache(maxsize=1024)
def _has_masks(folder: str) -> bool:
    return any(map(_MASK_FOLDER.fullmatch, folder.split("/")))


# -- reasons ----------------------------------------------------------------------------------------
def _why_unread(path: Path) -> str:
    """Return the reason why no format recognises a file, as a clause without a full stop."""
    ending = path.suffix.lower()
    if ending in _OTHER_FILES:
        return _OTHER_FILES[ending]
    if tool := other_tool(path):
        return f"it is a file of {tool.name}, which is not read. {tool.instead.removesuffix('.')}"
    if ending in (".yaml", ".yml"):
        return yolo.why_unread(path)
    try:
        if path.stat().st_size > _LARGEST:
            return "its layout is unknown"
        data = path.read_bytes()
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "it is UTF-16 text. Save it as UTF-8, or pass format='csv' and encoding='utf-16' for a CSV file"
        if b"\0" in data and ending in _TEXTS:
            return f"it is not text: byte {data.index(0):,} is NUL. Save it as text again"
        text = data.decode("utf-8-sig")
        if ending == ".json":
            json.loads(text)
        if ending in (".csv", ".tsv"):
            first = text[:200].strip().partition("\n")[0].strip()
            return f"it has no columns image and label: {shown(first)}. Rename its columns"
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 text: byte {error.start:,} is {error.object[error.start]:#04x}. Save it as UTF-8"
    except json.JSONDecodeError as error:
        return f"it is not valid JSON in line {error.lineno}: {error.msg}"
    except RecursionError:
        return "its arrays are nested too deeply"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return "its layout is unknown"
