"""Is the work done that was asked for: do jobs wait, were some given up?"""

from __future__ import annotations

from typing import Final

from stagedoor.doctor.instance import Instance
from stagedoor.doctor.result import CheckResult, ok, skipped, warning
from stagedoor.kernel.clock import from_rfc3339, now_ms

CHECK = "jobs"
_LATE_SECONDS: Final = 60


async def check(instance: Instance) -> CheckResult:
    """Look at jobs that are dead or failed, and at those whose time came long ago."""
    answers = [await instance.get("jobs", {"state": state, "limit": "200"}) for state in ("dead", "failed", "queued")]
    if any(answer.status != 200 for answer in answers):
        return skipped(CHECK, "The running Stagedoor does not show its jobs.", "Fix `stagedoor` first.")
    dead, failed, queued = (answer.json()["data"] for answer in answers)
    if given_up := dead + failed:
        kinds = ", ".join(sorted({job["kind"] for job in given_up}))
        first = given_up[0]
        return warning(
            CHECK,
            f"{len(given_up)} given up ({kinds}); the newest is {first['id']}: {first['error']}",
            "Once the cause is fixed, `stagedoor jobs retry job_…` does one again; `stagedoor jobs list --state dead`"
            " and `--state failed` name them.",
        )
    now = now_ms()
    late = [job for job in queued if now - from_rfc3339(job["runAt"]) > _LATE_SECONDS * 1000]
    if late:
        return warning(
            CHECK,
            f"{len(late)} should have been done more than {_LATE_SECONDS} s ago; the first is {late[-1]['kind']}.",
            "See the log, and how busy the machine is; /metrics has stagedoor_jobs_oldest_ready_seconds by kind.",
        )
    return ok(CHECK, "None was given up, and none waits for long.")
