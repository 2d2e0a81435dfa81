"""`esanum serve` with every server: it answers, says how it is, and ends cleanly within ten seconds."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from instance.cli.run import init
from instance.cli.tools import Context
from tests.instance.served import ROOT, Served
from tests.tools.ports import free_ports

SERVERS = pytest.mark.parametrize("server", ["hypercorn", "uvicorn", "granian"])
pytestmark = pytest.mark.faults


@pytest.fixture
def fr(tmp_path: Path) -> Path:
    """The configuration of a new instance."""
    port, metrics = free_ports(2)
    file = tmp_path / "esanum.toml"
    arguments = [
        "--origin", f"http://fr.localhost:{port}", "--country", "FR", "--name", "France", "--listen",
        f"127.0.0.1:{port}", "--metrics", f"127.0.0.1:{metrics}",
    ]  # fmt: skip
    init.main(arguments, standalone_mode=False, obj=Context(str(file)))
    return file


def serve_in_vain(file: Path) -> tuple[int, str]:
    """Run `serve` where it cannot; return its exit status and what it said."""
    command = [sys.executable, "-m", "instance.cli", "-c", str(file), "serve"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=30)
    return done.returncode, done.stderr


def get(served: Served, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Ask the public listener."""
    host, _, port = served.settings["listen"].rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.request("GET", path, headers={"Host": served.settings["origin"].partition("://")[2]})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


@SERVERS
def test_an_instance_serves_and_ends_cleanly(fr: Path, server: str) -> None:
    """It answers on its address, runs on uvloop, says how it is on the other, and leaves no socket behind."""
    with Served(fr, server=server) as served:
        status, headers, body = get(served, "/actor")
        assert served.process is not None
        loaded = Path(f"/proc/{served.process.pid}/maps").read_text()
        health = json.loads(served.health())
        ended, seconds = served.end()

    assert (200, "Application") == (status, json.loads(body)["type"])
    assert "esanum" == headers.get("server", "esanum")
    assert "uvloop" in loaded
    assert {"database": True, "allowlist": True, "workers": True} == health["parts"]
    assert (True, 0) == (health["ok"], health["siblings"])
    assert 0 == ended
    assert seconds < 10
    assert not (fr.parent / "control.sock").exists()
    events = [json.loads(line)["event"] for line in served.log.read_text().splitlines()]
    assert ["signing", "serving", "stopped"] == events


@SERVERS
def test_a_slow_client_does_not_hold_the_end_back(fr: Path, server: str) -> None:
    """Somebody in the middle of a request, and somebody who is only connected: the server still ends in time."""
    with Served(fr, server=server) as served:
        host, _, port = served.settings["listen"].rpartition(":")
        idle, slow = (socket.create_connection((host, int(port))) for _ in range(2))
        slow.sendall(b"POST /inbox HTTP/1.1\r\nHost: fr.localhost\r\nContent-Length: 1000\r\n\r\nhalf")
        time.sleep(0.2)
        ended, seconds = served.end()
        idle.close()
        slow.close()

    assert seconds < 10
    assert ended in (0, 1)


def test_a_request_under_way_is_answered_at_the_end(fr: Path) -> None:
    """SIGTERM does not tear an answer that was begun."""
    with Served(fr) as served:
        answers: list[int] = []

        def ask() -> None:
            for _ in range(50):
                try:
                    answers.append(get(served, "/actor")[0])
                except OSError:
                    return

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.05)
        ended, _ = served.end()
        asking.join()

    assert 0 == ended
    assert answers
    assert {200} == set(answers)


def test_health_and_metrics_are_elsewhere(fr: Path) -> None:
    """The listener of health has two addresses and nothing else; the public one has neither of them."""
    with Served(fr) as served:
        with urllib.request.urlopen(f"http://{served.settings['metrics']}/metrics", timeout=5) as answer:
            metrics = answer.read().decode()
        with pytest.raises(urllib.error.HTTPError) as other:
            urllib.request.urlopen(f"http://{served.settings['metrics']}/actor", timeout=5)
        other.value.close()
        public = [get(served, path)[0] for path in ("/metrics", "/health")]

    assert "esanum_allowlist_version" in metrics
    assert "esanum_inbound_waiting 0.0" in metrics
    assert 404 == other.value.code
    assert 200 not in public


def test_a_port_in_use_is_one_sentence(fr: Path) -> None:
    """Which address cannot be had, and why; the database is not even opened."""
    with Served(fr) as served:
        status, said = serve_in_vain(fr)

        assert (1, f"esanum: cannot listen on {served.settings['listen']}: Address already in use\n") == (status, said)
        assert served.health()


def test_a_metrics_port_in_use_is_one_sentence(fr: Path) -> None:
    """The second listener is looked at as well."""
    host, _, port = Served(fr).settings["metrics"].rpartition(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        taken.listen()
        status, said = serve_in_vain(fr)

    assert (1, f"esanum: cannot listen on {host}:{port}: Address already in use\n") == (status, said)


def test_a_second_server_on_the_same_file_is_one_sentence(fr: Path) -> None:
    """Two processes on one SQLite file could damage it; the second names the first and does nothing (F34)."""
    with Served(fr) as served:
        assert served.process is not None
        port, metrics = free_ports(2)
        other = fr.with_name("other.toml")
        text = fr.read_text().replace(served.settings["metrics"], f"127.0.0.1:{metrics}")
        other.write_text(text.replace(f'"{served.settings["listen"]}"', f'"127.0.0.1:{port}"'))
        status, said = serve_in_vain(other)

        assert (1, f"esanum: esanum.db is served by process {served.process.pid} already\n") == (status, said)
        assert served.health()


def test_after_a_kill_the_next_start_needs_nobody(fr: Path) -> None:
    """What a killed server left behind, socket and lock file, is in nobody's way."""
    with Served(fr) as served:
        assert served.process is not None
        served.process.kill()
        served.process.wait()
    assert (fr.parent / "control.sock").exists()

    with Served(fr) as again:
        assert json.loads(again.health())["ok"]


def test_a_path_too_long_for_a_socket_is_one_sentence(fr: Path) -> None:
    """The operating system's limit is told before the start, with what to do."""
    deep = fr.parent / ("d" * 60) / ("e" * 60)
    deep.parent.mkdir()
    os.rename(fr.parent / "secrets", fr.parent / "kept")
    fr.write_text(f'{fr.read_text()}data = "{deep}"\nsecrets = "{fr.parent / "kept"}"\n')

    status, said = serve_in_vain(fr)

    assert 1 == status
    assert "too long for a local socket" in said
    assert 1 == said.count("\n")
