"""Recognise network disks, on which several computers would corrupt an SQLite database."""

from __future__ import annotations

import os
import re
import socket
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from customlabels_nb.errors import StoreError
from customlabels_nb.store.sql import RUNNER, SqlStore

_NETWORK = re.compile(r"nfs\d*|cifs|smb\w*|9p|fuse\..+|lustre|ceph|afs|gpfs|beegfs|glusterfs|ocfs2|gfs2")
#: Files that are uploaded to a service later, such as Colab's fuse.drive.
_CLOUD = re.compile(r"fuse\.(drive|google-drive-ocamlfuse|rclone|onedriver|gcsfuse|s3fs|goofys|blobfuse2?|dbxfs)")
_LOCAL = ("fuse.fuse-overlayfs", "fuse.overlayfs", "fuse.lxcfs", "fuse.portal")  # of containers and desktops
_ESCAPED = re.compile(r"\\([0-7]{3})")
_SILENT_US = 120_000_000  # a computer that has not written for this long has stopped, or was started again
_NOTED_US = 30_000_000
_COMPUTER = f"{RUNNER}jobs computer"  # like the other records of what runs, it is left out of copies


def network_file_system(path: str | os.PathLike[str], mounts: str | None = None) -> str | None:
    """Return the type of the network file system that contains ``path``, None for a local disk.

    ``mounts`` is a mount table in the format of ``/proc/mounts``, by default this computer's. Without one, the disk
    counts as local.

    Examples
    --------
    >>> network_file_system("/home/anna/leaves", "server:/home /home nfs4 rw 0 0")
    'nfs4'
    """
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text("utf-8", "surrogateescape")
        except OSError:
            return None
    real, longest, name = os.path.realpath(path), "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        folder = _ESCAPED.sub(lambda code: chr(int(code[1], 8)), fields[1])
        inside = real == folder or real.startswith(folder.rstrip("/") + "/")
        if inside and len(folder) >= len(longest):  # a later mount on the same folder hides an earlier one
            longest, name = folder, fields[2]
    return name if _NETWORK.fullmatch(name) and name not in _LOCAL else None


def warning_for(path: str | os.PathLike[str], mounts: str | None = None) -> str | None:
    """Return a warning about a project with an SQLite database in the folder ``path`` on a network disk."""
    kind = network_file_system(path, mounts)
    if kind is None:
        return None
    if _CLOUD.fullmatch(kind):
        return (
            f"{os.fspath(path)!r} is on a mounted cloud drive ({kind}), which uploads changes later and has no locks "
            "between computers. Use the project on one computer at a time. At the end, call project.close() and "
            "unmount the drive, in Colab with drive.flush_and_unmount(). Or use a local disk, and copy the project to "
            "the drive with project.pack('project.zip')."
        )
    return (
        f"{os.fspath(path)!r} is on a network disk ({kind}). If two computers write to the project at the same time, "
        "its SQLite database can be damaged. Use a local disk, or a PostgreSQL database: create_project(store=…)."
    )


def refuse_network_disk(store: SqlStore, mounts: str | None = None) -> None:
    """Raise StoreError if several computers could write to labelling jobs in SQLite, or one just has."""
    location, schema = store.location
    if schema is not None or "://" in location:
        return
    advice = "Move the project to a local disk of one server, or to PostgreSQL: create_project(store=…)."
    if kind := network_file_system(location, mounts):
        raise StoreError(
            f"Labelling jobs cannot run here: {location!r} is on a network disk ({kind}), where several computers "
            f"would damage an SQLite database. {advice}"
        )
    computer, now = _computer(), time.time_ns() // 1000
    noted: Any = store.setting(_COMPUTER)
    if noted is not None and noted["id"] != computer and abs(now - noted["seen"]) < _SILENT_US:
        raise StoreError(
            f"Labelling jobs cannot run here: another computer ({noted['name']}) has just written to {location!r}, "
            f"and several computers would damage an SQLite database. {advice}"
        )
    if noted is None or noted["id"] != computer or now - noted["seen"] > _NOTED_US:
        seen = {"id": computer, "name": socket.gethostname(), "seen": now}
        store.change_setting(_COMPUTER, lambda old: seen)


def _computer() -> str:
    """Return an id of the running computer, which its containers share."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return f"{uuid.getnode():x}"
