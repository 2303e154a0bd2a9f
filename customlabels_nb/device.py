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
