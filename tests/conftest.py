"""Fixtures for all tests, and isolation of the tests from the machine they run on."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hypothesis
import pandas as pd
import psutil
import pytest

from customlabels_nb.user_settings import settings
from tests import provision
from tests.s3_server import _client, _s3, bucket
from tests.tiers import EXHAUSTIVE, THOROUGH, many

__all__ = ["_client", "_s3", "bucket"]

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
BROWSER_TESTS = TESTS / "browser"
LIGHT_IMPORTS = TESTS / "light_imports"
REQUIRE_ALL_VARIABLE = "CUSTOMLABELS_NB_REQUIRE_ALL"
TEST_DATA_VARIABLE = "CUSTOMLABELS_NB_TEST_DATA"
MARKED_BY_FIXTURE = {"lab": "browser", "postgres_url": "postgres"}

#: Tests that run on PostgreSQL in the first tier. The thorough tier runs all others on it too.
ON_POSTGRES = ("store/test_contract", "store/test_labels", "jobs/test_leases", "test_provision")

#: Slow files, the slowest first. Started late, one process would still be busy when the others are done.
LONG = (
    "notebooks/test_notebooks",
    "inference/test_export",
    "workers/test_ray",
    "models/test_transformers_detector",
    "inference/test_masks",
    "stress/test_disk_full",
    "store/test_history",
    "widgets/test_requests",
    "workers/test_ranks",
    "datasets/formats/test_bad_input",
    "endpoints/rekognition/test_concurrent_clients",
    "jobs/test_reviewer_session",
    "store/test_snapshots",
    "jobs/test_processes",
    "endpoints/custom_vision/test_sdk",
    "project/test_training",
    "docs/",
    "endpoints/rekognition/test_killed_server",
    "endpoints/custom_vision/test_killed_vision_server",
    "endpoints/custom_vision/test_iteration_operations",
    "endpoints/rekognition/test_awscli",
    "stress/test_detect",
    "stress/test_together",
    "installed/test_wheel",
    "workers/",
    "training/test_detector_recipe",
    "endpoints/rekognition/test_version_operations",
    "training/test_fine_tuning",
    "inference/test_video",
    "browser/test_appearance",
    "browser/test_annotator",
    "browser/test_quick_test",
    "browser/test_gallery",
    "browser/test_results",
    "browser/test_quickstart",
    "browser/test_notebooks",
)

#: Browser tests that share what takes long to start. One process runs all of them.
SHARING = ("tests/browser/test_jupyterhub", "tests/browser/test_notebook6")

sys.path.insert(0, str(LIGHT_IMPORTS))  # child processes have it too, see `pytest_configure`

# as in a default installation, which has no pyarrow; child processes and notebooks have pyarrow's texts
pd.set_option("mode.string_storage", "python")

# an example takes longer than 200 ms wherever other programs use the cores
hypothesis.settings.register_profile("customlabels_nb", deadline=None, max_examples=many(160))
hypothesis.settings.load_profile("customlabels_nb")

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

_environment = pytest.StashKey[dict[str, str]]()
_home = pytest.StashKey[str]()
_in_memory = pytest.StashKey[str]()
#: File system in memory of Linux, where databases do not wait for the disk. The first tier has about 2 GB of files.
MEMORY = Path("/dev/shm")
LEAST_MEMORY = 8 * 2**30
#: Objects whose collection takes longer than most tests.
MANY_OBJECTS = 150_000


class AllowedSkip(pytest.skip.Exception):
    """Skip for a missing resource outside the repository that is optional: the photos, Firefox."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return one or two processes more than cores for all tests, four for browser tests, none for selected tests."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    if _browser_only(config):
        return 4  # each has a server, Chromium and kernels of a gigabyte, and waits most of the time
    # a test that waits for a server or a lease leaves its core idle, and more tests of the thorough tier do
    return max(2, min(8, os.cpu_count() or 2)) + 1 + THOROUGH


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give out browser tests one by one, since one file of them takes minutes."""
    from xdist.scheduler import LoadFileScheduling

    class OneByOne(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return super()._split_scope(nodeid) if nodeid.startswith(SHARING) else nodeid

    return OneByOne(config, log) if _browser_only(config) else None


def pytest_configure(config: pytest.Config) -> None:
    """Give the run an empty home folder, and disable plot windows."""
    # the processes of a parallel run inherit the isolated environment of the first one
    config.stash[_environment] = getattr(config, "workerinput", {}).get("environment") or dict(os.environ)
    if getattr(config.option, "numprocesses", None) and not THOROUGH and has_memory():
        for left in MEMORY.glob("clnb-*-*"):  # by runs that were killed
            pid = left.name.split("-")[1]
            if pid.isdigit() and not psutil.pid_exists(int(pid)):
                shutil.rmtree(left, ignore_errors=True)
        own = tempfile.mkdtemp("", f"clnb-{os.getpid()}-", MEMORY)
        os.chmod(own, 0o755)  # some tests continue as another user
        config.stash[_in_memory] = tempfile.tempdir = os.environ["TMPDIR"] = own
    config.stash[_home] = home = tempfile.mkdtemp(prefix="tests-home-")
    # Playwright looks for its browsers below the home folder, so that one path stays
    browsers = provision.playwright_browsers()
    # without stored bytecode each of hundreds of processes would compile pandas and scikit-learn anew
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    for name in list(os.environ):
        if name.startswith(("CUSTOMLABELS_NB_CACHE", "JUPYTER", "IPYTHON", "MPLCONFIG", "XDG_")):
            del os.environ[name]
    os.environ |= {
        "HOME": home,
        "USERPROFILE": home,
        "CUSTOMLABELS_NB_CACHE": os.path.join(home, "cache"),
        "MPLBACKEND": "Agg",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(LIGHT_IMPORTS), os.environ.get("PYTHONPATH")])),
    }
    if getattr(config.option, "numprocesses", None):
        # processes that each let torch use all cores would mostly wait for one another
        os.environ |= ONE_THREAD
    if browsers.is_dir():
        os.environ[provision.PLAYWRIGHT_BROWSERS_VARIABLE] = str(browsers)
    settings.cache_dir = Path(home, "cache")
    settings.threads = int(
        settings.threads
    )  # as if chosen: a trial could choose another number, which rounds differently


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give the processes of a parallel run the original environment."""
    node.workerinput["environment"] = node.config.stash[_environment]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Undo `pytest_configure` and `pytest_collection_finish`."""
    gc.unfreeze()  # some libraries report what is left at the end
    if _home in config.stash:
        os.environ.clear()
        os.environ.update(config.stash[_environment])
        shutil.rmtree(config.stash[_home], ignore_errors=True)
    if _in_memory in config.stash:
        tempfile.tempdir = None
        shutil.rmtree(config.stash[_in_memory], ignore_errors=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore other files for the browser tests, because importing them takes each process long and a gigabyte."""
    other = collection_path.parent == TESTS and collection_path != BROWSER_TESTS
    return (other and _browser_only(config)) or None


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests by their fixtures and tier, and put slow ones first and browser tests last."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKED_BY_FIXTURE:
                item.add_marker(MARKED_BY_FIXTURE[fixture])
        elsewhere = item.path.is_relative_to(TESTS) and not item.path.is_relative_to(BROWSER_TESTS)
        if elsewhere and item.get_closest_marker("browser"):
            raise pytest.UsageError(f"{item.nodeid} needs a browser: move it to tests/browser, or it is left out")
        left_out = (item.get_closest_marker("browser") and not item.get_closest_marker("journey")) or (
            item.get_closest_marker("postgres") and not _name(item).startswith(ON_POSTGRES)
        )
        if EXHAUSTIVE and getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("exhaustive")
        if left_out or item.get_closest_marker("exhaustive"):
            item.add_marker("thorough")
    # Playwright keeps an event loop running in this thread, which breaks asyncio.run in a later test
    items.sort(key=lambda item: (item.get_closest_marker("browser") is not None, _turn(item)))


