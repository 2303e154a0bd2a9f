"""Labels of large projects: merge, rename and undo, and count the use of each label.

The project has 250,000 images with 1.1 million boxes of 40 labels, two of which have 100,000 annotations each.
"""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from _measure import bound, figure, heading, seconds, start

from customlabels_nb.core import tables as t
from customlabels_nb.labeling.label_editing import LabelEditing
from customlabels_nb.store import Action, SqlStore, create_store

IMAGES = 250_000
BOXES = 1_100_000
LABELS = 40
LARGE = 100_000
MOST_SECONDS = 2.0


def fill(store: SqlStore) -> None:
    """Add the images and boxes to the training set."""
    rng = np.random.default_rng(0)
    names = np.array([f"/home/somebody/photos/IMG_{index:06d}.jpg" for index in range(IMAGES)])
    labels = np.repeat(["large a", "large b"], LARGE)
    rest = rng.integers(2, LABELS, BOXES - len(labels))
    labels = np.concatenate([labels, np.array([f"label {number}" for number in range(LABELS)])[rest]])
    rng.shuffle(labels)
    corners, sizes = rng.uniform(0, 900, (BOXES, 2)).round(1), rng.uniform(5, 120, (BOXES, 2)).round(1)
    frame = pd.DataFrame(
        {
            "image": names[np.sort(rng.integers(0, IMAGES, BOXES))],
            "label": labels,
            "left": corners[:, 0],
            "top": corners[:, 1],
            "width": sizes[:, 0],
            "height": sizes[:, 1],
            "annotator": "somebody",
        }
    )
    images = t.normalise_images(pd.DataFrame({"image": names, "width": 1024, "height": 1024, "status": "labelled"}))
    store.add_images("train", images, t.normalise_annotations(frame), Action("import", "somebody"))


def main() -> None:
    """Run the benchmark and print the results."""
    start(__doc__, with_images=False)
    with tempfile.TemporaryDirectory() as folder:
        store = create_store(str(Path(folder) / "project.db"), "benchmark")
        fill(store)
        gc.collect()
        editing = LabelEditing(store, Path(folder))
        actions = store.last_action()
        heading(f"{BOXES:,} boxes on {IMAGES:,} images; two labels of {LARGE:,} annotations each:")
        figure("labels in order", f"{seconds(editing.labels):.3g} s")
        figure("count the use of each label", f"{seconds(editing.uses):.3g} s")
        merging = seconds(lambda: editing.merge("large a", into="large b"))
        bound("merge one into the other in one transaction", merging, " s", at_most=MOST_SECONDS)
        assert store.last_action() == actions + 1
        assert int(store.label_uses("large b")["annotations"].iloc[0]) == 2 * LARGE
        figure("undo that", f"{seconds(editing.undo):.3g} s")
        assert int(store.label_uses("large a")["annotations"].iloc[0]) == LARGE
        figure("rename a label of 100,000 annotations", f"{seconds(lambda: editing.rename('large a', 'c')):.3g} s")
        figure(
            "add a label, send all images to review",
            f"{seconds(lambda: editing.add_all([('d', None)], review=True)):.3g} s",
        )
        store.close()


if __name__ == "__main__":
    main()
