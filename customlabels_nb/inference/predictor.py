"""A trained model that can be started on a device, asked, and stopped."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from customlabels_nb.device import choose_device
from customlabels_nb.errors import InputError, ModelError
from customlabels_nb.models.artifact import DETECTION, ModelConfig, load_artifact, load_config
from customlabels_nb.models.backbones import forward_batch
from customlabels_nb.models.canvas import Canvas, to_canvas
from customlabels_nb.models.detector_shape import STRIDE
from customlabels_nb.models.transforms import Pixels, to_batch, to_pixels

if TYPE_CHECKING:
    from customlabels_nb.models.classifier import ImageClassifier
    from customlabels_nb.models.detector import Found, ImageDetector


class Predictor:
    """The classifier or detector of one model folder. Safe to start, stop and ask from several threads.

    Parameters
    ----------
    folder : Path
        As written by :func:`customlabels_nb.models.artifact.save_artifact`.

    Raises
    ------
    ArtifactError
        If the folder holds no readable config.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._running: _Running | None = None
        load_config(folder)

    def __repr__(self) -> str:
        return f"<Predictor {str(self.folder)!r}, {f'running on {self.device}' if self.running else 'stopped'}>"

    @property
    def config(self) -> ModelConfig:
        """The model's config as it is on disk now: thresholds may be changed while the model runs."""
        return load_config(self.folder)

    @property
    def running(self) -> bool:
        """Whether the model is loaded."""
        return self._running is not None

    @property
    def device(self) -> str | None:
        """Where it runs; None while it doesn't."""
        running = self._running
        return running.device if running is not None else None

    def start(self, device: str | None = None) -> None:
        """Load the weights on the device and run once, so that the first question isn't the slowest.

        Nothing happens if it runs there already; on another device, it moves.

        Raises
        ------
        DeviceError
            If the named device isn't available.
        ArtifactError
            If the model's files are damaged.
        """
        with self._lock:
            if self._running is not None and device in (None, self._running.device):
                return
            chosen = choose_device(device)
            network, config = load_artifact(self.folder)
            started = _Running(network.to(chosen), config, chosen)
            started.warm_up()
            self.stop()
            self._running = started

    def stop(self) -> None:
        """Forget the model and give the device's memory back; a question that is being answered still is."""
        with self._lock:
            if self._running is None:
                return
            device = self._running.device
            self._running = None
            gc.collect()
            _free_memory(device)

    def probabilities(self, images: Sequence[Image.Image | Pixels]) -> npt.NDArray[np.float64]:
        """Each label's confidence for each image.

        Parameters
        ----------
        images : sequence of PIL images or uint8 arrays of shape (3, input_size, input_size)
            Upright; arrays as :func:`customlabels_nb.models.transforms.to_pixels` makes them.

        Returns
        -------
        ndarray of float64, shape (n, k)
            In the order of ``config.labels``.

        Raises
        ------
        ModelError
            If the model isn't running, or is a detector.
        InputError
            If an array has another shape or dtype.
        """
        running = self._asked(detector=False)
        pixels = [_as_pixels(image, running.config.input_size, i) for i, image in enumerate(images)]
        step = forward_batch(running.device)
        rows = [running.forward(pixels[i : i + step]) for i in range(0, len(pixels), step)]
        return np.concatenate([np.empty((0, len(running.config.labels))), *rows])

    def boxes(self, images: Sequence[Image.Image | Canvas]) -> list[Found]:
        """What a detector finds on each image.

        Parameters
        ----------
        images : sequence of PIL images or Canvas
            Upright. A :class:`customlabels_nb.models.canvas.Canvas` knows the size of its image's file, in pixels of
            which the boxes are then; those of a PIL image are in its own.

        Returns
        -------
        list of Found
            Boxes (left, top, width, height), labels (positions among ``config.labels``) and confidences, the highest
            first. Those of one image don't depend on the others.

        Raises
        ------
        ModelError
            If the model isn't running, or is a classifier.
        """
        running = self._asked(detector=True)
        config, step = running.config, forward_batch(running.device)
        found: list[Found] = []
        for start in range(0, len(images), step):
            found += running.find([_as_canvas(image, config) for image in images[start : start + step]])
        return found

    def _asked(self, *, detector: bool) -> _Running:
        running = self._running
        if running is None:
            raise ModelError("The model isn't running; call start() first.")
        if (running.config.kind == DETECTION) is not detector:
            kinds = ("detector", "boxes()") if running.config.kind == DETECTION else ("classifier", "probabilities()")
            raise ModelError("The model is a {}; ask it with {}.".format(*kinds))
        return running


@dataclass(frozen=True)
class _Running:
    network: ImageClassifier | ImageDetector
    config: ModelConfig  # what the weights depend on; thresholds may have changed since
    device: str

    def warm_up(self) -> None:
        size = self.config.input_size
        if self.config.kind == DETECTION:
            side = -(-size // STRIDE) * STRIDE
            self.find([Canvas(np.zeros((3, side, side), dtype=np.uint8), (size, size), (size, size))])
        else:
            self.forward([np.zeros((3, size, size), dtype=np.uint8)])

    def find(self, canvases: list[Canvas]) -> list[Found]:
        from customlabels_nb.models.detector import ImageDetector, detect

        assert isinstance(self.network, ImageDetector)
        return detect(self.network, canvases, self.config.mean, self.config.std, self.device)

    def forward(self, pixels: list[Pixels]) -> npt.NDArray[np.float64]:
        import torch

        from customlabels_nb.models.classifier import probabilities

        with torch.inference_mode():
            logits = self.network(to_batch(pixels, self.config.mean, self.config.std, self.device))
            return probabilities(logits, self.config.activation)


def _as_pixels(image: Image.Image | Pixels, size: int, position: int) -> Pixels:
    if isinstance(image, Image.Image):
        return to_pixels(image, size)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape != (3, size, size):
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"images[{position}] is {got}; give a PIL image or a uint8 array (3, {size}, {size}).")
    return image


def _as_canvas(image: Image.Image | Canvas, config: ModelConfig) -> Canvas:
    return image if isinstance(image, Canvas) else to_canvas(image, config.input_size, config.fill)


def _free_memory(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
