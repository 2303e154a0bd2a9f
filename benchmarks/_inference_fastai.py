"""Run fastai's ``get_preds`` for ``inference.py``, in fastai's own environment, with the same backbone and weights.

Called with the path of a JSON file (see ``_inference_worker.py``). Prints the seconds after the imports as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import fastai
import torch
from _measure import Stopwatch
from fastai.vision.all import CategoryBlock, DataBlock, ImageBlock, Normalize, Resize, vision_learner

from customlabels_nb.models.backbones import backbone_named, imagenet_weights

BATCH = 64


def main() -> None:
    """Predict and print the time."""
    task = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    torch.set_num_threads(task["threads"])
    facts = backbone_named("efficientnet_lite0")
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=["a", "b"])),
        get_y=lambda _: "a",
        item_tfms=Resize(facts.input_size, method="squish"),
        batch_tfms=[Normalize.from_stats(facts.mean, facts.std)],
    )
    device = torch.device(task["device"])
    photos = [Path(name) for name in task["images"]]
    loaders = block.dataloaders(photos[:BATCH], bs=BATCH, num_workers=0, device=device)
    # the weights come from the package, because fastai would download others
    learner = vision_learner(loaders, facts.architecture, pretrained=False, normalize=False)
    weights = {key: value for key, value in imagenet_weights().items() if not key.startswith("classifier.")}
    learner.model[0].model.load_state_dict(weights, strict=True)
    watch = Stopwatch()
    with learner.no_bar(), learner.no_logging():
        learner.get_preds(dl=loaders.test_dl(photos, bs=BATCH, num_workers=task["threads"]))
    took = watch.read()
    version = f"fastai {fastai.__version__}, torch {torch.__version__}, get_preds, batches of {BATCH}"
    print(json.dumps({**took, "what": version}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
