"""Compute the embeddings of a project's images with several workers, and store them in the project's feature cache."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from customlabels_nb.core.issues import Issue
from customlabels_nb.errors import ModelError
from customlabels_nb.events import Events
from customlabels_nb.models.backbone import PACKAGED, Backbone
from customlabels_nb.models.embeddings import describe_features, embed
from customlabels_nb.models.feature_file import FeatureCache, feature_key, project_features
from customlabels_nb.workers.protocol import WorkerJob, readable_everywhere
from customlabels_nb.workers.spreading import FAILED, open_workers, process_tasks, worker_options

_CHUNK, _CHUNKS_A_WORKER = 500, 4
_ROW = np.dtype("<f2")


class _CollectedFeatures:
    """Features that :func:`customlabels_nb.models.embeddings.embed` adds, with their keys. Used like a FeatureCache."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.rows: list[npt.NDArray[np.floating]] = []

    def of(self, backbone: Backbone) -> _CollectedFeatures:
        return self

    def read(self, keys: Sequence[bytes | None], into: object) -> npt.NDArray[np.bool_]:
        return np.zeros(len(keys), dtype=np.bool_)

    def add(self, keys: Sequence[bytes], rows: npt.NDArray[np.floating]) -> None:
        self.keys += keys
        self.rows.append(rows)


def embed_with(
    images: Sequence[str],
    keys: Sequence[str | None],
    root: Path,
    *,
    model: str = PACKAGED,
    workers: int | None,
    backend: str | None,
    shared_filesystem: bool,
    events: Events,
) -> list[Issue]:
    """Store missing features, with workers or here, and return issues. Finished chunks are kept."""
    cache = project_features(root)
    if workers is None and backend is None:
        return embed(images, root=root, keys=keys, backbone=model, cache=cache, events=events).issues
    facts = describe_features(model)
    positions, _ = cache.of(facts).lookup([None if key is None else feature_key(key) for key in keys])
    missing, issues = np.flatnonzero(positions < 0).tolist(), list[Issue]()
    names: list[str] = [images[index] for index in missing]
    done = len(images) - len(missing)
    events.progress("features", done, len(images))
    if not names:
        return []
    job = WorkerJob(
        f"{__name__}:start_embedding",
        {"root": str(root.absolute()), "model": model, "features": facts.name},
        probes=[] if backend is None else readable_everywhere(names, root, shared_filesystem=shared_filesystem),
        options=worker_options(workers),
    )
    with closing(open_workers(job, workers, backend)) as opened:
        chunks = _chunks(names, min(_CHUNK, math.ceil(len(names) / (_CHUNKS_A_WORKER * opened.count))))
        split = lambda chunk: _chunks(chunk, math.ceil(len(chunk) / 2))  # noqa: E731
        for chunk, outcome in process_tasks(opened, chunks, encode=list, split=split, events=events):
            result = outcome.result or {"keys": [], "issues": [(FAILED, outcome.error, chunk[0])]}
            if result["keys"]:
                rows = np.frombuffer(base64.b64decode(result["rows"]), dtype=_ROW).reshape(-1, facts.features)
                cache.of(facts).add([bytes.fromhex(key) for key in result["keys"]], rows)
            issues.extend(Issue(code, message, where) for code, message, where in result["issues"])
            done += len(chunk)
            events.progress("features", done, len(images))
    return issues


def _chunks(names: list[str], size: int) -> list[list[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


def start_embedding(job: WorkerJob) -> Callable[[Any, Events], dict[str, Any]]:
    """Return the function that computes the features of a chunk in a worker."""
    root, model = Path(job.arguments["root"]), job.arguments["model"]
    if (found := describe_features(model).name) != job.arguments["features"]:
        raise ModelError(f"A worker has the weights {found!r} instead of {job.arguments['features']!r} for {model!r}.")

    def compute(task: list[str], events: Events) -> dict[str, Any]:
        collected = _CollectedFeatures()
        issues = embed(task, root=root, backbone=model, cache=cast(FeatureCache, collected)).issues
        with np.errstate(over="ignore"):
            rows = b"".join(rows.astype(_ROW).tobytes() for rows in collected.rows)
        return {
            "keys": [key.hex() for key in collected.keys],
            "rows": base64.b64encode(rows).decode("ascii"),
            "issues": [[issue.code, issue.message, issue.where] for issue in issues],
        }

    return compute
