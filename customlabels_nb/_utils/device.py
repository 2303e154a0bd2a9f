"""Choose the PyTorch device, and use no more memory than it has."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from customlabels_nb.errors import DeviceError, ModelError
from customlabels_nb.events import Events

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_SHORTAGES = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "alloc_failed",  # cuBLAS and cuDNN
    "allocation_failed",
    "unable to find an engine",  # cuDNN without memory for its workspace
)


def compute_on(device: str, work: Callable[[], _Result]) -> _Result:
    """Call ``work`` and return its result. All work for an NVIDIA GPU runs in one thread.

    cuDNN plans are cached for each thread and input shape. On an H100, a new thread spent 2 seconds on those of the
    packaged classifier, and 20 seconds on those of a detector.
    """
    return _thread_of(device).submit(work).result() if device.startswith("cuda") else work()


@cache
def _thread_of(device: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix=f"customlabels_nb-{device}")


def choose_device(name: str | None = None) -> str:
    """Return ``name`` if that device is available, otherwise raise; by default the first of cuda, mps and cpu."""
    import torch

    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present[:0] = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if name is None:
        return present[0]
    if name not in present:
        raise DeviceError(f"device={name!r} is not available. Choose one of: {', '.join(present)}.")
    return name


def is_out_of_memory(error: BaseException) -> bool:
    """Check whether an error is an out-of-memory error, from PyTorch on any device or from Python."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return any(words in text for words in _SHORTAGES)


def release_memory(device: str) -> None:
    """Collect garbage, and return the memory that PyTorch keeps for later use to the device."""
    gc.collect()
    if device == "cpu":
        return
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


class BatchSize:
    """Batch size that is halved whenever memory runs out, with a message to ``events``."""

    def __init__(self, size: int, device: str, events: Events | None = None) -> None:
        self.size = size
        self._device, self._events = device, events

    def map(self, compute: Callable[[Sequence[_Item]], Iterable[_Result]], images: Sequence[_Item]) -> list[_Result]:
        """Call ``compute`` with batches, and return one result an image, unless memory is too small for one."""
        results: list[_Result] = []
        while len(results) < len(images):
            size, shortage = self.size, ""  # a different thread may change it
            batch = images[len(results) : len(results) + size]
            try:
                results.extend(compute(batch))  # += would add up arrays
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                shortage = str(error).partition("\n")[0] or type(error).__name__
            if shortage:  # outside the handler, because the exception keeps the memory alive
                self._halve(len(batch), shortage)
        return results

    def _halve(self, tried: int, shortage: str) -> None:
        release_memory(self._device)
        if tried == 1:
            raise ModelError(
                f"Not enough memory on {self._device} for one image ({shortage}). Stop other models with model.stop(), "
                "or use a different device, for example device='cpu'."
            )
        self.size = min(self.size, tried // 2)
        if self._events is not None:
            self._events.message(f"Out of memory with a batch of {tried} images. Continuing with {self.size}.")
