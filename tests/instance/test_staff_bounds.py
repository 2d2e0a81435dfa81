"""What one person alone cannot do to staff and their factors: beside each act its neighbour that is kept out."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from instance.services import passwords
from instance.services.accounts import Stage
from instance.services.errors import Forbidden, Rejected
from instance.services.factor_showing import FactorNeeded, Shown, is_fresh
from instance.services.people import NewDoctor
from instance.services.staff import Invite
from tests.factors import add_app, code, device_of, enrolment
from tests.instance.factor_house import code_of, enter, fr, with_app, with_passkey
from tests.instance.test_staff import hire, token_of
from tests.town import PASSWORD, rows
from verification.errors import SameInviter
from verification.people import StaffId, conflict, require_other

__all__ = ["fr"]


async def ada(fr: Any) -> Any:
    """The administrator, whole."""
    token, _, _ = await add_app(fr.node, (await fr.node.people.sign_in("ada", PASSWORD, "", "")).token)
    return await fr.node.people.session(token)


async def account_of(fr: Any, login: str) -> str:
    """The account with this name."""
    return str((await fr.node.store.one("people.account_for_sign_in", login=login))["id"])


async def mails(fr: Any) -> list[tuple[str, str]]:
    """Whom mails go to, and about what."""
    return [(row["account"], row["notice"]) for row in await rows(fr.node, "select account, notice from mails")]


# ── the secret of a new app ──


async def test_a_new_secret_is_shown_to_the_session_that_asked_for_it(fr):
    """Another session of the same account neither sees nor confirms it, and takes it from nobody."""
    thief, owner = await enter(fr), await enter(fr)
    await fr.node.factors.begin_app(owner)
    waiting = await fr.node.factors.app_to_confirm(owner)

    assert await fr.node.factors.app_to_confirm(thief) is None
    assert "not_found" == await code_of(fr.node.factors.confirm_app(thief, code(waiting.secret, fr.network.clock())))
    await fr.node.factors.begin_app(thief)
    assert waiting.secret == (await fr.node.factors.app_to_confirm(owner)).secret
    await fr.node.factors.confirm_app(owner, code(waiting.secret, fr.network.clock()))
    assert [1] == [row["n"] for row in await rows(fr.node, "select count(*) as n from totp")]


async def test_a_new_secret_goes_with_its_session(fr):
    """Signed out, nothing waits; what was confirmed stays, whoever signs out."""
    begun = await fr.node.people.sign_in("marie", PASSWORD, "", "")
    await fr.node.factors.begin_app(await fr.node.people.entered(begun.token))
    await fr.node.people.sign_out(begun.token)
    assert [] == await rows(fr.node, "select id from totp")

    token, _, _ = await add_app(fr.node, (await fr.node.people.sign_in("marie", PASSWORD, "", "")).token)
    await fr.node.people.sign_out(token)
    assert 1 == len(await rows(fr.node, "select id from totp"))


# ── four eyes ──


@pytest.mark.parametrize("judge", ["reviewer", "lead"])
async def test_an_administrator_judges_nobody(fr, judge):
    """The two are never one person; each alone, and with others, is."""
    new = Invite(email="r@chamber.example", roles=("administrator", judge), countries=("FR",))

    assert "roles_together" == await code_of(fr.node.staff.invite(new, by="test"))
    doctor = NewDoctor(
        handle="rita", name="Rita", role="specialist", country="FR", specialties=("cardiology",), password=PASSWORD,
        roles=("administrator", judge),
    )  # fmt: skip
    assert "roles_together" == await code_of(fr.node.people.add_doctor(doctor, by="test"))
    for roles in (("administrator", "moderator"), (judge, "governor")):
        assert (await fr.node.staff.invite(replace(new, roles=roles), by="test")).link


APART = [
    ("reviewer", "dpo"), ("lead", "dpo"), ("reviewer", "moderator"), ("lead", "moderator"), ("administrator", "dpo"),
    ("reviewer", "lead", "dpo"), ("moderator", "administrator", "dpo"),
]  # fmt: skip
TOGETHER = [
    ("reviewer", "lead"), ("reviewer", "governor"), ("moderator", "dpo"), ("administrator", "moderator"),
    ("governor", "dpo"),
]  # fmt: skip


@pytest.mark.parametrize("roles", APART, ids="+".join)
async def test_roles_that_would_watch_themselves_are_no_one_persons(fr, roles):
    """Moderators and data protection officers see no evidence, and no officer reads the log of the own acts."""
    new = Invite(email="r@chamber.example", roles=roles, countries=("FR",))

    assert "roles_together" == await code_of(fr.node.staff.invite(new, by="test"))
    assert () == await fr.node.staff.waiting()


@pytest.mark.parametrize("roles", TOGETHER, ids="+".join)
async def test_other_roles_go_together(fr, roles):
    """What sees no more than one of them does, one person may be."""
    new = Invite(email="r@chamber.example", roles=roles, countries=("FR",))

    assert (await fr.node.staff.invite(new, by="test")).link


@pytest.mark.parametrize(
    ("stored", "counts"),
    [
        (("dpo", "reviewer"), {"dpo"}), (("lead", "moderator"), {"moderator"}), (("lead", "administrator"), {"administrator"}),
        (("administrator", "dpo"), {"administrator"}), (("lead", "reviewer"), {"lead", "reviewer"}),
    ],
)  # fmt: skip
async def test_of_an_account_with_roles_that_are_apart_what_sees_evidence_counts_for_nothing(fr, stored, counts):
    """An account from before keeps the rest; whoever administers reads no log of the own acts."""
    rita = await hire(fr, "rita", stored[0])
    await fr.node.store.write(lambda tx: tx.run("staff.set_roles", account=rita.account_id, roles=json.dumps(stored)))
    actor = await fr.node.staff.actor(rita)

    assert counts == {role.value for role in actor.roles}
    assert [counts] == [set(each.roles) for each in await fr.node.staff.list() if each.login == "rita"]


async def test_two_whom_one_person_invited_are_not_two(fr):
    """Nor the inviter and one of them, nor by way of a third; two whom the command line appointed are."""
    chief = await ada(fr)
    one, two = [await hire(fr, login, "reviewer", inviter=chief.account_id) for login in ("one", "two")]
    second = await hire(fr, "second", "administrator", inviter=chief.account_id)
    third = await hire(fr, "third", "reviewer", inviter=second.account_id)
    free, other = [await hire(fr, login, "reviewer") for login in ("free", "other")]
    ids = {each.login: await fr.node.staff.actor(each) for each in (chief, one, two, second, third, free, other)}
    near = {login: {each for each in ids if ids[each].id in actor.near} for login, actor in ids.items()}

    family = {"ada", "one", "two", "second", "third"}
    assert near == {**{login: family - {login} for login in family}, "free": set(), "other": set()}
    with pytest.raises(SameInviter):
        require_other(ids["third"], [ids["free"].id, ids["one"].id])
    require_other(ids["one"], [ids["free"].id, ids["other"].id, StaffId("staff-x")])


async def test_who_was_invited_by_whom_is_never_forgotten(fr):
    """Ended and appointed anew by another, both inviters stay too near to judge, and to be judged."""
    first, second = await hire(fr, "first", "administrator"), await hire(fr, "second", "administrator")
    marie, new = await account_of(fr, "marie"), Invite(email="m@c.example", roles=("reviewer",), countries=("FR",))
    for inviter in (first, second):
        invited = await fr.node.staff.invite(new, by="test", inviter=inviter.account_id)
        await fr.node.staff.accept_as(token_of(invited), marie)
        member = next(one for one in await fr.node.staff.list() if one.login == "marie")
        if inviter is first:
            await fr.node.staff.end(member.id, by="test", reason="pause")
    actor = await fr.node.staff.of(member.id)

    assert {first.account_id, second.account_id} == actor.inviters
    assert second.account_id == actor.invited_by
    for inviter in (first, second):
        assert marie in (await fr.node.staff.actor(inviter)).invited
        assert conflict(actor, inviter.account_id, frozenset())
    assert not conflict(actor, await account_of(fr, "ada"), frozenset())


# ── enrolling ──


async def test_the_password_alone_adds_no_first_factor_of_staff(fr):
    """Neither app nor passkey; the enrolment link opens it, once, for its account, and gives another token."""
    begun = await fr.node.people.sign_in("ada", PASSWORD, "", "")
    session = await fr.node.people.entered(begun.token)
    assert (Stage.ENROL, False) == (session.stage, session.enrols)
    for attempt in (fr.node.factors.begin_app(session), fr.node.factors.new_codes(session)):
        assert "enrolment_closed" == await code_of(attempt)
    assert "" == await fr.node.factors.ask_for_new(session)

    given = await enrolment(fr.node, session.account_id)
    token = await fr.node.factors.open_enrolment(session, given)
    assert await fr.node.people.entered(begun.token) is None
    again = await enter(fr, "ada")
    assert "enrolment_gone" == await code_of(fr.node.factors.open_enrolment(again, given))
    await add_app(fr.node, token)
    assert [(session.account_id, "factor_added")] == await mails(fr)


async def test_an_enrolment_link_is_for_one_account_and_a_week(fr):
    """Another's, a past one and a made-up one open nothing; whoever owes nothing has no use for one."""
    half, marie = await enter(fr, "ada"), await enter(fr, "marie")
    given = await enrolment(fr.node, marie.account_id)
    for token in (given, "", "x"):
        assert "enrolment_gone" == await code_of(fr.node.factors.open_enrolment(half, token))
    assert "not_found" == await code_of(fr.node.factors.open_enrolment(marie, given))
    past = await enrolment(fr.node, half.account_id)
    fr.network.clock.move(days=7)
    assert "enrolment_gone" == await code_of(fr.node.factors.open_enrolment(await enter(fr, "ada"), past))
    assert 2 == await fr.node.staff.sweep()


