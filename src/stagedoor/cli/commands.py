"""Every verb that is one request of the REST contract: the table, and what its columns mean.

A verb's parameters go where its path names them, else into the query of a GET or DELETE and the body of any other
request, under their names in camelCase.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

Type = Literal["text", "number", "flag", "texts", "assignments"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument or option of a verb.

    Attributes:
        name: In Python's spelling; the option is `--name-with-hyphens`.
        help: What it means.
        positional: An argument rather than an option.
        required: It has no default and must be given.
        type: `texts` may be repeated; `assignments` are NAME=VALUE, and repeated.
        default: What is sent when it is not given; `None` sends nothing.
        field: Its name on the wire, when that is not its own in camelCase.
        into: Where it goes, when that is not as the module says.
    """

    name: str
    help: str
    positional: bool = False
    required: bool = False
    type: Type = "text"
    default: Any = None
    field: str | None = None
    into: Literal["query", "body"] | None = None

    @property
    def wire(self) -> str:
        """Its name on the wire."""
        if self.field is not None:
            return self.field
        first, *others = self.name.split("_")
        return first + "".join(word.capitalize() for word in others)


@dataclass(frozen=True, slots=True)
class Verb:
    """One request.

    Attributes:
        name: What the operator types after the group's name.
        method: Of the request.
        path: Under `/api/v1`, with `{parameter}` in it.
        help: What it does.
        parameters: In the order in which arguments are given.
        columns: What a table for people shows; without any, the answer is printed as JSON.
        pages: The answer is a list in pages: `all` fetches them all, `limit` so many items.
        text: The answer may be a text, and is then printed as it is.
        prepare: Changes the body before it is sent, knowing what was given.
        line: The one line that a person wants to see of the answer.
        error: A field of the answer; when it is not null, the verb fails after it has printed the answer.
    """

    name: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    help: str
    parameters: tuple[Parameter, ...] = ()
    columns: tuple[str, ...] = ()
    pages: Literal["all", "limit"] | None = None
    text: bool = False
    prepare: Callable[[dict[str, Any], dict[str, Any]], None] | None = None
    line: Callable[[dict[str, Any], dict[str, Any]], str | None] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Verbs about one thing.

    Attributes:
        alias: The group's old name, which goes on working and says so.
    """

    name: str
    help: str
    verbs: tuple[Verb, ...]
    alias: str | None = None


def _arg(name: str, help: str, field: str | None = None) -> Parameter:
    return Parameter(name, help, positional=True, required=True, field=field)


def _opt(name: str, help: str, type: Type = "text", **more: Any) -> Parameter:
    return Parameter(name, help, type=type, **more)


APP: Final = _opt("app", "The app's slug or id.", default="live")
IN_ORGANISATION: Final = _opt("organisation", "The organisation's slug or id.", default="default")
FORCE: Final = _opt("force", "Also when something in it is live.", "flag")
LIMIT: Final = _opt("limit", "How many; 200 at the most.", "number", default=50)
SINCE: Final = _opt("since", "RFC 3339 time: from then on.")
UNTIL: Final = _opt("until", "RFC 3339 time: before then.")
NAME: Final = _opt("name", "Name for people.")
REFERENCE: Final = _arg("reference", "Slug or id.")
ROOM: Final = _arg("room", "The room's short or LiveKit name.")
IDENTITY: Final = _arg("identity", "The participant's identity.")
SESSION: Final = _arg("session", "The session's id, ses_…")
WEBHOOK: Final = _arg("webhook", "The webhook's id, wh_…")
ONLY_ORGANISATION: Final = _opt("organisation", "Only this organisation's; slug or id.")
ONLY_APP: Final = _opt("app", "Only this app's; slug or id.")

_ORGANISATION: Final = ("id", "slug", "name", "createdAt")
_APP: Final = ("id", "slug", "name", "organisation", "createdAt")
_APP_SETTINGS: Final = (*_APP, "settings")
_KEY: Final = ("id", "name", "hint", "scopes", "organisation", "app", "expiresAt", "lastUsedAt")
_USER: Final = ("id", "email", "name", "operator", "disabledAt", "createdAt")
_MEMBER: Final = ("id", "email", "name", "role", "disabled", "joinedAt")
_INVITATION: Final = ("id", "role", "email", "invitedBy", "expiresAt")
_ROOM: Final = ("name", "livekitRoom", "state", "participants", "metadata", "createdAt")
_ACCESS: Final = ("level", "users", "emails", "own")
_ROOM_ROLE: Final = ("user", "role", "applied", "reason")
_PARTICIPANT: Final = ("identity", "name", "kind", "state", "joinedAt", "sid")
_SESSION: Final = (
    "id",
    "room",
    "state",
    "kind",
    "startedAt",
    "endedAt",
    "durationMs",
    "disposition",
    "peakParticipants",
)
_CAMERA: Final = ("id", "name", "room", "enabled", "live", "bridged", "viewers", "lastSeenAt")
_CAMERA_KEY: Final = ("id", "room", "streamKey", "wsUrl")
_INGRESS: Final = ("ingressId", "inputType", "roomName", "participantIdentity", "enabled", "state.status", "url")
_INGRESS_KEY: Final = ("ingressId", "roomName", "url", "streamKey")
_INBOX: Final = ("seq", "id", "event", "livekitRoom", "receivedAt", "state", "attempts", "error")
_JOB: Final = ("id", "kind", "state", "runAt", "attempts", "error")
_WEBHOOK: Final = (
    "id",
    "url",
    "types",
    "enabled",
    "ordered",
    "organisation",
    "app",
    "failingSince",
    "behindSince",
    "disabledReason",
)
_DELIVERY: Final = ("id", "type", "state", "attempts", "createdAt", "deliveredAt", "lastOutcome", "lastStatus")
_TRANSCRIPT: Final = ("session", "room", "state", "startedAt", "endedAt", "interruptions")
_AUDIT: Final = ("at", "actor", "action", "target", "organisation", "app")
_USAGE: Final = ("start", "organisation", "app", "session", "usage")

_ROOM_PATH: Final = "apps/{app}/rooms/{room}"
_PERSON_PATH: Final = "apps/{app}/rooms/{room}/participants/{identity}"
_SESSION_PATH: Final = "apps/{app}/sessions/{session}"
_CAMERA_PATH: Final = "apps/{app}/ws-ingest/{camera}"
_INGRESS_PATH: Final = "apps/{app}/ingress/{ingress}"
_DELIVERY_PATH: Final = "webhooks/{webhook}/deliveries/{delivery}"


def _join(body: dict[str, Any], given: dict[str, Any]) -> None:
    """A participant publishes, under an identity of its own."""
    if given["join"]:
        import secrets

        body.setdefault("identity", f"guest-{secrets.token_hex(4)}")
        body.setdefault("canPublish", True)


def _join_link(answer: dict[str, Any], given: dict[str, Any]) -> str | None:
    """The page to take part, opened by the token itself."""
    if not given["join"]:
        return None
    page = str(answer["playUrl"]).partition("?")[0].replace("/play/", "/meet/", 1)
    return f"{page}?token={answer['token']}"


def _enabled(body: dict[str, Any], given: dict[str, Any]) -> None:
    del given
    body["enabled"] = True


def _disabled(body: dict[str, Any], given: dict[str, Any]) -> None:
    del given
    body["enabled"] = False


def _barred(body: dict[str, Any], given: dict[str, Any]) -> None:
    del given
    body["disabled"] = True


def _admitted(body: dict[str, Any], given: dict[str, Any]) -> None:
    del given
    body["disabled"] = False


def _muted(body: dict[str, Any], given: dict[str, Any]) -> None:
    body["muted"] = not given["off"]


def _url(answer: dict[str, Any], given: dict[str, Any]) -> str:
    del given
    return str(answer["url"])


_CAMERA_ID: Final = _arg("camera", "The camera's id, cam_…")
_INGRESS_ID: Final = _arg("ingress", "The ingress's id, igr_…")
_USER_ID: Final = _arg("user", "The user's id or e-mail.")
_KEY_ID: Final = _arg("key", "The key's id.")
_JOB_ID: Final = _arg("job", "The job's id, job_…")
_EVENT_ID: Final = _arg("event", "LiveKit's id of the event, EV_…")
_DELIVERY_ID: Final = _arg("delivery", "The delivery's id.")
_EMPTY: Final = _opt("empty_timeout", "How long it stays before the first participant joins, such as 5m.")
_DEPARTURE: Final = _opt("departure_timeout", "How long it stays when the last has left, such as 20s.")
_MOST: Final = _opt("max_participants", "How many may be in it at once.", "number")
_METADATA: Final = _opt("metadata", "A text for your own use, given to all participants.")
_TTL: Final = _opt("ttl", "How long it is good for, such as 1h.")
_FORMAT: Final = _opt("format", "txt, vtt or json.", default="txt")

GROUPS: Final = (
    Group(
        "organisations",
        "Organisations: the tenants.",
        (
            Verb(
                "create", "POST", "organisations", "Create an organisation.",
                (_arg("name", "Name for people."), _opt("slug", "Name for URLs.")), _ORGANISATION,
            ),
            Verb("list", "GET", "organisations", "List organisations.", (), _ORGANISATION, "all"),
            Verb("show", "GET", "organisations/{reference}", "Show one organisation.", (REFERENCE,), _ORGANISATION),
            Verb(
                "change", "PATCH", "organisations/{reference}", "Change an organisation; what is left out stays.",
                (REFERENCE, NAME, _opt("slug", "Name for URLs.")), _ORGANISATION,
            ),
            Verb("delete", "DELETE", "organisations/{reference}", "Delete an organisation.", (REFERENCE, FORCE)),
        ),
    ),
    Group(
        "apps",
        "Apps: namespaces of rooms.",
        (
            Verb(
                "create", "POST", "apps", "Create an app.",
                (_arg("slug", "Lower-case letters, digits and _."), NAME, _opt("organisation", "Slug or id.")), _APP,
            ),
            Verb("list", "GET", "apps", "List apps.", (ONLY_ORGANISATION,), _APP, "all"),
            Verb("show", "GET", "apps/{reference}", "Show one app with its settings.", (REFERENCE,), _APP_SETTINGS),
            Verb(
                "change", "PATCH", "apps/{reference}", "Change an app; what is left out stays.",
                (
                    REFERENCE,
                    NAME,
                    _opt(
                        "set", "A setting as the API names it: playbackPolicy=public; null takes one away.",
                        "assignments", field="settings",
                    ),
                ),
                _APP_SETTINGS,
            ),
            Verb(
                "delete", "DELETE", "apps/{reference}", "Delete an app with its rooms, sessions and keys.",
                (REFERENCE, FORCE),
            ),
        ),
    ),
    Group(
        "keys",
        "API keys.",
        (
            Verb(
                "create", "POST", "keys", "Create an API key; its secret is printed this once.",
                (
                    _arg("name", "Name for people."),
                    _opt("scope", "A scope of the key; may be repeated.", "texts", field="scopes", required=True),
                    _opt("organisation", "Bind it to this organisation."),
                    _opt("app", "Bind it to this app."),
                    _opt("expires_at", "RFC 3339 time."),
                ),
                ("id", "key", "scopes"),
            ),
            Verb("list", "GET", "keys", "List API keys, without their secrets.", (), _KEY, "all"),
            Verb("show", "GET", "keys/{key}", "Show one API key, without its secret.", (_KEY_ID,), _KEY),
            Verb(
                "change", "PATCH", "keys/{key}", "Change an API key; what is left out stays.",
                (
                    _KEY_ID,
                    NAME,
                    _opt("scope", "A scope of the key; may be repeated.", "texts", field="scopes"),
                    _opt("expires_at", "RFC 3339 time."),
                ),
                _KEY,
            ),
            Verb("revoke", "DELETE", "keys/{key}", "Revoke an API key at once.", (_KEY_ID,)),
        ),
    ),
    Group(
        "members",
        "Members of an organisation, and invitations to it.",
        (
            Verb(
                "list", "GET", "organisations/{organisation}/members", "List members.", (IN_ORGANISATION,), _MEMBER,
                "all",
            ),
            Verb(
                "change", "PATCH", "organisations/{organisation}/members/{user}", "Give a member another role.",
                (
                    _arg("user", "The user's id."),
                    _opt("role", "owner, admin, member or viewer.", required=True),
                    IN_ORGANISATION,
                ),
                _MEMBER,
            ),
            Verb(
                "remove", "DELETE", "organisations/{organisation}/members/{user}", "Remove a member.",
                (_arg("user", "The user's id."), IN_ORGANISATION),
            ),
            Verb(
                "invite", "POST", "organisations/{organisation}/invitations",
                "Invite to the organisation; the link is printed this once.",
                (
                    _opt("role", "owner, admin, member or viewer.", default="member"),
                    _opt("email", "The only e-mail that it is for."),
                    _opt("expires_in", "How long it works, such as 7d."),
                    IN_ORGANISATION,
                ),
                line=_url,
            ),
            Verb(
                "invitations", "GET", "organisations/{organisation}/invitations", "List invitations that wait.",
                (IN_ORGANISATION,), _INVITATION, "all",
            ),
            Verb(
                "uninvite", "DELETE", "organisations/{organisation}/invitations/{invitation}",
                "Take an invitation back.", (_arg("invitation", "The invitation's id, inv_…"), IN_ORGANISATION),
            ),
        ),
    ),
    Group(
        "users",
        "Users of the installation.",
        (
            Verb(
                "create", "POST", "users", "Create a user; the link that sets the password is printed this once.",
                (
                    _arg("email", "E-mail; the user signs in with it."),
                    NAME,
                    _opt("operator", "The user operates the installation.", "flag"),
                    _opt("organisation", "Slug or id of an organisation that the user joins."),
                    _opt("role", "Role there: owner, admin, member or viewer."),
                ),
                line=_url,
            ),
            Verb("list", "GET", "users", "List users.", (), _USER, "all"),
            Verb("show", "GET", "users/{user}", "Show one user.", (_USER_ID,), _USER),
            Verb(
                "disable", "PATCH", "users/{user}", "Sign a user out and keep the user from signing in.",
                (_USER_ID,), _USER, prepare=_barred,
            ),
            Verb(
                "enable", "PATCH", "users/{user}", "Let a disabled user sign in again.",
                (_USER_ID,), _USER, prepare=_admitted,
            ),
            Verb(
                "reset-password", "POST", "users/{user}/password-link",
                "Print a link that sets the password of a user, for an hour and once.", (_USER_ID,), line=_url,
            ),
        ),
    ),
    Group(
        "rooms",
        "Rooms of an app.",
        (
            Verb(
                "create", "POST", "apps/{app}/rooms", "Create a room, or change one that is there.",
                (_arg("name", "Short name."), APP, _METADATA, _EMPTY, _DEPARTURE, _MOST), _ROOM,
            ),
            Verb(
                "list", "GET", "apps/{app}/rooms", "List rooms.",
                (APP, _opt("state", "live or idle."), LIMIT), _ROOM, "limit",
            ),
            Verb("show", "GET", _ROOM_PATH, "Show one room.", (ROOM, APP), _ROOM),
            Verb("change", "PATCH", _ROOM_PATH, "Change a room's metadata.", (ROOM, APP, _METADATA), _ROOM),
            Verb("end", "DELETE", _ROOM_PATH, "End a room: all participants are disconnected.", (ROOM, APP)),
            Verb(
                "send", "POST", f"{_ROOM_PATH}/data", "Send a text to the people in a room.",
                (
                    ROOM,
                    _arg("data", "The text."),
                    APP,
                    _opt("topic", "What it is about, for the receiving program."),
                    _opt("to", "Only to this identity; may be repeated.", "texts", field="identities"),
                ),
                ("room", "bytes", "identities"),
            ),
            Verb("access", "GET", f"{_ROOM_PATH}/access", "Show which users may join a room.", (ROOM, APP), _ACCESS),
            Verb(
                "set-access", "PUT", f"{_ROOM_PATH}/access", "Set which users may join a room.",
                (
                    ROOM,
                    _opt("level", "public, organisation or invited.", required=True),
                    _opt("user", "Id of a user who is invited; may be repeated.", "texts", field="users"),
                    _opt("email", "E-mail of a member who is invited; may be repeated.", "texts", field="emails"),
                    APP,
                ),
                _ACCESS,
            ),
            Verb(
                "roles", "GET", f"{_ROOM_PATH}/roles", "List users with a role of their own in a room.", (ROOM, APP),
                ("user", "role"), "all",
            ),
            Verb(
                "give-role", "PUT", f"{_ROOM_PATH}/roles/{{user}}", "Give a user a role in a room.",
                (
                    ROOM,
                    _arg("user", "The user's id."),
                    _opt("role", "host, cohost, speaker or listener.", required=True),
                    APP,
                ),
                _ROOM_ROLE,
            ),
            Verb(
                "take-role", "DELETE", f"{_ROOM_PATH}/roles/{{user}}", "Take a user's own role in a room.",
                (ROOM, _arg("user", "The user's id."), APP), _ROOM_ROLE,
            ),
        ),
    ),
    Group(
        "participants",
        "People in a room.",
        (
            Verb(
                "list", "GET", f"{_ROOM_PATH}/participants", "List who is in a room.", (ROOM, APP), _PARTICIPANT
            ),
            Verb("show", "GET", _PERSON_PATH, "Show one participant with tracks.", (ROOM, IDENTITY, APP)),
            Verb(
                "remove", "DELETE", _PERSON_PATH, "Remove a participant from a room.",
                (ROOM, IDENTITY, APP, _opt("ban", "How long they stay out of it, such as 1h.")),
            ),
            Verb(
                "mute", "POST", f"{_PERSON_PATH}/tracks/{{track}}/mute", "Mute a track.",
                (
                    ROOM,
                    IDENTITY,
                    _arg("track", "The track's SID, TR_…"),
                    APP,
                    _opt("off", "Take the mute away.", "flag", into="query"),
                ),
                ("sid", "kind", "source", "muted", "name"),
                prepare=_muted,
            ),
        ),
    ),
    Group(
        "sessions",
        "Sessions: the lives of rooms.",
        (
            Verb(
                "list", "GET", "apps/{app}/sessions", "List sessions, newest first.",
                (
                    APP,
                    _opt("room", "Only this room's."),
                    _opt("state", "created, active or ended."),
                    SINCE,
                    UNTIL,
                    LIMIT,
                ),
                _SESSION, "limit",
            ),
            Verb("show", "GET", _SESSION_PATH, "Show one session with its people and what happened.", (SESSION, APP)),
            Verb("end", "POST", f"{_SESSION_PATH}/end", "End a session and its room.", (SESSION, APP), _SESSION),
        ),
    ),
    Group(
        "tokens",
        "Join tokens for LiveKit's SDKs.",
        (
            Verb(
                "create", "POST", "apps/{app}/tokens", "Create a token; with --join, a link that opens the room.",
                (
                    _opt("room", "The room's short or LiveKit name.", required=True),
                    _opt("identity", "Who joins with it; of two with one identity the newer stays."),
                    APP,
                    NAME,
                    _TTL,
                    _opt("publish", "May send sound and pictures.", "flag", field="canPublish"),
                    _opt("hidden", "Is not shown to others.", "flag"),
                    _opt("metadata", "The participant's metadata."),
                    _opt("join", "Print a link to take part in a browser, and nothing else.", "flag", into="query"),
                ),
                ("identity", "room", "expiresAt", "wsUrl", "token"),
                prepare=_join,
                line=_join_link,
            ),
        ),
    ),
    Group(
        "links",
        "Links that open a room's pages.",
        (
            Verb(
                "create", "POST", f"{_ROOM_PATH}/links", "Create a link to take part (meet) or to watch (the others).",
                (ROOM, APP, _opt("page", "meet, publish, play, embed, hls, mjpeg, frame or ws.", default="meet"), _TTL),
                ("url", "expiresAt"),
                line=_url,
            ),
        ),
    ),
    Group(
        "transcripts",
        "Transcripts of sessions.",
        (
            Verb(
                "show", "GET", "sessions/{session}/transcript", "Print a session's transcript.", (SESSION, _FORMAT),
                text=True,
            ),
            Verb("start", "POST", f"{_SESSION_PATH}/transcript", "Start a transcript.", (SESSION, APP), _TRANSCRIPT),
            Verb("stop", "POST", f"{_SESSION_PATH}/transcript/stop", "Stop a transcript.", (SESSION, APP), _TRANSCRIPT),
            Verb("delete", "DELETE", f"{_SESSION_PATH}/transcript", "Delete a session's transcript.", (SESSION, APP)),
        ),
    ),
    Group(
        "cameras",
        "Cameras: devices that push JPEG frames into a room.",
        (
            Verb(
                "create", "POST", "apps/{app}/ws-ingest", "Create a camera; its key is shown this once.",
                (
                    ROOM,
                    APP,
                    NAME,
                    _opt("identity", "Its participant's identity when it is bridged."),
                ),
                _CAMERA_KEY,
            ),
            Verb(
                "list", "GET", "apps/{app}/ws-ingest", "List an app's cameras.",
                (APP, _opt("room", "Only this room's."), LIMIT), _CAMERA, "limit",
            ),
            Verb(
                "show", "GET", _CAMERA_PATH, "Show one camera, with its device's last report.", (_CAMERA_ID, APP)
            ),
            Verb(
                "enable", "PATCH", _CAMERA_PATH, "Let a camera send.", (_CAMERA_ID, APP), _CAMERA, prepare=_enabled
            ),
            Verb(
                "disable", "PATCH", _CAMERA_PATH, "Keep a camera out, and end its connection.", (_CAMERA_ID, APP),
                _CAMERA, prepare=_disabled,
            ),
            Verb(
                "rotate", "POST", f"{_CAMERA_PATH}/rotate",
                "Give a camera another key, shown this once; the old one opens nothing any more.",
                (_CAMERA_ID, APP), _CAMERA_KEY,
            ),
            Verb("delete", "DELETE", _CAMERA_PATH, "Delete a camera, and end its connection.", (_CAMERA_ID, APP)),
        ),
    ),
    Group(
        "ingress",
        "Ingresses: media by RTMP or WHIP, or pulled from a URL, becomes a participant of a room.",
        (
            Verb(
                "create", "POST", "apps/{app}/ingress", "Create an ingress; its key is shown this once.",
                (
                    ROOM,
                    APP,
                    _opt("type", "rtmp or whip for encoders that push, url for what is pulled.", field="inputType",
                         default="rtmp"),
                    _opt("url", "What is pulled: rtsp://, rtmp:// or http:// with user and password in it."),
                    _opt("identity", "Its participant's identity; made up if not given.", field="participantIdentity"),
                    _opt("name", "Its participant's name.", field="participantName"),
                    _opt("metadata", "Its participant's metadata.", field="participantMetadata"),
                    _opt("transcoding", "auto, never or always."),
                    _opt("layers", "single, or ladder for viewers on bad lines."),
                    _opt("start", "When a URL is pulled: always, or on demand."),
                ),
                _INGRESS_KEY,
            ),
            Verb(
                "list", "GET", "apps/{app}/ingress", "List an app's ingresses.",
                (APP, _opt("room", "Only this room's."), LIMIT), _INGRESS, "limit",
            ),
            Verb(
                "probe", "POST", "apps/{app}/ingress/probe",
                "Look at a URL: what is there, whether it passes through, and what to change in the camera.",
                (_arg("url", "rtsp://, rtmp:// or http:// with user and password in it."), APP), error="error",
            ),
            Verb("show", "GET", _INGRESS_PATH, "Show one ingress with its state.", (_INGRESS_ID, APP)),
            Verb(
                "enable", "PATCH", _INGRESS_PATH, "Let an ingress publish.", (_INGRESS_ID, APP), _INGRESS,
                prepare=_enabled,
            ),
            Verb(
                "disable", "PATCH", _INGRESS_PATH, "Keep an ingress out, and end its stream.", (_INGRESS_ID, APP),
                _INGRESS, prepare=_disabled,
            ),
            Verb(
                "rotate", "POST", f"{_INGRESS_PATH}/rotate",
                "Give an ingress another key, shown this once; the old one opens nothing any more.",
                (_INGRESS_ID, APP), _INGRESS_KEY,
            ),
            Verb("delete", "DELETE", _INGRESS_PATH, "Delete an ingress, and end its stream.", (_INGRESS_ID, APP)),
        ),
    ),
    Group(
        "webhooks",
        "Outgoing webhooks: endpoints that are sent events.",
        (
            Verb(
                "create", "POST", "webhooks", "Create a webhook; its secret is printed this once.",
                (
                    _arg("url", "Where events are sent."),
                    _opt("organisation", "Whose; slug or id."),
                    _opt("type", "Only events of this type; may be repeated.", "texts", field="types"),
                    _opt("description", "For people."),
                    _opt("ordered", "Send the events of a session one after the other.", "flag"),
                ),
                ("id", "url", "types", "secret"),
            ),
            Verb("list", "GET", "webhooks", "List webhooks.", (ONLY_ORGANISATION, LIMIT), _WEBHOOK, "limit"),
            Verb("show", "GET", "webhooks/{webhook}", "Show one webhook.", (WEBHOOK,), _WEBHOOK),
            Verb("test", "POST", "webhooks/{webhook}/test", "Send a test message and show the outcome.", (WEBHOOK,)),
            Verb(
                "enable", "PATCH", "webhooks/{webhook}", "Send events to a webhook again.", (WEBHOOK,), _WEBHOOK,
                prepare=_enabled,
            ),
            Verb(
                "disable", "PATCH", "webhooks/{webhook}", "Send no more events to a webhook.", (WEBHOOK,), _WEBHOOK,
                prepare=_disabled,
            ),
            Verb(
                "rotate", "POST", "webhooks/{webhook}/rotate",
                "Give a webhook another secret, printed this once; messages are signed with both for a day.",
                (WEBHOOK,), ("id", "secret", "oldSecretUntil"),
            ),
            Verb("delete", "DELETE", "webhooks/{webhook}", "Delete a webhook.", (WEBHOOK,)),
            Verb(
                "deliveries", "GET", "webhooks/{webhook}/deliveries", "List what was sent, newest first.",
                (WEBHOOK, _opt("state", "pending, delivered or dead."), LIMIT), _DELIVERY, "limit",
            ),
            Verb("delivery", "GET", _DELIVERY_PATH, "Show one delivery with each attempt.", (WEBHOOK, _DELIVERY_ID)),
            Verb(
                "redeliver", "POST", f"{_DELIVERY_PATH}/redeliver", "Send a message again.", (WEBHOOK, _DELIVERY_ID),
                _DELIVERY,
            ),
            Verb(
                "recover", "POST", "webhooks/{webhook}/recover", "Send again what could not be delivered since a time.",
                (WEBHOOK, _opt("since", "RFC 3339 time.", required=True, into="query")), ("job",),
            ),
        ),
    ),
    Group(
        "usage",
        "Minutes of use.",
        (
            Verb(
                "show", "GET", "usage", "Show what was used, in sums.",
                (
                    SINCE,
                    UNTIL,
                    _opt("group", "By organisation, app or session."),
                    _opt("bucket", "In pieces of an hour, a day or a month."),
                    ONLY_ORGANISATION,
                    ONLY_APP,
                ),
                _USAGE,
            ),
        ),
    ),
    Group(
        "audit",
        "Who changed what.",
        (
            Verb(
                "list", "GET", "audit", "List changes, newest first.",
                (ONLY_ORGANISATION, ONLY_APP, _opt("action", "Only this, such as key.created."), SINCE, LIMIT),
                _AUDIT, "limit",
            ),
        ),
    ),
    Group(
        "jobs",
        "Durable jobs: deliveries, archives, clean-ups.",
        (
            Verb(
                "list", "GET", "jobs", "List jobs, newest first.",
                (
                    _opt("state", "queued, running, done, failed, dead or cancelled."),
                    _opt("kind", "Such as webhook.deliver."),
                    LIMIT,
                ),
                _JOB, "limit",
            ),
            Verb("show", "GET", "jobs/{job}", "Show one job with what it is about.", (_JOB_ID,)),
            Verb("retry", "POST", "jobs/{job}/retry", "Have a job done now, with all its attempts.", (_JOB_ID,), _JOB),
            Verb("cancel", "POST", "jobs/{job}/cancel", "End a job that is not finished.", (_JOB_ID,), _JOB),
        ),
    ),
    Group(
        "inbox",
        "The inbox of LiveKit's webhooks.",
        (
            Verb(
                "list", "GET", "inbox", "List stored events, newest first.",
                (
                    _opt("state", "pending, applied, unclaimed, ignored or failed."),
                    _opt("room", "LiveKit name of a room."),
                    LIMIT,
                ),
                _INBOX, "limit",
            ),
            Verb("show", "GET", "inbox/{event}", "Show one stored event with its body.", (_EVENT_ID,)),
            Verb(
                "replay", "POST", "inbox/{event}/replay",
                "Apply a stored event again; what was applied before changes nothing.", (_EVENT_ID,), _INBOX,
            ),
        ),
        alias="events",
    ),
)  # fmt: skip
