"""`stagedoor jobs`: what is to be done, what could not be, and doing it again."""

from __future__ import annotations

from typing import Annotated

import typer

from stagedoor.cli.client import call, path
from stagedoor.cli.options import AsJson, DataDir, resolved
from stagedoor.cli.output import print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Durable jobs: deliveries, archives, clean-ups.")

JobId = Annotated[str, typer.Argument(help="The job's id, job_…")]
_COLUMNS = ("id", "kind", "state", "runAt", "attempts", "error")


@app.command("list")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="queued, running, done, failed, dead or cancelled.")] = None,
    kind: Annotated[str | None, typer.Option(help="Such as webhook.deliver.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first; 200 at the most.")] = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    query = {"state": state, "kind": kind, "limit": limit}
    data = call(resolved(data_dir=data_dir).settings, "GET", "jobs", query=query)["data"]
    if as_json:
        print_json(data)
    else:
        print_table(data, _COLUMNS)


@app.command("show")
def show_job(job: JobId, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show one job with what it is about."""
    del as_json  # a payload is JSON either way
    print_json(call(resolved(data_dir=data_dir).settings, "GET", path("jobs", job))["data"])


@app.command("retry")
def retry_job(job: JobId, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Have a job done now, with all its attempts."""
    _act(job, "retry", data_dir, as_json)


@app.command("cancel")
def cancel_job(job: JobId, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """End a job that is not finished."""
    _act(job, "cancel", data_dir, as_json)


def _act(job: str, verb: str, data_dir: DataDir, as_json: AsJson) -> None:
    data = call(resolved(data_dir=data_dir).settings, "POST", path("jobs", job, verb))["data"]
    if as_json:
        print_json(data)
    else:
        print_table([data], _COLUMNS)
