"""Sort images by similarity, with features computed in the background."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from customlabels_nb.errors import NotReadyError
from customlabels_nb.events import Event, Events, Progress

__all__ = ["NotReadyError", "SimilarityOrder"]


class SimilarityOrder:
    """Callable that orders images so that similar ones are neighbours.

    The first call with images whose features are unknown starts computing them in a background thread and raises
    NotReadyError with the progress. Later calls keep raising it until the features are ready.

    Parameters
    ----------
    root : Path
        Project folder. Features are stored in its cache.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._order: tuple[tuple[str | int | None, ...], list[int]] | None = None
        self._work: _Work | None = None

    def __call__(self, images: Sequence[str], keys: Sequence[str | None], *, to: int | None = None) -> list[int]:
        """Return the order as positions in ``images``, with unreadable images last.

        With ``to``, the images are sorted by decreasing similarity to the image at this position.

        Raises
        ------
        NotReadyError
            While features are being computed.
        """
        if len(images) < 3:
            return sorted(range(len(images)), key=lambda at: at != to)  # all are neighbours in any order
        wanted = (to, *(key or name for name, key in zip(images, keys, strict=True)))
        with self._lock:
            if self._order is not None and self._order[0] == wanted:
                return self._order[1]
            if self._work is not None and self._work.wanted == wanted and not self._work.is_alive():
                work, self._work = self._work, None
                self._order = (wanted, work.result())
                return self._order[1]
            if self._work is None or self._work.wanted != wanted:
                if self._work is not None:
                    self._work.events.cancel()
                self._work = _Work(wanted, list(images), list(keys), self._root, to)
                self._work.start()
            raise NotReadyError(*self._work.progress)


class _Work(threading.Thread):
    """Background thread that computes the order of some images."""

    def __init__(
        self,
        wanted: tuple[str | int | None, ...],
        images: list[str],
        keys: list[str | None],
        root: Path,
        to: int | None,
    ) -> None:
        super().__init__(name="customlabels_nb similarity", daemon=True)
        self.wanted = wanted
        self.progress = (0, len(images))
        self.events = Events()
        self.events.subscribe(self._watch)
        self._images, self._keys, self._root, self._to = images, keys, root, to
        self._order: list[int] = []
        self._error: Exception | None = None

    def _watch(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress = (event.done, event.total or len(self._images))

    def run(self) -> None:
        """Compute features, then the order."""
        from customlabels_nb.models.embeddings import embed, similar_order
        from customlabels_nb.models.feature_file import project_features

        try:
            cache = project_features(self._root)
            embeddings = embed(self._images, root=self._root, keys=self._keys, cache=cache, events=self.events)
            self._order = [int(position) for position in similar_order(embeddings.features, to=self._to)]
        except Exception as error:  # raised again by result()
            self._error = error

    def result(self) -> list[int]:
        """Return the order once the thread has ended, or raise its error."""
        if self._error is not None:
            raise self._error
        return self._order
