"""The answers to an HTTP or RTSP server's challenges: Digest with MD5 or SHA-256, or Basic."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_ALGORITHMS: Final = {"SHA-256": "sha256", "MD5": "md5", "": "md5"}
_CHALLENGE: Final = re.compile(r"(?:^|,)\s*(Digest|Basic)\b", re.IGNORECASE)
_PARAMETER: Final = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')

_ESCAPED: Final = re.compile(r"\\(.)")


class Unsupported(Exception):
    """The server offers nothing that we know; the argument is what it offers."""


@dataclass(slots=True)
class Challenge:
    """How the server wants to be answered."""

    digest: bool
    parameters: dict[str, str]
    count: int = 0
    cnonce: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def algorithm(self) -> str:
        """As the server writes it, without what is in the way of comparing it."""
        return self.parameters.get("algorithm", "").upper()

    def answer(self, user: str, password: str, method: str, uri: str) -> str:
        """The value of the header `Authorization`."""
        if not self.digest:
            return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        realm, nonce = self.parameters.get("realm", ""), self.parameters.get("nonce", "")
        name = _ALGORITHMS[self.algorithm]

        def hashed(*parts: str) -> str:
            return hashlib.new(name, ":".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

        first, second = hashed(user, _plain(realm), password), hashed(method, uri)
        fields = [f'username="{user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"']
        if "auth" in re.split(r"[\s,]+", self.parameters.get("qop", "")):
            self.count += 1
            count = f"{self.count:08x}"
            response = hashed(first, nonce, count, self.cnonce, "auth", second)
            fields += ["qop=auth", f"nc={count}", f'cnonce="{self.cnonce}"']
        else:
            response = hashed(first, nonce, second)
        fields.append(f'response="{response}"')
        if "algorithm" in self.parameters:
            fields.append(f"algorithm={self.parameters['algorithm']}")
        if "opaque" in self.parameters:
            fields.append(f'opaque="{self.parameters["opaque"]}"')
        return "Digest " + ", ".join(fields)


def _plain(realm: str) -> str:
    """Quotes in a realm are escaped in the header, and hashed as they are."""
    return _ESCAPED.sub(r"\1", realm)


def choose(headers: Sequence[str]) -> Challenge:
    """The strongest challenge of the headers `WWW-Authenticate` that can be answered.

    Raises:
        Unsupported: There is none.
    """
    offered: list[Challenge] = []
    for header in headers:
        starts = list(_CHALLENGE.finditer(header))
        for start, following in zip(starts, [*starts[1:], None], strict=False):
            text = header[start.end() : following.start() if following else None]
            parameters = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(text)}
            offered.append(Challenge(start[1].lower() == "digest", parameters))
    for algorithms in (("SHA-256",), ("MD5", "")):
        for one in offered:
            if one.digest and one.algorithm in algorithms:
                return one
    for one in offered:
        if not one.digest:
            return one
    names = [f"Digest with {one.algorithm}" for one in offered] or [header[:40] for header in headers]
    raise Unsupported(", ".join(names) or "nothing")
