"""One attempt, and the word that says what was wrong with it: name, connection, TLS, time or answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from stagedoor.kernel.errors import Invalid
from stagedoor.outbox import connecting, targets
from stagedoor.outbox.nouns import AttemptResult
from stagedoor.outbox.sender import Sender
from stagedoor.outbox.signing import new_secret
from tests.support.receiver import receiving, status


@asynccontextmanager
async def sending(**options: Any) -> AsyncGenerator[Sender]:
    defaults: dict[str, Any] = {"allow_private": True, "timeout_seconds": 10}
    sender = Sender(**(defaults | options))
    try:
        yield sender
    finally:
        await sender.close()


async def attempt(url: str, **options: Any) -> AttemptResult:
    async with sending(**options) as sender:
        return await sender.send(url, "evt_1", b"{}", [new_secret()])


async def test_answers_are_judged_by_their_status() -> None:
    async with receiving() as receiver:
        assert (await attempt(receiver.url)).outcome == "ok"
        for code in (199 + 100, 301, 400, 404, 500):
            receiver.answer = status(code, Location=receiver.url + "/elsewhere")
            answered = await attempt(receiver.url)
            assert (answered.outcome, answered.status) == ("ok" if code == 299 else "status", code)
        assert len(receiver.taken) == 6, "a redirect was followed"


async def test_a_name_without_an_address() -> None:
    answered = await attempt("https://nobody.example.invalid/x", resolver=Names({}))
    assert (answered.outcome, answered.detail) == ("dns", "The name nobody.example.invalid has no address.")


async def test_a_port_that_is_not_open() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        answered = await attempt(f"http://127.0.0.1:{bound.getsockname()[1]}/x")
    assert answered.outcome == "connection"
    assert "refused" in answered.detail


class Names(AbstractResolver):
    """A resolver that knows these names; a list of addresses is given one at a time, as a rebinding name does."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        addresses = self.names.get(host)
        if not addresses:
            raise OSError(None, "Name or service not known")
        address = addresses.pop(0) if len(addresses) > 1 else addresses[0]
        found = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=found, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def test_a_private_address_is_not_connected_to_whatever_its_name_is(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names({"inside.example": ["127.0.0.1"], "rebinds.example": ["93.184.215.14", "127.0.0.1"]})
    own = sending(allow_private=False, resolver=names, timeout_seconds=0.5)  # nothing answers at the public address
    async with receiving() as receiver, own as sender:
        port = receiver.url.split(":")[2].split("/")[0]
        for host in (
            "127.0.0.1",
            "[::1]",
            "localhost",
            "127.1",
            "2130706433",
            "[::ffff:127.0.0.1]",
            "①②⑦.0.0.1",
        ):
            answered = await sender.send(f"http://{host}:{port}/x", "evt_1", b"{}", [new_secret()])
            assert answered.outcome == "refused_target", (host, answered.detail)
        # The address has the last word, whatever became of the URL on the way to it.
        with monkeypatch.context() as patch:
            patch.setattr(targets, "check_host", str)
            answered = await sender.send(f"http://127.0.0.1:{port}/x", "evt_1", b"{}", [new_secret()])
            assert answered.outcome == "refused_target"
        # What is checked is what is connected to: asked once, and the second answer is never used.
        answered = await sender.send(f"http://rebinds.example:{port}/x", "evt_1", b"{}", [new_secret()])
        assert answered.outcome in {"connection", "timeout"}
        assert names.asked.count("rebinds.example") == 1
        assert receiver.taken == []


async def test_unknown_names_and_those_with_a_private_address_have_one_answer() -> None:
    class Several(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            if host not in self.names:
                await asyncio.sleep(0.2)  # as it takes longer to find that nothing knows a name
                raise OSError(None, "Name or service not known")
            return [
                ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
                for address in self.names[host]
            ]

    names = Several({"inside.example": ["10.0.0.5"], "both.example": ["93.184.215.14", "10.0.0.5"]})
    answers: list[tuple[str, str]] = []
    seconds: list[float] = []
    async with sending(allow_private=False, resolver=names) as sender:
        for host in ("inside.example", "both.example", "unknown.example"):
            answered = await sender.send(f"https://{host}/x", "evt_1", b"{}", [new_secret()])
            answers.append((answered.outcome, answered.detail.replace(host, "it")))
            seconds.append(answered.duration_ms / 1000)
    assert answers == [("dns", "The name it has no address, or one that is not public.")] * 3
    assert min(seconds) >= connecting._UNRESOLVED_SECONDS - 0.01  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", False),
        ("::127.0.0.1", False),
        ("::ffff:0:7f00:1", False),
        ("64:ff9b:1::7f00:1", False),
        ("fec0::1", False),
        ("5f00::1", False),
        ("3fff::1", False),
        ("3fff:fff:ffff::1", False),
        ("100:0:0:1::1", False),
        ("100::1", False),
        ("2001:db8::1", False),
        ("2001:20::1", False),
        ("4000::1", False),
        ("64:ff9b::5db8:d70e", True),
        ("2002:5db8:d70e::", True),
        ("2a00:1450:4001:800::200e", True),
        ("192.0.0.8", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("203.0.113.7", False),
        ("255.1.2.3", False),
        ("1.1.1.1", True),
        ("not an address", False),
    ],
)
def test_which_addresses_are_the_internets(address: str, public: bool) -> None:
    assert targets.is_public(address) is public


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks",
        "ftp://example.com/x",
        "http://example.com/x",
        "https://",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://exa mple.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://0x7f000001/",
        "https://①②⑦.0.0.1/",
        "https://localhost./",
        "https://example.com/" + "x" * 2000,
    ],
)
def test_urls_that_can_not_be_a_webhooks(url: str) -> None:
    with pytest.raises(Invalid):
        targets.check_url(url, allow_private=False)


def test_private_ones_where_they_are_allowed() -> None:
    for url in ("http://127.0.0.1:9000/x", "https://localhost/x", "https://hooks.example.com/x?y=1"):
        assert targets.check_url(url, allow_private=True) == url
