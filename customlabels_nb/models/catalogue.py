"""The backbones that can be named, as a table."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from customlabels_nb.errors import InputError
from customlabels_nb.models.backbone import TIMM, TORCHVISION
from customlabels_nb.models.backbones import BACKBONES, backbone_named
from customlabels_nb.models.timm_backbones import cached_file, timm_names
from customlabels_nb.models.timm_backbones import described as timm_described
from customlabels_nb.models.torchvision_backbones import cache_file, licence_of, torchvision_names
from customlabels_nb.models.torchvision_backbones import described as torchvision_described

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "name": "str",
    "source": "str",
    "parameters": "Int64",
    "megabytes": "Float64",
    "input_size": "Int64",
    "licence": "str",
    "offline": "bool",
}
#: Of timm's networks, whose sizes it takes building them to know.
MOST_MEASURED = 40


def backbones(match: str | None = None) -> pd.DataFrame:
    """The backbones that ``train(backbone=…)`` takes: their sizes, licences, and whether they are on this machine.

    Parameters
    ----------
    match : str, optional
        Names with ``*`` for anything, "timm/*vit_tiny*"; a text without ``*`` may stand anywhere in the name. By
        default the packaged one, torchvision's, and those of timm that are on this machine.

    Returns
    -------
    DataFrame
        One row a backbone: ``name``, ``source`` ("packaged", "timm" or "torchvision"), ``parameters``, ``megabytes``
        of the weights, ``input_size`` in
        pixels, ``licence`` of the weights, ``offline`` (they are here: no network is needed). If more than 40 of
        timm's match, sizes of those are left null.

    Raises
    ------
    InputError
        If ``match`` is no text.
    """
    import pandas as pd

    if match is not None and not isinstance(match, str):
        raise InputError(f"match={match!r} is no text; give a part of a name, such as 'resnet18' or 'timm/*vit*'.")
    pattern = None if match is None else match.lower() if "*" in match else f"*{match.lower()}*"
    rows = [_packaged(name) for name in BACKBONES if _fits(name, pattern)]
    rows += [_torchvision(name) for name in torchvision_names() if _fits(f"{TORCHVISION}/{name}", pattern)]
    timm = [name for name in timm_names() if _fits(f"{TIMM}/{name}", pattern)]
    if pattern is None:
        timm = [name for name in timm if cached_file(f"{TIMM}/{name}") is not None]
    rows += [_timm(name, measured=len(timm) <= MOST_MEASURED) for name in timm]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _fits(name: str, pattern: str | None) -> bool:
    return pattern is None or fnmatchcase(name.lower(), pattern)


def _packaged(name: str) -> dict[str, Any]:
    facts = BACKBONES[name]
    return {column: getattr(facts, column) for column in COLUMNS if column != "offline"} | {"offline": True}


def _torchvision(name: str) -> dict[str, Any]:
    _, weights = torchvision_described(name)
    return {
        "name": f"{TORCHVISION}/{name}",
        "source": TORCHVISION,
        "parameters": weights.meta["num_params"],
        "megabytes": float(weights.meta["_file_size"]),
        "input_size": int(weights.transforms().crop_size[0]),
        "licence": licence_of(weights),
        "offline": cache_file(weights).is_file(),
    }


def _timm(name: str, *, measured: bool) -> dict[str, Any]:
    said = timm_described(name)
    row = {
        "name": f"{TIMM}/{name}",
        "source": TIMM,
        "input_size": said.input_size[1],
        "licence": said.license or "unknown",
        "offline": cached_file(f"{TIMM}/{name}") is not None,
    }
    if measured:
        try:
            facts = backbone_named(f"{TIMM}/{name}")
        except (InputError, RuntimeError, NotImplementedError):  # none that can be used, which using it says
            return row
        row |= {"parameters": facts.parameters, "megabytes": facts.megabytes}
    return row
