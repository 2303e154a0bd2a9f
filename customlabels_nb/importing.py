"""Taking images in: read each file once, recognise what is known, report what can't be used."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.errors import ImageError, InputError, OutdatedError
from customlabels_nb.events import Events
from customlabels_nb.images import ImageFacts, hashed, is_remote, measure, read_bytes, to_path
from customlabels_nb.issues import Issue, issues_to_frame
from customlabels_nb.known_images import LabelsByImage, kept_labels, label_known, labels_by_image, told
from customlabels_nb.settings import settings
from customlabels_nb.sources import Found, Source, find_images
from customlabels_nb.store import Action, Store
from customlabels_nb.text import escaped
from customlabels_nb.work import map_bounded

# what a thread takes in one go: several small images, or a large one
_PART_IMAGES = 8
_PART_BYTES = 4 * 2**20


@dataclass
class Intake:
    """What will be written: new images with their files' facts, those whose content changed, and the findings.

    ``known`` has the images that were there already: the source's name for them → the project's.
    """

    images: pd.DataFrame
    annotations: pd.DataFrame
    files: pd.DataFrame
    changed: pd.DataFrame
    issues: list[Issue]
    known: dict[str, str]


class ImportReport:
    """What became of an import. ``issues`` is a table of what was left out or looks wrong, with the reason.

    ``labelled`` counts those of the ``known`` images, which were there already, that had no label and got one.
    """

    def __init__(
        self, split: str, added: int, known: int, ignored: int, issues: Sequence[Issue], labelled: int = 0
    ) -> None:
        self.split = split
        self.added = added
        self.known = known
        self.labelled = labelled
        self.ignored = ignored
        self.issues = issues_to_frame(issues)

    def __repr__(self) -> str:
        parts = [f"{self.added:,} images added to {self.split}"]
        if self.known:
            parts.append(f"{self.known:,} were there already")
        if self.labelled:
            parts.append(f"{self.labelled:,} that were there got their labels")
        if self.ignored:
            parts.append(f"{self.ignored:,} files are no images by their name")
        if len(self.issues):
            parts.append(f"{len(self.issues):,} need a look, see .issues")
        return ", ".join(parts) + "."

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escaped(row.code)}</td><td>{escaped(row.where)}</td><td>{escaped(row.message)}</td></tr>"
            for row in self.issues.head(20).itertuples()
        )
        more = f"<p>and {len(self.issues) - 20:,} more in .issues</p>" if len(self.issues) > 20 else ""
        table = f"<table><tr><th>code</th><th>where</th><th>what</th></tr>{rows}</table>{more}" if rows else ""
        return f"<div>{escaped(repr(self))}</div>{table}"


def import_images(
    store: Store,
    root: Path,
    source: Source | Found,
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
    who = settings.user
    found = source
    if not isinstance(found, Found):
        found = find_images(found, auto_label=auto_label, label=label, project_folder=root, annotator=who, split=split)
    name = str(found.description["name"])
    facts: dict[int, ImageFacts | ImageError] = {}
    while True:
        known, as_of = store.files()
        labels = labels_by_image(store.labels_of_images(split)) if len(found.annotations) else {}
        intake = take_in(
            found,
            facts,
            split=split,
            known=known,
            root=root,
            labels=labels,
            copy=copy,
            on_leak=on_leak,
            duplicates=duplicates,
            events=events,
        )
        wanted = found.annotations[found.annotations["image"].isin(intake.known)]
        wanted = wanted.assign(image=wanted["image"].map(intake.known).astype("str"))
        pairs = zip(wanted["image"].tolist(), wanted["label"].tolist(), strict=True)
        wanted = wanted[pd.array([label not in labels.get(image, ()) for image, label in pairs], dtype=bool)]
        bare = wanted[~wanted["image"].isin(labels)]
        statuses = store.images(split).set_index("image")["status"].to_dict() if len(bare) else {}
        issues = [*intake.issues, *kept_labels(wanted, labels, statuses, name)]
        if intake.images.empty and not issues and store.dataset(split) is not None:
            break  # all of it is known and nothing is to be said: there is no action
        try:
            store.add_images(
                split,
                intake.images,
                intake.annotations,
                Action("import", who, name),
                files=intake.files,
                issues=issues,
                source=found.description,
                as_of=as_of,
            )
            break
        except OutdatedError:  # somebody else imported meanwhile: sort out again what was read already
            continue
    if len(intake.changed):
        store.refresh_files(split, intake.changed, Action("refresh files", who, name))
    labelled = label_known(store, split, bare, Action("label imported images", who, name))
    return ImportReport(split, len(intake.images), len(intake.known), found.ignored, issues, labelled)


def take_in(
    found: Found,
    read: dict[int, ImageFacts | ImageError],
    *,
    split: str,
    known: pd.DataFrame,
    root: Path,
    labels: LabelsByImage | None = None,
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
    labels : mapping, optional
        The labels of this dataset's images, to tell where those of duplicates differ.
    on_leak : {"report", "keep"}
        What to do with an image whose content is on the other side (train or test): leave it out, or keep it.
    duplicates : {"skip", "keep"}
        What to do with an image whose content is in this dataset under another name.
    """
    issues = list(found.issues)
    mine = known["split"] == split
    stored = _stored(known[mine])
    others = frozenset(known.loc[~mine, "image"])
    names = found.images["image"].tolist()
    stats: list[tuple[int, int] | None] = found.stats or [None] * len(names)
    todo, changed_todo, already = [], [], dict[str, str]()
    for index, (image, stat) in enumerate(zip(names, stats, strict=True)):
        if image in stored:
            already[image] = image
            if stat is not None and stored[image][1:] != stat:
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
    told_apart = {**labels_by_image(found.annotations), **(labels or {})} if facts else {}
    content = _Content(known, split, told_apart)
    changed = _changed(found, changed_todo, facts, stored, content, issues)
    kept = []
    for index in todo:
        if index not in facts:
            continue
        if copy and (own_copy := _copied_name(names[index], facts[index].sha256)) in stored:
            already[names[index]] = own_copy
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
    """Which contents the project has, on which side, under which name and with which labels."""

    def __init__(self, known: pd.DataFrame, split: str, labels: LabelsByImage) -> None:
        self.labels = labels
        has = known[known["sha256"].notna()]
        mine = has["split"] == split
        self.here, self.there = (
            dict(zip(side["sha256"].tolist(), side["image"].tolist(), strict=True)) for side in (has[mine], has[~mine])
        )

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
            there, here = told(self.labels, twin), told(self.labels, image)
            differing = f", {there} there and {here.removeprefix('labelled ')} here" if there != here else ""
            message = f"The same picture is in the dataset as {twin!r}{differing}; "
            kept = "it was kept." if duplicates == "keep" else "it was left out."
            issues.append(Issue("DUPLICATE_CONTENT", message + kept, image, source))
            if duplicates == "skip":
                return False
        self.here.setdefault(facts.sha256, image)
        return True


