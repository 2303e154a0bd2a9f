"""Run fastai's ``fine_tune`` once for ``fastai_peer.py``, in fastai's own environment.

Called with the path of a JSON file (see there). Prints the seconds after the imports and the probabilities of the
test photos as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import fastai
import torch
from _measure import Stopwatch
from fastai.vision.all import (
    CategoryBlock,
    DataBlock,
    ImageBlock,
    IndexSplitter,
    Normalize,
    Resize,
    aug_transforms,
    set_seed,
    vision_learner,
)

from customlabels_nb.models.backbones import backbone_named, imagenet_weights

EPOCHS = 4
BATCH = 8


def main() -> None:
    """Train, predict and print the result."""
    task = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    torch.set_num_threads(task["threads"])
    facts = backbone_named("efficientnet_lite0")
    watch = Stopwatch()
    set_seed(task["random_state"], reproducible=True)
    photos = [*task["train"], *task["test"]]
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=task["labels"])),
        get_x=lambda row: row[0],
        get_y=lambda row: row[1],
        splitter=IndexSplitter(range(len(task["train"]), len(photos))),
        item_tfms=Resize(facts.input_size, method="squish"),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(facts.mean, facts.std)],
    )
    loaders = block.dataloaders(photos, bs=BATCH, num_workers=0, device=torch.device("cpu"))
    # the weights come from the package, because fastai would download others
    learner = vision_learner(loaders, facts.architecture, pretrained=False, normalize=False)
    weights = {key: value for key, value in imagenet_weights().items() if not key.startswith("classifier.")}
    learner.model[0].model.load_state_dict(weights, strict=True)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(EPOCHS)
        probabilities, _ = learner.get_preds()
    took = watch.read()
    version = f"fastai {fastai.__version__}, torch {torch.__version__}, fine_tune({EPOCHS}), batches of {BATCH}"
    print(json.dumps({**took, "probabilities": probabilities.tolist(), "what": version}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
