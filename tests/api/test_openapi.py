"""The OpenAPI document is the contract: valid, whole, and explained in every field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiohttp
import jsonschema_rs
import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from stagedoor.api.raw_routes import HotRoute
from tests.support.api_routes import application
from tests.support.product import RunningProduct

HTTP_METHODS = {"get", "post", "patch", "put", "delete", "head", "options", "trace"}


@pytest.fixture
async def document(managed_product: RunningProduct, http: aiohttp.ClientSession) -> dict[str, Any]:
    """The document of a running product."""
    async with http.get(f"{managed_product.url}/api/v1/openapi.json") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        found: dict[str, Any] = await answer.json()
        return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert method in HTTP_METHODS
            yield f"{method.upper()} {path}", operation


def entries(value: Any) -> list[tuple[str, Any]]:
    """What an object or a list holds, by name."""
    if isinstance(value, dict):
        return list(value.items())  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, list):
        return [("", inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    return []


def references(value: Any) -> Iterator[str]:
    for name, inner in entries(value):
        if name == "$ref":
            yield inner
        else:
            yield from references(inner)


def object_schemas(where: str, schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema with properties in `schema`, at any depth."""
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):  # pyright: ignore[reportUnknownMemberType]
        yield where, schema
    for name, inner in entries(schema):
        yield from object_schemas(f"{where}.{name}", inner)


def has_example(schema: dict[str, Any]) -> bool:
    return "examples" in schema or "example" in schema


async def test_the_version_is_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in references(document):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place


async def test_every_schema_is_json_schema_2020_12(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})


async def test_every_field_is_explained_and_has_an_example(document: dict[str, Any]) -> None:
    missing: list[str] = []
    for where, schema in object_schemas("", document["components"]["schemas"]):
        for name, field in schema["properties"].items():
            if not field.get("description"):
                missing.append(f"{where}.{name} has no description")
            if "examples" not in field and "example" not in field:
                missing.append(f"{where}.{name} has no example")
    assert missing == []


async def test_examples_are_of_the_schema(document: dict[str, Any]) -> None:
    wrong: list[str] = []
    for where, schema in object_schemas("", document["components"]["schemas"]):
        for name, field in schema["properties"].items():
            validator = jsonschema_rs.Draft202012Validator({**field, "components": document["components"]})
            wrong += [
                f"{where}.{name}: {value}" for value in field.get("examples", []) if not validator.is_valid(value)
            ]
    assert wrong == []


async def test_every_parameter_is_explained_and_has_an_example(document: dict[str, Any]) -> None:
    missing: list[str] = []
    for name, operation in operations(document):
        for parameter in operation.get("parameters", []):
            place = f"{name} {parameter['name']}"
            if not (parameter.get("description") or parameter["schema"].get("description")):
                missing.append(f"{place} has no description")
            if not (has_example(parameter) or has_example(parameter["schema"])):
                missing.append(f"{place} has no example")
    assert missing == []


async def test_every_operation_is_explained(document: dict[str, Any]) -> None:
    seen: set[str] = set()
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        assert operation["operationId"] not in seen, name
        seen.add(operation["operationId"])
        for status, answer in operation["responses"].items():
            assert answer["description"], (name, status)
            if int(status) >= 400:
                assert set(answer["content"]) == {"application/problem+json"}, (name, status)


async def test_every_operation_with_a_scope_says_so(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if "x-caller" in operation:
            assert {"session": []} in operation["security"]
            assert {"401", "403"} <= set(operation["responses"]), name
        elif operation["security"]:
            assert operation["security"] == [{"apiKey": []}, {"session": []}]
            assert f"Scope: `{operation['x-scope']}`" in operation["description"], name
            assert {"401", "403"} <= set(operation["responses"]), name
        else:
            assert operation["x-access"].startswith("public: "), name


async def test_every_post_takes_an_idempotency_key(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        given = {parameter["name"] for parameter in operation.get("parameters", [])}
        takes = name.startswith("POST /api/v1/") and not name.startswith("POST /api/v1/auth/")
        assert ("Idempotency-Key" in given) == takes, name
        if takes:
            assert {"400", "409", "422"} <= set(operation["responses"]), name


async def test_no_route_of_the_contract_is_left_out(
    document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with application(tmp_path_factory.mktemp("openapi")) as (app, _):
        routes: list[BaseRoute] = list(app.router.routes)
    expected: set[str] = set()
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            expected |= {f"{method} {route.path_format}" for method in route.methods or ()}
        elif isinstance(route, HotRoute) and route.operation is not None:
            expected.add(f"{route.method} {route.path}")
    assert {name for name, _ in operations(document)} == expected


async def test_the_readable_page_needs_nothing_from_elsewhere(
    managed_product: RunningProduct, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{managed_product.url}/api/v1/docs") as answer:
        page = await answer.text()
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "/api/v1/openapi.json" in page
