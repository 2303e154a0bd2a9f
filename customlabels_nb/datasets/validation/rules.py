"""All rules of manifests: those of lines, of a manifest as a whole, and of training and test together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from customlabels_nb.core.issues import Issue
from customlabels_nb.core.limits import LOCAL, Limits
from customlabels_nb.datasets.formats.base import Contents, ImageFinder
from customlabels_nb.datasets.formats.ground_truth import contents_of, placed
from customlabels_nb.datasets.formats.manifest_files import (
    UNUSABLE,
    LineSource,
    ManifestFile,
    ManifestLines,
    without_end,
)
from customlabels_nb.datasets.formats.manifest_tables import ManifestReader, ManifestTable
from customlabels_nb.datasets.formats.manifest_values import ImageVerdict
from customlabels_nb.datasets.validation.image_checks import ImageFindings, judge_images
from customlabels_nb.datasets.validation.manifest_findings import CheckedLine, CheckedManifest, CheckedManifests
from customlabels_nb.datasets.validation.whole import ManifestSide, check_creation, check_training
from customlabels_nb.errors import InputError, ManifestError

#: Codes whose causes only the service can know.
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
    """Check a training manifest and, if there is one, a test manifest.

    Parameters
    ----------
    train, test : path, URL or lines
        A file, or :class:`customlabels_nb.datasets.formats.manifest_files.ManifestLines` for lines that are in none.
    limits : Limits
        The profile: with ``limits.service`` all rules of the hosted service hold, otherwise what can be understood is.
    images, relocate
        Where the images lie now; see :func:`customlabels_nb.read_dataset`.
    check_images : bool
        Look at the images; otherwise the size that a line gives is believed. Images that can't be reached (no network,
        no credentials, no package for their protocol) are not judged, which is said among the issues of the contents.
    stage : {"training", "creation"}
        What would be done with the manifests. At creation only errors of the file stop it, and of too many lines
        that name no image; errors about the contents as a whole come up in training.
    extra_lines : iterable of bytes
        Lines that belong to the training manifest, too, and follow it.
    autosplit : bool
        A test set is to be split off, so there must be enough images per label for that.

    Raises
    ------
    InputError
        If an argument can't be used. A manifest that can't be read is a finding, not an error.
    """
    if stage not in ("training", "creation"):
        raise InputError(f"stage={stage!r} is not known; use 'training' or 'creation'.")
    options = _Options(limits, images, relocate, check_images)
    sides = [_check(train, options, list(extra_lines))]
    if test is not None:
        sides.append(_check(test, options))
    checked = CheckedManifests(sides[0].manifest, sides[1].manifest if test is not None else None)
    if stage == "creation":
        for side in sides:
            check_creation(side, limits, split=autosplit and side is sides[0])
    else:
        check_training(checked, sides, limits, split=autosplit)
    return checked


class _Options(NamedTuple):
    limits: Limits
    images: str | os.PathLike[str] | None
    relocate: Mapping[str, str] | None
    check_images: bool


class _Both:
    """The lines of one source and then those of another."""

    def __init__(self, first: LineSource, more: Sequence[bytes]) -> None:
        self.name = first.name
        self._first, self._more = first, more

    def __iter__(self) -> Iterator[bytes]:
        yield from self._first
        yield from self._more


def _check(given: ManifestLike, options: _Options, more: Sequence[bytes] = ()) -> ManifestSide:
    limits = options.limits
    try:
        source: LineSource = ManifestFile(given) if isinstance(given, str | os.PathLike) else given
    except ManifestError as error:
        manifest = CheckedManifest(os.fspath(given) if isinstance(given, str | os.PathLike) else given.name)
        return _stopped(manifest, error.code, str(error))
    manifest = CheckedManifest(source.name)
    if isinstance(source, ManifestFile):
        if limits.service and not Path(source.name).suffix:
            return _stopped(manifest, UNUSABLE, "its name has no extension; call it train.manifest, say")
        if limits.max_manifest_bytes is not None and source.size > limits.max_manifest_bytes:
            return _stopped(manifest, "ERROR_MANIFEST_SIZE_TOO_LARGE", f"{source.size:,} bytes")
    if more:
        source = _Both(source, more)
    reader = ManifestReader(source, limits)
    reader.read(limits.max_images)
    finder = _finder(given, options)
    judged = _look_at_images(reader, finder, limits) if options.check_images else ImageFindings()
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
    side = ManifestSide(manifest, table, judged)
    if not reader.filled:
        side.stop("ERROR_MANIFEST_IS_EMPTY")
    elif not reader.objects:
        side.stop(UNUSABLE, "no line of it is a JSON object")
    elif limits.max_images is not None and next(islice(source, limits.max_images, None), None) is not None:
        side.stop("ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM", f"only the first {limits.max_images:,} lines were checked")
    return side


def _stopped(manifest: CheckedManifest, code: str, detail: str) -> ManifestSide:
    side = ManifestSide(manifest, ManifestReader(ManifestLines(manifest.source, []), LOCAL).table(), ImageFindings())
    side.stop(code, detail)
    return side


def _finder(given: ManifestLike, options: _Options) -> ImageFinder:
    base = Path(given).parent if isinstance(given, str | os.PathLike) else Path()
    return ImageFinder(base, images=options.images, relocate=options.relocate)


def _look_at_images(reader: ManifestReader, finder: ImageFinder, limits: Limits) -> ImageFindings:
    """Look at the images and judge those lines anew for which that makes a difference."""
    lines = reader.lines_with_images()
    places = [finder.relocated(line.source_ref) for line in lines]
    missing = set(finder.missing)
    finder.missing.clear()  # the contents list them
    judged = judge_images([place for place in places if place not in missing], limits)
    judged.verdicts |= dict.fromkeys(missing, ImageVerdict(unusable="it isn't in the folder of images="))
    matter: dict[int, ImageVerdict] = {}
    for line, place in zip(lines, places, strict=True):
        verdict = judged.verdicts.get(place)
        if verdict is None:
            continue
        another_size = limits.service and line.size is not None and verdict.size not in (None, line.size)
        if verdict.unusable or verdict.wrong_size or another_size:
            matter[line.number] = verdict
    reader.again(matter)
    return judged


def _contents(reader: ManifestReader, table: ManifestTable, finder: ImageFinder, judged: ImageFindings) -> Contents:
    contents = placed(contents_of(reader, table), finder)
    contents.issues += [Issue("IMAGE_NOT_LISTED", where=name, source=reader.source.name) for name in finder.missing]
    contents.issues += [
        Issue("IMAGE_NOT_FOUND", f"Images there were not looked at: {reason}", where=server, source=reader.source.name)
        for server, reason in judged.unreachable.items()
    ]
    return contents
