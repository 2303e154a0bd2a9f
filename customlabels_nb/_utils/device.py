"""Choice of the device that tensors live on."""

from __future__ import annotations

from customlabels_nb.errors import DeviceError


def choose_device(name: str | None = None) -> str:
    """The device to use: ``name`` if given and present, else the first of cuda, mps, cpu that is.

    Raises
    ------
    DeviceError
        If the named device isn't available here, or the name means nothing to torch.
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
        raise DeviceError(f"device={name!r} is not available here; present: {', '.join(present)}.")
    return name


def is_out_of_memory(error: BaseException) -> bool:
    """Whether that is what an error says, of torch on any device or of Python."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return any(words in text for words in ("out of memory", "can't allocate memory", "not enough memory"))
