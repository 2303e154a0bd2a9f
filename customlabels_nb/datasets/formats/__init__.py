"""Read and write dataset formats (COCO, YOLO, Pascal VOC, CSV, …), each in its own module listed in :data:`FORMATS`."""

from __future__ import annotations

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from customlabels_nb._utils.files import scratch, write_errors
from customlabels_nb._utils.text import counted, plain_url
from customlabels_nb.core.issues import CODES, EXPORT_FINDINGS, Issue, issues_to_frame
from customlabels_nb.core.limits import LOCAL
from customlabels_nb.core.tables import TEXT
from customlabels_nb.datasets.formats import coco, image_folder
from customlabels_nb.datasets.formats.account import Account
from customlabels_nb.datasets.formats.base import Contents, Format, ImageFinder, first_of, losses, not_held
from customlabels_nb.datasets.formats.clipping import clip
from customlabels_nb.datasets.formats.csv_labels import write_csv
from customlabels_nb.datasets.formats.entries import cannot_be_listed, is_here, listed_name
from customlabels_nb.datasets.formats.format_detection import (
    FOLDERS,
    Detected,
    detect,
    is_meaningless,
    issues_beside,
    named_format,
)
from customlabels_nb.datasets.formats.format_detection import FORMATS as FORMATS
from customlabels_nb.datasets.formats.manifest_lines import REFUSED, UNUSABLE
from customlabels_nb.datasets.formats.staging import staged
from customlabels_nb.errors import InputError, ManifestError
from customlabels_nb.images.listing import read_folder
from customlabels_nb.images.locations import absolute_uri, is_remote, local_path, to_path, to_uri, url_below
from customlabels_nb.remote.remote_files import download, is_web


@dataclass(frozen=True)
class ExportReport:
    """Result of an export: ``files``, images that were ``left_out``, and ``issues``, a table of data that changed."""

    format: str
    files: list[Path]
    issues: pd.DataFrame
    left_out: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        count, first = len(self.files), str(self.files[0]) if self.files else "none"
        files = first if count == 1 else f"{count:,} files, such as {first}"
        names = list(map(repr, self.left_out))
        skipped = f"{counted(len(names), 'image')} left out: {', '.join(names[:3])}. See .issues."
        others = self.issues.loc[self.issues["code"].isin(list(EXPORT_FINDINGS)), "message"]
        return "\n".join([f"Written as {self.format}: {files}.", *([skipped] if names else []), *others])


def read(
    path: str | os.PathLike[str],
    format: str | None = None,
    *,
    images: str | os.PathLike[str] | None = None,
    relocate: Mapping[str, str] | None = None,
    labels_from: str | None = None,
    **options: Any,
) -> tuple[Format, Contents]:
    """Read a file or folder of annotations, as in :func:`customlabels_nb.datasets.loading.read_dataset`."""
    if isinstance(path, str) and is_remote(path):
        path = plain_url(path)
        with _fetched(path) as file:
            try:
                chosen, contents = _read_local(file, format, images, relocate, labels_from, options)
            except ManifestError as error:
                raise ManifestError(str(error).replace(str(file), path), error.code) from error
            return chosen, _as_at(contents, file, path)
    source = local_path(path, "path")
    chosen, contents = _read_local(source, format, images, relocate, labels_from, options)
    contents.issues += _none_found(contents, source)
    return chosen, contents


def _read_local(
    source: Path,
    format: str | None,
    images: str | os.PathLike[str] | None,
    relocate: Mapping[str, str] | None,
    labels_from: str | None,
    options: Mapping[str, Any],
) -> tuple[Format, Contents]:
    _check_place(source)
    named = _named(format, labels_from) or (coco.FORMAT if "truth" in options else None)
    found = read_folder(source) if source.is_dir() else None
    chosen, files, beside = Detected(named, {source: None}) if named else detect(source, found)
    for name, value in options.items():
        if name not in chosen.options:
            hint = f"Its options are {', '.join(sorted(chosen.options))}" if chosen.options else "It has no options"
            raise InputError(f"{name}={value!r} is not an option of the format {chosen.name!r}. {hint}.")
    parts = [_read_file(chosen, file, images, relocate, options) for file in files]
    parts[0].issues += beside
    contents = parts[0] if len(parts) == 1 else _joined(parts, files.values())
    if found is not None:
        if named is image_folder.FORMAT:
            contents.issues += issues_beside(found.images, found.others, to_uri(source))
        if chosen not in FOLDERS and images is None and relocate is None:
            contents = _with_images_of(source, contents, found.images)
        contents.issues += _other_files(source, found.others, contents)
    return chosen, contents


