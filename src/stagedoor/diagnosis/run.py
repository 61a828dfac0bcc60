"""Every check, in the order in which they build on each other."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from stagedoor.diagnosis import (
    browsers,
    clock,
    database,
    disk,
    endpoints,
    events,
    livekit,
    media,
    ownudp,
    pages,
    ports,
    process,
    webhook,
    work,
)
from stagedoor.diagnosis.counts import webhook_counts
from stagedoor.diagnosis.finding import Finding, broken, skipped
from stagedoor.diagnosis.instance import Instance
from stagedoor.diagnosis.probe import probe_room
from stagedoor.diagnosis.scene import Scene, look
from stagedoor.kernel.errors import Problem
from stagedoor.kernel.settings import Settings
from stagedoor.mediaserver.gateway import LiveKitGateway

_KEPT: Final = (
    (events.check, events.CHECK, "its inbox"),
    (work.check, work.CHECK, "its jobs"),
    (endpoints.check, endpoints.CHECK, "its webhooks"),
)
"""What a running instance shows of what it keeps."""


async def diagnose(settings: Settings) -> list[Finding]:
    """All findings.

    Raises:
        OperatorError: The data folder is another user's.
    """
    scene = await asyncio.to_thread(look, settings)
    async with contextlib.AsyncExitStack() as closing:
        instance = None
        if scene.address is not None:
            token = scene.settings.metrics_token
            instance = Instance(scene.address, token.get_secret_value() if token else None)
            await closing.enter_async_context(instance)
        gateway = LiveKitGateway(scene.network.endpoint)
        closing.push_async_callback(gateway.close)
        findings = [
            await process.check(scene, instance),
            pages.check(),
            disk.check(scene.folder),
            await database.check(scene, instance),
            await asyncio.to_thread(ports.check, scene),
            browsers.check(scene.network),
        ]
        findings += await _livekit(scene, instance, gateway)
        for check, name, what in _KEPT:
            if instance is None:
                findings.append(skipped(name, f"Only a running Stagedoor shows {what}.", process.START))
            else:
                findings.append(await check(instance))
    return findings


async def _livekit(scene: Scene, instance: Instance | None, gateway: LiveKitGateway) -> list[Finding]:
    reachable = await livekit.check_reachable(scene)
    if reachable.status not in {"ok", "warning"}:
        key = livekit.key_skipped(reachable)
        return [reachable, key, *await _without_livekit(scene, reachable)]
    key = await livekit.check_key(scene.network.endpoint)
    if key.status != "ok":
        return [reachable, key, *await _without_livekit(scene, key)]
    return [reachable, key, *await _with_room(scene, instance, gateway)]


async def _with_room(scene: Scene, instance: Instance | None, gateway: LiveKitGateway) -> list[Finding]:
    before = await webhook_counts(instance) if instance is not None else None
    try:
        async with probe_room(gateway) as probe:
            if instance is None:
                heard = skipped(webhook.CHECK, "Nobody runs who would take LiveKit's webhook.", process.START)
            else:
                heard = await webhook.check(scene, instance, probe, before)
            return [clock.check(probe), heard, *await media.check(scene.network.endpoint, probe.name)]
    except Problem as problem:
        return [broken(webhook.CHECK, f"No room could be made to try it: {problem.detail}", "Look into LiveKit's log.")]


async def _without_livekit(scene: Scene, trouble: Finding) -> list[Finding]:
    first = trouble.next if trouble.status == "skipped" else f"Mend `{trouble.check}` first."
    reason = "Not tried, because no room can be made in LiveKit."
    managed = scene.network.managed
    if managed is not None and trouble.status == "skipped":
        udp = await asyncio.to_thread(ownudp.check, managed)
    else:
        udp = [skipped(media.UDP, reason, first)]
    return [
        skipped(clock.CHECK, reason, first),
        skipped(webhook.CHECK, reason, first),
        *udp,
        skipped(media.TCP, reason, first),
    ]
