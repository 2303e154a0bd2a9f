"""List the detectors that can be trained, choose one, and get its weights, without importing torch."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from customlabels_nb._utils.installing import extra_command
from customlabels_nb._utils.unknown_names import names_arguments
from customlabels_nb.core.tables import TEXT
from customlabels_nb.errors import MissingDependencyError
from customlabels_nb.events import Events
from customlabels_nb.models.backbones import DETECTOR_PASSES, largest_in_time
from customlabels_nb.models.detector_shape import AUTO, COCO_DETECTORS, OWN, TRANSFORMERS_DETECTORS
from customlabels_nb.models.pretrained.weights import absolute_name, describe_download, find_weights, get_weights
from customlabels_nb.user_settings import settings

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    "name": TEXT,
    "source": TEXT,
    "coco_ap": "Float64",
    "parameters": "Float64",
    "megabytes": "Float64",
    "licence": TEXT,
    "offline": "bool",
}


@names_arguments
def detectors() -> pd.DataFrame:
    """List the detectors for ``train(detector=…)`` with their accuracy on COCO, sizes and licences.

    Returns
    -------
    DataFrame
        One row per detector with ``name``, ``source`` ("packaged", "torchvision" or "transformers"), ``coco_ap``
        (mAP@[.5:.95] on COCO in percent, as reported by its authors), ``parameters`` in millions, ``megabytes`` of the
        weights, their ``licence``, and ``offline`` (True if no download is needed).

    Examples
    --------
    >>> cl.detectors().set_index("name").loc["dfine-small", ["coco_ap", "parameters", "licence"]].to_dict()
    {'coco_ap': 48.5, 'parameters': 10.0, 'licence': 'Apache-2.0'}
    """
    import pandas as pd
    from torch.hub import get_dir
    from torchvision.models import get_model_weights

    rows: list[list[object]] = [[OWN, "packaged", None, 6.0, 17.0, "Apache-2.0", True]]
    for name, facts in TRANSFORMERS_DETECTORS.items():
        numbers = [facts.box_ap, facts.parameters, facts.megabytes, facts.licence]
        rows.append([name, "transformers", *numbers, find_weights(name) is not None])
    for name, facts in COCO_DETECTORS.items():
        file = Path(get_dir()) / "checkpoints" / str(get_model_weights(name).DEFAULT.url).rsplit("/", 1)[-1]
        numbers = [facts.box_ap, facts.parameters, facts.megabytes, facts.licence]
        rows.append([name, "torchvision", *numbers, file.is_file()])
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def choose_detector(wanted: str, *, masks: bool, seconds: float | None, device: str, events: Events) -> str:
    """Return the name of the detector to train. Names other than "auto" are returned unchanged.

    "auto" is the most accurate detector from transformers that takes at most half of the time, or the packaged one if
    there is none. If its weights are not available, it is the most accurate of the others that are on this machine. A
    message reports the choice.
    """
    if wanted != AUTO:
        return wanted
    chosen, reason = OWN, "the others cannot predict masks"
    if not masks:
        chosen, reason = largest_in_time(
            OWN,
            {name: facts.core_seconds for name, facts in TRANSFORMERS_DETECTORS.items()},
            passes=DETECTOR_PASSES,
            seconds=seconds,
            device=device,
            fetch=lambda name: fetch_detector(name, events),
            is_here=lambda name: find_weights(name) is not None,
        )
    events.message(f"detector='auto' uses {chosen!r}: {reason}.")
    return chosen


def fetch_detector(name: str, events: Events) -> str:
    """Download a detector's weights if necessary, and return a name that always refers to the same ones."""
    if find_spec("transformers") is None:
        raise MissingDependencyError(
            f"detector={name!r} needs transformers. Install it with: {extra_command('foundation')}"
        )
    if settings.network and find_weights(name) is None:
        events.message(f"Downloading {describe_download(name)} …")
    weights = get_weights(name)
    short = name.partition("@")[0]
    is_repository = short in TRANSFORMERS_DETECTORS or name.startswith("hf://")
    return f"{short}@{weights.revision}" if is_repository else absolute_name(name)
