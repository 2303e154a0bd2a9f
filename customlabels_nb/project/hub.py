"""Upload model versions to the Hugging Face Hub, and download models from it.

Only the config, the weights and the model card are uploaded, so images, datasets and predictions stay on this machine.
Only config and weights are downloaded. The client of the Hub finds the user's token, which is neither read nor stored
here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from customlabels_nb._utils.progress_bars import say
from customlabels_nb._utils.text import one_line
from customlabels_nb.core.tables import BOXES, POLYGONS
from customlabels_nb.errors import ArtifactError, InputError, ModelError, NotAllowedError, WeightsUnavailableError
from customlabels_nb.models.artifact import CONFIG, WEIGHTS, ModelConfig, load_config
from customlabels_nb.models.pretrained.weights import HUB, download_files, hub_reason, parse_hub_name
from customlabels_nb.project.model_card import METRICS, USE, Block, Code, ModelCard, Text, is_number, to_markdown
from customlabels_nb.store import VersionRecord
from customlabels_nb.user_settings import settings

_README = "README.md"
_LIBRARY = "customlabels-nb"
_PIPELINES = {BOXES: "object-detection", POLYGONS: "image-segmentation"}


def upload_version(
    folder: Path, record: VersionRecord, card: ModelCard, project: str, repo: str, *, private: bool, dry_run: bool
) -> pd.DataFrame:
    repository, revision = parse_hub_name(repo) if isinstance(repo, str) else ("", None)
    if revision is not None or not repository:
        raise InputError(f"repo={repo!r} must have the form 'user/name'. Uploads go to the branch main.")
    if not settings.network and not dry_run:
        raise NotAllowedError(f"{repository} cannot be uploaded, because settings.network is False.")
    files: dict[str, bytes | Path] = {name: folder / name for name in (CONFIG, WEIGHTS) if (folder / name).is_file()}
    files[_README] = _readme(load_config(folder), record, card, project, repository).encode()
    sizes = [len(data) if isinstance(data, bytes) else data.stat().st_size for data in files.values()]
    table = pd.DataFrame({"file": list(files), "bytes": sizes})
    if dry_run:
        return table
    say(f"Uploading to {repository} on the Hugging Face Hub ({'private' if private else 'public'}):")
    for name, size in zip(files, sizes, strict=True):
        say(f"  {name}: {size:,} bytes")
    commit = _commit(repository, files, f"Upload {record.name}", private=private)
    say(f"Uploaded: {commit.commit_url}. Load it with cl.load_model({f'{HUB}{repository}@{commit.oid}'!r}).")
    return table


def _commit(repository: str, files: Mapping[str, bytes | Path], message: str, *, private: bool) -> Any:
    """Upload files to a repository, which is created if it does not exist, and return the commit.

    Raises NotAllowedError instead if the files are to be private and the repository is public.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(library_name=_LIBRARY)
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        if not private or api.repo_info(repository).private:
            operations = [CommitOperationAdd(name, data) for name, data in files.items()]
            return api.create_commit(repository, operations, commit_message=message)
    except Exception as error:  # also those of the HTTP library, which differs by version
        raise ModelError(f"{repository} cannot be uploaded to the Hugging Face Hub: {hub_reason(error)}.") from error
    raise NotAllowedError(
        f"The repository {repository} exists and is public. Nothing was uploaded. Pass private=False if everyone "
        "may download the model."
    )


def download_model(name: str) -> tuple[Path, str]:
    """Download config and weights of ``"hf://user/name@revision"``, or use earlier ones, and name the folder."""
    repository, revision = parse_hub_name(name)
    try:
        folder = download_files(repository, revision, [CONFIG], network=settings.network)
        config = load_config(folder)  # before the weights, which may be large
        download_files(repository, folder.name, [CONFIG, WEIGHTS], network=settings.network)
        if config.zero_shot is None and not (folder / WEIGHTS).is_file():
            raise ArtifactError(f"{WEIGHTS} is missing.")
    except ArtifactError as error:
        raise ArtifactError(f"{name!r} contains no model of customlabels_nb: {error}") from error
    except Exception as error:  # also those of the HTTP library, which differs by version
        raise WeightsUnavailableError(
            f"{name!r} cannot be downloaded from the Hugging Face Hub: {hub_reason(error)}. Without a network, copy "
            "the folder of the model to this computer and pass its path."
        ) from error
    return folder, repository.rpartition("/")[2]


def _readme(config: ModelConfig, record: VersionRecord, card: ModelCard, project: str, repository: str) -> str:
    """Return the model card with the Hub's metadata, and how to load the model from the repository."""
    pipeline = _PIPELINES.get(config.task, "image-classification")
    metrics = [
        {"type": name, "name": words, "value": round(float(record.metrics[name]), 4)}
        for name, words in METRICS.items()
        if is_number(record.metrics.get(name))
    ]
    facts: dict[str, Any] = {"library_name": _LIBRARY, "pipeline_tag": pipeline, "tags": [_LIBRARY, config.task]}
    if "license" in record.tags:
        facts["license"] = one_line(record.tags["license"])
    if metrics:
        data = {"type": _LIBRARY, "name": f"Test images of {project}"}
        result = {"task": {"type": pipeline}, "dataset": data, "metrics": metrics}
        facts["model-index"] = [{"name": record.name, "results": [result]}]
    usage: list[Block] = [
        USE,
        Code(
            "import customlabels_nb as cl  # pip install customlabels-nb\n\n"
            f'model = cl.load_model("{HUB}{repository}")\n'
            "with model.started():\n"
            '    found = model.detect("new.jpg")'
        ),
        Text("found.table has a row for each predicted label, with its confidence between 0 and 1."),
    ]
    blocks = [*takewhile(lambda block: block != USE, card.blocks), *usage]
    metadata = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=math.inf)
    return f"---\n{metadata}---\n\n{to_markdown(blocks)}"
