"""What child processes are started with."""

from __future__ import annotations

import pytest

from stagedoor.processes.environment import environment_of_child


def test_a_child_gets_what_it_needs_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("STAGEDOOR_METRICS_TOKEN", "STAGEDOOR_WEBHOOK_EXTRA_KEYS", "LIVEKIT_API_SECRET", "AWS_SECRET_ACCESS_KEY")
    for name in (*secrets, "TZ", "GOGC"):
        monkeypatch.setenv(name, "value")
    made = environment_of_child("GOGC", "ABSENT", RUST_LOG="error")
    assert {"PATH", "TZ", "GOGC", "RUST_LOG"} <= made.keys()
    assert not {*secrets, "ABSENT"} & made.keys()
    assert made["RUST_LOG"] == "error"
