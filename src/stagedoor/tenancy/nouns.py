"""Organisations, apps and API keys as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import msgspec

from stagedoor.kernel.feature_settings import FeatureSettings
from stagedoor.tenancy.principals import Principal
from stagedoor.tenancy.scopes import expand

F = TypeVar("F", bound=FeatureSettings)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A tenant. Times are milliseconds since the epoch."""

    id: str
    name: str
    slug: str
    created_at: int
    updated_at: int


class AppSettings:
    """What an app decides for its rooms: values by name, of which a feature reads its own with `of`.

    Args:
        features: Settings that differ from the defaults.
    """

    __slots__ = ("_read", "_values")

    def __init__(self, *features: FeatureSettings) -> None:
        self._values: dict[str, Any] = {}
        self._read: dict[type[FeatureSettings], FeatureSettings] = {}
        for feature in features:
            self._values |= msgspec.to_builtins(feature)

    @classmethod
    def stored(cls, values: Mapping[str, Any]) -> AppSettings:
        """Settings with these values; what is not among them has its default."""
        settings = cls()
        settings._values = dict(values)
        return settings

    @property
    def values(self) -> Mapping[str, Any]:
        """What was decided, by name."""
        return self._values

    def of(self, feature: type[F]) -> F:
        """What the app decides for a feature."""
        found = self._read.get(feature)
        if found is None:
            found = self._read[feature] = msgspec.convert(self._values, feature)
        return cast("F", found)

    def changed(self, values: Mapping[str, Any]) -> AppSettings:
        """The same with other values."""
        return self.stored(self._values | dict(values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AppSettings) and self._values == other._values

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._values)))

    def __repr__(self) -> str:
        return f"AppSettings({self._values})"


@dataclass(frozen=True, slots=True)
class App:
    """A namespace of rooms inside an organisation. Times are milliseconds since the epoch."""

    id: str
    organisation_id: str
    slug: str
    name: str
    created_at: int
    updated_at: int
    settings: AppSettings = field(default_factory=AppSettings)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key, without its secret. Times are milliseconds since the epoch.

    Attributes:
        hint: The last four characters of the secret, so that a person can distinguish keys.
    """

    id: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    organisation_id: str | None
    app_id: str | None
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None

    def usable(self, now: int) -> bool:
        """True until the key expires. A revoked key is not stored any more."""
        return self.expires_at is None or now < self.expires_at

    def principal(self) -> Principal:
        """The caller that this key makes."""
        return Principal(self.id, expand(frozenset(self.scopes)), self.organisation_id, self.app_id, self.expires_at)
