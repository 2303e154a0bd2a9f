"""Both HTTP endpoints: detection with one and with eight clients, in large projects, and descriptions during training.

Clients of boto3 and of the Custom Vision SDK in threads of this process ask a server in another one, both on this
machine. Their own signing, encoding and parsing is part of each figure.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import psutil
from _measure import bound, figure, heading, seconds, start
from azure.cognitiveservices.vision.customvision.prediction import CustomVisionPredictionClient
from azure.cognitiveservices.vision.customvision.training import CustomVisionTrainingClient
from botocore.config import Config
from msrest.authentication import ApiKeyCredentials

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.inference.postprocess import Postprocessor
from customlabels_nb.project.model import Model
from customlabels_nb.store import Action

CLIENTS = 8
IMAGES = 160
ROUNDS = 3
SIZES = {"small": 100, "large": 100_000}
BUDGETS = {"circuit_boards": "30s", "rooms": None}


def main() -> None:
    """Measure, and print the figures."""
    start(__doc__, with_images=False)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        models = {}
        for name, budget in BUDGETS.items():
            project = cl.examples.create(name, root)
            models[name] = project.train("v1", budget=budget, progress=False)
        for name, count in SIZES.items():
            fill(cl.create_project(name, root), count, models["rooms"])
        with Server(root) as server:
            for name, model in models.items():
                measure(server, name, model)
                measure_custom_vision(server, name, model)
            compare_sizes(server, photos_of("rooms", models["rooms"]))
            describe(server, "rooms")


class Server:
    """``customlabels-nb serve`` in a process of its own."""

    def __init__(self, root: Path) -> None:
        command = [sys.executable, "-m", "customlabels_nb.cli", "serve", "--root", str(root), "--port", "0"]
        command += ["--key", "test:test", "--relaxed", "--bucket", f"outputs={root}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def __enter__(self) -> Server:
        assert self.process.stdout is not None
        found = None
        for line in self.process.stdout:
            found = found or re.search(r"URL_REKOGNITION=(\S+)", line)
            if "Access keys" in line:
                break
        assert found is not None
        self.url = found[1]
        self.client = self.new_client()
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait()

    def processor_seconds(self) -> float:
        """Return the processor time of the server so far."""
        return sum(psutil.Process(self.process.pid).cpu_times()[:2])

    def new_client(self) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        return boto3.client("rekognition", endpoint_url=self.url, config=Config(max_pool_connections=CLIENTS), **keys)

    def project(self, name: str) -> str:
        found = self.client.describe_projects(ProjectNames=[name])["ProjectDescriptions"]
        return str(found[0]["ProjectArn"])

    def wait(self, project: str, status: str) -> str:
        """Wait until the newest version has a status, and return its ARN."""
        while True:
            newest = self.client.describe_project_versions(ProjectArn=project)["ProjectVersionDescriptions"][0]
            if newest["Status"] == status:
                return str(newest["ProjectVersionArn"])
            time.sleep(0.1)


def photos_of(name: str, model: Model) -> list[Path]:
    """Return the photos of an example project, repeated."""
    paths = sorted((model.folder.parents[2] / f"{name}-photos").rglob("*.jpg"))
    return (paths * (IMAGES // len(paths) + 1))[:IMAGES]


def measure(server: Server, name: str, model: Model) -> None:
    """Compare requests with ``detect_many`` and its parts on the same photos."""
    project = server.project(name)
    arn = server.wait(project, "TRAINING_COMPLETED")
    chosen = photos_of(name, model)
    photos = [path.read_bytes() for path in chosen]
    many, decoding, forward, single = [], [], [], []
    with model.started("cpu"):
        model.detect_many(chosen[:16], progress=False)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            model.detect_many([str(path) for path in chosen], progress=False)
            many.append(IMAGES / (time.perf_counter() - began))
        predictor = model._running()
        processor = Postprocessor(predictor)
        for photo in photos[:40]:
            began = time.perf_counter()
            prepared = processor.prepare(photo, "photo")
            decoded = time.perf_counter()
            processor.ask([prepared])
            ended = time.perf_counter()
            model.detect(photo)
            decoding.append(decoded - began)
            forward.append(ended - decoded)
            single.append(time.perf_counter() - ended)
    server.client.start_project_version(ProjectVersionArn=arn, MinInferenceUnits=CLIENTS)
    server.wait(project, "RUNNING")
    clients = [server.new_client() for _ in range(CLIENTS)]

    def ask(number: int) -> float:
        began = time.perf_counter()
        image = {"Bytes": photos[number]}
        clients[number % CLIENTS].detect_custom_labels(ProjectVersionArn=arn, Image=image)
        return time.perf_counter() - began

    alone = [ask(number - number % CLIENTS) for number in range(60)][10:]
    nothing = []
    for _ in range(50):
        began = time.perf_counter()
        server.client.describe_projects(ProjectNames=["none"])
        nothing.append(time.perf_counter() - began)
    together = []
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(ROUNDS):
            began = time.perf_counter()
            list(pool.map(ask, range(IMAGES)))
            together.append(IMAGES / (time.perf_counter() - began))
    server.client.stop_project_version(ProjectVersionArn=arn)
    rate, idle = statistics.median(together), statistics.median(nothing)
    parts = statistics.median(decoding) + statistics.median(forward)
    heading(f"{name}: {processor.config.task}, {IMAGES} photos")
    figure("decoding + forward, a request that does nothing", f"{parts * 1e3:.1f} ms, {idle * 1e3:.1f} ms")
    figure("detect_many", f"{statistics.median(many):.1f} images/s")
    figure(f"{CLIENTS} clients", f"{rate:.1f} images/s")
    if processor.is_detector:
        bound("images/s over detect_many", rate / statistics.median(many), "x", at_least=0.8)
    else:
        bound("images/s × (detect + nothing)", rate * (statistics.median(single) + idle), "x", at_least=0.9)
    late = float(np.quantile(alone, 0.95))
    bound("one client, p95", late * 1e3, "ms", at_most=(1.3 * parts + 0.005) * 1e3)


def fill(project: cl.Project, count: int, model: Model) -> None:
    """Add labelled images without files to a project without a task, and a copy of a classifier."""
    names = [f"photos/{number}.jpg" for number in range(count)]
    images = t.normalise_images(pd.DataFrame({"image": names, "status": "labelled"}), split=t.TRAIN)
    annotations = t.normalise_annotations(pd.DataFrame({"image": names, "label": np.resize(model.labels, count)}))
    project._store.add_images(t.TRAIN, images, annotations, Action("import", "somebody"))
    model.copy_to(project, progress=False)
    project.close()


class VisionClient:
    """Client of the Custom Vision SDK for the newest iteration of a project, which it publishes."""

    def __init__(self, server: Server, name: str) -> None:
        keys = {"in_headers": {"Training-Key": "test", "Prediction-Key": "test"}}
        trainer = CustomVisionTrainingClient(server.url, ApiKeyCredentials(**keys))
        (project,) = (each for each in trainer.get_projects() if each.name == name)
        trainer.publish_iteration(project.id, trainer.get_iterations(project.id)[0].id, "live", "none", overwrite=True)
        self.is_detector = trainer.get_domain(project.settings.domain_id).type == "ObjectDetection"
        self.operation = "detect_image" if self.is_detector else "classify_image"
        self._ask = getattr(CustomVisionPredictionClient(server.url, ApiKeyCredentials(**keys)), self.operation)
        self._project = project.id

    def ask(self, photo: bytes) -> float:
        """Return the milliseconds that a prediction takes."""
        return seconds(lambda: self._ask(self._project, "live", photo)) * 1e3


def measure_custom_vision(server: Server, name: str, model: Model) -> None:
    """Compare requests of Custom Vision clients, which the server stores, with ``detect_many``, in turn."""
    chosen = photos_of(name, model)
    photos = [path.read_bytes() for path in chosen]
    clients = [VisionClient(server, name) for _ in range(CLIENTS)]

    def ask(number: int) -> None:
        clients[number % CLIENTS].ask(photos[number])

    many, together = [], []
    with model.started("cpu"), ThreadPoolExecutor(CLIENTS) as pool:
        model.detect_many(chosen[:16], progress=False)
        list(pool.map(ask, range(CLIENTS)))
        for _ in range(ROUNDS):
            began = time.perf_counter()
            model.detect_many([str(path) for path in chosen], progress=False)
            ended = time.perf_counter()
            list(pool.map(ask, range(IMAGES)))
            many.append(IMAGES / (ended - began))
            together.append(IMAGES / (time.perf_counter() - ended))
    ratio = statistics.median(ours / batch for ours, batch in zip(together, many, strict=True))
    rate = f"{statistics.median(together):.1f} images/s, detect_many {statistics.median(many):.1f}"
    figure(f"{CLIENTS} Custom Vision clients, {clients[0].operation}", f"{rate}, {ratio:.2f} ×")
    bound("Custom Vision: images/s over detect_many", ratio, "x", at_least=0.8)
    if not clients[0].is_detector:
        served, began = server.processor_seconds(), time.process_time()
        for photo in photos:
            clients[0].ask(photo)
        spent = server.processor_seconds() - served, time.process_time() - began
        with model.started("cpu"):
            began = time.process_time()
            model.detect_many([str(path) for path in chosen], progress=False)
            many_spent = time.process_time() - began
            processor = Postprocessor(model._running())
            began = time.process_time()
            for photo in photos:
                processor.ask([processor.prepare(photo, "photo")])
            parts = time.process_time() - began
        figures = [f"{1e3 * each / IMAGES:.1f} ms" for each in (*spent, parts, many_spent)]
        figure("processor time of an image: server, SDK, decoding and network alone, detect_many", ", ".join(figures))
        alone = [clients[0].ask(photo) for photo in photos[:60]][10:]
        bound("one Custom Vision client, median", statistics.median(alone), "ms", at_most=21)


def compare_sizes(server: Server, photos: Sequence[Path]) -> None:
    """Compare predictions in projects that have the same model, and few or many images."""
    small, large = (VisionClient(server, name) for name in SIZES)
    pairs = [(small.ask(photo), large.ask(photo)) for photo in (path.read_bytes() for path in photos[:60])][10:]
    few, many = (statistics.median(each) for each in zip(*pairs, strict=True))
    heading(f"one prediction in a project of {SIZES['large']:,} images, {many:.1f} ms")
    bound(f"over one in a project of {SIZES['small']}, {few:.1f} ms", many / few, "x", at_most=1.2)


def describe(server: Server, name: str) -> None:
    """Time descriptions while a model is trained."""
    project = server.project(name)
    output = {"S3Bucket": "outputs", "S3KeyPrefix": "out"}
    server.client.create_project_version(ProjectArn=project, VersionName="v2", OutputConfig=output)
    seconds, status = [], "TRAINING_IN_PROGRESS"
    while status == "TRAINING_IN_PROGRESS":
        began = time.perf_counter()
        newest = server.client.describe_project_versions(ProjectArn=project)["ProjectVersionDescriptions"][0]
        seconds.append(time.perf_counter() - began)
        status = newest["Status"]
        time.sleep(0.02)
    heading(f"{len(seconds)} descriptions until {status}")
    bound("DescribeProjectVersions, p95", float(np.quantile(seconds, 0.95)) * 1e3, "ms", at_most=100)


if __name__ == "__main__":
    main()
