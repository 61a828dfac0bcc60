"""Endpoints, deliveries and attempts as values. Times are milliseconds since the epoch.

delivery   pending -> delivered
                   -> dead       every attempt failed, or the endpoint was disabled meanwhile
           delivered, dead -> pending   asked for again by hand
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

DeliveryState = Literal["pending", "delivered", "dead"]
DELIVERY_STATES: Final[dict[DeliveryState, str]] = {
    "pending": "Not delivered yet.",
    "delivered": "The endpoint answered with 2xx.",
    "dead": "Every attempt failed, or the endpoint was disabled meanwhile.",
}
Outcome = Literal["ok", "status", "dns", "connection", "tls", "timeout", "refused_target"]
OUTCOMES: Final[dict[Outcome, str]] = {
    "ok": "An answer with 2xx, whatever the rest of it looks like.",
    "status": "An answer with another status; a redirect is not followed, and the detail names its target.",
    "dns": "The host's name has no address, or a private one where the operator does not allow those.",
    "connection": "No connection, or it broke before a status line came.",
    "tls": "The certificate or the handshake is wrong.",
    "timeout": "No status line in time.",
    "refused_target": "The URL's host is a private address, and the operator does not allow that.",
}

MOST_PER_ORGANISATION: Final = 100
"""How many endpoints an organisation may have."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events are sent to.

    Attributes:
        app_id: The only app whose events it gets; `None` gets those of all apps of the organisation.
        types: The only types that it gets; empty gets all. `session.*` stands for every type that begins so.
        ordered: A session's events are sent one after the other, each when the one before has been delivered or is
            dead.
        from_seq: It gets no event up to this one.
        sealed_secret: What its messages are signed with.
        sealed_old_secret: What they are signed with as well, until `old_secret_until`.
        failing_since: When the first of the attempts failed that have failed without a success in between.
        disabled_reason: Why it was disabled, if not by a caller.
    """

    id: str
    organisation_id: str
    app_id: str | None
    url: str
    description: str
    types: tuple[str, ...]
    enabled: bool
    ordered: bool
    from_seq: int
    sealed_secret: bytes
    sealed_old_secret: bytes | None
    old_secret_until: int | None
    failing_since: int | None
    disabled_reason: str | None
    created_at: int
    updated_at: int

    def wants(self, type_: str) -> bool:
        """Whether it gets events of the type."""
        if not self.types:
            return True
        return type_ in self.types or f"{type_.partition('.')[0]}.*" in self.types


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint.

    Attributes:
        message_id: `webhook-id`: the event's, the same at every attempt and for every endpoint.
    """

    id: str
    endpoint_id: str
    app_id: str
    event_seq: int
    message_id: str
    type: str
    session_id: str | None
    state: DeliveryState
    attempts: int
    created_at: int
    delivered_at: int | None
    last_outcome: Outcome | None
    last_status: int | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for an endpoint.

    Attributes:
        pending: How many deliveries.
        behind_since: Since when events wait for room, because as many deliveries wait as may; `None` while none do.
    """

    pending: int
    behind_since: int | None


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The result of one attempt to send a message.

    Attributes:
        detail: A sentence for a person.
        request_headers: As sent.
        response_body: At most its first `RESPONSE_BYTES`.
        retry_after: Seconds that the endpoint asked for.
    """

    outcome: Outcome
    at: int
    duration_ms: int
    detail: str
    request_headers: dict[str, str]
    status: int | None = None
    response_headers: dict[str, str] | None = None
    response_body: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a delivery, as stored."""

    number: int
    delivery_id: str
    answered: AttemptResult
