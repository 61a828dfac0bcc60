"""Were events left over: about rooms that are no app's, or that could not be applied?"""

from __future__ import annotations

from typing import Any, Final

from stagedoor.doctor.instance import Instance
from stagedoor.doctor.result import CheckResult, ok, skipped, warning
from stagedoor.kernel.clock import from_rfc3339, now_ms
from stagedoor.tenancy.room_names import split

CHECK = "inbox"
_DAY_MS: Final = 86_400_000
_SHOWN: Final = 3


async def check(instance: Instance) -> CheckResult:
    """Look at the last day of the inbox."""
    answers = [await instance.get("inbox", {"state": state, "limit": "200"}) for state in ("failed", "unclaimed")]
    if any(answer.status != 200 for answer in answers):
        return skipped(CHECK, "The running Stagedoor does not show its inbox.", "Fix `stagedoor` first.")
    failed, unclaimed = (_recent(answer.json()["data"]) for answer in answers)
    if failed:
        return warning(
            CHECK,
            f"{_count(failed)} of the last day failed; the newest is {failed[0]['id']}: {failed[0]['error']}",
            "The log says why; once that is fixed, `stagedoor inbox replay EV_…` applies an event again.",
        )
    if unclaimed:
        return _no_session(unclaimed)
    return ok(CHECK, "Every event of the last day was taken in.")


def _recent(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    since = now_ms() - _DAY_MS
    return [event for event in events if from_rfc3339(event["receivedAt"]) >= since]


def _no_session(events: list[dict[str, Any]]) -> CheckResult:
    """The room's name says which app it belongs to; these names say none that exists."""
    names = list(dict.fromkeys(str(event["livekitRoom"]) for event in events))
    shown = ", ".join(repr(name) for name in names[:_SHOWN]) + (" and others" if len(names) > _SHOWN else "")
    apps = list(dict.fromkeys(parts[0] for name in names if (parts := split(name)) is not None))
    create = f", or make the app with `stagedoor apps create {apps[0]}`, which takes them in" if apps else ""
    return warning(
        CHECK,
        f"{_count(events)} of the last day found no session: no app has the rooms {shown}.",
        f"Name rooms after their app, such as live-demo for the app live{create}. Leave it if another product uses this"
        " LiveKit as well.",
    )


def _count(events: list[dict[str, Any]]) -> str:
    more = "200 or more" if len(events) >= 200 else str(len(events))
    return f"{more} event{'' if len(events) == 1 else 's'}"
