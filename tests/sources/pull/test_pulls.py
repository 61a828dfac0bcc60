"""URLs are pulled into rooms: from a real RTSP server, through a real LiveKit."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import aiohttp
import pytest

from tests.support.api_participant import joined, token_for
from tests.support.api_tenant import fresh, new_app
from tests.support.gst_rtsp import H264, H265, MU_LAW, rtsp_server
from tests.support.ports import free_ports
from tests.support.product import Api, RunningProduct, eventually, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningProduct]:
    with running(tmp_path_factory.mktemp("pull"), STAGEDOOR_PULL_ALLOWED_NETWORKS="127.0.0.0/8") as made:
        yield made


@pytest.fixture
async def api(product: RunningProduct, http: aiohttp.ClientSession) -> Api:
    return Api(http, product.url, product.api_key)


class Pulled:
    """An ingress that pulls."""

    def __init__(self, api: Api, app: str, made: dict[str, Any]) -> None:
        self.api = api
        self.path = f"/apps/{app}/ingress/{made['ingressId']}"
        self.made = made

    async def until(self, check: Callable[[dict[str, Any]], object], seconds: float = 25.0) -> dict[str, Any]:
        """The state, once it is as wanted."""

        async def found() -> dict[str, Any] | None:
            state = (await self.api("GET", self.path))["data"]["state"]
            return state if check(state) else None

        return await eventually(found, seconds)

    async def published(self) -> dict[str, Any]:
        """The state, once it has a picture."""
        return await self.until(lambda state: state["status"] == "publishing" and state["video"] is not None)


async def pulling(api: Api, app: str, url: str, **more: Any) -> Pulled:
    body = {"inputType": "url", "room": fresh("gate"), "url": url, **more}
    return Pulled(api, app, (await api("POST", f"/apps/{app}/ingress", body, expect=201))["data"])


async def test_a_camera_is_in_its_room_until_it_is_disabled(api: Api) -> None:
    app = await new_app(api)
    async with rtsp_server(H264 + MU_LAW, user="admin", password="secret") as camera:
        pulled = await pulling(api, app, camera.url)
        state = await pulled.published()
        assert (state["video"]["codec"], state["video"]["passthrough"]) == ("h264", True)
        room = pulled.made["roomName"]
        (participant,) = (await api("GET", f"/apps/{app}/rooms/{room}/participants"))["data"]
        assert participant["attributes"] == {"stagedoor.source": "rtsp"}
        await api("PATCH", pulled.path, {"enabled": False}, expect=200)
        await pulled.until(lambda state: state["status"] == "inactive")
        await api("PATCH", pulled.path, {"enabled": True}, expect=200)
        await pulled.published()
    assert "secret" not in (await api("GET", pulled.path))["data"]["url"]


async def test_a_camera_that_goes_away_comes_back_by_itself(api: Api) -> None:
    app = await new_app(api)
    (port,) = free_ports(1)
    async with rtsp_server(H264, port=port) as camera:
        pulled = await pulling(api, app, camera.url)
        await pulled.published()
    state = await pulled.until(lambda state: state["status"] in {"reconnecting", "error"})
    assert state["error"]["message"]
    async with rtsp_server(H264, port=port):
        await pulled.published()


async def test_a_camera_that_stays_away_has_no_participant_and_comes_back_as_another(api: Api) -> None:
    app = await new_app(api, ingressStaySeconds=1)
    (port,) = free_ports(1)
    async with rtsp_server(H264, port=port) as camera:
        pulled = await pulling(api, app, camera.url, participantIdentity="gate")
        before = await pulled.until(lambda state: state["participantSid"])
    state = await pulled.until(lambda state: state["status"] == "reconnecting" and state["participantSid"] is None)
    assert state["error"]["code"] == "source_failed"
    room = pulled.made["roomName"]
    async with rtsp_server(H264, port=port):
        await pulled.published()
        after = await pulled.until(lambda state: state["participantSid"])
        (participant,) = (await api("GET", f"/apps/{app}/rooms/{room}/participants"))["data"]
    assert before["participantSid"] != after["participantSid"]
    assert (participant["sid"], participant["identity"]) == (after["participantSid"], "gate")


async def test_a_wrong_password_is_not_tried_again_at_once(api: Api) -> None:
    app = await new_app(api)
    async with rtsp_server(H264, user="admin", password="right") as camera:
        pulled = await pulling(api, app, camera.url.replace("right", "wrong"))
        state = await pulled.until(lambda state: state["status"] == "error")
        assert state["error"]["code"] == "auth_failed"
        # A change is tried at once.
        await api("PATCH", pulled.path, {"url": camera.url}, expect=200)
        await pulled.published()


async def test_hevc_is_transcoded_and_the_state_says_why(api: Api) -> None:
    app = await new_app(api)
    async with rtsp_server(H265) as camera:
        pulled = await pulling(api, app, camera.url)
        state = await pulled.published()
    assert state["video"]["passthrough"] is False
    assert "H.264" in state["video"]["reason"]


async def test_a_private_address_that_no_setting_lists_is_refused(api: Api) -> None:
    app = await new_app(api)
    pulled = await pulling(api, app, "rtsp://192.168.77.1/cam")
    state = await pulled.until(lambda state: state["error"] is not None)
    assert "pull_allowed_networks" in state["error"]["message"]


async def test_on_demand_it_is_pulled_once_a_participant_is_there(api: Api) -> None:
    app = await new_app(api)
    async with rtsp_server(H264) as camera:
        pulled = await pulling(api, app, camera.url, start="demand")
        async with joined(await token_for(api, app, pulled.made["roomName"], "viewer")):
            await pulled.published()
