"""Detect on a number of photos and print the peak memory (MiB) so far, for ``test_detect_memory.py``.

Arguments: the model's folder, a photo, and for each prediction how many times to predict it and the target of the
results ("" for a table). The network itself is skipped, because its memory does not depend on the number of images.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from customlabels_nb.inference.detect_many import detect_many
from customlabels_nb.inference.predictor import Predictor
from customlabels_nb.inference.result_writing import WrittenDetections


def main() -> None:
    """Run the measurement. See the module docstring."""
    model, photo, *asked = sys.argv[1:]

    def probabilities(self: Predictor, images: Sequence[object], *, at_once: int | None = None) -> object:
        return np.tile([[0.7, 0.2, 0.1]], (len(images), 1))

    predictor = Predictor(Path(model))
    predictor.start("cpu")
    Predictor.probabilities = probabilities  # type: ignore[method-assign, assignment]
    for count, to in zip(asked[::2], asked[1::2], strict=True):
        folder = Path(photo).parent / f"times-{count}"
        if not folder.exists():
            folder.mkdir()
            for number in range(int(count)):
                (folder / f"a photo with an ordinary name, number {number:05}.jpg").symlink_to(photo)
        found = detect_many(predictor, folder, threshold=0, to=to or None)
        looked_at = found.images if isinstance(found, WrittenDetections) else found["image"].nunique()
        assert looked_at == int(count), looked_at
        del found
        # not getrusage, which begins with the peak of the parent process
        status = Path("/proc/self/status").read_text()
        print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


if __name__ == "__main__":
    main()
