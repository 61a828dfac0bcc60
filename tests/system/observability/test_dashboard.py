"""The dashboard and the alert rules ask only for what a running product shows, and name sections that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from stagedoor.kernel.metrics import REGISTRY
from tests.support.product import RunningProduct

SOURCE = Path(__file__).parents[3] / "src"
for declared in sorted(SOURCE.rglob("metrics.py")):  # each metric is declared beside its feature
    import_module(".".join(declared.relative_to(SOURCE).with_suffix("").parts))
GRAFANA = Path(__file__).parents[3] / "deploy" / "grafana"
TROUBLE = Path(__file__).parents[3] / "docs" / "how-to" / "troubleshooting.md"
GIVEN = {"le", "instance"}
"""Labels that histograms and Prometheus itself add."""
_SERIES = re.compile(r"\b((?:stagedoor|process)_\w+)(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")
_MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((GRAFANA / "alerts.yaml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((GRAFANA / "dashboard.json").read_text())["panels"]
    return found


def questions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    for panel in panels():
        yield from (target["expr"] for target in panel.get("targets", []))


def labels_of(metric: str) -> set[str]:
    """The labels that the metric is declared with."""
    for family in REGISTRY.collect():
        names = {family.name, *(f"{family.name}_{end}" for end in ("total", "bucket", "sum", "count"))}
        if metric in names:
            collector = REGISTRY._names_to_collectors[metric]  # pyright: ignore[reportPrivateUsage]
            return set(getattr(collector, "_labelnames", ()))
    raise AssertionError(f"{metric} is not declared")


@pytest.fixture
async def shown(http: aiohttp.ClientSession, managed_product: RunningProduct) -> dict[str, list[dict[str, str]]]:
    """Each series that /metrics has, with its label sets; a family without a sample yet has an empty list."""
    async with http.get(f"{managed_product.url}/metrics") as answer:
        text = await answer.text()
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(text):
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        for ending in endings:
            found.setdefault(f"{family.name}{ending}", [])
        for sample in family.samples:
            found.setdefault(sample.name, []).append(dict(sample.labels))
    return found


async def test_every_series_exists(shown: dict[str, list[dict[str, str]]]) -> None:
    asked = [(name, matchers) for question in questions() for name, matchers in _SERIES.findall(question)]
    assert len({name for name, _ in asked}) > 15
    for name, matchers in asked:
        assert name in shown, f"/metrics has no {name}"
        for label, operator, value in _MATCHER.findall(matchers):
            assert label in labels_of(name), f"{name} has no label {label}"
            if operator in {"=", "!="} and name != "stagedoor_jobs":  # of a kind of job that was not asked for yet
                assert value in {series.get(label) for series in shown[name]}, f"no {name} with {label}={value}"


def test_every_grouping_is_by_a_label_that_is_there() -> None:
    for question in questions():
        there = GIVEN.union(*(labels_of(name) for name, _ in _SERIES.findall(question) if name.startswith("stagedoor")))
        for grouping in _GROUPING.findall(question):
            assert {label.strip() for label in grouping.split(",")} <= there, question


def test_alerts_name_sections_that_exist() -> None:
    sections = {
        line.removeprefix("## ").split(":")[0] for line in TROUBLE.read_text().splitlines() if line.startswith("## ")
    }
    named = 0
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        said = re.search(r'[Tt]roubleshooting "([^"]+)"', rule["annotations"]["description"])
        if said:
            named += 1
            assert said[1] in sections, f"{rule['alert']} names {said[1]!r}"
    assert named > 4
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_the_dashboard_can_be_laid_out() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in panels()}) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels())
