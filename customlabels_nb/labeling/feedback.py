"""Feedback on predictions: add an image to the dataset with predicted labels that a person confirmed or corrected."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from customlabels_nb._utils.files import write_errors, write_whole
from customlabels_nb._utils.text import file_name
from customlabels_nb.core import change_signal
from customlabels_nb.core import tables as t
from customlabels_nb.core.limits import IMAGE_SUFFIXES, LOCAL
from customlabels_nb.errors import NotAllowedError
from customlabels_nb.images.decoding import opened, usual_suffix
from customlabels_nb.images.locations import to_path, to_uri
from customlabels_nb.ingest.importer import import_images
from customlabels_nb.ingest.sources import ImportOptions, SourceContents
from customlabels_nb.labeling.screen import ProjectScreen
from customlabels_nb.labeling.session_files import reserve
from customlabels_nb.store import Action


@dataclass(frozen=True)
class AddedImageReport:
    """Image that was added: its name in the tables, its dataset, its labels, and the id of the action."""

    image: str
    split: str
    labels: tuple[str, ...]
    action: int


class Feedback(ProjectScreen):
    """Recorder that adds quick-test images to a project, as undoable actions, in ``images/`` if they are no files."""

    @property
    def one_label(self) -> bool:
        return self._store.project().task == "single-label"

    def labels(self) -> list[tuple[str, str]]:
        """Return the names and colors (#rrggbb) of the project's labels, in order."""
        labels = self._store.labels()
        return list(zip(labels["label"].tolist(), labels["color"].tolist(), strict=True))

    def add(
        self, data: bytes, name: str, file: str | None, annotations: pd.DataFrame, split: str, *, model: str
    ) -> AddedImageReport:
        """Add one image with these annotations. Without annotations, it is stored as checked and empty.

        The local ``file`` stays where it is. Without one, ``data`` is written to ``images/``. If the project has the
        image already, nothing is changed. ``model`` is stored as the source of the image.
        """
        t.check_split(split)
        if self.read_only:
            raise NotAllowedError(f"Project {self.project!r} is read-only, so nothing can be added.")
        path = Path(file) if file is not None else self._write(data, name)
        uri = to_uri(path)
        try:
            return self._take_in(uri, annotations, split, model)
        except BaseException:
            if file is None:
                path.unlink(missing_ok=True)
            raise

    def undo(self, added: AddedImageReport) -> None:
        """Undo an addition, unless its labels were changed. The image leaves the dataset, but its file stays."""
        self._store.undo(added.action, Action("undo", self.user, "quick test"))
        change_signal.notify(self.root)

    def _take_in(self, uri: str, annotations: pd.DataFrame, split: str, model: str) -> AddedImageReport:
        for side in t.SPLITS:
            if len(self._store.tables(side, [uri])[0]):
                raise NotAllowedError(f"{to_path(uri).name!r} is already in the {side} set. Label it there.")
        labelled = t.normalise_annotations(annotations.assign(image=uri), annotator=self.user)
        images = pd.DataFrame({"image": [uri], "status": ["labelled"]})
        status = to_path(uri).stat()
        description = {"kind": "quick test", "name": f"quick test of {model}"}
        contents = SourceContents(images, labelled, description, [(status.st_size, status.st_mtime_ns)])
        before = self._store.last_action()
        report = import_images(self._store, self.root, contents, ImportOptions(split, on_known="skip"))
        if not report.added:
            reasons = report.issues["message"].tolist()
            raise NotAllowedError(reasons[0] if reasons else "The image cannot be added: the project already has it.")
        actions = self._store.actions_since(before, None)
        mine = [
            action
            for action, what, images in zip(actions["id"], actions["what"], actions["images"], strict=True)
            if what == "import" and uri in images
        ]
        added = AddedImageReport(uri, split, tuple(dict.fromkeys(labelled["label"].tolist())), int(mine[-1]))
        change_signal.notify(self.root)
        return added

    def _write(self, data: bytes, name: str) -> Path:
        """Write an image to ``images/`` under a free file name."""
        with opened(data, name, LOCAL.max_pixels) as image:
            wanted = image_name(name, usual_suffix(image))
        folder = self.root / "images"
        with write_errors(f"The image in {str(folder)!r}", NotAllowedError):
            folder.mkdir(parents=True, exist_ok=True)
            path = reserve(folder, wanted, {path.name.lower() for path in folder.iterdir()})
            write_whole(path, data)
        return path


def image_name(name: str, suffix: str) -> str:
    """Return the file name of a path or URL, with the suffix if it has none of an image."""
    base = file_name(name.partition("#")[0] if "://" in name else name).strip("./\\ ") or "picture"
    return base if os.path.splitext(base)[1].lower() in IMAGE_SUFFIXES else base + suffix
