"""What is known of people goes when they have left, on the day and not before; so do rows of sent mails, and drafts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from instance.services import departed
from instance.services.accounts import hashed
from instance.services.errors import Rejected
from instance.services.joining import SignUp
from instance.storage.store import Transaction
from instance.times import to_ms
from tests.factors import add_app
from tests.instance.dossiers.applying import Applicant
from tests.instance.dossiers.conftest import fr
from tests.instance.dossiers.test_retention import (
    Story,
    dies,
    drafts,
    gives_no_answer,
    is_approved,
    is_rejected,
    is_revoked,
    moves,
    submits,
    withdraws,
)
from tests.town import Place, rows

__all__ = ["fr"]
SECOND = timedelta(seconds=1)


async def leaves(fr: Place) -> Applicant:
    """A doctor who goes."""
    eliane = await is_approved(fr)
    await eliane.does("leave")
    return eliane


async def passes(fr: Place, time: timedelta) -> None:
    """Let time pass, and every chore that destroys be done."""
    fr.network.clock.now += time
    await fr.node.dossiers.tick()
    await fr.node.evidence.sweep()
    await send_all(fr)
    await departed.empty(fr.node)


async def send_all(fr: Place) -> None:
    """Let no mail wait."""
    while await fr.node.store.all("mails.for_the_desk", most=1) or await fr.node.mails.send_due():
        await fr.node.mails.send_due()
    await fr.node.store.write(lambda tx: tx.run("mails.drop_sent", before=0))


async def give(fr: Place, account: str) -> None:
    """Give an account an address, a session and an app, as somebody who signed up has; nobody lets them in any more."""
    now = to_ms(fr.node.clock())

    async def work(tx: Transaction) -> None:
        await tx.run("joining.set_address", account=account, email="eliane@example.org")
        await tx.run(
            "sessions.add", token=hashed(account), account=account, csrf="c", owes_factor=0, enrols=0,
            device="a browser", now=now, expires_at=now + 86_400_000,
        )  # fmt: skip

    await fr.node.store.write(work)
    await add_app(fr.node, account)


async def known(fr: Place, account: str) -> list[Any]:
    """What the account says of a person, and how many rows hang on it."""
    row = (await rows(fr.node, f"select login, email, password from accounts where id = '{account}'"))[0]
    hanging = [
        (await rows(fr.node, f"select count(*) from {table} where account = '{account}'"))[0][0]
        for table in ("totp", "recovery_codes", "sessions")
    ]
    return [row["login"] == f"left-{account}", row["email"], row["password"], *hanging]


EMPTY = [True, "", "", 0, 0, 0]


@pytest.mark.parametrize("story", [withdraws, leaves, is_revoked, dies, moves])
async def test_of_who_has_left_the_account_knows_nobody(fr: Place, story: Story) -> None:
    """Login, address, password, factors, sessions: at once, with the facts; the decision's pseudonym stays."""
    eliane = await story(fr)
    account = str(eliane.actor.doctor)
    await give(fr, account)
    before = await known(fr, account)
    await passes(fr, SECOND)

    assert (False, "eliane@example.org") == tuple(before[:2])
    assert EMPTY == await known(fr, account)
    assert 1 == len(await rows(fr.node, f"select id from dossiers where id = '{eliane.id}'"))


#: What a doctor keeps of posts and colleagues for themselves, and how it is written; `{}` is the doctor.
ANNA = "https://de.example/doctors/anna"
KEPT_APART: dict[str, tuple[str, dict[str, Any]]] = {
    "post_marks": ("cases.save", {"doctor": "{}", "post": "https://de.example/posts/1", "now": 1}),
    "reading_places": ("visits.put", {"doctor": "{}", "place": "all", "mark_at": 1, "seen_at": 1}),
    "mutes": ("contact.mute", {"doctor": "{}", "muted": ANNA, "now": 1}),
    "contact_rules": ("contact.put_rules", {"doctor": "{}", "follow": "near", "name": "near", "now": 1}),
    "lists": ("lists.add", {"reader": "{}", "id": "l", "name": "Heart", "folded": "heart", "now": 1}),
    "list_members": ("lists.put", {"id": "l", "doctor": ANNA, "now": 1}),
}


async def keep_apart(fr: Place, doctor: str) -> None:
    """Write one row of each for a doctor; on the list of theirs stands a colleague."""

    async def work(tx: Transaction) -> None:
        for query, values in KEPT_APART.values():
            await tx.run(query, **{name: doctor if value == "{}" else value for name, value in values.items()})

    await fr.node.store.write(work)


async def kept_apart(fr: Place) -> dict[str, int]:
    """How many rows there are of each."""
    return {table: (await rows(fr.node, f"select count(*) from {table}"))[0][0] for table in KEPT_APART}


