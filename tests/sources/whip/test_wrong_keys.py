"""Wrong stream keys are counted by address."""

from __future__ import annotations

from typing import Any, cast

import pytest

from stagedoor.kernel.errors import Problem, Unauthenticated
from stagedoor.kernel.wrong_keys import WRONG_KEYS
from stagedoor.sources.whip.sessions import WhipSessions

pytestmark = pytest.mark.anyio


class NoIngresses:
    """An installation in which no key is right."""

    async def authenticate(self, *_: object) -> None:
        raise Unauthenticated("No ingress has this key.", code="bad_stream_key")


async def refusal(sessions: WhipSessions, address: str) -> Problem:
    with pytest.raises(Problem) as refused:
        await sessions.authenticate("stk_wrong", None, None, address)
    return refused.value


async def test_an_address_with_too_many_wrong_keys_waits_and_others_do_not() -> None:
    none = cast("Any", None)
    sessions = WhipSessions(none, none, cast("Any", NoIngresses()), none, none)
    for _ in range(WRONG_KEYS):
        assert (await refusal(sessions, "192.0.2.1")).status == 401
    refused = await refusal(sessions, "192.0.2.1")
    assert (refused.status, refused.code) == (429, "too_many_wrong_keys")
    assert int(refused.headers["Retry-After"]) > 0
    assert (await refusal(sessions, "192.0.2.2")).status == 401
