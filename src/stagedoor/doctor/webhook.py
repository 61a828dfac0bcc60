"""Does LiveKit's webhook really arrive? A room is made, and its event is waited for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Final

from stagedoor.doctor.context import Context
from stagedoor.doctor.counts import REFUSALS, RESULTS, webhook_counts
from stagedoor.doctor.instance import Instance
from stagedoor.doctor.probe import ProbeRoom
from stagedoor.doctor.result import CheckResult, broken, ok, skipped
from stagedoor.doctor.webhook_rejections import not_taken, refused
from stagedoor.mediaserver.config import webhook_section

CHECK = "webhook"
TIMEOUT_SECONDS: Final = 8.0
"""Longer than LiveKit's first three tries together, with waits of 1, 2 and 4 s between them."""
_ASK_EVERY_SECONDS: Final = 0.1
_LINGER_SECONDS: Final = 1.0
"""After some webhook was refused: was it ours?"""

Counts = Counter[tuple[str, str]]


async def check(
    context: Context,
    instance: Instance,
    probe: ProbeRoom,
    before: Counts | None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> CheckResult:
    """Wait for the room's `room_started` in the inbox.

    Args:
        scene: Where everything is.
        instance: The running instance.
        probe: The room, which has just been made.
        before: What was counted before it was.
        timeout_seconds: How long to wait.
    """
    began = time.monotonic()
    until = began + timeout_seconds
    while time.monotonic() < until:
        answer = await instance.get("inbox", {"room": probe.name})
        if answer.status != 200:
            return skipped(
                CHECK,
                f"The running Stagedoor does not show its inbox (status {answer.status}).",
                "Fix `stagedoor` first.",
            )
        if any(event["event"] == "room_started" for event in answer.json()["data"]):
            took = time.monotonic() - began
            return ok(CHECK, f"The event of a new room arrived within {took:.1f} s and its signature was right.")
        if _grown(before, await webhook_counts(instance)):
            until = min(until, time.monotonic() + _LINGER_SECONDS)
        await asyncio.sleep(_ASK_EVERY_SECONDS)
    return _why_not(context, before, await webhook_counts(instance), time.monotonic() - began)


def _grown(before: Counts | None, now: Counts | None) -> Counts:
    if before is None or now is None:
        return Counter()
    return Counter({key: count for key, count in (now - before).items() if key != (RESULTS, "stored")})


def _why_not(context: Context, before: Counts | None, now: Counts | None, waited: float) -> CheckResult:
    grown = _grown(before, now)
    endpoint = context.network.endpoint
    for (metric, label), _ in grown.most_common():
        if metric == REFUSALS:
            return refused(CHECK, label, endpoint.api_key)
    for (_, label), _ in grown.most_common():
        if label in {"malformed", "too_large", "unavailable"}:
            return not_taken(CHECK, label)
    section = webhook_section(endpoint.api_key, (f"{context.network.public_url}/webhooks/livekit",))
    unknown = "" if now is not None and before is not None else " (whether one was refused is unknown: no metrics)"
    if context.network.managed is not None:
        return broken(
            CHECK,
            f"No webhook arrived from our own LiveKit in {waited:.0f} s{unknown}.",
            f"LiveKit sends it to {context.network.local_url}/webhooks/livekit; see that no firewall or proxy setting"
            f" of this machine is between, and look into {context.folder / 'livekit' / 'livekit.log'}.",
        )
    return broken(
        CHECK,
        f"No webhook arrived in {waited:.0f} s{unknown}: LiveKit is not configured to send any, or cannot reach"
        " Stagedoor.",
        "Put this into LiveKit's configuration, with an address of Stagedoor that LiveKit's machine can reach, and"
        f" restart LiveKit:\n{section}",
    )
