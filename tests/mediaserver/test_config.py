"""The configuration written for LiveKit, and the network that it uses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from stagedoor.kernel.errors import CallerMistake
from stagedoor.mediaserver import network
from stagedoor.mediaserver.config import ManagedConfig, choose_network, fingerprint, render, webhook_section


def test_a_local_one_stays_on_this_machine(config: ManagedConfig) -> None:
    document = yaml.safe_load(render(replace(config, webhook_urls=("http://127.0.0.1:8000/hook",))))
    assert document["bind_addresses"] == ["127.0.0.1"]
    assert document["rtc"] == {
        "tcp_port": config.tcp_port,
        "udp_port": config.udp_port,
        "node_ip": "127.0.0.1",
        "use_external_ip": False,
        "enable_loopback_candidate": True,
        "stun_servers": ["127.0.0.1:3478"],
        "ips": {"includes": ["127.0.0.0/8", "::1/128"]},
    }
    assert document["keys"] == {"APItest": config.api_secret}
    assert document["webhook"] == {"api_key": "APItest", "urls": ["http://127.0.0.1:8000/hook"]}


def test_our_key_is_the_first_of_several(config: ManagedConfig) -> None:
    document = yaml.safe_load(render(replace(config, extra_keys={"APIold": "old"})))
    assert list(document["keys"]) == ["APItest", "APIold"]


def test_overrides_are_laid_over_section_by_section(config: ManagedConfig) -> None:
    document = yaml.safe_load(render(replace(config, overrides={"room": {"empty_timeout": 5}, "region": "here"})))
    assert document["room"] == {"auto_create": True, "empty_timeout": 5, "departure_timeout": 20}
    assert document["region"] == "here"


def test_configurations_that_differ_have_different_fingerprints(config: ManagedConfig) -> None:
    assert fingerprint(render(config)) == fingerprint(render(replace(config)))
    assert fingerprint(render(config)) != fingerprint(render(replace(config, api_secret="another")))


def test_its_representation_shows_no_secret(config: ManagedConfig) -> None:
    assert config.api_secret not in repr(config)


@pytest.mark.parametrize("ports", [(0, 7881, 7882), (7880, 70000, 7882), (7880, 7880, 7882)])
def test_ports_that_cannot_be_are_the_callers_mistake(config: ManagedConfig, ports: tuple[int, int, int]) -> None:
    http, tcp, udp = ports
    with pytest.raises(CallerMistake, match="--livekit-"):
        replace(config, http_port=http, tcp_port=tcp, udp_port=udp)


def test_the_section_for_an_external_livekit() -> None:
    assert yaml.safe_load(webhook_section("APIx", ("https://a.example/hook",))) == {
        "webhook": {"api_key": "APIx", "urls": ["https://a.example/hook"]}
    }


@pytest.mark.parametrize(
    ("http_host", "node_ip", "chosen"),
    [
        ("127.0.0.1", None, (("127.0.0.1",), "127.0.0.1", True)),
        ("localhost", None, (("127.0.0.1",), "127.0.0.1", True)),
        ("::1", None, (("::1",), "127.0.0.1", True)),
        ("127.0.0.1", "198.51.100.7", (("127.0.0.1",), "198.51.100.7", False)),
        ("0.0.0.0", "198.51.100.7", (("0.0.0.0",), "198.51.100.7", False)),
        ("", "127.0.0.1", (("0.0.0.0",), "127.0.0.1", True)),
        ("198.51.100.9", None, (("198.51.100.9",), "198.51.100.9", False)),
        ("::", "198.51.100.7, 2001:db8::7", (("::",), "198.51.100.7,2001:db8::7", False)),
        ("0.0.0.0", None, (("0.0.0.0",), "192.0.2.44", False)),
    ],
)
def test_choose_network(
    http_host: str,
    node_ip: str | None,
    chosen: tuple[tuple[str, ...], str, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "primary_address", lambda: "192.0.2.44")
    assert choose_network(http_host, node_ip) == chosen


def test_without_any_network_only_this_machine_can_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "primary_address", lambda: None)
    assert choose_network("0.0.0.0", None) == (("0.0.0.0",), "127.0.0.1", True)


@pytest.mark.parametrize("node_ip", ["media.example.org", "", "0.0.0.0", "10.0.0.1,10.0.0.2"])
def test_a_node_ip_that_is_none_is_the_callers_mistake(node_ip: str) -> None:
    with pytest.raises(CallerMistake):
        choose_network("0.0.0.0", node_ip)
