"""Multi-label part of ``training.py``: collages of two fruits, evaluated on collages of other photos."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from _measure import bound, figure, heading
from _training_photos import folder_of
from PIL import Image

TRAIN, TEST = 40, 60  # collages
TRAINED_SHARE = 2 / 3  # of each label's photos
LEAST_F1 = 0.97

_SIDE = 320

Truth = npt.NDArray[np.bool_]


def collages_part(seeds: Sequence[int] = (0, 1, 2)) -> None:
    """Print macro F1 at the threshold 0.5, without a threshold chosen on the test collages."""
    photos = folder_of("fruit")
    if not photos.is_dir():
        print(f"There are no photos in {photos}, so collages are skipped.")
        return
    heading(f"two-fruit collages: {TRAIN} for training, {TEST} of other photos for testing:")
    found = []
    for random_state in seeds:
        with tempfile.TemporaryDirectory() as folder:
            f1, seconds, text = one_seed(photos, Path(folder), random_state)
        found.append(f1)
        figure(f"seed {random_state}: macro F1", f"{f1:.3f} after {seconds:.1f} s, {text}")
    bound("macro F1, mean", statistics.mean(found), "", at_least=LEAST_F1)


def one_seed(photos: Path, folder: Path, random_state: int) -> tuple[float, float, str]:
    """Return macro F1 on new collages, the seconds of training including features, and a description of the fit."""
    from sklearn.metrics import f1_score

    from customlabels_nb.models.embeddings import embed
    from customlabels_nb.training.multi_label import fit_multi_label_head

    train, truth = draw_collages(photos, folder / "train", TRAIN, random_state=random_state, trained=True)
    test, expected = draw_collages(photos, folder / "test", TEST, random_state=random_state + 1000, trained=False)
    started = time.perf_counter()
    head = fit_multi_label_head(embed(train, device="cpu").features, truth, random_state=random_state)
    seconds = time.perf_counter() - started
    said = head.logits(embed(test, device="cpu").features) >= 0
    text = f"C = {head.C:g}, cross-validated log loss {head.log_loss or float('nan'):.3f}"
    return float(f1_score(expected, said, average="macro")), seconds, text


def draw_collages(
    photos: Path, folder: Path, count: int, *, random_state: int, trained: bool
) -> tuple[list[str], Truth]:
    """Draw collages of two photos with different labels, side by side or stacked, and return paths and labels."""
    folder.mkdir()
    rng = np.random.default_rng(random_state)
    pools = []
    for label in sorted(path for path in photos.iterdir() if path.is_dir()):
        own = sorted(label.iterdir())
        border = round(TRAINED_SHARE * len(own))
        pools.append(own[:border] if trained else own[border:])
    truth, paths = np.zeros((count, len(pools)), dtype=bool), []
    for number in range(count):
        pair = rng.choice(len(pools), 2, replace=False)
        beside, first = rng.random() < 0.5, int(_SIDE * rng.uniform(0.35, 0.65))
        canvas = Image.new("RGB", (_SIDE, _SIDE))
        for place, label in enumerate(pair):
            start, end = (0, first) if place == 0 else (first, _SIDE)
            size = (end - start, _SIDE) if beside else (_SIDE, end - start)
            with Image.open(pools[label][rng.integers(len(pools[label]))]) as photo:
                photo.draft("RGB", (_SIDE, _SIDE))
                canvas.paste(photo.convert("RGB").resize(size), (start, 0) if beside else (0, start))
        truth[number, pair] = True
        paths.append(str(folder / f"{number}.jpg"))
        canvas.save(paths[-1], quality=90)
    return paths, truth
