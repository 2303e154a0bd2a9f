"""Check the project: ``python -m tests``, and ``python -m tests --thorough`` for what repeats or takes long.

Provides Chromium, JupyterHub's proxy, a PostgreSQL server, Node, Biome and TypeScript first. The first tier runs
linters, formatters, type checkers, import contracts, JavaScript tests, and the tests of every behaviour with one
browser test for each screen.
The thorough tier runs the other tests: kills and races by the dozen, mutated inputs, notebooks, exports, Ray and ranks,
and all browser tests that the first leaves out. Each check runs to its end, and a summary follows.

A failed browser test is run once more by itself, unless it tests storing, undo or killed kernels. If it passes then,
the summary lists it as flaky. The type checker runs beside the tests, and its output follows theirs. Exits with 0 if
everything passed, 1 if something failed, and 2 if something that the tests need is unavailable.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from tests import provision
from tests.tiers import THOROUGH_VARIABLE

ROOT = Path(__file__).resolve().parent.parent
JS_FOLDERS = ("tests/js", "customlabels_nb/widgets/static")
JS_CHECKED = (*JS_FOLDERS, "tests/browser", "benchmarks")
JS_RULES = "tests/js/rules.json"
JS_TYPES = "tests/js/tsconfig.json"
BROWSER_STEP = "pytest, browser"
MOST_FLAKY = 4  # more failures than this are not random
#: Large libraries. Their bytecode is stored by one process, before all processes of pytest import them at once.
LIBRARIES = "torchvision.models, torch._dynamo, timm, sklearn.linear_model, matplotlib.pyplot, nbformat, moto"
JS_TEST = re.compile(r"(test[-_].+|.+[-_.]test|test)\.m?js")


@dataclass(frozen=True)
class Step:
    """A check: its name and the command that runs it, or the reason why there is nothing to run.

    ``none_chosen`` is the exit status of the command if nothing was left to do and that is not an error. A check
    ``beside`` the others starts with the first one, and its output is shown when its turn comes.
    """

    name: str
    command: list[str]
    nothing: str = ""
    none_chosen: int | None = None
    beside: bool = False


def js_tests(root: Path) -> list[str]:
    """Return the JavaScript test files, relative to ``root``."""
    files = (path for folder in JS_FOLDERS for path in (root / folder).rglob("*"))
    return sorted(str(path.relative_to(root)) for path in files if JS_TEST.fullmatch(path.name))


def steps(
    node: str, biome: list[str], tsc: list[str], *, browser: bool, thorough: bool, pytest_args: list[str]
) -> list[Step]:
    """Return the checks of a tier in the order in which they are shown, fast ones first."""
    python = [sys.executable, "-m"]
    scripts_folder = Path(sys.executable).parent
    contracts = shutil.which("lint-imports", path=str(scripts_folder)) or str(scripts_folder / "lint-imports")
    scripts = js_tests(ROOT)
    tier = "thorough" if thorough else "not thorough"
    test = [*python, "pytest", "-rsfE", "--durations=10", "-m"]
    none_chosen = 5 if pytest_args else None
    linters = [
        Step("ruff check", [*python, "ruff", "check", "."]),
        Step("ruff format", [*python, "ruff", "format", "--check", "."]),
        Step("lint-imports", [contracts]),
        Step("biome", [*biome, "check", "--error-on-warnings", f"--config-path={JS_RULES}", *JS_CHECKED]),
        Step("tsc", [*tsc, "-p", JS_TYPES]),
        Step("node --test", [node, "--test", *scripts], nothing="" if scripts else "no JavaScript tests"),
        Step("mypy", [*python, "mypy"], beside=True),
    ]
    return [
        Step("bytecode", [sys.executable, "-c", f"import {LIBRARIES}"]),
        *([] if thorough else linters),
        Step("pytest", [*test, f"not browser and {tier}", *pytest_args], none_chosen=none_chosen),
        Step(
            BROWSER_STEP,
            [*test, f"browser and {tier}", *pytest_args],
            nothing="" if browser else "left out",
            none_chosen=none_chosen,
        ),
    ]


def run(step: Step, env: dict[str, str], output: IO[str] | None = None) -> tuple[str, float]:
    """Run one check, show its output or write it to a file, and return the outcome and the seconds."""
    print(f"\n---- {step.name} ".ljust(100, "-"), file=output, flush=True)
    if step.nothing:
        print(step.nothing, file=output, flush=True)
        return step.nothing, 0.0
    start = time.monotonic()
    errors = subprocess.STDOUT if output else None
    try:
        status = subprocess.run(step.command, cwd=ROOT, env=env, stdout=output, stderr=errors, check=False).returncode
    except OSError as error:
        reason = f"{step.command[0]} can't be run ({error}): install the extras 'test' and 'dev'."
        print(reason, file=output, flush=True)
        status = 127
    seconds = time.monotonic() - start
    result = "passed" if status in (0, step.none_chosen) else f"failed ({status})"
    print(f"{step.name}: {result} in {seconds:.1f} s", file=output, flush=True)
    return result, seconds


def run_all(checks: list[Step], env: dict[str, str]) -> list[tuple[str, str, float]]:
    """Run the checks one after another, those ``beside`` the others in a thread, and return what `run` returns."""
    results, started = [], {}
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(1))
        for step in checks:
            if step.beside:
                file = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
                started[step.name] = file, pool.submit(run, step, env, file)
        for step in checks:
            if step.beside:
                file, running = started[step.name]
                result = running.result()
                file.seek(0)
                print(file.read(), end="", flush=True)
            else:
                result = (run_browser_tests if step.name == BROWSER_STEP else run)(step, env)
            results.append((step.name, *result))
    return results


def run_browser_tests(step: Step, env: dict[str, str]) -> tuple[str, float]:
    """Run the browser tests, then the failed ones again, and name those that passed only the second time."""
    with tempfile.TemporaryDirectory() as cache:
        kept = ["-o", f"cache_dir={cache}"]
        result, seconds = run(replace(step, command=[*step.command, *kept]), env)
        try:
            failed = sorted(json.loads((Path(cache) / "v" / "cache" / "lastfailed").read_text("utf-8")))
        except FileNotFoundError:
            failed = []
        if result != "failed (1)" or not 0 < len(failed) <= MOST_FLAKY:
            return result, seconds
        for test in failed:
            again = [sys.executable, "-m", "pytest", "-rfE", "-n", "0", "-m", "browser and not storing", test, *kept]
            second, more = run(Step(f"once more: {test}", again), env)
            seconds += more
            if second != "passed":
                return result, seconds
    return f"passed; flaky: {', '.join(failed)}", seconds


def main(argv: list[str] | None = None) -> int:
    """Run the checks and return the exit status."""
    given = sys.argv[1:] if argv is None else argv
    cut = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(
        prog="python -m tests",
        description=(__doc__ or "").strip(),
        usage="%(prog)s [--thorough] [--fast] [-- PYTEST_ARGUMENT ...]",
    )
    parser.add_argument("--thorough", action="store_true", help="run what the first tier leaves out")
    parser.add_argument("--fast", action="store_true", help="leave the browser and its tests out")
    options = parser.parse_args(given[:cut])

    env = os.environ | {"CUSTOMLABELS_NB_REQUIRE_ALL": "1", THOROUGH_VARIABLE: str(int(options.thorough))}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # see `pytest_configure`
    with ExitStack() as stack:
        try:
            if not options.fast:
                env[provision.CHROMIUM_VARIABLE] = provision.get_chromium()
                print(f"Chromium: {env[provision.CHROMIUM_VARIABLE]}")
                print(f"JupyterHub's proxy: {provision.get_proxy()[-1]}")
                print(f"Firefox: {provision.get_firefox() or 'none; its smoke tests are left out'}")
            node = provision.find_node()
            biome, tsc = list[str](), list[str]()
            if not options.thorough:
                biome = provision.get_js_tool(provision.BIOME, "bin/biome")
                tsc = provision.get_js_tool(provision.TYPESCRIPT, "bin/tsc")
            print(f"Node: {node}")
            env[provision.POSTGRES_VARIABLE] = stack.enter_context(provision.postgres())
            print("PostgreSQL: running")
        except provision.Unavailable as reason:
            print(reason, file=sys.stderr)
            return 2
        checks = steps(
            node, biome, tsc, browser=not options.fast, thorough=options.thorough, pytest_args=given[cut + 1 :]
        )
        results = run_all(checks, env)

    print("\n" + "-" * 100)
    print(
        "Thorough tier. Left out: the linters and the first tier, `python -m tests`."
        if options.thorough
        else "First tier. Left out: `python -m tests --thorough`."
    )
    for name, result, seconds in results:
        print(f"{name:<16}{result:<24}{seconds:>8.1f} s")
    return int(any(result.startswith("failed") for _, result, _ in results))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stops the database server then as well
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
    sys.exit(main())
