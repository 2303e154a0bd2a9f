"""Taking images in: read each file once, recognise what is known, report what can't be used."""

from __future__ import annotations

import contextlib
import hashlib
import html
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.errors import ImageError, InputError, OutdatedError
from customlabels_nb.events import Events
from customlabels_nb.images import ImageFacts, inspect, is_remote, read_bytes, to_path
from customlabels_nb.issues import Issue, issues_to_frame
from customlabels_nb.settings import settings
from customlabels_nb.sources import Found, Source, find_images
from customlabels_nb.store import Action, Store
from customlabels_nb.work import map_bounded

_READ_AT_ONCE = 8  # images that a thread takes in one go


@dataclass
class Intake:
    """What will be written: new images with their files' facts, those whose content changed, and the findings."""

    images: pd.DataFrame
    annotations: pd.DataFrame
    files: pd.DataFrame
    changed: pd.DataFrame
    issues: list[Issue]
    known: int


class ImportReport:
    """What became of an import. ``issues`` is a table of what was left out or looks wrong, with the reason."""

    def __init__(self, split: str, added: int, known: int, ignored: int, issues: Sequence[Issue]) -> None:
        self.split = split
        self.added = added
        self.known = known
        self.ignored = ignored
        self.issues = issues_to_frame(issues)

    def __repr__(self) -> str:
        parts = [f"{self.added:,} images added to {self.split}"]
        if self.known:
            parts.append(f"{self.known:,} were there already")
        if self.ignored:
            parts.append(f"{self.ignored:,} files are no images by their name")
        if len(self.issues):
            parts.append(f"{len(self.issues):,} need a look, see .issues")
        return ", ".join(parts) + "."

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(row.code)}</td><td>{html.escape(str(row.where))}</td>"
            f"<td>{html.escape(row.message)}</td></tr>"
            for row in self.issues.head(20).itertuples()
        )
        more = f"<p>and {len(self.issues) - 20:,} more in .issues</p>" if len(self.issues) > 20 else ""
        table = f"<table><tr><th>code</th><th>where</th><th>what</th></tr>{rows}</table>{more}" if rows else ""
        return f"<div>{html.escape(repr(self))}</div>{table}"


def import_images(
    store: Store,
    root: Path,
    source: Source,
    *,
    split: str,
    auto_label: bool = False,
    label: str | None = None,
    copy: bool = False,
    on_leak: str = "report",
    duplicates: str = "skip",
    events: Events | None = None,
) -> ImportReport:
    """Add the images of ``source`` to a dataset of the project at ``root``, in one transaction.

    See :meth:`customlabels_nb.project.Project.add_images` for the arguments.
    """
    for argument, value, allowed in (
        ("split", split, t.SPLITS),
        ("on_leak", on_leak, ("report", "keep")),
        ("duplicates", duplicates, ("skip", "keep")),
    ):
        if value not in allowed:
            raise InputError(f"{argument}={value!r} is not known; use one of {allowed!r}.")
    found = find_images(source, auto_label=auto_label, label=label, project_folder=root, annotator=settings.user)
    name = str(found.description["name"])
    facts: dict[int, ImageFacts | ImageError] = {}
    while True:
        known, as_of = store.files()
        intake = take_in(
            found,
            facts,
            split=split,
            known=known,
            root=root,
            copy=copy,
            on_leak=on_leak,
            duplicates=duplicates,
            events=events,
        )
        try:
            store.add_images(
                split,
                intake.images,
                intake.annotations,
                Action("import", settings.user, name),
                files=intake.files,
                issues=intake.issues,
                source=found.description,
                as_of=as_of,
            )
            break
        except OutdatedError:  # somebody else imported meanwhile: sort out again what was read already
            continue
    if len(intake.changed):
        store.refresh_files(split, intake.changed, Action("refresh files", settings.user, name))
    return ImportReport(split, len(intake.images), intake.known, found.ignored, intake.issues)