def pytest_collection_finish() -> None:
    """Leave a million objects of libraries out of garbage collection, which every stopped model asks for.

    A collection at the limit of the recursion, where tests nest brackets, fails in callbacks of weak references.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, *gc.get_threshold()[1:])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Leave libraries that the tests of a file have imported out of garbage collection as well."""
    result = yield
    if nextitem is not None and nextitem.path != item.path and len(gc.get_objects()) > MANY_OBJECTS:
        gc.collect()
        gc.freeze()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Skip a test that needs a program, such as Node, which is not here."""
    try:
        return (yield)
    except provision.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped browser or database test into a failure where everything is required."""
    report = yield
    required = any(item.get_closest_marker(name) for name in ("browser", "postgres"))
    if report.skipped and required and _required(call) and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} must not be skipped here: {call.excinfo.value if call.excinfo else ''}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a module skipped as a whole into a failure too, since it may contain such tests."""
    report = yield
    if report.skipped and os.environ.get(REQUIRE_ALL_VARIABLE):
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} must not be skipped as a whole here: {report.longrepr}"
    return report


def _browser_only(config: pytest.Config) -> bool:
    return str(config.option.markexpr).startswith("browser and")


def _name(item: pytest.Item) -> str:
    return item.nodeid.removeprefix("tests/")


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, start in enumerate(LONG) if _name(item).startswith(start)), len(LONG))


def _required(call: pytest.CallInfo[None]) -> bool:
    absent = call.excinfo is not None and isinstance(call.excinfo.value, AllowedSkip)
    return bool(os.environ.get(REQUIRE_ALL_VARIABLE)) and not absent


@pytest.fixture(scope="session")
def outer_environment(pytestconfig: pytest.Config) -> dict[str, str]:
    """Return the original environment, for tools that keep their downloads below the user's home."""
    return pytestconfig.stash[_environment] | thread_limit()


