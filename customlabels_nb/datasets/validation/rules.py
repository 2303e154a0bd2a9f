"""Validation rules for lines, images, manifests, and pairs of training and test manifests."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from customlabels_nb._utils.text import counted
from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import LOCAL, Limits
from customlabels_nb.datasets.formats.base import Contents, ImageFinder
from customlabels_nb.datasets.formats.ground_truth import contents_of, placed
from customlabels_nb.datasets.formats.manifest_lines import (
    UNUSABLE,
    LineSource,
    ManifestFile,
    ManifestLines,
    without_end,
    wrong_size,
)
from customlabels_nb.datasets.formats.manifest_sizes import headers
from customlabels_nb.datasets.formats.manifest_tables import ManifestReader, ManifestTable
from customlabels_nb.datasets.formats.manifest_values import ImageVerdict, LineFinding, finding
from customlabels_nb.datasets.validation.manifest_findings import (
    CheckedLine,
    CheckedManifest,
    CheckedManifests,
    UseCase,
)
from customlabels_nb.errors import ImageError, ImageNotFoundError, InputError, ManifestError
from customlabels_nb.images.locations import is_remote
from customlabels_nb.images.reading import ImageHeader, read_header
from customlabels_nb.remote.download_cache import connections, forget_answers
from customlabels_nb.user_settings import settings

#: Codes that prevent a line from being imported when a dataset is created.
_TERMINAL = frozenset({"ERROR_INVALID_JSON_LINE", "ERROR_MISSING_SOURCE_REF", "ERROR_INVALID_SOURCE_REF_FORMAT"})
_TOO_MANY_IN_ERROR = 0.5
_FEWEST_TO_SPLIT = 2

_TYPES = frozenset({"JPEG", "MPO", "PNG"})

#: Codes whose causes only Rekognition can check.
NOT_LOCALLY_KNOWN = frozenset({"ERROR_INVALID_IMAGES_S3_BUCKET_OWNER"})

Stage: TypeAlias = Literal["training", "creation"]
ManifestLike: TypeAlias = "str | os.PathLike[str] | LineSource"


def check_manifests(
    train: ManifestLike,
    test: ManifestLike | None = None,
    *,
    limits: Limits,
    images: str | os.PathLike[str] | None = None,
    relocate: Mapping[str, str] | None = None,
    check_images: bool = True,
    stage: Stage = "training",
    extra_lines: Iterable[bytes] = (),
    autosplit: bool = False,
) -> CheckedManifests:
    """Check a training manifest and, optionally, a test manifest.

    ``limits.service`` enables all rules of Rekognition. Otherwise, everything that can be parsed is valid. Without
    ``check_images``, the sizes given in the lines are used. Images that cannot be reached are reported in the issues of
    the contents. The stage "creation" reports what prevents the creation of datasets, such as too many lines without an
    image. ``autosplit`` checks that there are enough images per label to split off a test set.

    A manifest that cannot be read is a finding, not an error.
    """
    if stage not in ("training", "creation"):
        raise InputError(f"stage={stage!r} must be 'training' or 'creation'.")
    forget_answers()  # an image may just have been replaced
    sides = []
    for source, more in ((train, list(extra_lines)), *([] if test is None else [(test, [])])):
        base = Path(source).parent if isinstance(source, str | os.PathLike) else Path()
        finder = ImageFinder(base, images=images, relocate=relocate)
        sides.append(_check(source, limits, finder, more, check_images=check_images))
    checked = CheckedManifests(sides[0].manifest, None if test is None else sides[1].manifest)
    if stage == "creation":
        for side in sides:
            _check_creation(side, limits, split=autosplit and side is sides[0])
    else:
        _check_training(checked, sides, limits, split=autosplit)
    return checked


@dataclass(frozen=True)
class _Both:
    """Lines of a source, followed by more lines."""

    name: str
    first: LineSource
    more: Sequence[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return chain(self.first, self.more)


def _check(
    subject: ManifestLike, limits: Limits, finder: ImageFinder, more: Sequence[bytes], *, check_images: bool
) -> _ManifestSide:
    try:
        source: LineSource = ManifestFile(subject) if isinstance(subject, str | os.PathLike) else subject
    except ManifestError as error:
        manifest = CheckedManifest(os.fspath(subject) if isinstance(subject, str | os.PathLike) else subject.name)
        return _stopped(manifest, error.code, str(error))
    manifest = CheckedManifest(source.name)
    if isinstance(source, ManifestFile) and (refusal := _why_not_read(source, limits)):
        return _stopped(manifest, *refusal)
    if more:
        source = _Both(source.name, source, more)
    reader = ManifestReader(source, limits)
    reader.read(limits.max_images)
    judged = _check_images(reader, finder, limits) if check_images else _ImageFindings()
    table = reader.table()
    manifest.total = reader.total
    manifest.valid, manifest.invalid = reader.count("valid"), reader.count("invalid")
    manifest.ignored = reader.count("ignored")
    manifest.lines = [
        CheckedLine(number, raw, parsed.source_ref, parsed.state, parsed.findings, expanded=not limits.service)
        for number, raw, parsed in reader.notes()
    ]
    manifest.labels = table.images_per_label()
    manifest.buckets = reader.buckets()
    manifest.open_lines = lambda: map(without_end, source)
    manifest.read_contents = lambda: _contents(reader, table, finder, judged)
    side = _ManifestSide(manifest, table, judged)
    if not reader.filled:
        side.stop("ERROR_MANIFEST_IS_EMPTY")
    elif not reader.objects:
        side.stop(UNUSABLE, "none of its lines is a JSON object")
    elif limits.max_images is not None and next(islice(source, limits.max_images, None), None) is not None:
        side.stop("ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM", f"only the first {limits.max_images:,} lines were checked")
    return side


def _why_not_read(file: ManifestFile, limits: Limits) -> tuple[str, str] | None:
    """Return the error of a manifest that is refused without reading it, and its detail, or None."""
    if limits.service and not Path(file.name).suffix:
        return UNUSABLE, "its name has no extension, such as .manifest"
    if limits.max_manifest_bytes is not None and file.size > limits.max_manifest_bytes:
        return "ERROR_MANIFEST_SIZE_TOO_LARGE", f"{file.size:,} bytes"
    return None


def _stopped(manifest: CheckedManifest, code: str, detail: str) -> _ManifestSide:
    side = _ManifestSide(manifest, ManifestReader(ManifestLines(manifest.source, []), LOCAL).table(), _ImageFindings())
    side.stop(code, detail)
    return side


def _check_images(reader: ManifestReader, finder: ImageFinder, limits: Limits) -> _ImageFindings:
    """Check the images, and parse the affected lines again."""
    lines = reader.lines_with_images()
    places = [finder.relocated(line.source_ref) for line in lines]
    missing = set(finder.missing)
    finder.missing.clear()  # they are reported later, with the contents
    judged = _judge_images([location for location in places if location not in missing], limits)
    judged.verdicts |= dict.fromkeys(missing, ImageVerdict(unusable="it is not in the folder passed as images="))
    matter: dict[int, ImageVerdict] = {}
    for line, location in zip(lines, places, strict=True):
        verdict = judged.verdicts.get(location)
        if verdict is None:
            continue
        another_size = limits.service and line.size is not None and verdict.size not in (None, line.size)
        if verdict.unusable or verdict.wrong_size or another_size:
            matter[line.number] = verdict
    reader.again(matter)
    return judged


def _contents(reader: ManifestReader, table: ManifestTable, finder: ImageFinder, judged: _ImageFindings) -> Contents:
    contents = placed(contents_of(reader, table), finder, reader.source.name)
    contents.issues += [Issue("IMAGE_NOT_LISTED", where=name, source=reader.source.name) for name in finder.missing]
    for server, reason in judged.unreachable.items():
        message = f"Images at this location were not checked: {reason}"
        contents.issues.append(Issue("IMAGE_NOT_FOUND", message, where=server, source=reader.source.name))
    return contents


@dataclass
class _ManifestSide:
    """Manifest with the intermediate results of its checks."""

    manifest: CheckedManifest
    table: ManifestTable
    judged: _ImageFindings

    def add(self, code: str, detail: str = "") -> None:
        self.manifest.errors.append(finding(code, detail=detail))

    def stop(self, code: str, detail: str = "") -> None:
        """Add an error that ends validation."""
        self.add(code, detail)
        self.manifest.terminal = True


def _check_creation(side: _ManifestSide, limits: Limits, *, split: bool) -> None:
    """Report errors that prevent creating a dataset or, with ``split``, distributing its images."""
    manifest = side.manifest
    _set_use_case([side])
    if manifest.terminal:
        return
    bad = sum(any(error.code in _TERMINAL for error in line.findings) for line in manifest.lines)
    if limits.service and bad > manifest.total * _TOO_MANY_IN_ERROR:
        side.stop("ERROR_TOO_MANY_RECORDS_IN_ERROR", f"{bad:,} of {manifest.total:,} lines")
    if limits.max_labels is not None and len(manifest.labels) > limits.max_labels:
        side.stop("ERROR_MANIFEST_TOO_MANY_LABELS", _more(manifest.labels, limits.max_labels))
    if split and (why := _why_not_split(manifest, limits)):
        side.stop("ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE", why)


def _check_training(checked: CheckedManifests, sides: Sequence[_ManifestSide], limits: Limits, *, split: bool) -> None:
    """Report errors that prevent training or, with ``split``, splitting off a test set."""
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


def _check_lines_and_images(side: _ManifestSide, limits: Limits) -> None:
    manifest, judged = side.manifest, side.judged
    share = limits.max_invalid_line_share
    if share is not None and manifest.total and manifest.invalid / manifest.total > share:
        detail = f"{manifest.invalid:,} of {manifest.total:,} lines, more than {share:.0%}"
        side.add("ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST", detail)
    if not limits.service:
        return
    if len(manifest.buckets) > 1:
        side.add("ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS", ", ".join(sorted(manifest.buckets)[:5]))
    if judged.refused:
        side.add("ERROR_INVALID_PERMISSIONS_IMAGES_S3_BUCKET", ", ".join(sorted(judged.refused)[:5]))
    if judged.lost and not judged.fetched:
        side.add("ERROR_FAILED_IMAGES_S3_COPY", "none of the images can be read")


def _check_labels(side: _ManifestSide, limits: Limits) -> None:
    manifest = side.manifest
    of_images = manifest.use_case == "IMAGE_LEVEL_LABELS"
    fewest = limits.min_classification_labels if of_images else limits.min_detection_labels
    needed = f"at least {fewest} {'is' if fewest == 1 else 'are'} needed"
    if len(manifest.labels) < fewest:
        side.add("ERROR_MANIFEST_TOO_FEW_LABELS", f"{counted(len(manifest.labels), 'label')}, but {needed}")
    elif len(manifest.usable_labels) < fewest:
        detail = f"{counted(len(manifest.usable_labels), 'label')}, but {needed} for {manifest.use_case}"
        side.add("ERROR_MANIFEST_TOO_FEW_USABLE_LABELS", detail)
    if limits.max_labels is not None and len(manifest.labels) > limits.max_labels:
        side.add("ERROR_MANIFEST_TOO_MANY_LABELS", _more(manifest.labels, limits.max_labels))


def _more(labels: Mapping[str, int], most: int) -> str:
    return f"{len(labels):,} labels, but at most {most:,} are allowed"


def _why_not_split(manifest: CheckedManifest, limits: Limits) -> str:
    """Explain why no valid test set can be split off: a label needs two images to be in both sets."""
    labels = manifest.usable_labels
    shared = sum(images >= _FEWEST_TO_SPLIT for images in labels.values())
    fewest = limits.min_classification_labels if manifest.use_case == "IMAGE_LEVEL_LABELS" else 1
    if shared >= fewest and shared >= limits.min_label_overlap * len(labels):
        return ""
    return f"only {shared:,} of {len(labels):,} labels have the required {_FEWEST_TO_SPLIT} images"


def _set_use_case(sides: Sequence[_ManifestSide]) -> None:
    """Determine the type of model that the manifests are for, and which of their labels the model can use."""
    train, *tests = (side.table for side in sides)
    use_case = _use_case(train, tests)
    for side in sides:
        manifest = side.manifest
        by_labels = side is sides[0] and _is_for_brands(train, tests)
        manifest.usable_labels = side.table.images_per_label(boxed=use_case == "OBJECT_LOCALIZATION" and not by_labels)
        manifest.use_case = use_case if manifest.labels else "NOT_DETERMINED"


def _use_case(train: ManifestTable, tests: Sequence[ManifestTable]) -> UseCase:
    boxed_images, whole_images = train.labelled_images(boxed=True), train.labelled_images(boxed=False)
    if any(table.images_per_label(boxed=True) for table in tests) or (boxed_images and boxed_images >= whole_images):
        return "OBJECT_LOCALIZATION"
    if whole_images or any(table.images_per_label() for table in tests):
        return "IMAGE_LEVEL_LABELS"
    return "NOT_DETERMINED"


def _is_for_brands(train: ManifestTable, tests: Sequence[ManifestTable]) -> bool:
    """Check whether the model is a detector that is trained on image-level labels, such as a brand detector.

    It is if the training manifest has no boxes, and all its labels are labels of boxes in the test manifest.
    """
    labels = {} if train.labelled_images(boxed=True) else train.images_per_label(boxed=False)
    return any(labels and labels.keys() <= table.images_per_label(boxed=True).keys() for table in tests)


def _overlap(train: CheckedManifest, test: CheckedManifest, limits: Limits) -> list[LineFinding]:
    """Report an error if too few of the training labels, or of the usable ones, are in the test manifest."""
    percent = f"{limits.min_label_overlap * 100:g}"
    for code, mine, theirs in (
        ("ERROR_INSUFFICIENT_LABEL_OVERLAP", train.labels, test.labels),
        ("ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP", train.usable_labels, test.usable_labels),
    ):
        shared = len(mine.keys() & theirs.keys())
        if mine and shared / len(mine) < limits.min_label_overlap:
            return [finding(code, percent, detail=f"{shared:,} of {len(mine):,} training labels")]
    return []


@dataclass
class _ImageFindings:
    """Results of checking images by location. Those that could not be checked have no verdict.

    ``refused`` has the S3 buckets that denied access, ``fetched`` and ``lost`` count images on S3.
    """

    verdicts: dict[str, ImageVerdict] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    fetched: int = 0
    lost: int = 0
    unreachable: dict[str, str] = field(default_factory=dict)


def _judge_images(places: Sequence[str], limits: Limits) -> _ImageFindings:
    judged = _ImageFindings()
    local = [location for location in places if not is_remote(location)]
    for location, header in zip(local, headers(local), strict=True):
        judged.verdicts[location] = _verdict(header, limits)
    remote = [location for location in places if is_remote(location)]

    def look(location: str) -> ImageHeader | ImageError | None:
        if _server(location) in judged.unreachable:
            return None
        try:
            return read_header(location)
        except ImageError as error:
            return error

    workers = connections(remote, settings.threads)
    for location, seen in zip(remote, map_bounded(look, remote, workers=workers), strict=True):
        if seen is not None:
            _note(judged, location, seen, limits)
    return judged


def _note(judged: _ImageFindings, location: str, seen: ImageHeader | ImageError, limits: Limits) -> None:
    on_s3 = location.startswith("s3://")
    cause = seen.__cause__ if isinstance(seen, ImageError) else None
    if isinstance(seen, ImageError) and not _is_about_the_image(seen, cause):
        judged.unreachable.setdefault(_server(location), seen.reason)
        return
    if on_s3 and isinstance(cause, PermissionError):
        judged.refused.add(urlsplit(location).netloc)
    judged.fetched += on_s3 and not isinstance(seen, ImageNotFoundError)
    judged.lost += on_s3 and isinstance(seen, ImageNotFoundError)
    judged.verdicts[location] = _verdict(seen, limits)


def _is_about_the_image(error: ImageError, cause: BaseException | None) -> bool:
    """Check whether the error concerns the image itself, not a missing package, network or permission."""
    if type(error) is ImageError:
        return False
    if not isinstance(error, ImageNotFoundError):
        return True
    if isinstance(cause, FileNotFoundError) and error.image.startswith(("http://", "https://")):
        return getattr(cause.__cause__, "status", None) is not None
    return isinstance(cause, FileNotFoundError | PermissionError)


def _server(location: str) -> str:
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}"


def _verdict(seen: ImageHeader | ImageError, limits: Limits) -> ImageVerdict:
    if isinstance(seen, ImageError):
        return ImageVerdict(unusable=seen.reason)
    width, height = size = seen.width, seen.height
    problem = ""
    if limits.service and seen.format not in _TYPES:
        problem = f"it is of type {seen.format}, not PNG or JPEG"
    elif limits.max_image_bytes is not None and seen.bytes > limits.max_image_bytes:
        problem = f"it has {seen.bytes:,} bytes, but at most {limits.max_image_bytes:,} are allowed"
    elif limits.max_aspect_ratio is not None and max(size) / min(size) > limits.max_aspect_ratio:
        problem = f"{width:,} × {height:,} pixels exceed the maximum aspect ratio of {limits.max_aspect_ratio:g} to 1"
    return ImageVerdict(size, problem, wrong_size(size, limits))
