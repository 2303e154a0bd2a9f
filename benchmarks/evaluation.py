"""Time of a full evaluation compared with libraries that compute some of its metrics, with equal results.

Classification: 100,000 images and 80 labels, compared with scikit-learn called label by label. Detection: 20,000
images with 150,000 boxes of 80 labels and 300,000 predictions, compared with faster-coco-eval's average precision.

    python benchmarks/evaluation.py [--only classification|detection] [--quick]
"""

from __future__ import annotations

import argparse
import sys

from _measure import start

PARTS = ("classification", "detection")


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="quick smoke test with a tenth of the images, one round")
    parser.add_argument("--only", choices=PARTS, action="append", help="run only this part (repeatable)")
    options = parser.parse_args()
    sys.argv = sys.argv[:1]
    start(__doc__, with_images=False)
    parts = options.only or PARTS
    if "classification" in parts:
        from _evaluation_classification import compare_classification

        compare_classification(quick=options.quick)
    if "detection" in parts:
        from _evaluation_detection import compare_detection

        compare_detection(quick=options.quick)


if __name__ == "__main__":
    main()
