"""Ids rise, within a process and from one process to the next."""

from __future__ import annotations

from datetime import timedelta

from instance import ids
from tests.town import NOON


def test_a_new_process_repeats_no_id_that_the_old_one_counted_on_to(monkeypatch):
    """F26: the old one's clock was ahead and was put right, so that it counted on; the new one knows a part of that."""
    monkeypatch.setattr(ids, "_last", 0)
    known = ids.new_ulid(NOON + timedelta(hours=2))
    counted = [ids.new_ulid(NOON) for _ in range(100)]
    monkeypatch.setattr(ids, "_last", 0)
    ids.begin_after(known)
    made = [ids.new_ulid(NOON) for _ in range(100)]

    assert max(counted) < min(made)
    assert sorted(made) == made


def test_an_earlier_id_takes_nothing_back(monkeypatch):
    """The twin: what this process has made already counts."""
    monkeypatch.setattr(ids, "_last", 0)
    early, late = ids.new_ulid(NOON), ids.new_ulid(NOON + timedelta(hours=2))
    ids.begin_after(early)

    assert late < ids.new_ulid(NOON)
    assert ids.made_at(late) == ids.made_at(ids.new_ulid(NOON))