async def test_after_a_reset_the_link_and_not_the_password_adds_the_next(fr):
    """A reset prints a link for staff, and voids the one before; a doctor needs none."""
    first, second = [await fr.node.factors.reset("ada", by="test", reason="lost") for _ in range(2)]
    session = await enter(fr, "ada")

    assert second.startswith("https://fr.example/me/security/enrol/")
    assert "enrolment_closed" == await code_of(fr.node.factors.begin_app(session))
    assert "enrolment_gone" == await code_of(fr.node.factors.open_enrolment(session, first.rpartition("/")[2]))
    assert await fr.node.factors.open_enrolment(session, second.rpartition("/")[2])
    assert "" == await fr.node.factors.reset("marie", by="test", reason="lost")


async def test_a_doctor_who_accepts_goes_on_in_her_session_alone(fr):
    """It enrols; one opened with the password elsewhere does not."""
    session = await enter(fr)
    new = Invite(email="m@c.example", roles=("moderator",))
    token = await fr.node.staff.accept_as(
        token_of(await fr.node.staff.invite(new, by="test")), session.account_id, session
    )
    goes_on = await fr.node.people.entered(token)

    assert (Stage.ENROL, True) == (goes_on.stage, goes_on.enrols)
    assert goes_on.expires_at - fr.network.clock() == timedelta(hours=12)
    assert "enrolment_closed" == await code_of(fr.node.factors.begin_app(await enter(fr)))
    await add_app(fr.node, token)


