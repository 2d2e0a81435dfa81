"""Messages of the past under another list: the functions that decide are asked again, and say no more than they know."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from federation.allowlist import Allowlist, Direction, LocalPolicy, Sibling
from federation.replaying import OPEN, Past, replay
from federation.trail import Step
from federation.uri import Uri
from federation.vocabulary import PostKind

DE = "https://de.example"
ENTRY = Sibling(
    origin=DE, actor=Uri.parse(DE + "/actor"), name="Germany", country="DE", since=datetime(2026, 1, 1, tzinfo=UTC),
    instance_keys=frozenset({"sha256:00"}), issuer_keys=(), may_issue_for=frozenset({"DE"}),
)  # fmt: skip


def listed(**changes: object) -> Allowlist:
    """A list with Germany on it."""
    return Allowlist(1, {DE: replace(ENTRY, **changes)})  # type: ignore[arg-type]


TAKEN = Past(Direction.IN, DE, "", kind=PostKind.CASE)


@pytest.mark.parametrize(
    ("allowlist", "expected"),
    [
        (listed(), ""),
        (listed(policy=LocalPolicy.READ_ONLY), ""),
        (listed(policy=LocalPolicy.PAUSE), "sibling_paused"),
        (listed(policy=LocalPolicy.BLOCK), "sibling_blocked"),
        (Allowlist(), "not_a_sibling"),
        (listed(kinds_in=frozenset({PostKind.QUESTION})), "kind_not_federated"),
        (listed(kinds_out=frozenset()), ""),
    ],
)
def test_what_was_taken_is_decided_anew(allowlist: Allowlist, expected: str) -> None:
    """By the list and by the kinds of the same direction, as the door does it."""
    assert expected == replay(TAKEN, allowlist)


@pytest.mark.parametrize(("policy", "expected"), [("read-only", "sibling_read_only"), ("inherit", "")])
@pytest.mark.parametrize("direction", [Direction.OUT, Direction.SERVE])
def test_directions_differ(policy: str, expected: str, direction: Direction) -> None:
    """Read only closes what is sent and what is served."""
    assert expected == replay(Past(direction, DE, ""), listed(policy=LocalPolicy(policy)))


@pytest.mark.parametrize("code", ["not_a_sibling", "sibling_paused", "sibling_blocked", "sibling_read_only"])
def test_who_was_refused_by_the_list_may_go_on_and_no_more_is_known(code: str) -> None:
    """Nobody says that it would have been taken."""
    past = Past(Direction.IN, DE, code, Step.LISTED)

    assert OPEN == replay(past, listed())
    assert "sibling_blocked" == replay(past, listed(policy=LocalPolicy.BLOCK))


@pytest.mark.parametrize(("code", "step"), [("not_signed", Step.CLAIM), ("stale", Step.TIME)])
def test_what_failed_before_the_list_fails_as_before(code: str, step: Step) -> None:
    """A list cannot mend a signature, nor refuse what never came to it."""
    past = Past(Direction.IN, DE, code, step)

    assert [code] * 3 == [replay(past, each) for each in (listed(), Allowlist(), listed(policy=LocalPolicy.BLOCK))]


def test_what_failed_behind_the_list_fails_earlier_or_as_before() -> None:
    """A bad signature of a sibling that is paused is a sibling that is paused: the earlier step speaks."""
    past = Past(Direction.IN, DE, "bad_signature", Step.SIGNATURE)

    assert "bad_signature" == replay(past, listed())
    assert "sibling_paused" == replay(past, listed(policy=LocalPolicy.PAUSE))


def test_a_kind_that_is_opened_lets_go_on() -> None:
    """And one that stays closed does not."""
    past = Past(Direction.IN, DE, "kind_not_federated", Step.AUDIENCE, PostKind.NEWS)

    assert "kind_not_federated" == replay(past, listed())
    assert OPEN == replay(past, listed(kinds_in=frozenset({PostKind.NEWS})))


def test_a_kind_is_not_asked_of_what_failed_before_it() -> None:
    """A doctor without standing is refused for that, whatever the kinds; behind it the kind speaks first."""
    early = Past(Direction.IN, DE, "revoked", Step.STANDING, PostKind.CASE)
    late = Past(Direction.IN, DE, "not_the_owner", Step.KEPT, PostKind.CASE)
    closed = listed(kinds_in=frozenset())

    assert ("revoked", "kind_not_federated") == (replay(early, closed), replay(late, closed))
