from __future__ import annotations
import asyncio, json, time
from playwright.async_api import Browser
from tests.support.product import Api, eventually
from tests.support.browser import *

async def test_probe(api: Api, browser: Browser, product) -> None:
    if product.mode == "external": return
    link = (await api("POST", "/apps/live/rooms/probe/links", {"page": "meet"}))["data"]["url"]
    tok = (await api("POST", "/apps/live/tokens", {"room": "probe"}))["data"]
    await api("POST", "/apps/live/rooms", {"name": "probe", "departureTimeout": 1}, expect=201)
    async with visitor(browser) as a, visitor(browser) as b:
        t=time.time()
        await a.meet(link, "Ada"); print("joined", time.time()-t)
        t=time.time()
        await b.page.goto(tok["playUrl"])
        v = b.page.get_by_test_id("stage-video")
        await moves(v); print("moves", time.time()-t)
        f = await grab(v); print("spread", f.std())
        for i in range(5):
            g = await grab(v); print("change", np.abs(f-g).mean()); f=g; await asyncio.sleep(0.1)
        await asyncio.sleep(.5)
        print(await loudness(b.page.locator("audio")))
        async with keeps_moving(v, 3):
            await asyncio.sleep(3)
        s = (await api("GET", "/apps/live/sessions?room=probe"))["data"]
        print(json.dumps(s, indent=1))
        print(json.dumps(await api("GET", "/apps/live/rooms/probe/participants")))
        t=time.time()
        await b.page.close()
        async def gone():
            s = (await api("GET", "/apps/live/sessions?room=probe"))["data"][0]
            return any(p["state"]=="left" for p in s["participants"])
        try:
            await eventually(gone, 30)
        except AssertionError as e: print(e)
        print("gone after", time.time()-t)
        await a.leave()
        await asyncio.sleep(4)
        s = (await api("GET", "/apps/live/sessions?room=probe"))["data"]
        s = (await api("GET", "/apps/live/sessions/"+s[0]["id"]))["data"]
        print(json.dumps(s, indent=1))
        print(a.complaints, b.complaints)
