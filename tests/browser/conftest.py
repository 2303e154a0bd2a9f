"""Fixtures of the browser tests: one server and one Chromium for the run, fresh pages for each test."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests import provision
from tests.browser.jupyter import BROWSER_FLAGS, Lab, Server, serve

# what is there already is seen at once; on a machine that has much to do, what is still to come may take a while
expect.set_options(timeout=20_000)

_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the fixtures know whether the test failed."""
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


@pytest.fixture(scope="session")
def jupyter_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One Jupyter server for all tests."""
    with serve(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; they skip where there is none."""
    try:
        program = provision.find_chromium()
    except provision.Unavailable as reason:
        pytest.fail(str(reason), pytrace=False)
    if program is None:
        pytest.skip("no Chromium: `python -m tests` installs one")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def lab(request: pytest.FixtureRequest, jupyter_server: Server, browser: Browser) -> Iterator[Lab]:
    """Opens notebooks: ``lab.open(...)``; parametrize it indirectly with `FLAVOURS` to test Notebook 7, too."""
    flavour = getattr(request, "param", "lab")
    lab = Lab(jupyter_server, browser, flavour, f"{request.node.path.stem}-{request.node.name}")
    yield lab
    if request.node.stash.get(_failed, False):
        lab.keep_evidence()
    lab.close()
