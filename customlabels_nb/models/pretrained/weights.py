"""Weights of pretrained models: in the Hugging Face Hub's cache or a local folder, and their download.

Only safetensors and JSON files are downloaded and read, and code in a repository is never run. Files in the Hub's cache
are compared with their checksums when they are used, and downloaded again if they are damaged.
"""

from __future__ import annotations

import difflib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customlabels_nb._utils.progress_bars import say
from customlabels_nb._utils.text import first_line
from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb.errors import InputError, ModelError, WeightsUnavailableError
from customlabels_nb.models.detector_shape import TRANSFORMERS_DETECTORS
from customlabels_nb.models.weights_file import damaged_files, read_regular, sha256_of
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    import pandas as pd

#: Beginning of the names of repositories on the Hugging Face Hub.
HUB = "hf://"
_FILES = ("config.json", "model.safetensors")
_PATTERNS = ["*.json", "*.txt", "*.safetensors"]  # configuration, vocabulary, weights
_MEGA = 10**6
_MOST_SECONDS = 3.0  # until the Hub answers
_MOST_JSON_BYTES = 1 << 24


@dataclass(frozen=True)
class KnownModel:
    """Model that has a short name here: its repository, the size of its weights in MB, licence and purpose."""

    repository: str
    megabytes: int
    licence: str
    purpose: str


KNOWN_MODELS = {
    "sam2": KnownModel("facebook/sam2.1-hiera-tiny", 156, "Apache-2.0", "outlines from clicks and boxes"),
    "siglip2": KnownModel("google/siglip2-base-patch32-256", 1510, "Apache-2.0", "search and labels by a description"),
    "owlv2": KnownModel("google/owlv2-base-patch16-ensemble", 620, "Apache-2.0", "boxes by a description"),
    "mm-grounding-dino-tiny": KnownModel(
        "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det", 690, "Apache-2.0", "boxes by a description"
    ),
    **{
        name: KnownModel(facts.repository, round(facts.megabytes), facts.licence, "detector to train")
        for name, facts in TRANSFORMERS_DETECTORS.items()
    },
}


@dataclass(frozen=True)
class Weights:
    """Weights on this machine, with ``config.json`` and ``model.safetensors`` in ``folder``.

    ``name`` is that of the repository or folder. ``revision`` is a commit, or the SHA-256 of local weights.
    """

    name: str
    folder: Path
    revision: str
    licence: str = ""

    def config(self, *types: str) -> dict[str, Any]:
        config = self.read_json("config.json")
        found = config.get("model_type")
        if found not in types:
            code = " and code, which is never run" if "auto_map" in config else ""
            raise ModelError(
                f"{str(self.folder)!r} contains a model of the type {found!r}{code}. "
                f"The type must be {' or '.join(map(repr, types))}."
            )
        return config

    def read_json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            content = json.loads(read_regular(path, _MOST_JSON_BYTES))
            if not isinstance(content, dict):
                raise ValueError("it is not a JSON object")
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"{str(path)!r} cannot be read: {first_line(error)}.") from error
        return content


def find_weights(name: str, revision: str | None = None) -> Weights | None:
    """Find weights on this machine without using the network, or return None.

    The name is one of :data:`KNOWN_MODELS` or ``"hf://user/name"``, perhaps with ``@revision``, or a folder.
    """
    from huggingface_hub import snapshot_download

    repository, revision = _parse(name, revision)
    if repository is None:
        folder = Path(name).expanduser()
        missing = [file for file in _FILES if not (folder / file).is_file()]
        if missing:
            raise InputError(f"The folder {name!r} lacks {' and '.join(missing)}.")
        return Weights(folder.resolve().name, folder, sha256_of(folder / _FILES[1]))
    try:
        folder = Path(snapshot_download(repository, revision=revision, local_files_only=True, allow_patterns=_PATTERNS))
    except (OSError, ValueError):  # also an incomplete download
        return None
    if not all((folder / file).is_file() for file in _FILES):
        return None
    model = KNOWN_MODELS.get(name.partition("@")[0])
    return Weights(repository.rpartition("/")[2], folder, folder.name, model.licence if model else "")


def get_weights(name: str, revision: str | None = None, *, download: bool = True) -> Weights:
    """Find weights on this machine, or download them, also if a file is damaged."""
    found = find_weights(name, revision)
    repository, revision = _parse(name, revision)
    damaged = [] if found is None or repository is None else damaged_files(found.folder)
    if found is not None and not damaged:
        return found
    if not settings.network or not download:
        reason = f"{str(found.folder / damaged[0])!r} is damaged" if found else "they are not on this machine"
        raise _unavailable(name, f"{reason}{'' if settings.network else ', and settings.network is False'}")
    try:
        download_files(str(repository), found.revision if found else revision, _PATTERNS)
    except Exception as error:  # also those of the HTTP library, which differs by version
        reason = f"{repository} cannot be downloaded from the Hugging Face Hub: {hub_reason(error)}"
        raise _unavailable(name, reason) from error
    found = find_weights(name, revision)
    if found is None:
        raise _unavailable(name, f"{repository} has no {' and '.join(_FILES)}")
    return found


