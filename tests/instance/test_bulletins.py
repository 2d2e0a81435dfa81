"""News and reports: what each kind has to say of itself, and that whose interests it touches is never left out."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from federation.vocabulary import BULLETINS, Citation, Conflict, PostKind
from instance.services import bulletins
from instance.services.errors import Rejected
from instance.services.publishing import CODES, PostDraft
from tests.bulletins import a_bulletin
from tests.town import Person, rows

KINDS = sorted(BULLETINS)


async def code_of(attempt: Any) -> tuple[str, str | None]:
    """Code and field an act is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    assert refused.value.code in CODES
    return refused.value.code, refused.value.field


@pytest.fixture
async def marie(network) -> Person:
    """A doctor in France, alone."""
    town = await network("fr")
    await town["fr"].doctor("marie")
    return Person(town["fr"], "marie", f"{town['fr'].node.origin}/doctors/marie")


def national(kind: str, bulletin: Any, **changes: Any) -> dict[str, Any]:
    """What Marie posts."""
    return {"kind": kind, "audience": "national", "bulletin": bulletin, **changes}


async def kept(person: Person) -> dict[str, Any]:
    """The facts of the only post there is."""
    (row,) = await rows(person.place.node, "select facts from posts")
    return orjson.loads(row["facts"])


@pytest.mark.parametrize("kind", KINDS)
async def test_no_bulletin_without_a_line_on_conflicts(marie, kind):
    """Nothing chosen, a text that is missing, and a text beside "none" are refused, each with its code."""
    for changed, code in (
        ({"conflict": ""}, ("conflict_missing", "conflict")),
        ({"conflict": "yes"}, ("conflict_missing", "conflict")),
        ({"conflict": "some", "conflict_text": " \u200b"}, ("conflict_text_missing", "conflict_text")),
        ({"conflict": "none", "conflict_text": "Fees"}, ("conflict_twice", "conflict")),
        ({"conflict": "some", "conflict_text": "x" * 501}, ("field_too_long", "conflict_text")),
    ):
        assert code == await code_of(marie.posts("A report", **national(kind, a_bulletin(kind, **changed))))

    assert [] == await rows(marie.place.node, "select slug from posts")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_bulletin_keeps_what_was_declared(marie, kind):
    """None as a choice, or a text: either stands in the row, and can be asked for."""
    await marie.posts("One", **national(kind, a_bulletin(kind)))
    await marie.posts("Two", **national(kind, a_bulletin(kind, conflict="some", conflict_text="Fees of a maker")))
    found = await rows(marie.place.node, "select title, facts, interests from posts order by title")

    assert ["none", "some"] == [row["interests"] for row in found]
    assert [{"declared": "none"}, {"declared": "some", "text": "Fees of a maker"}] == [
        orjson.loads(row["facts"])["conflictOfInterest"] for row in found
    ]


async def test_a_case_has_none_of_it(marie):
    """Of a kind that is no bulletin nothing of the form is looked at."""
    await marie.posts("A case", bulletin=a_bulletin("study-report", doi="nonsense", conflict=""))

    assert {} == await kept(marie)


@pytest.mark.parametrize(
    ("kind", "changed", "code", "field"),
    [
        ("news", {"source": " "}, "source_missing", "source"),
        ("news", {"source": "x" * 201}, "field_too_long", "source"),
        ("news", {"source_link": "http://agency.example/1"}, "bad_link", "source_link"),
        ("news", {"source_link": "javascript:alert(1)"}, "bad_link", "source_link"),
        ("news", {"source_link": "agency.example"}, "bad_link", "source_link"),
        ("study-report", {"doi": "11.1000/x"}, "bad_doi", "doi"),
        ("study-report", {"doi": "10.1/x"}, "bad_doi", "doi"),
        ("study-report", {"doi": "10.1000/"}, "bad_doi", "doi"),
        ("study-report", {"doi": "10.1000/a b"}, "bad_doi", "doi"),
        ("study-report", {"doi": "https://doi.example/10.1000/x"}, "bad_doi", "doi"),
        ("study-report", {"doi": ""}, "study_unnamed", "doi"),
        ("study-report", {"authors": ""}, "citation_missing", "authors"),
        ("study-report", {"study": ""}, "citation_missing", "study"),
        ("study-report", {"journal": ""}, "citation_missing", "journal"),
        ("study-report", {"year": ""}, "bad_year", "year"),
        ("study-report", {"year": "26"}, "bad_year", "year"),
        ("study-report", {"year": "٢٠٢٦"}, "bad_year", "year"),
        ("study-report", {"year": "1799"}, "bad_year", "year"),
        ("study-report", {"year": "9999"}, "bad_year", "year"),
        ("congress-report", {"event": ""}, "event_missing", "event"),
        ("congress-report", {"event_place": ""}, "place_missing", "event_place"),
        ("congress-report", {"event_from": ""}, "dates_missing", "event_from"),
        ("congress-report", {"event_from": "1.9.2026"}, "bad_dates", "event_from"),
        ("congress-report", {"event_from": "20260901"}, "bad_dates", "event_from"),
        ("congress-report", {"event_until": "2026-08-31"}, "bad_dates", "event_until"),
        ("congress-report", {"event_until": "2026-12-31"}, "bad_dates", "event_until"),
    ],
)
async def test_what_a_bulletin_lacks_is_named(marie, kind, changed, code, field):
    """Code and field of the first thing to mend; nothing is kept."""
    assert (code, field) == await code_of(marie.posts("A report", **national(kind, a_bulletin(kind, **changed))))
    assert [] == await rows(marie.place.node, "select slug from posts")


