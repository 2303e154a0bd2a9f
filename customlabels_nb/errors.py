"""Exceptions raised by this package.

Class tree (all errors derive from :class:`CustomLabelsError`)::

    CustomLabelsError
    ├── InputError (ValueError)          an argument is invalid: the message names it and its value
    │   ├── ImageError                   an image cannot be used: names the image
    │   │   ├── ImageNotFoundError       the path does not exist or cannot be read
    │   │   ├── NotAnImageError          the bytes are not an image, or its type is not supported
    │   │   ├── TruncatedImageError      the image is truncated or damaged
    │   │   └── ImageTooLargeError       more pixels than the limit (decompression bomb)
    │   ├── VideoError                   a video cannot be used: names the video
    │   │   ├── NotAVideoError           the file is not a video, has no frames, or its type is not supported
    │   │   └── TruncatedVideoError      the video is truncated or damaged
    │   ├── LabelError                   a label is unknown, duplicate, empty or still in use
    │   ├── ArchiveError                 a zip file cannot be unpacked safely
    │   ├── ManifestError                a manifest file cannot be read at all (has a code)
    │   └── TableError                   a DataFrame lacks columns or contains invalid values
    ├── UnknownNameError (AttributeError) an object has no such attribute: names what to use instead
    ├── ArgumentError (TypeError)        a function has no such argument, or a call lacks one: names the arguments
    ├── ProjectError
    │   ├── ProjectNameError (ValueError)
    │   ├── ProjectExistsError
    │   └── ProjectNotFoundError
    ├── StoreError                       the project's database cannot do what was requested
    │   ├── DamagedError                 the database contains unreadable data
    │   ├── SchemaTooNewError            written by a newer release
    │   ├── SchemaTooOldError            written before 1.0: names the commit that reads it
    │   ├── StaleEditError               someone else has changed these images: carries both versions
    │   └── OutdatedError                images have been added or removed since they were listed: list them again
    ├── NotEnoughDataError               too few labels or images: the message gives the numbers (has a code)
    ├── NotAllowedError                  not allowed in the current state (running version, missing confirmation, …)
    ├── ModelError
    │   ├── ModelNotFoundError           no version has that name
    │   ├── ModelNotReadyError           its training is not complete
    │   ├── WeightsUnavailableError      pretrained weights cannot be downloaded: names an alternative
    │   └── ArtifactError                the version's folder is damaged or was not created by this package
    ├── DeviceError                      the device is not available
    ├── MissingDependencyError           an optional package is missing: gives the command to install it
    ├── HelperError                      work in a helper process failed, or the process ended: gives the reason
    ├── NotReadyError                    a result is still being computed: gives the progress, try again later
    ├── ServiceError                     a request to an HTTP endpoint is refused (has a code)
    └── Cancelled                        the work was cancelled
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
    """Base class of all errors raised by this package.

    A notebook shows the message and only the user's own lines of the traceback. ``%xmode Verbose`` shows the full
    traceback.
    """

    def _render_traceback_(self) -> list[str]:
        """Return the traceback for IPython, without chained exceptions and the frames of this package and IPython."""
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
    """Show only ``text`` for an interrupt, both in notebooks and in scripts that it terminates."""
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
    """Return the part of a traceback before the first call into this package, without IPython's own frames."""
    owner = None if trace is None else trace.tb_frame.f_globals.get("__name__", "").partition(".")[0]
    if trace is None or owner == __package__:
        return None
    if owner == "IPython":
        return _outside(trace.tb_next)
    return TracebackType(_outside(trace.tb_next), trace.tb_frame, trace.tb_lasti, trace.tb_lineno)


class InputError(CustomLabelsError, ValueError):
    """An argument is invalid. The message names the argument and its value."""


class ImageError(InputError):
    """An image cannot be used.

    Parameters
    ----------
    image : str
        Image as passed by the user.
    reason : str
        Problem and what to do about it, without the image's name. If empty, ``image`` is the complete message:
        PyTorch's DataLoader re-raises worker errors this way.
    """

    code = "IMAGE_UNUSABLE"

    def __init__(self, image: str, reason: str = "") -> None:
        super().__init__(image, reason)
        self.image = image
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.image!r}: {self.reason}" if self.reason else self.image


class ImageNotFoundError(ImageError):
    """The image's path does not exist or cannot be read."""

    code = "IMAGE_NOT_FOUND"


class NotAnImageError(ImageError):
    """The bytes are not an image, or its type is not supported."""

    code = "IMAGE_NOT_AN_IMAGE"


