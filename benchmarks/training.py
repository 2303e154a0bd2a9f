"""Models trained within a time budget and evaluated on unseen images.

Detectors on real photos, compared with torchvision's reference recipe for fine-tuning the same backbone for the same
time, multi-label classifiers on collages, detectors of brands from images of their logos, detectors of small, many and
rare objects, which no recipe was tuned on, and masks of drawn parts with exact outlines. Only training is timed, from
the first decoded image to the last step. The bounds are means of three seeds on two otherwise idle CPU cores. With
--steps, the load of the machine does not matter.

    python benchmarks/training.py [--only raccoon|fruit-objects|untuned|peer|collages|brands|masks] [--seeds 0 1 2]
                                  [--budget 2min | --steps 300] [--input-size 416]
"""

from __future__ import annotations

import argparse
import statistics

from _measure import bound, cores, figure, heading, spread
from _training_brands import brands_part
from _training_collages import collages_part
from _training_judging import train_and_judge
from _training_masks import masks_part
from _training_peer import peer_part
from _training_photos import SETS, folder_of, photos
from _training_untuned import untuned_part

PARTS = (*SETS, "untuned", "peer", "collages", "brands", "masks")

BOUNDS = {  # minimum AP50 and AP, by set and budget
    ("raccoon", "2min"): (0.97, None),
    ("raccoon", "5min"): (None, 0.64),
    ("fruit-objects", "2min"): (0.95, None),
}


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--budget")
    parser.add_argument("--steps", type=int)
    parser.add_argument(
        "--input-size", type=int, help="pixels, for real photos and untuned sets; by default chosen by the boxes"
    )
    parser.add_argument("--threads", type=int, help="number of torch threads, by default all cores")
    options = parser.parse_args()
    print(f"{cores()} cores")
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    for part in PARTS if options.only is None else (options.only,):
        if part == "collages":
            collages_part(options.seeds)
        elif part == "brands":
            brands_part(options.seeds, budget=None if options.steps else options.budget or "2min", steps=options.steps)
        elif part == "masks":
            masks_part(options.seeds, budget=None if options.steps else options.budget or "2min", steps=options.steps)
        elif part == "untuned":
            budget = None if options.steps else options.budget or "2min"
            untuned_part(options.seeds, budget=budget, steps=options.steps, input_size=options.input_size)
        elif not folder_of("raccoon" if part == "peer" else part).is_dir():
            print(f"There are no photos in {folder_of(part)}, so {part} is skipped.")
        elif part == "peer":
            peer_part(options.seeds, options.budget or "2min")
        else:
            asked = [options.budget] if options.budget or options.steps else [b for s, b in BOUNDS if s == part]
            for budget in asked:
                _run(part, budget, options)


def _run(name: str, budget: str | None, options: argparse.Namespace) -> None:
    """Train on one set with every seed and print AP50 and AP."""
    from customlabels_nb.training.detection_learner import truth_table

    train, test, labels = photos(name)
    heading(f"{name}: {len(train)} training photos, {len(test)} test photos, {budget or f'{options.steps} steps'}:")
    tests = [example.image for example in test]
    truth = truth_table(tests, test, labels)
    how = {"steps": options.steps, "input_size": options.input_size}
    judged = [
        train_and_judge(
            f"seed {random_state}", train, tests, truth, labels, random_state=random_state, budget=budget, **how
        )
        for random_state in options.seeds
    ]
    every50, every = ([pair[at] for pair in judged] for at in (0, 1))
    least50, least = BOUNDS.get((name, budget or ""), (None, None))
    for what, values, at_least in (("AP50", every50, least50), ("AP", every, least)):
        if at_least is None:
            figure(f"{what}", spread(values, ""))
        else:
            bound(f"{what}, mean", statistics.mean(values), "", at_least=at_least)


if __name__ == "__main__":
    main()
