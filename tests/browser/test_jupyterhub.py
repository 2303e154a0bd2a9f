"""Tests of labelling jobs behind a real JupyterHub: users' servers and a service, each under the user's name."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, expect

from tests import provision
from tests.browser.job_pages import COMMAND, COUNTED, HELD, TWICE, JobPage, JobProject, environment
from tests.browser.jupyter import free_port
from tests.browser.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.storing]
PASSWORD = "leaves"
CONFIG = """
import json
c = get_config()
given = json.loads({given!r})
c.JupyterHub.bind_url, c.JupyterHub.hub_bind_url = given["url"], given["hub"]
c.ConfigurableHTTPProxy.api_url, c.ConfigurableHTTPProxy.command = given["proxy"], given["proxy_command"]
c.JupyterHub.authenticator_class, c.JupyterHub.spawner_class = "dummy", "simple"
c.DummyAuthenticator.password, c.Authenticator.allow_all = given["password"], True
c.SimpleLocalProcessSpawner.home_dir_template = given["folder"] + "/users/{{username}}"
c.Spawner.cmd, c.Spawner.environment = given["command"], given["environment"]
c.Spawner.http_timeout = c.Spawner.start_timeout = {seconds}
c.JupyterHub.log_level = "WARN"
service = dict(name="labelling", url=given["service"], command=given["command"], environment=given["environment"])
service["timeout"] = {seconds}
c.JupyterHub.services = [service | dict(oauth_no_confirm=True)]
c.JupyterHub.load_roles = [dict(name="user", scopes=["self", "access:services!service=labelling"])]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> JobProject:
    """Return a project with a job in which two people label each image."""
    return JobProject(tmp_path_factory.mktemp("class"), count=30, annotators=2)


@pytest.fixture(scope="module")
def hub(project: JobProject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Run a JupyterHub here whose servers and service are the page of the job, and yield its URL and its log."""
    proxy = provision.find_proxy()
    if proxy is None:
        pytest.skip("no configurable-http-proxy: `python -m tests` installs one")
    folder = tmp_path_factory.mktemp("hub")
    env = environment(folder)
    urls = {name: f"http://127.0.0.1:{free_port()}" for name in ("url", "hub", "proxy", "service")}
    given = urls | {
        "folder": str(folder), "password": PASSWORD, "proxy_command": proxy,
        "command": [*COMMAND, "leaves-1", "--project", str(project.root)],
        "environment": {name: env[name] for name in ("TMPDIR", "CUSTOMLABELS_NB_CACHE") if name in env},
    }  # fmt: skip
    config = folder / "jupyterhub_config.py"
    config.write_text(CONFIG.format(given=json.dumps(given), seconds=PATIENCE), encoding="utf-8")
    command = [COMMAND[0], "-m", "jupyterhub", "-f", str(config)]
    with (folder / "hub.log").open("wb") as log:
        process = psutil.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for(urls["url"] + "/hub/health", process, folder / "hub.log")
        yield urls["url"], folder / "hub.log"
    finally:
        kill(process)


def kill(process: psutil.Popen) -> None:
    """Kill the hub, then its proxy, its service, the users' servers and their kernels."""
    family = [process, *process.children(recursive=True)]
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(family, timeout=10)


def wait_for(url: str, process: psutil.Popen, log: Path) -> None:
    """Wait until a URL responds."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=10).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    pytest.fail(f"JupyterHub did not start: {log.read_text('utf-8', 'replace')[-3000:]}")


@pytest.fixture
def log_in(hub: tuple[str, Path], project: JobProject, browser: Browser) -> Iterator[Callable[..., JobPage]]:
    """Yield a function that logs a user in, in a browser of their own, which then shows a page of the hub."""
    pages: list[JobPage] = []
    url, log = hub

    def log_in(user: str, place: str = "/hub/spawn") -> JobPage:
        page = JobPage(browser.new_context(viewport={"width": 1000, "height": 800}).new_page())
        pages.append(page)
        page.page.goto(f"{url}/hub/login?next={place}")
        page.page.locator("input[name=username]").fill(user)
        page.page.locator("input[name=password]").fill(PASSWORD)
        page.page.locator("input[name=password]").press("Enter", no_wait_after=True)
        return page

    yield log_in
    print(log.read_text("utf-8", "replace")[-3000:])  # shown if the test failed
    for page in pages:
        if not page.page.is_closed():
            page.page.close(run_before_unload=True)
    project.expect_rows(HELD, wanted=[0])
    for page in pages:
        page.page.context.close()
        assert page.errors == []


def test_three_users_label_one_job_at_once(project: JobProject, log_in: Callable[..., JobPage]) -> None:
    users = ("anna", "ben", "carl")
    pages = {user: log_in(user) for user in users}
    for user, page in pages.items():
        page.ready()
        expect(page.page).to_have_title("leaves-1")
        assert page.question.count() == 0, f"{user} is asked for a name that the hub knows"
    held = "SELECT holder, count(*) FROM job_slots WHERE state = 'held' GROUP BY holder"
    assert dict(project.rows(held)) == dict.fromkeys(users, 10)
    tasks = "SELECT t.image FROM job_tasks t JOIN job_slots s ON s.task = t.id WHERE s.state = 'held' AND s.holder = ?"
    for user, page in pages.items():
        assert set(page.names()) == project.names(tasks, user)

    for number in range(8):  # in turns, without waiting for each other
        for page in pages.values():
            page.press("123"[number % 3])
    for page in pages.values():
        page.expect_saved()
    answers = "SELECT who, count(*) FROM job_answers WHERE counted = 1 GROUP BY who"
    assert dict(project.rows(answers)) == dict.fromkeys(users, 8)
    assert project.rows(COUNTED) == [2]  # people start with the same images
    assert project.rows(TWICE) == [0]

    # a closed browser gives its tasks back, while the others continue
    pages["ben"].page.close(run_before_unload=True)
    project.expect_rows("SELECT count(*) FROM job_slots WHERE holder = 'ben' AND state = 'held'", wanted=[0])
    for user in ("anna", "carl"):
        pages[user].press("1", "2")
        pages[user].expect_saved()
    assert dict(project.rows(answers)) == {"anna": 10, "ben": 8, "carl": 10}
    assert set(dict(project.rows(held))) == {"anna", "carl"}
    assert (project.rows(COUNTED), project.rows(TWICE)) == ([2], [0])


def test_a_service_of_the_hub_knows_its_users(project: JobProject, log_in: Callable[..., JobPage]) -> None:
    page = log_in("dora", "/services/labelling/")
    page.ready().press("1")
    page.expect_saved()
    assert page.question.count() == 0
    assert project.rows("SELECT count(*) FROM job_answers WHERE counted = 1 AND who = 'dora'") == [1]
    assert project.rows(COUNTED)[0] <= 2
