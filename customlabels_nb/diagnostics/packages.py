"""What is installed: the packages that are needed, and the extras."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import requires

from customlabels_nb._utils.installing import OURS, extra_command, installed_version
from customlabels_nb.diagnostics.diagnostic_lines import GOOD, NOTE, PROBLEM, DiagnosticLine

SHOWN = ("jupyterlab", "ipywidgets", "anywidget", "torch", "torchvision", "timm", "pandas")
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


def packages() -> Iterator[DiagnosticLine]:
    """A line for Python and for each package that shapes what one sees, and one for whatever else is amiss."""
    python = f"{platform.python_version()} at {sys.executable}"
    yield DiagnosticLine("packages", "Python", GOOD, python)
    yield DiagnosticLine("packages", OURS, GOOD, installed_version(OURS) or "run from its source, not installed")
    faults = missing_or_old(requires(OURS) or ()) if installed_version(OURS) else {}
    for name in SHOWN:
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
