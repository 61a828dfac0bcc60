"""Objects on a disk and in S3 behave alike; the S3 is moto's, which speaks its protocol."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path

import pytest

from stagedoor.storage.objects import Objects, ObjectsUnavailable
from tests.support.ports import free_ports

KEY = "transcripts/org_1/app_1/ses_1/transcript.json"


@pytest.fixture(scope="module")
def s3() -> Generator[str]:
    """Its address, with a bucket."""
    [port] = free_ports(1)
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                request = urllib.request.Request(f"{address}/archive", method="PUT")
                urllib.request.urlopen(request, timeout=5).close()
                break
            except urllib.error.URLError:
                assert time.monotonic() < deadline, "moto does not answer"
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()


def content_type(request: urllib.request.Request) -> str | None:
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.headers["Content-Type"]


@pytest.fixture(params=["disk", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Objects:
    if request.param == "disk":
        return Objects(None, tmp_path / "objects")
    address = request.getfixturevalue("s3")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return Objects("s3://archive/stagedoor", tmp_path)


async def test_an_object_is_written_replaced_read_and_deleted(objects: Objects) -> None:
    assert await objects.get(KEY) is None
    await objects.put(KEY, b'{"a":1}', "application/json")
    await objects.put(KEY, b"{}", "application/json")
    assert await objects.get(KEY) == b"{}"
    await objects.delete(KEY)
    assert await objects.get(KEY) is None
    await objects.delete(KEY)


@pytest.mark.parametrize("objects", ["s3"], indirect=True)
async def test_what_is_in_s3_has_its_type_and_its_prefix(s3: str, objects: Objects) -> None:
    await objects.put(KEY, b"WEBVTT\n", "text/vtt")
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=key/20260131/us-east-1/s3/aws4_request"}
    request = urllib.request.Request(f"{s3}/archive/stagedoor/{KEY}", headers=headers)
    assert await asyncio.to_thread(content_type, request) == "text/vtt"


async def test_a_bucket_that_does_not_exist_is_a_sentence(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    with pytest.raises(ObjectsUnavailable, match=r"NoSuchBucket|not exist|404"):
        await Objects("s3://nowhere", tmp_path).put(KEY, b"x", "text/plain")