def _leak(image: str, other: str, kept: bool, found: Found) -> Issue:
    known_as = "" if other == image else f" as {other!r}"
    message = f"The same picture is on the other side (train or test){known_as}; "
    what = "it was kept." if kept else "it was left out."
    return Issue("LEAK_BETWEEN_SPLITS", message + what, image, found.description["name"])


def _stored(known: pd.DataFrame) -> dict[str, tuple[Any, ...]]:
    """By image its sha256, size in bytes and time of change, each None if it isn't known."""
    columns = [known[name].to_numpy(dtype=object, na_value=None).tolist() for name in ("sha256", "bytes", "mtime_ns")]
    return dict(zip(known["image"].tolist(), zip(*columns, strict=True), strict=True))


def _read_all(
    found: Found,
    indexes: Sequence[int],
    root: Path,
    results: dict[int, ImageFacts | ImageError],
    events: Events | None,
) -> None:
    """Fill ``results`` with the facts of these images, or why they can't be used."""
    names = found.images["image"].to_numpy(dtype=object)

    def read_part(part: list[int]) -> dict[int, ImageFacts | ImageError]:
        # one step for all before the next: headers need Python's lock, files and hashes don't, and threads that pass
        # it to and fro for each image spend more time on that than they gain
        answers: dict[int, ImageFacts | ImageError] = {}
        data: dict[int, bytes] = {}
        sizes: dict[int, tuple[int, int]] = {}
        for index in part:
            try:
                data[index] = read_bytes(names[index], root)
            except ImageError as error:
                answers[index] = error
        for index, content in data.items():
            try:
                sizes[index] = measure(content, names[index])
            except ImageError as error:
                answers[index] = error
        return answers | {index: hashed(data[index], size) for index, size in sizes.items()}

    done = told = 0
    for answers in map_bounded(read_part, _parts(indexes, found.stats), workers=settings.threads):
        results.update(answers)
        done += len(answers)
        if events is not None and (done - told >= 64 or done == len(indexes)):
            told = done
            events.progress("reading images", done, len(indexes))


def _parts(indexes: Sequence[int], stats: Sequence[tuple[int, int] | None]) -> Iterator[list[int]]:
    """The images in parts; one whose size isn't known is a part of its own."""
    part: list[int] = []
    left = _PART_BYTES
    for index in indexes:
        stat = stats[index] if stats else None
        left -= stat[0] if stat else _PART_BYTES
        if part and (left < 0 or len(part) == _PART_IMAGES):
            yield part
            part, left = [], _PART_BYTES - (stat[0] if stat else _PART_BYTES)
        part.append(index)
    if part:
        yield part


def _changed(
    found: Found,
    indexes: Sequence[int],
    facts: dict[int, ImageFacts],
    stored: dict[str, tuple[Any, ...]],
    content: _Content,
    issues: list[Issue],
) -> pd.DataFrame:
    rows = []
    for index in indexes:
        if index not in facts:
            continue
        image, stat, fact = str(found.images["image"].iat[index]), found.stats[index], facts[index]
        rows.append((image, fact.width, fact.height, fact.sha256, fact.bytes, stat[1] if stat else None))
        if fact.sha256 != stored[image][0]:
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
