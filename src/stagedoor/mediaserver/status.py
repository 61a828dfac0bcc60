"""How a managed LiveKit is, as values to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Started:
    """How `ManagedLiveKit.start` went.

    Attributes:
        adopted: It was running already, left by a Stagedoor that was killed.
        pid: Its process id.
        version: What the binary calls itself, such as `1.13.5`.
    """

    adopted: bool
    pid: int
    version: str


@dataclass(frozen=True, slots=True)
class Status:
    """How LiveKit is now.

    Attributes:
        state: `restarting` from the moment it was lost until it answers again.
        pid: None unless it runs.
        restarts: How often it was started again since `ManagedLiveKit.start`.
        last_exit: Exit code of the last life, negative for a signal; None when there was none, or when it
            cannot be known, as with an adopted process.
        last_problem: Why it was lost or could not be started again, a sentence.
        started_at_ms: When the present life began, in milliseconds since the epoch, also before adoption.
    """

    state: Literal["stopped", "starting", "running", "restarting"] = "stopped"
    pid: int | None = None
    restarts: int = 0
    last_exit: int | None = None
    last_problem: str | None = None
    started_at_ms: int | None = None
