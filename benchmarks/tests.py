"""Where the time of the tests goes: by file, by fixture, and by what the tests wait for.

Runs the tests of a tier once, with PostgreSQL and Chromium as ``python -m tests`` provides them, and records all
durations. What tests wait for is measured in all processes and may overlap: a test that waits for a process also waits
for its imports.

    python benchmarks/tests.py [--thorough] [--browser] [--top 30] [TEST ...]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from _measure import ROOT, cores, figure, heading

sys.path.insert(0, str(ROOT))

from tests import provision
from tests.tiers import THOROUGH_VARIABLE

TIMES = Path(__file__).resolve().parent / "_times"
PHASES = ("setup", "call", "teardown")


def run(options: argparse.Namespace, folder: Path) -> tuple[int, float]:
    """Run the tests, and return pytest's exit status and the seconds."""
    tier = "thorough" if options.thorough else "not thorough"
    chosen = f"browser and {tier}" if options.browser else f"not browser and {tier}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "times_plugin", "-m", chosen, *options.tests]
    path = os.pathsep.join([str(TIMES), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "CUSTOMLABELS_NB_TEST_TIMES": str(folder)}
    if options.browser:
        environment[provision.CHROMIUM_VARIABLE] = provision.get_chromium()
    with provision.postgres() as url:
        environment |= {provision.POSTGRES_VARIABLE: url, "CUSTOMLABELS_NB_REQUIRE_ALL": "1"}
        environment[THOROUGH_VARIABLE] = str(int(options.thorough))
        start = time.monotonic()
        status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        return status, time.monotonic() - start


def sums(folder: Path) -> dict[str, Counter[str]]:
    """Return the seconds by test, file, fixture and kind of waiting."""
    found: dict[str, Counter[str]] = {name: Counter() for name in ("test", "file", "fixture", "wait")}
    for file in folder.glob("*.txt"):
        for line in file.read_text("utf-8").splitlines():
            seconds, kind = line.split("\t", 1)
            first, _, rest = kind.partition(" ")
            if first in PHASES:
                found["test"][rest] += float(seconds)
                found["file"][rest.partition("::")[0]] += float(seconds)
            elif first == "fixture":
                found["fixture"][rest] += float(seconds)
            else:
                found["wait"][kind] += float(seconds)
    return found


def main() -> int:
    """Run the tests and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thorough", action="store_true", help="the thorough tier instead of the first")
    parser.add_argument("--browser", action="store_true", help="the browser tests instead of the others")
    parser.add_argument("--top", type=int, default=30, metavar="N", help="lines of each table")
    parser.add_argument("tests", nargs="*", metavar="TEST", help="files or folders, by default all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        status, seconds = run(options, Path(folder))
        found = sums(Path(folder))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    heading("All")
    figure("on the clock", f"{seconds:8.1f} s on {cores()} cores")
    figure("processor time", f"{used.ru_utime + used.ru_stime:8.1f} s")
    figure("sum over the tests", f"{sum(found['test'].values()):8.1f} s in {len(found['test'])} tests")
    for title, name in (("By what they wait for", "wait"), ("By fixture", "fixture"), ("By file", "file")):
        heading(title)
        for each, amount in found[name].most_common(options.top):
            figure(each, f"{amount:8.1f} s")
    heading("By test")
    for each, amount in found["test"].most_common(options.top):
        figure(each, f"{amount:8.1f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
