"""Test whether broken functions are noticed by the notebooks: ``python -m tests.notebooks.breaking [01 05 …]``.

Runs the notebooks once and records the public functions, methods and properties that their cells call. Then breaks
these one by one, runs the notebooks again, each until its first failing cell or check, and prints the breaks that no
notebook noticed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.notebooks.running import NotebookFailedError, checks_of, execute, notebook_path, numbers, outputs_check

WAYS = ("nothing", "changed")


@dataclass(frozen=True)
class Break:
    """Function broken in one way, and the result.

    Attributes
    ----------
    module, name : str
        ``customlabels_nb.project.project``, ``Project.train``.
    how : str
        See :func:`tests.notebooks.inside.break_function`.
    noticed : str
        The notebook that failed. "" if none did, "can't be changed" for values without a wrong alternative.
    """

    module: str
    name: str
    how: str
    noticed: str = ""


def calls(paths: Iterable[Path], checks: Path | None = None, jobs: int = 1) -> dict[tuple[str, str], list[Path]]:
    """Return the functions called by the notebooks, with their notebooks sorted by duration."""
    paths = list(paths)
    seconds: dict[Path, float] = {}
    found: dict[tuple[str, str], list[Path]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        runs = list(pool.map(lambda path: execute(path, checks=checks, record=True), paths))
    for path, run in zip(paths, runs, strict=True):
        seconds[path] = run.seconds
        for call in run.called:
            found.setdefault(call, []).append(path)
    return {call: sorted(users, key=lambda path: seconds[path]) for call, users in sorted(found.items())}


def breaks(
    called: dict[tuple[str, str], list[Path]], ways: Sequence[str] = WAYS, checks: Path | None = None, jobs: int = 1
) -> Iterator[Break]:
    """Break each of these functions in each of the ways, ``jobs`` at a time, and yield the notebooks that noticed."""

    def broken(call: tuple[str, str], how: str) -> Break:
        module, name = call
        noticed = (_noticed(path, {"module": module, "name": name, "how": how}, checks) for path in called[call])
        return Break(module, name, how, next(filter(None, noticed), ""))

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda each: broken(*each), [(call, how) for call in called for how in ways])


def _noticed(path: Path, broken: dict[str, str], checks: Path | None) -> str:
    """Return the notebook's name if it notices a broken function, else ""."""
    try:
        run = execute(path, checks=checks, broken=broken)
        outputs = outputs_check(checks or checks_of(path))
        if outputs is not None:
            outputs(run.notebook)
    except NotebookFailedError as error:
        return "can't be changed" if "Unchangeable" in str(error) else path.name
    except Exception:  # any error of a check of outputs
        return path.name
    return ""


def main() -> int:
    """Print the breaks that no notebook noticed and return 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.notebooks.breaking", description=__doc__)
    parser.add_argument("numbers", nargs="*", metavar="NN", help="two digits each; all of them if none is given")
    parser.add_argument("--only", metavar="TEXT", default="", help="functions with this text in their name")
    parser.add_argument("--list", action="store_true", help="only list what is called")
    parser.add_argument("--raises", action="store_true", help="also let them raise")
    parser.add_argument("--jobs", metavar="N", type=int, default=1, help="notebooks that run at once")
    chosen = parser.parse_args()
    found = calls((notebook_path(number) for number in chosen.numbers or numbers()), jobs=chosen.jobs)
    found = {call: users for call, users in found.items() if chosen.only in ".".join(call)}
    if chosen.list:
        for (module, name), users in found.items():
            print(f"{module}.{name}: {', '.join(path.name[:2] for path in users)}")
        return 0
    missed, started = [], time.perf_counter()
    for one in breaks(found, (*WAYS, "raises") if chosen.raises else WAYS, jobs=chosen.jobs):
        print(
            f"{time.perf_counter() - started:6.0f} s  {one.module}.{one.name} {one.how}: {one.noticed or 'NOT NOTICED'}"
        )
        sys.stdout.flush()
        missed += [] if one.noticed else [one]
    print(f"{len(missed)} breaks were not noticed" + "".join(f"\n  {x.module}.{x.name}: {x.how}" for x in missed))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