@pytest.fixture(scope="session")
def _caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return names for folders, faster than ``mktemp``, which reads the names of all previous ones."""
    folder = tmp_path_factory.mktemp("caches")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _own_settings(_caches: Iterator[Path]) -> Iterator[None]:
    """Give every test an empty cache, and restore the settings after it."""
    before = asdict(settings)
    settings.cache_dir = next(_caches)
    settings.cache_dir.mkdir()
    yield
    for name, value in before.items():
        setattr(settings, name, value)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder with the photos for tests, or skip if it is missing."""
    named = os.environ.get(TEST_DATA_VARIABLE)
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        raise AllowedSkip(f"no photos at {folder}: name their folder in the environment variable {TEST_DATA_VARIABLE}")
    return folder


@pytest.fixture(scope="session")
def fruit_photos(test_data: Path) -> Path:
    """Return a folder of 45 photos in the subfolders ``apple``, ``banana`` and ``orange``."""
    return _there(test_data / "fruit")


@pytest.fixture(scope="session")
def fruit_test_photos(test_data: Path) -> list[Path]:
    """Return three more photos: an apple, a banana, an orange."""
    return sorted(_there(test_data / "fruit-test").glob("*.jpg"))


def has_memory() -> bool:
    """Return whether the files of a whole run fit into memory beside its processes."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return False
    return min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available // 2) >= LEAST_MEMORY


def thread_limit() -> dict[str, str]:
    """Return the variables that let this process and its children use one thread, if that is so."""
    return {name: os.environ[name] for name in ONE_THREAD if name in os.environ}


def _there(folder: Path) -> Path:
    """Return the folder, or skip if it is missing."""
    if not folder.is_dir():
        raise AllowedSkip(f"no photos at {folder}")
    return folder


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Yield the SQLAlchemy URL of a PostgreSQL server. Tests that write create their own schema in it."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(provision.postgres())
        except provision.Unavailable as reason:
            pytest.skip(str(reason))
        yield url
