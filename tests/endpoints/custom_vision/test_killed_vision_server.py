"""Tests of a server that is killed while a program trains, publishes and adds images."""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from customlabels_nb.endpoints.served_versions import facts_of
from customlabels_nb.project.location import open_project_store
from tests.endpoints.custom_vision.vision_service import picture
from tests.endpoints.rekognition.server_process import ServerProcess
from tests.waiting import wait_until


class Program:
    """Client of a server process that is started again at another address."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server

    def call(self, method: str, path: str, **more: Any) -> Any:
        url = f"{self.server.url}/customvision/v3.3/training/{path}"
        answer = requests.request(method, url, headers={"Training-Key": "test"}, timeout=60, **more)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def status(self, path: str) -> str:
        return str(self.call("GET", path)["status"])

    def settled(self, path: str, seconds: float = 300) -> str:
        wait_until(lambda: self.status(path) != "Training", seconds)
        return self.status(path)


def kill_during(server: ServerProcess, work: Any, seconds: float) -> None:
    """Kill the server while a thread repeats some work, until that fails, and start it again."""

    def repeat() -> None:
        with suppress(requests.RequestException):
            while True:
                work()

    thread = threading.Thread(target=repeat)
    thread.start()
    time.sleep(seconds)
    server.kill()
    thread.join()
    server.start()


def process_of(server: ServerProcess, version: str) -> int | None:
    """Return the id of the process that trains a version of the project "rooms", if it has begun."""
    with closing(open_project_store(server.root / "rooms")) as store:
        process = facts_of(store, version).get("process")
    return None if process is None else int(process[0])


@pytest.mark.thorough
def test_restarted_server_reports_true_statuses_of_iterations(tmp_path: Path) -> None:
    chosen = random.Random(5)
    with ServerProcess(tmp_path) as server:
        program = Program(server)
        project = f"projects/{program.call('POST', 'projects?name=rooms&classificationType=Multiclass')['id']}"
        tags = [program.call("POST", f"{project}/tags?name={name}")["id"] for name in ("red", "blue")]
        sent: list[str] = []
        numbers = iter(range(10_000))

        def add() -> None:
            number = next(numbers)
            data = picture(["red", "blue"][number % 2], number)
            answer = program.call("POST", f"{project}/images?tagIds={tags[number % 2]}", data=data)
            sent.append(answer["images"][0]["image"]["id"])

        for _ in range(12):
            add()
        # while images are added: those that were answered are there
        kill_during(server, add, chosen.uniform(0.2, 1))
        known = {image["id"] for image in program.call("GET", f"{project}/images?take=256")}
        assert known >= set(sent)
        assert len(known) <= len(sent) + 1

        # after a training was accepted: its process goes on, or the next server begins it
        first = f"{project}/iterations/{program.call('POST', f'{project}/train')['id']}"
        time.sleep(chosen.uniform(0, 2))
        server.kill()
        server.start()
        assert program.settled(first) == "Completed"

        # in a training whose process is killed as well
        second = f"{project}/iterations/{program.call('POST', f'{project}/train?forceTrain=true')['id']}"
        wait_until(lambda: process_of(server, "Iteration 2") is not None)
        child = psutil.Process(process_of(server, "Iteration 2"))
        child.suspend()  # or it would be done before the server is killed
        server.kill()
        child.kill()
        wait_until(lambda: not psutil.pid_exists(child.pid) or child.status() == psutil.STATUS_ZOMBIE)
        server.start()
        assert program.settled(second) == "Failed"

        # while an iteration is published and unpublished
        done: list[str | None] = [None]

        def publish() -> None:
            if done[-1] is None:
                program.call("POST", f"{first}/publish?publishName=model&predictionId=x")
            else:
                program.call("DELETE", f"{first}/publish")
            done.append("model" if done[-1] is None else None)

        kill_during(server, publish, chosen.uniform(0.2, 1))
        found = program.call("GET", first)
        assert found["status"] == "Completed"
        assert found["publishName"] in (None, "model")  # the last request may have been cut off
        assert len(done) > 1
        change = (
            ("DELETE", f"{first}/publish")
            if found["publishName"]
            else ("POST", f"{first}/publish?publishName=model&predictionId=x")
        )
        program.call(*change)
        assert (program.call("GET", first)["publishName"] is None) == (found["publishName"] is not None)
