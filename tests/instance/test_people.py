"""Doctors of this instance: added, renewed, suspended, and what siblings may believe of them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import timedelta
from typing import Any

import pytest

from instance.services.doctors import renewal_due
from instance.services.errors import Forbidden, Missing, Rejected
from instance.services.people import CODES, NewDoctor
from instance.times import to_ms
from tests.town import NOON, PASSWORD, Network, Person, rows
from verification.credential import LIFE


def new(**changes: Any) -> NewDoctor:
    """A made-up doctor."""
    values = {
        "handle": "marie.curie", "name": "Dr Marie Curie", "role": "specialist", "country": "FR",
        "specialties": ("cardiology",), "password": PASSWORD, **changes,
    }  # fmt: skip
    return NewDoctor(**values)


async def known_abroad(network: Any) -> tuple[Network, Person]:
    """France and Germany, and Marie in France, whom Germany knows by a case of hers."""
    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")
    await marie.posts("Known")
    await town.settle()
    return town, marie


async def test_a_new_doctor_is_shown_with_keys_and_a_credential_bound_to_them(network):
    """What siblings read of a new doctor carries both keys, and a credential that names the Ed25519 key."""
    fr = (await network("fr"))["fr"].node

    uri, password = await fr.people.add_doctor(new(password=None), by="admin")
    document = await fr.people.doctor_document("marie.curie")

    assert f"{fr.origin}/doctors/marie.curie" == uri
    assert len(password) >= 24
    assert [f"{uri}#main-key"] == [key.id for key in document.public_keys]
    assert [method.key for method in document.assertion_methods] == document.credential["credentialSubject"]["actorKey"]
    assert "marie.curie@fr.example" == document.webfinger


async def test_the_credential_lives_ninety_days(network):
    """A credential ends ninety days after it was issued."""
    fr = (await network("fr"))["fr"].node
    await fr.people.add_doctor(new(), by="admin")

    credential = (await fr.people.doctor_document("marie.curie")).credential

    assert (NOON + LIFE).strftime("%Y-%m-%dT%H:%M:%SZ") == credential["validUntil"]


async def test_adding_is_recorded(network):
    """Who added a doctor stays on the record."""
    fr = (await network("fr"))["fr"].node
    uri, _ = await fr.people.add_doctor(new(), by="admin")

    assert [("doctor_added", "admin", uri)] == [
        tuple(row) for row in await rows(fr, "select act, by_whom, subject from staff_acts")
    ]


async def test_two_who_are_added_at_once_do_not_share_a_handle(network):
    """A handle that is taken is refused, and nothing of the second doctor is kept."""
    fr = (await network("fr"))["fr"].node
    await fr.people.add_doctor(new(), by="admin")

    with pytest.raises(Rejected) as refused:
        await fr.people.add_doctor(new(name="Dr Another"), by="admin")

    assert ("handle_taken", "handle") == (refused.value.code, refused.value.field)
    assert 1 == len(await rows(fr, "select uri from doctors"))
    assert 1 == len(await rows(fr, "select id from accounts"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"handle": "Marie"}, "bad_handle"),
        ({"handle": "m"}, "bad_handle"),
        ({"handle": "m/../x"}, "bad_handle"),
        ({"handle": "a" * 32}, "bad_handle"),
        ({"handle": "marie\n"}, "bad_handle"),
        ({"name": "123"}, "bad_name"),
        ({"role": "wizard"}, "bad_role"),
        ({"role": "student"}, "role_not_allowed"),
        ({"country": "DE"}, "country_not_allowed"),
        ({"specialties": ()}, "bad_specialties"),
        ({"specialties": ("cardiology",) * 2}, "bad_specialties"),
        ({"specialties": ("astrology",)}, "bad_specialties"),
        ({"assurance": "certain"}, "bad_assurance"),
        ({"languages": ("french",)}, "bad_language"),
        ({"roles": ("king",)}, "bad_staff_role"),
        ({"password": "short"}, "password_too_short"),
        ({"password": "passwordpassword"}, "password_common"),
        ({"password": "marie.curie-2026"}, "password_common"),
        ({"password": "x" * 129}, "password_too_long"),
    ],
)
async def test_a_doctor_who_cannot_be_is_refused(network, changes, code):
    """Each field that cannot be so is named by its code."""
    fr = (await network("fr"))["fr"].node

    with pytest.raises(Rejected) as refused:
        await fr.people.add_doctor(new(**changes), by="admin")

    assert code == refused.value.code
    assert code in CODES
    assert [] == await rows(fr, "select uri from doctors")


async def test_marks_are_taken_out_of_a_name(network):
    """A check mark typed into a name is not kept: the mark stands outside of it."""
    fr = (await network("fr"))["fr"].node
    await fr.people.add_doctor(new(name="Dr Marie Curie ✔"), by="admin")

    assert "Dr Marie Curie" == (await fr.people.doctor_document("marie.curie")).name


async def test_credentials_are_renewed_after_two_thirds_of_their_life(network):
    """The new credential and the Update for every sibling are one transaction; the sibling believes it."""
    town, _ = await known_abroad(network)
    town.clock.move(days=66)

    renewed = await town["fr"].node.people.renew_due()
    again = await town["fr"].node.people.renew_due()
    await town.settle()
    there = await rows(town["de"].node, "select standing, valid_until from doctors")

    assert (1, 0) == (renewed, again)
    assert [("ok", to_ms(town.clock() + LIFE))] == [tuple(row) for row in there]


async def test_one_who_cannot_be_renewed_keeps_no_other_from_it(network):
    """A row that is spoilt costs one credential, not the whole country's."""
    town = await network("fr")
    fr = town["fr"]
    for handle in ("anne", "marie", "zoe"):
        await fr.doctor(handle)
    with sqlite3.connect(fr.node.config.database.removeprefix("sqlite:///")) as spoilt:
        spoilt.execute("update doctors set role = 'nonsense' where handle = 'anne'")
    town.clock.move(days=66)

    assert 2 == await fr.node.people.renew_due()