# ── coming back, and leaving ──


async def test_who_comes_back_is_the_same_person(fr):
    """The closed account opens again with the name, the id and the factors it had; the old password does not."""
    await hire(fr, "max", "administrator")
    rita = await hire(fr, "rita", "reviewer")
    id = (await fr.node.staff.actor(rita)).id
    await fr.node.staff.end(id, by="test", reason="pause")
    new = Invite(email="r@chamber.example", roles=("reviewer",), countries=("FR",), former=id)
    invited = await fr.node.staff.invite(new, by="test")
    assert "rita" == (await fr.node.staff.invitation(token_of(invited))).login
    account = await fr.node.staff.accept(token_of(invited), "another", PASSWORD + " anew")

    assert rita.account_id == account
    assert id in {one.id for one in await fr.node.staff.list()}
    assert "wrong_credentials" == await code_of(fr.node.people.sign_in("rita", PASSWORD, "", ""))
    assert Stage.SECOND_STEP is (await fr.node.people.sign_in("rita", PASSWORD + " anew", "", "")).stage


async def test_only_somebody_who_has_left_comes_back(fr):
    """Nobody's id, and that of somebody who works here; an account that is open is taken over by no link."""
    rita = await fr.node.staff.actor(await hire(fr, "rita", "reviewer"))
    new = Invite(email="r@chamber.example", roles=("reviewer",), countries=("FR",), former=rita.id)
    for former in (rita.id, "staff-x"):
        assert "not_former" == await code_of(fr.node.staff.invite(replace(new, former=former), by="test"))
    await fr.node.staff.end(rita.id, by="test", reason="pause")
    first, second = [token_of(await fr.node.staff.invite(new, by="test")) for _ in range(2)]
    assert "invitation_gone" == await code_of(fr.node.staff.accept_as(first, await account_of(fr, "marie")))
    await fr.node.staff.accept(first, "", PASSWORD)
    assert "invitation_gone" == await code_of(fr.node.staff.accept(second, "", PASSWORD))


