"""Duration of ``import customlabels_nb`` compared with ``import pandas``, in new processes in turn.

python benchmarks/import_time.py
"""

from __future__ import annotations

from _measure import alternate, bound, figure, heading, in_fresh_process, ratio, spread, start

ROUNDS = 9
_CODE = """
import json, sys, time
started = time.perf_counter()
exec(sys.argv[1])
print(json.dumps({"seconds": time.perf_counter() - started}))
"""


def main() -> None:
    """Run the benchmark and print the results."""
    start(__doc__, with_images=False)
    statements = {
        "import customlabels_nb": 1.5,
        "import customlabels_nb; customlabels_nb.create_project": None,
        "import torch, torchvision, timm, sklearn": None,
    }

    def run(statement: str) -> float:
        return float(in_fresh_process(_CODE, statement)["seconds"])

    for statement in ("import pandas", *statements):
        run(statement)  # loads the files into memory
    pandas, *others = alternate(ROUNDS, *(lambda s=s: run(s) for s in ("import pandas", *statements)))  # type: ignore[misc]
    heading(f"Seconds, median of {ROUNDS} fresh processes, in turn:")
    figure("import pandas", spread(pandas, " s"))
    for statement, times in zip(statements, others, strict=True):
        figure(statement, spread(times, " s"))
    heading("Times import pandas:")
    for (statement, limit), times in zip(statements.items(), others, strict=True):
        if limit is None:
            figure(statement, f"{ratio(times, pandas):.3g}×")
        else:
            bound(statement, ratio(times, pandas), "×", at_most=limit)


if __name__ == "__main__":
    main()
