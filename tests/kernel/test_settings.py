"""Settings: where a value comes from, and what a mistake says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stagedoor.cli.settings import describe
from stagedoor.kernel.errors import CallerMistake
from stagedoor.kernel.settings import Settings, environment_names, resolve

EXTERNAL = {
    "LIVEKIT_API_HOST": "http://livekit:7880",
    "LIVEKIT_API_KEY": "key",
    "LIVEKIT_API_SECRET": "a-secret-that-nobody-may-see",
}


def test_flags_win_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "stagedoor.toml"
    file.write_text('http = "127.0.0.1:3003"\nlivekit_port = 3004\nlivekit_tcp_port = 3005\n')
    environment = {"STAGEDOOR_HTTP": "127.0.0.1:2002", "STAGEDOOR_LIVEKIT_PORT": "2004"}
    found = resolve({"http": "127.0.0.1:1001", "node_ip": None}, environment, file)
    assert found.settings.http == "127.0.0.1:1001"
    assert found.settings.livekit_port == 2004
    assert found.settings.livekit_tcp_port == 3005
    assert found.settings.livekit_udp_port == 7882
    origins = [found.origins[name] for name in ("http", "livekit_port", "livekit_tcp_port", "livekit_udp_port")]
    assert origins == ["flag", "environment", "file", "default"]


def test_the_file_in_the_data_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "stagedoor.toml").write_text('public_url = "https://stage.example.com"\n')
    assert resolve({"data_dir": tmp_path}, {}).settings.public_url == "https://stage.example.com"


def test_livekits_own_names_make_it_external() -> None:
    found = resolve({}, EXTERNAL).settings
    assert found.external
    assert found.livekit_api_host == "http://livekit:7880"
    assert resolve({}, {}).settings.external is False


def test_several_webhook_keys_from_the_environment() -> None:
    keys = resolve({}, {"STAGEDOOR_WEBHOOK_EXTRA_KEYS": "old:secret1, older:secret2"}).settings.webhook_extra_keys
    assert {name: secret.get_secret_value() for name, secret in keys.items()} == {"old": "secret1", "older": "secret2"}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described_and_has_an_environment_name(name: str) -> None:
    assert (Settings.model_fields[name].description or "").endswith(".")
    assert f"STAGEDOOR_{name.upper()}" in environment_names(name)


def test_secrets_are_masked() -> None:
    environment = EXTERNAL | {
        "STAGEDOOR_DATABASE_URL": "postgresql://me:a-password@host/db",
        "STAGEDOOR_WEBHOOK_EXTRA_KEYS": "old:another-secret",
        "STAGEDOOR_METRICS_TOKEN": "a-metrics-token",
    }
    found = resolve({}, environment)
    shown = str(describe(found)) + repr(found.settings) + str(found)
    for secret in ("a-secret-that-nobody-may-see", "a-password", "another-secret", "a-metrics-token"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("flags", "environment", "says"),
    [
        ({"http": "8080"}, {}, "--http"),
        ({"http": "host:99999"}, {}, "HOST:PORT"),
        ({"livekit_port": 0}, {}, "--livekit-port"),
        ({}, {"STAGEDOOR_LIVEKIT_UDP_PORT": "many"}, "STAGEDOOR_LIVEKIT_UDP_PORT"),
        ({}, {"STAGEDOOR_PUBLIC_URL": "stage.example.com"}, "https://stagedoor.example.com"),
        ({}, {"STAGEDOOR_RECONCILE_INTERVAL": "soon"}, "STAGEDOOR_RECONCILE_INTERVAL"),
        ({}, {"STAGEDOOR_WEBHOOK_PATH": "/api/v1/apps"}, "outside /api"),
        ({}, {"STAGEDOOR_DATABASE_URL": "mysql://host/db"}, "postgresql://"),
        ({}, {"STAGEDOOR_WEBHOOK_EXTRA_KEYS": "no-secret"}, "key1:secret1"),
        ({}, {"LIVEKIT_URL": "ws://livekit:7880"}, "LIVEKIT_API_KEY and LIVEKIT_API_SECRET"),
        ({"nonsense": 1}, {}, "nonsense"),
    ],
)
def test_a_mistake_is_named_where_it_was_made(flags: dict[str, Any], environment: dict[str, str], says: str) -> None:
    with pytest.raises(CallerMistake) as mistake:
        resolve(flags, environment)
    assert says in str(mistake.value)


@pytest.mark.parametrize("text", ["http = ", 'nonsense = "x"\n', "http = 5\n"])
def test_a_bad_file_is_a_mistake(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(CallerMistake):
        resolve({}, {}, file)


def test_a_missing_file_that_was_asked_for_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(CallerMistake, match="nowhere"):
        resolve({}, {"STAGEDOOR_CONFIG": str(tmp_path / "nowhere.toml")})
