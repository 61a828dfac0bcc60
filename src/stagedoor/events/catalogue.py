"""Every type of event: what it means, and what its `detail` looks like. The documentation is made from this.

A field may be added to a type; what is there keeps its name and meaning for as long as `VERSION` stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event.

    Attributes:
        meaning: What happened.
        subject: An example of what it is about.
        detail: An example of the event's other fields.
    """

    meaning: str
    subject: str
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


_ROOM: Final = "live-demo"
_PERSON: Final = {"sid": "PA_5vQ2mT8xYb1c"}
_TRACK: Final = {
    "kind": "video",
    "source": "camera",
    "mimeType": "video/VP8",
    "identity": "phone-42",
    "participantSid": "PA_5vQ2mT8xYb1c",
}

_FOLDER: Final = "transcripts/org_01JDA8R3S2Y6Q0V9X4T7W5Z1BC/app_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"
_ARCHIVE: Final = f"{_FOLDER}/ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC/transcript"
_ENDED: Final = {
    "sessionId": "ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC",
    "disposition": "completed",
    "durationMs": 1_800_000,
    "usage": {
        "participantMinutes": 59.0,
        "audioTrackMinutes": 58.0,
        "videoTrackMinutes": 29.5,
        "ingressMinutes": 0.0,
        "egressMinutes": 0.0,
        "recordingMinutes": 0.0,
        "cameraMinutes": 0.0,
        "viewerMinutes": 0.0,
    },
}

_INGRESS: Final = {
    "ingressId": "igr_01JDA8R3S2Y6Q0V9X4T7W5Z1BC",
    "inputType": "rtmp",
    "identity": "obs",
    "name": "Main stage",
}
_VIDEO: Final = {
    "codec": "h264",
    "profile": "High",
    "width": 1280,
    "height": 720,
    "fps": 25.0,
    "bitrate": 2_500_000,
    "passthrough": True,
    "reason": None,
}
_AUDIO: Final = {"codec": "aac", "sampleRate": 48_000, "channels": 2, "bitrate": 128_000, "passthrough": False}

