"""What is made of a measurement: the limits, and the words for what cannot be made to happen here."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagedoor.app.network import Network
from stagedoor.doctor import browsers, clock, disk, media, pages
from stagedoor.doctor.signalling import Candidate
from stagedoor.doctor.stun import binding_request, is_answer
from stagedoor.doctor.webhook_rejections import not_taken, refused
from stagedoor.kernel.errors import OperatorError
from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.pages import files

MIB = 1 << 20


@pytest.mark.parametrize(
    ("free", "status"),
    [(99 * MIB, "broken"), (100 * MIB, "warning"), (1023 * MIB, "warning"), (1024 * MIB, "ok")],
)
def test_disk(free: int, status: str) -> None:
    assert disk.judge(Path("/data"), free).status == status


@pytest.mark.parametrize(
    ("ahead", "uncertain", "status"),
    [
        (0, 5, "ok"),
        (-2_000, 5, "ok"),
        (2_500, 600, "ok"),
        (2_700, 600, "warning"),
        (-59_000, 5, "warning"),
        (61_000, 5, "broken"),
        (-61_000, 5, "broken"),
    ],
)
def test_clock(ahead: int, uncertain: int, status: str) -> None:
    assert clock.judge(ahead, uncertain).status == status


def test_clock_names_who_is_late() -> None:
    assert "behind ours" in clock.judge(-5_000, 1).finding
    assert "ahead of ours" in clock.judge(5_000, 1).finding


@pytest.mark.parametrize(
    ("page", "livekit", "status"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:7880", "ok"),
        ("http://localhost:8080", "ws://localhost:7880", "ok"),
        ("https://calls.example.com", "wss://calls.example.com", "ok"),
        ("https://calls.example.com", "ws://calls.example.com:7880", "broken"),
        ("https://calls.example.com", "wss://localhost:7880", "broken"),
        ("http://10.0.0.5:8080", "ws://127.0.0.1:7880", "broken"),
        ("http://10.0.0.5:8080", "ws://10.0.0.5:7880", "warning"),
        ("http://[::1]:8080", "ws://[::1]:7880", "ok"),
    ],
)
def test_browsers(page: str, livekit: str, status: str) -> None:
    network = Network(page, page, Endpoint("http://127.0.0.1:7880", livekit, "key", "secret"), None)
    assert browsers.check(network).status == status


def test_pages_that_are_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_built() -> Path:
        raise OperatorError("The pages are not built.")

    monkeypatch.setattr(files, "static_folder", not_built)
    assert pages.check().status == "broken"
    assert "make pages" in pages.check().next


def test_pages_of_which_one_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "play.html").touch()
    monkeypatch.setattr(files, "static_folder", lambda: tmp_path)
    assert "embed, meet, publish, account, docs, unavailable" in pages.check().finding


HERE = Candidate("udp", "127.0.0.1", 7882)
ELSEWHERE = Candidate("udp", "203.0.113.7", 7882)
HERE_V6 = Candidate("udp", "::1", 7882)


@pytest.mark.parametrize(
    ("tried", "status"),
    [
        ({HERE: True}, "ok"),
        ({HERE: False}, "broken"),
        ({ELSEWHERE: False}, "warning"),
        ({ELSEWHERE: False, HERE_V6: True}, "warning"),
        ({HERE: True, HERE_V6: False}, "ok"),
        ({}, "broken"),
    ],
)
def test_udp(tried: dict[Candidate, bool], status: str) -> None:
    assert media.judge("udp", tried).status == status


def test_tcp_alone_is_never_fatal() -> None:
    assert media.judge("tcp", {Candidate("tcp", "127.0.0.1", 7881): False}).status == "warning"
    assert media.judge("tcp", {}).status == "skipped"


@pytest.mark.parametrize(
    "reason",
    [
        *("unknown_key", "bad_signature", "missing", "other_scheme", "not_jwt", "no_digest"),
        *("body_changed", "expired", "not_yet", "?"),
    ],
)
def test_every_refusal_has_a_next_step(reason: str) -> None:
    finding = refused("webhook", reason, "APIkey")
    assert finding.status == "broken"
    assert finding.finding.startswith("The webhook arrives, but ")
    assert finding.next


def test_a_proxys_own_authorization_is_not_taken_for_a_wrong_secret() -> None:
    finding = refused("webhook", "other_scheme", "APIkey")
    assert "secret" not in finding.finding + (finding.next or "")
    assert "proxy" in (finding.next or "")


@pytest.mark.parametrize("result", ["unavailable", "too_large", "malformed"])
def test_every_webhook_that_is_not_taken_has_a_next_step(result: str) -> None:
    assert not_taken("webhook", result).next


def test_a_stun_answer_is_distinguished_from_others() -> None:
    transaction = bytes(range(12))
    request = binding_request(transaction, "theirs:ours", "password")
    assert len(request) % 4 == 0
    assert int.from_bytes(request[2:4]) == len(request) - 20
    assert not is_answer(request, transaction)
    success = b"\x01\x01\x00\x00" + request[4:20]
    assert is_answer(success, transaction)
    assert not is_answer(success, bytes(12))
    assert not is_answer(success[:19], transaction)
