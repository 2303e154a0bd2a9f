"""Tests of the server of ``customlabels-nb label``: a visitor reaches no kernel of another one."""

from __future__ import annotations

import asyncio
import re
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import psutil
import pytest

import customlabels_nb as cl
from customlabels_nb.user_settings import settings
from tests.browser.job_pages import COMMAND, JobProject, environment
from tests.browser.jupyter import free_port, stop


def test_visitors_reach_only_the_kernels_of_their_own_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "user", "teacher")
    project = JobProject(tmp_path, members=["anna", "ben"])
    command = [*COMMAND, "leaves-1", "--project", str(project.root), "--port", str(free_port())]
    with (tmp_path / "server.log").open("wb") as log:
        server = psutil.Popen(
            command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert server.stdout is not None
        link = server.stdout.readline().split()[0]
        with closing(cl.load_project(project.root)) as opened:  # links need the address of the running page
            links = opened.jobs["leaves-1"].invite("ben")["link"]
        asyncio.run(visit(link.partition("?")[0], _token(link), _token(links[0])))
    finally:
        stop(server)
    log_lines = (tmp_path / "server.log").read_text("utf-8").splitlines()
    # the visitor stops a kernel that may still be opening the page, which logs that it was interrupted
    assert [line for line in log_lines if "KeyboardInterrupt caught in kernel" not in line] == []


def _token(link: str) -> str:
    return parse_qs(urlsplit(link).query)["token"][0]


async def visit(page: str, common: str, personal: str) -> None:
    """Open a page, then request its kernel as other visitors, without any link, and as its own visitor."""
    async with (
        visitor(common) as own, visitor(common) as other, visitor(personal) as ben, visitor() as stranger,
        own.get(page) as response,
    ):  # fmt: skip
        html = ""
        while (found := re.search(r'"kernelId": "([\w-]+)"', html)) is None:
            html += (await response.content.readany()).decode()
            assert not response.content.at_eof()
        for someone in (other, ben, stranger):
            assert await statuses(someone, page, found[1]) == [403] * 4
        assert await statuses(own, page, "0-0-0-0-0") == [403] * 4  # is like the kernel of another visitor
        assert await statuses(own, page, found[1]) == [200, 101, 204, 404]


def visitor(token: str | None = None) -> aiohttp.ClientSession:
    """Return a browser with its own cookies."""
    headers = {} if token is None else {"Authorization": f"token {token}"}
    return aiohttp.ClientSession(headers=headers, cookie_jar=aiohttp.CookieJar(unsafe=True))


async def statuses(browser: aiohttp.ClientSession, page: str, kernel: str) -> list[int]:
    """Return the statuses of requests that read, use and stop a kernel."""
    model, found = f"{page.rstrip('/')}/api/kernels/{kernel}", []
    async with browser.get(model) as response:
        found.append(response.status)
    try:
        async with browser.ws_connect(f"{model}/channels".replace("http:", "ws:")):
            found.append(101)
    except aiohttp.WSServerHandshakeError as error:
        found.append(error.status)
    async with browser.post(f"{page.rstrip('/')}/voila/api/shutdown/{kernel}") as response:
        found.append(response.status)
    async with browser.delete(model) as response:
        found.append(response.status)
    return found
