"""Fixtures of the browser tests: one server and one Chromium for the run, a new or cleared page for each test."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import provision
from tests.browser.jupyter import Lab, Server, launch, serve
from tests.browser.waiting import PATIENCE

# conditions that already hold return immediately, and others may take a while on a busy machine
expect.set_options(timeout=1000 * PATIENCE)

_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the fixtures if the test failed."""
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


@pytest.fixture(scope="session")
def jupyter_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield one Jupyter server for all tests."""
    with serve(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Yield one Chromium for all tests, which are skipped without one."""
    try:
        program = provision.find_chromium()
    except provision.Unavailable as reason:
        pytest.fail(str(reason), pytrace=False)
    if program is None:
        pytest.skip("no Chromium: `python -m tests` installs one")
    with sync_playwright() as playwright:
        chromium = launch(playwright, program)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def spare() -> list[Page]:
    """Return the list of the page that the last test left, which is cleared, or nothing."""
    return []


@pytest.fixture
def lab(request: pytest.FixtureRequest, jupyter_server: Server, browser: Browser, spare: list[Page]) -> Iterator[Lab]:
    """Yield an object that opens notebooks. Parametrize it indirectly with `FLAVOURS` to test Notebook 7 too."""
    flavour = getattr(request, "param", "lab")
    lab = Lab(jupyter_server, browser, flavour, f"{request.node.path.stem}-{request.node.name}", spare)
    yield lab
    failed = request.node.stash.get(_failed, False)
    if failed:
        lab.keep_evidence()
    lab.close(passed=not failed)
