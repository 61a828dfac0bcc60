"""doctor while no Stagedoor runs: what can be checked is, the rest says what it needs."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.doctor.support import run_doctor
from tests.support.ports import free_ports
from tests.support.product import KEY, SECRET, ExternalLiveKit, RunningProduct

NEED_STAGEDOOR = {"stagedoor", "livekit", "livekit-key", "clock", "webhook", "tcp", "inbox", "jobs", "endpoints"}


def _flags(data_dir: Path) -> list[str]:
    http, signalling, tcp, udp = free_ports(4)
    ports = {"--http": f"127.0.0.1:{http}", "--livekit-port": signalling}
    ports |= {"--livekit-tcp-port": tcp, "--livekit-udp-port": udp, "--data-dir": data_dir}
    return [str(part) for pair in ports.items() for part in pair]


def test_before_the_first_start(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    code, findings = run_doctor(*_flags(folder))
    assert code == 0
    skipped = {check for check, found in findings.items() if found["status"] == "skipped"}
    assert skipped == NEED_STAGEDOOR
    assert all("stagedoor up" in findings[check]["next"] for check in skipped)
    assert findings["udp"]["status"] == "ok"
    assert "LiveKit itself was not asked" in findings["udp"]["finding"]
    assert not folder.exists()


def test_a_port_in_use(tmp_path: Path) -> None:
    flags = _flags(tmp_path / "data")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, findings = run_doctor(*flags, "--livekit-port", str(port))
    assert code == 1
    assert findings["ports"]["status"] == "broken"
    assert f"TCP {port} is in use by python" in findings["ports"]["finding"]
    assert "STAGEDOOR_LIVEKIT_PORT" in findings["ports"]["next"]


def test_a_udp_port_in_use(tmp_path: Path) -> None:
    flags = _flags(tmp_path / "data")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        code, findings = run_doctor(*flags, "--livekit-udp-port", str(port))
    assert code == 1
    assert findings["udp"]["status"] == "broken"
    assert f"UDP {port} is in use" in findings["ports"]["finding"]


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    code, findings = run_doctor(*_flags(tmp_path / "data"), "--node-ip", "203.0.113.7")
    assert code == 0
    assert findings["udp"]["status"] == "warning"
    assert "203.0.113.7 is no address of this machine" in findings["udp"]["finding"]


def test_after_a_stop_the_database_is_tried_by_doctor_itself(tmp_path: Path) -> None:
    product = RunningProduct(tmp_path)
    try:
        product.start()
    finally:
        product.close()
    code, findings = run_doctor(*_flags(product.data_dir))
    assert code == 0
    assert findings["database"]["finding"] == "The database was opened, written and read."
    (product.data_dir / "stagedoor.db").write_bytes(b"this is no database, whatever its name says" * 100)
    code, findings = run_doctor(*_flags(product.data_dir))
    assert code == 1
    assert findings["database"]["status"] == "broken"


def test_an_external_livekit_is_tried_without_stagedoor(tmp_path: Path) -> None:
    livekit = ExternalLiveKit(tmp_path, "http://127.0.0.1:9/webhooks/livekit")
    flags = _flags(tmp_path / "data")
    given = {"LIVEKIT_API_HOST": livekit.url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
    livekit.start()
    try:
        code, findings = run_doctor(*flags, **given)
        assert code == 0
        assert {findings[check]["status"] for check in ("livekit", "livekit-key", "clock", "udp", "tcp")} == {"ok"}
        assert findings["webhook"]["status"] == "skipped"
        assert "stagedoor up" in findings["webhook"]["next"]
        wrong = given | {"LIVEKIT_API_SECRET": "not-the-secret-of-this-livekit-server"}
        code, findings = run_doctor(*flags, **wrong)
        assert code == 1
        assert findings["livekit-key"]["status"] == "broken"
        assert "refuses the API key" in findings["livekit-key"]["finding"]
        assert findings["webhook"]["next"] == "Fix `livekit-key` first."
    finally:
        livekit.kill()
    code, findings = run_doctor(*flags, **given)
    assert code == 1
    assert findings["livekit"]["status"] == "broken"
    assert "exit code 0" in findings["livekit"]["next"]


def test_something_else_answers_where_livekit_should(tmp_path: Path, managed_product: RunningProduct) -> None:
    given = {"LIVEKIT_API_HOST": managed_product.url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
    code, findings = run_doctor(*_flags(tmp_path / "data"), **given)
    assert code == 1
    assert "not as LiveKit does" in findings["livekit"]["finding"]
