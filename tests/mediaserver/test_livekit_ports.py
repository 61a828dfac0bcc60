"""Each port in use ends in one sentence with the flag that moves it."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from stagedoor.kernel.errors import CallerMistake, OperatorError
from stagedoor.mediaserver.config import ManagedConfig
from stagedoor.mediaserver.ports import port_sentence
from stagedoor.mediaserver.state import StateFolder
from tests.mediaserver.livekit_harness import MakeManaged


@pytest.mark.parametrize(
    ("kind", "which", "host", "flag"),
    [
        (socket.SOCK_STREAM, "http_port", "127.0.0.1", "--livekit-port"),
        (socket.SOCK_STREAM, "tcp_port", "127.0.0.1", "--livekit-tcp-port"),
        (socket.SOCK_DGRAM, "udp_port", "127.0.0.1", "--livekit-udp-port"),
        (socket.SOCK_STREAM, "http_port", "0.0.0.0", "--livekit-port"),
        (socket.SOCK_DGRAM, "udp_port", "0.0.0.0", "--livekit-udp-port"),
    ],
)
async def test_a_port_in_use_names_who_has_it_and_the_flag(
    managed: MakeManaged,
    config: ManagedConfig,
    state_dir: Path,
    kind: socket.SocketKind,
    which: str,
    host: str,
    flag: str,
) -> None:
    port: int = getattr(config, which)
    with socket.socket(socket.AF_INET, kind) as ours:
        ours.bind((host, port))
        if kind == socket.SOCK_STREAM:
            ours.listen()
        with pytest.raises(OperatorError) as caught:
            await managed().start()
    sentence = str(caught.value)
    assert f"port {port} is in use by " in sentence
    assert f"(process {os.getpid()})" in sentence
    assert sentence.endswith(f"with {flag}.")
    assert not isinstance(caught.value, CallerMistake)
    assert (await asyncio.to_thread(StateFolder(state_dir).find, None)) is None


async def test_an_address_of_another_machine_is_reported(managed: MakeManaged, config: ManagedConfig) -> None:
    with pytest.raises(OperatorError, match=r"cannot listen on 203\.0\.113\.7"):
        await managed(config=replace(config, bind_addresses=("203.0.113.7",))).start()


@pytest.mark.parametrize(
    ("which", "words", "flag"),
    [
        ("http_port", "listen tcp 127.0.0.1:{}", "--livekit-port"),
        ("tcp_port", "listen tcp :{}", "--livekit-tcp-port"),
        ("udp_port", "listen udp 127.0.0.1:{}", "--livekit-udp-port"),
        ("udp_port", "listen udp4 [::1]:{}", "--livekit-udp-port"),
    ],
)
def test_a_port_taken_after_the_check_is_read_from_livekits_words(
    config: ManagedConfig, which: str, words: str, flag: str
) -> None:
    reason = words.format(getattr(config, which)) + ": bind: address already in use"
    sentence = port_sentence(config, reason)
    assert sentence is not None
    assert sentence.endswith(f"with {flag}.")


def test_another_reason_is_no_port_sentence(config: ManagedConfig) -> None:
    assert port_sentence(config, "could not parse config: invalid ip abc") is None
