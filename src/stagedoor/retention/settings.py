"""Deleting what apps keep for no longer."""

from __future__ import annotations

from pydantic import Field

from stagedoor.kernel.settings import Duration, InstallationSettings


class RetentionSettings(InstallationSettings):
    """Deleting what apps keep for no longer."""

    retention_interval: Duration = Field(
        default=3_600, description="Seconds between two sweeps for what apps keep for no longer."
    )
