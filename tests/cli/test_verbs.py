"""The verbs of the table, spoken to a running product; and that the table and the contract fit each other."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stagedoor.cli.commands import GROUPS
from tests.support.offline import offline_application
from tests.support.product import RunningProduct

Run = Callable[..., subprocess.CompletedProcess[str]]

NOT_FOR_OPERATORS = {
    "GET apps/{}/events",  # a stream
    "POST apps/{}/sessions",  # a backend announces a session, with tokens for its people
    "GET apps/{}/sessions/{}/transcript",  # `transcripts show` needs no app
    "POST apps/{}/rooms/{}/join",  # a user joins
    "GET me/rooms",
    "PATCH apps/{}/rooms/{}/participants/{}",  # permissions and attributes, a document
    "POST apps/{}/webhooks",  # `webhooks create --organisation`; an app's own are made with its key
    "GET apps/{}/webhooks",
    *(f"POST auth/{end}" for end in ("sign-in", "sign-out", "links", "links/use", "password")),  # a browser's
    *(f"POST auth/invitations{end}" for end in ("", "/accept", "/sign-up")),
    "POST organisations/{}/leave",
    *(f"{verb} me" for verb in ("GET", "PATCH")),
    *(f"{verb} me/sessions" for verb in ("GET", "DELETE")),
    "DELETE me/sessions/{}",
    *(f"{verb} me/tokens" for verb in ("GET", "POST")),
    "DELETE me/tokens/{}",
    "GET openapi.json",
    "GET health",
    "GET ready",
    "GET metrics",
}


@pytest.fixture
def run(managed_product: RunningProduct) -> Run:
    """Runs a verb on the running product."""

    def one(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            managed_product.command(*arguments),
            capture_output=True,
            text=True,
            env=managed_product.environment(),
            check=False,
        )

    return one


@pytest.fixture
def printed(run: Run) -> Callable[..., Any]:
    """Runs a verb with `--json`, and reads what it printed."""

    def one(*arguments: str) -> Any:
        done = run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return one


async def test_every_verb_is_an_operation_and_every_operation_has_a_verb(tmp_path: Path) -> None:
    async with offline_application(tmp_path) as application:
        paths: dict[str, Any] = application.openapi()["paths"]
    operations = {
        f"{method.upper()} {re.sub(r'{[^}]+}', '{}', path.removeprefix('/api/v1/'))}"
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/api/v1/") and method != "parameters"
    }
    verbs = {f"{verb.method} {re.sub(r'{[^}]+}', '{}', verb.path)}" for group in GROUPS for verb in group.verbs}
    assert verbs <= operations
    assert operations - verbs <= NOT_FOR_OPERATORS


@pytest.mark.slow
def test_a_room_from_its_making_to_its_end(printed: Callable[..., Any], run: Run) -> None:
    assert printed("rooms", "create", "cli-room", "--metadata", "told")["metadata"] == "told"
    assert printed("rooms", "change", "cli-room", "--metadata", "else")["metadata"] == "else"
    assert "cli-room" in [room["name"] for room in printed("rooms", "list")]
    assert printed("participants", "list", "cli-room") == []
    assert printed("rooms", "send", "cli-room", "hello")["bytes"] == 5
    assert printed("rooms", "end", "cli-room") == {}
    gone = run("participants", "show", "cli-room", "nobody", "--json")
    assert gone.returncode == 2
    assert json.loads(gone.stderr)["status"] == 404
    assert gone.stdout == ""
    assert isinstance(printed("sessions", "list", "--room", "cli-room"), list)


@pytest.mark.slow
def test_a_user_is_made_disabled_and_given_a_new_password(printed: Callable[..., Any], run: Run) -> None:
    made = printed(
        "users", "create", "cli@example.com", "--name", "Cli", "--organisation", "default", "--role", "admin"
    )
    assert "/welcome#lnk_" in made["url"]
    assert "cli@example.com" in [user["email"] for user in printed("users", "list")]
    assert printed("users", "show", "cli@example.com")["id"] == made["id"]
    assert printed("users", "disable", made["id"])["disabledAt"] is not None
    assert run("users", "reset-password", made["id"]).returncode == 2
    assert printed("users", "enable", made["id"])["disabledAt"] is None
    link = run("users", "reset-password", "cli@example.com").stdout.strip()
    assert "/welcome#lnk_" in link
    assert link != made["url"]


@pytest.mark.slow
def test_a_token_and_a_link_that_open_the_room(printed: Callable[..., Any], run: Run) -> None:
    token = printed("tokens", "create", "--room", "demo", "--identity", "ann", "--ttl", "10m")
    assert (token["identity"], token["room"]) == ("ann", "live-demo")
    link = run("tokens", "create", "--room", "demo", "--join").stdout.strip()
    assert re.fullmatch(r"http://\S+/meet/live/live-demo\?token=\S+", link)
    with urllib.request.urlopen(link) as page:
        assert page.status == 200
    watch = run("links", "create", "demo", "--page", "play").stdout.strip()
    with urllib.request.urlopen(watch) as page:
        assert page.status == 200


@pytest.mark.slow
def test_webhooks_usage_audit_jobs_and_inbox(printed: Callable[..., Any]) -> None:
    webhook = printed(
        "webhooks", "create", "https://example.com/hook", "--type", "session.ended", "--organisation", "default"
    )
    assert webhook["secret"].startswith("whsec_")
    assert printed("webhooks", "disable", webhook["id"])["enabled"] is False
    assert printed("webhooks", "enable", webhook["id"])["enabled"] is True
    assert printed("webhooks", "deliveries", webhook["id"]) == []
    assert printed("webhooks", "rotate", webhook["id"])["secret"] != webhook["secret"]
    assert printed("webhooks", "delete", webhook["id"]) == {}
    assert isinstance(printed("usage", "show", "--bucket", "day"), list)
    assert printed("audit", "list", "--action", "webhook.deleted")[0]["target"] == webhook["id"]
    assert isinstance(printed("jobs", "list", "--limit", "2"), list)
    assert isinstance(printed("inbox", "list"), list)


@pytest.mark.slow
def test_the_old_name_of_the_inbox_works_and_says_so(run: Run) -> None:
    done = run("events", "list", "--json")
    assert done.returncode == 0
    assert isinstance(json.loads(done.stdout), list)
    assert "stagedoor inbox" in done.stderr


@pytest.mark.slow
def test_a_transcript_that_is_not_there(run: Run) -> None:
    done = run("transcripts", "show", "ses_none")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("stagedoor: ")
    assert json.loads(run("transcripts", "show", "ses_none", "--json").stderr)["code"]


@pytest.mark.slow
def test_version_and_completion(run: Run, managed_product: RunningProduct) -> None:
    command = managed_product.executable()
    environment = managed_product.environment()
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, env=environment, check=True)
    assert re.fullmatch(r"stagedoor \d+\.\d+\.\d+\n", version.stdout)
    asked = environment | {"_STAGEDOOR_COMPLETE": "complete_bash", "COMP_WORDS": "stagedoor rooms ", "COMP_CWORD": "2"}
    offered = subprocess.run(["stagedoor"], capture_output=True, text=True, env=asked, check=False)
    assert {"create", "list", "end"} <= set(offered.stdout.split())


@pytest.mark.slow
def test_a_mistake_in_the_words_is_json_when_the_output_is(run: Run) -> None:
    done = run("rooms", "show", "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["code"] == "usage"
