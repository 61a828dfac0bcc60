"""The data folder: whose it is, and the secrets in it."""

from __future__ import annotations

import hashlib
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from stagedoor.kernel.errors import CallerMistake, OperatorError
from stagedoor.kernel.secretfile import private_folder, write_private
from stagedoor.processes.filelock import FileLock


@dataclass(frozen=True, slots=True)
class Secrets:
    """The installation's secrets, made once. Nodes of one installation share the file.

    Attributes:
        livekit_api_key: Key of the managed LiveKit.
        livekit_api_secret: Its secret.
        link_secret: Signs links to pages.
        sealing_secret: Seals what must be read again.
    """

    livekit_api_key: str
    livekit_api_secret: str
    link_secret: str
    sealing_secret: str


class DataFolder:
    """A data folder that this process holds.

    Args:
        path: Where it is; it is made when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        try:
            private_folder(self.path)
        except OSError as error:
            raise CallerMistake(f"The data folder {self.path} cannot be made: {error.strerror}.") from None
        self._lock = FileLock(self.path / "lock")

    @property
    def database(self) -> Path:
        """The SQLite file, which is used when no other database is configured."""
        return self.path / "stagedoor.db"

    @property
    def livekit(self) -> Path:
        return self.path / "livekit"

    @property
    def operator_file(self) -> Path:
        """Address and secret of the running instance, for the CLI of the same user."""
        return self.path / "operator.json"

    @property
    def node(self) -> str:
        """A name of this folder on this machine. The holder of the folder may assume that no other process lives that
        bore the name; a copy of the folder elsewhere has another one."""
        where = f"{socket.gethostname()}\n{self.path}\n{self.path.stat().st_ino}"
        return hashlib.sha256(where.encode()).hexdigest()[:12]

    def try_hold(self) -> bool:
        """False when another process holds the folder."""
        try:
            return self._lock.try_acquire()
        except OSError as error:
            raise OperatorError(f"The data folder {self.path} cannot be written: {error.strerror}.") from None

    def release(self) -> None:
        self._lock.release()

    def secrets(self) -> Secrets:
        """The secrets, made on the first call.

        Raises:
            OperatorError: The file cannot be read or is not whole.
        """
        file = self.path / "secrets.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=Secrets)
        except FileNotFoundError:
            pass
        except (OSError, msgspec.MsgspecError) as error:
            raise OperatorError(
                f"The secrets in {file} cannot be read ({error}); put the file back from a backup."
            ) from None
        made = Secrets(
            livekit_api_key=f"API{secrets.token_hex(6)}",
            livekit_api_secret=secrets.token_urlsafe(36),
            link_secret=secrets.token_urlsafe(36),
            sealing_secret=secrets.token_urlsafe(36),
        )
        try:
            write_private(file, msgspec.json.encode(asdict(made)).decode())
        except OSError as error:
            raise OperatorError(f"The data folder {self.path} cannot be written: {error.strerror}.") from None
        return made
