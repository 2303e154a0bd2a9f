"""Get what the search by a description needs first: the weights of its model, and vectors of the images."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from customlabels_nb._utils.text import counted
from customlabels_nb.errors import CustomLabelsError
from customlabels_nb.events import Events
from customlabels_nb.labeling.jobs import Job
from customlabels_nb.models.backbone import FEATURES, PACKAGED
from customlabels_nb.store import SqlStore
from customlabels_nb.user_settings import settings

_GIGA = 1000  # megabytes
_SIDE = 224  # pixels of images, if the configuration of a model does not say it


class SearchSetup:
    """State of the search by a description in one project, and the job that completes it."""

    def __init__(self, store: SqlStore, root: Path) -> None:
        self._store, self._root = store, root
        self._job: Job[None] = Job()

    def state(self) -> dict[str, Any]:
        """Return what is missing: ``text`` (empty if nothing is), and the ``button`` that gets it, if that is possible.

        ``question`` is asked before a download. ``running`` is true while the job runs, and ``error`` is why it failed.
        """
        from customlabels_nb.models.image_search import text_model

        job = self._job.state
        running, now = job.name == "running", job.progress
        state: dict[str, Any] = {"text": "", "button": "", "question": "", "running": running, "error": job.error}
        if running:
            done = f"{now.phase}, {now.done:,} of {now.total:,}" if now and now.total else "getting the model"
            return state | {"text": f"Search: {done}…"}
        try:
            return state | self._missing(text_model(self._model)) | ({"button": ""} if self._store.read_only else {})
        except CustomLabelsError as error:  # the weights are damaged, or of another model
            return state | {"text": str(error)}

    def prepare(self) -> None:
        """Get the model, and compute the vectors of all images that have none, in the background.

        Nothing is written in a read-only project.
        """
        if not self._store.read_only:
            self._job.start(self._prepare)

    @property
    def _model(self) -> str:
        return self._store.setting(FEATURES) or PACKAGED

    def _missing(self, model: str) -> dict[str, str]:
        from customlabels_nb.models.feature_file import project_features
        from customlabels_nb.models.pretrained.weights import KNOWN_MODELS, describe_download, find_weights

        if importlib.util.find_spec("transformers") is None:
            return {"text": "Search needs transformers. Run: pip install 'customlabels-nb[foundation]'"}
        weights = find_weights(model)
        if weights is None:
            if not settings.network or os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
                return {"text": f"Search is not available offline. With a network, run: customlabels-nb fetch {model}"}
            text, known = "Search needs a model that is not on this machine.", KNOWN_MODELS.get(model)
            size = f" ({known.megabytes / _GIGA:.1f} GB)" if known else ""
            question = f"Download {describe_download(model)}, and compute vectors of all images with it?"
            return {"text": text, "button": f"Get the model{size}…", "question": question}
        images = int(self._store.status_counts()["images"].sum())
        side = weights.config("siglip").get("vision_config", {}).get("image_size", _SIDE)
        if not images or project_features(self._root).has_any(f"{weights.name}@{weights.revision}", side):
            return {}
        button = f"Compute vectors of {counted(images, 'image')}"
        return {"text": "Search needs vectors of the images.", "button": button}

    def _prepare(self, events: Events) -> None:
        from customlabels_nb.models.embeddings import embed, get_features
        from customlabels_nb.models.feature_file import project_features
        from customlabels_nb.models.image_search import text_model

        images, model = self._store.images(), get_features(text_model(self._model))
        keys = [key if isinstance(key, str) else None for key in images["sha256"]]
        names, cache = images["image"].tolist(), project_features(self._root)
        embed(names, root=self._root, keys=keys, backbone=model, cache=cache, events=events, phase="vectors")
