"""Run the models of versions, and compute images of requests that arrive together in one forward pass."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from customlabels_nb.endpoints.served_versions import ServedVersion
from customlabels_nb.errors import ServiceError
from customlabels_nb.inference.postprocess import ImagePrediction, Postprocessor, Prepared
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.project.runnable import LoadedModel, load_model

_IDLE_STOP = "10min"  # of models that no program and no notebook has started. The next request wakes them
_MOST_WAITING = 40  # for one version, less than the server's threads for detections


@dataclass
class BatchingLimiter:
    """Limit on the concurrent requests to a version. One of them computes a batch of all waiting images.

    ``running`` and ``waiting`` count requests. ``computing`` is held during a forward pass of ``queue``.
    """

    condition: threading.Condition = field(default_factory=threading.Condition)
    running: int = 0
    waiting: int = 0
    computing: threading.Lock = field(default_factory=threading.Lock)
    queue: deque[tuple[Prepared, Future[ImagePrediction]]] = field(default_factory=deque)

    @contextmanager
    def passing(self, units: int) -> Iterator[None]:
        """Wait until less than ``units`` requests are computed, unless too many requests wait already."""
        with self.condition:
            if self.running >= units and self.waiting >= _MOST_WAITING:
                raise ServiceError("ProvisionedThroughputExceededException", "Too many requests wait for the model.")
            self.waiting += 1
            self.condition.wait_for(lambda: self.running < units)
            self.waiting -= 1
            self.running += 1
        try:
            yield
        finally:
            with self.condition:
                self.running -= 1
                self.condition.notify()

    def ask(self, predictor: Predictor, image: Prepared) -> ImagePrediction:
        """Return all predictions for an image, computed with those that wait at the same time."""
        found: Future[ImagePrediction] = Future()
        self.queue.append((image, found))
        with self.computing:
            together = [] if found.done() else [self.queue.popleft() for _ in range(len(self.queue))]
            try:
                answers = Postprocessor(predictor, 0.0).ask([each for each, _ in together]) if together else []
                for (_, future), prediction in zip(together, answers, strict=True):
                    future.set_result(prediction)
            except Exception as error:  # all of them get it
                for _, future in together:
                    future.set_exception(error)
        return found.result(0)  # it is done: whoever took it from the queue held the lock until then


_limiters: defaultdict[Path, BatchingLimiter] = defaultdict(BatchingLimiter)
_loaded: dict[Path, tuple[datetime, LoadedModel]] = {}  # with the creation of the version
_loading = threading.Lock()


def limiter_of(version: ServedVersion[Any]) -> BatchingLimiter:
    return _limiters[_folder(version)]


def release(version: ServedVersion[Any]) -> None:
    """Free the memory of a model that ran in another process and has ended there."""
    with _loading:
        _, loaded = _loaded.pop(_folder(version), (None, None))
    if loaded is not None:
        loaded.stop()


def predictor_of(version: ServedVersion[Any]) -> Predictor:
    """Return the running model, loaded here as well if it runs in another process."""
    model = version.model
    if model._predictor is not None:
        return model._predictor
    with _loading:
        folder, now = _folder(version), version.record.created
        created, loaded = _loaded.get(folder, (None, None))
        if loaded is None or created != now:  # perhaps it was deleted, and another was trained under its name
            if loaded is not None:
                loaded.stop()
            engine = version.served.folder.options.engine
            loaded = load_model(folder).start(engine=engine, idle_stop=_IDLE_STOP)
            _loaded[folder] = now, loaded
        return loaded._running()


def _folder(version: ServedVersion[Any]) -> Path:
    root: Path = version.served.project.root
    return root / "versions" / version.local
