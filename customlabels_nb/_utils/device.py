"""Choose the PyTorch device."""

from __future__ import annotations

from customlabels_nb.errors import DeviceError


def choose_device(name: str | None = None) -> str:
    """Return ``name`` if that device is available, or by default the first available of cuda, mps and cpu.

    Raises
    ------
    DeviceError
        If the named device is unknown or not available.
    """
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
    return any(words in text for words in ("out of memory", "can't allocate memory", "not enough memory"))
