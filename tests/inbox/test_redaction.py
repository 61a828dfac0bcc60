"""No secret of LiveKit's reaches the inbox, and nothing else of an event is lost."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagedoor.inbox.redact import OWN_FIELDS, REDACTED, SECRET_FIELDS, redact

_named = st.sampled_from(sorted(SECRET_FIELDS | OWN_FIELDS))
_names = st.one_of(_named, st.text(max_size=8))
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=12), st.sampled_from(sorted(SECRET_FIELDS))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_names, inner, max_size=4)),
    max_leaves=12,
)


def cleaned(value: Any) -> Any:
    match value:
        case dict():
            fields = cast("dict[str, Any]", value)
            return {
                name: inner if name in OWN_FIELDS else REDACTED if name in SECRET_FIELDS else cleaned(inner)
                for name, inner in fields.items()
            }
        case list():
            return [cleaned(inner) for inner in cast("list[Any]", value)]
        case _:
            return value


def written(event: Any) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


@given(st.dictionaries(_names, _values, max_size=5), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_secrets_are_removed_and_the_rest_stays(event: dict[str, Any], separators: tuple[str, str]) -> None:
    body = json.dumps(event, ensure_ascii=False, separators=separators).encode()
    assert json.loads(redact(body)) == cleaned(event)


@pytest.mark.parametrize(
    "password",
    ["plain", "", 'with "quotes"', "ends with a backslash \\", "\\", '\\"', '","turnPassword":"', "é€"],
)
def test_a_password_is_removed_whatever_it_is_made_of(password: str) -> None:
    event = {"event": "room_started", "room": {"turnPassword": password, "name": "live-demo"}, "id": "EV_1"}
    assert json.loads(redact(written(event))) == cleaned(event)


def test_a_body_without_secrets_is_kept_byte_for_byte() -> None:
    body = b'{ "event" :"room_started","room":{"metadata":"{\\"turnPassword\\":\\"mine\\"}"} }'
    assert redact(body) == body


ATTRIBUTES = dict.fromkeys(
    ["username", "accountName", "seat", "password", "secret", "credentials", "streamKey", "url", "turnPassword"], "ada"
)


@pytest.mark.parametrize("room", [{}, {"turnPassword": "hush"}])
@pytest.mark.parametrize("attributes", [{"username": "ada"}, {"turnPassword": "ada"}, ATTRIBUTES])
def test_attributes_of_a_person_are_theirs_whatever_they_are_called(
    attributes: dict[str, str], room: dict[str, str]
) -> None:
    event = {"event": "participant_joined", "room": room, "participant": {"attributes": attributes, "metadata": "{}"}}
    kept = json.loads(redact(written(event)))
    assert kept["participant"] == event["participant"]
    assert "hush" not in json.dumps(kept)


def test_a_room_that_is_there_twice_keeps_no_password() -> None:
    assert b"hush" not in redact(b'{"event":"x","room":{"turnPassword":"hush"},"room":{"name":"a"}}')


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("rtmp://x/KEY", f"rtmp://x/{REDACTED}"),
        ("rtmps://live.example.com:443/app/hush?key=hush", f"rtmps://live.example.com:443/{REDACTED}"),
        ("rtsp://admin:hush@cam.example.com/1", f"rtsp://cam.example.com/{REDACTED}"),
        ("srt://host:9000?passphrase=hush", f"srt://host:9000/{REDACTED}"),
        ("https://example.com", "https://example.com"),
        ("hush", REDACTED),
        ("http://[hush", REDACTED),
        ("", ""),
    ],
)
def test_an_address_of_a_stream_keeps_its_host_alone(given_url: str, kept: str) -> None:
    event = {
        "event": "egress_ended",
        "egressInfo": {
            "egressId": "EG_1",
            "roomComposite": {"streamOutputs": [{"protocol": "RTMP", "urls": [given_url]}]},
            "streamResults": [{"url": given_url, "status": "FAILED", "error": f"could not connect to {given_url} (1)"}],
            "stream": {"info": [{"url": given_url}]},
            "egress": {"outputs": [{"stream": {"destinations": [{"id": "a", "url": given_url}]}}]},
        },
        "ingressInfo": {"ingressId": "IN_1", "inputType": "URL_INPUT", "url": given_url},
    }
    info = json.loads(redact(written(event)))
    assert info["egressInfo"]["roomComposite"]["streamOutputs"] == [{"protocol": "RTMP", "urls": [kept]}]
    result = info["egressInfo"]["streamResults"][0]
    assert (result["url"], result["status"]) == (kept, "FAILED")
    if "://" in given_url:
        assert given_url == kept or given_url not in result["error"]
    assert info["egressInfo"]["stream"]["info"] == [{"url": kept}]
    assert info["egressInfo"]["egress"]["outputs"] == [{"stream": {"destinations": [{"id": "a", "url": kept}]}}]
    assert info["ingressInfo"] == {"ingressId": "IN_1", "inputType": "URL_INPUT", "url": kept}


@pytest.mark.parametrize("url", [5, None, ["a"], {"a": 1}, True])
def test_an_address_that_is_no_text_is_removed(url: Any) -> None:
    event = {"event": "egress_ended", "egressInfo": {"stream": {"info": [{"url": url}]}}}
    kept = json.loads(redact(written(event)))["egressInfo"]["stream"]["info"][0]["url"]
    assert kept in (REDACTED, [REDACTED])
