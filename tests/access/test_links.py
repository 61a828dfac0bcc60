"""A link that was read before is read again as the first time, and no longer than it lives."""

from __future__ import annotations

import pytest

from stagedoor.access import links
from stagedoor.access.links import LinkSigner

SECRET = "a-secret-that-signs-links-and-is-long-enough"


def test_a_link_that_was_read_ends_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = LinkSigner(SECRET)
    token = signer.sign("play", "live-demo", ttl=60)
    link = signer.read(token)
    assert link is not None
    assert signer.read(token) == link
    monkeypatch.setattr(links, "now_ms", lambda: link.expires_at - 1)
    assert signer.read(token) == link
    monkeypatch.setattr(links, "now_ms", lambda: link.expires_at)
    assert signer.read(token) is None
    assert signer.read(token) is None


def test_links_that_were_read_open_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_KEPT", 3)
    signer = LinkSigner(SECRET)
    tokens = [signer.sign("play", f"live-{number}", ttl=60) for number in range(10)]
    for _ in range(2):
        for number, token in enumerate(tokens):
            link = signer.read(token)
            assert link is not None
            assert link.livekit_room == f"live-{number}"
            assert signer.read(f"{token[:-4]}AAAA") is None
            assert LinkSigner("another-secret-that-signs-links-too").read(token) is None
