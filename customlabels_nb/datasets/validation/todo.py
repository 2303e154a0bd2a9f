"""What to do about the findings of a validation, the most useful first, and what a person can do about each code."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import CODES
from customlabels_nb.datasets.formats.manifest_values import CONSEQUENCES
from customlabels_nb.datasets.validation.manifest_findings import CheckedLine, CheckedManifest, CheckedManifests

#: Repairs by which nothing becomes usable that wasn't.
_LEAVE_OUT = frozenset({"drop_lines", "drop_bad_images", "drop_unannotated", "keep_one_bucket"})
_FIRST_LINES = 5


@dataclass(frozen=True)
class Task:
    """All findings of one code in one manifest.

    Attributes
    ----------
    split : {"train", "test", ""}
        The manifest; empty where it is both of them.
    code, message : str
        The message as the first of them has it.
    lines : int
        How many lines have it; 0 where it concerns the manifest as a whole.
    frees : int
        How many lines are not used for this reason alone.
    first_lines : tuple of int
        Numbers of the first few.
    detail : str
        What the message doesn't tell about a manifest as a whole.
    """

    split: str
    code: str
    message: str
    lines: int = 0
    frees: int = 0
    first_lines: tuple[int, ...] = ()
    detail: str = ""

    @property
    def advice(self) -> _Remedy:
        """What to do about it."""
        return ADVICE[self.code]

    @property
    def where(self) -> str:
        """The first lines as text, ``3, 7, 9, …``; of a manifest as a whole the detail."""
        numbers = ", ".join(map(str, self.first_lines))
        return self.detail if not self.lines else numbers + (", …" if self.lines > len(self.first_lines) else "")


def tasks(checked: CheckedManifests) -> list[Task]:
    """What concerns whole manifests, then the lines' errors and warnings, those whose cure frees most lines first."""
    sides = [(t.TRAIN, checked.train), *([(t.TEST, checked.test)] if checked.test else [])]
    found = [("", one) for one in checked.errors] + [(split, one) for split, side in sides for one in side.errors]
    whole = [Task(split, one.code, one.message, detail=one.detail) for split, one in found]
    of_lines = [task for split, side in sides for task in _of_lines(split, side)]
    of_lines.sort(key=lambda task: (task.code.startswith("WARNING_"), -task.frees, -task.lines))
    return whole + of_lines


def _of_lines(split: str, manifest: CheckedManifest) -> Iterator[Task]:
    messages: dict[str, str] = {}
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for line in manifest.lines:
        for code, message in {found.code: found.message for found in reversed(line.findings)}.items():
            messages.setdefault(code, message)
            numbers[code].append(line.number)
    frees = Counter(map(_only_cause, manifest.lines))
    for code in (code for code in CODES if code in numbers):
        own = numbers[code]
        yield Task(split, code, messages[code], len(own), frees[code], tuple(own[:_FIRST_LINES]))


def _only_cause(line: CheckedLine) -> str | None:
    """The code without which the line would be used; None if it is used, or has several causes."""
    if line.state == "valid":
        return None
    codes = dict.fromkeys(found.code for found in line.findings)
    causes = [code for code in codes if code not in CONSEQUENCES] or list(codes)[:1]
    return causes[0] if len(causes) == 1 else None


def first_step(found: Sequence[Task]) -> str:
    """What to do first, in a sentence: the repair by which most lines become usable; empty if nothing is to do."""
    for task in found:
        mends = [repair for repair in task.advice.repairs if repair not in _LEAVE_OUT]
        if task.frees and mends:
            split = "" if task.split == t.TRAIN else f', split="{task.split}"'
            lines = "1 line" if task.frees == 1 else f"{task.frees:,} lines"
            return f'First: report.fix("{mends[0]}"{split}) makes up to {lines} usable.'
    if found and found[0].code == "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST":  # which the lines are the reason for
        found = sorted(found, key=lambda task: not task.frees)
    return f"First: {found[0].advice.text}" if found else ""


