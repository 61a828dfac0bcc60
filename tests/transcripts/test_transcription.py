"""Real participants speak and write in a real room, and their words are stored, archived and announced."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_participant import Guest, guest_in
from tests.support.api_tenant import fresh
from tests.support.product import Api, RunningProduct, eventually

TOPIC = "lk.transcription"


@pytest.fixture
async def app(managed_api: Api) -> str:
    slug = fresh("app")
    await managed_api("POST", "/apps", {"slug": slug, "organisation": "default"}, expect=201)
    return slug


async def say(guest: Guest, text: str, segment: str, *, final: bool = True, language: str | None = None) -> None:
    """As an agent sends a whole segment."""
    given = {"lk.segment_id": segment, "lk.transcription_final": str(final).lower()}
    if language is not None:
        given["lk.transcription_language"] = language
    await guest.me.send_text(text, topic=TOPIC, attributes=given)


async def session_of(api: Api, app: str, state: str = "active") -> str:
    async def look() -> Any:
        found = (await api("GET", f"/apps/{app}/sessions?state={state}"))["data"]
        return found[0]["id"] if found else None

    return await eventually(look)


async def listening(api: Api, app: str, session: str, interruptions: int = 0) -> None:
    async def look() -> Any:
        status, answer, _ = await api.raw("GET", f"/apps/{app}/sessions/{session}/transcript")
        found = answer.get("data") if status == 200 else None
        return found and found["startedAt"] is not None and found["interruptions"] >= interruptions

    await eventually(look)


async def texts(api: Api, app: str, session: str, count: int) -> list[dict[str, Any]]:
    """The segments, once there are so many and all are final."""

    async def look() -> Any:
        found = (await api("GET", f"/apps/{app}/sessions/{session}/transcript"))["data"]["segments"]
        return found if len(found) >= count and all(segment["final"] for segment in found) else None

    return await eventually(look)


async def archived(api: Api, app: str, session: str) -> dict[str, Any]:
    async def look() -> Any:
        found = (await api("GET", f"/apps/{app}/sessions/{session}/transcript"))["data"]
        return found if found["state"] == "archived" else None

    return await eventually(look)


async def test_speech_and_chat_are_recorded_and_archived(
    managed_api: Api, managed_product: RunningProduct, app: str
) -> None:
    settings = {"transcript": "speech_and_chat"}
    await managed_api("PATCH", f"/apps/{app}", {"settings": settings})
    async with (
        guest_in(managed_api, app, "demo", "ada", name="Ada <1>") as ada,
        guest_in(managed_api, app, "demo", "bob") as bob,
    ):
        session = await session_of(managed_api, app)
        await listening(managed_api, app, session)
        # Guesses are replaced by what is final, as agents send the words of people.
        await say(ada, "Good", "SG_1", final=False)
        await say(ada, "Good mourning", "SG_1", final=False)
        await say(ada, "Good morning, 2 < 3 & so on.", "SG_1", language="en-GB")
        # Word by word, and final in the trailer, as agents send their own.
        writer = await bob.me.stream_text(
            topic=TOPIC, attributes={"lk.segment_id": "SG_1", "lk.transcription_final": "false"}
        )
        for word in ("Bonjour ", "à ", "tous."):
            await writer.write(word)

        async def grows() -> Any:
            found = (await managed_api("GET", f"/apps/{app}/sessions/{session}/transcript"))["data"]["segments"]
            return [entry for entry in found if entry["speaker"] == "bob" and not entry["final"]]

        await eventually(grows)
        await writer.aclose(attributes={"lk.transcription_final": "true"})
        await ada.me.send_text("see https://example.com", topic="lk.chat")
        found = await texts(managed_api, app, session, 3)
        by_speaker = {(entry["speaker"], entry["kind"]): entry for entry in found}
        assert by_speaker["ada", "speech"]["text"] == "Good morning, 2 < 3 & so on."
        assert by_speaker["ada", "speech"]["language"] == "en-GB"
        assert by_speaker["ada", "speech"]["name"] == "Ada <1>"
        assert by_speaker["bob", "speech"]["text"] == "Bonjour à tous."
        assert by_speaker["ada", "chat"]["text"] == "see https://example.com"

        # The transcriber is visible to no participant, and not billed.
        async def seen() -> Any:
            return set(ada.room.remote_participants)

        assert await eventually(seen) == {"bob"}
        live = (await managed_api("GET", f"/apps/{app}/sessions/{session}"))["data"]
        assert {person["identity"] for person in live["participants"]} == {"ada", "bob"}
        await managed_api("DELETE", f"/apps/{app}/rooms/demo", expect=204)
    whole = await archived(managed_api, app, session)
    ended = (await managed_api("GET", f"/apps/{app}/sessions/{session}"))["data"]
    assert ended["peakParticipants"] == 2
    told = {entry["type"]: entry for entry in ended["timeline"]}
    detail = told["transcript.archived"]["detail"]
    assert (detail["sessionId"], detail["segments"]) == (session, 3)
    folder = managed_product.data_dir / "objects"
    stored = json.loads((folder / detail["objects"]["json"]).read_text())
    assert stored["segments"] == whole["segments"]

    status, vtt, headers = await managed_api.raw("GET", f"/apps/{app}/sessions/{session}/transcript?format=vtt")
    assert (status, headers["Content-Type"]) == (200, "text/vtt; charset=utf-8")
    assert vtt == (folder / detail["objects"]["vtt"]).read_bytes()
    assert vtt.startswith(b"WEBVTT\n\n00:00:")
    assert "<v Ada &lt;1&gt;><lang en-GB>Good morning, 2 &lt; 3 &amp; so on.</lang>" in vtt.decode()
    _, txt, _ = await managed_api.raw("GET", f"/sessions/{session}/transcript?format=txt")
    assert txt == (folder / detail["objects"]["txt"]).read_bytes()
    assert "] bob: Bonjour à tous.\n" in txt.decode()


async def test_a_guess_that_comes_right_after_what_is_final_replaces_nothing(managed_api: Api, app: str) -> None:
    await managed_api("PATCH", f"/apps/{app}", {"settings": {"transcript": "speech"}})
    async with guest_in(managed_api, app, "demo", "ada") as ada:
        session = await session_of(managed_api, app)
        await listening(managed_api, app, session)
        for number in range(10):
            await say(ada, "the last word", f"SG_{number}")
            await say(ada, "a guess", f"SG_{number}", final=False)
        await say(ada, "the end", "SG_end")
        found = await texts(managed_api, app, session, 11)
        assert {entry["text"] for entry in found} == {"the last word", "the end"}


async def test_what_was_heard_stays_and_an_utterance_is_one_line(managed_api: Api, app: str) -> None:
    await managed_api("PATCH", f"/apps/{app}", {"settings": {"transcript": "speech"}})
    async with guest_in(managed_api, app, "demo", "ada") as ada, guest_in(managed_api, app, "demo", "bob") as bob:
        session = await session_of(managed_api, app)
        await listening(managed_api, app, session)
        await say(ada, "So you made a big purchase", "SG_A", final=False)
        await say(ada, "", "SG_A")
        await say(ada, "final F", "SG_F")
        await say(ada, "  ", "SG_F")
        for text in ("Good", "Good morning", "Good morning to you"):  # as older agents send it: without a segment id
            final = str(text.endswith("you")).lower()
            await bob.me.send_text(text, topic=TOPIC, attributes={"lk.transcription_final": final})
        await say(ada, "the end", "SG_end")

        async def all_there() -> Any:
            found = (await managed_api("GET", f"/apps/{app}/sessions/{session}/transcript"))["data"]["segments"]
            lines = {entry["text"]: entry["final"] for entry in found}
            return lines if {"the end", "Good morning to you"} <= lines.keys() else None

        assert await eventually(all_there) == {
            "So you made a big purchase": False,
            "final F": True,
            "Good morning to you": True,
            "the end": True,
        }


async def test_the_listener_is_killed_in_the_middle(
    managed_api: Api, managed_product: RunningProduct, app: str
) -> None:
    async with guest_in(managed_api, app, "demo", "ada") as ada:
        session = await session_of(managed_api, app)
        asked = (await managed_api("POST", f"/apps/{app}/sessions/{session}/transcript", expect=201))["data"]
        assert (asked["state"], asked["chat"]) == ("recording", False)
        await listening(managed_api, app, session)
        await say(ada, "before", "SG_1")
        await ada.me.send_text("not asked for", topic="lk.chat")
        await texts(managed_api, app, session, 1)
        writer = await ada.me.stream_text(topic=TOPIC, attributes={"lk.segment_id": "SG_2"})
        await writer.write("cut ")

        async def half() -> Any:
            return len((await managed_api("GET", f"/sessions/{session}/transcript"))["data"]["segments"]) == 2

        await eventually(half)
        for pid in transcribers(managed_product.pid):
            os.kill(pid, signal.SIGKILL)
        await listening(managed_api, app, session, interruptions=1)
        await writer.aclose()
        await say(ada, "after", "SG_3")

        async def after() -> Any:
            found = (await managed_api("GET", f"/sessions/{session}/transcript"))["data"]["segments"]
            return [entry["text"] for entry in found if entry["id"] == "SG_3" and entry["final"]]

        assert await eventually(after) == ["after"]
        await managed_api("POST", f"/apps/{app}/sessions/{session}/end")
    whole = await archived(managed_api, app, session)
    assert [(entry["text"], entry["final"]) for entry in whole["segments"]] == [
        ("before", True),
        ("cut ", False),
        ("after", True),
    ]
    assert whole["interruptions"] == 1


async def test_it_is_stopped_taken_up_again_and_deleted(
    managed_api: Api, managed_product: RunningProduct, app: str
) -> None:
    path = "/apps/{}/sessions/{}/transcript"
    async with guest_in(managed_api, app, "demo", "ada") as ada:
        session = await session_of(managed_api, app)
        here = path.format(app, session)
        await managed_api("GET", here, expect=404)
        await managed_api("POST", here, {"chat": True}, expect=201)
        await listening(managed_api, app, session)
        await say(ada, "one", "SG_1")
        await texts(managed_api, app, session, 1)
        await managed_api("POST", f"{here}/stop")
        await archived(managed_api, app, session)
        await managed_api("POST", here, expect=201)
        await listening(managed_api, app, session, interruptions=1)
        await say(ada, "two", "SG_2")
        await texts(managed_api, app, session, 2)
        await managed_api("POST", f"/apps/{app}/sessions/{session}/end")
    whole = await archived(managed_api, app, session)
    assert [entry["text"] for entry in whole["segments"]] == ["one", "two"]
    ended = (await managed_api("GET", f"/apps/{app}/sessions/{session}"))["data"]
    keys = [entry for entry in ended["timeline"] if entry["type"] == "transcript.archived"][-1]["detail"]["objects"]
    file = managed_product.data_dir / "objects" / keys["json"]
    assert file.exists()
    assert (await managed_api("POST", here, expect=409))["code"] == "session_ended"
    await managed_api("DELETE", here, expect=204)
    await managed_api("GET", here, expect=404)

    async def gone() -> bool:
        return not await asyncio.to_thread(file.exists)

    await eventually(gone)
    trail = (await managed_api("GET", f"/audit?app={app}"))["data"]
    done = [entry["action"] for entry in trail if entry["target"] == session]
    assert done == [
        "transcript.deleted",
        "session.ended",
        "transcript.begun",
        "transcript.stopped",
        "transcript.begun",
    ]


async def test_the_transcribers_identity_is_reserved(managed_api: Api, app: str) -> None:
    body = {"room": "demo", "identity": "stagedoor:scribe"}
    refused = await managed_api("POST", f"/apps/{app}/tokens", body, expect=422)
    assert refused["code"] == "identity_reserved"


def transcribers(parent: int) -> list[int]:
    """The processes that listen for the product."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                of = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if of == parent and b"stagedoor.transcripts.child" in words:
                found.append(int(entry.name))
    assert found
    return found
