"""Read one COCO file with datumaro for ``coco_peer.py``, in datumaro's own environment.

Called with the paths of the file and of a folder. Prints the processor seconds after the imports as JSON and writes
the boxes, ordered by id, as ``boxes.npy``: number of the image and of the category (both from 0), left, top, width,
height.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

import datumaro as dm
import numpy as np


def main() -> None:
    """Read the file, print the time and write the boxes."""
    logging.disable(logging.WARNING)  # datumaro warns about each missing image file
    started = time.process_time()
    dataset = dm.Dataset.import_from(sys.argv[1], "coco_instances")
    items = [(item, item.annotations) for item in dataset]
    seconds = time.process_time() - started
    rows = sorted(
        (annotation.id, int(item.attributes["id"]) - 1, annotation.label, *annotation.get_bbox())
        for item, annotations in items
        for annotation in annotations
        if annotation.type == dm.AnnotationType.bbox  # a polygon comes with its box
    )
    np.save(Path(sys.argv[2], "boxes.npy"), np.array(rows, dtype=np.float64)[:, 1:])
    print(json.dumps({"seconds": seconds, "what": f"datumaro {dm.__version__}", "images": len(items)}))


if __name__ == "__main__":
    main()