CATALOGUE: Final[dict[str, EventType]] = {
    "session.started": EventType("A room came to life.", _ROOM, {"roomSid": "RM_hycBMAjmt6Ub"}),
    "session.ended": EventType(
        "A session ended: its disposition and its usage. Sent once for each session, so bills can be made from it.",
        _ROOM,
        _ENDED,
    ),
    "session.corrected": EventType(
        "Late events changed what `session.ended` reported; this is the whole report again.", _ROOM, _ENDED
    ),
    "session.reopened": EventType("LiveKit lists a session that we had closed.", _ROOM),
    "participant.joined": EventType(
        "A participant became active.", "phone-42", _PERSON | {"name": "Ada", "kind": "standard"}
    ),
    "participant.left": EventType(
        "A participant left, for LiveKit's reason.",
        "phone-42",
        _PERSON | {"reason": "CLIENT_INITIATED", "durationMs": 1_790_000},
    ),
    "participant.aborted": EventType(
        "A participant tried to come in and did not arrive.",
        "phone-42",
        _PERSON | {"reason": "JOIN_FAILURE", "durationMs": None},
    ),
    "participant.reopened": EventType("LiveKit lists a participant that we had closed.", "phone-42", _PERSON),
    "participant.updated": EventType(
        "A caller changed a participant.", "phone-42", _PERSON | {"changed": ["name", "metadata"]}
    ),
    "participant.removed": EventType(
        "A caller removed a participant, or a ban kept one out (then `because` is there instead).",
        "phone-42",
        {"bannedUntil": "2026-01-31T12:10:00.000Z"},
    ),
    "track.published": EventType("A track was published.", "TR_VCd3xZ9q4Yb7aE", _TRACK),
    "track.unpublished": EventType("A track is over.", "TR_VCd3xZ9q4Yb7aE", _TRACK),
    "track.reopened": EventType("LiveKit lists a track that we had closed.", "TR_VCd3xZ9q4Yb7aE", _TRACK),
    "track.muted": EventType(
        "A caller muted or unmuted a track.", "TR_VCd3xZ9q4Yb7aE", {"identity": "phone-42", "muted": True}
    ),
    "room.created": EventType("A caller created a room.", _ROOM, {"metadata": "{}"}),
    "room.updated": EventType("A caller changed a room.", _ROOM, {"metadata": "{}"}),
    "room.deleted": EventType("A caller ended a room.", _ROOM, {"metadata": "{}"}),
    "data.sent": EventType(
        "A caller sent data into a room.", _ROOM, {"topic": "alerts", "bytes": 42, "identities": ["phone-42"]}
    ),
    "egress.started": EventType(
        "LiveKit's egress service began.", "EG_8bXq2wPz", {"egressId": "EG_8bXq2wPz", "status": "egress_starting"}
    ),
    "egress.updated": EventType(
        "LiveKit's egress service reported a change.",
        "EG_8bXq2wPz",
        {"egressId": "EG_8bXq2wPz", "status": "egress_active"},
    ),
    "egress.ended": EventType(
        "LiveKit's egress service ended.", "EG_8bXq2wPz", {"egressId": "EG_8bXq2wPz", "status": "egress_complete"}
    ),
    "ingress.started": EventType(
        "An ingress began to publish. Where LiveKit's Ingress service runs it, this and `ingress.ended` are events of"
        " the service: `ingressId` is its id there (`IN_…`), besides it are `identity`, `status` and `error`.",
        "obs",
        _INGRESS | {"status": "publishing", "video": _VIDEO, "audio": _AUDIO},
    ),
    "ingress.updated": EventType(
        "What an ingress publishes has changed, or it was interrupted (`reconnecting`, with `error`) or goes on.",
        "obs",
        _INGRESS
        | {
            "status": "reconnecting",
            "video": _VIDEO,
            "audio": _AUDIO,
            "error": {"code": "livekit_unreachable", "message": "LiveKit does not answer."},
        },
    ),
    "ingress.ended": EventType(
        "An ingress does not publish any more: why, for how long it did, and how often it was interrupted.",
        "obs",
        _INGRESS | {"reason": "encoder_left", "durationMs": 3_600_000, "restarts": 0},
    ),
    "ingress.failed": EventType(
        "An ingress ended, or could not begin, because of an error. A failure that repeats itself is sent once.",
        "obs",
        _INGRESS
        | {
            "error": {
                "code": "unsupported_codec",
                "message": "The video is H.265, which the room does not take; set the encoder to H.264.",
            },
            "durationMs": 0,
            "restarts": 0,
        },
    ),
    "camera.online": EventType(
        "A camera began to send frames to a room.",
        "camera",
        {"cameraId": "cam_01JDA8R3S2Y6Q0V9X4T7W5Z1BC", "name": "Front door"},
    ),
    "camera.offline": EventType(
        "A camera does not send any more: why, for how long it did, and how many frames were taken and dropped.",
        "camera",
        {
            "cameraId": "cam_01JDA8R3S2Y6Q0V9X4T7W5Z1BC",
            "name": "Front door",
            "reason": "idle",
            "durationMs": 3_600_000,
            "frames": 54_000,
            "dropped": 12,
        },
    ),
    "transcript.archived": EventType(
        "A session's transcript is in the object storage as JSON, WebVTT and plain text.",
        "ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC",
        {
            "sessionId": "ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC",
            "segments": 42,
            "interruptions": 0,
            "truncated": False,
            "objects": {ending: f"{_ARCHIVE}.{ending}" for ending in ("json", "vtt", "txt")},
        },
    ),
    "webhook.disabled": EventType(
        "An outgoing webhook's endpoint was disabled, because it went on failing.",
        "whe_01JDA8R3S2Y6Q0V9X4T7W5Z1BC",
        {
            "endpoint": "whe_01JDA8R3S2Y6Q0V9X4T7W5Z1BC",
            "host": "backend.example.com",
            "reason": "It answered 410 Gone.",
        },
    ),
}
"""Every type of event."""
