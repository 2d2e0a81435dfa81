"""Pairing at the pages: administrators invite, look, compare, confirm and decline; nobody else reaches it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from federation.pairing import State
from instance.app import make_app
from instance.cli.siblings import REASONS as AT_THE_COMMAND_LINE
from instance.i18n import catalogue
from instance.services import key_alarm
from instance.services.pairing_rows import REASONS
from tests.instance.pages.desk_acts import text_of
from tests.instance.pages.desk_house import ROLES, Desk, open_desk
from tests.instance.pages.house import OWN_PAGE, House, Visitor
from tests.instance.pages.rows import FR
from tests.network.pairing_scene import CLI, Stranger, fingerprint
from tests.tools.docs_parts import page_routes

DE = "http://de.localhost:8001"
PATH = "/administration/pairing"
PAGES = [(rule, method) for rule, methods, _ in page_routes() if rule.startswith(PATH) for method in methods]


@dataclass
class Two:
    """France, and Germany which lists nobody either."""

    fr: Desk
    de: Desk

    async def settle(self) -> None:
        """Tell what is to be told."""
        await self.fr.network.settle()

    @property
    def one(self) -> str:
        """The page of the only pairing in France."""
        return f"{PATH}/{self.id}"

    id: str = ""

    async def begins(self) -> str:
        """Germany asks France; return the page of the request."""
        await self.de.node.pairings.invite(self.fr.node.origin, CLI)
        await self.settle()
        (request,) = await self.fr.node.pairings.open()
        self.id = request.id
        return self.one


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    """Both at noon."""
    fr = await open_desk(tmp_path)
    place = await fr.network.add(tmp_path, "de", origin=DE, contact="+49 30 1234567")
    de = Desk(fr.network, place, House(place.node, make_app(place.node), fr.network.clock.now))
    yield Two(fr, de)
    await fr.network.close()


def mistakes(page: str) -> list[str]:
    """The codes on a page that refuses."""
    return re.findall(r"<code>\(([a-z_]+)\)</code>", page)


async def administrator(desk: Desk, login: str = "ada", **more: str) -> Visitor:
    """Somebody who runs the instance."""
    return await desk.staff(login, "administrator", **more)


async def test_administrators_reach_it_and_nobody_else(two: Two) -> None:
    """Every route with every role; a doctor is refused, a stranger is led to the sign-in."""
    page, wrong = await two.begins(), []
    for role in ROLES:
        somebody = await two.fr.staff(role, role)
        for rule, method in PAGES:
            path = rule.replace("<id>", two.id)
            answer = await (somebody.get(path) if method == "GET" else somebody.post(path))
            if (answer.status_code != 403) != (role == "administrator"):
                wrong.append((role, method, rule, answer.status_code))
    stranger = await two.fr.house.visitor().client.get(page, headers=OWN_PAGE)

    assert 6 == len(PAGES)
    assert [] == wrong
    assert 303 == stranger.status_code


async def test_a_request_says_who_it_says_it_is(two: Two) -> None:
    """Before anybody looks: no fingerprint, no form to confirm; then name, country, contact, software, both fingerprints."""
    page = await two.begins()
    ada = await administrator(two.fr)
    listed, before = await ada.text(PATH), await ada.text(page)
    early = await ada.post(f"{page}/confirm", fingerprint=await fingerprint(two.de.place), countries="DE")
    led = await ada.post(f"{page}/read")
    after = await ada.text(page)
    theirs, own = await fingerprint(two.de.place), await fingerprint(two.fr.place)

    assert "One invitation or request waits." in await ada.text("/administration")
    assert ("Says it is:" in listed, DE in listed) == (True, True)
    assert "Anybody can send such a request" in before
    assert ('name="fingerprint"' in before, theirs[7:11] + "</span>" in before) == (False, False)
    assert (409, ["pairing_not_read"]) == (early.status_code, mistakes(await text_of(early)))
    assert 303 == led.status_code
    for word in ("Instance de", "Germany", "+49 30 1234567", "esanum-federation", "The keys at its address are those"):
        assert word in after, word
    for print in (theirs, own):
        for at in range(7, 71, 4):
            assert f"<span>{print[at : at + 4]}</span>" in after
    assert 2 == after.count("<svg") - (await ada.text("/administration/messages")).count("<svg")


async def test_a_forged_request_is_said_to_be_one(two: Two) -> None:
    """Somebody else had sent it: the page says so, and there is nothing to confirm."""
    await Stranger(DE).says(two.fr.place)
    (request,) = await two.fr.node.pairings.open()
    ada = await administrator(two.fr)
    answer = await ada.post(f"{PATH}/{request.id}/read")
    page = await text_of(answer)

    assert (409, ["pairing_other_keys"]) == (answer.status_code, mistakes(page))
    assert "somebody else had sent it" in await ada.text(f"{PATH}/{request.id}")
    assert 'name="fingerprint"' not in page


async def test_what_a_stranger_says_is_text(two: Two) -> None:
    """Markup in a name stays what it is: letters."""
    await Stranger(name="<b>Instance</b> <script>x</script>").says(two.fr.place)
    page = await (await administrator(two.fr)).text(PATH)

    assert "<script>x" not in page
    assert "<b>Instance" not in page


async def test_inviting_from_the_page(two: Two) -> None:
    """By the host alone; the other side has a request with the same fingerprint, and administrators a mail."""
    ada = await administrator(two.fr)
    led = await ada.post(f"{PATH}/invite", origin=" de.localhost:8001 ")
    await two.settle()
    (request,) = await two.de.node.pairings.open()
    page = await ada.text(led.headers["Location"])
    again = await ada.post(f"{PATH}/invite", origin=DE + "/")

    assert 303 == led.status_code
    assert "The invitation is on its way" in page
    assert await fingerprint(two.fr.place) == request.fingerprint
    assert (409, ["pairing_waits"]) == (again.status_code, mistakes(await text_of(again)))


@pytest.mark.parametrize(
    ("typed", "code"),
    [("nowhere.example", "not_reached"), ("fr.localhost:8001", "own_origin"), ("", "bad_origin"), ("not a host", "bad_origin"),
     ("http://de.example", "bad_origin")],
)  # fmt: skip
async def test_whom_nobody_can_invite(two: Two, typed: str, code: str) -> None:
    """Each with its code at the field, and what was typed is still there."""
    ada = await administrator(two.fr)
    answer = await ada.post(f"{PATH}/invite", origin=typed)
    page = await text_of(answer)

    assert [code] == mistakes(page)
    assert 'aria-invalid="true"' in page
    assert f'value="{typed}"' in page
    assert [] == await two.fr.node.pairings.open()


async def test_one_confirms_where_there_is_one(two: Two) -> None:
    """With spaces and capitals; the other side has confirmed, so it is a sibling at once."""
    page = await two.begins()
    ada = await administrator(two.fr)
    await ada.post(f"{page}/read")
    (theirs,) = await two.de.node.pairings.open()
    await two.de.node.pairings.confirm(theirs.id, await fingerprint(two.fr.place), ("FR",), CLI)
    await two.settle()
    digits = (await fingerprint(two.de.place))[7:].upper()
    typed = " ".join(digits[at : at + 4] for at in range(0, 64, 4))
    led = await ada.post(f"{page}/confirm", fingerprint=typed, countries="de, at")
    await two.settle()

    assert 303 == led.status_code
    assert "the two instances exchange from now on" in await ada.text(page)
    assert frozenset({"AT", "DE"}) == two.fr.node.allowlist().siblings[DE].may_issue_for
    assert FR in two.de.node.allowlist().siblings
    assert "Confirmed by both" in await ada.text(PATH)


async def test_two_confirm_where_there_are_two(two: Two) -> None:
    """The first proposes and cannot be the second; whom she has appointed cannot either; another one can."""
    page = await two.begins()
    ada = await administrator(two.fr)
    ben = await administrator(two.fr, "ben")
    eve = await administrator(two.fr, "eve", inviter="ada")
    typed = {"fingerprint": await fingerprint(two.de.place), "countries": "DE"}
    await ada.post(f"{page}/read")
    first = await ada.post(f"{page}/confirm", **typed)
    said = await ada.text(page)
    again, near = await ada.post(f"{page}/confirm", **typed), await eve.post(f"{page}/confirm", **typed)
    between = (await two.fr.node.pairings.get(two.id)).state
    to_ben = await ben.text(page)
    second = await ben.post(f"{page}/confirm", **typed)

    assert (303, 303) == (first.status_code, second.status_code)
    assert "Another administrator of this instance has to compare" in said
    assert 'name="fingerprint"' not in said
    assert [(403, ["same_person"]), (403, ["same_inviter"])] == [
        (answer.status_code, mistakes(await text_of(answer))) for answer in (again, near)
    ]
    assert State.REQUESTED == between
    assert "Compared and proposed by <bdi>ada</bdi>" in to_ben
    assert State.CONFIRMED_HERE == (await two.fr.node.pairings.get(two.id)).state


async def test_every_act_wants_a_fresh_factor(two: Two) -> None:
    """Six minutes after the last one each form asks for a code, and nothing has happened."""
    page = await two.begins()
    ada = await administrator(two.fr)
    two.fr.move(minutes=6)
    answers = [
        await ada.post(f"{PATH}/invite", origin="de.localhost:8001"), await ada.post(f"{page}/read"),
        await ada.post(f"{page}/confirm", fingerprint="x", countries="DE"),
        await ada.post(f"{page}/decline", reason="unknown"),
    ]  # fmt: skip
    request = await two.fr.node.pairings.get(two.id)

    assert ["factor_code" in await text_of(answer) for answer in answers] == [True] * 4
    assert (State.REQUESTED, None, 0) == (request.state, request.read_at, request.wrong)
    assert 303 == (await ada.post(f"{page}/read", factor_code=two.fr.code("ada"))).status_code


async def test_a_wrong_fingerprint_is_counted(two: Two) -> None:
    """Nothing is stored but how often; the fifth ends it, and the page says why."""
    page = await two.begins()
    ada = await administrator(two.fr)
    await ada.post(f"{page}/read")
    codes = []
    for _ in range(5):
        answer = await ada.post(f"{page}/confirm", fingerprint="ab " * 32, countries="DE")
        codes.append((answer.status_code, *mistakes(shown := await text_of(answer))))
        if len(codes) == 4:
            assert "One more try, then it is over." in shown
    late = await ada.post(f"{page}/confirm", fingerprint=await fingerprint(two.de.place), countries="DE")

    assert [(409, "fingerprint_differs")] * 4 + [(409, "pairing_ended")] == codes
    assert [*["pairing_over"]] == mistakes(await text_of(late))
    assert "five times" in await ada.text(page)
    assert 0 == len(two.fr.node.allowlist())


async def test_declining_wants_a_reason(two: Two) -> None:
    """One of the list; then it is over on both sides, and the other does not learn why."""
    page = await two.begins()
    ada = await administrator(two.fr)
    without = await ada.post(f"{page}/decline", reason="because")
    led = await ada.post(f"{page}/decline", reason="unknown")
    await two.settle()
    (theirs,) = await two.de.node.pairings.over()

    assert (422, ["pairing_reason_missing"]) == (without.status_code, mistakes(await text_of(without)))
    assert 303 == led.status_code
    assert "Declined – not known to us" in await ada.text(page)
    assert (State.DECLINED, "over_there") == (theirs.state, theirs.reason)
    assert AT_THE_COMMAND_LINE == REASONS


async def test_what_is_not_there(two: Two) -> None:
    """Another id is not found, whatever is done with it."""
    await two.begins()
    ada = await administrator(two.fr)
    path = f"{PATH}/{'0' * 26}"
    answers = [
        await ada.get(path),
        *[await ada.post(f"{path}/{act}", countries="DE", reason="later") for act in ("read", "confirm", "decline")],
    ]

    assert [404] * 4 == [answer.status_code for answer in answers]


async def test_a_pairing_that_ran_out_can_only_be_read(two: Two) -> None:
    """The page of yesterday is refused, and says that it is over."""
    page = await two.begins()
    ada = await administrator(two.fr)
    await ada.post(f"{page}/read")
    two.fr.move(days=7, minutes=1)
    ada = await two.fr.staff("ben", "administrator")
    answer = await ada.post(f"{page}/confirm", fingerprint=await fingerprint(two.de.place), countries="DE")

    assert (409, ["pairing_over"]) == (answer.status_code, mistakes(await text_of(answer)))
    assert "<form" not in (await ada.text(page)).partition("<main")[2].partition("</main>")[0]


async def test_a_suspended_sibling_is_said_loudly(two: Two) -> None:
    """On both pages, with what to do; without one there is nothing."""
    await two.fr.place.admits(two.de.place)
    ada = await administrator(two.fr)
    before = await ada.text(PATH)
    await key_alarm.suspend(two.fr.node, two.fr.node.allowlist().siblings[DE])
    pages = [await ada.text("/administration"), await ada.text(PATH)]

    assert "its keys have changed" not in before
    assert ['role="alert">One sibling is suspended: its keys have changed.' in page for page in pages] == [True, True]
    assert "esanum siblings repin" in pages[1]


async def test_the_mail_names_nobody(two: Two) -> None:
    """A request waits: where to look, and nothing of who it says it is."""
    await two.begins()
    row = await two.fr.node.store.one("mails.since", notice="pairing_requested", since=0)
    message = two.fr.node.mails._message(
        {"notice": "pairing_requested", "whom": "administrators", "id": "1", "chosen": "en", "language": ""},
        "ada@chamber.example", two.fr.node.clock(),
    )  # fmt: skip
    body = message.get_content()

    assert row is not None
    assert 1 == row["number"]
    assert "Another instance asks to be admitted." in body
    assert f"{two.fr.node.origin}{PATH}" in body
    assert "de.localhost" not in str(message)


@pytest.mark.parametrize(("language", "word"), [("de", "Bittet um Aufnahme"), ("fr", "Demande à être admise")])
async def test_it_speaks_every_language(two: Two, language: str, word: str) -> None:
    """The list and the page."""
    page = await two.begins()
    ada = await administrator(two.fr)
    await ada.post("/language", language=language, back=page)

    assert [word in await ada.text(path) for path in (PATH, page)] == [True, True]


async def test_whom_the_other_lists_still_reads_what_to_do(two: Two) -> None:
    """Its administrator removes us, or ours admits it at the shell; twin: after that it is asked, and nothing is said."""
    await two.de.place.admits(two.fr.place)
    ada = await administrator(two.fr)
    await two.fr.node.pairings.invite(DE, CLI)
    await two.settle()
    ended = await two.fr.node.pairings.of(DE)
    page = await ada.text(f"{PATH}/{ended.id}")
    await two.de.node.siblings.remove(two.fr.node.origin, by="test", reason="test")
    await two.fr.node.pairings.invite(DE, CLI)
    await two.settle()
    again = await two.fr.node.pairings.of(DE)
    asked = await ada.text(f"{PATH}/{again.id}")

    assert (State.EXPIRED, State.INVITED) == (ended.state, again.state)
    assert f"esanum siblings remove {two.fr.node.origin}" in page
    assert f"esanum siblings add {DE}" in page
    assert "esanum siblings" not in asked


async def test_the_page_of_a_paired_sibling_tells_how_it_came(two: Two) -> None:
    """Every act of the pairing stands in its history by a name of its own, and why it was admitted in no code."""
    await two.begins()
    ada = await administrator(two.fr)
    await two.fr.node.pairings.read(two.id, CLI)
    await two.fr.node.pairings.confirm(two.id, await fingerprint(two.de.place), ("DE",), CLI)
    other = await two.de.node.pairings.of(two.fr.node.origin)
    await two.de.node.pairings.confirm(other.id, await fingerprint(two.fr.place), ("FR",), CLI)
    await two.settle()
    said = await ada.text("/administration/siblings/de.localhost:8001")
    acts = {change.act for change in await two.fr.node.siblings.changes(DE)}

    assert {"pairing_read", "pairing_confirm", "pairing_confirmed_there", "add"} <= acts
    assert not [act for act in acts if catalogue("en").text(f"allowlist.act.{act}") not in said]
    assert not [word for word in ("pairing 0", "said by its instance", "read at home") if word in said]


async def test_a_no_that_is_not_taken_is_shown_until_when_and_then_as_unheard(two: Two) -> None:
    """As long as it is said the page says until when; after thirty days, that it is said no more."""
    page = await two.begins()
    ada, words = await administrator(two.fr), catalogue("en")
    two.fr.network.down.add("de")
    await two.fr.node.pairings.decline(two.id, "unknown", CLI)
    await two.settle()
    said = await ada.text(page)
    two.fr.move(days=30)
    await two.fr.node.pairings.sweep()
    again = await two.fr.staff("ben", "administrator")
    unheard = await again.text(page)

    assert "It is told until 23 December 2026" in said
    assert words.text("pairing.not_taken") in said
    assert words.text("pairing.not_heard") in unheard
    assert "It is told until" not in unheard
