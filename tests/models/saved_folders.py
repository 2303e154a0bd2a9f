"""Folders of models as a processor of transformers 5 saves them, without ``preprocessor_config.json``."""

from __future__ import annotations

import shutil
from pathlib import Path


def saved_by_processor(kind: str, model: Path, folder: Path) -> Path:
    """Save a model with its processor to a new folder, which is returned, as ``kind.save_pretrained`` does."""
    import transformers

    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(model / name, folder)
    getattr(transformers, kind).from_pretrained(model).save_pretrained(folder)
    assert not (folder / "preprocessor_config.json").exists()
    return folder
