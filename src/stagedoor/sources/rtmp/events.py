"""What happens on a connection, for the owner of its socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from stagedoor.sources.rtmp.notices import Notice


@dataclass(frozen=True, slots=True)
class PublishAsked:
    """The encoder wants to publish; nothing more is read until it is accepted or refused.

    Attributes:
        encoder: Its name of itself (`flashVer`).
        enhanced: The FourCCs that it names.
        url: The address that it was given (`tcUrl`).
    """

    app: str
    stream_name: str
    url: str
    encoder: str
    enhanced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tags:
    """FLV tags; the first ones of a publication begin with the file's header."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Unpublished:
    """The encoder has ended its stream; the connection may publish again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Closing:
    """The connection is to be closed when what it has to send is sent.

    Attributes:
        code: The kind of reason, for metrics.
    """

    code: str
    reason: str


Event: TypeAlias = PublishAsked | Tags | Unpublished | Closing | Notice
