"""Running the product in the foreground, and its output at a terminal."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

from stagedoor.app.product import Product
from stagedoor.cli.output import visible
from stagedoor.settings.installation import Settings

if TYPE_CHECKING:
    from stagedoor.app.summary import Summary


def run(settings: Settings, *, as_json: bool) -> None:
    """Run it until a signal or a failure ends it.

    Raises:
        OperatorError: It could not start, or one of its services ended.
    """
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, as_json=as_json))


def _progress(sentence: str) -> None:
    dim, plain = ("\x1b[2m", "\x1b[0m") if sys.stderr.isatty() else ("", "")
    sys.stderr.write(f"{dim}{visible(sentence)}{plain}\n")
    sys.stderr.flush()


async def _run(settings: Settings, *, as_json: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    product = Product(settings, _progress)
    starting = asyncio.create_task(product.start(), name="start")
    asked = asyncio.create_task(stopped.wait(), name="signals")
    await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return
    try:
        _print_summary(starting.result(), as_json=as_json)
        failed = asyncio.create_task(product.failed(), name="failures")
        await asyncio.wait({asked, failed}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        await product.stop()
    if failed.done():
        failed.result()
    failed.cancel()


def _print_summary(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(summary.line().decode() + "\n")
        sys.stdout.flush()
        return
    version = f" {summary.livekit_version}" if summary.livekit_version else ""
    rows = {
        "Open a room": summary.meet_url,
        "API key": f"{summary.api_key}   (shown this once)" if summary.api_key else None,
        "Your account": f"{summary.owner_url}   (for an hour, once)" if summary.owner_url else None,
        "API": f"{summary.url}/api/v1   (readable at {summary.url}/api/v1/docs)",
        "LiveKit": f"{summary.livekit_url}   ({summary.livekit_mode}{version})",
        "RTMP": f"{summary.rtmp_url}/<stream key>" if summary.rtmp_url else None,
        "App": f"{summary.app} of organisation {summary.organisation}",
        "Data": summary.data_dir,
    }
    green, bold, plain = ("\x1b[1;32m", "\x1b[1m", "\x1b[0m") if sys.stdout.isatty() else ("", "", "")
    lines = ["", f"{green}Stagedoor is ready.{plain} Ctrl-C stops it.", ""]
    # A link that is broken into lines cannot be clicked or copied, so the terminal wraps and not we.
    lines += [f"{bold}{name:<12}{plain} {visible(text)}" for name, text in rows.items() if text is not None]
    sys.stdout.write("\n".join([*lines, "", ""]))
    sys.stdout.flush()
