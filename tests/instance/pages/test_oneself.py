"""What is asked of oneself when joining: birth date, languages, address; and correcting it while nobody looks."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from instance.services.staff import Invite
from tests.instance.dossiers.applying import RENE, RITA, Applicant
from tests.instance.pages.newcomer import FORM, open_door
from tests.town import PASSWORD, rows
from verification.grounds import Ground

SEEN = r'name="seen" value="(\d+)"'
BORN = ("birth_day", "birth_month", "birth_year")
SAID = {
    "name": "Dr Éliane Vauquelin", "country": "FR", "role": "specialist", "specialty": "cardiology", "spoken": "fr",
}  # fmt: skip


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


async def page_of(answer) -> str:
    """The text of an answer."""
    return str(await answer.get_data(as_text=True))


async def made_of(door) -> Applicant:
    """The only dossier."""
    found = (await rows(door.node, "select id, account from dossiers"))[0]
    return Applicant(door.node, found["account"], found["id"])


async def corrects(somebody, **changes):
    """Send the form of the correction, from the version it shows."""
    page = await somebody.text("/application/edit")
    seen = re.findall(r'name="seen" value="(\d+)"', page)
    return await somebody.post("/application/edit", **{"seen": seen[-1] if seen else "0"} | SAID | changes)


# ── joining ──


async def test_what_is_said_when_joining_stands_in_the_application(door):
    """Languages and the wished address too; of the birth date a hash, and nowhere the date."""
    somebody = door.newcomer()
    await somebody.post("/join", **FORM, spoken=["fr", "de"], handle="@eliane")
    waiting = (await rows(door.node, "select said from sign_ups"))[0]["said"]
    await somebody.post("/join/confirm", code=await door.code())
    kept = (await rows(door.node, "select * from dossiers"))[0]
    page = await somebody.text("/application")

    assert (["fr", "de"], "eliane") == (json.loads(kept["languages"]), kept["handle"])
    assert 32 == len(bytes(kept["identity"]))
    assert "1980" not in waiting + str(dict(kept))
    assert "@eliane@fr.localhost" in page.replace("<bdi>", "")


async def test_the_same_name_and_birth_date_is_a_hit(door):
    """Under another address and another account; another day is none."""
    await door.joins()
    await door.joins(email="again@mail.example", name="Dr. Eliane VAUQUELIN")
    await door.joins(email="namesake@mail.example", birth_day="4")
    found = [
        len(await door.node.dossiers.hits(row["id"]))
        for row in await rows(door.node, "select id from dossiers order by created_at, id")
    ]

    assert [1, 1, 0] == found


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (dict.fromkeys(BORN, ""), "birth_date_missing"), ({"birth_day": ""}, "birth_date_missing"),
        ({"birth_month": "13"}, "bad_birth_date"), ({"birth_day": "31"}, "bad_birth_date"),
        ({"birth_day": "three"}, "bad_birth_date"), ({"birth_day": "²"}, "bad_birth_date"),
        ({"birth_year": "80"}, "bad_birth_date"), ({"birth_year": "1900"}, "bad_birth_date"),
        ({"birth_year": "2008", "birth_month": "11", "birth_day": "24"}, "bad_birth_date"),
        ({"birth_year": "2030"}, "bad_birth_date"), ({"birth_year": "-1980"}, "bad_birth_date"),
    ],
)  # fmt: skip
async def test_a_birth_date_that_cannot_be_is_none(door, changes, code):
    """Missing, no day, nobody of that age: said at the field, what was typed is still there; nothing is kept."""
    answer = await door.newcomer().post("/join", **FORM | changes)
    page = await page_of(answer)

    assert 422 == answer.status_code
    assert 'href="#birth_date">' in page
    assert f"({code})" in page
    assert 'value="Dr Éliane Vauquelin"' in page
    assert [] == await rows(door.node, "select * from sign_ups")


@pytest.mark.parametrize("born", [("23", "11", "2008"), ("24", "11", "1915"), ("29", "02", "1980")])
async def test_the_bounds_of_a_birth_date_are_inside(door, born):
    """Eighteen today, not yet a hundred and eleven, and a day that is there every fourth year."""
    answer = await door.newcomer().post("/join", **FORM | dict(zip(BORN, born, strict=True)))

    assert datetime(2026, 11, 23, tzinfo=UTC).date() == door.node.clock().date()
    assert 303 == answer.status_code


@pytest.mark.parametrize("wish", ["Dr.House", "é.v", "a", "eliane_v", "eliane..v", "x" * 27, "dr.vauquelin", "a b"])
async def test_an_address_that_would_be_another_is_said_to_be(door, wish):
    """What is typed is what one gets, or it is refused; nothing is changed in silence."""
    answer = await door.newcomer().post("/join", **FORM, handle=wish)

    assert (422, True) == (answer.status_code, "(bad_wish)" in await page_of(answer))
    assert [] == await rows(door.node, "select * from sign_ups")


@pytest.mark.parametrize(
    ("wish", "name", "handle"),
    [
        ("", "Dr Éliane Vauquelin", "eliane.vauquelin"), ("eliane", "Dr Éliane Vauquelin", "eliane"),
        ("admin", "Dr Éliane Vauquelin", "eliane.vauquelin"), ("support", "Dr Admin", "doctor"),
    ],
)  # fmt: skip
async def test_the_page_shows_the_address_there_will_be(door, wish, name, handle):
    """From the wish, else from the name; nobody gets one that sounds like somebody who works here."""
    somebody = await door.joins(handle=wish, name=name, role="generalist")
    page = await somebody.text("/application")
    await somebody.shows()
    await somebody.hands_in()
    made = await made_of(door)
    await made.is_approved()

    assert f"@{handle}@" in page
    assert (await made.file()).doctor.endswith(f"/doctors/{handle}")


async def test_a_language_nobody_speaks_is_refused(door):
    """A code that is none, and more than ten."""
    codes = ["fr", "de", "en", "it", "es", "nl", "ar", "bg", "cs", "da", "el"]
    pages = [
        await page_of(await door.newcomer().post("/join", **FORM, spoken=spoken)) for spoken in (["klingon"], codes)
    ]

    assert ["(bad_language)" in pages[0], "(too_many_languages)" in pages[1]] == [True, True]


# ── correcting ──


async def test_a_draft_is_corrected(door):
    """Name, role, specialties, languages, address: as said now; the page says so once."""
    somebody = await door.joins()
    answer = await corrects(
        somebody, name="Dr Éliane Marchal", role="resident", specialty="neurology", spoken=["de"], handle="marchal",
        birth_day="3", birth_month="2", birth_year="1980",
    )  # fmt: skip
    page = await somebody.text("/application")
    file = await (await made_of(door)).file()

    assert 303 == answer.status_code
    assert "What you said is corrected." in page
    assert ("Dr Éliane Marchal", "resident", ("neurology",), ("de",), "marchal") == (
        file.said.name, file.dossier.role, file.said.specialties, file.said.languages, file.said.handle,
    )  # fmt: skip


async def test_the_birth_date_stays_unless_it_is_given_again(door):
    """We cannot show it: left empty it stays; given, it is another; with a new name it has to be given."""
    somebody = await door.joins()
    first = (await rows(door.node, "select identity from dossiers"))[0]["identity"]
    await corrects(somebody, specialty="neurology")
    second = (await rows(door.node, "select identity from dossiers"))[0]["identity"]
    await corrects(somebody, birth_day="4", birth_month="2", birth_year="1980")
    third = (await rows(door.node, "select identity from dossiers"))[0]["identity"]
    renamed = await corrects(somebody, name="Dr Éliane Marchal")

    assert first == second != third
    assert 422 == renamed.status_code
    assert "(birth_date_missing)" in await page_of(renamed)
    assert "Dr Éliane Vauquelin" == (await (await made_of(door)).file()).said.name


async def test_asked_for_more_before_any_vote_everything_can_be_corrected(door):
    """Nobody has spoken on the name yet."""
    somebody = await door.joins(role="generalist")
    await somebody.shows()
    await somebody.hands_in()
    made = await made_of(door)
    await made.does("take", by=RITA)
    looked = await somebody.get("/application/edit")
    await made.does("ask", Ground.NAME_DIFFERS, by=RITA)
    answer = await corrects(
        somebody, name="Dr Éliane Marchal", role="generalist", birth_day="3", birth_month="2", birth_year="1980"
    )

    assert 409 == looked.status_code
    assert 303 == answer.status_code
    assert "Dr Éliane Marchal" == (await made.file()).said.name


async def test_after_a_vote_everything_can_be_corrected_too(door):
    """The page is the one there would be without a vote; the answer begins a new round, in which that vote is none."""
    somebody = await door.joins(role="generalist")
    await somebody.shows()
    await somebody.hands_in()
    made = await made_of(door)
    await made.does("take", by=RITA)
    await made.is_voted(RITA)
    await made.does("ask", Ground.NAME_DIFFERS, by=RENE)
    page = await somebody.text("/application/edit")
    answer = await corrects(
        somebody, name="Dr Éliane Marchal", role="resident", birth_day="3", birth_month="2", birth_year="1980"
    )
    handed = await somebody.hands_in()
    file = await made.file()

    assert ['name="name"' in page, 'name="birth_day"' in page, 'name="role"' in page] == [True] * 3
    assert [303, 303] == [answer.status_code, handed.status_code]
    assert ("Dr Éliane Marchal", "resident") == (file.said.name, file.dossier.role)
    assert () == file.dossier.votes_now()


async def test_no_form_tells_of_a_first_vote(door):
    """What the forms carry is the same before and after it; what is said in another tab is noticed."""
    somebody = await door.joins(role="generalist")
    await somebody.shows()
    await somebody.hands_in()
    made = await made_of(door)
    await made.does("take", by=RITA)
    carried = [await somebody.text(path) for path in ("/application", "/application/withdraw")]
    await made.is_voted(RITA)
    after = [await somebody.text(path) for path in ("/application", "/application/withdraw")]
    await made.does("ask", Ground.UNREADABLE, by=RENE)
    seen = re.findall(SEEN, await somebody.text("/application/edit"))[-1]
    await corrects(somebody, role="generalist", handle="elsewhere")
    stale = await somebody.post("/application/edit", seen=seen, **SAID)

    assert [re.findall(SEEN, page) for page in carried] == [re.findall(SEEN, page) for page in after]
    assert str((await made.file()).version) != seen
    assert 409 == stale.status_code


# ── where one works ──


async def test_places_of_work_are_said_in_a_draft(door):
    """Those of reviewers and leads are offered, and kept with what is known; joining asks for none of them."""
    await works(door, "rita", "reviewer", "chu-lyon")
    await works(door, "ada", "administrator", "chu-nantes")
    joining = await door.newcomer().text("/join")
    somebody = await door.joins(site=["chu-lyon"])
    first, form = await somebody.text("/application"), await somebody.text("/application/edit")
    begun = (await (await made_of(door)).file()).dossier.sites
    await corrects(somebody, site=["chu-lyon", "chu-nantes", "chu-brest"])
    page, kept = await somebody.text("/application"), (await (await made_of(door)).file()).dossier.sites
    await corrects(somebody)
    none = (await (await made_of(door)).file()).dossier.sites

    assert "chu-lyon" not in joining
    assert "You have named no place of work" in first
    assert ('value="chu-lyon"' in form, "chu-nantes" in form) == (True, False)
    assert (frozenset(), {"chu-lyon"}, frozenset()) == (begun, kept, none)
    assert "Nobody from these places of work looks at your application: <bdi>chu-lyon</bdi>" in page
    assert 'href="/application/edit#sites"' in page


async def test_who_works_where_nobody_judges_is_not_asked(door):
    """Without a place there is nothing to tick, and nothing is said of it."""
    somebody = await door.joins()

    assert "place of work" not in await somebody.text("/application")
    assert 'name="site"' not in await somebody.text("/application/edit")


async def works(door, login: str, role: str, site: str) -> None:
    """Somebody who works here, and at this place beside."""
    new = Invite(email=f"{login}@chamber.example", roles=(role,), countries=("FR",), sites=(site,))
    link = (await door.node.staff.invite(new, by="test")).link
    await door.node.staff.accept(link.rpartition("/")[2], login, PASSWORD)


async def test_the_country_changes_while_nothing_was_added(tmp_path):
    """What was added was read by one country's rules; before that another may be chosen."""
    door = await open_door(tmp_path, may_issue_for=["BE", "DE"])
    try:
        somebody = await door.joins()
        moved = await corrects(somebody, country="DE")
        first = (await (await made_of(door)).file()).dossier.country
        await somebody.post("/application/add/diploma", proof="licence")
        page = await somebody.text("/application/edit")
        back = await corrects(somebody, country="FR")
        last = (await (await made_of(door)).file()).dossier.country
    finally:
        await door.network.close()

    assert (303, "DE") == (moved.status_code, first)
    assert ('value="FR"' in page, 'value="DE"' in page) == (False, True)
    assert (409, "DE") == (back.status_code, last)


async def test_a_correction_made_on_an_old_page_corrects_nothing(door):
    """In another tab it was corrected, or handed in."""
    somebody = await door.joins()
    seen = re.findall(r'name="seen" value="(\d+)"', await somebody.text("/application/edit"))[-1]
    await corrects(somebody, specialty="neurology")
    stale = await somebody.post("/application/edit", seen=seen, **SAID)
    await somebody.shows()
    await somebody.hands_in()
    late = await corrects(somebody)

    assert (409, 409) == (stale.status_code, late.status_code)
    assert ["(application_changed)" in await page_of(each) for each in (stale, late)] == [True, True]
    assert ("neurology",) == (await (await made_of(door)).file()).said.specialties
