"""Detect on a number of photos and print the peak memory (MiB), for ``test_detect_memory.py``.

Arguments: the model's folder, a photo, how many times to predict it, the target of the results ("" for a table). The
network itself is skipped, because its memory does not depend on the number of images.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from customlabels_nb.inference.batch import detect_many
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.result_writing import WrittenDetections


def main() -> None:
    """Run the measurement. See the module docstring."""
    model, photo, count, to = sys.argv[1:]
    folder = Path(photo).parent / f"times-{count}"
    folder.mkdir(exist_ok=True)
    for number in range(int(count)):
        (folder / f"a photo with an ordinary name, number {number:05}.jpg").symlink_to(photo)

    def probabilities(self: Predictor, images: Sequence[object], *, at_once: int | None = None) -> object:
        return np.tile([[0.7, 0.2, 0.1]], (len(images), 1))

    predictor = Predictor(Path(model))
    predictor.start("cpu")
    Predictor.probabilities = probabilities  # type: ignore[method-assign, assignment]
    found = detect_many(predictor, folder, threshold=0, to=to or None)
    looked_at = found.images if isinstance(found, WrittenDetections) else found["image"].nunique()
    assert looked_at == int(count), looked_at
    # not getrusage, which begins with the peak of the parent process
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


if __name__ == "__main__":
    main()
