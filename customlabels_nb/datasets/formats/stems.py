"""Complete image names that lack the ending by the files of a folder."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from customlabels_nb._utils.text import counted, quoted
from customlabels_nb.core.issues import Issue
from customlabels_nb.core.table_columns import lacks_ending, without_ending


def composed(name: str) -> str:
    """Return a name in the Unicode form NFC. Annotations may have another form than the file system."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


@dataclass
class FilesByStem:
    """Finder of files for image names that lack the ending."""

    _folders: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    _found: dict[str, str] = field(default_factory=dict)
    _unclear: dict[str, list[str]] = field(default_factory=dict)

    def find(self, path: Path | None) -> Path | None:
        """Return the only image in the folder of ``path`` with this name and an ending, or None."""
        if path is None or not lacks_ending(path.name) or os.path.lexists(path):
            return None
        folder = os.path.abspath(path.parent)
        if folder not in self._folders:
            by_stem = self._folders[folder] = {}
            for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
                if (stem := composed(without_ending(name))) != composed(name):
                    by_stem.setdefault(stem, []).append(name)
        files = self._folders[folder].get(composed(path.name), [])
        if len(files) > 1:
            self._unclear[path.name] = files
        if len(files) != 1:
            return None
        self._found[path.name] = files[0]
        return path.with_name(files[0])

    def issues(self, source: str) -> list[Issue]:
        """Return an issue if names were completed, and one for each that has several files."""
        unclear = [
            Issue("IMAGE_NOT_FOUND", f"It may be any of {quoted(files, 3)}. Add the ending to the name.", name, source)
            for name, files in self._unclear.items()
        ]
        if not self._found:
            return unclear
        (name, file), count = next(iter(self._found.items())), len(self._found)
        names = counted(count, "image name has", "image names have")
        message = f"{names} no ending and was completed by the only file of this name, such as {name!r} by {file!r}."
        message = message.replace("and was", "and were") if count > 1 else message
        return [Issue("ENTRY_ADJUSTED", message, name, source), *unclear]
