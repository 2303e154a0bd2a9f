"""Writing a model as a file that other programs run, with a small program that does."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customlabels_nb._utils.files import scratch
from customlabels_nb._utils.text import one_line
from customlabels_nb.errors import InputError, ModelError, NotAllowedError
from customlabels_nb.images.reading import local_path
from customlabels_nb.inference.exporting import detect as snippet
from customlabels_nb.inference.exporting.checking import TOLERANCE, difference
from customlabels_nb.inference.exporting.graph_files import WRITERS, check_format
from customlabels_nb.inference.exporting.metadata import facts_of, to_text
from customlabels_nb.inference.exporting.networks import exportable
from customlabels_nb.models.artifact import ModelConfig, load_artifact

_SNIPPET = "detect.py"
_OURS = {_SNIPPET, "__pycache__", *snippet.FILES}


@dataclass(frozen=True)
class Exported:
    """What :func:`export` wrote.

    Attributes
    ----------
    folder : Path
        With the model file and the program that runs it.
    file : Path
        ``model.onnx`` or ``model.pt2``.
    program : Path
        ``detect.py``, which needs this package no more: ``python detect.py photo.jpg``.
    difference : float
        The largest difference from the model itself that was seen, in confidences (0..1) and as a share of the image.
    photos : int
        How many photos were compared, beside drawn noise.
    """

    folder: Path
    file: Path
    program: Path
    difference: float
    photos: int

    def __repr__(self) -> str:
        on = f"{self.photos:,} photos" if self.photos else "noise (no photos were at hand)"
        return (
            f"{one_line(str(self.file))}: {self.file.stat().st_size / 1e6:,.1f} MB, as the model within "
            f"{max(self.difference, 1e-9):.0e} on {on}. Run it with {self.program.name} beside it."
        )


def export(
    model: Path,
    name: str,
    format: str,
    path: str | os.PathLike[str] | None = None,
    *,
    pictures: Sequence[str] = (),
) -> Exported:
    """Write the model in the folder ``model`` to the folder ``path``; see :meth:`Runnable.export`.

    Parameters
    ----------
    model : Path
        As :func:`customlabels_nb.models.artifact.save_artifact` wrote it.
    name : str
        What the model is called in its metadata.
    format : {"onnx", "pt2"}
    path : path, optional
        A new folder, or one that an export was written to before; ``<name>-<format>`` in the current folder by default.
    pictures : sequence of str
        Photos on which both are compared, as far as they can be read.

    Raises
    ------
    InputError, NotAllowedError
        If the format isn't known, or the folder is no place for it.
    MissingDependencyError
        If packages for the format are missing.
    ModelError
        If the model can't be written so, or what was written doesn't say what the model says. There is no file then.
    """
    ending = check_format(format)
    folder = _folder(path, name, ending)
    network, config = load_artifact(model)
    facts = facts_of(network, config, name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch(folder.parent) as beside:
            file = beside / f"model.{ending}"
            WRITERS[ending](exportable(network), config, to_text(facts), file)
            apart, photos = _compared(file, network, config, facts, pictures)
            if apart > TOLERANCE:
                raise ModelError(
                    f"What was written as {ending!r} differs from the model by {apart:.1e}, more than {TOLERANCE:g}; "
                    "no file was kept. Try the other format, or another version of torch."
                )
            Path(beside, _SNIPPET).write_bytes(Path(snippet.__file__).read_bytes())
            folder.mkdir(exist_ok=True)
            for each in (file.name, _SNIPPET):
                Path(beside, each).replace(folder / each)
    except OSError as error:
        raise InputError(f"path={str(folder)!r} can't be written: {error.strerror or error}.") from error
    return Exported(folder, folder / file.name, folder / _SNIPPET, apart, photos)


def _compared(file: Path, network: Any, config: ModelConfig, facts: dict[str, Any], pictures: Sequence[str]) -> Any:
    """What :func:`difference` says of the file that was written."""
    try:
        run, _ = snippet.LOADERS[file.suffix](file)
        return difference(network, config, run, facts, pictures)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # what runs it has errors of its own
        words = (str(error).strip().splitlines() or [""])[0][:200]
        raise ModelError(
            f"What was written as {file.suffix[1:]!r} doesn't run ({type(error).__name__}: {words}); no file was kept. "
            "Try the other format."
        ) from error


def _folder(path: str | os.PathLike[str] | None, name: str, ending: str) -> Path:
    if path is None:
        plain = re.sub(r"[^\w.-]+", "_", name).strip("._-") or "model"
        folder = Path.cwd() / f"{plain}-{ending}"
    else:
        folder = local_path(path, "path").absolute()
    if folder.suffix.lower() in snippet.LOADERS and not folder.is_dir():
        raise InputError(
            f"path={str(folder)!r} looks like a file; name a folder, which gets model.{ending} and {_SNIPPET}."
        )
    if not folder.is_dir():
        if os.path.lexists(folder):
            raise NotAllowedError(f"path={str(folder)!r} is a file; name a folder.")
        return folder
    others = sorted(entry.name for entry in folder.iterdir() if entry.name not in _OURS)
    if others:
        raise NotAllowedError(f"path={str(folder)!r} has other things in it, such as {others[0]!r}; name a new folder.")
    return folder
