"""Start a trained model on a device, run it, and stop it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from customlabels_nb._utils.device import choose_device, compute_on, release_memory
from customlabels_nb.core.geometry import FloatArray
from customlabels_nb.errors import InputError, ModelError
from customlabels_nb.inference.engines.names import AUTO, EngineChoice, check_engine
from customlabels_nb.inference.idle import DEFAULT_SECONDS, IdleWatch, idle_seconds
from customlabels_nb.inference.views import LARGER, check_views, find_in_views, views_of
from customlabels_nb.models.artifact import ModelConfig, load_artifact, load_config
from customlabels_nb.models.backbones import forward_batch
from customlabels_nb.models.canvas import Canvas, to_canvas
from customlabels_nb.models.detector_shape import STRIDE
from customlabels_nb.models.transforms import Pixels, to_pixels

if TYPE_CHECKING:
    from customlabels_nb.inference.engines.engine import Engine
    from customlabels_nb.models.detector import DetectedBoxes


class Predictor:
    """Thread-safe runner of the model in a folder.

    ``config`` is that of the folder if it stays as it is. By default, it is read when it is needed. ``changed`` is
    called when the model stops when idle, and wakes up.
    """

    def __init__(
        self, folder: Path, *, config: ModelConfig | None = None, changed: Callable[[], None] | None = None
    ) -> None:
        self.folder = folder
        self._config = config
        self._changed = changed
        self._lock = threading.RLock()  # held while the model starts or stops, which takes seconds
        self._guard = threading.Lock()  # held briefly while a request takes the running model
        self._running: _Running | None = None
        self._asleep: str | None = None
        self._engine = AUTO  # as requested
        self._engine_asleep = AUTO  # used before the idle stop, so that waking up does not change predictions
        self._idle_seconds = DEFAULT_SECONDS
        self._views = 1
        self._watch: IdleWatch | None = None
        if config is None:
            load_config(folder)

    def __repr__(self) -> str:
        state = f"running on {self.device}" if self.running else "asleep" if self.asleep else "stopped"
        return f"<Predictor {str(self.folder)!r}, {state}>"

    @property
    def config(self) -> ModelConfig:
        """Config of the model as it is on disk now. Thresholds may change while the model runs."""
        return self._config or load_config(self.folder)

    @property
    def running(self) -> bool:
        return self._running is not None

    @property
    def asleep(self) -> bool:
        return self._asleep is not None

    @property
    def idle_stop(self) -> float:
        """Idle timeout in seconds. Infinity means that the model never stops by itself."""
        return self._idle_seconds

    @property
    def device(self) -> str | None:
        """Device on which the model runs, or will run when it wakes up. None if the model is stopped."""
        running = self._running
        return running.device if running is not None else self._asleep

    @property
    def views(self) -> int:
        return self._views

    @property
    def larger_size(self) -> int | None:
        """Longer side, in pixels, of the larger views of a detector. None if it has none."""
        return round(LARGER * self.config.input_size) if self.config.is_detector and self._views == 4 else None

    @property
    def at_once(self) -> int:
        """Default batch size for the device and the engine."""
        running = self._running
        return running.at_once if running is not None else forward_batch(self.device or "cpu")

    @property
    def engine(self) -> EngineChoice | None:
        """Engine running the model, and why the other engines were rejected. None if the model is not running."""
        running = self._running
        return running.choice if running is not None else None

    @property
    def engine_name(self) -> str | None:
        """Name of the engine that runs the model, or will when the model wakes up. None if the model is stopped."""
        choice = self.engine
        return choice.name if choice is not None else self._engine_asleep if self.asleep else None

    def go_on_with(self, engine: str) -> None:
        """Switch to ``engine`` as :meth:`start` does. Raise ModelError if a different engine was requested by name."""
        with self._lock:
            current = self._engine
            if current not in (AUTO, engine):
                raise ModelError(f"the model was started with engine={current!r}")
            try:
                self.start(engine=engine)
            finally:
                self._engine = current

    def start(
        self,
        device: str | None = None,
        *,
        engine: str | None = None,
        idle_stop: str | float | None = None,
        views: int | None = None,
    ) -> None:
        """Load the weights on the device and run a warm-up pass.

        Does nothing if the model already runs on this device, and moves it from another one. By default, the device,
        the engine (at first "auto"), ``idle_stop`` ("never") and ``views`` (1) stay, and a stopped model starts on the
        best available device.
        """
        if engine is not None:
            check_engine(engine)
        with self._lock:
            views = self._views if views is None else check_views(views)
            seconds = self._idle_seconds if idle_stop is None else idle_seconds(idle_stop)
            another = engine not in (None, self._engine)
            if self._running is None or another or device not in (None, self._running.device):
                from customlabels_nb.inference.engines.selection import open_kept_engine

                chosen = choose_device(device or self.device)
                network, config = load_artifact(self.folder, self._config)
                wanted = engine or (self._engine if self._asleep is None else self._engine_asleep)
                started = _Running(*open_kept_engine(self.folder, network.to(chosen), config, chosen, wanted))
                del network
                if config.zero_shot is None:  # an image may take a minute
                    started.warm_up()
                self._end(None)
                with self._guard:
                    self._running, self._asleep = started, None
                self._engine = engine or self._engine
            self._idle_seconds, self._views = seconds, views
            if self._watch is not None:
                self._watch.end()
            self._watch = IdleWatch(self) if math.isfinite(self._idle_seconds) else None

    def stop(self) -> None:
        """Unload the model and free the device's memory, once the pending requests are complete."""
        with self._lock:
            self._end(None)
            self._idle_seconds, self._views = DEFAULT_SECONDS, 1

    def sleep_if_idle(self) -> float | None:
        """Stop the model until the next request if it was idle, or return the seconds until then if it runs."""
        with self._lock:
            with self._guard:
                running = self._running
                if running is None:
                    return None
                remaining = running.idle_left(self._idle_seconds)
                if remaining > 0:
                    return remaining
                self._running, self._asleep = None, running.device
                self._engine_asleep = running.choice.name
            running.close()
            self._end(running.device)
        self._report_change()
        return None

    def probabilities(
        self, images: Sequence[Image.Image | Pixels], *, at_once: int | None = None
    ) -> npt.NDArray[np.float64]:
        """Compute the confidence of each label for each image, shape (n, k), in the order of ``config.labels``.

        Images are upright, or arrays from :func:`customlabels_nb.models.transforms.to_pixels`.
        """
        with self._running_kind(detector=False) as running:
            pixels = [_as_pixels(image, running.config.input_size, i) for i, image in enumerate(images)]
            step = at_once or running.at_once
            parts = (pixels[i : i + step] for i in range(0, len(pixels), step))
            rows = [np.mean([running.forward(view) for view in views_of(part, self._views)], axis=0) for part in parts]
            return np.concatenate([np.empty((0, len(running.config.labels))), *rows])

    def boxes(
        self,
        images: Sequence[Image.Image | Canvas],
        *,
        at_once: int | None = None,
        thresholds: FloatArray | None = None,
    ) -> list[DetectedBoxes]:
        """Detect objects in each upright image, independently of the others, by decreasing confidence.

        Boxes are (left, top, width, height) in pixels of the image. For a
        :class:`customlabels_nb.models.canvas.Canvas`, they are in pixels of the original image, whose size the canvas
        stores. With four views, a canvas needs a larger one of :attr:`larger_size`, else the result is that of two
        views. ``thresholds`` has the confidence for each label from which a model with masks computes the mask of a
        box, by default of every box.
        """
        detected: list[DetectedBoxes] = []
        with self._running_kind(detector=True) as running:
            config, step, views = running.config, at_once or running.at_once, self._views
            for start in range(0, len(images), step):
                canvases = [
                    image
                    if isinstance(image, Canvas)
                    else to_canvas(image, config.input_size, config.fill, larger=self.larger_size)
                    for image in images[start : start + step]
                ]
                detected += find_in_views(
                    partial(running.find, thresholds=thresholds), canvases, views, config.box_limit
                )
        return detected

    @contextmanager
    def _running_kind(self, *, detector: bool) -> Iterator[_Running]:
        running = self._taken()
        try:
            if running.config.is_detector is not detector:
                kinds = ("classifier", "probabilities()") if detector else ("detector", "boxes()")
                raise ModelError("The model is a {}. Use {} instead.".format(*kinds))
            yield running
        finally:
            running.release()

    def _taken(self) -> _Running:
        """Return the running model, which stays open until the caller releases it."""
        while True:
            with self._guard:
                if self._running is not None:
                    return self._running.take()
                if self._asleep is None:
                    raise ModelError("The model is not running. Call start() first.")
            self._wake()

    def _wake(self) -> None:
        with self._lock:
            if self._running is not None or self._asleep is None:
                return
            self.start()
        self._report_change()

    def _end(self, asleep: str | None) -> None:
        """Close the running model, if any. The caller must hold the lock."""
        with self._guard:
            running, self._running, self._asleep = self._running, None, asleep
        if self._watch is not None:
            self._watch.end()
            self._watch = None
        if running is not None:
            running.close()

    def _report_change(self) -> None:
        if self._changed is not None:
            self._changed()