async def test_a_young_credential_is_left_alone(network):
    """Before two thirds of its life, less the jitter, nothing is renewed."""
    town = await network("fr", "de")
    await town["fr"].doctor("marie")
    town.clock.move(days=55)

    assert 0 == await town["fr"].node.people.renew_due()
    assert [] == await rows(town["fr"].node, "select id from deliveries")


async def test_no_credential_outlives_the_day_of_the_next_verification(network):
    """Close to that day a credential is shorter than ninety days, and after it none is issued."""
    town = await network("fr")
    marie = await town["fr"].doctor("marie")
    due = NOON + timedelta(days=730)
    town.clock.now = due - timedelta(days=10)

    renewed = await town["fr"].node.people.renew_due()
    row = (await rows(town["fr"].node, f"select valid_until from doctors where uri = '{marie.uri}'"))[0]
    town.clock.now = due + timedelta(days=1)

    assert 1 == renewed
    assert to_ms(due) == row["valid_until"]
    assert 0 == await town["fr"].node.people.renew_due()


def test_renewals_are_spread():
    """Credentials issued in one second do not come due in one second."""
    begun = to_ms(NOON)
    moments = set()
    for number in range(40):
        row = {
            "uri": f"https://fr.example/doctors/d{number}",
            "valid_from": begun,
            "valid_until": begun + 90 * 86_400_000,
            "placed": 1,
        }
        hours = next(hour for hour in range(2160) if renewal_due(row, NOON + timedelta(hours=hour)))
        moments.add(hours)

    assert len(moments) > 20
    assert min(moments) >= (2 / 3 - 0.05) * 2160 - 1
    assert max(moments) <= (2 / 3 + 0.05) * 2160 + 1


