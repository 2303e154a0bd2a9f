"""Record in each process of a test run how long it imports, trains, sleeps, or waits for others.

Python imports this module at its start in all processes that have this folder in ``PYTHONPATH``. Each time is a line of
a file of the process in the folder that ``CUSTOMLABELS_NB_TEST_TIMES`` names. Of calls within calls of the same kind,
only the outer one counts.
"""

import atexit
import builtins
import functools
import os
import sys
import threading
import time
from collections import Counter

FOLDER = os.environ.get("CUSTOMLABELS_NB_TEST_TIMES", "")
IMPORTS = "imports in new processes"
_SHORT = 0.02  # seconds, summed until the process ends
_RECORDED = {
    ("time", "sleep"): "sleeping",
    ("subprocess", "Popen.wait"): "other processes",
    ("subprocess", "Popen.communicate"): "other processes",
    ("customlabels_nb.store.sql", "create_store"): "databases created",
    ("customlabels_nb.training.run", "train_version"): "training",
    ("customlabels_nb.assist.training", "run"): "training",
    ("customlabels_nb.training.loop", "train"): "training",
    ("torch.onnx", "export"): "exports",
    ("torch.export", "export"): "exports",
    ("tests.browser.jupyter", "serve.__wrapped__"): "JupyterLab",
    ("tests.browser.jupyter", "Lab.open"): "JupyterLab",
}
_depth = threading.local()
_short: Counter[str] = Counter()
_missing = {module for module, _ in _RECORDED}


def record(kind: str, seconds: float) -> None:
    """Record a time."""
    if seconds < _SHORT:
        _short[kind] += seconds
    else:
        _write(kind, seconds)


def _write(kind: str, seconds: float) -> None:
    line = f"{seconds:.4f}\t{kind}\n".encode()
    try:
        with open(os.path.join(FOLDER, f"{os.getpid()}.txt"), "ab", buffering=0) as file:
            file.write(line)
    except OSError:  # a test has taken away permissions or space
        _short[kind] += seconds


def _write_short() -> None:
    for kind, seconds in dict(_short).items():
        _write(kind, seconds)


def _recorded(function, kind):
    @functools.wraps(function)
    def timed(*args, **kwargs):
        outer = getattr(_depth, kind, 0)
        setattr(_depth, kind, outer + 1)
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            setattr(_depth, kind, outer)
            if not outer:
                record(kind, time.perf_counter() - start)

    return timed


def _wrap_loaded() -> None:
    for name in [name for name in _missing if name in sys.modules]:
        holder = sys.modules[name]
        if getattr(getattr(holder, "__spec__", None), "_initializing", False):
            continue
        _missing.discard(name)
        for (module, path), kind in _RECORDED.items():
            if module == name:
                *parents, last = path.split(".")
                owner = functools.reduce(getattr, parents, holder)
                setattr(owner, last, _recorded(getattr(owner, last), kind))


def _start() -> None:
    real = builtins.__import__
    recorded = _recorded(real, IMPORTS)

    def importing(name, *args, **kwargs):
        module = (real if getattr(_depth, IMPORTS, 0) else recorded)(name, *args, **kwargs)
        if _missing:
            _wrap_loaded()
        return module

    builtins.__import__ = importing
    atexit.register(_write_short)
    os.register_at_fork(after_in_child=_short.clear)


if FOLDER:
    _start()
