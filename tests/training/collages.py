"""Photos of one or two fruits side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from customlabels_nb.images.reading import open_image
from customlabels_nb.models.embeddings import embed

SIDE = 200


def collages(photos: Path, folder: Path, count: int, *, random_state: int, part: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels of collages of the first (``part`` 0) or last (1) photos of each label."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(random_state)
    pools = [sorted((photos / name).iterdir()) for name in sorted(path.name for path in photos.iterdir())]
    pools = [pool[: len(pool) // 2] if part == 0 else pool[len(pool) // 2 :] for pool in pools]
    truth = np.zeros((count, len(pools)), dtype=bool)
    paths = []
    for i in range(count):
        shown = rng.permutation(len(pools))[: rng.choice([1, 2], p=[0.2, 0.8])]
        canvas = Image.new("RGB", (2 * SIDE, SIDE))
        for place, label in zip(rng.permutation(2), shown, strict=False):
            photo = open_image(pools[label][rng.integers(len(pools[label]))], at_least=SIDE)
            canvas.paste(photo.resize((SIDE, SIDE)), (int(place) * SIDE, 0))
        truth[i, shown] = True
        paths.append(str(folder / f"{i}.jpg"))
        canvas.save(paths[-1], quality=90)
    return embed(paths).features, truth
