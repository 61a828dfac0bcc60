"""What LiveKit lists is two questions, and a room may end and come back between them."""

from __future__ import annotations

import pytest

from stagedoor.mediaserver.endpoint import Endpoint
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.mediaserver.snapshots import ParticipantSnapshot
from tests.support.rooms_callers import calling
from tests.system.kill.conftest import Rest, Start

pytestmark = pytest.mark.slow


class Unlucky(LiveKitGateway):
    """Its rooms end, and begin another life, just before their participants are asked for."""

    async def participants(self, room: str) -> list[ParticipantSnapshot]:
        await self.delete_room(room)
        await self.create_room(room)
        return await super().participants(room)


async def test_no_participant_is_put_into_a_room_that_is_over(start: Start, rest: Rest) -> None:
    product = start()
    url = product.ready["livekit"]["url"]
    endpoint = Endpoint(url, url, *product.livekit_keys)
    async with calling(rest(product), "demo", "ann", publish=False):
        gateway = LiveKitGateway(endpoint)
        try:
            ((room, people),) = (await gateway.list_everything()).rooms
            assert (room.name, [person.identity for person in people]) == ("live-demo", ["ann"])
        finally:
            await gateway.close()
        unlucky = Unlucky(endpoint)
        try:
            assert (await unlucky.list_everything()).rooms == ()
            (successor,) = await unlucky.rooms()
            assert successor.sid != room.sid
        finally:
            await unlucky.close()
