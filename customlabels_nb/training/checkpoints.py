"""Checkpoints: the stored state of a training run, from which it resumes.

A checkpoint stores tensors as safetensors and everything else as JSON, each file with its hash, and never uses pickle.
``state.json`` lists the files of a checkpoint and is written last, so the previous checkpoint stays valid if writing is
interrupted.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from customlabels_nb._utils.files import why_not_written, write_whole
from customlabels_nb.errors import ArtifactError

STATE = "state.json"
#: What to do about a checkpoint that cannot be used.
ADVICE = "Start a new training run, or restore the original file."

_FILE = re.compile(r"(?:last|best)-\d+\.safetensors")

Tensors = dict[str, torch.Tensor]


@dataclass
class LoopState:
    """JSON-serialisable progress of a training run.

    ``total`` is None until a time budget is converted to steps. ``seconds`` include the time before the run was
    resumed. ``parts`` is above 1 if an entire batch does not fit into memory, or if several processes share it.
    ``history`` has ``step``, ``seconds``, mean losses and metrics on held-out images for each epoch, ``sums`` the
    losses since the last one. ``best`` is the highest metric on held-out images. ``look_seconds`` are for a validation
    with its checkpoint, ``after_seconds`` reserved for the work after training. ``threads`` of torch are stored because
    their number affects rounding. ``notes`` describe how the budget limited the training.
    """

    step: int = 0
    total: int | None = None
    seconds: float = 0.0
    parts: int = 1
    history: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    best_step: int | None = None
    best: float | None = None
    step_seconds: float | None = None
    look_seconds: float = 0.0
    after_seconds: float = 0.0
    threads: int | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Loaded:
    """State of a training run, as loaded by :meth:`Checkpoints.load`."""

    facts: dict[str, Any]
    tensors: Tensors


class Checkpoints:
    """Checkpoints of one training run in a folder, from which only checkpoint files are ever removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, facts: Mapping[str, Any], tensors: Tensors, *, best: Tensors | None = None) -> None:
        """Write a checkpoint and remove the previous one.

        ``step`` in ``facts`` becomes part of the file names. If ``best`` is omitted, the previous best state stays. If
        a file cannot be written, the previous checkpoint stays valid.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            files = {"last": self._write(f"last-{facts['step']}.safetensors", tensors)}
            if best is not None:
                files["best"] = self._write(f"best-{facts['step']}.safetensors", best)
            elif (former := self._state()) is not None and "best" in former["files"]:
                files["best"] = former["files"]["best"]
            content = {"facts": dict(facts), "files": files}
            write_whole(self.folder / STATE, _to_json({**content, "sha256": _hash(_to_json(content))}))
            self._remove_except({entry["name"] for entry in files.values()})
        except OSError as error:
            raise ArtifactError(
                f"Cannot write the checkpoint to {str(self.folder)!r}: {why_not_written(error)}. "
                "The previous checkpoint is still valid."
            ) from error

    def load(self) -> Loaded | None:
        """Load the last checkpoint, or return None if there is none."""
        content = self._state()
        if content is None:
            return None
        return Loaded(content["facts"], self._read(content["files"]["last"]))

    def load_best(self) -> Tensors | None:
        """Load the tensors of the best state so far, or return None if there is none."""
        content = self._state()
        entry = content["files"].get("best") if content is not None else None
        return None if entry is None else self._read(entry)

    def clear(self) -> None:
        """Remove all checkpoint files, and then the folder if it is empty."""
        if not self.folder.is_dir():
            return
        (self.folder / STATE).unlink(missing_ok=True)
        self._remove_except(set())
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _remove_except(self, kept: set[str]) -> None:
        for path in self.folder.iterdir():
            if _FILE.fullmatch(path.name) and path.name not in kept:
                path.unlink(missing_ok=True)

    def _write(self, name: str, tensors: Tensors) -> dict[str, str]:
        data = save({key: value.detach().cpu().contiguous() for key, value in tensors.items()})
        write_whole(self.folder / name, data)
        return {"name": name, "sha256": _hash(data)}

    def _read(self, entry: Mapping[str, str]) -> Tensors:
        path = self.folder / entry["name"]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"Cannot read {str(path)!r}: {error.strerror or error}. {ADVICE}") from error
        if _hash(data) != entry["sha256"]:
            raise ArtifactError(f"{str(path)!r} was changed after it was written: its hash differs. {ADVICE}")
        try:
            tensors: Tensors = load(data)
        except (SafetensorError, ValueError, KeyError) as error:
            raise ArtifactError(f"{str(path)!r} is not a safetensors file ({error}). {ADVICE}") from error
        return tensors

    def _state(self) -> dict[str, Any] | None:
        path = self.folder / STATE
        try:
            content = json.loads(path.read_bytes())
            claimed = content.pop("sha256")
            whole = claimed == _hash(_to_json(content)) and all(
                _FILE.fullmatch(entry["name"]) for entry in content["files"].values()
            )
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArtifactError(f"Cannot read {str(path)!r}: {error.strerror or error}. {ADVICE}") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ArtifactError(f"{str(path)!r} is corrupted ({error}). {ADVICE}") from error
        if not whole:
            raise ArtifactError(f"{str(path)!r} was changed after it was written: its hash differs. {ADVICE}")
        return dict(content)


def _to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, indent=1).encode()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