def take_in(
    found: Found,
    read: dict[int, ImageFacts | ImageError],
    *,
    split: str,
    known: pd.DataFrame,
    root: Path,
    copy: bool = False,
    on_leak: str = "report",
    duplicates: str = "skip",
    events: Events | None = None,
) -> Intake:
    """Read the images that aren't known yet, and sort out duplicates and leaks.

    Parameters
    ----------
    read : dict
        What is known already of the images by their position, filled here: sorting out again reads no file twice.
    known : DataFrame
        The store's ``files()``: what the project has on both sides.
    root : Path
        The project's folder; with ``copy`` the files are copied below it.
    on_leak : {"report", "keep"}
        What to do with an image whose content is on the other side (train or test): leave it out, or keep it.
    duplicates : {"skip", "keep"}
        What to do with an image whose content is in this dataset under another name.
    """
    issues = list(found.issues)
    mine = known["split"] == split
    stored = {row.image: row for row in known[mine].itertuples(index=False)}
    others = frozenset(known.loc[~mine, "image"])
    names = found.images["image"].tolist()
    stats: list[tuple[int, int] | None] = found.stats or [None] * len(names)
    todo, changed_todo, already = [], [], 0
    for index, (image, stat) in enumerate(zip(names, stats, strict=True)):
        if image in stored:
            already += 1
            if stat is not None and not _same(stored[image], stat):
                changed_todo.append(index)
        elif image in others and on_leak == "report":
            issues.append(_leak(image, image, False, found))
        else:
            todo.append(index)
    wanted = [*todo, *changed_todo]
    _read_all(found, [index for index in wanted if index not in read], root, read, events)
    facts = {index: fact for index in wanted if not isinstance(fact := read[index], ImageError)}
    issues += [
        Issue(error.code, error.reason, str(names[index]), found.description["name"])
        for index in wanted
        if isinstance(error := read[index], ImageError)
    ]
    content = _Content(known, split)
    changed = _changed(found, changed_todo, facts, stored, content, issues)
    kept = []
    for index in todo:
        if index not in facts:
            continue
        if copy and _copied_name(names[index], facts[index].sha256) in stored:
            already += 1
        elif content.accept(names[index], facts[index], found, issues, on_leak, duplicates):
            kept.append(index)
    images = found.images.iloc[kept].reset_index(drop=True)
    images = images.assign(
        split=split,
        width=pd.array([facts[i].width for i in kept], dtype="Int64"),
        height=pd.array([facts[i].height for i in kept], dtype="Int64"),
        sha256=[facts[i].sha256 for i in kept],
        source=found.description["name"],
    )
    files = pd.DataFrame(
        {
            "image": images["image"],
            "bytes": pd.array([facts[i].bytes for i in kept], dtype="Int64"),
            "mtime_ns": pd.array([stats[i][1] if stats[i] else None for i in kept], dtype="Int64"),  # type: ignore[index]
        }
    )
    annotations = found.annotations[found.annotations["image"].isin(images["image"])]
    if copy:
        copies = {image: _copy(image, sha, root) for image, sha in zip(images["image"], images["sha256"], strict=True)}
        images, files = images.assign(image=images["image"].map(copies)), files.assign(image=files["image"].map(copies))
        annotations = annotations.assign(image=annotations["image"].map(copies))
    images = t.settle_statuses(t.normalise_images(images), annotations)
    return Intake(images, annotations, files, changed, issues, already)


class _Content:
    """Which contents the project has, on which side and under which name."""

    def __init__(self, known: pd.DataFrame, split: str) -> None:
        has = known[known["sha256"].notna()]
        mine = has["split"] == split
        self.here = dict(zip(has.loc[mine, "sha256"], has.loc[mine, "image"], strict=True))
        self.there = dict(zip(has.loc[~mine, "sha256"], has.loc[~mine, "image"], strict=True))

    def accept(
        self, image: str, facts: ImageFacts, found: Found, issues: list[Issue], on_leak: str, duplicates: str
    ) -> bool:
        twin, other = self.here.get(facts.sha256), self.there.get(facts.sha256)
        source = found.description["name"]
        if other is not None:
            issues.append(_leak(image, other, on_leak == "keep", found))
            if on_leak == "report":
                return False
        if twin is not None:
            message = f"The same picture is in the dataset as {twin!r}; "
            kept = "it was kept." if duplicates == "keep" else "it was left out."
            issues.append(Issue("DUPLICATE_CONTENT", message + kept, image, source))
            if duplicates == "skip":
                return False
        self.here.setdefault(facts.sha256, image)
        return True


