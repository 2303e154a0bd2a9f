"""Tests of the detection of network disks, on mount tables of real machines."""

from __future__ import annotations

import sqlite3
import warnings
from pathlib import Path

import pandas as pd
import pytest

import customlabels_nb as cl
from customlabels_nb.core import tables as t
from customlabels_nb.diagnostics.checkup import database
from customlabels_nb.errors import DamagedError, StoreError
from customlabels_nb.jobs.worker import Worker
from customlabels_nb.project.location import open_project_store
from customlabels_nb.store import Action, SqlStore, create_store, network_disks
from customlabels_nb.store.network_disks import network_file_system, refuse_network_disk, warning_for
from customlabels_nb.store.sql import RUNNER
from tests.fake_clock import FakeClock
from tests.jobs.conftest import Place

#: Name of the setting with the computer that has written last.
COMPUTER = f"{RUNNER}jobs computer"
MOUNTS = """\
overlay / overlay rw,relatime 0 0
proc /proc proc rw 0 0
/dev/sda1 /home ext4 rw 0 0
server:/export/home /home/ann nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/ann/local xfs rw 0 0
//nas/photos /mnt/the\\040photos cifs rw 0 0
sshfs#ben@host:/ /mnt/ssh fuse.sshfs rw 0 0
fuse-overlayfs /containers fuse.fuse-overlayfs rw 0 0
/dev/sdc1 /mnt/stick fuseblk rw 0 0
mds1@tcp:/fs /scratch lustre rw 0 0
host /mnt/host 9p rw 0 0
10.0.0.1:6789:/ /mnt/ceph ceph rw 0 0
drive /content/drive fuse.drive rw,nosuid,nodev,relatime,user_id=0,group_id=0,allow_other,max_read=1048576 0 0
gdrive: /mnt/gdrive fuse.rclone rw 0 0
//nas/old /mnt/old smb3 rw 0 0
/dev/sdd1 /mnt/old ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/class", None),
        ("/home/ben", None),
        ("/home/ann", "nfs4"),
        ("/home/ann/leaves/project.db", "nfs4"),
        ("/home/anna/leaves", None),
        ("/home/ann/local/leaves", None),
        ("/mnt/the photos/x", "cifs"),
        ("/mnt/ssh/x", "fuse.sshfs"),
        ("/containers/x", None),
        ("/mnt/stick/x", None),
        ("/scratch/x", "lustre"),
        ("/mnt/host/x", "9p"),
        ("/mnt/ceph/x", "ceph"),
        ("/mnt/old/x", None),
        ("/content/drive/MyDrive/leaves", "fuse.drive"),
        ("/content/leaves", None),
    ],
)
def test_the_file_system_of_a_path_is_found(path: str, kind: str | None) -> None:
    assert network_file_system(path, MOUNTS) == kind


def test_a_link_to_a_network_disk_is_followed(tmp_path: Path) -> None:
    (tmp_path / "home").symlink_to("/home/ann")
    assert network_file_system(tmp_path / "home" / "leaves", MOUNTS) == "nfs4"


@pytest.mark.parametrize("mounts", ["", "broken\n\n a b", "x /home nfs4 rw 0 0"])
def test_a_table_without_the_disk_or_none_at_all_means_local(tmp_path: Path, mounts: str) -> None:
    assert network_file_system(tmp_path, mounts) is None


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/content/drive/MyDrive/leaves", "flush_and_unmount"),
        ("/mnt/gdrive/leaves", "one computer at a time"),
        ("/mnt/ssh/leaves", "PostgreSQL"),
    ],
)
def test_the_warning_says_what_is_safe_on_such_a_disk(path: str, advice: str) -> None:
    assert advice in str(warning_for(path, MOUNTS))
    assert warning_for("/content/leaves", MOUNTS) is None


def on_nfs(folder: Path) -> str:
    """Return a mount table in which a folder is on a network disk."""
    return f"/dev/sda1 / ext4 rw 0 0\nserver:/x {folder} nfs4 rw 0 0\n"


def test_jobs_are_refused_on_a_network_disk(store: SqlStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"network disk \(nfs4\).*local disk of one server, or to PostgreSQL"):
        refuse_network_disk(store, on_nfs(tmp_path))
    refuse_network_disk(store)


@pytest.fixture
def store(tmp_path: Path) -> SqlStore:
    """Return a store in a file."""
    return create_store(str(tmp_path / "project.db"), "leaves")


def test_two_computers_at_one_file_are_noticed(store: SqlStore, tmp_path: Path) -> None:
    refuse_network_disk(store)
    store.change_setting(COMPUTER, lambda noted: {**noted, "id": "another boot"})
    with pytest.raises(StoreError, match="another computer"):
        refuse_network_disk(store)
    store.change_setting(COMPUTER, lambda noted: {**noted, "seen": noted["seen"] - 200_000_000})
    refuse_network_disk(store)  # the other one was shut down
    store.copy_to(str(tmp_path / "copy.db"))
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT count(*) FROM meta WHERE key LIKE '%computer'").fetchone() == (0,)


def test_a_team_database_may_be_anywhere(postgres_url: str, tmp_path: Path) -> None:
    project = cl.create_project("leaves", tmp_path, store=postgres_url)
    store = open_project_store(project.root, postgres_url)
    refuse_network_disk(store, on_nfs(tmp_path))
    assert store.setting(COMPUTER) is None
    store.close()
    project.delete(confirm=True)


def test_projects_and_jobs_check_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = cl.create_project("leaves", tmp_path)
    images = t.normalise_images(pd.DataFrame({"image": ["a.jpg"]}))
    store = open_project_store(project.root)
    store.add_images("train", images, t.empty(t.ANNOTATION_COLUMNS), Action("import", "ann"))
    job = project.jobs.create("leaves-1")
    clock = FakeClock()
    worker = Worker(store, Place(project.root, store).number(job), "ann", clock=clock)
    real = network_disks.network_file_system
    monkeypatch.setattr(network_disks, "network_file_system", lambda path, mounts=None: real(path, on_nfs(tmp_path)))
    for use in (lambda: project.jobs.create("leaves-2"), lambda: job.worker("ben")):
        with pytest.raises(StoreError, match="nfs4"):
            use()
    clock.advance(31)
    with pytest.raises(StoreError, match="nfs4"):
        worker.lease(1)
    project.close()
    with pytest.warns(UserWarning, match=r"network disk \(nfs4\).*PostgreSQL") as caught:
        cl.load_project(project.root).close()
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="nfs4"):
        cl.create_project("other", tmp_path).close()


@pytest.mark.parametrize("failure", [DamagedError("disk I/O error"), StoreError("database is locked")])
def test_a_disk_without_locks_or_shared_memory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: StoreError
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("customlabels_nb.project.projects.create_project_store", fail)
    with pytest.raises(StoreError, match=str(failure)):
        cl.create_project("leaves", tmp_path)
    real = network_disks.network_file_system
    monkeypatch.setattr(network_disks, "network_file_system", lambda path, _=None: real(path, on_nfs(tmp_path)))
    with pytest.raises(StoreError, match=r"SQLite does not work there.*network disk \(nfs4\)"):
        cl.create_project("leaves", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_doctor_reports_network_disks(tmp_path: Path) -> None:
    line = database(tmp_path, on_nfs(tmp_path))
    assert (line.state, "nfs4" in line.text, "PostgreSQL" in line.advice) == ("warning", True, True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert database(tmp_path, MOUNTS).state == "good"