def _other_files(folder: Path, files: Iterable[str], contents: Contents) -> list[Issue]:
    """Count the files in a folder that were not read, except those without a meaning here and those with an issue."""
    account, top = Account(), len(to_uri(folder)) + 1
    known = contents.taken.union(issue.where for issue in contents.issues)
    for file in files:
        if file not in known and not is_meaningless(file[top:]):
            account.add("file that is not an image", file)
    return account.issues(str(folder))


def _none_found(contents: Contents, source: Path) -> list[Issue]:
    """Return an issue if none of the images is where the annotations say. Readers report some missing images."""
    local = [image for image in contents.images["image"].tolist() if not is_remote(image)]
    reported = any(issue.code == "IMAGE_NOT_LISTED" for issue in contents.issues)
    if not local or reported or any(map(is_here, local)):
        return []
    message = f"No image was found (0 of {len(local):,}). Add the files, or pass their folder as images=."
    return [Issue("IMAGE_NOT_LISTED", message, local[0], str(source))]


def _named(format: str | None, labels_from: str | None) -> Format | None:
    """Return the format that the arguments name, or None if it is to be detected."""
    if labels_from not in (None, "folders"):
        raise InputError(f"labels_from={labels_from!r} is unknown. Choose None or 'folders'.")
    if labels_from and format:
        raise InputError("Pass either format= or labels_from='folders', not both.")
    return image_folder.FORMAT if labels_from else named_format(format) if format else None


def _read_file(
    chosen: Format,
    source: Path,
    images: str | os.PathLike[str] | None,
    relocate: Mapping[str, str] | None,
    options: Mapping[str, Any],
) -> Contents:
    finder = ImageFinder(source if source.is_dir() else source.parent, images=images, relocate=relocate)
    contents = chosen.read(source, finder, **options)
    contents.issues += [Issue("IMAGE_NOT_LISTED", where=name, source=str(source)) for name in finder.missing]
    contents.issues += finder.by_stem.issues(str(source))
    return contents


def _with_images_of(folder: Path, contents: Contents, images: Iterable[str]) -> Contents:
    """Find images that are not where a file says, and count the images in the folder that no annotation names."""
    stated = set(contents.images["image"])
    unnamed = [image for image in images if image not in stated]
    found = _found_elsewhere(stated, unnamed) if unnamed else {}
    issues, rest = list(contents.issues), Account()
    if found:
        first = min(found)
        message = f"{len(found):,} × image is not where its file says, but in the folder, such as {found[first]!r}."
        issues.append(Issue("ENTRY_ADJUSTED", message, first, str(folder)))
    for image in sorted(set(unnamed) - set(found.values())):
        rest.add("image that no annotation names", image)
    tables: dict[str, Any] = {}
    for name in ("images", "annotations", "predictions") if found else ():
        table = getattr(contents, name)
        tables[name] = table.assign(image=table["image"].map(lambda image: found.get(image, image)).astype(TEXT))
    return replace(contents, issues=issues + rest.issues(str(folder)), **tables)


