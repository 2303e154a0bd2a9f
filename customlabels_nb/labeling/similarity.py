"""Sort images by similarity or by a text, in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from customlabels_nb.errors import NotReadyError
from customlabels_nb.events import Event, Events, Progress
from customlabels_nb.models.backbone import PACKAGED

_SOON = 1.0  # seconds in which most searches end, except the first one

Answer = TypeVar("Answer")


class Background(Generic[Answer]):
    """Compute one answer at a time in a background thread, and keep the latest."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._kept: tuple[Hashable, Answer] | None = None
        self._work: _Work | None = None

    def get(
        self,
        wanted: Hashable,
        count: int,
        compute: Callable[[Events], Answer],
        *,
        wait: float = 0.0,
        keep: bool = True,
    ) -> Answer:
        """Return what ``compute`` returns for the arguments ``wanted``, of ``count`` images.

        The first call starts computing and raises NotReadyError with the progress, unless the answer is ready within
        ``wait`` seconds. Later calls keep raising it until the answer is ready. Other arguments cancel the work. Unless
        ``keep`` is False, the same object is returned until there are other arguments.
        """
        with self._lock:
            if self._kept is not None and self._kept[0] == wanted:
                return self._kept[1]
            work = self._work
            if work is None or work.wanted != wanted:
                if work is not None:
                    work.events.cancel()
                work = self._work = _Work(wanted, count, compute)
                work.start()
                work.join(wait)
            if work.is_alive():
                raise NotReadyError(*work.progress)
            self._work = None
            answer: Answer = work.result()
            if keep:
                self._kept = (wanted, answer)
            return answer

    def cancel(self) -> None:
        with self._lock:
            if self._work is not None:
                self._work.events.cancel()


class SimilarityOrder:
    """Callable that orders images so that similar ones are neighbours.

    The first call with images whose features are unknown starts computing them in a background thread and raises
    NotReadyError with the progress. Later calls keep raising it until the features are ready.
    """

    def __init__(self, root: Path, model: Callable[[], str] = lambda: PACKAGED) -> None:
        self.missing = 0
        self._root, self._model = root, model
        self._orders = Background[tuple[list[int], int]]()

    def __call__(
        self, images: Sequence[str], keys: Sequence[str | None], *, to: int | None = None, text: str | None = None
    ) -> list[int]:
        """Return the order as positions in ``images``, with unreadable images last.

        With ``to``, the images are sorted by decreasing similarity to the image at this position. With ``text``, they
        are sorted by how well the text describes them, and only features that are stored are used.
        """
        if len(images) < 3 and text is None:
            return sorted(range(len(images)), key=lambda at: at != to)  # all are neighbours in any order
        model = self._model()
        wanted = (model, text, to, *(key or name for name, key in zip(images, keys, strict=True)))
        compute = partial(self._by_similarity, list(images), list(keys), model, to)
        if text is not None:
            compute = partial(self._by_text, list(keys), model, text)
        # the order by a text changes with the features that are stored
        wait, keep = (0.0, True) if text is None else (_SOON, False)
        order, self.missing = self._orders.get(wanted, len(images), compute, wait=wait, keep=keep)
        return order

    def _by_similarity(
        self, images: list[str], keys: list[str | None], model: str, to: int | None, events: Events
    ) -> tuple[list[int], int]:
        from customlabels_nb.models.embeddings import embed, similar_order
        from customlabels_nb.models.feature_file import project_features

        cache = project_features(self._root)
        embeddings = embed(images, root=self._root, keys=keys, backbone=model, cache=cache, events=events)
        return [int(position) for position in similar_order(embeddings.features, to=to)], 0

    def _by_text(self, keys: list[str | None], model: str, text: str, _events: Events) -> tuple[list[int], int]:
        from customlabels_nb.models.image_search import open_search, text_model
        from customlabels_nb.models.pretrained.siglip import embed_text

        model = text_model(model)
        scores = open_search(self._root, model).scores(keys, lambda: embed_text(model, text))
        order = [int(position) for position in np.argsort(-scores, kind="stable")]
        return order, int(np.isnan(scores).sum())


class _Work(threading.Thread):
    """Background thread that computes an answer about some images."""

    def __init__(self, wanted: Hashable, count: int, compute: Callable[[Events], Any]) -> None:
        super().__init__(name="customlabels_nb similarity", daemon=True)
        self.wanted = wanted
        self.progress = (0, count)
        self.events = Events()
        self.events.subscribe(self._watch)
        self._compute = compute
        self._result: Any = None
        self._error: Exception | None = None

    def _watch(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress = (event.done, event.total or self.progress[1])

    def run(self) -> None:
        try:
            self._result = self._compute(self.events)
        except Exception as error:  # raised again by result()
            self._error = error

    def result(self) -> Any:
        """Return the answer, or raise the error of the ended thread."""
        if self._error is not None:
            raise self._error
        return self._result
