"""Every check, in the order in which they build on each other."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from stagedoor.doctor import (
    browsers,
    clock,
    database,
    disk,
    endpoints,
    inbox,
    jobs,
    livekit,
    media,
    pages,
    ports,
    process,
    udp_loopback,
    webhook,
)
from stagedoor.doctor.context import Context, look
from stagedoor.doctor.counts import webhook_counts
from stagedoor.doctor.instance import Instance
from stagedoor.doctor.probe import probe_room
from stagedoor.doctor.result import CheckResult, broken, skipped
from stagedoor.kernel.errors import Problem
from stagedoor.mediaserver.gateway import LiveKitGateway
from stagedoor.settings.installation import Settings

_KEPT: Final = (
    (inbox.check, inbox.CHECK, "its inbox"),
    (jobs.check, jobs.CHECK, "its jobs"),
    (endpoints.check, endpoints.CHECK, "its webhooks"),
)
"""What a running instance shows of what it keeps."""


async def diagnose(settings: Settings) -> list[CheckResult]:
    """All findings.

    Raises:
        OperatorError: The data folder is another user's.
    """
    context = await asyncio.to_thread(look, settings)
    async with contextlib.AsyncExitStack() as closing:
        instance = None
        if context.address is not None:
            token = context.settings.metrics_token
            instance = Instance(context.address, token.get_secret_value() if token else None)
            await closing.enter_async_context(instance)
        gateway = LiveKitGateway(context.network.endpoint)
        closing.push_async_callback(gateway.close)
        findings = [
            await process.check(context, instance),
            pages.check(),
            disk.check(context.folder),
            await database.check(context, instance),
            await asyncio.to_thread(ports.check, context),
            browsers.check(context.network),
        ]
        findings += await _livekit(context, instance, gateway)
        for check, name, what in _KEPT:
            if instance is None:
                findings.append(skipped(name, f"Only a running Stagedoor shows {what}.", process.START))
            else:
                findings.append(await check(instance))
    return findings


async def _livekit(context: Context, instance: Instance | None, gateway: LiveKitGateway) -> list[CheckResult]:
    reachable = await livekit.check_reachable(context)
    if reachable.status not in {"ok", "warning"}:
        key = livekit.key_skipped(reachable)
        return [reachable, key, *await _without_livekit(context, reachable)]
    key = await livekit.check_key(context.network.endpoint)
    if key.status != "ok":
        return [reachable, key, *await _without_livekit(context, key)]
    return [reachable, key, *await _with_room(context, instance, gateway)]


async def _with_room(context: Context, instance: Instance | None, gateway: LiveKitGateway) -> list[CheckResult]:
    before = await webhook_counts(instance) if instance is not None else None
    try:
        async with probe_room(gateway) as probe:
            if instance is None:
                heard = skipped(webhook.CHECK, "No Stagedoor runs that would receive LiveKit's webhook.", process.START)
            else:
                heard = await webhook.check(context, instance, probe, before)
            return [clock.check(probe), heard, *await media.check(context.network.endpoint, probe.name)]
    except Problem as problem:
        return [broken(webhook.CHECK, f"No room could be made to try it: {problem.detail}", "Look into LiveKit's log.")]


async def _without_livekit(context: Context, trouble: CheckResult) -> list[CheckResult]:
    first = trouble.next if trouble.status == "skipped" else f"Fix `{trouble.check}` first."
    reason = "Not tried, because no room can be made in LiveKit."
    managed = context.network.managed
    if managed is not None and trouble.status == "skipped":
        udp = await asyncio.to_thread(udp_loopback.check, managed)
    else:
        udp = [skipped(media.UDP, reason, first)]
    if trouble.check == livekit.KEY and trouble.status == "broken":
        time = await clock.check_by_date(context.network.endpoint)
    else:
        time = skipped(clock.CHECK, reason, first)
    return [
        time,
        skipped(webhook.CHECK, reason, first),
        *udp,
        skipped(media.TCP, reason, first),
    ]
