"""What the benchmarks share: options, fresh processes, alternation with medians, and how figures are shown."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TEST_DATA_VARIABLE = "CUSTOMLABELS_NB_TEST_DATA"
ROOT = Path(__file__).resolve().parent.parent


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start(description: str | None, *, with_images: bool = True) -> Path:
    """Read the command line, say on what machine this runs, and return the folder of photos, one folder per label.

    Without photos it ends here with a sentence and exit code 0: a benchmark is never a test.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = Path(os.environ.get(TEST_DATA_VARIABLE) or ROOT.parent / "shared" / "data") / "fruit"
    if with_images:
        parser.add_argument("--images", type=Path, metavar="DIR", help="photos, one folder per label")
    options = parser.parse_args()
    if with_images:
        folder = (options.images or folder).absolute()
        if not any(folder.glob("*/*.jpg")):
            print(
                f"There are no photos in {folder}. Name a folder with one folder per label: --images photos, "
                f"or put it as 'fruit' below a folder that the environment variable {TEST_DATA_VARIABLE} names."
            )
            sys.exit(0)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {cores()} cores{load}")
    return folder


def heading(text: str) -> None:
    """A line above the figures that follow."""
    print(f"\n{text}", flush=True)


def figure(name: str, value: str) -> None:
    """One figure that has no bound."""
    print(f"  {name:<58} {value}", flush=True)


def bound(name: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None) -> None:
    """One figure beside its bound, the share of the bound that it is, and whether it holds."""
    limit = at_most if at_most is not None else at_least
    assert limit is not None
    holds = value <= limit if at_most is not None else value >= limit
    sign, verdict = "≤" if at_most is not None else "≥", "OK" if holds else "MISSED"
    shown = f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
    figure(name, f"{shown}{unit} (bound {sign} {limit:g}{unit}, {value / limit:.2f} of it)  {verdict}")


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def alternate(rounds: int, *works: Callable[[], float]) -> list[list[float]]:
    """The results of ``works``, called in turn ``rounds`` times: what disturbs the machine disturbs all of them."""
    results: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, kept in zip(works, results, strict=True):
            kept.append(work())
    return results


def ratio(ours: Sequence[float], peer: Sequence[float]) -> float:
    """The median of the ratios round by round."""
    return statistics.median(a / b for a, b in zip(ours, peer, strict=True))


def spread(values: Sequence[float], unit: str) -> str:
    """The median and the range."""
    return f"{statistics.median(values):.3g}{unit} ({min(values):.3g} to {max(values):.3g})"


def own_environment(packages: Sequence[str], module: str) -> list[str]:
    """The command that runs a Python file where these packages are, and ours aren't; made by uv.

    Without uv, or where the packages can't be had, it ends here with a sentence and exit code 0.
    """
    uv = os.environ.get("UV") or shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        print(f"uv is not here, so there is no environment for {module}: pip install uv")
        sys.exit(0)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [uv, "run", "--no-project", "--python", version]
    command += [word for name in packages for word in ("--with", name)]
    tried = subprocess.run([*command, "python", "-c", f"import {module}"], capture_output=True, text=True, check=False)
    if tried.returncode:
        print(f"There is no environment for {module}:\n{tried.stderr[-2000:]}")
        sys.exit(0)
    return [*command, "python"]


def in_fresh_process(code: str, *arguments: str) -> dict[str, Any]:
    """Run Python code in a process of its own; returns the JSON object on the last line of its output."""
    return last_json([sys.executable, "-c", code, *arguments])


def last_json(command: Sequence[str]) -> dict[str, Any]:
    """Run a command; returns the JSON object on the last line of its output."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed with {done.returncode}:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
