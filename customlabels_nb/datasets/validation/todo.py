"""To-do list from the findings of a validation, most useful tasks first, with advice for each code."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.datasets.formats.manifest_values import CONSEQUENCES
from customlabels_nb.datasets.validation.manifest_findings import CheckedLine, CheckedManifest, CheckedManifests

#: Repairs that only drop data and do not make any lines usable.
_LEAVE_OUT = frozenset({"drop_lines", "drop_bad_images", "drop_unannotated", "keep_one_bucket"})
_FIRST_LINES = 5


@dataclass(frozen=True)
class Task:
    """All findings with the same code. ``frees`` counts the lines that are unusable only because of it."""

    split: str
    code: str
    message: str
    lines: int = 0
    frees: int = 0
    first_lines: tuple[int, ...] = ()
    detail: str = ""

    @property
    def advice(self) -> _Remedy:
        return ADVICE[self.code]

    @property
    def where(self) -> str:
        """Numbers of the first lines, such as ``3, 7, 9, …``, or ``detail`` if there are no lines."""
        numbers = ", ".join(map(str, self.first_lines))
        return self.detail if not self.lines else numbers + (", …" if self.lines > len(self.first_lines) else "")


def tasks(checked: CheckedManifests) -> list[Task]:
    """List the tasks for manifests as a whole, then for errors and warnings on lines, most freed lines first."""
    sides = [(t.TRAIN, checked.train), *([(t.TEST, checked.test)] if checked.test else [])]
    errors = [("", error) for error in checked.errors] + [
        (split, error) for split, side in sides for error in side.errors
    ]
    whole = [Task(split, error.code, error.message, detail=error.detail) for split, error in errors]
    of_lines = [task for split, side in sides for task in _of_lines(split, side)]
    of_lines.sort(key=lambda task: (task.code.startswith("WARNING_"), -task.frees, -task.lines))
    return whole + of_lines


def _of_lines(split: str, manifest: CheckedManifest) -> Iterator[Task]:
    messages: dict[str, str] = {}
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for line in manifest.lines:
        for code, message in {error.code: error.message for error in reversed(line.findings)}.items():
            messages.setdefault(code, message)
            numbers[code].append(line.number)
    frees = Counter(map(_only_cause, manifest.lines))
    for code in (code for code in CODES if code in numbers):
        line_numbers = numbers[code]
        yield Task(split, code, messages[code], len(line_numbers), frees[code], tuple(line_numbers[:_FIRST_LINES]))


def _only_cause(line: CheckedLine) -> str | None:
    """Return the only code that makes a line unusable, or None if it is usable or has several causes."""
    if line.state == "valid":
        return None
    codes = dict.fromkeys(error.code for error in line.findings)
    causes = [code for code in codes if code not in CONSEQUENCES] or list(codes)[:1]
    return causes[0] if len(causes) == 1 else None


def first_step(tasks: Sequence[Task]) -> str:
    """Describe the first step, usually the repair that makes the most lines usable, or return an empty string."""
    for task in tasks:
        mends = [repair for repair in task.advice.repairs if repair not in _LEAVE_OUT]
        if task.frees and mends:
            split = "" if task.split == t.TRAIN else f', split="{task.split}"'
            lines = "1 line" if task.frees == 1 else f"{task.frees:,} lines"
            return f'First: report.fix("{mends[0]}"{split}) makes up to {lines} usable.'
    if tasks and tasks[0].code == "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST":  # caused by errors on the lines
        tasks = sorted(tasks, key=lambda task: not task.frees)
    return f"First: {tasks[0].advice.text}" if tasks else ""


@dataclass(frozen=True)
class _Remedy:
    """Advice for a code, with the names for ``report.fix``, best first."""

    text: str
    repairs: tuple[str, ...] = ()


#: Code → advice. Codes with the same cause have the same advice.
ADVICE: dict[str, _Remedy] = {
    # the file as a whole
    "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT": _Remedy(
        "Check the path, that its name has an extension such as .manifest, and that each line is one JSON object."
    ),
    "ERROR_MANIFEST_IS_EMPTY": _Remedy('Write lines to the manifest, for example with dataset.to("ground_truth", …).'),
    "ERROR_MANIFEST_SIZE_TOO_LARGE": _Remedy(
        "Use fewer images with dataset.sample(…), or remove unused attributes, until the file is at most 1 GB."
    ),
    "ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM": _Remedy("Use fewer images: dataset.sample(250_000)."),
    "ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET": _Remedy("Allow read access to the bucket of the manifest."),
    "ERROR_TOO_MANY_RECORDS_IN_ERROR": _Remedy(
        'More than half of the lines do not name an image. Correct them, or use fix("drop_lines") to drop them.',
        ("drop_lines",),
    ),
    "ERROR_MANIFEST_TOO_MANY_LABELS": _Remedy("Merge labels, or drop some, with dataset.relabel({…})."),
    "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE": _Remedy(
        "Label more images: a label needs two images to be in both the training and the test set."
    ),
    # the manifest's contents
    "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST": _Remedy(
        'Correct the lines below. fix("drop_lines") drops lines that no other repair fixes.', ("drop_lines",)
    ),
    "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS": _Remedy(
        'Copy all images to one bucket, or use fix("keep_one_bucket") to drop images in other buckets.',
        ("keep_one_bucket",),
    ),
    "ERROR_INVALID_PERMISSIONS_IMAGES_S3_BUCKET": _Remedy("Allow read access to the bucket of the images."),
    "ERROR_INVALID_IMAGES_S3_BUCKET_OWNER": _Remedy("Copy the images to a bucket of the account used for training."),
    "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT": _Remedy(
        "Label more images with the rare labels, or provide a separate test manifest."
    ),
    "ERROR_MANIFEST_TOO_FEW_LABELS": _Remedy(
        "Use at least two labels (one is enough for boxes), because a classifier has to tell classes apart."
    ),
    "ERROR_INSUFFICIENT_LABEL_OVERLAP": _Remedy(
        "Add images with the missing labels to the test set: project.distribute() splits the images so that each label "
        "is in both sets."
    ),
    "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS": _Remedy("Correct the lines below: the usable lines have too few labels."),
    "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP": _Remedy(
        "Correct the lines with labels that are missing from one of the sets, or distribute the images again."
    ),
    "ERROR_FAILED_IMAGES_S3_COPY": _Remedy("Check that the images exist and may be read, and try again."),
    # one line
    "ERROR_INVALID_JSON_LINE": _Remedy(
        'Write the line as one JSON object, or use fix("drop_lines") to drop it.', ("drop_lines",)
    ),
    "ERROR_MISSING_SOURCE_REF": _Remedy(
        'Set "source-ref" to the image, or use fix("drop_lines") to drop the line.', ("drop_lines",)
    ),
    "ERROR_INVALID_SOURCE_REF_FORMAT": _Remedy(
        'List each image once, for Rekognition as s3://bucket/key (for local images, use profile="local", or '
        'dataset.validate("rekognition"), which treats them as uploaded). fix("drop_lines") drops the line.',
        ("drop_lines",),
    ),
    "ERROR_NO_LABEL_ATTRIBUTES": _Remedy(
        'Each attribute needs its "…-metadata", and vice versa: fix("drop_bad_attributes") drops incomplete ones.',
        ("drop_bad_attributes", "drop_lines"),
    ),
    "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT": _Remedy(
        'Correct the attribute (an integer, or image_size and annotations), or use fix("drop_bad_attributes") to '
        "drop it.",
        ("drop_bad_attributes", "drop_lines"),
    ),
    "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT": _Remedy(
        'Complete the metadata, or use fix("drop_bad_attributes") to drop the attribute.',
        ("drop_bad_attributes", "drop_lines"),
    ),
    "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE": _Remedy(
        'Each box needs an object with its confidence: fix("assume_confidence") sets missing ones to 1.',
        ("assume_confidence", "drop_lines"),
    ),
    "ERROR_MISSING_CLASS_MAP_ID": _Remedy(
        'Give each class id a name in "class-map", or use fix("drop_unnamed_boxes") to drop the boxes without a name.',
        ("drop_unnamed_boxes", "drop_lines"),
    ),
    "ERROR_UNSUPPORTED_USE_CASE_TYPE": _Remedy(
        'Only image-level labels and boxes are supported: fix("drop_unsupported") drops the other attributes.',
        ("drop_unsupported", "drop_lines"),
    ),
    "ERROR_INVALID_LABEL_NAME_LENGTH": _Remedy(
        'Labels must have 1 to 256 characters: fix("shorten_labels") shortens long labels and drops empty ones.',
        ("shorten_labels", "drop_lines"),
    ),
    "ERROR_NO_VALID_LABEL_ATTRIBUTES": _Remedy(
        'Label the image again, or use fix("drop_lines") to drop the line.', ("drop_lines",)
    ),
    "ERROR_INVALID_IMAGE": _Remedy(
        "Check that the image exists, is a JPEG or PNG within the size limits, and has the size in image_size. "
        'fix("drop_bad_images") drops it.',
        ("drop_bad_images", "drop_lines"),
    ),
    "ERROR_INVALID_IMAGE_DIMENSION": _Remedy(
        'Scale the image and its boxes to 64 to 4,096 pixels per side, or use fix("drop_bad_images") to drop it.',
        ("drop_bad_images", "drop_lines"),
    ),
    "ERROR_INVALID_BOUNDING_BOX": _Remedy(
        'fix("clip_boxes") clips the boxes to the image, fix("drop_off_frame_boxes") drops them.',
        ("clip_boxes", "drop_off_frame_boxes"),
    ),
    "ERROR_BOUNDING_BOX_TOO_SMALL": _Remedy(
        'Draw the boxes again, or use fix("drop_small_boxes") to drop them.', ("drop_small_boxes",)
    ),
    "ERROR_TOO_MANY_BOUNDING_BOXES": _Remedy(
        'fix("drop_excess_boxes") keeps the boxes with the highest confidence, up to the limit.', ("drop_excess_boxes",)
    ),
    "ERROR_TOO_MANY_LABELS": _Remedy(
        'Remove some labels from the image, or use fix("drop_lines") to drop the line.', ("drop_lines",)
    ),
    "ERROR_NO_VALID_ANNOTATIONS": _Remedy(
        'Correct the boxes on the line, or use fix("drop_lines") to drop it.', ("drop_lines",)
    ),
    # polygons of a dataset
    **dict.fromkeys(
        ("POLYGON_TOO_FEW_POINTS", "POLYGON_NO_AREA", "POLYGON_SELF_INTERSECTING", "POLYGON_OFF_FRAME"),
        _Remedy(
            'fix("mend_polygons") clips polygons to the image and splits them where their edges cross, '
            'fix("drop_bad_polygons") keeps only their boxes. Or draw them again.',
            ("mend_polygons", "drop_bad_polygons"),
        ),
    ),
    # ignored lines
    "WARNING_UNANNOTATED_RECORD": _Remedy(
        'Label the images, or use fix("drop_unannotated") to drop them.', ("drop_unannotated",)
    ),
    "WARNING_NO_ANNOTATIONS": _Remedy(
        'Nothing to do if the images show no objects. fix("drop_unannotated") drops them.', ("drop_unannotated",)
    ),
    "WARNING_NO_ATTRIBUTE_ANNOTATIONS": _Remedy(
        'Draw the boxes, or use fix("drop_unannotated") to drop these images.', ("drop_unannotated",)
    ),
}
