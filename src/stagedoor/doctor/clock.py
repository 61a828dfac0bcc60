"""Do LiveKit's clock and ours agree? Tokens and webhook signatures are good for a time, and calls are measured."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from stagedoor.doctor.probe import ProbeRoom
from stagedoor.doctor.result import CheckResult, broken, ok, skipped, warning
from stagedoor.kernel.clock import now_ms
from stagedoor.mediaserver.endpoint import Endpoint, http_url

CHECK = "clock"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=8, connect=4)
WARN_ABOVE_MS: Final = 2_000
BROKEN_ABOVE_MS: Final = 60_000
"""LiveKit and Stagedoor let a signature be a minute early or late."""

_FIX = "Let both machines set their clocks by NTP: `timedatectl set-ntp true`, or chrony."


def check(probe: ProbeRoom) -> CheckResult:
    """LiveKit's time of the room's making against the middle of our question and its answer."""
    if probe.created_at is None:
        return skipped(CHECK, "This LiveKit does not say when it made the room.", "Use LiveKit 1.13.5 or newer.")
    middle = (probe.asked_at + probe.answered_at) // 2
    return judge(probe.created_at - middle, (probe.answered_at - probe.asked_at) // 2 + 1)


async def check_by_date(endpoint: Endpoint) -> CheckResult:
    """The same by the header `Date` of any answer: a clock that is minutes off is why LiveKit refuses our key, and then
    no room can be made."""
    asked = now_ms()
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"{http_url(endpoint.url)}/") as answer,
        ):
            answered, header = now_ms(), answer.headers.get("Date", "")
        date = int(parsedate_to_datetime(header).timestamp() * 1000)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return skipped(CHECK, "LiveKit's answer does not say what time it is.", "Fix `livekit-key` first.")
    # The header has whole seconds: the time is somewhere in that one.
    return judge(date + 500 - (asked + answered) // 2, (answered - asked) // 2 + 501)


def judge(ahead_ms: int, uncertain_ms: int) -> CheckResult:
    """The finding for a LiveKit that is `ahead_ms` before us, known to `uncertain_ms`."""
    least = max(0, abs(ahead_ms) - uncertain_ms)
    side = "ahead of" if ahead_ms > 0 else "behind"
    sentence = f"LiveKit's clock is {abs(ahead_ms) / 1000:.3f} s {side} ours (± {uncertain_ms / 1000:.3f} s)."
    if least > BROKEN_ABOVE_MS:
        return broken(CHECK, f"{sentence} Tokens and webhooks are refused.", _FIX)
    if least > WARN_ABOVE_MS:
        return warning(CHECK, f"{sentence} Times of calls will be wrong by as much.", _FIX)
    return ok(CHECK, sentence)