class TruncatedImageError(ImageError):
    """The image is truncated or damaged."""

    code = "IMAGE_TRUNCATED"


class ImageTooLargeError(ImageError):
    """The image has more pixels than the decoding limit."""

    code = "IMAGE_TOO_LARGE"


class VideoError(InputError):
    """A video cannot be used.

    Parameters
    ----------
    video : str
        Video as passed by the user.
    reason : str
        Problem and what to do about it, without the video's name.
    """

    def __init__(self, video: str, reason: str) -> None:
        super().__init__(f"{video!r}: {reason}")
        self.video = video
        self.reason = reason


class NotAVideoError(VideoError):
    """The file is not a video, has no frames, or its type is not supported."""


class TruncatedVideoError(VideoError):
    """The video is truncated or damaged."""


class LabelError(InputError):
    """A label is unknown, duplicate, empty, too long or still in use."""


class ArchiveError(InputError):
    """A zip file cannot be unpacked safely."""


class ManifestError(InputError):
    """A manifest file cannot be read at all. ``code`` is the error code that Rekognition uses for it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class TableError(InputError):
    """A DataFrame lacks columns or contains invalid values."""


class UnknownNameError(CustomLabelsError, AttributeError):
    """An object has no attribute of that name. The message names what to use instead, if there is such a thing."""


class ArgumentError(CustomLabelsError, TypeError):
    """A call does not fit the arguments of a function. The message names the nearest argument, or all of them."""


class ProjectError(CustomLabelsError):
    """An operation on a project failed."""


class ProjectNameError(ProjectError, ValueError):
    """The name is not a valid project name."""


class ProjectExistsError(ProjectError):
    """A file or folder of that name already exists. Nothing is overwritten."""


class ProjectNotFoundError(ProjectError):
    """There is no project at that path."""


class StoreError(CustomLabelsError):
    """The project's database cannot do what was requested. Its previous state is unchanged."""


class DamagedError(StoreError):
    """The project's database contains unreadable data. Nothing is written."""


class SchemaTooNewError(StoreError):
    """The database was written by a newer release of this package."""


class SchemaTooOldError(StoreError):
    """The database was written before version 1.0 of this package."""


class StaleEditError(StoreError):
    """Someone else has changed images since they were read. Nothing is written.

    Attributes
    ----------
    theirs, yours : pandas.DataFrame
        Annotation tables of the conflicting images, as stored now and as you edited them.
    images : list of str
        Names of the conflicting images.
    """

    def __init__(self, message: str, *, images: list[str], theirs: pd.DataFrame, yours: pd.DataFrame) -> None:
        super().__init__(message)
        self.images = images
        self.theirs = theirs
        self.yours = yours


class OutdatedError(StoreError):
    """Someone else has added, removed or moved images, or written results of a labelling job. Nothing is written."""


class NotEnoughDataError(CustomLabelsError):
    """There are too few images or labels. ``code`` is the error code that Rekognition uses for it, if there is one."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class NotAllowedError(CustomLabelsError):
    """The operation is not allowed in the current state. The message says why."""


class ModelError(CustomLabelsError):
    """An operation on a model version failed."""


class ModelNotFoundError(ModelError):
    """The project has no version with that name."""


class ModelNotReadyError(ModelError):
    """The version's training is not complete."""


class WeightsUnavailableError(ModelError):
    """Pretrained weights are not on this machine and cannot be downloaded. The message names an alternative."""


class ArtifactError(ModelError):
    """The version's folder is damaged or incomplete, or was not created by this package."""


class DeviceError(CustomLabelsError):
    """The device is not available."""


class MissingDependencyError(CustomLabelsError, ImportError):
    """An optional package is missing. The message contains the command that installs it."""


class Cancelled(CustomLabelsError):
    """The work was cancelled. Finished results are stored."""


class HelperError(CustomLabelsError):
    """Work in a helper process failed, or the process ended. ``kind`` is the name of the error, "killed" or "ended"."""

    def __init__(self, message: str, kind: str = "ended") -> None:
        super().__init__(message)
        self.kind = kind


class NotReadyError(CustomLabelsError):
    """A result is still being computed: ``done`` of ``total`` images have been processed. Try again later."""

    def __init__(self, done: int, total: int) -> None:
        super().__init__(f"{done:,} of {total:,} images have been processed. Try again later.")
        self.done = done
        self.total = total


class ServiceError(CustomLabelsError):
    """A request to an HTTP endpoint is refused.

    Parameters
    ----------
    code : str
        Error code that the client receives, such as "ResourceNotFoundException".
    message : str
        Reason, with the name and value of the parameter.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