async def test_the_last_administrator_stays(fr):
    """Also where two end each other at once; the command line may say otherwise."""
    await hire(fr, "max", "administrator")
    ids = [one.id for one in await fr.node.staff.list()]
    ends = [fr.node.staff.end(id, by="test", reason="left") for id in ids]
    found = await asyncio.gather(*ends, return_exceptions=True)
    left = [one.id for one in await fr.node.staff.list()]

    assert ["last_administrator"] == [one.code for one in found if isinstance(one, Rejected)]
    assert 1 == len(left)
    await fr.node.staff.end(left[0], by="test", reason="left", force=True)
    assert () == await fr.node.staff.list()


async def test_a_suspended_doctor_is_no_staff(fr):
    """Whatever the role and the factor; reinstated she is again."""
    session = await ada(fr)
    assert (await fr.node.staff.actor(session)).roles
    await fr.node.people.suspend("ada", by="test", reason="struck off")
    with pytest.raises(Forbidden) as refused:
        await fr.node.staff.actor(session)
    assert "not_staff" == refused.value.code
    await fr.node.people.reinstate("ada", by="test", reason="mistake")
    assert (await fr.node.staff.actor(session)).roles


async def test_an_invitation_goes_with_its_inviter(fr):
    """What somebody promises who has left is worth nothing, before and after; what the command line promises stays."""
    max_ = await hire(fr, "max", "administrator")
    new = Invite(email="m@c.example", roles=("moderator",))
    kept = await fr.node.staff.invite(new, by="test")
    made = await fr.node.staff.invite(new, by="test", inviter=max_.account_id)
    assert await fr.node.staff.invitation(token_of(made))
    await fr.node.store.write(lambda tx: tx.run("staff.set_roles", account=max_.account_id, roles='["moderator"]'))

    for attempt in (fr.node.staff.invitation(token_of(made)), fr.node.staff.accept(token_of(made), "ghost", PASSWORD)):
        assert "invitation_gone" == await code_of(attempt)
    assert "not_staff" == await code_of(fr.node.staff.invite(new, by="test", inviter=max_.account_id))
    assert await fr.node.staff.accept(token_of(kept), "ghost", PASSWORD)


# ── guessing ──


async def guess(fr: Any, session: Any, times: int) -> list[str]:
    """Show wrong codes; return what each was refused with."""
    return [await code_of(fr.node.factors.show(session, Shown(code="000000"))) for _ in range(times)]


async def test_a_success_forgives_no_guess_of_another(fr):
    """The owner signs in between; the guesser has five in all, and what the owner mistyped is forgiven."""
    secret, _ = await with_app(fr)
    thief, owner = await enter(fr), await enter(fr)
    await guess(fr, thief, 3)
    await guess(fr, owner, 1)
    fr.network.clock.move(seconds=30)
    await fr.node.factors.show(owner, Shown(code=code(secret, fr.network.clock())))

    assert ["factor_wrong", "factor_wrong", "too_many_attempts"] == await guess(fr, await enter(fr), 3)


