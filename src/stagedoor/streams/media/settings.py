"""The installation's settings for media workers."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import Field

from stagedoor.kernel.settings import InstallationSettings


class MediaWorkerSettings(InstallationSettings):
    """The installation's settings for media workers."""

    media_load: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.8,
        description="Share of this machine's cores that media workers may take; further streams are refused.",
    )

    @property
    def media_cores(self) -> float:
        """How many cores they may take together."""
        return self.media_load * _cores()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
