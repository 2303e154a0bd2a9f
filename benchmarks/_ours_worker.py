"""Run ``project.train()`` once for ``fastai_peer.py``, with the input and output of ``_fastai_worker.py``."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pandas as pd
import timm
import torch
from _measure import Stopwatch

import customlabels_nb as cl
import customlabels_nb.project.project
import customlabels_nb.training.run
from customlabels_nb.training.kept_files import read_predictions


def main() -> None:
    """Train, predict and print the result."""
    task = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    torch.set_num_threads(task["threads"])
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch()
        project = cl.create_project("peer", folder)
        for split in ("train", "test"):
            photos = pd.DataFrame(task[split], columns=["image", "label"])
            project.add_images(photos, split=split, progress=False)
        model = project.train(random_state=task["random_state"], device="cpu", progress=False)
        model.evaluate()
        took = watch.read()
        table = read_predictions(model.folder)[1].pivot(index="image", columns="label", values="confidence")
        project.close()
    images = [image for image, _ in task["test"]]
    probabilities = table.loc[images, task["labels"]].to_numpy().tolist()
    version = f"customlabels_nb {cl.__version__}, torch {torch.__version__}, timm {timm.__version__}"
    print(json.dumps({**took, "probabilities": probabilities, "what": version}), flush=True)


if __name__ == "__main__":
    main()
