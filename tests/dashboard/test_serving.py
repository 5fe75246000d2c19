"""Starting the dashboard as a process."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from dashboard_seeding import Plant

from inspector.cli.dashboard import dashboard_process, serve
from inspector.errors import NotMigrated, PortInUse


def test_it_answers_on_this_machine_only_and_is_gone_with_the_block(plant: Plant) -> None:
    with dashboard_process(url=plant.url, records=plant.records) as address:
        port = int(address.rsplit(":", 1)[1])
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
            assert answer.status == 200
        assert _listening_addresses(port) == {"127.0.0.1"}
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(f"{address}/_stcore/health", timeout=5)


def test_a_port_in_use_is_said_with_the_remedy(plant: Plant) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port}.*--port"):
            serve(url=plant.url, records=plant.records, port=port)


def test_a_database_that_is_not_there_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(NotMigrated, match="inspector db upgrade"):
        serve(url=f"sqlite:///{tmp_path / 'none.db'}", records=tmp_path, port=8501)


def test_starting_it_imports_no_streamlit() -> None:
    code = "import sys, json, inspector.cli.dashboard; print(json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert not {"streamlit", "cv2", "torch", "pandas"} & set(json.loads(found.stdout))


def _listening_addresses(port: int) -> set[str]:
    """Return where this machine listens on a TCP port (Linux: state 0A of /proc/net/tcp)."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        host, local_port = local.split(":")
        if state == "0A" and int(local_port, 16) == port:
            found.add(socket.inet_ntoa(bytes.fromhex(host)[::-1]))
    in_v6 = (line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:])
    found |= {"::" for c in in_v6 if c[3] == "0A" and int(c[1].split(":")[1], 16) == port}
    return found
