"""The device that models will run on; and where a GPU is there that torch can't use, why."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from customlabels_nb._utils.device import choose_device
from customlabels_nb.diagnostics.diagnostic_lines import GOOD, WARNING, DiagnosticLine
from customlabels_nb.settings import settings

_TORCH = "https://pytorch.org/get-started/locally"


@dataclass(frozen=True)
class Driver:
    """What says that there is an NVIDIA GPU, whatever torch thinks: its name and the driver's version."""

    name: str
    version: str


def device() -> Iterator[DiagnosticLine]:
    """A line for the device, and one for a GPU that is left idle."""
    import torch

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        chosen = choose_device()
    yield DiagnosticLine("machine", "device", GOOD, _described(chosen))
    yield DiagnosticLine(
        "machine", "threads", GOOD, f"{settings.threads} for decoding, {torch.get_num_threads()} for torch"
    )
    if chosen != "cpu":
        return
    built_for = torch.version.cuda or getattr(torch.version, "hip", None)
    reason = idle_gpu(nvidia_driver(), built_for, os.environ, [str(warning.message) for warning in said])
    if reason is None and platform.system() == "Darwin" and platform.machine() == "arm64":
        built = torch.backends.mps.is_built()
        reason = (
            "this Mac has a GPU, and torch can't use it",
            "It needs macOS 14 or newer." if built else f"This torch was built without it; see {_TORCH}.",
        )
    if reason is not None:
        yield DiagnosticLine("machine", "GPU", WARNING, *reason)


def idle_gpu(
    driver: Driver | None, built_for: str | None, environment: Mapping[str, str], said: list[str]
) -> tuple[str, str] | None:
    """Why torch doesn't use the GPU, and what to do; None where there is no GPU.

    Parameters
    ----------
    driver : Driver or None
    built_for : str or None
        The CUDA release that torch was built for; None for a torch of the CPU.
    environment : mapping
        Environment variables.
    said : list of str
        torch's warnings while it looked for the GPU.
    """
    if driver is None:
        return None
    have = f"{driver.name} is there (driver {driver.version}), and torch can't use it"
    hidden = environment.get("CUDA_VISIBLE_DEVICES")
    if built_for is None:
        return f"{have}: this torch was built for the CPU alone", f"Please install torch for CUDA: {_TORCH}."
    if hidden is not None and hidden.strip() in ("", "-1", "NoDevFiles"):
        return f"{have}: CUDA_VISIBLE_DEVICES is {hidden!r}, which hides it", "Unset that variable and start again."
    if driver.version == _UNKNOWN:
        return f"{have}: nvidia-smi isn't here", "In a container: start it with its GPU, docker run --gpus all …"
    why = f": {said[0].splitlines()[0]}" if said else ""
    return (
        f"{have}; torch was built for CUDA {built_for}{why}",
        f"Usually the driver is too old for that: update it, or take a torch for an older CUDA: {_TORCH}.",
    )


_UNKNOWN = "unknown"


def nvidia_driver(path: str | None = None, proc: Path = Path("/proc/driver/nvidia")) -> Driver | None:
    """What the driver says of the first NVIDIA GPU; None where there is no driver.

    Parameters
    ----------
    path : str, optional
        Folders in which to look for ``nvidia-smi``, as the variable PATH names them; that one by default.
    proc : Path
        Where Linux shows the driver, also inside of a container that was started without the GPU.
    """
    program = shutil.which("nvidia-smi", path=path)
    if program is not None:
        command = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            done = None
        name, comma, version = (done.stdout if done and done.returncode == 0 else "").partition("\n")[0].rpartition(",")
        if comma:
            return Driver(name.strip(), version.strip())
    return Driver("an NVIDIA GPU", _UNKNOWN) if (proc / "version").is_file() else None


def _described(name: str) -> str:
    import psutil
    import torch

    if name.startswith("cuda"):
        facts = torch.cuda.get_device_properties(0)
        return f"{name}: {facts.name}, {facts.total_memory / 2**30:.0f} GB"
    memory = f"{psutil.virtual_memory().total / 2**30:.0f} GB of memory"
    if name == "mps":
        return f"mps: this Mac's GPU, {memory} shared with it"
    return f"cpu: {memory}, {psutil.virtual_memory().available / 2**30:.0f} GB free"
