"""Tables of boxes to evaluate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

Scene = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]

SIZE = (640, 480)


def scene(
    images: int, labels: Sequence[str], *, boxes: int = 3, random_state: int = 0, folder: str = "s3://bucket/"
) -> Scene:
    """Return truth, predictions and images of a mostly correct detector. The last two images are empty."""
    rng = np.random.default_rng(random_state)
    names = [f"{folder}{i}.jpg" for i in range(images)]
    count = boxes * (images - 2)
    truth = pd.DataFrame(
        {
            "image": np.repeat(names[:-2], boxes),
            "label": rng.choice(np.array(labels, dtype=object), count),
            "left": rng.integers(0, 400, count).astype(float),
            "top": rng.integers(0, 300, count).astype(float),
            "width": rng.integers(30, 200, count).astype(float),
            "height": rng.integers(30, 150, count).astype(float),
        }
    )
    found = truth[rng.random(count) < 0.9].copy()
    found[["left", "top"]] += rng.normal(0, 6, (len(found), 2)).round(2)
    found["confidence"] = rng.beta(4, 2, len(found)).round(2)
    wrong = truth.sample(count // 2, random_state=random_state, replace=True)
    wrong = wrong.assign(
        label=rng.permutation(wrong["label"].to_numpy(dtype=object, copy=True)), image=rng.choice(names, len(wrong))
    )
    wrong["confidence"] = rng.beta(1, 4, len(wrong)).round(2)
    predictions = pd.concat([found, wrong], ignore_index=True)
    return truth, predictions, pd.DataFrame({"image": names, "width": SIZE[0], "height": SIZE[1]})
