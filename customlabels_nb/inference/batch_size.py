"""How many images a model is asked about at once: as many as memory allows."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil

from customlabels_nb._utils.device import is_out_of_memory
from customlabels_nb.errors import InputError, ModelError
from customlabels_nb.events import Events
from customlabels_nb.inference.postprocess import ImagePrediction, Postprocessor, Prepared

_BYTES_A_PIXEL = 1000  # of an image as the model takes it, in a forward pass: thrice what the packaged backbone needs
_SHARE = 0.5  # of the free memory
_CGROUP = Path("/sys/fs/cgroup")


class BatchSize:
    """Asks about images in batches; where memory runs out, in smaller ones from then on.

    Parameters
    ----------
    postprocessor : Postprocessor
    wanted : int, optional
        How many at once; what suits the device and its free memory by default.
    events : Events, optional
        Told when batches become smaller.

    Attributes
    ----------
    size : int
    """

    def __init__(self, postprocessor: Postprocessor, wanted: int | None = None, events: Events | None = None) -> None:
        if wanted is not None and (isinstance(wanted, bool) or not isinstance(wanted, int | np.integer) or wanted < 1):
            raise InputError(f"batch_size={wanted!r} must be a whole number from 1, or None for what suits the device.")
        self._postprocessor, self._events = postprocessor, events
        self._device = postprocessor.predictor.device or "cpu"
        self.size = int(wanted) if wanted is not None else self._fitting()

    def ask(self, images: Sequence[Prepared]) -> list[ImagePrediction]:
        """As :meth:`Postprocessor.ask`, with no more than ``size`` images at once.

        Raises
        ------
        ModelError
            If the model isn't running, or memory doesn't suffice for one image.
        """
        answers: list[ImagePrediction] = []
        while len(answers) < len(images):
            part, shortage = images[len(answers) : len(answers) + self.size], ""
            try:
                answers += self._postprocessor.ask(part, at_once=self.size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                shortage = str(error).partition("\n")[0] or type(error).__name__
            if shortage:  # only here, as the error itself holds on to the memory
                self._halve(len(part), shortage)
        return answers

    def _halve(self, tried: int, shortage: str) -> None:
        gc.collect()
        if self._device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()
        if tried == 1:
            raise ModelError(
                f"The memory of {self._device} doesn't suffice for one image ({shortage}). Stop other models with "
                "model.stop(), or start this one elsewhere, such as model.start('cpu')."
            )
        self.size = tried // 2
        if self._events is not None:
            self._events.message(f"Out of memory with {tried} images at once: going on with {self.size}.")

    def _fitting(self) -> int:
        free = free_bytes(self._device)
        usual = self._postprocessor.predictor.at_once
        one = _BYTES_A_PIXEL * self._postprocessor.config.input_size**2
        return usual if free is None else max(1, min(usual, int(free * _SHARE / one)))


def free_bytes(device: str) -> int | None:
    """The free memory of a device; None if it doesn't tell."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    if device != "cpu":
        return None
    return int(min(psutil.virtual_memory().available, _free_in_container()))


def _free_in_container() -> float:
    """What a container, whose limit the system's figures don't show, may still take; infinite outside of one."""
    try:
        limit = (_CGROUP / "memory.max").read_text("ascii").strip()
        used = int((_CGROUP / "memory.current").read_text("ascii"))
        return max(0, int(limit) - used)
    except (OSError, ValueError):  # no such limit, or "max"
        return float("inf")
