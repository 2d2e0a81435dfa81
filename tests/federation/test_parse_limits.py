"""Every field of a document has its form and its limit, and text is clean once it has been read."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation import parse, render
from federation.errors import Malformed, Refused, TooMany
from federation.vocabulary import PUBLIC, Post
from tests.examples import examples
from tests.federation import words
from tests.federation.documents import a_document, status_of, with_object
from tests.federation.words import ANNA, DE, MARIE, NOON

_quick = settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))

# ── limits ──


def _tags(count: int, name: str = "Hashtag") -> list[dict[str, str]]:
    return [{"type": name, "href": f"{DE}/x/{n}"} for n in range(count)]


@pytest.mark.parametrize(
    "changes",
    [
        {"to": [f"{DE}/doctors/{n}" for n in range(257)]},
        {"to": [f"{DE}/doctors/{n}" for n in range(200)], "bcc": [f"{DE}/doctors/{n}" for n in range(57)]},
        {"tag": _tags(51, "Mention")},
        {"tag": _tags(65)},
        {"attachment": [{"type": "Image"}] * 17},
        {"oneOf": [{"type": "Note"}] * 21},
        {"tag": _tags(500, "Mention")},
    ],
)
def test_too_many_of_anything_is_refused(changes: dict[str, Any]) -> None:
    """A80: 500 mentions or recipients, and every other count beyond its limit, are too_many."""
    with pytest.raises(TooMany):
        parse.activity_document(with_object(**changes))


def test_just_enough_is_read() -> None:
    """The twin: at the limit everything is read."""
    people = [f"{DE}/doctors/{n}" for n in range(256)]
    document = {**with_object(to=people, tag=[*_tags(50, "Mention"), *_tags(14)]), "to": people}

    found = parse.activity_document(document).object

    assert isinstance(found, Post)
    assert (256, 50) == (len(found.to), len(found.mentions))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "\u200b"},
        {"name": "x" * 201},
        {"content": "y"},
        {"contentMap": None},
        {"contentMap": {}},
        {"contentMap": {"de": "a", "fr": "b"}, "content": None},
        {"contentMap": {"deu": "a"}, "content": "a"},
        {"contentMap": {"de": "x" * 65_537}, "content": None},
        {"contentMap": {"de": "é" * 32_769}, "content": None},
        {"contentMap": {"de": "&" * 60_000}, "content": None},
        {"specialty": None},
        {"specialty": ["a", "b", "c", "d"]},
        {"specialty": ["a", "a"]},
        {"specialty": "Not A Slug"},
        {"specialty": "a\n"},
        {"published": None},
        {"published": "yesterday"},
        {"published": "2026-11-23T12:00:00"},
        {"published": "2026-11-23"},
        {"published": "2026-W47-1T12:00:00Z"},
        {"published": "9999-12-31T23:59:59-14:00"},
        # On some reader's clock these would lie outside the calendar, and no page could show them.
        {"published": "9999-12-31T23:59:59Z"},
        {"published": "0001-01-01T00:00:00Z"},
        {"updated": "2026-13-01T00:00:00Z"},
        {"attributedTo": [str(ANNA), str(MARIE)]},
        {"attributedTo": None},
        {"id": None},
        {"doi": "x" * 201},
        {"doi": "10.1000/" + "x" * 181},
        {"doi": "https://doi.org/10.1000/1"},
        {"doi": "10.1000/a b"},
        {"source": "x" * 201},
        {"sourceLink": "javascript:alert(1)"},
        {"sourceLink": "http://journal.example/1"},
        {"sourceLink": "https://user@journal.example/1"},
        {"sourceLink": "https://journal.example/" + "x" * 512},
        {"event": "x" * 201},
        {"eventPlace": 5},
        {"eventFrom": "20260901"},
        {"eventFrom": "2026-02-30"},
        {"eventUntil": "2026-09-01"},
        {"eventFrom": "2026-09-02", "eventUntil": "2026-09-01"},
        {"citation": "Weber, A trial, 2026"},
        {"citation": {"authors": "W", "title": "T", "journal": "J"}},
        {"citation": {"authors": "W", "title": "T", "journal": "J", "year": "2026"}},
        {"citation": {"authors": "W", "title": "T", "journal": "J", "year": True}},
        {"citation": {"authors": "", "title": "T", "journal": "J", "year": 2026}},
        {"citation": {"authors": "W" * 501, "title": "T", "journal": "J", "year": 2026}},
        {"conflictOfInterest": "none"},
        {"conflictOfInterest": {}},
        {"conflictOfInterest": {"declared": "perhaps"}},
        {"conflictOfInterest": {"declared": "none", "text": "Fees"}},
        {"conflictOfInterest": {"declared": "some", "text": "\u200b"}},
        {"conflictOfInterest": {"declared": "some", "text": "x" * 501}},
        {"clinicalSummary": "Herr X"},
        {"consent": [1]},
        {"context": "thread"},
        {"to": ["anna"]},
        {"tag": {"type": "Mention"}},
        {"tag": {"type": "Mention", "href": "@anna"}},
    ],
)
def test_a_post_without_its_form_is_malformed(changes: dict[str, Any]) -> None:
    """Every field of a post has its form and its limit."""
    with pytest.raises(Malformed):
        parse.activity_document(with_object(**changes))


@pytest.mark.parametrize("path", ["document", "object"])
@pytest.mark.parametrize("key", sorted({*a_document(), *a_document()["object"]} - {"@context"}))
def test_every_field_with_every_wrong_type(path: str, key: str) -> None:
    """A74: each field with each wrong JSON type is refused or read as absent, never another exception."""
    for value in (True, 5, 0.5, "", "x", [], [[]], [5], {}, {"x": {}}, {"id": 5}, [None, "x"]):
        document = a_document()
        (document if path == "document" else document["object"])[key] = copy.deepcopy(value)
        assert status_of(parse.activity_document, document) in (200, 400, 403)


@given(
    words.activities,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(sorted(PUBLIC)),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(("id", "type", "@id", "@type", "to", "href", "@context", "x")), inner)
        ),
        max_leaves=5,
    ),
    st.data(),
)
@_quick
def test_whatever_is_put_into_a_document_is_read_or_refused(word: Any, value: Any, data: st.DataObject) -> None:
    """Mutated documents of ours raise nothing but refusals."""
    document = orjson.loads(render.activity(word))
    key = data.draw(st.sampled_from(sorted(document)))
    document[key] = value
    try:
        parse.activity_document(document)
    except Refused:
        pass


# ── text ──


def test_content_is_sanitised_at_the_door() -> None:
    """A86: foreign HTML does not get past this module, in posts, comments and profiles."""
    dirty = "<p onclick=x>a</p><script>alert(1)</script>"
    doctor = {**orjson.loads(render.doctor(words.a_doctor())), "summary": dirty, "name": "Dr <b>\u202eAnna ✓"}
    found = parse.activity_document(with_object(content=dirty, contentMap={"de": dirty}, name="a\u202eb"))

    assert ("<p>a</p>", "ab") == (found.object.content, found.object.title)  # type: ignore[union-attr]
    assert ("<p>a</p>", "Dr <b>Anna") == (parse.doctor(doctor).summary, parse.doctor(doctor).name)


def test_milliseconds_are_kept_and_no_more() -> None:
    """Times are read in any RFC 3339 spelling, into UTC, to the millisecond."""
    read = parse.activity_document(with_object(published="2026-11-23T13:00:00.123456+01:00")).object

    assert NOON.replace(microsecond=123_000) == read.published  # type: ignore[union-attr]
    assert datetime(2026, 11, 23, 12, tzinfo=UTC) == NOON


def test_a_report_says_whose_interests_it_touches() -> None:
    """A study report travels with its study, its publisher and what was declared; one that declares nothing says so."""
    citation = {"authors": "Weber A, Roux M", "title": "A made-up trial", "journal": "A journal", "year": 2026}
    whole = with_object(
        postKind="study-report", source="A journal", sourceLink="https://journal.example/1", doi="10.1000/xyz",
        citation=citation, conflictOfInterest={"declared": "some", "text": "Fees of a maker"},
    )  # fmt: skip
    silent = with_object(postKind="study-report", citation=citation, doi="10.1000/xyz")
    read, quiet = parse.activity_document(whole).object, parse.activity_document(silent).object  # type: ignore[union-attr]

    assert ("10.1000/xyz", "A made-up trial", 2026) == (read.doi, read.citation.title, read.citation.year)
    assert ("https://journal.example/1", "Fees of a maker") == (read.source_link, read.conflict.text)
    assert quiet.conflict is None