@pytest.mark.parametrize("story", [is_approved, leaves])
async def test_what_a_doctor_kept_for_themselves_goes_with_them(fr: Place, story: Story) -> None:
    """Saved, followed and looked-at posts, places, mutes, rules, lists: nobody else saw them, nobody needs them."""
    eliane = await story(fr)
    (row,) = await rows(fr.node, f"select doctor from accounts where id = '{eliane.actor.doctor}'")
    await give(fr, str(eliane.actor.doctor))
    await keep_apart(fr, row["doctor"])
    before = await kept_apart(fr)
    await passes(fr, SECOND)

    assert dict.fromkeys(KEPT_APART, 1) == before
    assert dict.fromkeys(KEPT_APART, 0 if story is leaves else 1) == await kept_apart(fr)


@pytest.mark.parametrize("story", [submits, is_approved, is_rejected])
async def test_who_is_in_or_may_still_appeal_keeps_the_account(fr: Place, story: Story) -> None:
    """Whoever waits, is verified, or was refused and may appeal still signs in."""
    eliane = await story(fr)
    await give(fr, str(eliane.actor.doctor))
    await passes(fr, timedelta(days=20))

    assert (False, "eliane@example.org") == tuple((await known(fr, str(eliane.actor.doctor)))[:2])


async def test_a_closed_application_is_read_for_a_month(fr: Place) -> None:
    """The day before, its owner signs in and reads the outcome; then nobody is known here."""
    eliane = await gives_no_answer(fr)
    account = str(eliane.actor.doctor)
    await give(fr, account)
    await passes(fr, timedelta(days=30) - SECOND)
    before = await known(fr, account)
    await passes(fr, SECOND)

    assert (False, "eliane@example.org") == tuple(before[:2])
    assert EMPTY == await known(fr, account)


async def test_a_mail_that_waits_is_sent_first(fr: Place, monkeypatch: Any) -> None:
    """The word that an application has ended needs the address."""
    eliane = await withdraws(fr)
    account = str(eliane.actor.doctor)
    await give(fr, account)
    await fr.node.dossiers.tick()
    await send_all(fr)
    await fr.node.store.write(
        lambda tx: tx.run(
            "mails.add", id="m1", whom="applicant", account=account, country="FR", notice="withdrawn", language="en",
            at=0, address="", sealed=None,
        )
    )  # fmt: skip
    waits = await departed.empty(fr.node)
    await fr.node.store.write(lambda tx: tx.run("mails.sent", id="m1", now=1))

    assert (0, 1) == (waits, await departed.empty(fr.node))


async def test_staff_who_leave_as_doctors_keep_the_account(fr: Place) -> None:
    """It is for their work as well."""
    eliane = await leaves(fr)
    account = str(eliane.actor.doctor)
    await fr.node.store.write(lambda tx: tx.run("staff.set_roles", account=account, roles='["moderator"]'))
    await passes(fr, SECOND)

    assert not (await known(fr, account))[0]


async def test_a_draft_that_is_never_handed_in_goes_with_its_account(fr: Place) -> None:
    """Name, number, file, login: thirty days after the last change, and the log tells that it was done."""
    eliane = await drafts(fr)
    account = str(eliane.actor.doctor)
    await give(fr, account)
    await passes(fr, timedelta(days=30) - SECOND)
    before = await rows(fr.node, f"select name from dossiers where id = '{eliane.id}'")
    open_still = await known(fr, account)
    await passes(fr, SECOND)
    await passes(fr, SECOND)
    told = await rows(fr.node, "select entry from audit where entry like '%facts.erased%'")

    assert [True] == [bool(row["name"]) for row in before]
    assert not open_still[0]
    assert [] == await rows(fr.node, f"select id from dossiers where id = '{eliane.id}'")
    assert [] == await rows(fr.node, f"select id from evidence_pieces where dossier = '{eliane.id}'")
    assert [] == await rows(fr.node, "select id from sealed_values where id like 'number/%'")
    assert EMPTY == await known(fr, account)
    assert 1 == len(told)


async def test_a_draft_that_was_handed_in_meanwhile_stays(fr: Place) -> None:
    """The day of a draft is over with the draft."""
    eliane = await submits(fr)
    await passes(fr, timedelta(days=31))

    assert (await eliane.file()).dossier.submitted_at is not None


async def test_rows_of_sent_mails_go_after_thirty_days(fr: Place) -> None:
    """Not the day before; what waits has days of its own."""
    new = SignUp(
        email="eliane@example.org", password="correct horse battery", name="Éliane Marin", country="FR",
        role="specialist", specialties=("cardiology",),
    )  # fmt: skip
    await fr.node.joining.begin(new, "127.0.0.1", "en")
    await fr.node.mails.send_due()
    fr.network.clock.now += timedelta(days=30) - SECOND
    await fr.node.mails.sweep()
    before = await rows(fr.node, "select id from mails where sent_at is not null")
    fr.network.clock.now += SECOND
    await fr.node.mails.sweep()

    assert 1 == len(before)
    assert [] == await rows(fr.node, "select id from mails")


async def test_nobody_signs_in_to_an_account_that_was_emptied(fr: Place) -> None:
    """Not by the id it is called by, with no password."""
    eliane = await withdraws(fr)
    account = str(eliane.actor.doctor)
    await passes(fr, SECOND)

    with pytest.raises(Rejected) as refused:
        await fr.node.people.sign_in(f"left-{account}".lower(), "", "127.0.0.1", "")
    assert "wrong_credentials" == refused.value.code
