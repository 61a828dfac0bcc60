from __future__ import annotations

from tests.support.api_participant import guest_in
from tests.support.product import Api, eventually


async def test_x(api: Api) -> None:
    async with guest_in(api, "live", "xx", "ada") as ada:
        await ada.publish_camera()

        async def seen():
            return (await api("GET", "/apps/live/rooms/xx/participants/ada"))["data"]["tracks"]
        print(await eventually(seen))
        print(await api("POST", "/apps/live/rooms/xx/data", {"data": "hi", "topic": "t"}))
        async def got():
            return ada.packets
        print(await eventually(got))
        await api("DELETE", "/apps/live/rooms/xx/participants/ada", expect=204)
        print(await ada.gone)
