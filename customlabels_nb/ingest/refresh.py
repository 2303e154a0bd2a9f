"""Rescan the sources of a dataset: import new images, and report changed and vanished images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customlabels_nb.core import tables as t
from customlabels_nb.core.issues import Issue, issues_to_frame
from customlabels_nb.datasets.import_reports import RefreshReport
from customlabels_nb.errors import CustomLabelsError, ImageError, NotEnoughDataError
from customlabels_nb.events import Events
from customlabels_nb.images.listing import is_image_name
from customlabels_nb.images.locations import is_remote, to_path
from customlabels_nb.images.reading import content_hash, read_bytes
from customlabels_nb.ingest.copies import find_copies
from customlabels_nb.ingest.importer import import_images
from customlabels_nb.ingest.sources import ImportOptions, SourceContents, find_again
from customlabels_nb.remote.download_cache import look_up_all
from customlabels_nb.remote.remote_files import RemoteFile
from customlabels_nb.store import SqlStore
from customlabels_nb.user_settings import settings

Description = Mapping[str, Any]


def refresh_dataset(store: SqlStore, root: Path, split: str, *, events: Events | None = None) -> RefreshReport:
    """Import new images from the sources of a dataset, and find images that have changed or vanished there.

    Images that never had labels get those of the source. Other labels do not change, and a difference is reported
    once. Images that a user removed from the dataset are not added again, and images that are in the other split are
    not added.
    """
    record = store.dataset(split)
    if record is None:
        raise NotEnoughDataError(f"The {split} set does not exist yet. Create it with project.add_images().")
    images, history, reported = store.images(), store.history(), store.issues()
    removed, emptied = _removed(images, history, split), _emptied(images, history)
    seen = _SourceImages(images, split, root)
    report = RefreshReport()
    for description in _each_once(record.sources):
        try:
            contents = find_again(description, project_folder=root, annotator=settings.user)
        except CustomLabelsError as error:
            seen.unreachable.append(description)
            issue = Issue("SOURCE_UNREACHABLE", str(error), str(description.get("name", "")))
            report += RefreshReport(issues=issues_to_frame([issue]))
            continue
        if contents is None:
            report += RefreshReport(skipped=[str(description.get("name", ""))])
            continue
        seen.look(contents)
        found, copy = contents.images["image"], bool(description.get("copy"))
        copies = find_copies(found, [*removed, *images["image"]]) if copy else {}
        elsewhere = _known_elsewhere(store, split, contents, copies, root)
        fates = np.array([_fate(image, copies.get(image, image), removed, elsewhere, emptied) for image in found], "U9")
        new = contents.part(np.flatnonzero((fates == "import") | (fates == "bare")).tolist())
        bare = t.is_among(new.annotations["image"], found[fates == "bare"])
        new = replace(new, annotations=new.annotations[~bare], issues=contents.issues, ignored=contents.ignored)
        done = import_images(store, root, new, ImportOptions(split, copy=copy, copies=copies), events=events)
        is_change = done.issues["code"] == "IMAGE_CHANGED"
        changed = done.issues.loc[is_change, "where"]
        changes = {"added": done.added_images, "changed": changed, "labelled": done.labelled_images}
        report += RefreshReport(
            [(split, image, what) for what, names in changes.items() for image in names],
            removed=found[fates == "removed"].tolist(),
            issues=_not_yet_reported(done.issues[~is_change], reported),
        )
    return report + RefreshReport((*where, "vanished") for where in seen.vanished())


def _removed(images: pd.DataFrame, history: pd.DataFrame, split: str) -> set[str]:
    """Return the images that a user removed from the dataset, and that are not in it again."""
    is_removal = (history["what"] == "remove images") & (history["split"] == split)
    actions = history[is_removal | (history["what"] == "remove missing images")]
    removed = {image for states in actions["before"] if isinstance(states, dict) for image in states}
    return removed - set(images.loc[images["split"] == split, "image"])


def _fate(image: str, name: str, removed: set[str], elsewhere: set[str], emptied: set[str]) -> str:
    """Decide what happens to an image of a source that has this name in the project."""
    if name in removed:
        return "removed"  # a user removed it, and it is only reported
    if image in elsewhere:
        return "elsewhere"  # it belongs to the other split, or is known under another name
    return "bare" if name in emptied else "import"  # "bare" is imported without labels, which a person removed


def _emptied(images: pd.DataFrame, history: pd.DataFrame) -> set[str]:
    """Return the images without labels that once had some: a source does not bring back what a person removed."""
    bare = set(images.loc[images["status"] == "unlabelled", "image"])
    emptied = set()
    for states in [*history["before"], *history["after"]] if bare else ():
        states = states if isinstance(states, dict) else {}
        if isinstance(states.get("label"), str) and "annotations" in states:  # a removed label, and its images
            emptied |= bare & set(states["images"])
            continue
        emptied |= {image for image in bare & states.keys() if states[image].get("annotations")}
    return emptied


def _not_yet_reported(issues: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """Leave out LABEL_KEPT issues that an earlier import has reported."""
    kept = earlier[earlier["code"] == "LABEL_KEPT"]
    reported = set(zip(kept["where"], kept["message"], strict=True))
    rows = zip(issues["code"], issues["where"], issues["message"], strict=True)
    new = [code != "LABEL_KEPT" or (where, message) not in reported for code, where, message in rows]
    return issues[np.array(new, dtype=bool)]


class _SourceImages:
    """Images found in the sources of a dataset, including images in the other split from the same sources."""

    def __init__(self, images: pd.DataFrame, split: str, root: Path) -> None:
        self._images = images
        self._split = split
        self._root = root
        self._there: set[str] = set()
        self._descriptions: list[Description] = []
        self.unreachable: list[Description] = []

    def look(self, listed: SourceContents) -> None:
        """Record the images that a source contains now."""
        self._there.update(listed.images["image"])
        if not listed.description.get("copy"):
            self._descriptions.append(listed.description)
        of_source = self._images[self._images["source"] == listed.description.get("name")]
        if listed.description.get("kind") == "zip" and not set(listed.images["image"]) <= set(self._images["image"]):
            # a new version of an archive is unpacked to another folder: its images are matched by content
            contents = _contents(listed.images["image"], self._root)
            self._there.update(of_source.loc[of_source["sha256"].isin(contents), "image"])

    def vanished(self) -> list[tuple[str, str]]:
        """Return the split and name of each image that is no longer in any source that could be scanned."""
        columns = [self._images[name].tolist() for name in ("split", "image", "source")]
        gone = [
            (split, image)
            for split, image, source in zip(*columns, strict=True)
            if image not in self._there and self._is_gone(split, image, source)
        ]
        # listings do not include these, but they may have been added by name
        odd = [image for _, image in gone if is_remote(image) and ("/." in image or not is_image_name(image))]
        there = {url for url, answer in look_up_all(odd).items() if isinstance(answer, RemoteFile)}
        return [where for where in gone if where[1] not in there]

    def _is_gone(self, split: str, image: str, source: str) -> bool:
        if any(_is_of(description, image, source) for description in self.unreachable):
            return False
        of_zip = any(d.get("kind") == "zip" and d.get("name") == source for d in self._descriptions)
        from_here = any(_is_of(description, image, source) for description in self._descriptions)
        if is_remote(image) or of_zip:
            return from_here
        return (from_here or split == self._split) and not os.path.lexists(to_path(image, self._root))


def _is_of(description: Description, image: str, source: str) -> bool:
    """Check whether an image belongs to a source: it is in the source's folder, or was imported from the source."""
    name = str(description.get("name", ""))
    if description.get("kind") != "folder":
        return source == name
    if image.startswith("file://"):
        image = to_path(image).as_posix()
    return image.startswith(name.rstrip("/") + "/")