async def test_a_suspended_doctor_is_silenced_everywhere(network):
    """Sessions end, what waits is dropped, siblings read the actor anew and find no credential."""
    town, marie = await known_abroad(network)
    fr = town["fr"].node
    begun = await fr.people.sign_in("marie", PASSWORD, "127.0.0.1")
    await marie.posts("Still waiting")

    await fr.people.suspend("marie", by="admin", reason="register says so")
    await town.settle()
    there = await rows(town["de"].node, "select standing from doctors")

    assert await fr.people.session(begun.token) is None
    assert (await fr.people.doctor_document("marie")).credential is not None  # what it is worth, the list says
    assert ["suspended"] == [row["standing"] for row in there]
    assert ["Known"] == await town["de"].titles()
    with pytest.raises(Forbidden) as refused:
        await marie.posts("Not any more")
    assert "suspended" == refused.value.code


async def test_a_reinstated_doctor_is_heard_again(network):
    """A new credential is issued, siblings read it, and the doctor's words travel again."""
    town, marie = await known_abroad(network)
    fr = town["fr"].node
    await fr.people.suspend("marie", by="admin", reason="by mistake")
    await town.settle()
    town.clock.move(minutes=5)

    await fr.people.reinstate("marie", by="admin", reason="it was a mistake")
    await town.settle()
    await marie.posts("Back")
    await town.settle()

    assert ["Known", "Back"] == await town["de"].titles()
    assert ["ok"] == [row["standing"] for row in await rows(town["de"].node, "select standing from doctors")]


async def test_a_withdrawal_of_a_suspended_doctor_waits_instead_of_being_lost(network):
    """What was withdrawn before the suspension is withdrawn abroad after the reinstatement."""
    town = await network("fr", "de")
    fr, marie = town["fr"].node, await town["fr"].doctor("marie")
    slug = await marie.posts("To be withdrawn")
    await town.settle()
    await fr.publishing.withdraw(marie.uri, slug)
    await fr.people.suspend("marie", by="admin", reason="by mistake")
    await town.settle()
    before = await town["de"].titles()
    town.clock.move(minutes=5)
    await fr.people.reinstate("marie", by="admin", reason="it was a mistake")
    town.clock.move(minutes=5)
    await town.settle()

    assert ["To be withdrawn"] == before
    assert [] == await town["de"].titles()


@pytest.mark.parametrize(
    ("handle", "reason", "expected"), [("marie", " ", "reason_missing"), ("nobody", "x", "not_found")]
)
async def test_a_suspension_needs_a_reason_and_a_doctor(network, handle, reason, expected):
    """Without a reason, or for nobody, nothing changes."""
    fr = (await network("fr"))["fr"]
    await fr.doctor("marie")

    with pytest.raises(Rejected) as refused:
        await fr.node.people.suspend(handle, by="admin", reason=reason)

    assert expected == refused.value.code
    assert ["ok"] == [row["standing"] for row in await rows(fr.node, "select standing from doctors")]


async def test_who_is_not_suspended_cannot_be_reinstated(network):
    """Reinstating is for the suspended alone."""
    fr = (await network("fr"))["fr"]
    await fr.doctor("marie")

    with pytest.raises(Rejected) as refused:
        await fr.node.people.reinstate("marie", by="admin", reason="x")

    assert "not_suspended" == refused.value.code


async def test_new_keys_are_bound_by_a_new_credential(network):
    """A rotation shows old and new keys, both named by a credential that siblings believe."""
    town, marie = await known_abroad(network)
    fr = town["fr"].node
    town.clock.move(minutes=1)

    await fr.people.rotate_keys("marie", by="admin", reason="laptop lost")
    document = await fr.people.doctor_document("marie")
    await town.settle()
    town.clock.move(minutes=11)
    await marie.posts("With the new key")
    await town.settle()

    assert 2 == len(document.public_keys)
    assert {method.key for method in document.assertion_methods} == set(
        document.credential["credentialSubject"]["actorKey"]
    )
    assert ["Known", "With the new key"] == await town["de"].titles()


