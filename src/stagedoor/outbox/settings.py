"""Outgoing webhooks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stagedoor.kernel.settings import Duration, InstallationSettings


class OutboxSettings(InstallationSettings):
    """Outgoing webhooks."""

    webhook_allow_private_targets: bool = Field(
        default=False,
        description="Let outgoing webhooks go to private and loopback addresses, and over http.",
    )
    webhook_timeout: Duration = Field(
        default=10, description="Seconds that one attempt to deliver an outgoing webhook may take."
    )
    webhook_retry_delays: tuple[Duration, ...] = Field(
        default=(5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400),
        description="Seconds before each further attempt to deliver an outgoing webhook; by default over three days.",
    )
    webhook_disable_after: Duration = Field(
        default=259_200,
        description="Seconds without a success after which a failing outgoing webhook is disabled.",
    )
    webhook_max_pending: Annotated[int, Field(ge=1)] = Field(
        default=100_000,
        description="Deliveries of outgoing webhooks that may wait for one organisation, and a hundredth of it for each"
        " endpoint whatever others have; then its events wait where they are stored.",
    )
    webhook_max_kept: Annotated[int, Field(ge=1)] = Field(
        default=100_000,
        description="Deliveries of one endpoint that are over and remembered; the oldest go first.",
    )
    webhook_keep_deliveries: Duration = Field(
        default=2_592_000, description="Seconds for which a delivery that is over is remembered."
    )
