"""Does media get through to LiveKit? A real ICE check, from this machine, to every address it gives to clients."""

from __future__ import annotations

import asyncio
import socket

import aiohttp

from stagedoor.doctor.connectivity import answers
from stagedoor.doctor.result import CheckResult, broken, ok, skipped, warning
from stagedoor.doctor.signalling import Candidate, ice_offer
from stagedoor.mediaserver.endpoint import Endpoint

UDP = "udp"
TCP = "tcp"
_NOT_PROVEN = "This was proven from this machine; a firewall before it was not tried."


async def check(endpoint: Endpoint, room: str) -> list[CheckResult]:
    """The findings for UDP and TCP."""
    try:
        async with ice_offer(endpoint, room) as offer:
            replies = await asyncio.gather(*(answers(candidate, offer) for candidate in offer.candidates))
            tried = dict(zip(offer.candidates, replies, strict=True))
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        reason = str(error) or "no offer in time"
        next_step = "Look into LiveKit's log; joining itself does not work."
        return [broken(UDP, f"LiveKit began no media connection: {reason}.", next_step)]
    return [judge(UDP, tried), judge(TCP, tried)]


def judge(protocol: str, tried: dict[Candidate, bool]) -> CheckResult:
    """The finding for one protocol from what was tried."""
    places = {place: answered for place, answered in tried.items() if place.protocol == protocol}
    if not places:
        return _none(protocol)
    silent = [place for place, answered in places.items() if not answered]
    answering = [place for place, answered in places.items() if answered]
    # Where there are addresses of both kinds, every client can use an IPv4 one and not every client an IPv6 one.
    needed = [place for place in places if ":" not in place.host] or list(places)
    if any(place in answering for place in needed):
        rest = f" {_names(silent)} gave no answer." if silent else ""
        way = protocol.upper()
        return ok(protocol, f"LiveKit answered an ICE check over {way} at {_names(answering)}.{rest} {_NOT_PROVEN}")
    silent = needed
    if all(not _is_here(place.host) for place in silent):
        return warning(
            protocol,
            f"LiveKit did not answer over {protocol.upper()} at {_names(silent)}, which is no address of this machine."
            " Behind NAT that can be so from inside and still work from outside.",
            f"Try from outside; let {protocol.upper()} port {silent[0].port} in to LiveKit's machine.",
        )
    return _silent(protocol, silent)


def _none(protocol: str) -> CheckResult:
    if protocol == UDP:
        return broken(
            UDP, "LiveKit offers no address over UDP.", "Set rtc.udp_port and rtc.node_ip in its configuration."
        )
    return skipped(
        TCP, "LiveKit offers no address over TCP.", "Set rtc.tcp_port if clients in networks without UDP come."
    )


def _silent(protocol: str, silent: list[Candidate]) -> CheckResult:
    sentence = f"LiveKit gives clients {_names(silent)} for {protocol.upper()} and does not answer there."
    next_step = (
        f"Let {protocol.upper()} port {silent[0].port} in on this machine's firewall, and see that the address is the"
        " one that clients reach (STAGEDOOR_NODE_IP, or rtc.node_ip of an external LiveKit)."
    )
    return broken(protocol, sentence, next_step) if protocol == UDP else warning(protocol, sentence, next_step)


def _names(places: list[Candidate]) -> str:
    return ", ".join(f"{f'[{place.host}]' if ':' in place.host else place.host}:{place.port}" for place in places)


def _is_here(host: str) -> bool:
    """Whether the address is one of this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True
