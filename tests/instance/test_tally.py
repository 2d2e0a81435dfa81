"""What a poll's votes come to: by option, by specialty, and never so that one vote can be told from the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instance.services import tally
from instance.services.tally import FEWEST, OTHERS
from tests.examples import examples

_votes = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(("cardiology", "neurology", "geriatrics", "")), st.integers(1, 5)),
    max_size=12,
)


def test_a_specialty_with_few_votes_stands_under_the_others() -> None:
    """Two neurologists and one surgeon are three others; five cardiologists stand for themselves."""
    found = tally.count([(0, "cardiology", 4), (1, "cardiology", 1), (1, "neurology", 2), (0, "surgery", 1)], 2)

    assert (5, 3) == found.totals
    assert {"cardiology": (4, 1), OTHERS: (1, 2)} == dict(found.by_specialty)


def test_one_left_over_is_not_shown_by_subtraction() -> None:
    """A single neurologist beside two specialties takes the smaller of them along."""
    found = tally.count([(0, "cardiology", 5), (1, "geriatrics", 3), (1, "neurology", 1)], 2)

    assert {"cardiology": (5, 0), OTHERS: (0, 4)} == dict(found.by_specialty)


@given(_votes)
@settings(max_examples=examples(200), deadline=None)
def test_numbers_add_up_and_none_is_too_small(votes) -> None:
    """Whatever was voted: parts add up to the totals, and no part is one or two unless it is everybody."""
    found = tally.count(votes, 4)
    parts = list(found.by_specialty.values())

    assert found.number == sum(number for _, _, number in votes)
    assert list(found.totals) == [sum(part[place] for part in parts) for place in range(4)]
    assert all(sum(part) >= FEWEST for part in parts) or len(parts) == 1
    assert found.by_specialty == tally.folded(found.by_specialty)


@pytest.mark.parametrize(
    "document",
    [None, [], {"cardiology": 3}, {"cardiology": [1]}, {"cardiology": [1, -1]}, {"cardiology": [1, True]},
     {"cardiology": [1, 2**40]}],
)  # fmt: skip
def test_numbers_of_another_form_are_none(document: object) -> None:
    """A sibling's numbers are read whole or not at all."""
    assert {} == tally.read(document, 2)


def test_a_siblings_numbers_are_folded_like_ours() -> None:
    """The twin: what it says is shown, small numbers and unknown specialties under the others."""
    assert {"cardiology": (3, 1), OTHERS: (1, 2)} == tally.read(
        {"cardiology": [3, 1], "astrology": [0, 2], "neurology": [1, 0]}, 2
    )