async def test_there_are_twenty_guesses_a_day(fr):
    """However slowly; a day after the first there are more."""
    await with_app(fr)
    found: list[str] = []
    for _ in range(6):
        found += await guess(fr, await enter(fr), 4)
        fr.network.clock.move(minutes=16)
        await fr.node.people.sweep()

    assert 20 == found.count("factor_wrong")
    assert ["too_many_attempts"] * 4 == found[20:]
    fr.network.clock.move(days=1)
    assert ["factor_wrong"] == await guess(fr, await enter(fr), 1)


async def test_the_owner_hears_of_guesses_behind_the_right_password(fr):
    """Once, at the third; of the owner's own in a session that is whole, nothing."""
    await with_app(fr)
    marie = await account_of(fr, "marie")
    await guess(fr, await enter(fr), 2)
    assert (marie, "factor_guessed") not in await mails(fr)
    await guess(fr, await enter(fr), 3)

    assert 1 == (await mails(fr)).count((marie, "factor_guessed"))


async def test_guesses_at_the_second_step_lock_nobody_out_who_is_in(fr):
    """The session that is whole shows its factor; another second step waits."""
    session = await ada(fr)
    secret_wrong = await guess(fr, await enter(fr, "ada"), 6)

    assert "too_many_attempts" == secret_wrong[-1]
    assert ["factor_wrong"] == await guess(fr, session, 1)
    assert ["too_many_attempts"] == await guess(fr, await enter(fr, "ada"), 1)


# ── edges ──


async def test_a_sign_in_has_the_life_of_the_roles_of_its_end(fr, monkeypatch):
    """Appointed while the password was looked at, she has half a day and not a month."""
    marie, new = await account_of(fr, "marie"), Invite(email="m@c.example", roles=("moderator",))
    token, verify = token_of(await fr.node.staff.invite(new, by="test")), passwords.verify

    async def meanwhile(*given: Any) -> bool:
        await fr.node.staff.accept_as(token, marie)
        return await verify(*given)

    monkeypatch.setattr(passwords, "verify", meanwhile)
    begun = await fr.node.people.sign_in("marie", PASSWORD, "", "")

    assert (Stage.ENROL, timedelta(hours=12)) == (begun.stage, begun.expires_at - fr.network.clock())


async def test_a_session_that_has_ended_is_asked_for_nothing(fr):
    """401 for each, and nothing is kept for it."""
    await with_passkey(fr)
    session = await enter(fr)
    await fr.node.people.change_password(session.account_id, PASSWORD, PASSWORD + " anew")

    for ask in (fr.node.factors.ask, fr.node.factors.ask_for_new, fr.node.factors.begin_app):
        assert "not_signed_in" == await code_of(ask(session))
    assert [] == await rows(fr.node, "select * from challenges")


@pytest.mark.parametrize("junk", [[{}], [[]], {"usb": 1}, "usb", [None]])
async def test_transports_that_are_no_words_are_no_passkey(fr, junk):
    """Refused like every other strange answer."""
    device, session = device_of(fr.node), await enter(fr)
    answer = json.loads(device.make(await fr.node.factors.ask_for_new(session)))
    answer["response"]["transports"] = junk

    assert "passkey_not_made" == await code_of(fr.node.factors.add_passkey(session, json.dumps(answer), ""))
    assert [] == await rows(fr.node, "select id from passkeys")


@pytest.mark.parametrize(("seconds", "fresh"), [(0, True), (300, True), (301, False), (-1, False)])
async def test_what_was_shown_in_the_future_is_not_fresh(fr, seconds, fresh):
    """A clock that was set back."""
    session = await enter(fr)

    assert fresh is is_fresh(session, fr.network.clock() + timedelta(seconds=seconds))


async def test_a_new_app_is_begun_by_whoever_has_just_shown_something(fr):
    """Five minutes later the password is shown again first."""
    session = await enter(fr)
    fr.network.clock.move(minutes=6)
    with pytest.raises(FactorNeeded):
        await fr.node.factors.begin_app(session)
