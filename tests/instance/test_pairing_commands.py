"""`esanum siblings invite`, `requests`, `confirm`, `decline`: two servers become siblings by their command lines."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.instance.served import Served
from tests.instance.test_cli import begin, fr, run

__all__ = ["fr", "run"]


@pytest.fixture
def de(tmp_path: Path, run: Any) -> Path:
    """Another new instance."""
    return begin(run, tmp_path / "de", "de", "DE")


def until(asks: Callable[[], bool]) -> None:
    """Wait until it is so."""
    for _ in range(600):
        if asks():
            return
        time.sleep(0.05)
    raise AssertionError("it never was")


def fingerprint(run: Any, file: Path) -> str:
    """What `esanum keys show` prints there."""
    return str(json.loads(run("-c", file, "keys", "show").out)["fingerprint"])


def state(run: Any, file: Path) -> str:
    """How far the last pairing is, seen from there."""
    rows = json.loads(run("-c", file, "siblings", "requests", "--json").out)
    return str(rows[0]["state"]) if rows else ""


def host(file: Path) -> str:
    """Host and port, as somebody types them."""
    return Served.origin(file).removeprefix("http://")


def test_two_servers_pair_and_one_is_killed_on_the_way(run: Any, fr: Path, de: Path) -> None:
    """Through both control sockets; a server that was killed at once after confirming says it after its next start."""
    prints = {file: fingerprint(run, file) for file in (fr, de)}
    with Served(fr), Served(de) as killed:
        nobody = run("-c", fr, "siblings", "requests")
        invited = run("-c", fr, "siblings", "invite", host(de))
        until(lambda: state(run, de) == "requested")
        wrong = run("-c", de, "siblings", "confirm", host(fr), "--fingerprint", "0" * 64)
        first = run("-c", de, "siblings", "confirm", host(fr), "--fingerprint", prints[fr])
        assert killed.process is not None
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
    with Served(fr), Served(de):
        until(lambda: state(run, fr) == "confirmed_there")
        second = run("-c", fr, "siblings", "confirm", host(de), "--country", "AT", "--fingerprint", prints[de].upper())
        until(lambda: state(run, de) == "active")
        shown = json.loads(run("-c", fr, "siblings", "show", Served.origin(de)).out)

    assert "Nobody is invited, and nobody asks." in nobody.out
    assert (0, "") == (invited.status, invited.err)
    assert f"{Served.origin(de)} is asked." in invited.out
    assert prints[de] in invited.out
    assert (1, True) == (wrong.status, "(fingerprint_differs)" in wrong.err)
    assert "Confirmed here; " in first.out
    assert prints[fr] in first.out
    assert "is a sibling now." in second.out
    assert ["AT"] == shown["entry"]["may_issue_for"]
    assert {"pairing_invite", "pairing_confirm", "add"} <= {change["act"] for change in shown["changes"]}
    assert all(change["by"].startswith(("command line: ", "http://de.")) for change in shown["changes"])


@pytest.mark.parametrize("running", [False, True], ids=["without a server", "with a server"])
def test_an_invitation_is_taken_back(run: Any, fr: Path, de: Path, *, running: bool) -> None:
    """With one of the reasons; another word is refused, and whoever was never asked is not found."""
    with Served(de), Served(fr, wanted=running):
        run("-c", fr, "siblings", "invite", host(de))
        other = run("-c", fr, "siblings", "decline", host(de), "--reason", "because")
        done = run("-c", fr, "siblings", "decline", host(de), "--reason", "mistake")
        again = run("-c", fr, "siblings", "decline", host(de), "--reason", "mistake")
        listed = run("-c", fr, "siblings", "requests").out
    never = run("-c", de, "siblings", "decline", "it.example", "--reason", "unknown")

    assert 2 == other.status
    assert (0, f"{Served.origin(de)}: withdrawn.\n") == (done.status, done.out)
    assert (1, True) == (again.status, "(pairing_over)" in again.err)
    assert "withdrawn" in listed
    assert (1, True) == (never.status, "not_found" in never.err)
