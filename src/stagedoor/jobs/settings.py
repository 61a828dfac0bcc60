"""Jobs."""

from __future__ import annotations

from pydantic import Field

from stagedoor.kernel.settings import Duration, InstallationSettings


class JobSettings(InstallationSettings):
    """Jobs."""

    jobs_keep_done: Duration = Field(default=86_400, description="Seconds for which a job that is done is remembered.")
    jobs_keep_ended: Duration = Field(
        default=2_592_000, description="Seconds for which a job that failed, died or was cancelled is remembered."
    )
