"""Staff: asked, appointed, known to the medical room, and gone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from datetime import timedelta
from typing import Any

import pytest

from instance.cli.staff import ROLES
from instance.services.accounts import Stage
from instance.services.errors import Forbidden, Missing, Rejected
from instance.services.staff import Invite
from tests.factors import add_app
from tests.town import PASSWORD, rows
from verification.people import StaffRole

ASKED = Invite(email="rita@chamber.example", roles=("reviewer",), countries=("FR",), sites=("chu-lyon",))


@pytest.fixture
async def fr(network) -> Any:
    """One instance where nobody works yet."""
    return (await network("fr"))["fr"]


def token_of(invited: Any) -> str:
    """What is secret in a link."""
    return invited.link.rpartition("/")[2]


async def hire(fr: Any, login: str, *roles: str, inviter: str | None = None, **more: Any) -> Any:
    """Invite somebody who accepts and adds a factor; return their session."""
    new = Invite(email=f"{login}@chamber.example", roles=roles, countries=("FR",), **more)
    invited = await fr.node.staff.invite(new, by="test", inviter=inviter)
    await fr.node.staff.accept(token_of(invited), login, PASSWORD)
    begun = await fr.node.people.sign_in(login, PASSWORD, "127.0.0.1", "")
    token, _, _ = await add_app(fr.node, begun.token)
    return await fr.node.people.session(token)


async def code_of(attempt: Any) -> str:
    """The code an attempt is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    return refused.value.code


# ── inviting ──


