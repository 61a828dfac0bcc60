"""The summary for a person or a program when everything answers."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from stagedoor.api.addresses import account_link_url, rtmp_url
from stagedoor.app.firstrun import APP, ORGANISATION
from stagedoor.app.runtime import Runtime

_LINK_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Summary:
    """Where everything is, and what the first run made: an admin key, and a link for the account of the owner."""

    url: str
    rtmp_url: str | None
    api_key: str | None
    organisation: str
    app: str
    livekit_mode: str
    livekit_url: str
    livekit_version: str | None
    data_dir: str
    meet_url: str
    owner_url: str | None

    def line(self) -> bytes:
        """The one line of `--json`."""
        return msgspec.json.encode(
            {
                "ready": True,
                "url": self.url,
                "rtmp": self.rtmp_url,
                "apiKey": self.api_key,
                "ownerUrl": self.owner_url,
                "organisation": self.organisation,
                "app": self.app,
                "livekit": {
                    "mode": self.livekit_mode,
                    "url": self.livekit_url,
                    "version": self.livekit_version,
                },
                "dataDir": self.data_dir,
            }
        )


def summary_of(rt: Runtime) -> Summary:
    """The summary of an instance that has started."""
    network = rt.network
    token = rt.services.signer.sign("meet", f"{APP}-demo", _LINK_SECONDS)
    return Summary(
        url=network.public_url,
        rtmp_url=rtmp_url(rt.services),
        api_key=rt.api_key,
        organisation=ORGANISATION,
        app=APP,
        livekit_mode="external" if network.managed is None else "managed",
        livekit_url=network.endpoint.client_url,
        livekit_version=rt.livekit_version,
        data_dir=str(rt.folder.path),
        meet_url=f"{network.public_url}/meet/{APP}/{APP}-demo?token={token}",
        owner_url=None if rt.owner_link is None else account_link_url(rt.services, rt.owner_link),
    )
