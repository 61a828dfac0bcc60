"""The caller of an API: an API key or a user, with scopes and bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stagedoor.kernel.errors import Forbidden
from stagedoor.tenancy.scopes import SCOPES, expand

Kind = Literal["key", "operator", "session", "token"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and the bounds that the caller never leaves.

    Attributes:
        key_id: The id of the API key or of the user, or `operator` for the person who owns the data folder.
        scopes: Expanded scopes.
        organisation_id: The only organisation that the caller sees; `None` sees the installation.
        app_id: The only app that the caller sees; `None` sees all of the organisation's.
        expires_at: When the caller's key or token ends, in milliseconds since the epoch; `None` never does.
        kind: How the caller proved itself.
        credential: The id of a user's session or token; `None` where the key is the credential.
        role: The user's role in the organisation.
    """

    key_id: str
    scopes: frozenset[str]
    organisation_id: str | None = None
    app_id: str | None = None
    expires_at: int | None = None
    kind: Kind = "key"
    credential: str | None = None
    role: str | None = None

    @property
    def called(self) -> str:
        """The caller in a sentence that refuses something."""
        return {"key": "This key", "operator": "This caller", "session": "Your account", "token": "This token"}[
            self.kind
        ]

    def require(self, scope: str) -> None:
        """Raise `Forbidden` unless the caller has `scope`."""
        if scope not in self.scopes:
            raise Forbidden(
                f"{self.called} lacks the scope {scope}.", code="missing_scope", extra={"requiredScope": scope}
            )

    def require_installation(self) -> None:
        """Raise `Forbidden` when the caller is bound to one organisation."""
        if self.organisation_id is not None:
            raise Forbidden(
                "Only a key or an operator of the whole installation may do this.", code="installation_key_required"
            )

    def covers(self, scopes: frozenset[str]) -> bool:
        """True when the caller may hand out `scopes`: a caller cannot give what it does not have."""
        return expand(scopes) <= self.scopes

    def outlived_by(self, expires_at: int | None) -> bool:
        """True when what ends then, or never, ends later than the caller's key."""
        return self.expires_at is not None and (expires_at is None or expires_at > self.expires_at)


OPERATOR = Principal(key_id="operator", scopes=frozenset(SCOPES), kind="operator")
"""The person on the machine: the CLI, which proves itself with a file that only the owner can read."""