def download_files(repository: str, revision: str | None, patterns: list[str], *, network: bool = True) -> Path:
    """Download files that the Hub's cache lacks, and once more those that are damaged there, and name their folder."""
    from huggingface_hub import snapshot_download

    failure = _why_unreachable() if network else None
    options: dict[str, Any] = {"allow_patterns": patterns, "local_files_only": not network or failure is not None}
    try:
        folder = Path(snapshot_download(repository, revision=revision, **options))
    except FileNotFoundError:
        if failure is None:
            raise
        raise failure from None
    network = network and failure is None
    if network and (damaged := damaged_files(folder)):
        snapshot_download(repository, revision=folder.name, allow_patterns=damaged, force_download=True)
    for name in damaged_files(folder):
        raise OSError(f"{name!r} is damaged{', and so was its download' if network else ''}, in {str(folder)!r}")
    return folder


def _why_unreachable() -> Exception | None:
    """Return the error of a request to the Hub, whose library would try again for 23 seconds before it fails."""
    from huggingface_hub import constants, get_session

    try:
        if not constants.HF_HUB_OFFLINE:
            get_session().head(constants.ENDPOINT, timeout=_MOST_SECONDS)
    except Exception as error:  # also those of the HTTP library, which differs by version
        return error
    return None


def absolute_name(name: str) -> str:
    """Return a name that means the same in every folder and process: a folder as an absolute path."""
    folder = os.path.expanduser(name)
    return os.path.abspath(folder) if os.path.isdir(folder) and name not in KNOWN_MODELS else name


def describe_download(name: str) -> str:
    """Return the repository, size and licence of a model, to show while it is downloaded."""
    model = KNOWN_MODELS.get(name.partition("@")[0])
    return f"{model.repository}, {model.megabytes} MB, {model.licence}" if model else name


def licence_of(name: str) -> str:
    """Return the licence of the weights with this :attr:`Weights.name`, or an empty string if it is unknown."""
    return next((model.licence for model in KNOWN_MODELS.values() if model.repository.endswith(f"/{name}")), "")


@names_arguments
def fetch_weights(*names: str, revision: str | None = None) -> pd.DataFrame:
    """Download pretrained models for later use without a network. Models on this machine are only listed.

    Parameters
    ----------
    *names : str
        "sam2", "siglip2", "owlv2", "mm-grounding-dino-tiny", a detector such as "dfine-small", see
        :func:`customlabels_nb.detectors`, or ``"hf://user/name@revision"``.
    revision : str, optional
        Branch, tag or commit to use instead of the newest.

    Returns
    -------
    DataFrame
        Columns model, repository, revision, megabytes, licence and folder.

    Raises
    ------
    InputError
        If no name is given, or one is unknown.
    WeightsUnavailableError
        If a model cannot be downloaded.

    Examples
    --------
    >>> cl.fetch_weights("sam2")  # doctest: +SKIP
    """
    import pandas as pd

    if not names:
        raise InputError(f"Name the models to download: {', '.join(KNOWN_MODELS)}.")
    rows = []
    for name in names:
        if find_weights(name, revision) is None and settings.network:
            say(f"Downloading {describe_download(name)} …")
        found = get_weights(name, revision)
        size = sum(path.stat().st_size for path in found.folder.iterdir() if path.is_file())
        repository = _parse(name)[0] or ""
        rows.append([name, repository, found.revision, round(size / _MEGA, 1), found.licence, str(found.folder)])
    return pd.DataFrame(rows, columns=["model", "repository", "revision", "megabytes", "licence", "folder"])


def _parse(name: str, revision: str | None = None) -> tuple[str | None, str | None]:
    """Return the repository and the revision, or (None, None) for a folder."""
    short, _, tag = name.partition("@")
    if short in KNOWN_MODELS:
        return KNOWN_MODELS[short].repository, tag or revision
    if name.startswith(HUB):
        repository, named = parse_hub_name(name)
        return repository, named or revision
    if os.path.isdir(os.path.expanduser(name)):
        return None, None
    near = difflib.get_close_matches(name, KNOWN_MODELS, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"The model {name!r} is neither a folder nor one of {', '.join(map(repr, KNOWN_MODELS))}.{hint} "
        "Other repositories are named 'hf://user/name'."
    )


def parse_hub_name(name: str) -> tuple[str, str | None]:
    """Return the repository in the name ``"hf://user/name@revision"``, and the revision or None."""
    repository, _, revision = name.removeprefix(HUB).partition("@")
    owner, _, rest = repository.partition("/")
    if not owner or not rest or "/" in rest:
        raise InputError(f"{name!r} must have the form 'hf://user/name' or 'hf://user/name@revision'.")
    return repository, revision or None


def hub_reason(error: BaseException) -> str:
    """Return the reason why a request to the Hugging Face Hub failed, without a full stop."""
    from huggingface_hub import errors

    while True:
        if isinstance(error, errors.GatedRepoError):
            return "its owner must grant access. Ask for it on the page of the repository, and run: hf auth login"
        if isinstance(error, errors.RepositoryNotFoundError):
            return "the repository does not exist, or is private. If it is yours, run: hf auth login"
        if isinstance(error, errors.RevisionNotFoundError):
            return "the revision does not exist"
        if isinstance(error, errors.HfHubHTTPError) and error.response.status_code in (401, 403):
            return "access was denied. Run hf auth login with a token that allows this"
        if isinstance(error, errors.OfflineModeIsEnabled):
            return "HF_HUB_OFFLINE is set"
        if error.__cause__ is None:
            return getattr(error, "strerror", None) or first_line(error).rstrip(".") or type(error).__name__
        error = error.__cause__


def _unavailable(name: str, reason: str) -> WeightsUnavailableError:
    return WeightsUnavailableError(
        f"The weights of {name!r} are not available: {reason}. With a network, run: customlabels-nb fetch {name}. "
        "Without one, copy the folder of the model to this computer and pass its path."
    )
