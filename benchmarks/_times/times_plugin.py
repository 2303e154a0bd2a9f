"""Record the duration of each test and fixture, as a plugin of pytest beside ``sitecustomize.py``."""

from __future__ import annotations

import os
import time
from collections.abc import Generator

import pytest
import sitecustomize


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    """Record how long a fixture takes, without the fixtures that it asks for."""
    start = time.perf_counter()
    result = yield
    sitecustomize.record(f"fixture {fixturedef.argname}", time.perf_counter() - start)
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record a part of a test, in the process that ran it."""
    if "PYTEST_XDIST_WORKER" in os.environ or not hasattr(report, "node"):
        sitecustomize.record(f"{report.when} {report.nodeid}", report.duration)
