"""Every error this package raises on purpose.

The tree (all below :class:`CustomLabelsError`)::

    CustomLabelsError
    ├── InputError (ValueError)          an argument can't be used: the message names it and the value it got
    │   ├── ImageError                   one image can't be used: names the image
    │   │   ├── ImageNotFoundError       nothing at that path
    │   │   ├── NotAnImageError          the bytes are no image, or of a type that isn't read
    │   │   ├── TruncatedImageError      an image that ends too early or is damaged
    │   │   └── ImageTooLargeError       more pixels than the limit (decompression bomb)
    │   ├── VideoError                   one video can't be used: names the video
    │   │   ├── NotAVideoError           the file is no video, has no pictures, or is of a type that isn't read
    │   │   └── TruncatedVideoError      a video that ends too early or is damaged
    │   ├── LabelError                   a label is unknown, doubled, empty or still in use
    │   ├── ArchiveError                 a zip that can't be unpacked safely
    │   ├── ManifestError                a manifest file can't be read at all (has a code)
    │   └── TableError                   a DataFrame lacks columns or holds impossible values
    ├── ProjectError
    │   ├── ProjectNameError (ValueError)
    │   ├── ProjectExistsError
    │   └── ProjectNotFoundError
    ├── StoreError                       the project's database can't do what was asked
    │   ├── DamagedError                 the database holds what can't be read
    │   ├── SchemaTooNewError            written by a newer release
    │   ├── StaleEditError               somebody else changed these images meanwhile: holds theirs and yours
    │   └── OutdatedError                images came or went since they were looked at: look again
    ├── NotEnoughDataError               labels or images are missing: says how many of what (has a code)
    ├── NotAllowedError                  refused with a reason (running version, missing confirmation, …)
    ├── ModelError
    │   ├── ModelNotFoundError           no version of that name
    │   ├── ModelNotReadyError           its training is not complete
    │   ├── WeightsUnavailableError      pretrained weights can't be fetched: names what to use instead
    │   └── ArtifactError                the version's folder is damaged or not ours
    ├── DeviceError                      the named device isn't here
    ├── MissingDependencyError           an optional package is needed: gives the command
    ├── NotReadyError                    still being worked out: says how far it is; ask again
    └── Cancelled                        work that was asked to stop did so
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class CustomLabelsError(Exception):
    """Base of all errors raised on purpose by this package.

    A notebook shows the lines of one's own code that led to it and the message; ``%xmode Verbose`` shows all lines.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the calls up to ours, without those of IPython itself and errors that led to this one."""
        from IPython.core.interactiveshell import InteractiveShell

        display = InteractiveShell.instance().InteractiveTB
        if display.mode in ("Verbose", "Docs"):
            return list(display.structured_traceback(type(self), self, self.__traceback__))
        led_to_it = self.__cause__, self.__context__, self.__suppress_context__
        self.__cause__ = self.__context__ = None
        try:
            return list(display.structured_traceback(type(self), self, _outside(self.__traceback__), tb_offset=0))
        finally:
            self.__cause__, self.__context__, self.__suppress_context__ = led_to_it


def show_in_one_line(error: KeyboardInterrupt, text: str) -> None:
    """Have an interrupt shown as ``text`` alone, in a notebook and by a script that it ends."""
    vars(error)["_render_traceback_"] = lambda: [text]
    if getattr(sys.excepthook, "func", None) is not _show_uncaught:
        sys.excepthook = partial(_show_uncaught, sys.excepthook)


def _show_uncaught(
    otherwise: Callable[..., object], kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if kind is KeyboardInterrupt and (lines := vars(error).get("_render_traceback_")):
        sys.stderr.write(f"{lines()[0]}\n")
    else:
        otherwise(kind, error, trace)


def _outside(trace: TracebackType | None) -> TracebackType | None:
    """The calls up to the first one into this package, without IPython's own."""
    owner = None if trace is None else trace.tb_frame.f_globals.get("__name__", "").partition(".")[0]
    if trace is None or owner == __package__:
        return None
    if owner == "IPython":
        return _outside(trace.tb_next)
    return TracebackType(_outside(trace.tb_next), trace.tb_frame, trace.tb_lasti, trace.tb_lineno)


class InputError(CustomLabelsError, ValueError):
    """An argument can't be used; the message names the argument and the value it got."""


class ImageError(InputError):
    """One image can't be used.

    Parameters
    ----------
    image : str
        The image as the user named it.
    reason : str
        What is wrong with it and what to do, without the image's name. Without it the first argument is the whole
        message: PyTorch's DataLoader raises errors of its workers again like that.
    """

    code = "IMAGE_UNUSABLE"

    def __init__(self, image: str, reason: str = "") -> None:
        super().__init__(image, reason)
        self.image = image
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.image!r}: {self.reason}" if self.reason else self.image


