"""Server in a process of its own, which tests kill."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.conftest import ROOT
from tests.waiting import wait_until


class ServerProcess:
    """``customlabels-nb serve`` with the key test:test and a bucket "photos", as a ``with`` block."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.root, self.photos = folder / "root", folder / "photos"
        for each in (self.root, self.photos):
            each.mkdir(exist_ok=True)
        self.options = options

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def start(self) -> None:
        """Start the server, and wait until it has printed its URL."""
        command = [
            sys.executable, "-m", "customlabels_nb.cli", "serve", "--root", str(self.root), "--port", "0",
            "--key", "test:test", "--bucket", f"photos={self.photos}", *self.options,
        ]  # fmt: skip
        environment = {**os.environ, "CUSTOMLABELS_NB_THREADS": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        assert self.process.stdout is not None
        text = ""
        while "Access keys" not in text:
            line = self.process.stdout.readline()
            assert line, "The server has ended."
            text += line
        found = re.search(r"AWS_ENDPOINT_URL_REKOGNITION=(\S+)", text)
        assert found is not None
        self.url = found[1]
        self.client = self.new_client(retries={"total_max_attempts": 1})

    def new_client(self, **config: Any) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        settings = Config(connect_timeout=10, read_timeout=60, **config)
        return boto3.client("rekognition", endpoint_url=self.url, config=settings, **keys)

    def kill(self) -> None:
        """Kill the server, without any of its children."""
        self.process.kill()
        self.process.wait(20)

    def version(self, project: str, name: str) -> dict[str, Any]:
        request = {"ProjectArn": project, "VersionNames": [name]}
        (found,) = self.client.describe_project_versions(**request)["ProjectVersionDescriptions"]
        return dict(found)

    def settle(self, project: str, name: str, seconds: float = 300) -> dict[str, Any]:
        """Wait until the version has a status that stays."""
        busy = ("TRAINING_IN_PROGRESS", "COPYING_IN_PROGRESS", "STARTING", "STOPPING")
        wait_until(lambda: self.version(project, name)["Status"] not in busy, seconds)
        return self.version(project, name)

    def dataset(self, project: str, lines: list[str]) -> dict[str, Any]:
        """Create the training set of manifest lines, and wait for it."""
        (self.photos / "train.manifest").write_text("".join(f"{line}\n" for line in lines))
        source = {"GroundTruthManifest": {"S3Object": {"Bucket": "photos", "Name": "train.manifest"}}}
        request = {"ProjectArn": project, "DatasetType": "TRAIN", "DatasetSource": source}
        arn = self.client.create_dataset(**request)["DatasetArn"]
        wait_until(lambda: not self.status(arn)["Status"].endswith("IN_PROGRESS"))
        return self.status(arn)

    def status(self, dataset: str) -> dict[str, Any]:
        return dict(self.client.describe_dataset(DatasetArn=dataset)["DatasetDescription"])
