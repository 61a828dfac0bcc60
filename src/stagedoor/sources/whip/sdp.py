"""Offers, answers and fragments in SDP (RFC 8866), as far as WHIP has rules for them (RFC 9725, section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

LARGEST_OFFER: Final = 128 * 1024
"""In bytes; an offer of a browser with every codec and candidate is smaller than 20 KiB."""

_DIRECTIONS: Final = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
_REPAIR: Final = frozenset({"rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "CN"})
_TAKEN: Final = frozenset({"opus", "pcmu", "pcma", "vp8", "h264", "vp9", "av1", "h265"})
"""What LiveKit 1.13.5 takes (`EnabledCodecs` of its pkg/config/config.go)."""

_MEDIA: Final = re.compile(r"(audio|video|application) (\d{1,5})(?:/\d+)? ([\w/]+) ?(.*)")


class MalformedSdp(Exception):
    """The text is not SDP; the message is a sentence."""


class UnacceptableOffer(Exception):
    """The offer cannot be met as a whole; the message is a sentence."""


@dataclass(slots=True)
class MediaSection:
    """A media section, `m=`.

    Attributes:
        kind: `audio`, `video` or `application`.
        port: 0 when the section is rejected.
        direction: `sendrecv` by default, as RFC 8866 has it.
        codecs: The encoding names of its formats, without those that only repair others.
    """

    kind: str
    port: int
    direction: str = "sendrecv"
    codecs: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """An offer, an answer or a fragment.

    Attributes:
        text: The text with CRLF line ends, as LiveKit's parser expects it, without its ICE candidates. LiveKit 1.13.5
            panics, and with it every room ends, when ICE is restarted after an offer whose last lines are candidates
            (`PatchICECredentialAndCandidatesIntoSDP` of its protocol/sdp); candidates that are trickled do no harm.
        ice_ufrag: The first ICE user name fragment; `None` without one.
        ice_pwd: The first ICE password; `None` without one.
        mid: The media section that carries the transport of the bundle; `None` without a bundle.
        fingerprint: The first DTLS fingerprint; `None` without one.
        candidates: The ICE candidates of all sections, each once, as in `a=candidate:…`.
    """

    text: str
    media: list[MediaSection]
    ice_ufrag: str | None
    ice_pwd: str | None
    mid: str | None
    candidates: tuple[str, ...]
    fingerprint: str | None = None


def parse_description(body: bytes) -> SessionDescription:
    """Parse an offer or answer.

    Raises:
        MalformedSdp: The body is not a session description with media.
    """
    lines = _lines(body)
    if not lines or lines[0] != "v=0":
        raise MalformedSdp("An SDP description begins with the line v=0.")
    description = _parse(lines)
    if not description.media:
        raise MalformedSdp("The SDP has no media section (m=).")
    return description


def parse_fragment(body: bytes) -> SessionDescription:
    """Parse a fragment of `application/trickle-ice-sdpfrag` (RFC 8840, section 9).

    Raises:
        MalformedSdp: The body is not such a fragment.
    """
    description = _parse(_lines(body))
    if description.ice_ufrag is None or description.ice_pwd is None:
        raise MalformedSdp("The fragment has no ICE credentials (a=ice-ufrag, a=ice-pwd).")
    return description


def check_offer(offer: SessionDescription) -> None:
    """Check that the offer sends one audio track, one video track, or one of each (RFC 9725, section 4.4.2), and that
    LiveKit can take it.

    LiveKit removes the participant of the ingress's session when another one joins, before it has looked at the offer:
    what it would refuse is refused here.

    Raises:
        UnacceptableOffer: It sends something else.
    """
    kinds = [section.kind for section in offer.media if section.kind != "application"]
    for kind in ("audio", "video"):
        if kinds.count(kind) > 1:
            raise UnacceptableOffer(f"The offer has {kinds.count(kind)} {kind} sections; send one {kind} track.")
    for section in offer.media:
        if section.kind != "application" and section.direction in {"recvonly", "inactive"}:
            raise UnacceptableOffer(f"The offer's {section.kind} is {section.direction}; WHIP sends: use sendonly.")
    if not kinds:
        raise UnacceptableOffer("The offer has no audio and no video.")
    if offer.mid is None or offer.ice_ufrag is None or offer.ice_pwd is None:
        raise UnacceptableOffer("The offer has no bundle (a=group:BUNDLE) or no ICE credentials.")
    if offer.fingerprint is None:
        raise UnacceptableOffer("The offer has no DTLS fingerprint (a=fingerprint).")
    for section in offer.media:
        if section.codecs and not any(codec.lower() in _TAKEN for codec in section.codecs):
            raise _not_taken(section)


def check_answer(offer: SessionDescription, answer: SessionDescription) -> None:
    """Check that LiveKit has taken every section of an offer (RFC 9725, section 4.4.3: no partial success).

    Raises:
        UnacceptableOffer: It has rejected one.
    """
    for offered, answered in zip(offer.media, answer.media, strict=False):
        if offered.kind == "application":
            continue
        if answered.port == 0 or answered.direction in {"inactive", "sendonly"}:
            raise _not_taken(offered)


def _not_taken(section: MediaSection) -> UnacceptableOffer:
    codecs = ", ".join(dict.fromkeys(section.codecs)) or "none"
    return UnacceptableOffer(f"LiveKit takes no {section.kind} of the codecs that were offered ({codecs}).")


def livekit_fragment(fragment: SessionDescription, mid: str, *, candidates: bool) -> str:
    """A fragment in the one form that LiveKit reads: one media section, that of the bundle, with the credentials in it.

    Args:
        fragment: What the encoder sent.
        mid: The media section that carries the transport of the bundle.
        candidates: Whether the ICE candidates are in it.
    """
    lines = ["m=audio 9 UDP/TLS/RTP/SAVPF 0", f"a=mid:{mid}", f"a=ice-ufrag:{fragment.ice_ufrag}"]
    if fragment.ice_pwd is not None:
        lines.append(f"a=ice-pwd:{fragment.ice_pwd}")
    if candidates:
        lines += [f"a=candidate:{candidate}" for candidate in fragment.candidates]
    return "\r\n".join(lines) + "\r\n"


def _lines(body: bytes) -> list[str]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise MalformedSdp("The SDP is not UTF-8.") from None
    if "\x00" in text:
        raise MalformedSdp("The SDP has a zero byte.")
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line]
    for line in lines:
        if line[1:2] != "=":
            raise MalformedSdp(f"The SDP has a line that is not of the form x=…: {line[:40]!r}.")
    return lines


class _Reader:
    """Reads the lines of a description."""

    def __init__(self) -> None:
        self.media: list[MediaSection] = []
        self.attributes: dict[str, str] = {}
        self.candidates: list[str] = []
        self._session_direction: str | None = None
        self._formats: list[str] = []
        self._names: dict[str, str] = {}

    def read(self, line: str) -> bool:
        """Read a line; false when it is about candidates."""
        if line.startswith("m="):
            section, self._formats = _media_section(line)
            self._names = {}
            section.direction = self._session_direction or section.direction
            self.media.append(section)
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            if name == "candidate":
                self.candidates.append(value)
            if name in {"candidate", "end-of-candidates"}:
                return False
            self._attribute(name, value)
        return True

    def _attribute(self, name: str, value: str) -> None:
        if name in {"ice-ufrag", "ice-pwd", "group", "fingerprint"}:
            self.attributes.setdefault(name, value)
        elif name in _DIRECTIONS:
            if self.media:
                self.media[-1].direction = name
            else:
                self._session_direction = name
        elif name == "rtpmap" and self.media:
            payload, _, encoding = value.partition(" ")
            self._names[payload] = encoding.partition("/")[0]
            self.media[-1].codecs = list(_codecs(self._formats, self._names))


def _parse(lines: list[str]) -> SessionDescription:
    reader = _Reader()
    kept = [line for line in lines if reader.read(line)]
    group = reader.attributes.get("group", "").split()
    return SessionDescription(
        text="\r\n".join(kept) + "\r\n",
        media=reader.media,
        ice_ufrag=reader.attributes.get("ice-ufrag"),
        ice_pwd=reader.attributes.get("ice-pwd"),
        mid=group[1] if len(group) > 1 and group[0].upper() == "BUNDLE" else None,
        candidates=tuple(dict.fromkeys(reader.candidates)),
        fingerprint=reader.attributes.get("fingerprint"),
    )


def _media_section(line: str) -> tuple[MediaSection, list[str]]:
    found = _MEDIA.fullmatch(line[2:])
    if found is None:
        raise MalformedSdp(f"The SDP has a media section that is not understood: {line[:60]!r}.")
    return MediaSection(found[1], int(found[2])), found[4].split()


def _codecs(payloads: list[str], names: dict[str, str]) -> Iterator[str]:
    for payload in payloads:
        name = names.get(payload)
        if name is not None and name not in _REPAIR:
            yield name
