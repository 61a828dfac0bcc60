"""Does LiveKit answer, and does it take our key?"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import aiohttp
from livekit import api

from stagedoor.doctor.context import Context
from stagedoor.doctor.process import START
from stagedoor.doctor.result import CheckResult, broken, ok, skipped, warning
from stagedoor.mediaserver.endpoint import Endpoint, http_url
from stagedoor.mediaserver.signing import access_token

REACHABLE: Final = "livekit"
KEY: Final = "livekit-key"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=8, connect=4)


async def check_reachable(context: Context) -> CheckResult:
    """`GET /` without a key. 406 is a LiveKit whose statistics are late, which it is under load."""
    if context.other_livekit:
        return _other(context)
    url = context.network.endpoint.url
    if context.network.managed is not None and context.livekit_pid is None and context.state == "stopped":
        return skipped(REACHABLE, "LiveKit is run by Stagedoor, which does not run.", START)
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(f"{http_url(url)}/") as answer:
            status, body = answer.status, (await answer.content.read(64)).decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return broken(
            REACHABLE,
            f"LiveKit does not answer at {url}: {str(error) or 'no answer in time'}.",
            _where_to_look(context),
        )
    if status == 406:
        return warning(
            REACHABLE,
            f"LiveKit at {url} answers, but says that it is not ready: the machine is overloaded.",
            "See what uses the machine's processors.",
        )
    if status != 200 or body.strip() != "OK":
        return broken(
            REACHABLE,
            f"Something answers at {url}, but not as LiveKit does (status {status}).",
            "Set LIVEKIT_API_HOST to LiveKit's own address, http://HOST:7880 if nothing was changed.",
        )
    return ok(REACHABLE, f"LiveKit answers at {url}.")


async def check_key(endpoint: Endpoint) -> CheckResult:
    """A small question that needs the key. LiveKit refuses a key with a bare 401, which no Twirp error comes with."""
    token = access_token(endpoint, api.VideoGrants(room_list=True), 60)
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, headers={"Authorization": f"Bearer {token}"}) as session,
            session.post(
                f"{http_url(endpoint.url)}/twirp/livekit.RoomService/ListRooms", json={"names": ["-"]}
            ) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return broken(KEY, f"LiveKit stopped answering: {error}.", "Look into LiveKit's log, and try again.")
    if status in {401, 403}:
        return broken(
            KEY,
            f"LiveKit at {endpoint.url} refuses the API key {endpoint.api_key} with our secret.",
            "Set LIVEKIT_API_KEY and LIVEKIT_API_SECRET to one pair of `keys` in LiveKit's configuration, exactly;"
            " a clock that is wrong by minutes looks the same.",
        )
    if status != 200:
        return broken(KEY, f"LiveKit answers a signed question with status {status}.", "Look into LiveKit's log.")
    return ok(KEY, f"LiveKit takes the API key {endpoint.api_key}.")


def key_skipped(reachable: CheckResult) -> CheckResult:
    """When LiveKit did not answer."""
    return skipped(KEY, "Not tried, because LiveKit could not be asked.", _first(reachable))


def _first(finding: CheckResult) -> str:
    return finding.next if finding.status == "skipped" else f"Fix `{finding.check}` first."


def _where_to_look(context: Context) -> str:
    if context.network.managed is not None:
        log = context.folder / "livekit" / "livekit.log"
        return f"Stagedoor starts it again by itself; if this lasts, {log} says why."
    host = urlsplit(context.network.endpoint.url)
    return (
        f"See that LiveKit runs and that a firewall lets this machine reach {host.hostname}:{host.port or host.scheme};"
        " LIVEKIT_API_HOST says where it is sought. LiveKit ends with exit code 0 when it cannot start, so look into"
        " its log: `journalctl -u livekit` or `docker compose logs livekit`."
    )


def _other(context: Context) -> CheckResult:
    own = "an external LiveKit" if context.network.managed is not None else "a LiveKit that it runs itself"
    return broken(
        REACHABLE,
        f"The running Stagedoor uses {own}, and this command was not given the same settings.",
        "Give it the same environment or --config, for example:"
        " `set -a; . /etc/stagedoor/stagedoor.env; stagedoor doctor`.",
    )