class ImageNotFoundError(ImageError):
    """Nothing lies at that path, or it may not be read."""

    code = "IMAGE_NOT_FOUND"


class NotAnImageError(ImageError):
    """The bytes are no image, or one of a type that isn't read."""

    code = "IMAGE_NOT_AN_IMAGE"


class TruncatedImageError(ImageError):
    """The image ends too early or is damaged."""

    code = "IMAGE_TRUNCATED"


class ImageTooLargeError(ImageError):
    """The image has more pixels than the limit allows to decode."""

    code = "IMAGE_TOO_LARGE"


class VideoError(InputError):
    """One video can't be used.

    Parameters
    ----------
    video : str
        The video as the user named it.
    reason : str
        What is wrong with it and what to do, without the video's name.
    """

    def __init__(self, video: str, reason: str) -> None:
        super().__init__(f"{video!r}: {reason}")
        self.video = video
        self.reason = reason


class NotAVideoError(VideoError):
    """The file is no video, has no pictures in it, or is of a type that isn't read."""


class TruncatedVideoError(VideoError):
    """The video ends too early or is damaged."""


class LabelError(InputError):
    """A label is unknown, doubled, empty, too long or still in use."""


class ArchiveError(InputError):
    """A zip file can't be unpacked safely."""


class ManifestError(InputError):
    """A manifest file can't be read at all; ``code`` is the service's code for it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class TableError(InputError):
    """A DataFrame lacks columns or holds values that can't be."""


class ProjectError(CustomLabelsError):
    """Something about a project as a whole."""


class ProjectNameError(ProjectError, ValueError):
    """The name can't be a project's name."""


class ProjectExistsError(ProjectError):
    """There is something of that name already; nothing was overwritten."""


class ProjectNotFoundError(ProjectError):
    """There is no project there."""


class StoreError(CustomLabelsError):
    """The project's database can't do what was asked; the old state is whole."""


class DamagedError(StoreError):
    """The project's database holds what can't be read; nothing was written."""


class SchemaTooNewError(StoreError):
    """The database was written by a newer release of this package."""


class StaleEditError(StoreError):
    """Images were changed by somebody else since they were read; nothing was written.

    Attributes
    ----------
    theirs, yours : pandas.DataFrame
        Annotation tables of the images in question: as stored now, and as you wanted them.
    images : list of str
        The images in question.
    """

    def __init__(self, message: str, *, images: list[str], theirs: pd.DataFrame, yours: pd.DataFrame) -> None:
        super().__init__(message)
        self.images = images
        self.theirs = theirs
        self.yours = yours


class OutdatedError(StoreError):
    """Images came, went or changed sides since it was asked which there are; nothing was written."""


class NotEnoughDataError(CustomLabelsError):
    """Images or labels are missing for what was asked; ``code`` is the service's code, where it has one."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class NotAllowedError(CustomLabelsError):
    """Refused, with the reason."""


class ModelError(CustomLabelsError):
    """Something about a model version."""


class ModelNotFoundError(ModelError):
    """The project has no version of that name."""


class ModelNotReadyError(ModelError):
    """The version's training is not complete."""


class WeightsUnavailableError(ModelError):
    """Pretrained weights aren't on this machine and can't be fetched; the message names what to use instead."""


class ArtifactError(ModelError):
    """The version's folder is damaged, incomplete or not one of ours."""


class DeviceError(CustomLabelsError):
    """The named device isn't available here."""


class MissingDependencyError(CustomLabelsError, ImportError):
    """An optional package is needed; the message has the command that installs it here."""


class Cancelled(CustomLabelsError):
    """Work that was asked to stop did so; what was finished is kept."""


class NotReadyError(CustomLabelsError):
    """Something is still being worked out: ``done`` of ``total`` images; ask again."""

    def __init__(self, done: int, total: int) -> None:
        super().__init__(f"{done:,} of {total:,} images are done; ask again.")
        self.done = done
        self.total = total
