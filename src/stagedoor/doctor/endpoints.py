"""Do the outgoing webhooks' endpoints take what they are sent?"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from stagedoor.doctor.instance import Instance
from stagedoor.doctor.result import CheckResult, ok, skipped, warning

CHECK = "endpoints"
_REASONS_ASKED_FOR: Final = 20
"""How many failing endpoints are asked for what came back last; the others are named without it."""


async def check(instance: Instance) -> CheckResult:
    """Look for endpoints that were disabled for their failures, that fail now, or that events wait for."""
    found = await _all(instance)
    if found is None:
        return skipped(CHECK, "The running Stagedoor does not show its endpoints.", "Fix `stagedoor` first.")
    disabled = [one for one in found if not one["enabled"] and one["disabledReason"] is not None]
    failing = [one for one in found if one["enabled"] and one["failingSince"] is not None]
    behind = [one for one in found if one["enabled"] and one["behindSince"] is not None]
    if not disabled and not failing and not behind:
        return ok(CHECK, "Each takes what it is sent." if found else "There are none.")
    reasons = [await _last_failure(instance, one["id"]) for one in failing[:_REASONS_ASKED_FOR]]
    reasons += [""] * (len(failing) - len(reasons))
    sentences = [f"{_name(one)} was disabled: {one['disabledReason']}" for one in disabled]
    sentences += [
        f"{_name(one)} has taken nothing since {one['failingSince']}.{reason}"
        for one, reason in zip(failing, reasons, strict=True)
    ]
    sentences += [
        f"Events for {_name(one)} wait since {one['behindSince']}: {one['pending']} deliveries to it wait already."
        for one in behind
    ]
    return warning(CHECK, " ".join(sentences), " ".join(_steps(disabled, failing, behind)))


def _steps(disabled: list[dict[str, Any]], failing: list[dict[str, Any]], behind: list[dict[str, Any]]) -> list[str]:
    steps: list[str] = []
    if disabled:
        one = _one_or_any(disabled)
        steps.append(
            f"`stagedoor webhooks test {one}` says what fails. Then `stagedoor webhooks enable {one}`, and `stagedoor"
            f" webhooks recover {one} --since TIME` sends again what it missed."
        )
    if failing:
        steps.append(
            f"`stagedoor webhooks deliveries {_one_or_any(failing)}` lists what was sent; `stagedoor webhooks delivery`"
            " shows each attempt and what came back."
        )
    if behind:
        steps.append(
            "What waits is given out when the deliveries before it have ended; disable an endpoint that is not to come"
            f" back with `stagedoor webhooks disable {_one_or_any(behind)}`."
        )
    return steps


def _one_or_any(endpoints: list[dict[str, Any]]) -> str:
    return endpoints[0]["id"] if len(endpoints) == 1 else "WEBHOOK"


def _name(endpoint: dict[str, Any]) -> str:
    """The id and the host: the rest of a URL may hold a secret, and what doctor says is sent on."""
    return f"{endpoint['id']} ({urlsplit(str(endpoint['url'])).netloc})"


async def _all(instance: Instance) -> list[dict[str, Any]] | None:
    found: list[dict[str, Any]] = []
    query = {"limit": "200"}
    while True:
        answer = await instance.get("webhooks", query)
        if answer.status != 200:
            return None
        page = answer.json()
        found += page["data"]
        if (cursor := page["page"]["next"]) is None:
            return found
        query["cursor"] = cursor


async def _last_failure(instance: Instance, endpoint_id: str) -> str:
    """The detail of the last failed attempt, as a sentence that follows others; empty when there is none."""
    listed = await instance.get(f"webhooks/{endpoint_id}/deliveries", {"limit": "20"})
    for delivery in listed.json().get("data", ()):
        if delivery["lastOutcome"] in {None, "ok"}:
            continue
        one = await instance.get(f"webhooks/{endpoint_id}/deliveries/{delivery['id']}")
        if one.status == 200 and (history := one.json()["data"]["history"]):
            return f" The last attempt: {history[-1]['detail']}"
    return ""
