"""What the running instance counted of LiveKit's webhooks, from its metrics."""

from __future__ import annotations

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from stagedoor.doctor.instance import Instance

REFUSALS = "stagedoor_livekit_webhook_refusals"
RESULTS = "stagedoor_livekit_webhooks"


async def webhook_counts(instance: Instance) -> Counter[tuple[str, str]] | None:
    """How often, by (metric, label); None when the metrics cannot be read."""
    answer = await instance.metrics()
    if answer.status != 200:
        return None
    counts: Counter[tuple[str, str]] = Counter()
    for family in text_string_to_metric_families(answer.body.decode("utf-8", "replace")):
        if family.name in {REFUSALS, RESULTS}:
            for sample in family.samples:
                counts[family.name, next(iter(sample.labels.values()), "")] += int(sample.value)
    return counts
