"""The installation's settings for pulled URLs."""

from __future__ import annotations

from ipaddress import ip_network

from pydantic import Field, field_validator

from stagedoor.kernel.settings import InstallationSettings


class PullSettings(InstallationSettings):
    """Pulled URLs."""

    pull_allowed_networks: tuple[str, ...] = Field(
        default=(),
        description="Private, loopback and link-local networks in which pulled URLs may lie, such as those of cameras"
        " on the LAN: 192.168.1.0/24. Addresses of the internet may always be pulled.",
    )

    @field_validator("pull_allowed_networks")
    @classmethod
    def _pull_networks_are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network)
            except ValueError:
                raise ValueError(f"{network} is no network; write it as 192.168.1.0/24") from None
        return value
