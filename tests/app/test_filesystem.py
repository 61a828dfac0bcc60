"""Where the data folder is: what is not to be trusted is reported, and a folder's name is no part of a URL."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stagedoor.app.datafolder import DataFolder
from stagedoor.app.filesystem import doubts_about, kind_of
from stagedoor.storage import Transaction, migrate, open_database

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:35 / /mnt/share rw,relatime shared:20 - nfs4 server:/export rw,vers=4.2
41 22 0:36 / /mnt/with\\040blank rw,relatime - fuse.sshfs host:/ rw
42 22 0:37 / /mnt/stick rw,relatime - exfat /dev/sdb1 rw
43 40 8:2 / /mnt/share/disk rw,relatime - ext4 /dev/sdc1 rw
44 22 8:3 / /mnt/stick rw,relatime - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/stagedoor", "ext4"),
        ("/mnt/share/data", "nfs4"),
        ("/mnt/share", "nfs4"),
        ("/mnt/shared", "ext4"),
        ("/mnt/with blank/data", "fuse.sshfs"),
        ("/mnt/share/disk/data", "ext4"),
        ("/mnt/stick/data", "tmpfs"),
    ],
)
def test_the_kind_is_the_mount_that_holds_the_path(tmp_path: Path, path: str, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert kind_of(Path(path), mounts) == kind


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs", "exfat", "fuseblk"])
def test_a_shared_or_foreign_one_is_doubted(tmp_path: Path, kind: str) -> None:
    tmp_path.chmod(0o700)
    (doubt,) = doubts_about(tmp_path, kind)
    assert str(tmp_path) in doubt
    assert kind in doubt


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", None])
def test_a_local_one_is_trusted(tmp_path: Path, kind: str | None) -> None:
    tmp_path.chmod(0o700)
    assert doubts_about(tmp_path, kind) == []


def test_permissions_that_do_not_stick_are_reported(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    secrets = tmp_path / "secrets.json"
    secrets.touch()
    secrets.chmod(0o777)
    (doubt,) = doubts_about(tmp_path, "ext4")
    assert str(secrets) in doubt


@pytest.mark.parametrize("name", ["x%20y", "x y", "a?b", "a?y=1", "#", "a&b", "ä'", "%"])
async def test_a_folders_name_is_no_part_of_a_url(tmp_path: Path, name: str) -> None:
    folder = DataFolder(tmp_path / name)
    await migrate(folder.database)
    database = await open_database(folder.database)

    def file(tx: Transaction) -> str:
        return str(tx.connection.exec_driver_sql("PRAGMA database_list").all()[0][2])

    try:
        assert await database.read(file) == str(tmp_path / name / "stagedoor.db")
    finally:
        await database.close()
    assert os.listdir(tmp_path) == [name], "and nothing beside it"
