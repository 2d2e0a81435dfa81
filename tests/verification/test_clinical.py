"""The coded summary of a case: one list, every language, and nothing of what is on no list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from verification import clinical

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(clinical.codes("history")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_FIELDS = st.sampled_from((*clinical.FIELDS, "text", "language", "other"))


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_every_code_says_something_in_every_language(language: str) -> None:
    """No name is missing, and no two codes of a field say the same."""
    for field in clinical.FIELDS:
        names = [name for _, name in clinical.chosen(field, language)]
        assert all(names)
        assert len(set(names)) == len(names)


def test_what_is_written_is_read_again() -> None:
    """A summary with everything comes back as it was."""
    said = clinical.summary(
        {"ageBand": ("30-39",), "history": ("asthma", "copd"), "findings": ("fever",)}, {"question": "Was nun?"}, "de"
    )

    assert said == clinical.read(clinical.write(said))
    assert clinical.write(clinical.NOTHING) is None


@pytest.mark.parametrize(
    "document",
    [
        None, [], "30-39", 7, {}, {"ageBand": "34"}, {"ageBand": {"30-39": 1}}, {"history": [["asthma"]]},
        {"text": {"history": "kurz"}}, {"text": {"history": "kurz"}, "language": "de-DE"},
        {"text": {"history": "x" * (clinical.MAX_TEXT + 1)}, "language": "de"},
        {"text": {"elsewhere": "kurz"}, "language": "de"}, {"text": {"history": "\u202e \u200b"}, "language": "de"},
    ],
)  # fmt: skip
def test_what_has_another_form_is_nothing(document: Any) -> None:
    """Unknown codes, other types, texts without a language or beyond their length are as if nobody had said them."""
    assert not clinical.read(document)


def test_what_is_known_beside_what_is_not_is_kept() -> None:
    """The twin: a newer list elsewhere loses only what this one does not know."""
    found = clinical.read({"sex": ["female", "male"], "history": ["asthma", "from-next-year", "asthma"]})

    assert {"sex": ("female",), "history": ("asthma",)} == dict(found.codes)


@given(st.dictionaries(_FIELDS, _JSON, max_size=6))
@settings(max_examples=examples(200), deadline=None)
def test_whatever_comes_is_read_and_holds_the_limits(document: Any) -> None:
    """Never an exception, never more than the limits, and reading what was read changes nothing."""
    found = clinical.read(document)

    assert all(len(codes) <= clinical.MAX_CODES for codes in found.codes.values())
    assert all(len(text) <= clinical.MAX_TEXT and "\n" not in text for text in found.texts.values())
    assert found == clinical.read(clinical.write(found))
