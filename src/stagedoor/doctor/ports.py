"""Which process has Stagedoor's ports: itself while it runs, none while it does not."""

from __future__ import annotations

from dataclasses import dataclass

from stagedoor.doctor.context import Context
from stagedoor.doctor.result import CheckResult, broken, ok
from stagedoor.processes.ports import Protocol, is_free, owner

CHECK = "ports"
_ALL = "0.0.0.0"  # noqa: S104 - only tried


@dataclass(frozen=True, slots=True)
class Need:
    """A port that Stagedoor, or the LiveKit that it runs, listens on."""

    protocol: Protocol
    host: str
    port: int
    setting: str
    by_livekit: bool

    @property
    def name(self) -> str:
        return f"{self.protocol.upper()} {self.port}"


def needs(context: Context) -> list[Need]:
    """Every port of this installation on this machine."""
    settings = context.settings
    found = [Need("tcp", settings.http_host or _ALL, settings.http_port, "http", by_livekit=False)]
    managed = context.network.managed
    if managed is not None:
        found += [
            Need("tcp", host, managed.http_port, "livekit_port", by_livekit=True) for host in managed.bind_addresses
        ]
        if managed.tcp_port:
            found.append(Need("tcp", _ALL, managed.tcp_port, "livekit_tcp_port", by_livekit=True))
        host = "127.0.0.1" if managed.loopback else _ALL
        found.append(Need("udp", host, managed.udp_port, "livekit_udp_port", by_livekit=True))
    return found


def check(context: Context) -> CheckResult:
    """Look at every port. Blocks for a while."""
    sentences: list[str] = []
    for need in needs(context):
        trouble, sentence = _look(context, need)
        if trouble is not None:
            return trouble
        sentences.append(sentence)
    return ok(CHECK, "; ".join(sentences) + ".")


def _look(context: Context, need: Need) -> tuple[CheckResult | None, str]:
    variable = f"STAGEDOOR_{need.setting.upper()}"
    try:
        free = is_free(need.protocol, "127.0.0.1" if need.host == "localhost" else need.host, need.port)
    except OSError as error:
        sentence = f"{need.name} cannot be listened on at {need.host}: {error.strerror}."
        return broken(CHECK, sentence, f"Choose another with {variable}."), ""
    expected = context.livekit_pid is not None if need.by_livekit else context.state != "stopped"
    if free and not expected:
        return None, f"{need.name} is free"
    if free:
        whose = "LiveKit" if need.by_livekit else "Stagedoor"
        sentence = f"{need.name} should be {whose}'s, and nothing listens there."
        return broken(CHECK, sentence, f"Restart Stagedoor; give this command the same {variable}."), ""
    who = owner(need.protocol, need.port)
    ours = expected and (not need.by_livekit or who is None or who.endswith(f"(process {context.livekit_pid})"))
    if ours:
        return None, f"{need.name} is used by {who or 'a process that may not be seen'}"
    sentence = f"{need.name} is in use by {who or 'a process of another user'}."
    return broken(CHECK, sentence, f"End that program, or choose another port with {variable}."), ""
