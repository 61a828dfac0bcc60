"""Do the outgoing webhooks' endpoints take what they are sent?"""

from __future__ import annotations

from stagedoor.doctor.instance import Instance
from stagedoor.doctor.result import CheckResult, ok, skipped, warning

CHECK = "endpoints"


async def check(instance: Instance) -> CheckResult:
    """Look for endpoints that were disabled for their failures, and for those that fail now."""
    answer = await instance.get("webhooks", {"limit": "200"})
    if answer.status != 200:
        return skipped(CHECK, "The running Stagedoor does not show its endpoints.", "Mend `stagedoor` first.")
    found = answer.json()["data"]
    for endpoint in found:
        if not endpoint["enabled"] and endpoint["disabledReason"] is not None:
            return warning(
                CHECK,
                f"{endpoint['id']} ({endpoint['url']}) was disabled: {endpoint['disabledReason']}",
                f"Try it with `POST /api/v1/webhooks/{endpoint['id']}/test`, whose answer says what fails; then enable"
                " it (`PATCH` with `enabled`) and send again what it missed (`POST …/recover?since=…`).",
            )
    for endpoint in found:
        if endpoint["enabled"] and endpoint["failingSince"] is not None:
            return warning(
                CHECK,
                f"{endpoint['id']} ({endpoint['url']}) has taken nothing since {endpoint['failingSince']}.",
                f"`GET /api/v1/webhooks/{endpoint['id']}/deliveries` shows each attempt and what came back.",
            )
    return ok(CHECK, "Each takes what it is sent." if found else "There are none.")
