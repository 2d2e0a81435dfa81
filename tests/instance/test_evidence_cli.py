"""The evidence vault for whoever runs an instance: is it open, and where do its copies go."""

from __future__ import annotations

import json
from pathlib import Path

from tests.instance.served import Served
from tests.instance.test_cli import Run, fr, run

__all__ = ["fr", "run"]


def test_a_closed_vault_is_said_and_the_server_serves(run: Run, fr: Path) -> None:
    """A start without the secret goes through; health names the code and stays well, both commands say what to mend."""
    secret = fr.parent / "secrets" / "evidence_kek"
    whole = secret.read_bytes()
    secret.chmod(0o604)
    with Served(fr) as served:
        health = json.loads(served.health())
        shown, checked = run("-c", fr, "evidence", "show"), run("-c", fr, "check")

    assert (True, "evidence_key_exposed") == (health["ok"], health["evidence"])
    for said in (shown, checked):
        assert 1 == said.status
        assert f"{secret}: the evidence vault is closed (evidence_key_exposed)" in said.out
    secret.unlink()
    assert "evidence_key_missing" in run("-c", fr, "evidence", "show").out
    secret.write_bytes(whole)
    secret.chmod(0o600)
    assert "the evidence vault is open\n" == run("-c", fr, "evidence", "show").out
    assert 0 == run("-c", fr, "check").status


def test_copies_go_where_they_belong(run: Run, fr: Path, tmp_path: Path) -> None:
    """Not into the data folder, not over anything, and the keys not beside what they open."""
    data, copies = fr.parent, tmp_path / "copies"
    copies.mkdir()
    assert 0 == run("-c", fr, "backup", copies / "one.db", "--evidence", copies / "evidence").status
    (copies / "evidence" / "01JD0000000000000000000000.sealed").write_bytes(b"x")
    inside = run("-c", fr, "evidence", "backup-keys", data / "keys.db")
    beside = run("-c", fr, "evidence", "backup-keys", copies / "keys.db")
    over = run("-c", fr, "evidence", "backup-keys", copies / "one.db")
    into = run("-c", fr, "backup", copies / "two.db", "--evidence", data / "evidence")

    assert "(inside_data)" in inside.err
    assert "(beside_evidence)" in beside.err
    assert "already there" in over.err
    assert "(inside_data)" in into.err
    assert [1] * 4 == [said.status for said in (inside, beside, over, into)]
    assert [] == [path for path in (data / "keys.db", copies / "keys.db", copies / "two.db") if path.exists()]
