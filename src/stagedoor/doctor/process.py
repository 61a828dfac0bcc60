"""Does Stagedoor run?"""

from __future__ import annotations

from stagedoor.doctor.context import Context
from stagedoor.doctor.instance import Instance
from stagedoor.doctor.result import CheckResult, broken, ok, skipped, warning

CHECK = "stagedoor"
START = "Start it with `stagedoor up` or `systemctl start stagedoor`, then run `stagedoor doctor` again."


async def check(context: Context, instance: Instance | None) -> CheckResult:
    """Ask `/ready`."""
    if instance is None:
        if context.state == "starting":
            return warning(
                CHECK,
                f"A Stagedoor holds the data folder {context.folder} but cannot be asked yet.",
                "Wait some seconds and run `stagedoor doctor` again.",
            )
        return skipped(CHECK, f"No Stagedoor runs on the data folder {context.folder}.", START)
    answer = await instance.ready()
    if answer.status == 200:
        jumped = answer.json().get("data", {}).get("clock")
        if jumped:
            return warning(
                CHECK,
                f"Stagedoor runs and says that it is ready. {jumped} Retention waits for a day after a jump forward.",
                "Let the machine set its clock by NTP: `timedatectl set-ntp true`, or chrony.",
            )
        return ok(CHECK, f"Stagedoor runs, answers at {instance.url} and says that it is ready.")
    if answer.status == 503:
        reasons = " ".join(map(str, answer.json().get("reasons", ())))
        return broken(CHECK, f"Stagedoor runs but is not ready. {reasons}", "The findings below say what to fix.")
    return broken(
        CHECK,
        f"Stagedoor runs but does not answer at {instance.url}: {_why(answer.status, answer.body)}.",
        "Look into its log, and restart it if it hangs.",
    )


def _why(status: int, body: bytes) -> str:
    return f"status {status}" if status else body.decode("utf-8", "replace")
