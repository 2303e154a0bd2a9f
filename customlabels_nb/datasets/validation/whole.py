"""Rules of a manifest as a whole, and of training and test manifest together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from customlabels_nb.core.limits import Limits
from customlabels_nb.datasets.formats.manifest_tables import ManifestTable
from customlabels_nb.datasets.formats.manifest_values import LineFinding, finding
from customlabels_nb.datasets.validation.image_checks import ImageFindings
from customlabels_nb.datasets.validation.manifest_findings import CheckedManifest, CheckedManifests, UseCase

#: With one of these a line isn't imported when a dataset is created.
_TERMINAL = frozenset({"ERROR_INVALID_JSON_LINE", "ERROR_MISSING_SOURCE_REF", "ERROR_INVALID_SOURCE_REF_FORMAT"})
_TOO_MANY_IN_ERROR = 0.5
_FEWEST_TO_SPLIT = 2


@dataclass
class ManifestSide:
    """A manifest with what its checks need beside their result."""

    manifest: CheckedManifest
    table: ManifestTable
    judged: ImageFindings

    def add(self, code: str, detail: str = "") -> None:
        """Note an error of the manifest."""
        self.manifest.errors.append(finding(code, detail=detail))

    def stop(self, code: str, detail: str = "") -> None:
        """Note an error that ends everything."""
        self.add(code, detail)
        self.manifest.terminal = True


def check_creation(side: ManifestSide, limits: Limits, *, split: bool) -> None:
    """What keeps a dataset from being created of the manifest; ``split`` if it would be distributed then."""
    manifest = side.manifest
    _set_use_case([side])
    if manifest.terminal:
        return
    bad = sum(any(found.code in _TERMINAL for found in line.findings) for line in manifest.lines)
    if limits.service and bad > manifest.total * _TOO_MANY_IN_ERROR:
        side.stop("ERROR_TOO_MANY_RECORDS_IN_ERROR", f"{bad:,} of {manifest.total:,} lines")
    if limits.max_labels is not None and len(manifest.labels) > limits.max_labels:
        side.stop("ERROR_MANIFEST_TOO_MANY_LABELS", _more(manifest.labels, limits.max_labels))
    if split and (why := _why_not_split(manifest, limits)):
        side.stop("ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE", why)


def check_training(checked: CheckedManifests, sides: Sequence[ManifestSide], limits: Limits, *, split: bool) -> None:
    """What keeps a model from being trained on the manifests; ``split`` if the test set comes from training."""
    _set_use_case(sides)
    if any(side.manifest.terminal for side in sides):
        return
    for side in sides:
        _check_lines_and_images(side, limits)
        if split and side is sides[0] and (why := _why_not_split(side.manifest, limits)):
            side.add("ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT", why)
        _check_labels(side, limits)
    if len(sides) > 1:
        checked.errors += _overlap(sides[0].manifest, sides[1].manifest, limits)


def _check_lines_and_images(side: ManifestSide, limits: Limits) -> None:
    manifest, judged = side.manifest, side.judged
    share = limits.max_invalid_line_share
    if share is not None and manifest.total and manifest.invalid / manifest.total > share:
        said = f"{manifest.invalid:,} of {manifest.total:,} lines, more than {share:.0%}"
        side.add("ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST", said)
    if not limits.service:
        return
    if len(manifest.buckets) > 1:
        side.add("ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS", ", ".join(sorted(manifest.buckets)[:5]))
    if judged.refused:
        side.add("ERROR_INVALID_PERMISSIONS_IMAGES_S3_BUCKET", ", ".join(sorted(judged.refused)[:5]))
    if judged.lost and not judged.fetched:
        side.add("ERROR_FAILED_IMAGES_S3_COPY", "none of the images could be read")


def _check_labels(side: ManifestSide, limits: Limits) -> None:
    manifest = side.manifest
    of_images = manifest.use_case == "IMAGE_LEVEL_LABELS"
    fewest = limits.min_classification_labels if of_images else limits.min_detection_labels
    if len(manifest.labels) < fewest:
        side.add("ERROR_MANIFEST_TOO_FEW_LABELS", f"{len(manifest.labels)} of at least {fewest}")
    elif len(manifest.usable_labels) < fewest:
        said = f"{len(manifest.usable_labels)} of at least {fewest} for {manifest.use_case}"
        side.add("ERROR_MANIFEST_TOO_FEW_USABLE_LABELS", said)
    if limits.max_labels is not None and len(manifest.labels) > limits.max_labels:
        side.add("ERROR_MANIFEST_TOO_MANY_LABELS", _more(manifest.labels, limits.max_labels))


def _more(labels: Mapping[str, int], most: int) -> str:
    return f"{len(labels):,} of at most {most:,}"


def _why_not_split(manifest: CheckedManifest, limits: Limits) -> str:
    """Why no acceptable test set can be split off: a label needs two images to be on both sides."""
    labels = manifest.usable_labels
    shared = sum(images >= _FEWEST_TO_SPLIT for images in labels.values())
    fewest = limits.min_classification_labels if manifest.use_case == "IMAGE_LEVEL_LABELS" else 1
    if shared >= fewest and shared >= limits.min_label_overlap * len(labels):
        return ""
    return f"{shared:,} of {len(labels):,} labels have the {_FEWEST_TO_SPLIT} images that it takes"


def _set_use_case(sides: Sequence[ManifestSide]) -> None:
    """Decide what kind of model the manifests are for, and which of their labels are of use for it.

    A training manifest without boxes, whose labels are all labels of boxes in the test manifest, is for detection: its
    images show brands.
    """
    train, tests = sides[0].table, [side.table for side in sides[1:]]
    in_boxes = [table.images_per_label(boxed=True) for table in tests]
    whole = train.images_per_label(boxed=False)
    boxed_images, whole_images = train.labelled_images(boxed=True), train.labelled_images(boxed=False)
    brands = any(names and not boxed_images and whole and whole.keys() <= names.keys() for names in in_boxes)
    use_case: UseCase = "NOT_DETERMINED"
    if any(in_boxes) or (boxed_images and boxed_images >= whole_images):
        use_case = "OBJECT_LOCALIZATION"
    elif whole_images or any(table.images_per_label() for table in tests):
        use_case = "IMAGE_LEVEL_LABELS"
    for side in sides:
        manifest = side.manifest
        boxed = use_case == "OBJECT_LOCALIZATION" and not (brands and side is sides[0])
        manifest.usable_labels = side.table.images_per_label(boxed=boxed)
        manifest.use_case = use_case if manifest.labels else "NOT_DETERMINED"


def _overlap(train: CheckedManifest, test: CheckedManifest, limits: Limits) -> list[LineFinding]:
    """Too few of the training labels in the test manifest; of the usable ones only where that isn't why."""
    percent = f"{limits.min_label_overlap * 100:g}"
    for code, mine, theirs in (
        ("ERROR_INSUFFICIENT_LABEL_OVERLAP", train.labels, test.labels),
        ("ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP", train.usable_labels, test.usable_labels),
    ):
        shared = len(mine.keys() & theirs.keys())
        if mine and shared / len(mine) < limits.min_label_overlap:
            return [finding(code, percent, detail=f"{shared:,} of {len(mine):,} training labels")]
    return []
