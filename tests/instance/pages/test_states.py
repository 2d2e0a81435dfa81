"""Every state of an application as its owner sees it: one sentence on where it stands, what comes next and when."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from instance import i18n
from tests.factors import enrol
from tests.instance.dossiers.applying import ADMIN, LEA, REJECT, REMY, RENE, RITA, ROSE, Applicant
from tests.instance.pages.newcomer import EMAIL, FORM, Door, Newcomer, open_door
from tests.town import PASSWORD, rows
from verification.grounds import Ground
from verification.moves import State
from verification.standing import OwnAct, may_own, own_acts

#: What can be sent from the page, by the address of its form or link, and what a state allows by itself.
ACTS = {
    "submit": 'action="/application/submit"', "appeal": 'action="/application/appeal"', "add": 'href="/application/add/',
    "correct": 'href="/application/edit"', "withdraw": 'href="/application/withdraw"',
    "begin": 'href="/application/new"', "annexes": 'href="/application/annexes/', "retire": 'href="/application/retire"',
}  # fmt: skip


@dataclass
class Stand:
    """How a state is reached, what its page says, and which acts it offers."""

    way: tuple[str, ...]
    says: str
    offers: set[str] = field(default_factory=set)
    #: In so many days something happens; the page names the day.
    within: int | None = None


STANDS = {
    State.DRAFT: Stand((), "Until then nobody looks at it.", {"add", "correct", "submit", "withdraw"}),
    State.SUBMITTED: Stand(("submit",), "A reviewer will look at it.", {"withdraw"}, 2),
    State.IN_REVIEW: Stand(("submit", "take"), "Reviewers are looking at it.", {"withdraw"}, 2),
    State.SECOND_REVIEW: Stand(("submit", "take", "vote"), "Reviewers are looking at it.", {"withdraw"}, 2),
    State.NEEDS_INFO: Stand(
        ("submit", "take", "ask"), "Add what was asked for", {"add", "correct", "submit", "withdraw"}, 30
    ),
    State.REJECTED: Stand(("submit", "reject"), "two others look at it then", {"appeal", "withdraw"}, 30),
    State.APPEALED: Stand(("submit", "reject", "appeal"), "who did not decide before", {"withdraw"}, 14),
    State.APPROVED: Stand(("submit", "approve"), "we remind you 60 days before", {"annexes", "retire"}),
    State.REVERIFY_DUE: Stand(("submit", "approve", "due"), "Renew it before", {"annexes", "retire"}),
    State.EXPIRED: Stand(("submit", "approve", "due", "expire"), "Add present evidence here", {"add", "submit"}),
    State.SUSPENDED: Stand(("submit", "approve", "suspend"), "unless a second person confirms it", set(), 3),
    State.CLOSED: Stand(("submit", "take", "ask", "silence"), "destroyed 30 days later", {"begin"}),
    State.REVOKED: Stand(("submit", "approve", "revoke"), "how to appeal", {"begin"}),
    State.WITHDRAWN: Stand(("withdraw",), "What you showed is destroyed.", {"begin"}),
    State.DECEASED: Stand(("submit", "dead"), "write to your instance’s team"),
    State.MOVED: Stand(("submit", "approve", "depart"), "goes on at your new instance", {"begin"}),
}


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


async def reach(door: Door, made: Applicant, step: str) -> None:
    """One step of a way to a state."""
    if step in ("submit", "withdraw", "appeal"):
        await made.does(step)
    elif step == "take":
        await made.does("take", by=RITA)
    elif step == "vote":
        await made.is_voted(RITA)
    elif step == "ask":
        await made.does("ask", Ground.UNREADABLE, by=RITA)
    elif step == "reject":
        await made.is_rejected()
    elif step == "approve":
        await made.is_approved()
    elif step == "suspend":
        await made.does("suspend", Ground.MISCONDUCT, by=ADMIN)
    elif step in ("revoke", "dead"):
        values = ("revoke", Ground.MISCONDUCT) if step == "revoke" else ("report_death",)
        for by in (RITA, RENE):
            await made.does(*values, by=by)
    elif step == "depart":
        await door.node.dossiers.depart(made.id)
    else:
        await _let_pass(door, made, step)


async def _let_pass(door: Door, made: Applicant, step: str) -> None:
    until = (await made.file()).dossier.reverify_on
    days = {"silence": 31}.get(step) or (until - door.network.clock.now).days - {"due": 59, "expire": -1}[step]
    door.network.clock.move(days=days)
    await door.node.dossiers.tick()


async def stands_in(door: Door, state: State):  # type: ignore[no-untyped-def]
    """Somebody whose application has come to this state, signed in; and the dossier."""
    somebody = await door.joins(role="generalist")
    found = (await rows(door.node, "select id, account from dossiers"))[0]
    made = Applicant(door.node, found["account"], found["id"])
    if state is State.DRAFT or STANDS[state].way[0] == "submit":
        await somebody.shows()
    for step in STANDS[state].way:
        await reach(door, made, step)
    door.house.now = door.network.clock.now
    # Some of these end every session.
    somebody = await signs_in(door, made, works=not may_own(OwnAct.SIGN_IN, state))
    await somebody.get("/application")
    if state in (State.NEEDS_INFO, State.EXPIRED):
        await somebody.shows()
    return somebody, made


async def signs_in(door: Door, made: Applicant, *, works: bool) -> Newcomer:
    """Sign in again; as one who works here where only staff still can, for their work."""
    if works:
        await door.node.store.write(lambda tx: tx.run("staff.set_roles", account=made.account, roles='["moderator"]'))
    somebody = door.newcomer()
    await somebody.post("/sign-in", login=EMAIL, password=PASSWORD)
    if works:
        await enrol(somebody, door.house.now)
    return somebody


def test_every_state_stands_here():
    """A state that is added has to be given its sentence and its acts."""
    assert set(State) == set(STANDS)


@pytest.mark.parametrize("state", list(State))
async def test_a_state_says_where_it_stands_and_offers_what_it_allows(door, state):
    """The headline, the sentence with its day, exactly these acts; the others, sent by hand, change nothing."""
    somebody, made = await stands_in(door, state)
    page = await somebody.text("/application")
    dossier, stand = (await made.file()).dossier, STANDS[state]
    offered = {name for name, sign in ACTS.items() if sign in page}
    words, clock = i18n.catalogue("en"), i18n.Clock("en", "FR")
    shown = State.IN_REVIEW if state is State.SECOND_REVIEW else state

    assert state is dossier.state
    assert words.text(f"application.state.{shown}") in page
    assert stand.says in page
    assert stand.offers == offered
    if stand.within is not None:
        day = dossier.changed_at + timedelta(days=stand.within)
        assert clock.date(int(day.timestamp() * 1000)) in page
    if dossier.renewable:
        assert clock.date(int(dossier.reverify_on.timestamp() * 1000)) in page
    await refuses_the_rest(somebody, made, stand.offers)


async def refuses_the_rest(somebody, made: Applicant, allowed: set[str]) -> None:  # type: ignore[no-untyped-def]
    """Every form of the application, sent by hand where the page has none: no other state, nothing added."""
    before = await made.file()
    seen = str(before.version)
    forms = {
        "submit": ("/application/submit", {}), "withdraw": ("/application/withdraw", {}),
        "appeal": ("/application/appeal", {}),
        "correct": ("/application/edit", {"name": "Dr Anna Autre", "role": "generalist", "country": "FR",
                    "specialty": "cardiology", "birth_day": "1", "birth_month": "1", "birth_year": "1970"}),
        "annexes": ("/application/annexes/renewal", {}), "retire": ("/application/retire", {"understood": "1"}),
        "add": ("/application/add/diploma", {"proof": "licence"}),
    }  # fmt: skip
    answers = {}
    for act, (path, fields) in forms.items():
        # What is renewed by an annex may be added to at any time; it has a page of its own.
        if act not in allowed and not (act == "add" and before.dossier.renewable):
            answer = await somebody.post(path, seen=seen, factor_password=PASSWORD, **fields)
            answers[act] = answer.status_code
    after = await made.file()

    assert {} == {act: status for act, status in answers.items() if status not in (303, 404, 409, 422)}
    assert (before.version, before.dossier, before.said, len(before.pieces)) == (
        after.version, after.dossier, after.said, len(after.pieces),
    )  # fmt: skip


@pytest.mark.parametrize("state", list(State))
def test_the_offered_acts_are_those_of_the_medical_room(state):
    """The page offers to apply, answer, appeal and renew where `standing.own_acts` does, and nowhere else."""
    pages = {
        OwnAct.APPLY: state is State.DRAFT and "submit" in STANDS[state].offers,
        OwnAct.ANSWER: state is State.NEEDS_INFO and "submit" in STANDS[state].offers,
        OwnAct.APPEAL: "appeal" in STANDS[state].offers,
        OwnAct.RENEW: "annexes" in STANDS[state].offers or (state is State.EXPIRED and "add" in STANDS[state].offers),
    }

    assert pages == {act: act in own_acts(state) for act in pages}


async def test_after_an_appeal_the_page_names_its_fourteen_days(door):
    """Also while two others look at it: not the two working days of a first look."""
    somebody, made = await stands_in(door, State.APPEALED)
    day = (await made.file()).dossier.appealed_at + timedelta(days=14)
    await made.does("take", by=REMY)
    looked = await somebody.text("/application")
    await made.is_voted(REMY, REJECT)
    await made.is_voted(ROSE, REJECT)
    ended = await somebody.text("/application")

    assert i18n.Clock("en", "FR").date(int(day.timestamp() * 1000)) in looked
    assert "Your appeal was decided." in ended
    assert ACTS["begin"] in ended
    assert ACTS["appeal"] not in ended


async def test_who_was_verified_applies_anew_after_a_closing(door):
    """By the page, in a new dossier; the old one stays what it is. Nobody is asked for an address they have."""
    somebody, made = await stands_in(door, State.EXPIRED)
    await somebody.hands_in()
    for step in ("take", "ask", "silence"):
        await reach(door, made, step)
    door.house.now = door.network.clock.now
    before, somebody = (await made.file()).dossier, door.newcomer()
    begun = await somebody.post("/sign-in", login=EMAIL, password=PASSWORD)
    offered, form = await somebody.text("/application"), await somebody.text("/application/new")
    answer = await somebody.post("/application/new", **{each: FORM[each] for each in FORM if each != "email"})
    page = await somebody.text("/application")

    assert State.CLOSED is before.state
    assert (303, "/application") == (begun.status_code, begun.headers["Location"])
    assert ACTS["begin"] in offered
    assert ('name="birth_day"' in form, 'name="handle"' in form) == (True, False)
    assert (303, "/application") == (answer.status_code, answer.headers["Location"])
    assert "Until then nobody looks at it." in page
    assert (await door.applicant()).id != made.id
    assert before == (await made.file()).dossier


@pytest.mark.parametrize("way", ["depart", "revoke", "leave"])
async def test_whose_membership_has_ended_begins_nothing_with_that_account(door, way):
    """The twin: the sign-in says why, in the language of the page, and nobody is in."""
    await stands_in(door, State.APPROVED)
    made = await door.applicant()
    await (made.does("leave") if way == "leave" else reach(door, made, way))
    somebody = door.newcomer()
    refused = await somebody.post("/sign-in", login=EMAIL, password=PASSWORD)
    page = await refused.get_data(as_text=True)
    led = await somebody.get("/application/new")

    assert 403 == refused.status_code
    assert i18n.catalogue("en").text("error.account_over") in page
    assert (303, "/sign-in") == (led.status_code, led.headers["Location"].partition("?")[0])
    assert 1 == len(await rows(door.node, "select id from dossiers"))


@pytest.mark.parametrize("state", [State.DRAFT, State.SUSPENDED, State.EXPIRED, State.DECEASED, State.APPROVED])
async def test_before_an_end_nobody_applies_anew(door, state):
    """The twin: an application that goes on, and one whose end has to be cleared up, leave one where one is."""
    somebody, _ = await stands_in(door, state)
    led = await somebody.get("/application/new")
    answer = await somebody.post("/application/new", **{each: FORM[each] for each in FORM if each != "email"})

    assert (303, 409) == (led.status_code, answer.status_code)
    assert 1 == len(await rows(door.node, "select id from dossiers"))


async def test_a_suspension_that_two_have_said_names_no_end(door):
    """Confirmed, it lasts: the page tells since when, and whom to ask."""
    somebody, made = await stands_in(door, State.SUSPENDED)
    first = await somebody.text("/application")
    await made.does("confirm", by=LEA)
    again = door.newcomer()
    await again.post("/sign-in", login=EMAIL, password=PASSWORD)
    page = await again.text("/application")

    assert re.search(r"it ends by itself on \d+ \w+ \d{4}, \d\d:\d\d", first)
    assert "it ends by itself" not in page
    assert "Reading and writing are closed since" in page
