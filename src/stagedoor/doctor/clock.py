"""Do LiveKit's clock and ours agree? Tokens and webhook signatures are good for a time, and calls are measured."""

from __future__ import annotations

from typing import Final

from stagedoor.doctor.probe import ProbeRoom
from stagedoor.doctor.result import CheckResult, broken, ok, skipped, warning

CHECK = "clock"
WARN_ABOVE_MS: Final = 2_000
BROKEN_ABOVE_MS: Final = 60_000
"""LiveKit and Stagedoor let a signature be a minute early or late."""

_MEND = "Let both machines set their clocks by NTP: `timedatectl set-ntp true`, or chrony."


def check(probe: ProbeRoom) -> CheckResult:
    """LiveKit's time of the room's making against the middle of our question and its answer."""
    if probe.created_at is None:
        return skipped(CHECK, "This LiveKit does not say when it made the room.", "Use LiveKit 1.13.5 or newer.")
    middle = (probe.asked_at + probe.answered_at) // 2
    return judge(probe.created_at - middle, (probe.answered_at - probe.asked_at) // 2 + 1)


def judge(ahead_ms: int, uncertain_ms: int) -> CheckResult:
    """The finding for a LiveKit that is `ahead_ms` before us, known to `uncertain_ms`."""
    least = max(0, abs(ahead_ms) - uncertain_ms)
    side = "ahead of" if ahead_ms > 0 else "behind"
    sentence = f"LiveKit's clock is {abs(ahead_ms) / 1000:.3f} s {side} ours (± {uncertain_ms / 1000:.3f} s)."
    if least > BROKEN_ABOVE_MS:
        return broken(CHECK, f"{sentence} Tokens and webhooks are refused.", _MEND)
    if least > WARN_ABOVE_MS:
        return warning(CHECK, f"{sentence} Times of calls will be wrong by as much.", _MEND)
    return ok(CHECK, sentence)
