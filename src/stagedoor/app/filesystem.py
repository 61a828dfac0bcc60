"""What file system the data folder is on, and whether it can be trusted with a database and with secrets.

SQLite's write-ahead log is shared memory and its locks are the kernel's, as ours is on the folder: on a network file
system, or one that a program serves, two machines can both hold them. On a file system of another system's making,
permissions mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

_log = structlog.get_logger()
_MOUNTS: Final = Path("/proc/self/mountinfo")

SHARED: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "gfs2", "ocfs2", "glusterfs", "beegfs"}
    | {"9p", "virtiofs", "vboxsf", "prl_fs", "drvfs", "davfs", "coda", "orangefs", "fuse", "gpfs"}
)
"""Kinds whose files another machine may write; `fuse.…` is any kind that a program serves, such as sshfs."""

FOREIGN: Final = frozenset({"vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "hfs", "hfsplus"})
"""Kinds that know no owner and no permissions."""


def kind_of(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The kind of file system that holds the path, as the kernel calls it; `None` when it does not say."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    resolved = path.resolve()
    best: tuple[int, str] | None = None
    for line in lines:
        before, dash, after = line.partition(" - ")
        fields = before.split()
        if not dash or len(fields) < 5 or not after:
            continue
        mount = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4]))
        # A later line is mounted over an earlier one at the same place.
        if (mount == resolved or mount in resolved.parents) and (best is None or len(mount.parts) >= best[0]):
            best = len(mount.parts), after.split()[0]
    return None if best is None else best[1]


def doubts_about(folder: Path, kind: str | None) -> Sequence[str]:
    """Sentences about what is not to be trusted of the folder, which exists, on this kind of file system."""
    doubts: list[str] = []
    if kind is not None and (kind in SHARED or kind.startswith("fuse.")):
        doubts.append(
            f"The data folder {folder} is on a network or shared file system ({kind}), where locks do not hold between"
            " machines: a second Stagedoor on it, or its file server going away, can lose what was stored."
        )
    elif kind in FOREIGN:
        doubts.append(f"The data folder {folder} is on a file system of another system ({kind}).")
    open_to_others = [place for place in (folder, folder / "secrets.json") if _is_open(place)]
    if open_to_others:
        doubts.append(
            f"Other users of this machine can read {open_to_others[0]}: its file system does not keep permissions."
        )
    return doubts


def warn_about(folder: Path) -> None:
    """Log what is not to be trusted of a folder whose permissions have just been set."""
    kind = kind_of(folder)
    for doubt in doubts_about(folder, kind):
        _log.warning("data_folder_not_trusted", file_system=kind, reason=doubt, next=NEXT)


NEXT: Final = "Use a folder on a disk of this machine (--data-dir), or PostgreSQL (STAGEDOOR_DATABASE_URL)."


def _is_open(place: Path) -> bool:
    try:
        return place.stat().st_mode & 0o077 != 0
    except OSError:
        return False
