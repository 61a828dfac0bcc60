"""doctor beside a running Stagedoor whose everything is in order."""

from __future__ import annotations

import subprocess

from tests.doctor.support import examine, run_doctor
from tests.support.product import Api, RunningProduct, eventually

CHECKS = {
    "stagedoor",
    "pages",
    "disk",
    "database",
    "ports",
    "browsers",
    "livekit",
    "livekit-key",
    "clock",
    "webhook",
    "udp",
    "tcp",
    "inbox",
    "jobs",
    "endpoints",
}
ABOUT_OTHERS = {"disk", "inbox", "jobs", "endpoints"}
"""The machine's disk may be small, and other tests of the session leave events of rooms that are no app's, and
webhooks that nobody takes."""


def test_every_check_is_ok(product: RunningProduct) -> None:
    code, findings = examine(product)
    assert set(findings) == CHECKS
    wrong = {name: found for name, found in findings.items() if found["status"] != "ok" and name not in ABOUT_OTHERS}
    assert not wrong
    assert code == 0


def test_media_is_proven_at_the_address_that_clients_get(product: RunningProduct) -> None:
    _, findings = examine(product)
    assert "answered an ICE check over UDP at 127.0.0.1:" in findings["udp"]["finding"]
    assert "answered an ICE check over TCP at 127.0.0.1:" in findings["tcp"]["finding"]


def test_ports_of_a_managed_livekit_are_found_without_flags(managed_product: RunningProduct) -> None:
    _, findings = examine(managed_product)
    assert f"TCP {managed_product.http_port} is used by" in findings["ports"]["finding"]
    assert findings["ports"]["finding"].count("livekit-server") == 3


async def test_the_probe_rooms_end_and_make_no_session(product: RunningProduct, api: Api) -> None:
    examine(product)

    async def finished() -> bool:
        newest = (await api("GET", "/inbox?limit=20"))["data"]
        probes = [event for event in newest if event["livekitRoom"].startswith("stagedoor.probe.")]
        return any(event["event"] == "room_finished" for event in probes)

    await eventually(finished)
    unclaimed = (await api("GET", "/inbox?state=unclaimed&limit=200"))["data"]
    assert not [event for event in unclaimed if event["livekitRoom"].startswith("stagedoor.probe.")]


def test_nothing_is_left_in_the_data_folder(managed_product: RunningProduct) -> None:
    """A second writer of the database would show by its files, a second owner by its own secrets."""
    before = {entry.name for entry in managed_product.data_dir.iterdir()}
    examine(managed_product)
    assert {entry.name for entry in managed_product.data_dir.iterdir()} == before


def test_the_answer_for_people(managed_product: RunningProduct) -> None:
    done = subprocess.run(
        managed_product.command("doctor"),
        env=managed_product.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "LiveKit takes the API key" in done.stdout
    assert " ok" in done.stdout.splitlines()[-1]


def test_settings_of_another_livekit_are_noticed(managed_product: RunningProduct) -> None:
    code, findings = run_doctor(
        "--data-dir",
        str(managed_product.data_dir),
        LIVEKIT_API_HOST="http://127.0.0.1:9",
        LIVEKIT_API_KEY="APIother",
        LIVEKIT_API_SECRET="another-secret-of-another-livekit-server",
    )
    assert code == 1
    assert findings["livekit"]["status"] == "broken"
    assert "uses a LiveKit that it runs itself" in findings["livekit"]["finding"]
    assert findings["webhook"]["status"] == "skipped"
