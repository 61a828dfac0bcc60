"""What LiveKit says of a participant that Stagedoor brought in."""

from __future__ import annotations

import json

import pytest

from stagedoor.mediaserver.livekit_event import decode_event


@pytest.mark.parametrize(
    ("participant", "kind"),
    [
        ({}, "standard"),
        ({"attributes": {"stagedoor.source": "rtmp"}}, "ingress"),
        ({"attributes": {"stagedoor.source": "camera"}}, "standard"),
        ({"attributes": {"stagedoor.source": "rtmp"}, "kind": "AGENT"}, "agent"),
        ({"attributes": {"stagedoor.source": "rtmp"}, "permission": {"canUpdateMetadata": True}}, "standard"),
        ({"kind": "INGRESS"}, "ingress"),
    ],
)
def test_the_participant_of_an_embedded_ingress_is_metered_as_an_ingress(
    participant: dict[str, object], kind: str
) -> None:
    about: dict[str, object] = {"sid": "PA_1", "identity": "obs", "permission": {"canPublish": True}}
    body = {"event": "participant_joined", "participant": about | participant}
    event = decode_event(json.dumps(body).encode())
    assert event.participant is not None
    assert event.participant.fact().kind == kind