class _Running:
    """Loaded model with a count of its pending requests."""

    def __init__(self, engine: Engine, choice: EngineChoice) -> None:
        self.config = engine.config  # read together with the weights, so its thresholds may be outdated
        self.device = engine.device
        self.choice = choice
        self.at_once = engine.at_once
        self._engine: Engine | None = engine
        self._free = threading.Condition()
        self._uses = 0
        self._last_used = time.monotonic()

    def take(self) -> _Running:
        with self._free:
            self._uses += 1
        return self

    def release(self) -> None:
        with self._free:
            self._uses -= 1
            self._last_used = time.monotonic()
            self._free.notify_all()

    def idle_left(self, seconds: float) -> float:
        with self._free:
            return seconds if self._uses else self._last_used + seconds - time.monotonic()

    def close(self) -> None:
        with self._free:
            self._free.wait_for(lambda: self._uses == 0)
            self._engine = None  # callers may still hold this object
        release_memory(self.device)

    def warm_up(self) -> None:
        size = self.config.input_size
        if self.config.is_detector:
            side = -(-size // STRIDE) * STRIDE
            self.find([Canvas(np.zeros((3, side, side), dtype=np.uint8), (size, size), (size, size))])
        else:
            self.forward([np.zeros((3, size, size), dtype=np.uint8)])

    def find(self, canvases: list[Canvas], thresholds: FloatArray | None = None) -> list[DetectedBoxes]:
        assert self._engine is not None
        return compute_on(self.device, partial(self._engine.find, canvases, thresholds))

    def forward(self, pixels: list[Pixels]) -> npt.NDArray[np.float64]:
        assert self._engine is not None
        return compute_on(self.device, partial(self._engine.forward, pixels))


def _as_pixels(image: Image.Image | Pixels, size: int, position: int) -> Pixels:
    if isinstance(image, Image.Image):
        return to_pixels(image, size)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape != (3, size, size):
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"images[{position}] is {got}. Pass a PIL image or a uint8 array (3, {size}, {size}).")
    return image
