"""What is there: the settings, the data folder, whether Stagedoor runs on it, and its LiveKit.

Looking changes nothing: no folder, secret or database is made, because the operator may be another user than the
service.
"""

from __future__ import annotations

import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from stagedoor.app.datafolder import Secrets
from stagedoor.app.network import Network, lay_out
from stagedoor.doctor.instance import Address, read_address
from stagedoor.doctor.running_settings import as_started
from stagedoor.kernel.errors import OperatorError
from stagedoor.mediaserver.state import StateFolder
from stagedoor.processes.filelock import FileLock
from stagedoor.settings.installation import Settings

State = Literal["running", "starting", "stopped"]

# Stands in while there are none yet: nothing is signed with it that is sent anywhere.
_NO_SECRETS = Secrets("none", "none", "none", "none")


@dataclass(frozen=True, slots=True)
class Context:
    """What the checks look at.

    Attributes:
        settings: The settings; for a running instance those that it was started with, as far as can be seen.
        folder: The data folder, which need not exist.
        network: Every address.
        state: Whether Stagedoor runs on the data folder; `starting` when it holds it and cannot be asked yet.
        address: Of the running instance.
        livekit_pid: The living LiveKit that a Stagedoor on this folder started.
        other_livekit: The running instance does not use the LiveKit that our settings say.
    """

    settings: Settings
    folder: Path
    network: Network
    state: State
    address: Address | None
    livekit_pid: int | None
    other_livekit: bool


def look(settings: Settings) -> Context:
    """Look at everything. Blocks for milliseconds.

    Raises:
        OperatorError: The data folder is another user's.
    """
    folder = settings.data_dir.expanduser().absolute()
    address = None
    state: State = "stopped"
    try:
        if _is_held(folder):
            address = read_address(folder / "operator.json")
            state = "running" if address is not None else "starting"
        secrets = _secrets(folder)
    except PermissionError:
        raise OperatorError(_not_ours(folder)) from None
    livekit = StateFolder(folder / "livekit")
    record = livekit.read()
    process = livekit.find(record)
    started = as_started(settings, address, livekit.config if process else None)
    managed_runs = record is not None or process is not None
    return Context(
        settings=started,
        folder=folder,
        network=lay_out(started, secrets),
        state=state,
        address=address,
        livekit_pid=process.pid if process else None,
        other_livekit=state == "running" and settings.external == managed_runs,
    )


def _is_held(folder: Path) -> bool:
    lock_file = folder / "lock"
    if not lock_file.is_file():
        return False
    lock = FileLock(lock_file)
    held = not lock.try_acquire()
    lock.release()
    return held


def _secrets(folder: Path) -> Secrets:
    try:
        return msgspec.json.decode((folder / "secrets.json").read_bytes(), type=Secrets)
    except FileNotFoundError:
        return _NO_SECRETS
    except msgspec.MsgspecError:
        raise OperatorError(f"{folder / 'secrets.json'} is not whole; put the file back from a backup.") from None


def _not_ours(folder: Path) -> str:
    try:
        name = pwd.getpwuid(folder.stat().st_uid).pw_name
    except (OSError, KeyError):
        return f"The data folder {folder} cannot be read by this user; run the command as root."
    return f"The data folder {folder} belongs to {name}; run `sudo -u {name} stagedoor doctor`, or as root."