def _leak(image: str, other: str, kept: bool, found: Found) -> Issue:
    message = f"The same picture is on the other side (train or test) as {other!r}; "
    what = "it was kept." if kept else "it was left out."
    return Issue("LEAK_BETWEEN_SPLITS", message + what, image, found.description["name"])


def _same(row: Any, stat: tuple[int, int]) -> bool:
    return not pd.isna(row.bytes) and not pd.isna(row.mtime_ns) and (int(row.bytes), int(row.mtime_ns)) == stat


def _read_all(
    found: Found,
    indexes: Sequence[int],
    root: Path,
    results: dict[int, ImageFacts | ImageError],
    events: Events | None,
) -> None:
    """Fill ``results`` with the facts of these images, or why they can't be used."""
    names = found.images["image"].to_numpy(dtype=object)

    def read(index: int) -> ImageFacts | ImageError:
        try:
            return inspect(read_bytes(names[index], root), names[index])
        except ImageError as error:
            return error

    # one by one they would spend as much time on being handed from thread to thread as on being read
    at_once = max(1, min(_READ_AT_ONCE, len(indexes) // (4 * settings.threads)))
    parts = [indexes[start : start + at_once] for start in range(0, len(indexes), at_once)]
    answers = map_bounded(lambda part: [read(index) for index in part], parts, workers=settings.threads)
    for done, (index, result) in enumerate(zip(indexes, chain.from_iterable(answers), strict=True), 1):
        results[index] = result
        if events is not None and (done % 64 == 0 or done == len(indexes)):
            events.progress("reading images", done, len(indexes))


def _changed(
    found: Found,
    indexes: Sequence[int],
    facts: dict[int, ImageFacts],
    stored: dict[str, Any],
    content: _Content,
    issues: list[Issue],
) -> pd.DataFrame:
    rows = []
    for index in indexes:
        if index not in facts:
            continue
        image, stat, fact = str(found.images["image"].iat[index]), found.stats[index], facts[index]
        rows.append((image, fact.width, fact.height, fact.sha256, fact.bytes, stat[1] if stat else None))
        if fact.sha256 != stored[image].sha256:
            issues.append(Issue("IMAGE_CHANGED", where=image, source=found.description["name"]))
            if fact.sha256 in content.there:
                issues.append(_leak(image, content.there[fact.sha256], True, found))
    columns = ["image", "width", "height", "sha256", "bytes", "mtime_ns"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(["width", "height", "bytes", "mtime_ns"], "Int64"))


def _copied_name(image: str, sha256: str) -> str:
    """Where a copy lies, relative to the project: named by content and origin, so that nothing is overwritten."""
    if not is_remote(image) and not to_path(image).is_absolute():
        return image  # it lies in the project already
    suffix = os.path.splitext(image)[1].lower()
    if not (suffix.isascii() and suffix[1:].isalnum() and len(suffix) <= 6):
        suffix = ""
    origin = hashlib.sha256(image.encode()).hexdigest()
    return os.path.join("images", f"{sha256[:16]}-{origin[:8]}{suffix}")


def _copy(image: str, sha256: str, root: Path) -> str:
    """Copy one file to ``images/`` below ``root``; returns its name relative to ``root``."""
    name = _copied_name(image, sha256)
    target = root / name
    if name == image or target.exists():
        return name
    temporary = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_remote(image):
            temporary.write_bytes(read_bytes(image))
        else:
            shutil.copyfile(to_path(image, root), temporary)
        temporary.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise InputError(f"copy=True: {image!r} can't be copied to {str(target)!r} ({error.strerror}).") from error
    return name
