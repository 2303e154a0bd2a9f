"""Read and write the files of an output folder, which is local or behind a URL of any fsspec protocol."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from customlabels_nb._utils.files import sync_folder, write_whole
from customlabels_nb._utils.text import plain_url
from customlabels_nb.errors import CustomLabelsError, InputError, MissingDependencyError
from customlabels_nb.images.locations import is_remote, local_path
from customlabels_nb.remote.remote_files import is_store, is_web, open_system, path_in_bucket, why

Found = TypeVar("Found")


def _end_of(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - count))
        return file.read(count)


class OutputFolder:
    """Folder that results are written to. Files appear in it complete or not at all.

    A URL of a bucket in ``settings.buckets`` is a local folder. A password in a URL is removed. Web servers are
    refused. ``argument`` is the name of the user's argument. ``place`` is the absolute local path, or the URL without a
    "/" at its end.
    """

    def __init__(self, to: str | os.PathLike[str], argument: str = "to") -> None:
        self.local: Path | None = None
        self._argument = argument
        if not (isinstance(to, str) and is_remote(to)):
            self.local = Path(os.path.abspath(local_path(to, argument)))
        elif is_web(to := plain_url(to)):
            raise InputError(
                f"{argument}={to!r} is on a web server. Pass a bucket, such as 's3://bucket/folder/', or a path."
            )
        else:
            self.local = path_in_bucket(to)
        self.place: Path | str = self.local or str(to).rstrip("/")

    def __str__(self) -> str:
        return str(self.place)

    def sizes(self) -> dict[str, int]:
        """Return the size of each file in bytes, in subfolders only for a URL, where they are part of the name."""
        if self.local is not None:
            if not self.local.is_dir():
                return {}
            found = {}
            for entry in os.scandir(self.local):
                with contextlib.suppress(FileNotFoundError):  # a part that was renamed just now
                    if entry.is_file():
                        found[entry.name] = entry.stat().st_size
            return found

        def listed(system: Any, path: str) -> dict[str, int]:
            system.invalidate_cache()
            entries = system.find(path, detail=True)
            return {name[len(path) :].lstrip("/"): int(entry.get("size") or 0) for name, entry in entries.items()}

        return self._remotely("listed", listed)

    def read(self, name: str) -> bytes:
        if self.local is not None:
            return (self.local / name).read_bytes()
        return self._remotely("read", lambda system, path: bytes(system.cat_file(f"{path}/{name}")))

    def read_all(self, names: Sequence[str]) -> list[bytes]:
        """Return the contents of several files, which are requested at the same time."""
        if self.local is not None or not names:
            return [self.read(name) for name in names]

        def contents(system: Any, path: str) -> list[bytes]:
            return list(system.cat_ranges([f"{path}/{name}" for name in names], None, None, on_error="raise"))

        return self._remotely("read", contents)

    def read_ends(self, sizes: Mapping[str, int], count: int) -> dict[str, bytes]:
        """Return the last ``count`` bytes of files of these sizes, which are requested at the same time."""
        if self.local is not None:
            return {name: _end_of(self.local / name, count) for name in sizes}
        names = [name for name, size in sizes.items() if size >= count]
        stops = [sizes[name] for name in names]

        def ends(system: Any, path: str) -> list[bytes]:
            starts = [stop - count for stop in stops]
            return list(system.cat_ranges([f"{path}/{name}" for name in names], starts, stops, on_error="raise"))

        return dict(zip(names, self._remotely("read", ends) if names else [], strict=True))

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file, completely or not at all."""
        if self.local is not None:
            write_whole(self.local / name, data)
            sync_folder(self.local)
            return

        def put(system: Any, path: str) -> None:
            if is_store(str(self.place)):  # an object appears when it is complete
                system.pipe_file(f"{path}/{name}", data)
                return
            system.makedirs(f"{path}/{name}".rpartition("/")[0], exist_ok=True)
            temporary = f"{path}/.{uuid4().hex[:12]}.part"
            system.pipe_file(temporary, data)
            system.mv(temporary, f"{path}/{name}")

        self._remotely("written", put)

    def remove(self, names: Iterable[str]) -> None:
        if self.local is not None:
            for name in names:
                (self.local / name).unlink()
        elif names := list(names):
            self._remotely("written", lambda system, path: system.rm([f"{path}/{name}" for name in names]))

    def system(self) -> tuple[Any, str]:
        """Return the fsspec file system, None for a local folder, and the folder's path in it."""
        return (None, str(self.local)) if self.local is not None else open_system(str(self.place))

    def _remotely(self, what: str, function: Callable[[Any, str], Found]) -> Found:
        try:
            system, path = open_system(str(self.place))
            return function(system, path.rstrip("/"))
        except CustomLabelsError:
            raise
        except Exception as error:  # the client library of each protocol raises its own errors
            kind = MissingDependencyError if isinstance(error, ImportError) else InputError
            reason = why(str(self.place), error)
            raise kind(f"{self._argument}={self.place!r} cannot be {what}: {reason}") from error
