"""Where a post stands at one sibling, as a pure function of the ledger's row, what was said, and the entry now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from federation.allowlist import Listed, LocalPolicy
from instance.views.arrivals import Arrival, Stand, Word, arrival_of
from tests.federation.servers import sibling

DE = "https://de.example"
NOW = 1_000
OPEN = sibling(DE)
PAUSED = replace(OPEN, policy=LocalPolicy.PAUSE)
EXPIRED = replace(OPEN, listed=Listed.EXPIRED)


def copy(**changes: Any) -> dict[str, Any]:
    """A row of the ledger: sent, and nothing heard."""
    return {
        "origin": DE, "name": "Germany", "former": 0, "sent_at": 1, "delivered_at": None, "released_at": None,
        "earlier": 0, "next_at": 0, **changes,
    }  # fmt: skip


def word(state: str, kind: str = "Create", code: str = "", **changes: Any) -> dict[str, Any]:
    """Something that was said."""
    settled = 50 if state in ("done", "dead", "dropped") else None
    return {
        "origin": DE, "type": kind, "state": state, "last_code": code, "created_at": 10, "due_at": 10,
        "settled_at": settled, **changes,
    }  # fmt: skip


HELD = {"delivered_at": 40}


@pytest.mark.parametrize(
    ("row", "said", "entry", "expected"),
    [
        (copy(), [word("waiting")], OPEN, Word(stand=Stand.WAITING, since=10)),
        (copy(next_at=2_000), [word("waiting")], OPEN, Word(stand=Stand.WAITING, since=10, next_at=2_000)),
        (copy(), [word("resting", due_at=3_000)], OPEN, Word(stand=Stand.WAITING, since=10, next_at=3_000)),
        (copy(), [word("waiting"), word("waiting", "Update", created_at=30)], OPEN, Word(stand=Stand.WAITING, since=10)),
        (copy(), [word("held")], PAUSED, Word(stand=Stand.KEPT, why="paused", since=10)),
        (copy(), [word("waiting")], EXPIRED, Word(stand=Stand.KEPT, why="list", since=10)),
        (copy(), [word("held", code="no_standing")], OPEN, Word(stand=Stand.KEPT, why="standing", since=10)),
        (copy(), [word("dead", code="revoked")], OPEN, Word(stand=Stand.REFUSED, why="standing", since=50)),
        (copy(), [word("dead", code="kind_not_federated")], OPEN, Word(stand=Stand.REFUSED, why="kind", since=50)),
        (copy(), [word("dead", code="gave_up")], OPEN, Word(stand=Stand.REFUSED, why="gave_up", since=50)),
        (copy(), [word("dead", code="made_up")], OPEN, Word(stand=Stand.REFUSED, why="other", since=50)),
        (copy(), [word("dropped", code="no_standing")], OPEN, Word(stand=Stand.NOT_SENT, why="standing")),
        (copy(), [word("dropped", code="sibling_blocked")], OPEN, Word(stand=Stand.NOT_SENT, why="closed")),
        (copy(), [], OPEN, Word(stand=Stand.NOT_SENT, why="then")),
        (copy(**HELD), [word("done")], OPEN, Word(stand=Stand.HELD, since=40)),
        (copy(**HELD), [], OPEN, Word(stand=Stand.HELD, since=40)),
        (copy(**HELD), [word("done"), word("waiting", "Delete", created_at=60)], OPEN, Word(stand=Stand.ASKED, since=60)),
        (copy(**HELD), [word("held", "Delete")], PAUSED, Word(stand=Stand.ASKED, why="paused", since=10)),
        (copy(**HELD), [word("dead", "Delete", "malformed")], OPEN, Word(stand=Stand.NOT_RELEASED)),
        (copy(**HELD), [word("dropped", "Delete", "farewell_over")], None, Word(stand=Stand.NOT_RELEASED)),
        (copy(**HELD, released_at=70), [word("done", "Delete")], OPEN, Word(stand=Stand.RELEASED, since=70)),
        (copy(**HELD, released_at=70), [], OPEN, Word(stand=Stand.RELEASED, since=70)),
        (copy(**HELD, released_at=70), [word("waiting", "Update")], OPEN, Word(stand=Stand.WAITING, since=10)),
    ],
)  # fmt: skip
def test_each_stand_is_told_as_it_is(
    row: dict[str, Any], said: list[dict[str, Any]], entry: Any, expected: Word
) -> None:
    """What was said last decides, with what the sibling has answered."""
    found = arrival_of(row, said, entry, NOW)

    assert (expected, False, None) == (found.word, found.earlier, found.newest)


@pytest.mark.parametrize(
    ("said", "newest"),
    [
        (word("waiting", "Update"), Word(stand=Stand.WAITING, since=10)),
        (word("dead", "Update", "too_large"), Word(stand=Stand.REFUSED, why="other", since=50)),
    ],
)
def test_an_earlier_version_is_told_as_one(said: dict[str, Any], newest: Word) -> None:
    """It is held, since the first time; how the newest stands is said beside it."""
    found = arrival_of(copy(**HELD, earlier=1), [word("done"), said], OPEN, NOW)

    assert Arrival(name="Germany", word=Word(stand=Stand.HELD, since=40), earlier=True, newest=newest) == found


def test_a_version_that_was_never_said_there_is_told() -> None:
    """Mended while the sibling was blocked: what it holds is earlier, and nothing is under way."""
    found = arrival_of(copy(**HELD, earlier=1), [word("done")], OPEN, NOW)

    assert (True, None) == (found.earlier, found.newest)


def test_whoever_has_left_is_named_by_the_address() -> None:
    """Where no name is kept."""
    found = arrival_of(copy(**HELD, name="", former=1), [], None, NOW)

    assert ("de.example", True) == (found.name, found.former)
