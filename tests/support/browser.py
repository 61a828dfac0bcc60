"""Real Chromium pages with fake devices: opened, listened to, and asked for the pixels that they show."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    FrameLocator,
    Locator,
    Page,
    async_playwright,
    expect,
)

from tests.support import slow

Frame = NDArray[np.int16]
Place = Page | FrameLocator

ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]
PHONE: Final = (390, 844)
DESKTOP: Final = (1440, 900)

MOVING_SECONDS: Final = 30.0
"""Time for a picture to come: two cores encode, decode and serve at once."""
SPREAD: Final = 8.0
"""Standard deviation of brightness that no black or plain picture has; the fake camera's is about 60."""
CHANGE: Final = 0.2
"""Mean change of brightness that noise of a codec on a still picture stays below."""

# By itself Playwright gives up an expectation after five seconds, of which a busy machine needs more for one password's
# hash; for all else it waits for thirty.
expect.set_options(timeout=30_000)

_GRAB = """video => {
  if (video.readyState < 2 || !video.videoWidth) return null;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [160, 90];
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0, 160, 90);
  const { data } = context.getImageData(0, 0, 160, 90);
  let text = '';
  for (let i = 0; i < data.length; i += 4)
    text += String.fromCharCode((data[i] * 77 + data[i + 1] * 150 + data[i + 2] * 29) >> 8);
  return btoa(text);
}"""

_WATCH = """(video, [change, every]) => {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [64, 36];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  let before = null, changed = performance.now(), longest = 0, changes = 0;
  const look = () => {
    const now = performance.now();
    if (video.isConnected && video.readyState >= 2) {
      context.drawImage(video, 0, 0, 64, 36);
      const { data } = context.getImageData(0, 0, 64, 36);
      let difference = 0;
      if (before) for (let i = 0; i < data.length; i += 4) difference += Math.abs(data[i + 1] - before[i + 1]);
      if (difference / (64 * 36) > change) {
        changes += 1;
        longest = Math.max(longest, now - changed);
        changed = now;
        before = data;
      }
      before ??= data;
    }
  };
  const timer = setInterval(look, every);
  return { stop: () => {
    clearInterval(timer);
    return [Math.max(longest, performance.now() - changed), changes];
  } };
}"""

_LISTEN = """async (audio, seconds) => {
  const context = new AudioContext();
  await context.resume();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(audio.srcObject).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const deadline = performance.now() + seconds * 1000;
  let loudest = 0;
  while (performance.now() < deadline && loudest < 0.01) {
    analyser.getFloatTimeDomainData(samples);
    loudest = Math.max(loudest, ...samples.map(Math.abs));
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  await context.close();
  return loudest;
}"""


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncGenerator[Browser]:
    """Debian's Chromium, with further arguments of its command line."""
    slow.require_slow()
    program = shutil.which("chromium")
    assert program is not None, "there is no chromium; install it with: sudo apt-get install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visitor:
    """One person with a browser window of their own.

    Attributes:
        complaints: What the pages wrote to the console as an error, violations of their policy included, and
            uncaught exceptions.
    """

    page: Page
    context: BrowserContext
    complaints: list[str] = field(default_factory=list[str])

    def heed(self, page: Page) -> None:
        """Collect what a page complains about."""
        page.on("console", self._complained)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _complained(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def without(self, *expected: str) -> list[str]:
        """The complaints that match none of these patterns."""
        return [said for said in self.complaints if not any(re.search(pattern, said) for pattern in expected)]

    async def meet(self, url: str, name: str) -> None:
        """Go through the door of a meeting, and be inside."""
        await self.page.goto(url)
        await self.page.get_by_test_id("prejoin-name").fill(name)
        await self.page.locator(".preview video:not([hidden])").wait_for()
        await self.page.get_by_test_id("prejoin-join").click()
        await self.page.locator('[data-testid="meet-room"][data-state="connected"]').wait_for()

    async def leave(self) -> None:
        """Press Leave in a meeting."""
        await self.page.get_by_test_id("leave").click()
        await self.page.locator('[data-testid="left-page"][data-ending="left"]').wait_for()


@asynccontextmanager
async def visitor(
    browser: Browser, size: tuple[int, int] = DESKTOP, *, dark: bool = False, scale: float = 1.0
) -> AsyncGenerator[Visitor]:
    """A new person: no cookies, no storage, one page."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=scale,
        color_scheme="dark" if dark else "light",
        locale="en-GB",
    )
    try:
        page = await context.new_page()
        person = Visitor(page, context)
        person.heed(page)
        yield person
    finally:
        await context.close()


async def grab(video: Locator) -> Frame | None:
    """The brightness of what a video element shows, 160 by 90; None before its first frame."""
    encoded: str | None = await video.evaluate(_GRAB)
    if encoded is None:
        return None
    return np.frombuffer(base64.b64decode(encoded), dtype=np.uint8).reshape(90, 160).astype(np.int16)


async def moves(video: Locator, seconds: float = MOVING_SECONDS) -> None:
    """Return when two frames of the video are pictures and differ; a frozen or a black one fails."""
    deadline = time.monotonic() + seconds
    await video.wait_for(timeout=seconds * 1000)
    first: Frame | None = None
    spread = change = 0.0
    while time.monotonic() < deadline:
        second = await grab(video)
        if second is not None:
            spread = float(second.std())
            if first is not None and spread > SPREAD:
                change = float(np.abs(second - first).mean())
                if change > CHANGE:
                    return
            first = second if spread > SPREAD else None
        await asyncio.sleep(0.1)
    raise AssertionError(f"no moving picture: spread of brightness {spread:.1f}, change {change:.2f}")


@asynccontextmanager
async def keeps_moving(video: Locator, longest_seconds: float) -> AsyncGenerator[None]:
    """Nowhere in the block does this very video element show the same picture for longer than that."""
    watch = await video.evaluate_handle(_WATCH, [CHANGE, 50])
    yield
    longest, changes = await watch.evaluate("watch => watch.stop()")
    assert changes > 0, "the picture never changed"
    assert longest <= longest_seconds * 1000, f"the picture stood still for {longest:.0f} ms"


async def loudness(audio: Locator, seconds: float = 10.0) -> float:
    """The greatest amplitude that an audio element received, listening until it is no silence."""
    heard: float = await audio.evaluate(_LISTEN, seconds)
    return heard


async def scrolls(place: Page | Any) -> bool:
    """Whether a page is larger than its window."""
    answer: bool = await place.evaluate(
        "() => { const root = document.scrollingElement; return root.scrollWidth > innerWidth ||"
        " root.scrollHeight > innerHeight || innerWidth > document.documentElement.clientWidth }"
    )
    return answer
