"""The state of a training on disk: tensors as safetensors, the rest as JSON, each with its hash; never a pickle.

``state.json`` says which files belong together, and is written last: whatever happens while the others are written,
the former state stays whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from customlabels_nb._utils.files import write_whole
from customlabels_nb.errors import ArtifactError

STATE = "state.json"
_FILE = re.compile(r"(?:last|best)-\d+\.safetensors")
_ADVICE = "Train anew, or put back the file as it was."

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Loaded:
    """What :meth:`Checkpoints.load` found."""

    facts: dict[str, Any]
    tensors: Tensors


class Checkpoints:
    """The checkpoints of one training in a folder of their own.

    Parameters
    ----------
    folder : Path
        Made when it is first written to. Only files of the names that are used here are ever removed from it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, facts: Mapping[str, Any], tensors: Tensors, *, best: Tensors | None = None) -> None:
        """Replace the former state.

        Parameters
        ----------
        facts : mapping
            Anything that JSON can hold; ``step`` names the files.
        tensors : dict of str to Tensor
        best : dict of str to Tensor, optional
            The best so far, if that is news; otherwise the best so far stays.

        Raises
        ------
        ArtifactError
            If something can't be written, a full disk say; the former state is whole then.
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
            kept = {entry["name"] for entry in files.values()}
            for path in self.folder.iterdir():
                if _FILE.fullmatch(path.name) and path.name not in kept:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise ArtifactError(
                f"The state of the training can't be written to {str(self.folder)!r}: {error.strerror or error}. "
                "What was there before is whole."
            ) from error

    def load(self) -> Loaded | None:
        """The last state; None where there is none.

        Raises
        ------
        ArtifactError
            If a file is missing or isn't as it was written.
        """
        content = self._state()
        if content is None:
            return None
        return Loaded(content["facts"], self._read(content["files"]["last"]))

    def load_best(self) -> Tensors | None:
        """The tensors of the best state so far; None where there is none.

        Raises
        ------
        ArtifactError
            As :meth:`load`.
        """
        content = self._state()
        entry = content["files"].get("best") if content is not None else None
        return None if entry is None else self._read(entry)

    def clear(self) -> None:
        """Remove all of it, and the folder if nothing else is in it."""
        if not self.folder.is_dir():
            return
        (self.folder / STATE).unlink(missing_ok=True)
        for path in self.folder.iterdir():
            if _FILE.fullmatch(path.name):
                path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _write(self, name: str, tensors: Tensors) -> dict[str, str]:
        data = save({key: value.detach().cpu().contiguous() for key, value in tensors.items()})
        write_whole(self.folder / name, data)
        return {"name": name, "sha256": _hash(data)}

    def _read(self, entry: Mapping[str, str]) -> Tensors:
        path = self.folder / entry["name"]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"{str(path)!r} can't be read: {error.strerror or error}. {_ADVICE}") from error
        if _hash(data) != entry["sha256"]:
            raise ArtifactError(f"{str(path)!r} is not as it was written (its hash differs). {_ADVICE}")
        try:
            tensors: Tensors = load(data)
        except (SafetensorError, ValueError, KeyError) as error:
            raise ArtifactError(f"{str(path)!r} is no safetensors file ({error}). {_ADVICE}") from error
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
            raise ArtifactError(f"{str(path)!r} can't be read: {error.strerror or error}. {_ADVICE}") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ArtifactError(f"{str(path)!r} is damaged ({error}). {_ADVICE}") from error
        if not whole:
            raise ArtifactError(f"{str(path)!r} is not as it was written (its hash differs). {_ADVICE}")
        return dict(content)


def _to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, indent=1).encode()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