async def test_nobody_is_served_where_nobody_is(network):
    """There is no document of a doctor who is not here, whatever the handle looks like."""
    fr = (await network("fr"))["fr"].node

    for handle in ("nobody", "", "../actor", "a b"):
        with pytest.raises(Missing):
            await fr.people.doctor_document(handle)


async def test_a_profile_is_kept_clean_and_told(network):
    """What doctors say of themselves is sanitised, and siblings learn of it."""
    town, marie = await known_abroad(network)
    town.clock.move(minutes=1)

    await town["fr"].node.people.set_profile(marie.uri, "**Heart** <script>x</script>", ("fr", "en"), True)
    await town.settle()
    there = (await rows(town["de"].node, "select summary, languages from doctors"))[0]

    assert "<strong>Heart</strong>" in there["summary"]
    assert "<script" not in there["summary"]
    assert ["fr", "en"] == json.loads(there["languages"])


async def test_what_was_typed_can_be_mended(network):
    """The text of a profile is kept as it was typed, so that the form shows it again."""
    fr = (await network("fr"))["fr"]
    marie = await fr.doctor("marie")
    await fr.node.people.set_profile(marie.uri, "**Heart** & rhythm", ("fr",), False)
    kept = await rows(fr.node, "select summary, summary_source from doctors")

    assert [("<p><strong>Heart</strong> &amp; rhythm</p>", "**Heart** & rhythm")] == [tuple(row) for row in kept]


@pytest.mark.parametrize(
    ("summary", "languages", "code", "field"),
    [
        ("x" * 2_001, (), "summary_too_long", "summary"),
        ("- a\n\n" * 400, (), "summary_too_long", "summary"),
        ("", ("french",), "bad_language", "languages"),
        ("", tuple(f"a{letter}" for letter in "abcdefghijk"), "too_many_languages", "languages"),
    ],
)
async def test_a_profile_that_siblings_would_not_take_is_refused(network, summary, languages, code, field):
    """Too long as typed, or as HTML; no language; more than ten: nothing is kept and nobody told."""
    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")

    with pytest.raises(Rejected) as refused:
        await town["fr"].node.people.set_profile(marie.uri, summary, languages, False)

    assert (code, field) == (refused.value.code, refused.value.field)
    assert code in CODES
    assert [("", '["en"]')] == [
        tuple(row) for row in await rows(town["fr"].node, "select summary, languages from doctors")
    ]
    assert [] == await rows(town["fr"].node, "select id from deliveries")


async def test_without_standing_nobody_speaks_of_themselves(network):
    """Suspended, or past the end of the credential: the profile stays as it was."""
    town = await network("fr")
    marie, paul = await town["fr"].doctor("marie"), await town["fr"].doctor("paul")
    people = town["fr"].node.people
    await people.suspend("marie", by="admin", reason="register says so")
    with pytest.raises(Forbidden) as suspended:
        await people.set_profile(marie.uri, "Still here", (), False)
    town.clock.move(days=101)
    with pytest.raises(Forbidden) as expired:
        await people.set_profile(paul.uri, "Still here", (), False)

    assert ("suspended", "expired") == (suspended.value.code, expired.value.code)
    assert [""] * 2 == [row["summary"] for row in await rows(town["fr"].node, "select summary from doctors")]


async def test_a_profile_and_a_renewal_at_once_tell_the_newest_credential(network):
    """Whichever of the two commits last, what siblings are told last carries the credential that counts."""
    town, marie = await known_abroad(network)
    town.clock.move(days=66)
    people = town["fr"].node.people
    await asyncio.gather(people.renew_due(), people.set_profile(marie.uri, "Heart", ("fr",), False))
    await people.renew_due()
    await town.settle()
    here, there = [
        (await rows(town[place].node, "select valid_until, summary from doctors"))[0] for place in ("fr", "de")
    ]

    assert (to_ms(town.clock() + LIFE), "<p>Heart</p>") == tuple(here)
    assert tuple(here) == tuple(there)
