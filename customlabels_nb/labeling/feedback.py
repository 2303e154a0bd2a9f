"""What a person makes of a model's answer: a picture that goes into the dataset with the labels found right."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from customlabels_nb._utils.files import write_whole
from customlabels_nb.core import tables as t
from customlabels_nb.core.limits import IMAGE_SUFFIXES, LOCAL
from customlabels_nb.errors import NotAllowedError
from customlabels_nb.images.decoding import opened
from customlabels_nb.images.reading import to_path, to_uri
from customlabels_nb.ingest.importer import import_images
from customlabels_nb.ingest.sources import ImportOptions, SourceContents
from customlabels_nb.labeling import change_signal
from customlabels_nb.labeling.screen import ProjectScreen
from customlabels_nb.labeling.session_files import free_name
from customlabels_nb.store import Action

_SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif"}


@dataclass(frozen=True)
class Added:
    """A picture that was added: its name in the tables, the dataset, its labels, and the action's id."""

    image: str
    split: str
    labels: tuple[str, ...]
    action: int


class Feedback(ProjectScreen):
    """Adds pictures that a model was asked about to a project, one action each, and takes that back.

    Pictures that lie nowhere here are written to ``images/`` in the project's folder.
    """

    @property
    def one_label(self) -> bool:
        """Whether an image of the project has one label."""
        return self._store.project().task == "single-label"

    def labels(self) -> list[tuple[str, str]]:
        """Names and colours (#rrggbb) of the project's labels, in order."""
        labels = self._store.labels()
        return list(zip(labels["label"].tolist(), labels["colour"].tolist(), strict=True))

    def add(
        self, data: bytes, name: str, place: str | None, annotations: pd.DataFrame, split: str, *, model: str
    ) -> Added:
        """Add one picture with these annotations; none means "looked at, nothing here".

        Parameters
        ----------
        data : bytes
            The encoded picture.
        name : str
            What it is called; only the last part of it names the file.
        place : str, optional
            The local file in which it lies: that stays where it is. Otherwise the bytes are written to ``images/``.
        annotations : DataFrame
            ``label`` and, of boxes, ``left``, ``top``, ``width``, ``height`` in pixels of the upright picture.
        split : {"train", "test"}
        model : str
            Which model was asked, kept as the picture's source.

        Raises
        ------
        NotAllowedError
            If the project has this picture, or can't be written to. Nothing was changed.
        InputError, LabelError
            If an argument can't be used.
        """
        t.check_split(split)
        if self.read_only:
            raise NotAllowedError(f"The project {self.project!r} can only be read here, so nothing can be added.")
        path = Path(place) if place is not None else self._write(data, name)
        uri = to_uri(path)
        try:
            return self._take_in(uri, annotations, split, model)
        except BaseException:
            if place is None:
                path.unlink(missing_ok=True)
            raise

    def undo(self, added: Added) -> None:
        """Take an addition back: the picture leaves the dataset, its file stays.

        Raises
        ------
        StaleEditError
            If somebody changed the picture's labels since. Nothing was changed.
        NotAllowedError
            If it was taken back already.
        """
        self._store.undo(added.action, Action("undo", self.user, "quick test"))
        change_signal.notify(self.root)

    def _take_in(self, uri: str, annotations: pd.DataFrame, split: str, model: str) -> Added:
        for side in t.SPLITS:
            if len(self._store.tables(side, [uri])[0]):
                raise NotAllowedError(f"{to_path(uri).name!r} is in the {side} set already; label it there.")
        marks = t.normalise_annotations(annotations.assign(image=uri), annotator=self.user)
        images = pd.DataFrame({"image": [uri], "status": ["labelled"]})
        status = to_path(uri).stat()
        description = {"kind": "quick test", "name": f"quick test of {model}"}
        found = SourceContents(images, marks, description, [(status.st_size, status.st_mtime_ns)])
        before = self._store.last_action()
        report = import_images(self._store, self.root, found, ImportOptions(split))
        if not report.added:
            reasons = report.issues["message"].tolist()
            raise NotAllowedError(reasons[0] if reasons else "It can't be added: the project has it already.")
        labels = tuple(dict.fromkeys(marks["label"].tolist()))
        added = Added(uri, split, labels, self._action_after(before, uri))
        change_signal.notify(self.root)
        return added

    def _action_after(self, before: int, uri: str) -> int:
        actions = self._store.actions_since(before, None)
        mine = [
            action
            for action, what, images in zip(actions["id"], actions["what"], actions["images"], strict=True)
            if what == "import" and uri in images
        ]
        return int(mine[-1])

    def _write(self, data: bytes, name: str) -> Path:
        """Write a picture to ``images/`` under a name that nothing there has."""
        with opened(data, name, LOCAL.max_pixels) as image:
            wanted = file_name(name, image.format or "")
        folder = self.root / "images"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = _reserved(folder, wanted)
            write_whole(path, data)
        except OSError as error:
            raise NotAllowedError(f"The picture can't be written to {str(folder)!r} ({error.strerror}).") from error
        return path


def _reserved(folder: Path, name: str) -> Path:
    """An empty file of this name, or of one like it that nothing in the folder has."""
    taken = {path.name.lower() for path in folder.iterdir()}
    while True:
        path = folder / free_name(name, taken)
        try:
            path.touch(exist_ok=False)
        except FileExistsError:  # another process was quicker
            taken.add(path.name.lower())
        else:
            return path


def file_name(name: str, image_format: str) -> str:
    """What a picture's file is called: the last part of a path or URL, with the ending of its format if it has none."""
    path = name.partition("?")[0].partition("#")[0] if "://" in name else name
    base = path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].strip(". ") or "picture"
    if os.path.splitext(base)[1].lower() in IMAGE_SUFFIXES:
        return base
    return base + _SUFFIXES.get(image_format, ".png")
