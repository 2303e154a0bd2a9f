"""Check the project: ``python -m tests``, and ``python -m tests --thorough`` for what takes long.

Provides Chromium, JupyterHub's proxy, a PostgreSQL server, Node, Biome and TypeScript first. The first tier runs
linters, formatters, type checkers, import contracts, JavaScript tests, and the tests of every behaviour with one
browser test for each screen.
The thorough tier runs the other tests: kills and races by the dozen, notebooks, exports, Ray and ranks, all browser
tests that the first leaves out, and some tests in the environment ``colab``. Each check runs to its end, and a summary
follows.

``--exhaustive`` runs the longest notebooks, guides and browser tests and the examples of all docstrings, and repeats
tests of the first tier with more examples: all property tests, mutated inputs, hostile requests, and hundreds of
processes and people. Run it when what they test has changed, and before a release.

What needs something that is not here and cannot be installed without a password is left out. The end of the summary
says so, with the command that installs it. With ``CI=true`` it is an error.

``--lowest`` and ``--environment`` make an environment with other versions of the dependencies (``.venv-lowest`` with
the lowest versions that the package accepts, ``.venv-colab`` with those of Google Colab), and run the Python tests of
the first tier in it, without the browser.

``--peers`` only tests that other programs read what this package exports (``tests/peers``). No tier runs it.

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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TypeVar

from tests import environments, provision
from tests.tiers import EXHAUSTIVE_VARIABLE, THOROUGH_VARIABLE

ROOT = Path(__file__).resolve().parent.parent
JS_FOLDERS = ("tests/js", "customlabels_nb/widgets/static")
JS_CHECKED = (*JS_FOLDERS, "tests/browser", "benchmarks")
JS_RULES = "tests/js/rules.json"
JS_TYPES = "tests/js/tsconfig.json"
BROWSER_STEP = "pytest, browser"
LEFT_OUT = "left out"
MOST_FLAKY = 4  # more failures than this are not random
#: Large libraries. Their bytecode is stored by one process, before all processes of pytest import them at once.
LIBRARIES = "torchvision.models, torch._dynamo, timm, sklearn.linear_model, matplotlib.pyplot, nbformat, moto"
HUB_TESTS = "tests/browser/test_jupyterhub.py"
JS_TEST = re.compile(r"(test[-_].+|.+[-_.]test|test)\.m?js")


Program = TypeVar("Program", str, list[str])


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


@dataclass
class Found:
    """What the tests need besides Python packages, with None for what is left out, and the reasons for that.

    ``python`` runs the tests, in an environment of its own or the current one.
    """

    python: str = sys.executable
    chromium: str | None = None
    proxy: list[str] | None = None
    node: str | None = None
    biome: list[str] | None = None
    tsc: list[str] | None = None
    postgres: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)

    def get(self, name: str, tests: str, get: Callable[[], Program], *, optional: bool = False) -> Program | None:
        """Return and show what ``get`` returns, or None if it is unavailable, with the reason in ``reasons``."""
        try:
            found = get()
        except provision.Unavailable as reason:
            required = os.environ.get("CI", "").lower() in ("true", "1") and not optional
            if required or isinstance(reason, provision.WronglyNamed):
                raise
            self.reasons[tests] = str(reason)
            found = None
        print(f"{name}: {(found if isinstance(found, str) else found[-1]) if found else 'none'}")
        return found


def find(options: argparse.Namespace, stack: ExitStack) -> Found:
    """Find or install what the chosen tests need. The database server runs until the stack is closed.

    Raises
    ------
    Unavailable
        If something is missing in CI, or something that the user named does not run.
    """
    found = Found()
    if not options.fast:
        found.chromium = found.get("Chromium", "the browser tests", provision.get_chromium)
    if found.chromium:
        found.proxy = found.get("JupyterHub's proxy", "the browser tests with JupyterHub", provision.get_proxy)
        if options.thorough or options.exhaustive:
            found.get("Firefox", "the tests in Firefox", provision.get_firefox, optional=True)
            found.get("axe-core", "the tests of accessibility", lambda: str(provision.get_npm_package(provision.AXE)))
    found.node = found.get("Node", "the tests of JavaScript", provision.find_node)
    if found.node and not (options.thorough or options.exhaustive or options.environment):
        found.biome = found.get("Biome", "biome", lambda: provision.get_js_tool(provision.BIOME, "bin/biome"))
        found.tsc = found.get("TypeScript", "tsc", lambda: provision.get_js_tool(provision.TYPESCRIPT, "bin/tsc"))
    found.postgres = found.get(
        "PostgreSQL", "the tests with PostgreSQL", lambda: stack.enter_context(provision.postgres())
    )
    return found


def linters(found: Found) -> list[Step]:
    """Return the checks that run no Python tests."""
    python = [sys.executable, "-m"]
    scripts_folder = Path(sys.executable).parent
    names = ("lint-imports", "deptry")
    contracts, deptry = (shutil.which(name, path=str(scripts_folder)) or str(scripts_folder / name) for name in names)
    scripts = js_tests(ROOT)
    biome = [*(found.biome or ()), "check", "--error-on-warnings", f"--config-path={JS_RULES}", *JS_CHECKED]
    no_scripts = "" if scripts else "no JavaScript tests"
    return [
        Step("ruff check", [*python, "ruff", "check", "."]),
        Step("ruff format", [*python, "ruff", "format", "--check", "."]),
        Step("lint-imports", [contracts]),
        Step("deptry", [deptry, "."]),
        Step("biome", biome, nothing="" if found.biome else LEFT_OUT),
        Step("tsc", [*(found.tsc or ()), "-p", JS_TYPES], nothing="" if found.tsc else LEFT_OUT),
        Step("node --test", [found.node or "", "--test", *scripts], nothing=no_scripts if found.node else LEFT_OUT),
        Step("mypy", [*python, "mypy"], beside=True),
    ]


def steps(
    found: Found, *, thorough: bool, environment: bool, pytest_args: list[str], exhaustive: bool = False
) -> list[Step]:
    """Return the checks of a tier in the order in which they are shown, fast ones first."""
    tier = "exhaustive" if exhaustive else "thorough and not exhaustive" if thorough else "not thorough"
    test = [found.python, "-m", "pytest", "-rsfE", "--durations=10", "-m"]
    none_chosen = 5 if pytest_args else None
    without_postgres = "" if found.postgres else " and not postgres"
    without_proxy = [] if found.proxy else [f"--ignore={HUB_TESTS}"]
    python_tests = [
        Step("bytecode", [found.python, "-c", f"import {LIBRARIES}"]),
        Step("pytest", [*test, f"not browser and {tier}{without_postgres}", *pytest_args], none_chosen=none_chosen),
    ]
    browser_tests = Step(
        BROWSER_STEP,
        [*test, f"browser and {tier}{without_postgres}", *without_proxy, *pytest_args],
        nothing="" if found.chromium else LEFT_OUT,
        none_chosen=none_chosen,
    )
    if environment:
        return python_tests
    if exhaustive:
        return [*python_tests, browser_tests]
    if thorough:
        return [*python_tests, *([] if pytest_args else in_environments()), browser_tests]
    return [*linters(found), *python_tests, browser_tests]


def in_environments() -> list[Step]:
    """Return a short check for each environment that has one."""
    command = [sys.executable, "-m", "tests", "--environment"]
    chosen = (environment for environment in environments.ENVIRONMENTS.values() if environment.short)
    return [Step(each.name, [*command, each.name, "--", *each.short]) for each in chosen]


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


def parse(given: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options, and the arguments of pytest after ``--``."""
    cut = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(
        prog="python -m tests",
        description=(__doc__ or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [--thorough | --exhaustive | --environment NAME | --peers] [--fast] [-- PYTEST_ARGUMENT ...]",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--thorough", action="store_true", help="run what the first tier leaves out")
    kind.add_argument("--exhaustive", action="store_true", help="run the longest tests, and others with more examples")
    kind.add_argument(
        "--environment", choices=environments.ENVIRONMENTS, metavar="NAME",
        help=f"run the Python tests with other versions: {', '.join(environments.ENVIRONMENTS)}",
    )  # fmt: skip
    kind.add_argument(
        "--lowest", dest="environment", action="store_const", const="lowest", help="the same as --environment lowest"
    )
    kind.add_argument("--peers", action="store_true", help="read exports with other programs, and nothing else")
    parser.add_argument("--fast", action="store_true", help="leave the browser and its tests out")
    options = parser.parse_args(given[:cut])
    options.fast = options.fast or bool(options.environment)
    return options, given[cut + 1 :]


def main(argv: list[str] | None = None) -> int:
    """Run the checks and return the exit status."""
    options, pytest_args = parse(sys.argv[1:] if argv is None else argv)
    if options.peers:
        from tests import peers  # imports the package, which is not needed to start the checks

        return peers.main()
    env = os.environ | {
        "CUSTOMLABELS_NB_REQUIRE_ALL": "1",
        THOROUGH_VARIABLE: str(int(options.thorough)),
        EXHAUSTIVE_VARIABLE: str(int(options.exhaustive)),
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # see `pytest_configure`
    with ExitStack() as stack:
        try:
            found = find(options, stack)
            if options.environment:
                found.python, own = environments.make(environments.ENVIRONMENTS[options.environment])
                env |= own
        except provision.Unavailable as reason:
            print(reason, file=sys.stderr)
            return 2
        env |= provision.playwright_node() | {
            name: value
            for name, value in (
                (provision.CHROMIUM_VARIABLE, found.chromium),
                (provision.POSTGRES_VARIABLE, found.postgres),
            )
            if value
        }
        results = run_all(
            steps(
                found,
                thorough=options.thorough,
                exhaustive=options.exhaustive,
                environment=bool(options.environment),
                pytest_args=pytest_args,
            ),
            env,
        )
    print("\n" + "-" * 100)
    print(summary(options, found, results))
    return int(any(result.startswith("failed") for _, result, _ in results))


def summary(options: argparse.Namespace, found: Found, results: list[tuple[str, str, float]]) -> str:
    """Return the text after all checks: versions, results, and what was left out with the reason."""
    kind = "First tier. Left out: `python -m tests --thorough`."
    if options.thorough:
        kind = "Thorough tier. Left out: the linters and the first tier, `python -m tests`."
    if options.exhaustive:
        kind = "Exhaustive tier. Left out: the other two, `python -m tests` and `python -m tests --thorough`."
    if options.environment:
        kind = f"Python tests of the first tier in the environment {options.environment!r}."
    lines = [kind, environments.versions_of(found.python)]
    lines += [f"{name:<16}{result:<24}{seconds:>8.1f} s" for name, result, seconds in results]
    lines += [f"Left out: {what}. {reason}" for what, reason in found.reasons.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stops the database server then as well
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
    sys.exit(main())