def flat_sources(lists: Iterable[Iterable[Description]]) -> list[Description]:
    """Return the sources in these lists, and those that they consist of, each once."""
    return _each_once(source for sources in lists for source in sources)


def _each_once(sources: Iterable[Description]) -> list[Description]:
    """Flatten the sources and keep only the latest one of each name, whose labelling options apply."""
    return list(
        {str(source.get("pattern", source.get("name", ""))): source for source in _one_by_one(sources)}.values()
    )


def _one_by_one(sources: Iterable[Description]) -> Iterator[Description]:
    for source in sources:
        parts = source.get("sources")
        if isinstance(parts, list):
            yield from _one_by_one({**part, "copy": True} if source.get("copy") else part for part in parts)
        else:
            yield source


def _known_elsewhere(
    store: SqlStore, split: str, listed: SourceContents, copies: Mapping[str, str], root: Path
) -> set[str]:
    """Return the found images that, or whose ``copies``, are in the other split, and those of a zip that are known."""
    files = store.files()[0]
    others = set(files.loc[files["split"] != split, "image"])
    elsewhere = {image for image in listed.images["image"] if copies.get(image, image) in others}
    if listed.description.get("kind") == "zip":
        new = listed.images.loc[~listed.images["image"].isin(files["image"]), "image"]
        contents = set(files["sha256"].dropna())
        elsewhere |= {image for content, image in _contents(new, root).items() if content in contents}
    return elsewhere


def _contents(images: Iterable[str], root: Path) -> dict[str, str]:
    """Map content hashes to images, skipping images that cannot be read."""
    contents = {}
    for image in images:
        try:
            contents[content_hash(read_bytes(image, root))] = image
        except ImageError:
            continue
    return contents