@pytest.mark.parametrize(
    "typed",
    ["10.1000/Made(up)<1>", "https://doi.org/10.1000/Made(up)<1>", "HTTP://DX.DOI.ORG/10.1000/Made(up)<1>",
     "doi: 10.1000/Made(up)<1>", "  doi:10.1000/Made(up)<1> "],
)  # fmt: skip
def test_a_doi_is_one_however_it_is_written(typed):
    """With the address before it, in any of its spellings, or without."""
    assert "10.1000/Made(up)<1>" == bulletins.doi_of(typed)


def test_what_is_kept_is_what_was_said():
    """Rows say the same as the form, and fill it again."""
    study = bulletins.check(PostKind.STUDY_REPORT, a_bulletin("study-report"))
    congress = bulletins.check(PostKind.CONGRESS_REPORT, a_bulletin("congress-report", event_until="2026-09-01"))
    again = bulletins.words(bulletins.columns(study)["facts"])

    assert (
        Citation(authors="Weber A, Roux M", title="A made-up trial", journal="A made-up journal", year=2026)
        == (again["citation"])
    )
    assert ("10.1000/made.up", Conflict()) == (again["doi"], again["conflict"])
    assert (date(2026, 9, 1), None) == (congress.event_from, congress.event_until)
    assert "2026-09-01" == bulletins.columns(congress)["event_from"]
    assert a_bulletin("study-report", doi="10.1000/made.up") == bulletins.typed(bulletins.columns(study)["facts"])


async def test_an_edit_keeps_the_version_before(marie):
    """What an earlier version declared stays in the history, beside what the present one says."""
    slug = await marie.posts("A report", **national("news", a_bulletin("news")))
    values = {
        "kind": "news", "title": "A report", "text": "Made up.", "specialties": ("cardiology",), "language": "en",
        "audience": "national",
    }  # fmt: skip
    more = a_bulletin("news", conflict="some", conflict_text="Fees of a maker")
    publishing = marie.place.node.publishing
    await publishing.edit(marie.uri, slug, PostDraft(**values, bulletin=more))
    await publishing.edit(marie.uri, slug, PostDraft(**values, bulletin=more))  # changes nothing, and keeps nothing
    before = await rows(marie.place.node, "select kind, facts from revisions")

    assert ["news"] == [row["kind"] for row in before]
    assert {"declared": "none"} == orjson.loads(before[0]["facts"])["conflictOfInterest"]
    assert {"declared": "some", "text": "Fees of a maker"} == (await kept(marie))["conflictOfInterest"]
    assert ("conflict_missing", "conflict") == await code_of(
        publishing.edit(marie.uri, slug, PostDraft(**values, bulletin=a_bulletin("news", conflict="")))
    )


@pytest.mark.parametrize("year", ["1800", "2026", "9998"])
def test_whatever_is_published_is_read_again(year: str) -> None:
    """No form that is taken is one that rows cannot be read back from: the line on conflicts would be lost with it."""
    typed = a_bulletin("study-report", year=year, conflict="some", conflict_text="Fees")
    checked = bulletins.check(PostKind.STUDY_REPORT, typed)

    assert Conflict(text="Fees") == bulletins.words(bulletins.columns(checked)["facts"])["conflict"]
