"""Taking images in: read each file once, recognise what is known, report what can't be used."""

from __future__ import annotations

import html
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from customlabels_nb import tables as t
from customlabels_nb.errors import ImageError, InputError
from customlabels_nb.events import Events
from customlabels_nb.formats.archive import unpack_zip
from customlabels_nb.formats.folder import FoundFiles, read_folder
from customlabels_nb.images import ImageFacts, inspect, is_remote, read_bytes, to_path, to_uri
from customlabels_nb.issues import Issue, issues_to_frame
from customlabels_nb.settings import settings
from customlabels_nb.store import Action, Store
from customlabels_nb.work import map_bounded

#: What images can be taken from: a name of a folder, zip file, image or URL, several names, or a table.
Source: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | pd.DataFrame


@dataclass
class Found:
    """What a source names, before any file was opened.

    ``images`` has ``image`` and any column of the user's; ``annotations`` are normalised; ``stats`` are size in
    bytes and time of change (ns) of each image where they came for free.
    """

    images: pd.DataFrame
    annotations: pd.DataFrame
    description: dict[str, Any]
    stats: list[tuple[int, int] | None] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    ignored: int = 0


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
    found = find_images(source, auto_label=auto_label, label=label, project_folder=root, annotator=settings.user)
    intake = take_in(
        found,
        split=split,
        known=store.files(),
        root=root,
        copy=copy,
        on_leak=on_leak,
        duplicates=duplicates,
        events=events,
    )
    name = str(found.description["name"])
    store.add_images(
        split,
        intake.images,
        intake.annotations,
        Action("import", settings.user, name),
        files=intake.files,
        issues=intake.issues,
        source=found.description,
    )
    if len(intake.changed):
        store.refresh_files(split, intake.changed, Action("refresh files", settings.user, name))
    return ImportReport(split, len(intake.images), intake.known, found.ignored, intake.issues)


def find_images(
    source: Source, *, auto_label: bool, label: str | None, project_folder: Path, annotator: str | None = None
) -> Found:
    """The images that ``source`` names: a folder, a zip file, one file or URL, a list of them, or a DataFrame.

    Raises
    ------
    InputError
        If there is nothing of that name, or no image in it.
    """
    if label is not None and auto_label:
        raise InputError("Give either label= or auto_label=True, not both.")
    label = None if label is None else t.check_label(label)
    if isinstance(source, pd.DataFrame):
        found = _from_frame(source, label, annotator)
    elif isinstance(source, str | os.PathLike):
        found = _from_name(os.fspath(source), auto_label, label, project_folder, annotator)
    else:
        found = _from_list([os.fspath(item) for item in source], label, annotator)
    if found.images.empty and not found.issues:
        ignored = f" ({found.ignored:,} other files are there)" if found.ignored else ""
        raise InputError(f"There is no image in {found.description['name']!r}{ignored}.")
    return found


