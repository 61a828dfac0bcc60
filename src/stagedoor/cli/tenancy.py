"""`stagedoor organisations|apps|keys`: the same verbs as the REST contract."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from stagedoor.cli.client import call, path
from stagedoor.cli.options import AsJson, DataDir, resolved
from stagedoor.cli.output import print_json, print_table
from stagedoor.kernel.errors import CallerMistake

organisations = typer.Typer(no_args_is_help=True, help="Organisations: the tenants.")
apps = typer.Typer(no_args_is_help=True, help="Apps: namespaces of rooms.")
keys = typer.Typer(no_args_is_help=True, help="API keys.")

Reference = Annotated[str, typer.Argument(help="Slug or id.")]
Force = Annotated[bool, typer.Option("--force", help="Also when something in it is live.")]


def _show(answer: Any, columns: tuple[str, ...], *, as_json: bool) -> None:
    data = answer["data"]
    if as_json:
        print_json(data)
    else:
        print_table(data if isinstance(data, list) else [data], columns)  # pyright: ignore[reportUnknownArgumentType]


def _all(settings: Any, target: str, query: dict[str, Any]) -> dict[str, Any]:
    """Every page of a list."""
    items: list[Any] = []
    cursor: str | None = None
    while True:
        answer = call(settings, "GET", target, query=query | {"limit": 200, "cursor": cursor})
        items += answer["data"]
        cursor = answer["page"]["next"]
        if cursor is None:
            return {"data": items}


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


_ORGANISATION = ("id", "slug", "name", "createdAt")
_APP = ("id", "slug", "name", "organisation", "createdAt")
_KEY = ("id", "name", "hint", "scopes", "organisation", "app", "expiresAt", "lastUsedAt")


@organisations.command("create")
def create_organisation(
    name: Annotated[str, typer.Argument(help="Name for people.")],
    slug: Annotated[str | None, typer.Option(help="Name for URLs.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create an organisation."""
    body = {"name": name} | ({"slug": slug} if slug else {})
    found = resolved(data_dir=data_dir).settings
    _show(call(found, "POST", "organisations", body), _ORGANISATION, as_json=as_json)


@organisations.command("list")
def list_organisations(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List organisations."""
    _show(_all(resolved(data_dir=data_dir).settings, "organisations", {}), _ORGANISATION, as_json=as_json)


@organisations.command("show")
def show_organisation(reference: Reference, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show one organisation."""
    found = resolved(data_dir=data_dir).settings
    _show(call(found, "GET", path("organisations", reference)), _ORGANISATION, as_json=as_json)


@organisations.command("change")
def change_organisation(
    reference: Reference,
    name: Annotated[str | None, typer.Option(help="Name for people.")] = None,
    slug: Annotated[str | None, typer.Option(help="Name for URLs.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Change an organisation; what is left out stays."""
    body = _given(name=name, slug=slug)
    found = resolved(data_dir=data_dir).settings
    _show(call(found, "PATCH", path("organisations", reference), body), _ORGANISATION, as_json=as_json)


@organisations.command("delete")
def delete_organisation(reference: Reference, force: Force = False, data_dir: DataDir = None) -> None:
    """Delete an organisation."""
    found = resolved(data_dir=data_dir).settings
    call(found, "DELETE", path("organisations", reference), query={"force": str(force).lower()})


@apps.command("create")
def create_app(
    slug: Annotated[str, typer.Argument(help="Lower-case letters, digits and _.")],
    name: Annotated[str | None, typer.Option(help="Name for people.")] = None,
    organisation: Annotated[str | None, typer.Option(help="Slug or id.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create an app."""
    optional = {"name": name, "organisation": organisation}
    body = {"slug": slug} | {key: value for key, value in optional.items() if value}
    _show(call(resolved(data_dir=data_dir).settings, "POST", "apps", body), _APP, as_json=as_json)


@apps.command("list")
def list_apps(
    organisation: Annotated[str | None, typer.Option(help="Only this organisation's.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List apps."""
    found = resolved(data_dir=data_dir).settings
    _show(_all(found, "apps", {"organisation": organisation}), _APP, as_json=as_json)


@apps.command("show")
def show_app(reference: Reference, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show one app with its settings."""
    found = resolved(data_dir=data_dir).settings
    _show(call(found, "GET", path("apps", reference)), (*_APP, "settings"), as_json=as_json)


@apps.command("change")
def change_app(
    reference: Reference,
    name: Annotated[str | None, typer.Option(help="Name for people.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting as the API names it: playbackPolicy=public; null takes one away."),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Change an app; what is left out stays."""
    body = _given(name=name)
    if setting:
        body["settings"] = dict(_assignment(text) for text in setting)
    found = resolved(data_dir=data_dir).settings
    _show(call(found, "PATCH", path("apps", reference), body), (*_APP, "settings"), as_json=as_json)


def _assignment(text: str) -> tuple[str, Any]:
    """`name=value`; a value that is JSON is taken as JSON, any other as a text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CallerMistake(f"Write --set as NAME=VALUE, not {text!r}.")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


@apps.command("delete")
def delete_app(reference: Reference, force: Force = False, data_dir: DataDir = None) -> None:
    """Delete an app with its rooms, sessions and keys."""
    found = resolved(data_dir=data_dir).settings
    call(found, "DELETE", path("apps", reference), query={"force": str(force).lower()})


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Name for people.")],
    scope: Annotated[list[str], typer.Option(help="What it may do; may be repeated.")],
    organisation: Annotated[str | None, typer.Option(help="Bind it to this organisation.")] = None,
    app: Annotated[str | None, typer.Option(help="Bind it to this app.")] = None,
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339 time.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key; its secret is printed this once."""
    optional = {"organisation": organisation, "app": app, "expiresAt": expires_at}
    body = {"name": name, "scopes": scope} | {key: value for key, value in optional.items() if value}
    _show(
        call(resolved(data_dir=data_dir).settings, "POST", "keys", body),
        ("id", "key", "scopes"),
        as_json=as_json,
    )


@keys.command("list")
def list_keys(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List API keys, without their secrets."""
    _show(_all(resolved(data_dir=data_dir).settings, "keys", {}), _KEY, as_json=as_json)


@keys.command("show")
def show_key(
    key: Annotated[str, typer.Argument(help="The key's id.")], data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Show one API key, without its secret."""
    _show(call(resolved(data_dir=data_dir).settings, "GET", path("keys", key)), _KEY, as_json=as_json)


@keys.command("change")
def change_key(
    key: Annotated[str, typer.Argument(help="The key's id.")],
    name: Annotated[str | None, typer.Option(help="Name for people.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="What it may do; may be repeated.")] = None,
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339 time.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Change an API key; what is left out stays."""
    body = _given(name=name, scopes=scope or None, expiresAt=expires_at)
    _show(call(resolved(data_dir=data_dir).settings, "PATCH", path("keys", key), body), _KEY, as_json=as_json)


@keys.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(help="The key's id.")], data_dir: DataDir = None) -> None:
    """Revoke an API key at once."""
    call(resolved(data_dir=data_dir).settings, "DELETE", path("keys", key))
