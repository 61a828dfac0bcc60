"""Settings: flags before the environment before the file before defaults, and an error that says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from stagedoor.kernel.errors import CallerMistake
from stagedoor.settings.installation import Settings
from stagedoor.settings.resolve import environment_names, resolve, unknown_variables
from tests.support.product import clean_environment


def file_of(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_the_order_of_origins(tmp_path: Path) -> None:
    file = file_of(tmp_path, 'http = "127.0.0.1:1001"\nlivekit_port = 2001\nlog_level = "debug"\n')
    environment = {"STAGEDOOR_HTTP": "127.0.0.1:1002", "STAGEDOOR_LIVEKIT_PORT": "2002"}
    found = resolve({"http": "127.0.0.1:1003", "node_ip": None}, environment, file)
    settings, origins = found.settings, found.origins
    assert (settings.http, settings.livekit_port, settings.log_level) == ("127.0.0.1:1003", 2002, "debug")
    assert (origins["http"], origins["livekit_port"], origins["log_level"]) == ("flag", "environment", "file")
    assert origins["livekit_webhook_path"] == "default"
    assert set(origins) == set(Settings.model_fields)
    assert found.file == file


def test_livekits_own_names(tmp_path: Path) -> None:
    environment = {
        "LIVEKIT_URL": "wss://media.example.com",
        "LIVEKIT_API_HOST": "http://10.0.0.1:7880",
        "LIVEKIT_API_KEY": "APIx",
        "LIVEKIT_API_SECRET": "secret",
        "STAGEDOOR_DATA_DIR": str(tmp_path),
    }
    settings = resolve({}, environment).settings
    assert settings.external
    assert (settings.livekit_url, settings.livekit_api_host) == ("wss://media.example.com", "http://10.0.0.1:7880")
    assert settings.livekit_api_key == "APIx"
    assert settings.livekit_api_secret == SecretStr("secret")
    own = resolve({}, environment | {"STAGEDOOR_LIVEKIT_API_KEY": "APIown"}).settings
    assert own.livekit_api_key == "APIown"


def test_the_file_in_the_data_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "stagedoor.toml").write_text("livekit_port = 2001")
    assert resolve({"data_dir": tmp_path}, {}).settings.livekit_port == 2001
    assert resolve({}, {"STAGEDOOR_DATA_DIR": str(tmp_path)}).settings.livekit_port == 2001
    other = file_of(tmp_path, "livekit_port = 2002")
    assert resolve({"data_dir": tmp_path}, {"STAGEDOOR_CONFIG": str(other)}).settings.livekit_port == 2002


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    found = resolve({"data_dir": tmp_path}, {"STAGEDOOR_HTTP": "", "LIVEKIT_API_HOST": ""})
    assert found.origins["http"] == "default"
    assert not found.settings.external


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"STAGEDOOR_HTTP": "8080"}, "STAGEDOOR_HTTP"),
        ({"STAGEDOOR_HTTP": "127.0.0.1:0"}, "STAGEDOOR_HTTP"),
        ({"STAGEDOOR_RTMP_LISTEN": "nonsense"}, "STAGEDOOR_RTMP_LISTEN"),
        ({"STAGEDOOR_RTMP_LISTEN": "127.0.0.1:0"}, "STAGEDOOR_RTMP_LISTEN"),
        ({"STAGEDOOR_RTMP_LISTEN": "127.0.0.1:99999"}, "STAGEDOOR_RTMP_LISTEN"),
        ({"STAGEDOOR_RTMP_LISTEN": ":1935"}, "STAGEDOOR_RTMP_LISTEN"),
        ({"STAGEDOOR_RTMPS_LISTEN": "localhost"}, "STAGEDOOR_RTMPS_LISTEN"),
        ({"STAGEDOOR_LIVEKIT_PORT": "70000"}, "STAGEDOOR_LIVEKIT_PORT"),
        ({"STAGEDOOR_LIVEKIT_PORT": "many"}, "STAGEDOOR_LIVEKIT_PORT"),
        ({"STAGEDOOR_PUBLIC_URL": "example.com"}, "STAGEDOOR_PUBLIC_URL"),
        ({"STAGEDOOR_WEBHOOK_PATH": "hooks"}, "STAGEDOOR_WEBHOOK_PATH"),
        ({"STAGEDOOR_WEBHOOK_PATH": "/api/v1/apps"}, "STAGEDOOR_WEBHOOK_PATH"),
        ({"STAGEDOOR_WEBHOOK_EXTRA_KEYS": "onlykey"}, "STAGEDOOR_WEBHOOK_EXTRA_KEYS"),
        ({"STAGEDOOR_RECONCILE_INTERVAL": "often"}, "STAGEDOOR_RECONCILE_INTERVAL"),
        ({"STAGEDOOR_LOG_LEVEL": "loud"}, "STAGEDOOR_LOG_LEVEL"),
        ({"STAGEDOOR_DATABASE_URL": "mysql://x"}, "STAGEDOOR_DATABASE_URL"),
        ({"LIVEKIT_API_HOST": "http://x"}, "LIVEKIT_API_KEY and LIVEKIT_API_SECRET"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(tmp_path: Path, environment: dict[str, str], word: str) -> None:
    with pytest.raises(CallerMistake) as mistake:
        resolve({"data_dir": tmp_path}, environment)
    assert word in str(mistake.value)
    assert str(mistake.value).endswith(".")
    assert mistake.value.exit_code == 2


def test_no_part_replaces_a_check_of_another() -> None:
    """`Settings` inherits from the settings of all features: of two checks with one name, one is lost."""
    names = [name for part in Settings.__mro__ if part.__module__.startswith("stagedoor") for name in vars(part)]
    checks = [name for name in names if name.startswith("_") and not name.startswith(("__", "_abc"))]
    assert len(set(checks)) == len(checks)


def test_a_wrong_flag_is_named_as_a_flag(tmp_path: Path) -> None:
    with pytest.raises(CallerMistake, match="--http"):
        resolve({"data_dir": tmp_path, "http": "nowhere"}, {})
    with pytest.raises(CallerMistake, match="The setting --rtmp is wrong"):
        resolve({"data_dir": tmp_path, "rtmp_listen": "nowhere"}, {})


@pytest.mark.parametrize("text", ["port = 1", "this is no TOML", 'http = "x"', "livekit_port = 'x'"])
def test_a_wrong_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(CallerMistake):
        resolve({"data_dir": tmp_path}, {}, file_of(tmp_path, text))
    with pytest.raises(CallerMistake):
        resolve({"data_dir": tmp_path}, {}, tmp_path / "none.toml")


def test_a_mistake_never_shows_a_secret(tmp_path: Path) -> None:
    for name, value in (("STAGEDOOR_DATABASE_URL", "mysql://hush-hush"), ("STAGEDOOR_WEBHOOK_EXTRA_KEYS", "hush-hush")):
        with pytest.raises(CallerMistake) as mistake:
            resolve({"data_dir": tmp_path}, {name: value})
        assert "hush" not in str(mistake.value)


def test_secrets_are_of_a_type_that_hides_them(tmp_path: Path) -> None:
    environment = {
        "STAGEDOOR_METRICS_TOKEN": "hush-one",
        "STAGEDOOR_DATABASE_URL": "postgresql://u:hush-two@h/d",
        "STAGEDOOR_WEBHOOK_EXTRA_KEYS": "APIx:hush-three",
        "LIVEKIT_API_HOST": "http://x",
        "LIVEKIT_API_KEY": "APIx",
        "LIVEKIT_API_SECRET": "hush-four",
    }
    settings = resolve({"data_dir": tmp_path}, environment).settings
    assert "hush" not in repr(settings)
    assert settings.livekit_webhook_extra_keys["APIx"].get_secret_value() == "hush-three"


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_documented_and_has_a_variable(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    assert description.endswith(".")
    assert f"STAGEDOOR_{name.upper()}" in environment_names(name)
    page = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
    assert f"STAGEDOOR_{name.upper()}" in page.read_text()


def test_the_cli_lists_every_setting_and_masks_secrets(tmp_path: Path) -> None:
    environment = clean_environment() | {
        "STAGEDOOR_METRICS_TOKEN": "hush-one",
        "STAGEDOOR_WEBHOOK_EXTRA_KEYS": "APIx:hush-two",
    }
    command = [sys.executable, "-m", "stagedoor", "settings", "--json", "--data-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    rows: dict[str, Any] = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) == set(Settings.model_fields)
    assert all(row["meaning"] and row["environment"] for row in rows.values())
    assert "hush" not in done.stdout + done.stderr
    assert rows["metrics_token"]["origin"] == "environment"
    assert rows["data_dir"]["origin"] == "flag"
    assert (rows["http"]["value"], rows["http"]["origin"]) == ("127.0.0.1:8080", "default")


def test_a_setting_goes_on_to_have_its_former_name(tmp_path: Path) -> None:
    file = tmp_path / "stagedoor.toml"
    file.write_text("webhook_max_bytes = 5000\nwebhook_path = '/old'\n")
    found = resolve({}, {"STAGEDOOR_WEBHOOK_PATH": "/former"}, file)
    assert found.settings.livekit_webhook_path == "/former"
    assert (found.settings.livekit_webhook_max_bytes, found.origins["livekit_webhook_max_bytes"]) == (5000, "file")
    both = {"STAGEDOOR_WEBHOOK_PATH": "/former", "STAGEDOOR_LIVEKIT_WEBHOOK_PATH": "/now"}
    assert resolve({}, both).settings.livekit_webhook_path == "/now"
    assert unknown_variables(both) == []
    file.write_text("webhook_path = 'wrong'\n")
    with pytest.raises(CallerMistake, match="The setting webhook_path is wrong"):
        resolve({}, {}, file)