def take_in(
    found: Found,
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
    known : DataFrame
        The store's ``files()``: what the project has on both sides.
    root : Path
        The project's folder; with ``copy`` the files are copied below it.
    on_leak : {"report", "keep"}
        What to do with an image whose content is on the other side (train or test): leave it out, or keep it.
    duplicates : {"skip", "keep"}
        What to do with an image whose content is in this dataset under another name.
    """
    for name, value, allowed in (
        ("on_leak", on_leak, ("report", "keep")),
        ("duplicates", duplicates, ("skip", "keep")),
    ):
        if value not in allowed:
            raise InputError(f"{name}={value!r} is not known; use one of {allowed!r}.")
    issues = list(found.issues)
    stored = dict(
        zip(known["image"], known[["split", "sha256", "bytes", "mtime_ns"]].itertuples(index=False), strict=True)
    )
    stats: list[tuple[int, int] | None] = found.stats or [None] * len(found.images)
    todo, changed_todo, already = [], [], 0
    for index, (image, stat) in enumerate(zip(found.images["image"], stats, strict=True)):
        row = stored.get(image)
        if row is None or (row.split != split and on_leak == "keep"):
            todo.append(index)
            continue
        already += 1
        if row.split == split and stat is not None and not _same(row, stat):
            changed_todo.append(index)
    facts = _read_all(found, [*todo, *changed_todo], root, issues, events)
    changed = _changed(found, changed_todo, facts, stored, issues)
    content = _Content(known, split)
    kept = [i for i in todo if i in facts and content.accept(found, i, facts[i], issues, on_leak, duplicates)]
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
        names = {image: _copy(image, sha, root) for image, sha in zip(images["image"], images["sha256"], strict=True)}
        images, files = images.assign(image=images["image"].map(names)), files.assign(image=files["image"].map(names))
        annotations = annotations.assign(image=annotations["image"].map(names))
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
        self, found: Found, index: int, facts: ImageFacts, issues: list[Issue], on_leak: str, duplicates: str
    ) -> bool:
        image = str(found.images["image"].iat[index])
        twin, other = self.here.get(facts.sha256), self.there.get(facts.sha256)
        source = found.description["name"]
        if other is not None:
            message = f"The same picture is on the other side (train or test) as {other!r}; "
            kept = "it was kept." if on_leak == "keep" else "it was left out."
            issues.append(Issue("LEAK_BETWEEN_SPLITS", message + kept, image, source))
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


def _from_name(name: str, auto_label: bool, label: str | None, project_folder: Path, annotator: str | None) -> Found:
    if is_remote(name):
        return _from_list([name], label, annotator)
    if os.path.isdir(name):
        return _from_folder(name, name, auto_label, label, annotator, "folder")
    if not os.path.exists(name):
        raise InputError(f"{name!r} does not exist; give a folder, a zip file, an image, or a list of images.")
    if name.lower().endswith(".zip"):
        # the name of the archive's folder comes from the user's path; the members' names are checked in unpack_zip
        target = project_folder / "images" / (Path(name).stem.strip(" .") or "archive")
        root, issues = unpack_zip(name, target)
        found = (
            _from_folder(os.fspath(root), name, auto_label, label, annotator, "zip")
            if root.is_dir()
            else Found(pd.DataFrame({"image": []}), t.empty(t.ANNOTATION_COLUMNS), {"kind": "zip", "name": name})
        )
        found.images = found.images.assign(image=[_relative(image, project_folder) for image in found.images["image"]])
        found.annotations = found.annotations.assign(
            image=[_relative(image, project_folder) for image in found.annotations["image"]]
        )
        found.issues[:0] = issues
        return found
    return _from_list([name], label, annotator)


def _from_folder(
    folder: str, name: str, auto_label: bool, label: str | None, annotator: str | None, kind: str
) -> Found:
    files: FoundFiles = read_folder(folder, auto_label=auto_label)
    labels = [label] * len(files.images) if label is not None else files.labels
    description = {"kind": kind, "name": to_uri(name), "auto_label": auto_label}
    images = pd.DataFrame({"image": files.images}, dtype="str")
    return Found(
        images,
        _label_rows(files.images, labels, annotator),
        description,
        list(files.stats),
        files.issues,
        files.ignored,
    )


def _from_list(names: list[str], label: str | None, annotator: str | None) -> Found:
    uris = list(
        dict.fromkeys(name if is_remote(name) or name.startswith("file://") else to_uri(name) for name in names)
    )
    description = {"kind": "files", "name": uris[0] if len(uris) == 1 else f"{len(uris)} files"}
    rows = _label_rows(uris, [label] * len(uris), annotator)
    return Found(pd.DataFrame({"image": uris}, dtype="str"), rows, description, [_stat(uri) for uri in uris])


def _from_frame(frame: pd.DataFrame, label: str | None, annotator: str | None) -> Found:
    if "image" not in frame.columns:
        raise InputError(f"The DataFrame needs a column 'image'; it has {list(frame.columns)}.")
    uris = [name if not isinstance(name, str) or is_remote(name) else to_uri(name) for name in frame["image"]]
    rows = frame.assign(image=uris)
    if label is not None:
        rows = rows.assign(label=label)
    about_labels = {*t.ANNOTATION_COLUMNS, "xmin", "ymin", "xmax", "ymax", "split", "revision"} - {"image"}
    boxes = {"left", "xmin"} & set(rows.columns)
    own = [c for c in rows.columns if c not in about_labels or (c in ("width", "height") and not boxes)]
    images = rows[own].drop_duplicates("image").reset_index(drop=True)
    annotations = (
        t.normalise_annotations(
            rows if boxes else rows.drop(columns=["width", "height"], errors="ignore"), annotator=annotator
        )
        if "label" in rows.columns
        else t.empty(t.ANNOTATION_COLUMNS)
    )
    stats = [_stat(uri) for uri in images["image"]]
    return Found(images, annotations, {"kind": "table", "name": f"a table of {len(images)} images"}, stats)


def _label_rows(images: Sequence[str], labels: Sequence[str | None], annotator: str | None) -> pd.DataFrame:
    rows = pd.DataFrame({"image": pd.Series(images, dtype="str"), "label": pd.Series(labels, dtype=object)})
    return t.normalise_annotations(rows, annotator=annotator)


def _stat(uri: str) -> tuple[int, int] | None:
    if is_remote(uri):
        return None
    try:
        status = to_path(uri).stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def _same(row: Any, stat: tuple[int, int]) -> bool:
    return not pd.isna(row.bytes) and not pd.isna(row.mtime_ns) and (int(row.bytes), int(row.mtime_ns)) == stat


def _read_all(
    found: Found, indexes: Sequence[int], root: Path, issues: list[Issue], events: Events | None
) -> dict[int, ImageFacts]:
    names = found.images["image"].to_numpy(dtype=object)

    def read(index: int) -> ImageFacts | ImageError:
        try:
            return inspect(read_bytes(names[index], root), names[index])
        except ImageError as error:
            return error

    facts: dict[int, ImageFacts] = {}
    for done, (index, result) in enumerate(
        zip(indexes, map_bounded(read, indexes, workers=settings.threads, ahead=64), strict=True), 1
    ):
        if isinstance(result, ImageError):
            issues.append(Issue(result.code, result.reason, str(names[index]), found.description["name"]))
        else:
            facts[index] = result
        if events is not None and (done % 64 == 0 or done == len(indexes)):
            events.progress("reading images", done, len(indexes))
    return facts


def _changed(
    found: Found, indexes: Sequence[int], facts: dict[int, ImageFacts], stored: dict[str, Any], issues: list[Issue]
) -> pd.DataFrame:
    rows = []
    for index in indexes:
        if index not in facts:
            continue
        image, stat, fact = str(found.images["image"].iat[index]), found.stats[index], facts[index]
        rows.append((image, fact.width, fact.height, fact.sha256, fact.bytes, stat[1] if stat else None))
        if fact.sha256 != stored[image].sha256:
            issues.append(Issue("IMAGE_CHANGED", where=image, source=found.description["name"]))
    columns = ["image", "width", "height", "sha256", "bytes", "mtime_ns"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(["width", "height", "bytes", "mtime_ns"], "Int64"))


def _relative(uri: str, root: Path) -> str:
    path, base = os.path.abspath(to_path(uri)), os.path.abspath(root)
    return to_uri(path) if to_uri(path).startswith("file://") else os.path.relpath(path, base)


def _copy(image: str, sha256: str, root: Path) -> str:
    """Copy one file to ``images/`` below ``root``, named by its content; returns its name relative to ``root``."""
    suffix = os.path.splitext(image)[1].lower()
    name = sha256[:16] + (suffix if suffix.isascii() and suffix[1:].isalnum() and len(suffix) <= 6 else "")
    target = root / "images" / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{name}.part")
        if is_remote(image):
            temporary.write_bytes(read_bytes(image))
        else:
            shutil.copyfile(to_path(image, root), temporary)
        temporary.replace(target)
    return os.path.join("images", name)
