"""A model from a folder or zip file, wherever that came from: no project is needed to run it."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import one_line
from customlabels_nb.errors import ArtifactError
from customlabels_nb.images.reading import local_path
from customlabels_nb.models.artifact import CONFIG, MOST_CONFIG_BYTES, WEIGHTS, load_config
from customlabels_nb.project.location import DATABASE
from customlabels_nb.project.runnable import Runnable

if TYPE_CHECKING:
    from customlabels_nb.inference.predictor import Predictor

_MOST_RATIO = 20  # weights hardly become smaller in a zip file
_CHUNK = 1 << 20


def load_model(path: str | os.PathLike[str]) -> LoadedModel:
    """A trained model from its folder or a zip file of it, without the project that it was made in.

    Nothing in it is executed: weights are numbers, and the rest is checked before it is used. Of a folder only
    ``config.json`` and ``model.safetensors`` are read.

    Parameters
    ----------
    path : path
        A version's folder (``model.folder`` says where that is), a copy of it, or a zip file with one in it.

    Returns
    -------
    LoadedModel
        Runs as a project's version does: ``start``, ``detect``, ``detect_many``, ``stop``, …

    Raises
    ------
    ArtifactError
        If there is no model, it is damaged, or of a newer release. Damaged weights are noticed at the first start.
    """
    place = local_path(path, "path").absolute()
    if not place.is_file():
        if (place / DATABASE).is_file() and not (place / CONFIG).exists():
            raise ArtifactError(f"{str(place)!r} is a project: cl.load_project(…).model('latest') is its newest model.")
        return LoadedModel(place, place.resolve().name)
    unpacked = Path(tempfile.mkdtemp(prefix="customlabels-model-"))
    try:
        found = _unpack(place, unpacked)
        model = LoadedModel(unpacked, found or place.stem)
    except BaseException:
        shutil.rmtree(unpacked, ignore_errors=True)
        raise
    weakref.finalize(model, shutil.rmtree, unpacked, ignore_errors=True)
    return model


class LoadedModel(Runnable):
    """A model that runs without a project. Made by :func:`load_model`.

    Attributes
    ----------
    name : str
        What its folder is called, which is the name of the version that it was.
    """

    def __init__(self, folder: Path, name: str) -> None:
        config = load_config(folder)
        self.name = name or "model"
        self._folder = folder
        self._kind, self._labels = config.kind, config.labels
        self._running_here: Predictor | None = None

    @property
    def folder(self) -> Path:
        """Where it lies; a folder for the time being if it came in a zip file."""
        return self._folder

    @property
    def kind(self) -> str:
        """ "single-label", "multi-label" or "detection"."""
        return self._kind

    @property
    def labels(self) -> tuple[str, ...]:
        """What it tells apart."""
        return self._labels

    @property
    def thresholds(self) -> dict[str, float]:
        """The confidence (0..1) from which on each label counts."""
        config = load_config(self._folder)
        return {label: config.threshold_of(label) for label in config.labels}

    def start(
        self, device: str | None = None, *, engine: str | None = None, idle_stop: str | float | None = None
    ) -> LoadedModel:
        from customlabels_nb.inference.predictor import Predictor

        if self._running_here is None:
            self._running_here = Predictor(self._folder)
        self._running_here.start(device, engine=engine, idle_stop=idle_stop)
        return self

    def stop(self) -> None:
        """Free the memory that the model takes; stopping what doesn't run is no error."""
        if self._running_here is not None:
            self._running_here.stop()

    @property
    def _predictor(self) -> Predictor | None:
        known = self._running_here
        return known if known is not None and known.running else None

    def __repr__(self) -> str:
        state = "stopped" if self._predictor is None else f"running on {self._predictor.device}"
        return f"LoadedModel({one_line(self.name)!r}, {self._kind}, {len(self._labels):,} labels, {state})"

    def _repr_html_(self) -> str:
        state = "stopped" if self._predictor is None else f"running on {self._predictor.device}"
        return render("loaded_model.html", name=self.name, kind=self._kind, state=state, labels=self._labels)


def _unpack(archive: Path, to: Path) -> str:
    """Write config and weights of the one model in a zip file to ``to``; returns what its folder is called there."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = {PurePosixPath(member.filename): member for member in opened.infolist()}
            homes = [path.parent for path in members if path.name == CONFIG and path.with_name(WEIGHTS) in members]
            if len(homes) != 1:
                raise ArtifactError(
                    f"{str(archive)!r} has {len(homes)} models in it; give a zip file of one version's folder. "
                    "A packed project is opened with cl.unpack_project."
                )
            for name, most in ((CONFIG, MOST_CONFIG_BYTES), (WEIGHTS, _MOST_RATIO * archive.stat().st_size)):
                _extract(opened, members[homes[0] / name], to / name, most)
    except (ArtifactError, KeyboardInterrupt):
        raise
    except Exception as error:  # zipfile's parser raises whatever a damaged file makes it
        raise ArtifactError(f"{str(archive)!r} can't be read as a zip file of a model: {error}.") from error
    return homes[0].name.strip(".")


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, most: int) -> None:
    if member.file_size > most:
        raise ArtifactError(
            f"{member.filename!r} would unpack to {member.file_size:,} bytes: it looks like a zip bomb."
        )
    left = member.file_size
    with opened.open(member) as source, to.open("xb") as file:
        while chunk := source.read(min(_CHUNK, left)) if left else b"":  # never more than it says
            file.write(chunk)
            left -= len(chunk)
