"""What a check found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["ok", "warning", "broken", "skipped"]

NOTHING_TO_DO: Final = "Nothing to do."


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check.

    Attributes:
        check: The check's name, which does not change between versions.
        status: `broken` makes the command's exit code 1; `skipped` was not tried.
        finding: What is the case, in a sentence, with what was not proven.
        next: What to do.
    """

    check: str
    status: Status
    finding: str
    next: str


def ok(check: str, finding: str) -> CheckResult:
    return CheckResult(check, "ok", finding, NOTHING_TO_DO)


def warning(check: str, finding: str, next_step: str) -> CheckResult:
    return CheckResult(check, "warning", finding, next_step)


def broken(check: str, finding: str, next_step: str) -> CheckResult:
    return CheckResult(check, "broken", finding, next_step)


def skipped(check: str, finding: str, next_step: str) -> CheckResult:
    return CheckResult(check, "skipped", finding, next_step)