async def test_an_invitation_is_a_link_for_a_week(fr):
    """The link names our own origin; what is kept of it opens nothing; the page's facts come from the row."""
    invited = await fr.node.staff.invite(ASKED, by="test")
    asked = await fr.node.staff.invitation(token_of(invited))
    kept = (await rows(fr.node, "select token, email, invited_by from invitations"))[0]

    assert invited.link.startswith("https://fr.example/invitation/")
    assert timedelta(days=7) == invited.expires_at - fr.network.clock()
    assert (("reviewer",), ("FR",)) == (asked.roles, asked.countries)
    assert hashlib.sha256(token_of(invited).encode()).digest() == kept["token"]
    assert ("rita@chamber.example", None) == (kept["email"], kept["invited_by"])
    assert "invitation_gone" == await code_of(fr.node.staff.invitation(kept["token"].hex()))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"email": ""}, "bad_email"), ({"email": "a@b"}, "bad_email"), ({"email": "a@b.example, c@d.example"}, "bad_email"),
        ({"email": '"a b"@b.example'}, "bad_email"), ({"email": "a@b@c.example"}, "bad_email"),
        ({"email": "a..b@c.example"}, "bad_email"), ({"email": "a@b.example\n"}, "bad_email"),
        ({"email": "é@b.example"}, "bad_email"), ({"email": "a" * 250 + "@b.example"}, "bad_email"),
        ({"roles": ()}, "bad_staff_role"), ({"roles": ("king",)}, "bad_staff_role"),
        ({"roles": ("reviewer", "King")}, "bad_staff_role"), ({"countries": ()}, "countries_missing"),
        ({"countries": ("DE",)}, "country_not_allowed"), ({"sites": ("CHU Lyon",)}, "bad_site"),
        ({"sites": tuple(f"site-{n}" for n in range(11))}, "bad_site"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_not_asked(fr, change, code):
    """An address that two programs read in two ways, a role nobody has, a country that is not ours."""
    given = {"email": ASKED.email, "roles": ASKED.roles, "countries": ASKED.countries, "sites": ASKED.sites, **change}

    assert code == await code_of(fr.node.staff.invite(Invite(**given), by="test"))
    assert [] == await rows(fr.node, "select id from invitations")


async def test_who_accepts_is_staff_and_owes_a_factor(fr):
    """A new account with the roles asked for; its first sign-in opens the enrolment alone."""
    invited = await fr.node.staff.invite(ASKED, by="test")
    account = await fr.node.staff.accept(token_of(invited), "  Rita ", PASSWORD)
    begun = await fr.node.people.sign_in("rita", PASSWORD, "127.0.0.1", "")
    kept = (await rows(fr.node, "select email, account from invitations"))[0]

    assert (account, Stage.ENROL) == (begun.account, begun.stage)
    assert ("", account) == tuple(kept)
    assert [("rita", ("reviewer",), ("FR",), ("chu-lyon",), False)] == [
        (one.login, one.roles, one.countries, one.sites, one.has_factor) for one in await fr.node.staff.list()
    ]


async def test_an_invitation_is_accepted_once(fr):
    """A112: the second who holds the link is too late, also at the same moment; nothing is left of the attempt."""
    invited = await fr.node.staff.invite(ASKED, by="test")
    names = [f"rita{n}" for n in range(4)]
    found = await asyncio.gather(
        *(fr.node.staff.accept(token_of(invited), name, PASSWORD) for name in names), return_exceptions=True
    )

    assert 1 == len([one for one in found if isinstance(one, str)])
    assert {"invitation_gone"} == {one.code for one in found if isinstance(one, Rejected)}
    assert 1 == len(await rows(fr.node, "select id from accounts"))
    assert "invitation_gone" == await code_of(fr.node.staff.invitation(token_of(invited)))


async def test_an_invitation_passes(fr):
    """A week later it is gone, from the page and from the rows."""
    invited = await fr.node.staff.invite(ASKED, by="test")
    fr.network.clock.move(days=7)

    assert "invitation_gone" == await code_of(fr.node.staff.accept(token_of(invited), "rita", PASSWORD))
    assert () == await fr.node.staff.waiting()
    assert 1 == await fr.node.staff.sweep()
    assert [] == await rows(fr.node, "select id from accounts")


async def test_an_invitation_is_withdrawn(fr):
    """The link opens nothing any more; one that was accepted cannot be withdrawn."""
    first, second = [await fr.node.staff.invite(ASKED, by="test") for _ in range(2)]
    await fr.node.staff.withdraw(first.id, by="test")
    await fr.node.staff.accept(token_of(second), "rita", PASSWORD)

    assert "invitation_gone" == await code_of(fr.node.staff.invitation(token_of(first)))
    for id in (first.id, second.id, "x"):
        assert "unknown_invitation" == await code_of(fr.node.staff.withdraw(id, by="test"))


@pytest.mark.parametrize(
    ("login", "password", "code"),
    [
        ("r", PASSWORD, "bad_handle"), ("", PASSWORD, "bad_handle"), ("rita lang", PASSWORD, "bad_handle"),
        ("marie", PASSWORD, "handle_taken"), ("rita", "too short", "password_too_short"),
        ("rita", "rita-rita-rita", "password_common"),
    ],
)  # fmt: skip
async def test_name_and_password_are_those_of_any_account(fr, login, password, code):
    """The same rules as for doctors; the invitation stays good."""
    await fr.doctor("marie")
    invited = await fr.node.staff.invite(ASKED, by="test")

    assert code == await code_of(fr.node.staff.accept(token_of(invited), login, password))
    assert await fr.node.staff.accept(token_of(invited), "rita", PASSWORD)


async def test_a_doctor_becomes_staff_with_the_account_she_has(fr):
    """One person, one account: every session ends, and what she is as a doctor stays hers."""
    await fr.doctor("marie")
    begun = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    invited = await fr.node.staff.invite(ASKED, by="test")
    await fr.node.staff.accept_as(token_of(invited), begun.account)
    again = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    token, _, _ = await add_app(fr.node, again.token)
    session = await fr.node.people.session(token)

    assert await fr.node.people.entered(begun.token) is None
    assert Stage.ENROL == again.stage
    assert session.doctor_uri is not None
    assert begun.account == (await fr.node.staff.actor(session)).doctor
    late = await fr.node.staff.invite(ASKED, by="test")
    assert "already_staff" == await code_of(fr.node.staff.accept_as(token_of(late), begun.account))
    assert await fr.node.staff.invitation(token_of(late))


# ── the actor ──


async def test_the_medical_room_knows_who_acts(fr):
    """Roles, countries, sites, the own account, who invited and who was invited: what four eyes need."""
    ada = await hire(fr, "ada", "administrator")
    rita = await hire(fr, "rita", "reviewer", "lead", inviter=ada.account_id, sites=("chu-lyon",))
    actor, inviter = await fr.node.staff.actor(rita), await fr.node.staff.actor(ada)

    assert {StaffRole.REVIEWER, StaffRole.LEAD} == actor.roles
    assert ({"FR"}, {"chu-lyon"}) == (actor.countries, actor.sites)
    assert actor.id.startswith("staff-")
    assert (rita.account_id, ada.account_id) == (actor.doctor, actor.invited_by)
    assert ({rita.account_id}, None) == (inviter.invited, inviter.invited_by)
    assert actor == await fr.node.staff.of(actor.id)
    with pytest.raises(Missing):
        await fr.node.staff.of("staff-nobody")


async def test_a_doctor_is_no_staff_and_staff_without_factor_is_none_yet(fr):
    """Neither has an actor."""
    await fr.doctor("marie")
    begun = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    invited = await fr.node.staff.invite(ASKED, by="test")
    await fr.node.staff.accept(token_of(invited), "rita", PASSWORD)
    half = await fr.node.people.sign_in("rita", PASSWORD, "127.0.0.1", "")
    found = {}
    for token in (begun.token, half.token):
        with pytest.raises(Forbidden) as refused:
            await fr.node.staff.actor(await fr.node.people.entered(token))
        found[token] = refused.value.code

    assert ["not_staff", "factor_missing"] == list(found.values())


async def test_a_doctor_added_with_a_role_is_staff_for_her_country(fr):
    """`doctors add --staff` makes the same rows."""
    from instance.services.people import NewDoctor

    await fr.node.people.add_doctor(
        NewDoctor(
            handle="rita", name="Rita", role="specialist", country="FR", specialties=("cardiology",),
            password=PASSWORD, roles=("reviewer",),
        ),
        by="test",
    )  # fmt: skip

    assert [("rita", ("reviewer",), ("FR",))] == [
        (one.login, one.roles, one.countries) for one in await fr.node.staff.list()
    ]


# ── leaving ──


async def test_who_leaves_has_nothing_left(fr):
    """Sessions end, roles and open invitations go, an account that was for nothing else closes; the id is kept."""
    ada = await hire(fr, "ada", "administrator")
    actor = await fr.node.staff.actor(ada)
    promised = await fr.node.staff.invite(ASKED, by="test", inviter=ada.account_id)
    begun = await fr.node.people.sign_in("ada", PASSWORD, "127.0.0.1", "")
    await fr.node.staff.end(actor.id, by="test", reason="left the chamber", force=True)

    assert await fr.node.people.entered(begun.token) is None
    assert () == await fr.node.staff.list()
    assert "invitation_gone" == await code_of(fr.node.staff.invitation(token_of(promised)))
    assert "wrong_credentials" == await code_of(fr.node.people.sign_in("ada", PASSWORD, "127.0.0.1", ""))
    with pytest.raises(Forbidden):
        await fr.node.staff.actor(ada)
    assert (actor.id, frozenset()) == ((await fr.node.staff.of(actor.id)).id, (await fr.node.staff.of(actor.id)).roles)
    acts = [row["act"] for row in await rows(fr.node, "select act from staff_acts order by at, id")]
    assert ["staff_invited", "staff_appointed", "app_added", "staff_invited", "staff_ended"] == acts


async def test_a_doctor_who_leaves_stays_a_doctor_and_comes_back_as_the_same_person(fr):
    """Her account stays open; asked again she has the id she had, so that nobody counts twice."""
    await fr.doctor("marie")
    first = await fr.node.staff.invite(ASKED, by="test")
    account = (await rows(fr.node, "select id from accounts"))[0]["id"]
    await fr.node.staff.accept_as(token_of(first), account)
    id = (await fr.node.staff.list())[0].id
    await fr.node.staff.end(id, by="test", reason="pause")
    between = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    again = await fr.node.staff.invite(ASKED, by="test")
    await fr.node.staff.accept_as(token_of(again), account)

    assert Stage.WHOLE == between.stage
    assert [id] == [one.id for one in await fr.node.staff.list()]


def applies(fr: Any, account: str) -> None:
    """Give an account a dossier, whatever else a row of it holds."""
    with sqlite3.connect(fr.config.database.removeprefix("sqlite://")) as database:
        columns = database.execute("pragma table_info(dossiers)").fetchall()
        needed = {
            name: 0 if kind == "bigint" else "x"
            for _, name, kind, must, default, _ in columns
            if must and default is None
        }
        values = {**needed, "account": account, "state": "submitted"}
        marks = ", ".join("?" * len(values))
        database.execute(f"insert into dossiers ({', '.join(values)}) values ({marks})", tuple(values.values()))
    database.close()


async def test_an_applicants_account_stays_open(fr):
    """Somebody who works here and applies as a doctor goes on applying after leaving."""
    rita = await hire(fr, "rita", "moderator")
    actor = await fr.node.staff.actor(rita)
    applies(fr, rita.account_id)
    await fr.node.staff.end(actor.id, by="test", reason="left")

    assert Stage.SECOND_STEP == (await fr.node.people.sign_in("rita", PASSWORD, "127.0.0.1", "")).stage


@pytest.mark.parametrize(("id", "reason", "code"), [("staff-x", "left", "unknown_staff"), ("", "left", "unknown_staff"), ("staff-x", "  ", "reason_missing")])  # fmt: skip
async def test_nobody_is_ended_without_a_reason_or_an_id(fr, id, reason, code):
    """What is refused changes nothing; somebody who has left is not ended twice."""
    rita = await hire(fr, "rita", "reviewer")
    actor = await fr.node.staff.actor(rita)

    assert code == await code_of(fr.node.staff.end(id, by="test", reason=reason))
    assert 1 == len(await fr.node.staff.list())
    await fr.node.staff.end(actor.id, by="test", reason="left")
    assert "unknown_staff" == await code_of(fr.node.staff.end(actor.id, by="test", reason="left"))


async def test_no_e_mail_address_is_kept_of_who_accepted_or_on_the_record(fr):
    """It was for sending the link; the record holds ids."""
    rita = await hire(fr, "rita", "reviewer")
    await fr.node.staff.end((await fr.node.staff.actor(rita)).id, by="test", reason="left")
    found = await rows(fr.node, "select * from staff_acts") + await rows(fr.node, "select * from invitations")

    kept = [each if isinstance(each, bytes) else str(each).encode() for row in found for each in tuple(row)]

    assert b"staff_ended" in kept
    assert not [each for each in kept if b"@chamber" in each]


def test_the_command_line_knows_every_role():
    """What can be typed is what there is."""
    assert {role.value for role in StaffRole} == set(ROLES)


# ── on the record ──


async def entries(fr: Any) -> list[dict[str, Any]]:
    """What the audit log holds."""
    return [json.loads(row["entry"]) for row in await fr.node.store.all("audit.page", after=0, most=500)]


async def test_acts_of_staff_are_entries_of_the_audit_log(fr):
    """Who did what to whom, by ids; the words that were given stand outside, and the log holds."""
    ada = await hire(fr, "ada", "administrator")
    by = await fr.node.staff.actor(ada)
    rita = await hire(fr, "rita", "reviewer", inviter=ada.account_id)
    whom = (await fr.node.staff.actor(rita)).id
    await fr.node.factors.reset("rita", by=by.id, reason="lost the telephone")
    await fr.node.staff.end(whom, by=by.id, reason="has gone to Lyon")
    told = [(one["act"], one["by"], one.get("thing")) for one in await entries(fr)][-3:]
    kept = await rows(fr.node, "select reason from staff_acts where act = 'staff_ended'")

    assert [
        ("staff.appointed", by.id.lower(), whom.lower()),
        ("factors.reset", by.id.lower(), whom.lower()),
        ("staff.removed", by.id.lower(), whom.lower()),
    ] == told
    assert ["has gone to Lyon"] == [row["reason"] for row in kept]
    assert "Lyon" not in json.dumps(await entries(fr))
    assert (await fr.node.dossiers.checking.newest()).broken is None


async def test_an_act_that_is_refused_is_no_entry(fr):
    """Nothing stands in the log of what did not happen."""
    rita = await hire(fr, "rita", "reviewer")
    before = await entries(fr)
    actor = await fr.node.staff.actor(rita)

    assert "reason_too_long" == await code_of(fr.node.staff.end(actor.id, by="test", reason="x" * 201))
    assert "unknown_staff" == await code_of(fr.node.staff.end("staff-x", by="test", reason="left"))
    assert "unknown_invitation" == await code_of(fr.node.staff.withdraw("nothing", by="test"))
    assert before == await entries(fr)


async def test_of_the_command_line_the_log_says_no_name(fr):
    """Whose shell it was stands beside the act, not in the log; an invitation is called by its id."""
    made = await fr.node.staff.invite(ASKED, by="command line: mercier")
    last = (await entries(fr))[-1]

    assert ("staff.invited", "command-line", f"i-{made.id.lower()}") == (last["act"], last["by"], last["thing"])
    assert "mercier" not in json.dumps(await entries(fr))


async def test_the_words_given_for_an_act_go_after_a_year(fr):
    """The day before they are there; the entries of the log have their own time."""
    await fr.node.staff.invite(ASKED, by="test")
    fr.network.clock.move(days=364)
    await fr.node.staff.sweep()
    before = await rows(fr.node, "select id from staff_acts")
    fr.network.clock.move(days=1)
    await fr.node.staff.sweep()

    assert 1 == len(before)
    assert [] == await rows(fr.node, "select id from staff_acts")
