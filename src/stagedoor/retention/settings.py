"""Deleting what apps keep for no longer."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from stagedoor.kernel.durations import parse_duration
from stagedoor.kernel.settings import Duration, InstallationSettings

_LEAST: Final = 3_600
"""LiveKit may send an event again for some time."""


def _age(value: object) -> int:
    if value in {0, "0"}:
        return 0
    seconds = parse_duration(value if isinstance(value, int) else str(value))
    if seconds < _LEAST:
        raise ValueError("it is at least 1h, because LiveKit may send an event again for some time; or 0")
    return seconds


class RetentionSettings(InstallationSettings):
    """Deleting what apps keep for no longer."""

    retention_max_age: Annotated[int, BeforeValidator(_age)] = Field(
        default=0,
        description="Seconds for which events, LiveKit's own among them, and the audit trail are kept at the most,"
        " whatever apps decide; at least 1h. 0: as long as apps decide, and the audit trail without an end.",
    )
    retention_interval: Duration = Field(
        default=3_600, description="Seconds between two sweeps for what apps keep for no longer."
    )
