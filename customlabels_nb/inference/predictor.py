"""A trained model that can be started on a device, asked, and stopped."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from customlabels_nb.device import choose_device
from customlabels_nb.errors import InputError, ModelError
from customlabels_nb.models.artifact import ModelConfig, load_artifact, load_config
from customlabels_nb.models.backbones import forward_batch
from customlabels_nb.models.transforms import Pixels, to_batch, to_pixels

if TYPE_CHECKING:
    from customlabels_nb.models.classifier import ImageClassifier


class Predictor:
    """The classifier of one model folder. Safe to start, stop and ask from several threads.

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
        self._running: tuple[ImageClassifier, str] | None = None
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
        return running[1] if running is not None else None

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
            if self._running is not None and device in (None, self._running[1]):
                return
            chosen = choose_device(device)
            network, config = load_artifact(self.folder)
            network.to(chosen)
            blank = np.zeros((3, config.input_size, config.input_size), dtype=np.uint8)
            _forward(network, [blank], config, chosen)
            self.stop()
            self._running = (network, chosen)

    def stop(self) -> None:
        """Forget the model and give the device's memory back. What is being computed now ends first."""
        with self._lock:
            if self._running is None:
                return
            device = self._running[1]
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
            If the model isn't running.
        InputError
            If an array has another shape or dtype.
        """
        running = self._running
        if running is None:
            raise ModelError("The model isn't running; call start() first.")
        network, device = running
        config = self.config
        pixels = [_as_pixels(image, config.input_size, i) for i, image in enumerate(images)]
        step = forward_batch(device)
        rows = [_forward(network, pixels[i : i + step], config, device) for i in range(0, len(pixels), step)]
        return np.concatenate([np.empty((0, len(config.labels))), *rows])


def _as_pixels(image: Image.Image | Pixels, size: int, position: int) -> Pixels:
    if isinstance(image, Image.Image):
        return to_pixels(image, size)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape != (3, size, size):
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"images[{position}] is {got}; give a PIL image or a uint8 array (3, {size}, {size}).")
    return image


def _forward(network: ImageClassifier, pixels: list[Pixels], config: ModelConfig, device: str) -> npt.NDArray[np.float64]:
    import torch

    from customlabels_nb.models.classifier import probabilities

    with torch.inference_mode():
        return probabilities(network(to_batch(pixels, config.mean, config.std, device)), config.activation)


def _free_memory(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
