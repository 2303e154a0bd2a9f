"""From a folder of photos to an evaluated model: import, split, train and evaluate on the CPU.

Time is measured after the imports. Memory is the peak of the whole process above that of a process that only imports
torch, torchvision, timm and scikit-learn. Each round has its own process and project, so nothing is cached.

    python benchmarks/fruit.py [--images DIR]
"""

from __future__ import annotations

import statistics

from _measure import alternate, bound, figure, heading, in_fresh_process, spread, start

ROUNDS = 5
MAX_SECONDS = 6.0
MAX_GIGABYTES = 0.8

_PEAK = """
import json, resource, sys
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
"""
_BARE = f"""
import torch, torchvision, timm, sklearn, sklearn.linear_model, sklearn.model_selection
{_PEAK}
print(json.dumps({{"peak": peak}}))
"""
_OURS = f"""
import sys, tempfile, time
import torch, torchvision, timm, sklearn.linear_model, sklearn.model_selection
import customlabels_nb as cl
import customlabels_nb.project.project, customlabels_nb.training.run, customlabels_nb.project.report

with tempfile.TemporaryDirectory() as folder:
    moments = [time.perf_counter()]
    project = cl.create_project("fruit", folder)
    project.add_images(sys.argv[1], labels_from="folders", progress=False)
    moments.append(time.perf_counter())
    project.distribute(test_fraction=0.2)
    moments.append(time.perf_counter())
    model = project.train(device="cpu", progress=False)
    moments.append(time.perf_counter())
    report = model.evaluate()
    moments.append(time.perf_counter())
    accuracy, f1 = report.metric("accuracy"), report.metric("f1")
    images, tested = project.statistics["train"].total_entries, project.statistics["test"].total_entries
    project.close()
{_PEAK}
print(json.dumps({{
    "seconds": [b - a for a, b in zip(moments, moments[1:])], "peak": peak, "accuracy": accuracy, "f1": f1,
    "train": images, "test": tested, "threads": torch.get_num_threads(),
}}))
"""


def main() -> None:
    """Run the benchmark and print the results."""
    images = str(start(__doc__))
    runs = []

    def ours() -> float:
        runs.append(in_fresh_process(_OURS, images))
        return sum(runs[-1]["seconds"])

    bare_peaks, totals = alternate(ROUNDS, lambda: in_fresh_process(_BARE)["peak"] / 1e9, ours)
    first = runs[0]
    heading(f"{first['train']} training photos, {first['test']} test photos, {first['threads']} torch threads:")
    for position, step in enumerate(("add_images", "distribute", "train", "evaluate")):
        figure(step, spread([run["seconds"][position] for run in runs], " s"))
    figure("total", spread(totals, " s"))
    bound("total, median", statistics.median(totals), " s", at_most=MAX_SECONDS)
    figure("accuracy, F1 of the test photos", f"{first['accuracy']:.3f}, {first['f1']:.3f}")
    heading("Peak memory:")
    peaks = [run["peak"] / 1e9 for run in runs]
    figure("bare imports of torch, torchvision, timm, scikit-learn", spread(bare_peaks, " GB"))
    figure("the run", spread(peaks, " GB"))
    above = statistics.median(a - b for a, b in zip(peaks, bare_peaks, strict=True))
    bound("the run above the bare imports", above, " GB", at_most=MAX_GIGABYTES)


if __name__ == "__main__":
    main()
