"""The state folder of a managed LiveKit, from which a later Stagedoor finds the process again.

    livekit.yaml    its configuration, with secrets, mode 0600
    livekit.log     what it printed, bounded, with livekit.log.1 before it
    livekit.json    which process it is (`Record`)
    lock            held by the Stagedoor that supervises it

The record is written before the process is started and again once its id is known. A Stagedoor that is
killed in between leaves a record without an id; the process is then found by its command line, which names
this folder's configuration and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from stagedoor.kernel.secretfile import write_private
from stagedoor.processes.procinfo import ProcessInfo, inspect, running_with


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One life of a managed LiveKit.

    Attributes:
        config: The fingerprint of the configuration it was started with.
        binary: The program, resolved.
        started_at_ms: When, in milliseconds since the epoch.
        pid: Its process id, 0 while it is being started.
        started_ticks: As `ProcessInfo.started_ticks`.
        boot_id: As `ProcessInfo.boot_id`.
        stopping: It has been asked to stop: it finishes its calls and is not to be adopted.
    """

    config: str
    binary: str
    started_at_ms: int
    pid: int = 0
    started_ticks: int = 0
    boot_id: str = ""
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder of one managed LiveKit; all calls block for milliseconds."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "livekit.yaml"

    @property
    def log(self) -> Path:
        return self.path / "livekit.log"

    @property
    def record(self) -> Path:
        return self.path / "livekit.json"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    def make(self) -> None:
        """Make the folder, for its owner only.

        Raises:
            OSError: It cannot be made.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.chmod(0o700)

    def arguments(self) -> tuple[str, ...]:
        """What follows the program in the command line; no other folder has the same."""
        return ("--config", str(self.config))

    def read(self) -> Record | None:
        """The record, None when there is none that can be understood."""
        try:
            return msgspec.json.decode(self.record.read_bytes(), type=Record)
        except (OSError, msgspec.MsgspecError):
            return None

    def write(self, record: Record) -> None:
        """Replace the record durably.

        Raises:
            OSError: It could not be written.
        """
        write_private(self.record, msgspec.json.encode(record).decode())

    def forget(self) -> None:
        """Remove the record: the process has ended as we wanted."""
        self.record.unlink(missing_ok=True)

    def find(self, record: Record | None) -> ProcessInfo | None:
        """The living process of this record, None when it has ended or the id is another process's now.

        Without a record, or with one from before the id was known, any process of this user that was started
        with this folder's configuration file.
        """
        if record is not None and record.pid:
            info = inspect(record.pid)
            if info is None or not info.is_same(record.pid, record.started_ticks, record.boot_id):
                return None
            return info if info.argv[-2:] == self.arguments() else None
        return next(iter(running_with(self.arguments())), None)

    @staticmethod
    def runs(info: ProcessInfo, binary: Path) -> bool:
        """Whether the process runs this very program: the file, not one that replaced it since."""
        # A script's executable is its interpreter; then the program is among the arguments.
        return info.executable == str(binary) or str(binary) in info.argv
