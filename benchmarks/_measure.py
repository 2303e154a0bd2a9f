"""Shared helpers of the benchmarks: options, subprocesses, alternating runs, medians and output."""

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
    """Return the number of processor cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start(description: str | None, *, with_images: bool = True) -> Path:
    """Parse the command line, print the machine, and return the folder of photos, one subfolder per label.

    Without photos, print a message and exit with code 0, because a benchmark is never a test.
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
                f"There are no photos in {folder}. Give a folder with one subfolder per label: --images photos, "
                f"or name its parent, with 'fruit' in it, in the environment variable {TEST_DATA_VARIABLE}."
            )
            sys.exit(0)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {cores()} cores{load}")
    return folder


def heading(text: str) -> None:
    """Print a heading above the following results."""
    print(f"\n{text}", flush=True)


def figure(name: str, value: str) -> None:
    """Print one result that has no bound."""
    print(f"  {name:<58} {value}", flush=True)


def bound(name: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None) -> None:
    """Print one result with its bound, its share of the bound, and whether it meets the bound."""
    limit = at_most if at_most is not None else at_least
    assert limit is not None
    holds = value <= limit if at_most is not None else value >= limit
    sign, verdict = "≤" if at_most is not None else "≥", "OK" if holds else "MISSED"
    shown = f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
    figure(name, f"{shown}{unit} (bound {sign} {limit:g}{unit}, {value / limit:.2f} of it)  {verdict}")


def seconds(work: Callable[[], object]) -> float:
    """Return the duration of one call in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class Stopwatch:
    """Measure seconds and processor seconds since its creation, with those of child processes that have ended."""

    def __init__(self) -> None:
        self._started = self._now()

    def read(self) -> dict[str, float]:
        """Return ``seconds`` and ``cpu``."""
        return {name: now - self._started[name] for name, now in self._now().items()}

    @staticmethod
    def _now() -> dict[str, float]:
        spent = os.times()  # in hundredths of a second, so only that of child processes
        ended = spent.children_user + spent.children_system
        return {"seconds": time.perf_counter(), "cpu": time.process_time() + ended}


def alternate(rounds: int, *works: Callable[[], float]) -> list[list[float]]:
    """Call ``works`` in turn ``rounds`` times and return their results, so that disturbances affect all of them."""
    results: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, kept in zip(works, results, strict=True):
            kept.append(work())
    return results


def ratio(ours: Sequence[float], peer: Sequence[float]) -> float:
    """Return the median of the per-round ratios."""
    return statistics.median(a / b for a, b in zip(ours, peer, strict=True))


def spread(values: Sequence[float], unit: str) -> str:
    """Format the median and the range."""
    return f"{statistics.median(values):.3g}{unit} ({min(values):.3g} to {max(values):.3g})"


def own_environment(packages: Sequence[str], module: str) -> list[str]:
    """Return a command that runs a Python file in a separate uv environment with these packages, without ours.

    Without uv, or if the packages cannot be installed, print a message and exit with code 0.
    """
    command = uv_command(packages)
    if command is None:
        print(f"uv is not installed, but the environment of {module} needs it: pip install uv")
        sys.exit(0)
    tried = subprocess.run([*command, "-c", f"import {module}"], capture_output=True, text=True, check=False)
    if tried.returncode:
        print(f"Cannot create an environment for {module}:\n{tried.stderr[-2000:]}")
        sys.exit(0)
    return command


def uv_command(packages: Sequence[str]) -> list[str] | None:
    """Return a command that runs a Python file in a uv environment with these packages, or None without uv."""
    uv = os.environ.get("UV") or shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        return None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = [word for name in packages for word in ("--with", name)]
    return [uv, "run", "--no-project", "--python", version, *wanted, "python"]


def in_fresh_process(code: str, *arguments: str) -> dict[str, Any]:
    """Run Python code in a new process and return the JSON object on the last line of its output."""
    return last_json([sys.executable, "-c", code, *arguments])


def last_json(command: Sequence[str]) -> dict[str, Any]:
    """Run a command and return the JSON object on the last line of its output."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed with {done.returncode}:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