@dataclass(frozen=True)
class _Remedy:
    """What to do.

    Attributes
    ----------
    text : str
        One sentence; it names the repairs as they are called.
    repairs : tuple of str
        Names for ``report.fix``, the best first.
    """

    text: str
    repairs: tuple[str, ...] = ()


#: Code → what to do. Several codes have one cause, and then one cure.
ADVICE: dict[str, _Remedy] = {
    # the file as a whole
    "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT": _Remedy(
        "Check the path, that its name has an ending such as .manifest, and that each line is one JSON object."
    ),
    "ERROR_MANIFEST_IS_EMPTY": _Remedy('Write lines to it: dataset.to("ground_truth", …) does.'),
    "ERROR_MANIFEST_SIZE_TOO_LARGE": _Remedy(
        "Take fewer images with dataset.sample(…), or leave out attributes that nobody needs, until it is within 1 GB."
    ),
    "ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM": _Remedy("Take fewer images: dataset.sample(250_000)."),
    "ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET": _Remedy("Allow reading the bucket that the manifest lies in."),
    "ERROR_TOO_MANY_RECORDS_IN_ERROR": _Remedy(
        'More than half of the lines name no image: mend them, or fix("drop_lines") leaves them out.', ("drop_lines",)
    ),
    "ERROR_MANIFEST_TOO_MANY_LABELS": _Remedy("Merge labels, or drop some, with dataset.relabel({…})."),
    "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE": _Remedy(
        "Label more images: a label needs two of them to stand on both sides."
    ),
    # the manifest's contents
    "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST": _Remedy(
        'Mend the lines below; fix("drop_lines") leaves out what no other repair mends.', ("drop_lines",)
    ),
    "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS": _Remedy(
        'Copy all images to one bucket, or fix("keep_one_bucket") leaves out those that lie elsewhere.',
        ("keep_one_bucket",),
    ),
    "ERROR_INVALID_PERMISSIONS_IMAGES_S3_BUCKET": _Remedy("Allow reading the bucket that the images lie in."),
    "ERROR_INVALID_IMAGES_S3_BUCKET_OWNER": _Remedy("Copy the images to a bucket of the account that trains."),
    "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT": _Remedy(
        "Label more images of the rare labels, or give a test manifest of your own."
    ),
    "ERROR_MANIFEST_TOO_FEW_LABELS": _Remedy(
        "Label images with at least two labels (one is enough for boxes): a model tells things apart."
    ),
    "ERROR_INSUFFICIENT_LABEL_OVERLAP": _Remedy(
        "Put images of the missing labels into the test set too: project.distribute() splits so that each label is on "
        "both sides."
    ),
    "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS": _Remedy(
        "Mend the lines below: too few labels are left on those that can be used."
    ),
    "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP": _Remedy(
        "Mend the lines of the labels that are missing on one side, or distribute the images anew."
    ),
    "ERROR_FAILED_IMAGES_S3_COPY": _Remedy("Check that the images are there and may be read, and try again."),
    # one line
    "ERROR_INVALID_JSON_LINE": _Remedy(
        'Write the line as one JSON object, or fix("drop_lines") leaves it out.', ("drop_lines",)
    ),
    "ERROR_MISSING_SOURCE_REF": _Remedy(
        'Name the image in "source-ref", or fix("drop_lines") leaves the line out.', ("drop_lines",)
    ),
    "ERROR_INVALID_SOURCE_REF_FORMAT": _Remedy(
        'Name each image once, and for the service as s3://bucket/key (images on this machine: profile="local", or '
        'dataset.validate("rekognition") judges as if they were uploaded); fix("drop_lines") leaves the line out.',
        ("drop_lines",),
    ),
    "ERROR_NO_LABEL_ATTRIBUTES": _Remedy(
        'Each attribute needs its "…-metadata", and the reverse: fix("drop_bad_attributes") leaves out those without.',
        ("drop_bad_attributes", "drop_lines"),
    ),
    "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT": _Remedy(
        'Mend the attribute (a whole number, or image_size and annotations), or fix("drop_bad_attributes") leaves it '
        "out.",
        ("drop_bad_attributes", "drop_lines"),
    ),
    "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT": _Remedy(
        'Mend what the metadata lacks, or fix("drop_bad_attributes") leaves the attribute out.',
        ("drop_bad_attributes", "drop_lines"),
    ),
    "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE": _Remedy(
        'Each box needs an object with its confidence: fix("assume_confidence") takes 1 for those that lack it.',
        ("assume_confidence", "drop_lines"),
    ),
    "ERROR_MISSING_CLASS_MAP_ID": _Remedy(
        'Name each class id in "class-map", or fix("drop_unnamed_boxes") leaves out the boxes without a name.',
        ("drop_unnamed_boxes", "drop_lines"),
    ),
    "ERROR_UNSUPPORTED_USE_CASE_TYPE": _Remedy(
        'Only image-level labels and boxes are trained on: fix("drop_unsupported") leaves out the other attributes.',
        ("drop_unsupported", "drop_lines"),
    ),
    "ERROR_INVALID_LABEL_NAME_LENGTH": _Remedy(
        'Give the label 1 to 256 characters: fix("shorten_labels") cuts long names, and leaves out labels without one.',
        ("shorten_labels", "drop_lines"),
    ),
    "ERROR_NO_VALID_LABEL_ATTRIBUTES": _Remedy(
        'Label the image anew, or fix("drop_lines") leaves the line out.', ("drop_lines",)
    ),
    "ERROR_INVALID_IMAGE": _Remedy(
        "Check that the image is there, is a JPEG or PNG within the limits of size, and agrees with image_size; "
        'fix("drop_bad_images") leaves it out.',
        ("drop_bad_images", "drop_lines"),
    ),
    "ERROR_INVALID_IMAGE_DIMENSION": _Remedy(
        'Scale the image and its boxes to 64 to 4,096 pixels a side, or fix("drop_bad_images") leaves it out.',
        ("drop_bad_images", "drop_lines"),
    ),
    "ERROR_INVALID_BOUNDING_BOX": _Remedy(
        'fix("clip_boxes") cuts the boxes off at the frame, fix("drop_off_frame_boxes") leaves them out.',
        ("clip_boxes", "drop_off_frame_boxes"),
    ),
    "ERROR_BOUNDING_BOX_TOO_SMALL": _Remedy(
        'Draw them anew, or fix("drop_small_boxes") leaves them out.', ("drop_small_boxes",)
    ),
    "ERROR_TOO_MANY_BOUNDING_BOXES": _Remedy(
        'fix("drop_excess_boxes") keeps the most confident ones, as many as are allowed.', ("drop_excess_boxes",)
    ),
    "ERROR_TOO_MANY_LABELS": _Remedy(
        'Take some labels of the image away, or fix("drop_lines") leaves the line out.', ("drop_lines",)
    ),
    "ERROR_NO_VALID_ANNOTATIONS": _Remedy(
        'Mend the boxes of the line, or fix("drop_lines") leaves it out.', ("drop_lines",)
    ),
    # what is passed over
    "WARNING_UNANNOTATED_RECORD": _Remedy(
        'Label the images, or fix("drop_unannotated") leaves them out.', ("drop_unannotated",)
    ),
    "WARNING_NO_ANNOTATIONS": _Remedy(
        'Nothing to do if there is nothing to see; fix("drop_unannotated") leaves them out.', ("drop_unannotated",)
    ),
    "WARNING_NO_ATTRIBUTE_ANNOTATIONS": _Remedy(
        'Draw the boxes, or fix("drop_unannotated") leaves these images out.', ("drop_unannotated",)
    ),
}