def _found_elsewhere(stated: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Map missing images to the only other image of the same name, which a file may give without its extension."""
    by_name = defaultdict[str, list[str]](list)
    for image in others:
        name = image.rpartition("/")[2]
        for key in {name, name.rpartition(".")[0]}:
            by_name[key].append(image)
    found = {
        image: candidates[0]
        for image in stated
        if len(candidates := by_name.get(image.rpartition("/")[2], [])) == 1
        and not is_remote(image)
        and not os.path.isfile(to_path(image))
    }
    return found if len(set(found.values())) == len(found) else {}


def _joined(parts: Sequence[Contents], splits: Iterable[str | None]) -> Contents:
    """Join the contents of the files of a folder, in which each image counts once, and state their splits."""
    seen, result = set[str](), Contents()
    for part, split in zip(parts, splits, strict=True):
        repeated = part.images["image"].isin(seen)
        for image in part.images.loc[repeated, "image"]:
            result.issues.append(Issue("ENTRY_UNREADABLE", "Another file of the folder has this image.", image))
        images = part.images[~repeated] if split is None else part.images[~repeated].assign(split=split)
        seen.update(images["image"])
        for name, rows in (("images", images), ("annotations", part.annotations), ("predictions", part.predictions)):
            kept = rows[rows["image"].isin(images["image"])]
            setattr(result, name, pd.concat([table for table in (getattr(result, name), kept) if len(table)] or [kept]))
        result.labels = list(dict.fromkeys([*result.labels, *part.labels]))
        result.colors |= part.colors
        result.taken |= part.taken
        result.issues += part.issues
    return replace(
        result,
        **{name: getattr(result, name).reset_index(drop=True) for name in ("images", "annotations", "predictions")},
    )


@contextmanager
def _fetched(url: str) -> Iterator[Path]:
    """Download the file at ``url`` to a temporary folder that is deleted when the block ends."""
    if url.endswith("/"):
        raise ManifestError(
            f"{url!r} is a folder, but annotations at a URL must be a single file. To add images from a remote "
            "folder, use project.add_images, with labels_from='folders' to label them by folder name.",
            UNUSABLE,
        )
    with scratch(Path(tempfile.gettempdir())) as folder:
        name = re.sub(r"[^\w.-]+", "_", url.partition("?")[0].rpartition("/")[2])[-80:].lstrip(".")
        path = Path(folder, name or "annotations")
        try:
            download(url, path, LOCAL.max_archive_bytes)
        except InputError as error:
            refused = isinstance(error.__cause__, PermissionError)
            raise ManifestError(str(error), REFUSED if refused else UNUSABLE) from error
        yield path


def _as_at(contents: Contents, path: Path, url: str) -> Contents:
    """Replace the temporary path of a downloaded file with its URL, and relocate paths in its folder accordingly."""
    here = f"{to_uri(path.parent)}/"
    there = (url.partition("?")[0] if is_web(url) else url).rpartition("/")[0] + "/"

    def moved(name: str) -> str:
        return url_below(there, name[len(here) :]) if name.startswith(here) else name

    return replace(
        contents,
        images=contents.images.assign(image=contents.images["image"].map(moved)),
        annotations=contents.annotations.assign(image=contents.annotations["image"].map(moved)),
        predictions=contents.predictions.assign(image=contents.predictions["image"].map(moved)),
        issues=[
            replace(issue, where=moved(issue.where), source=url if issue.source == str(path) else moved(issue.source))
            for issue in contents.issues
        ],
    )


def _check_place(path: Path) -> None:
    """Raise an error if the path is neither a file nor a folder, without blocking on a pipe or device."""
    try:
        path.stat()
        why = "" if path.is_file() or path.is_dir() else "is neither a file nor a folder"
    except (OSError, ValueError) as error:
        absent = isinstance(error, FileNotFoundError | NotADirectoryError)
        why = "does not exist" if absent else f"cannot be read ({getattr(error, 'strerror', None) or error})"
    if why:
        raise ManifestError(f"{str(path)!r} {why}.", UNUSABLE)


def write(
    contents: Contents,
    format: str,
    path: str | os.PathLike[str],
    *,
    root: Path | None = None,
    copy_images: bool = False,
    escape_formulas: bool = False,
) -> ExportReport:
    """Write contents in a format, as in :meth:`customlabels_nb.datasets.dataset.Dataset.to`."""
    target, chosen = local_path(path, "path"), named_format(format)
    if escape_formulas:
        if chosen.name != "csv":
            raise InputError(f"escape_formulas=True works only with format='csv', not {format!r}.")
        chosen = replace(chosen, write=partial(write_csv, escape_formulas=True))
    with write_errors(f"path={str(path)!r}"):
        return _write(contents, chosen, target, root, copy_images)


def _write(contents: Contents, chosen: Format, target: Path, root: Path | None, copy_images: bool) -> ExportReport:
    folder = chosen.folder(target)
    folder.mkdir(parents=True, exist_ok=True)
    names = {image: absolute_uri(image, root) for image in contents.images["image"]}
    if copy_images and not chosen.copies:
        moved, copied, issues = _copy_images(names, folder)
    else:
        moved, issues = _without_copies(names, folder, chosen)
        copied = []
    images, annotations, predictions = (
        table[table["image"].isin(moved)].reset_index(drop=True).assign(image=lambda rows: rows["image"].map(moved))
        for table in (contents.images, contents.annotations, contents.predictions)
    )
    placed = replace(contents, images=images, annotations=annotations, predictions=predictions, issues=issues)
    if chosen.in_image:
        placed = clip(placed, chosen, {uri: image for image, uri in moved.items()})
    files = [*chosen.write(placed, target), *copied]
    called = {uri: image for image, uri in names.items()}
    failed = [replace(issue, where=called[issue.where]) for issue in placed.issues if issue.code not in EXPORT_FINDINGS]
    others = [issue for issue in placed.issues if issue.code in EXPORT_FINDINGS]
    left_out = dict.fromkeys([*(image for image in names if image not in moved), *(issue.where for issue in failed)])
    issues = [*_by_reason(failed), *others, *losses(contents, chosen)]
    return ExportReport(chosen.name, files, issues_to_frame(issues), list(left_out))


def _by_reason(failed: list[Issue]) -> list[Issue]:
    """Return one issue for each reason why images were left out, with a count and the first images."""
    images: dict[str, list[str]] = {}
    for issue in failed:
        images.setdefault(issue.code, []).append(issue.where)
    if len(images) == len(failed):
        return failed
    return [
        Issue(code, f"{len(names):,} × image left out: {first_of(names)}. {CODES[code]}", "images")
        for code, names in images.items()
    ]


def _copy_images(names: Mapping[str, str], folder: Path) -> tuple[dict[str, str], list[Path], list[Issue]]:
    """Copy all readable images to ``folder/images``, renaming images whose stem is taken or unsafe."""
    taken: dict[str, int] = {}
    with staged(folder) as files:
        copies = {image: files.copy_image(uri, folder / "images", taken) for image, uri in names.items()}
    moved = {image: to_uri(path) for image, path in copies.items() if path is not None}
    renamed = [
        f"{names[image]} → {path.name}"
        for image, path in copies.items()
        if path is not None and not names[image].partition("?")[0].endswith(f"/{path.name}")
    ]
    issues = files.issues
    if renamed:
        message = f"{len(renamed):,} × copy with another name than its image: {first_of(renamed)}."
        issues.append(Issue("EXPORT_ADJUSTED", message, "names of copies"))
    return moved, files.files, issues


def _without_copies(names: dict[str, str], folder: Path, chosen: Format) -> tuple[dict[str, str], list[Issue]]:
    """Return the images whose names the format can store, and issues for the others and those outside the folder."""
    issues = []
    unusual = [image for image, uri in names.items() if chosen.on_lines and cannot_be_listed(listed_name(uri, folder))]
    if unusual:
        hint = " These images were left out. Copies get other names: pass copy_images=True."
        issues.append(not_held(chosen, "image name with control characters or line breaks", unusual, hint, "names"))
    inside = os.path.join(to_uri(folder), "")
    elsewhere = [image for image, uri in names.items() if not uri.startswith(inside)] if chosen.need_copies else []
    if elsewhere:
        message = (
            f"{counted(len(elsewhere), 'image is', 'images are')} outside {str(folder)!r} and named by path or URL, so "
            f"{chosen.need_copies} cannot find them. Pass copy_images=True for these programs, or to move the files."
        )
        issues.append(Issue("IMAGES_ELSEWHERE", message, "copy_images"))
    left_out = set(unusual)
    return {image: uri for image, uri in names.items() if image not in left_out}, issues
