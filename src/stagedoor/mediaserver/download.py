"""Get LiveKit's official release archive, and take nothing from it before its checksum was right."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import shutil
import tarfile
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import aiohttp

from stagedoor.mediaserver.failure import InstallAttemptFailed, os_reason
from stagedoor.mediaserver.release import BINARY_NAME, CHECKSUMS_NAME, PINNED_VERSION

# A machine without a way to the internet must get to the next way of installing within seconds. `connect`
# covers the name look-up as well, `sock_connect` would not; `sock_read` is the longest silence in between.
_TIMEOUT = aiohttp.ClientTimeout(total=900, connect=5, sock_read=20)
_ARCHIVE_LIMIT_BYTES = 400_000_000  # the 1.13.5 binary has 75 MB uncompressed
_CHECKSUMS_LIMIT_BYTES = 1_000_000
_CHUNK_BYTES = 1 << 18


async def download_binary(base_url: str, archive: str, folder: Path, progress: Callable[[str], None]) -> Path:
    """Download, verify and unpack; the binary lies in `folder` afterwards and is executable.

    The checksum comes from the release's own `checksums.txt`, fetched from the same place: it protects from
    a damaged or half-synchronised mirror, and TLS protects from an attacker in between.

    Args:
        base_url: A folder that holds `v1.13.5/`, without a slash at its end.
        archive: The archive's name in that folder.
        folder: An empty scratch folder, on the file system where the binary is kept.
        progress: Called with a line of progress.

    Raises:
        InstallAttemptFailed: Not reachable, not there, cut short, not what `checksums.txt` says, or not an archive
            with the binary in it.
    """
    place = f"{base_url.rstrip('/')}/v{PINNED_VERSION}"
    progress(f"Downloading LiveKit {PINNED_VERSION} from {place}/{archive}")
    target = folder / archive
    try:
        # trust_env: closed networks reach their mirror through HTTPS_PROXY.
        async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as http:
            wanted = await _wanted_checksum(http, f"{place}/{CHECKSUMS_NAME}", archive)
            found = await _fetch(http, f"{place}/{archive}", target, progress)
    except TimeoutError as error:
        raise InstallAttemptFailed(f"{place} did not answer in time") from error
    except (aiohttp.ClientError, ValueError) as error:
        # ValueError: aiohttp refuses a base URL that is none (InvalidURL is both).
        raise InstallAttemptFailed(f"{place} could not be read ({_reason(error)})") from error
    except OSError as error:
        raise InstallAttemptFailed(f"the archive could not be written to {folder} ({os_reason(error)})") from error
    if found != wanted:
        raise InstallAttemptFailed(f"{archive} has the SHA-256 {found} where {CHECKSUMS_NAME} says {wanted}")
    return await asyncio.to_thread(_unpack, target, folder)


async def _wanted_checksum(http: aiohttp.ClientSession, url: str, archive: str) -> str:
    async with _get(http, url) as response:
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > _CHECKSUMS_LIMIT_BYTES:
                raise InstallAttemptFailed(f"{url} is too long to be a list of checksums")
    for line in body.decode("utf-8", "replace").splitlines():
        digest, _, name = line.strip().partition(" ")
        # sha256sum writes "digest  name" or, for binary mode, "digest *name".
        if name.strip().removeprefix("*") == archive and re.fullmatch(r"[0-9a-fA-F]{64}", digest):
            return digest.lower()
    raise InstallAttemptFailed(f"{url} has no SHA-256 for {archive}")


async def _fetch(http: aiohttp.ClientSession, url: str, target: Path, progress: Callable[[str], None]) -> str:
    digest = hashlib.sha256()
    began = reported = time.monotonic()
    size = 0
    async with _get(http, url) as response:
        total = response.content_length
        with await asyncio.to_thread(target.open, "wb") as file:
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                size += len(chunk)
                if size > _ARCHIVE_LIMIT_BYTES:
                    raise InstallAttemptFailed(f"{url} is larger than a LiveKit archive can be")
                digest.update(chunk)
                await asyncio.to_thread(file.write, chunk)
                if (now := time.monotonic()) - reported >= 2:
                    reported = now
                    share = f" of {total / 1e6:.0f}" if total else ""
                    progress(f"Downloaded {size / 1e6:.0f}{share} MB, {now - began:.0f} s")
    return digest.hexdigest()


@contextlib.asynccontextmanager
async def _get(http: aiohttp.ClientSession, url: str) -> AsyncGenerator[aiohttp.ClientResponse]:
    async with http.get(url) as response:
        if response.status != 200:
            raise InstallAttemptFailed(f"{url} answered {response.status}")
        yield response


def _unpack(archive: Path, folder: Path) -> Path:
    binary = folder / BINARY_NAME
    try:
        with tarfile.open(archive, "r:gz") as tar:
            member = next((one for one in tar if one.isfile() and Path(one.name).name == BINARY_NAME), None)
            source = tar.extractfile(member) if member else None
            if source is None:
                raise InstallAttemptFailed(f"{archive.name} holds no {BINARY_NAME}")
            with source, binary.open("wb") as file:
                shutil.copyfileobj(source, file)
        binary.chmod(0o755)
        archive.unlink()
    except (tarfile.TarError, EOFError) as error:
        raise InstallAttemptFailed(f"{archive.name} is not a complete archive") from error
    except OSError as error:  # gzip.BadGzipFile is one too
        raise InstallAttemptFailed(f"{archive.name} could not be unpacked ({error.strerror or error})") from error
    return binary


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.strerror or "no connection"
    return str(error) or type(error).__name__
