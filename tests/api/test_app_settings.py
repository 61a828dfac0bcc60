"""An app's settings are declared by their features, and everything else follows from that."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stagedoor.api.app_settings import FEATURES, SETTINGS, SettingsChange, body_of, changed
from stagedoor.events.settings import EventSettings
from stagedoor.kernel.feature_settings import FeatureSettings
from stagedoor.sources.cameras.settings import CameraSettings
from stagedoor.tenancy.nouns import AppSettings
from stagedoor.tenancy.token_settings import TokenSettings

SOURCE = Path(__file__).parents[2] / "src"


def after(before: AppSettings, **change: Any) -> AppSettings:
    return changed(before, SettingsChange.model_validate(change))


def test_every_feature_with_settings_is_listed() -> None:
    for path in SOURCE.rglob("settings.py"):
        import_module(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    assert set(FeatureSettings.__subclasses__()) == set(FEATURES)
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.meta.description and setting.meta.examples for setting in SETTINGS)


def test_a_change_keeps_what_it_leaves_out() -> None:
    one = after(AppSettings(), maxTokenTtl="12h", cameraMaxFps=5, eventRetention="90d")
    assert one.of(TokenSettings).max_token_ttl == 12 * 3_600
    two = after(one, cameraConflict="takeover", maxTokenTtl=None)
    cameras = two.of(CameraSettings)
    assert (cameras.max_fps, cameras.conflict, cameras.limit) == (5, "takeover", 100)
    assert two.of(TokenSettings).max_token_ttl == 12 * 3_600, "null is leaving it out where it means nothing else"
    assert after(two, eventRetention=None).of(EventSettings).event_retention is None, "where it does, it is a value"
    shown = body_of(two).model_dump(by_alias=True)
    assert (shown["maxTokenTtl"], shown["cameraMaxFps"], shown["eventRetention"]) == ("12h", 5, "90d")


@pytest.mark.parametrize(
    "change",
    [
        {"cameraMaxFps": 0},
        {"cameraMaxFps": 121},
        {"cameraMaxFps": "5"},
        {"cameraIdleTimeout": "1s"},
        {"maxTokenTtl": "31d"},
        {"eventRetention": "59m"},
        {"cameraConflict": "fight"},
        {"frameAncestors": ["not an origin"]},
        {"cameraSpeed": 1},
    ],
)
def test_a_change_is_held_to_the_bounds(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SettingsChange.model_validate(change)


def test_what_an_earlier_version_stored_is_read() -> None:
    stored = AppSettings.stored({"camera_max_fps": 5_000, "gone_since": True, "max_token_ttl": 60})
    assert stored.of(CameraSettings).max_fps == 5_000
    assert after(stored, cameraLimit=1).values["gone_since"] is True
