"""Read many images on threads, batch by batch, and report the progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TypeVar

from PIL import Image

from customlabels_nb._utils.threads import map_bounded
from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ImageError
from customlabels_nb.events import Events
from customlabels_nb.images.reading import open_image, read_content
from customlabels_nb.remote.download_cache import connections

Prepared = TypeVar("Prepared")


def read_in_batches(
    images: Sequence[str],
    positions: Sequence[int],
    prepare: Callable[[Image.Image, str], Prepared],
    *,
    root: Path | None,
    known: Sequence[str | None],
    at_least: int,
    threads: int,
    batch_size: int,
    events: Events | None,
    phase: str,
) -> Iterator[list[tuple[int, Prepared | Issue]]]:
    """Yield what ``prepare`` returns for the images at ``positions``, in that order; an issue where one can't be read.

    Parameters
    ----------
    prepare : callable
        Called on a thread, with the upright picture and what tells its content from others.
    known : sequence of (str or None)
        What each of ``images`` is known by; see :func:`customlabels_nb.images.reading.read_content`.
    at_least : int
        Smaller side, in pixels, to which a JPEG may shrink while it is decoded.
    threads : int
        Threads for local images; remote ones get more.
    events : Events, optional
        Gets the progress as ``phase`` after each batch; the images at other positions count as done.

    Raises
    ------
    Cancelled
        If ``events`` were asked to stop.
    """

    def read(index: int) -> tuple[int, Prepared | Issue]:
        name = images[index]
        try:
            data, content = read_content(name, root, known=known[index])
            return index, prepare(open_image(data, name=name, at_least=at_least), content)
        except ImageError as error:
            return index, Issue(error.code, error.reason, where=name)

    done = len(images) - len(positions)
    workers = connections((images[index] for index in positions), threads)
    with closing(map_bounded(read, positions, workers=workers)) as answers:
        while batch := list(islice(answers, batch_size)):
            yield batch
            done += len(batch)
            if events is not None:
                events.progress(phase, done, len(images))
