"""How the suite is run: its temporary files are in memory only where they have room and nothing else is wished."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.tools import run


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place that counts as memory, with room enough."""
    monkeypatch.setattr(run, "MEMORY", tmp_path)
    monkeypatch.setattr(run, "ROOM", 1)
    monkeypatch.delenv("TMPDIR", raising=False)
    return tmp_path


def test_temporary_files_are_put_where_there_is_room(memory: Path) -> None:
    """A new folder each time, through which the embedded PostgreSQL, which is somebody else, finds its own."""
    one, other = run.in_memory(), run.in_memory()

    assert one is not None
    assert other is not None
    assert one != other
    assert (memory, 0o755) == (one.parent, one.stat().st_mode & 0o777)


def test_they_are_not_where_room_is_missing_or_another_place_is_wished(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twins: TMPDIR decides; too little room, or a place that is not there, is none."""
    monkeypatch.setenv("TMPDIR", str(memory))
    assert run.in_memory() is None
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(run, "ROOM", shutil.disk_usage(memory).total + 1)
    assert run.in_memory() is None
    monkeypatch.setattr(run, "ROOM", 1)
    monkeypatch.setattr(run, "MEMORY", memory / "missing")
    assert run.in_memory() is None
    assert [] == list(memory.iterdir())


@pytest.mark.parametrize(("status", "kept"), [(0, False), (1, True)])
def test_what_failed_tests_left_is_kept(
    memory: Path, capfd: pytest.CaptureFixture[str], *, status: int, kept: bool
) -> None:
    """A run that failed says where its files are; of a run that did not, nothing is left."""
    done = run.run(["sh", "-c", f"touch $TMPDIR/left; exit {status}"])

    assert status == done
    assert kept == (capfd.readouterr().out != "")
    assert kept == any((folder / "left").exists() for folder in memory.iterdir())
