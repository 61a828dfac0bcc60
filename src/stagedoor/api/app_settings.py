"""An app's settings on the wire: bodies that are made of what each feature declares of its own.

A setting is added where its feature is; a feature with settings is added to `FEATURES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_type_hints

import msgspec
from msgspec import Meta
from pydantic import AfterValidator, Field, StringConstraints, create_model

from stagedoor.access.settings import PlaybackSettings, RoomAccessSettings
from stagedoor.api.wire import RequestModel, ResponseModel
from stagedoor.events.settings import EventSettings
from stagedoor.kernel.durations import PATTERN, format_duration, parse_duration
from stagedoor.kernel.feature_settings import Bounds, FeatureSettings, Span, Written
from stagedoor.outputs.composition.settings import CompositionSettings
from stagedoor.outputs.frames.settings import ViewerSettings
from stagedoor.outputs.hls.settings import HlsSettings
from stagedoor.outputs.webrtc.settings import BridgeSettings
from stagedoor.pages.settings import PageSettings
from stagedoor.rooms.settings import SessionSettings
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.sources.ingress.settings import IngressSettings
from stagedoor.streams.settings import StreamSettings
from stagedoor.tenancy.nouns import AppSettings
from stagedoor.tenancy.token_settings import TokenSettings
from stagedoor.transcripts.settings import TranscriptSettings

FEATURES: Final[tuple[type[FeatureSettings], ...]] = (
    PlaybackSettings,
    RoomAccessSettings,
    PageSettings,
    TokenSettings,
    SessionSettings,
    TranscriptSettings,
    EventSettings,
    CameraSettings,
    BridgeSettings,
    StreamSettings,
    ViewerSettings,
    HlsSettings,
    IngressSettings,
    CompositionSettings,
)
"""Those that have settings of an app."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of an app.

    Attributes:
        name: As it is stored; the wire has it in camelCase.
        kept: The type that it is kept in.
    """

    name: str
    default: Any
    kept: Any
    meta: Meta
    span: Span | None
    bounds: Bounds | None
    written: Written | None

    @property
    def nullable(self) -> bool:
        """Whether null is a value of its own, and not the same as leaving it out."""
        return type(None) in get_args(self.kept)

    def answered(self) -> Any:
        """The type that an answer has it in."""
        if self.span is not None:
            return str | None if self.nullable else str
        return self.written.as_type if self.written is not None else self.kept

    def asked(self) -> Any:
        """The type that a request has it in; null where it is left out."""
        if self.span is not None:
            duration: Any = Annotated[str, StringConstraints(pattern=PATTERN), AfterValidator(_within(self.span))]
            return duration | None
        if self.written is not None:
            return self.written.as_type
        if self.bounds is None:
            return self.kept | None
        number: Any = Annotated[self.kept, Field(ge=self.bounds.least, le=self.bounds.most)]
        return number | None

    def to_wire(self, value: Any) -> Any:
        """A stored value, as callers write it."""
        return format_duration(value) if self.span is not None and value is not None else value

    def to_store(self, value: Any) -> Any:
        """What a caller wrote, as it is stored."""
        return parse_duration(value) if self.span is not None and value is not None else value


def _within(span: Span) -> Any:
    def check(text: str) -> str:
        seconds = parse_duration(text)
        too_long = span.longest is not None and seconds > parse_duration(span.longest)
        if too_long or seconds < parse_duration(span.shortest):
            because = f": {span.because}" if span.because else ""
            if span.longest is None:
                raise ValueError(f"it is at least {span.shortest}{because}")
            raise ValueError(f"it is {span.shortest} to {span.longest}{because}")
        return text

    return check


def _settings() -> Iterator[Setting]:
    for feature in FEATURES:
        hints = get_type_hints(feature, include_extras=True)
        for field in msgspec.structs.fields(feature):
            hint = hints[field.name]
            kept, *notes = get_args(hint)
            (meta,) = [note for note in notes if isinstance(note, Meta)]
            span, bounds, written = (_first(notes, kind) for kind in (Span, Bounds, Written))
            yield Setting(field.encode_name, field.default, kept, meta, span, bounds, written)


def _first(notes: list[Any], kind: type[Any]) -> Any:
    return next((note for note in notes if isinstance(note, kind)), None)


SETTINGS: Final = tuple(_settings())
"""Every setting of an app, in the order in which they are shown."""

if TYPE_CHECKING:
    SettingsBody = ResponseModel
    SettingsChange = RequestModel
else:
    SettingsBody = create_model(
        "SettingsBody",
        __base__=ResponseModel,
        __doc__="What an app decides for its rooms.",
        **{
            setting.name: (
                setting.answered(),
                Field(description=setting.meta.description, examples=setting.meta.examples),
            )
            for setting in SETTINGS
        },
    )
    SettingsChange = create_model(
        "SettingsChange",
        __base__=RequestModel,
        __doc__="Settings to change; what is left out stays.",
        **{
            setting.name: (
                setting.asked(),
                Field(default=None, description=setting.meta.description, examples=setting.meta.examples),
            )
            for setting in SETTINGS
        },
    )


def body_of(settings: AppSettings) -> SettingsBody:
    """The settings for an answer."""
    stored: dict[str, Any] = {}
    for feature in FEATURES:
        stored |= msgspec.to_builtins(settings.of(feature))
    return SettingsBody(**{setting.name: setting.to_wire(stored[setting.name]) for setting in SETTINGS})


def changed(before: AppSettings, change: SettingsChange) -> AppSettings:
    """The settings after a change."""
    values: Mapping[str, Any] = {
        setting.name: setting.to_store(value)
        for setting in SETTINGS
        if setting.name in change.model_fields_set
        if (value := getattr(change, setting.name)) is not None or setting.nullable
    }
    return before.changed(values)
