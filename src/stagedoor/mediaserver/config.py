"""The configuration that a managed LiveKit is started with.

Every key is one that LiveKit 1.13.5 knows: it decodes its YAML strictly and ends over an unknown key
(pkg/config/config.go, `KnownFields`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import yaml

from stagedoor.kernel.errors import CallerMistake
from stagedoor.mediaserver.network import choose_network
from stagedoor.mediaserver.settings import DEPARTURE_TIMEOUT, EMPTY_TIMEOUT

__all__ = ["NO_STUN", "ManagedConfig", "choose_network", "fingerprint", "render", "webhook_section"]

NO_STUN: Final = "127.0.0.1:3478"
"""The STUN server that clients receive when the operator names none: their own loopback address.

Without `rtc.stun_servers`, or with an empty list, LiveKit sends every client to the STUN servers of
Twilio and Google, whatever `node_ip` says (pkg/service/roommanager.go, `iceServersForParticipant`; seen in the join
response, which tests/mediaserver/test_join.py repeats). Naming any server is the only way out, and one on
the client's own loopback neither leaves the client's machine nor costs time: nothing listens there, so the
answer is an ICMP refusal, and the SDK connects in 30 ms as it does without (with LiveKit's own UDP port,
which swallows the question, in 150 ms). A browser reports the end of gathering some seconds later, which
does not matter to clients that trickle candidates, as LiveKit's do. No connection path is lost: LiveKit is reachable
at its node IP, and learns the address of a client behind NAT from the client's connectivity checks.
"""


@dataclass(frozen=True, slots=True)
class ManagedConfig:
    """What differs between one managed LiveKit and another.

    Attributes:
        http_port: Signalling, Twirp and WHIP, on `bind_addresses`.
        tcp_port: ICE over TCP; LiveKit listens on all interfaces, whatever `bind_addresses` says
            (mediatransportutil, rtcconfig/webrtc_config.go, `ListenTCP`). 0 turns it off.
        udp_port: All media over UDP, one port.
        bind_addresses: IP addresses for `http_port`.
        node_ip: The address that clients send media to. Always set, so that LiveKit does not
            ask STUN servers for it.
        loopback: All clients are on this machine: media listens on loopback only.
        api_key: The key that Stagedoor uses, and that LiveKit signs its webhooks with.
        api_secret: Its secret; LiveKit complains about less than 32 characters.
        extra_keys: Further keys and secrets, such as an older pair while it is being replaced.
        webhook_urls: Where LiveKit sends its events.
        stun_servers: `host:port` of STUN servers for clients; no third party's by default.
        overrides: Laid over the result, section by section, for what has no field here, such as `turn`.

    Raises:
        CallerMistake: A port is out of range, or two of them are the same.
    """

    http_port: int
    tcp_port: int
    udp_port: int
    bind_addresses: tuple[str, ...]
    node_ip: str
    loopback: bool
    api_key: str
    api_secret: str = field(repr=False)
    extra_keys: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    webhook_urls: tuple[str, ...] = ()
    stun_servers: tuple[str, ...] = ()
    overrides: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    def __post_init__(self) -> None:
        for flag, port, lowest in (
            ("--livekit-port", self.http_port, 1),
            ("--livekit-tcp-port", self.tcp_port, 0),
            ("--livekit-udp-port", self.udp_port, 1),
        ):
            if not lowest <= port <= 65535:
                raise CallerMistake(f"{flag} {port} is not a port; give one from {lowest} to 65535.")
        if self.http_port == self.tcp_port:
            raise CallerMistake(
                f"--livekit-port and --livekit-tcp-port are both {self.http_port}; give them different ports."
            )


def render(config: ManagedConfig) -> str:
    """LiveKit's YAML for this configuration; it holds secrets. The same input gives the same text."""
    rtc: dict[str, object] = {
        "tcp_port": config.tcp_port,
        "udp_port": config.udp_port,
        "node_ip": config.node_ip,
        "use_external_ip": False,  # true asks a STUN server before it starts, and fails offline
        "enable_loopback_candidate": config.loopback,
        "stun_servers": list(config.stun_servers or (NO_STUN,)),
    }
    if config.loopback:
        # Otherwise the UDP port is open on every interface, although no client learns of it.
        rtc["ips"] = {"includes": ["127.0.0.0/8", "::1/128"]}
    document: dict[str, object] = {
        "port": config.http_port,
        "bind_addresses": list(config.bind_addresses),
        "rtc": rtc,
        "keys": {config.api_key: config.api_secret, **config.extra_keys},
        "webhook": _webhook(config.api_key, config.webhook_urls),
        "room": {
            "auto_create": True,
            "empty_timeout": EMPTY_TIMEOUT,
            "departure_timeout": DEPARTURE_TIMEOUT,
        },
        # JSON lines keep apart from the plain line in which LiveKit says why it ended (cmd/server/main.go).
        "logging": {"json": True, "level": "info", "pion_level": "error"},
    }
    return _yaml(_laid_over(document, config.overrides))


def webhook_section(api_key: str, urls: tuple[str, ...]) -> str:
    """The part of a configuration that the operator of an external LiveKit has to add, as YAML."""
    return _yaml({"webhook": _webhook(api_key, urls)})


def fingerprint(rendered: str) -> str:
    """A hash that identifies a rendered configuration without keeping its secrets."""
    return hashlib.sha256(rendered.encode()).hexdigest()


def _webhook(api_key: str, urls: tuple[str, ...]) -> dict[str, object]:
    # The key is set without URLs too: an egress request may bring its own, and when it names no key and
    # there is none here, 1.13.5 locks its telemetry indefinitely (protocol, webhook/resource_url_notifier.go).
    return {"api_key": api_key, "urls": list(urls)}


def _laid_over(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    result = dict(below)
    for name, value in above.items():
        old = result.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[name] = _laid_over(cast("Mapping[str, object]", old), cast("Mapping[str, object]", value))
        else:
            result[name] = value
    return result


def _yaml(document: Mapping[str, object]) -> str:
    # Any: the stubs of PyYAML give dump the type of its stream's content.
    text: Any = yaml.safe_dump(dict(document), sort_keys=False, default_flow_style=False, allow_unicode=True)
    return str(text)
