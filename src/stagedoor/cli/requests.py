"""The verbs of the table as commands."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from stagedoor.cli.commands import Group, Parameter, Verb
from stagedoor.cli.options import AsJson, DataDir

_TYPES: Final = {
    "text": str,
    "number": int,
    "flag": bool,
    "texts": list[str],
    "assignments": list[str],
}
_LARGEST_PAGE: Final = 200


def group(of: Group, *, alias_of: str | None = None) -> typer.Typer:
    """The group with a command for each of its verbs."""
    made = typer.Typer(no_args_is_help=True, help=of.help if alias_of is None else f"The old name of `{alias_of}`.")
    if alias_of is not None:

        @made.callback()
        def on_wait() -> None:  # pyright: ignore[reportUnusedFunction]
            typer.echo(f"`stagedoor {of.alias}` is called `stagedoor {alias_of}` now; both work.", err=True)

    for verb in of.verbs:
        made.command(verb.name, help=verb.help)(_command(verb))
    return made


def _command(verb: Verb) -> Callable[..., None]:
    """A function with the verb's parameters, from which Typer makes a command."""

    def run(data_dir: Path | None, as_json: bool, **given: Any) -> None:  # noqa: FBT001 - a flag of the command line
        _run(verb, given, data_dir, as_json=as_json)

    parameters = [_parameter(parameter) for parameter in verb.parameters]
    parameters += [
        inspect.Parameter("data_dir", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=DataDir),
        inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson),
    ]
    made: Any = run
    made.__signature__ = inspect.Signature(parameters)
    made.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return made


def _parameter(parameter: Parameter) -> inspect.Parameter:
    kind: Any = _TYPES[parameter.type]
    annotation: Any
    if parameter.positional:
        return inspect.Parameter(
            parameter.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[kind, typer.Argument(help=parameter.help)],
        )
    option = typer.Option(f"--{parameter.name.replace('_', '-')}", help=parameter.help)
    default: Any = False if parameter.type == "flag" else parameter.default
    if parameter.required:
        default, annotation = inspect.Parameter.empty, Annotated[kind, option]
    else:
        given: Any = kind if kind is bool else kind | None
        annotation = Annotated[given, option]
    return inspect.Parameter(parameter.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _run(verb: Verb, given: dict[str, Any], data_dir: Path | None, *, as_json: bool) -> None:
    from stagedoor.cli.client import call
    from stagedoor.settings.resolve import resolve

    if verb.text and as_json:
        given["format"] = "json"
    settings = resolve({"data_dir": data_dir}, os.environ).settings
    target, query, body = _request(verb, given)
    if verb.pages == "all":
        data = _every_page(lambda more: call(settings, verb.method, target, body, query | more))
    else:
        answer = call(settings, verb.method, target, body, query)
        if isinstance(answer, str):
            sys.stdout.write(answer)
            return
        data = None if answer is None else answer["data"]
    _show(verb, given, data, as_json=as_json)
    answered: Any = data
    if verb.error is not None and answered[verb.error] is not None:
        raise typer.Exit(1)


def _request(verb: Verb, given: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
    """Path, query and body."""
    from stagedoor.cli.client import path

    names = set(re.findall(r"{(\w+)}", verb.path))
    target = "/".join(path(str(given[part[1:-1]])) if part.startswith("{") else part for part in verb.path.split("/"))
    query: dict[str, Any] = {}
    body: dict[str, Any] = {}
    for parameter in verb.parameters:
        value = given[parameter.name]
        if parameter.name in names or value in (None, False) or value == []:
            continue
        if parameter.type == "assignments":
            value = dict(_assignment(text) for text in value)
        in_query = parameter.into == "query" or (parameter.into is None and verb.method in {"GET", "DELETE"})
        (query if in_query else body)[parameter.wire] = "true" if in_query and value is True else value
    if verb.prepare is not None:
        verb.prepare(body, given)
    for name in ("join", "off"):  # they are ours alone
        query.pop(name, None)
    return target, query, body if body or verb.method == "PATCH" else None


def _assignment(text: str) -> tuple[str, Any]:
    """`name=value`; a value that is JSON is taken as JSON, any other as a text."""
    import msgspec

    from stagedoor.kernel.errors import CallerMistake

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CallerMistake(f"Write --set as NAME=VALUE, not {text!r}.")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


def _every_page(get: Callable[[dict[str, Any]], Any]) -> list[Any]:
    items: list[Any] = []
    cursor: str | None = None
    while True:
        answer = get({"limit": _LARGEST_PAGE, "cursor": cursor})
        items += answer["data"]
        cursor = answer["page"]["next"]
        if cursor is None:
            return items


def _show(verb: Verb, given: dict[str, Any], data: Any, *, as_json: bool) -> None:
    from stagedoor.cli.output import print_json, print_table, visible

    if data is None:
        if as_json:
            print_json({})
        return
    line = verb.line(data, given) if verb.line is not None else None
    if as_json:
        print_json(data | {"link": line} if line is not None and "url" not in data else data)
    elif line is not None:
        typer.echo(visible(line))
    elif not verb.columns:
        print_json(data)
    else:
        print_table(data if isinstance(data, list) else [data], verb.columns)  # pyright: ignore[reportUnknownArgumentType]
