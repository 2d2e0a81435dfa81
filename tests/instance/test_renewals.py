"""Credentials issued anew: all that are due, on an order for a cohort, and what is left when it is interrupted."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation.integrity import BadProof, check_proof, write_multikey
from instance.services import doctors, renewals
from instance.services.errors import Rejected
from instance.services.renewals import Cohort, Done
from instance.times import to_ms
from tests.instance.dossiers.applying import Applicant
from tests.town import Network, Place, rows

ORDER = ("test", "the issuer key was rolled")
HANDLES = tuple(f"doctor{number:02}" for number in range(11))


@pytest.fixture
async def fr(town: Network, monkeypatch: pytest.MonkeyPatch) -> Place:
    """France with eleven doctors; pages, batches and rests are small."""
    for name, value in {"PAGE": 4, "AT_ONCE": 2, "ORDERED": 2, "REST": 0.0}.items():
        monkeypatch.setattr(renewals, name, value)
    for handle in HANDLES:
        await town["fr"].doctor(handle)
    town.clock.move(minutes=1)
    return town["fr"]


def change(place: Place, statement: str, *values: object) -> None:
    """Change rows beside the server."""
    with sqlite3.connect(place.config.database.removeprefix("sqlite:///")) as file:
        file.execute(statement, values)


async def begun(fr: Place) -> dict[str, int]:
    """Since when each doctor's credential holds."""
    return {row["handle"]: row["valid_from"] for row in await rows(fr.node, "select handle, valid_from from doctors")}


async def renewed(fr: Place) -> set[str]:
    """Whose credentials were issued now."""
    return {handle for handle, at in (await begun(fr)).items() if at == to_ms(fr.node.clock().replace(microsecond=0))}


async def written(fr: Place) -> tuple[int, int]:
    """How many audit entries tell of a credential, and how many Updates of doctors were queued."""
    entries = [json.loads(row["entry"])["act"] for row in await rows(fr.node, "select entry from audit")]
    updates = await rows(
        fr.node, "select id from deliveries d join activities a on a.uri = d.activity where a.type = 'Update'"
    )
    return entries.count("credential.issued"), len(updates)


async def code_of(attempt: Any) -> str:
    """The code an attempt is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    return refused.value.code


def with_another_key(fr: Place) -> str:
    """Put another issuer key in force; return the public half of the one before."""
    before = str(fr.node.keys.issuer_multikey)
    fr.node.keys.issuer = Ed25519PrivateKey.generate()
    return before


# ── what is due ──


async def test_everything_that_is_due_is_renewed_at_once(fr, town):
    """However many pages that takes; each with an audit entry and an Update for each sibling."""
    town.clock.move(days=66)
    number = await fr.node.people.renew_due()

    assert len(HANDLES) == number
    assert set(HANDLES) == await renewed(fr)
    assert (len(HANDLES), len(HANDLES)) == await written(fr)
    assert 0 == await fr.node.people.renew_due()


def test_an_idle_process_renews_fast_and_a_busy_one_yields():
    """By five milliseconds a doctor: 83,000 in half an hour, or a twentieth of the time and less; never an end."""
    idle = 83_000 * (0.005 + renewals.rest(0.005, late=0.0008))
    busy = renewals.rest(0.005, late=0.004) / 0.005

    assert idle < 1_800
    assert busy > 30
    assert renewals.rest(0.005, late=0.002) < renewals.rest(0.005, late=0.003)
    assert 5.0 == renewals.rest(0.005, late=60.0)


async def test_renewals_yield_where_the_process_is_late(fr, town):
    """The same two pages take their time where others wait for their turn."""
    town.clock.move(days=66)
    fr.node.workers._late.extend([0.002] * 40)
    began = time.monotonic()
    number = await fr.node.people.renew_due()

    assert len(HANDLES) == number
    assert time.monotonic() - began > 6 * 0.05


async def test_a_doctor_of_the_desk_is_named_by_the_dossier(fr, town):
    """The entry holds the pseudonym, and neither a name nor an address."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    town.clock.move(days=66)
    await fr.node.people.renew_due()
    entries = [json.loads(row["entry"]) for row in await rows(fr.node, "select entry from audit order by n")]

    assert [eliane.id] == [
        each["dossier"] for each in entries if each["act"] == "credential.issued" and "dossier" in each
    ]
    assert "vauquelin" not in json.dumps(entries)


async def test_those_who_are_not_due_yet_hide_nobody(fr, town, monkeypatch):
    """Ten end a little earlier and have the later jitter: the eleventh is found behind them."""
    last = f"{fr.node.origin}/doctors/{HANDLES[-1]}"
    change(fr, "update doctors set valid_until = valid_until - 60000 where uri <> ?", last)
    whole = doctors.renewal_due
    monkeypatch.setattr(doctors, "renewal_due", lambda row, now: row["uri"] == last and whole(row, now))
    town.clock.move(days=66)

    assert 1 == await fr.node.people.renew_due()
    assert {HANDLES[-1]} == await renewed(fr)


async def test_what_was_interrupted_is_whole_and_the_rest_is_renewed_later(fr, town, monkeypatch):
    """The audit log fails in the third transaction: nothing of that one is kept, the first two are."""
    town.clock.move(days=66)
    whole, calls = renewals.record, 0

    async def fails(*given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise OSError("made to fail")
        await whole(*given)

    monkeypatch.setattr(renewals, "record", fails)
    with pytest.raises(OSError, match="made to fail"):
        await fr.node.people.renew_due()
    first = await renewed(fr), await written(fr)
    await fr.reopen()
    rest = await fr.node.people.renew_due()

    assert (4, (4, 4)) == (len(first[0]), first[1])
    assert len(HANDLES) - 4 == rest
    assert (len(HANDLES), len(HANDLES)) == await written(fr)


async def test_the_loop_and_the_chores_go_on_beside_it(fr, town, monkeypatch):
    """With a rest after each few, whoever else works is served in between; and a chore is done meanwhile."""
    monkeypatch.setattr(renewals, "REST", 1.0)
    town.clock.move(days=66)
    turns = 0

    async def counts() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(counts())
    await fr.node.workers.start()
    async with asyncio.timeout(5):
        while await renewed(fr) != set(HANDLES):
            await asyncio.sleep(0.005)
    beside.cancel()
    await fr.node.workers.stop()

    assert turns > 10 * len(HANDLES)


async def test_a_profile_that_changes_meanwhile_is_read_again(fr, town, monkeypatch):
    """What the doctor has just said of herself is not taken back by what siblings are told."""
    town.clock.move(days=66)
    whole, uri = renewals.Renewals._made, f"{fr.node.origin}/doctors/{HANDLES[0]}"
    said = False

    async def says_first(self: Any, row: Any) -> Any:
        nonlocal said
        ready = await whole(self, row)
        if not said and row["uri"] == uri:
            said = True
            await fr.node.people.set_profile(uri, "Heart", ("fr",), False)
        return ready

    monkeypatch.setattr(renewals.Renewals, "_made", says_first)

    assert len(HANDLES) == await fr.node.people.renew_due()
    last = (await rows(fr.node, f"select body from activities where object = '{uri}' order by uri desc limit 1"))[0]
    assert b"Heart" in bytes(last["body"])


async def test_renewals_end_where_signing_stops(fr, town, monkeypatch):
    """A sibling shows a longer log while they are under way: the next two are not signed, nor the rest of an order."""
    town.clock.move(days=66)
    stopped: list[int] = []
    keep = fr.node.people.renewals._renew

    async def stops_after(rows: Any, order: Any = None) -> int:
        done: int = await keep(rows, order)
        fr.node.dossiers.restoring._to("behind")
        stopped.append(done)
        return done

    monkeypatch.setattr(fr.node.people.renewals, "_renew", stops_after)
    silently = await fr.node.people.renewals.renew_due()
    fr.node.dossiers.restoring._to("current")
    ordered = await code_of(fr.node.people.renewals.renew(Cohort(all=True), *ORDER))
    monkeypatch.undo()
    fr.node.dossiers.restoring._to("current")

    assert (2, "signing_stopped", [2, 2]) == (silently, ordered, stopped)
    # The same order goes on where it was stopped.
    assert Done(renewed=11, of=11) == await fr.node.people.renewals.renew(Cohort(all=True), *ORDER)


# ── an order ──


async def test_after_a_roll_of_the_key_those_of_the_old_one_are_issued_anew(fr, town):
    """Everybody whom the key in force has not signed for; the same order again finds nobody."""
    with_another_key(fr)
    await fr.node.people.rotate_keys(HANDLES[3], *ORDER)
    before = await written(fr)
    done = await fr.node.people.renewals.renew(Cohort(), *ORDER)
    again = await fr.node.people.renewals.renew(Cohort(), *ORDER)
    for row in await rows(fr.node, "select uri, credential from doctors"):
        check_proof(json.loads(row["credential"]), fr.node.keys.issuer.public_key())

    number = len(HANDLES)
    assert Done(renewed=number - 1, kept=1, failed=0, of=number) == done
    assert Done(renewed=0, kept=number, failed=0, of=number) == again
    assert (before[0] + number - 1, before[1] + number - 1) == await written(fr)


async def test_only_what_one_key_has_signed(fr, town):
    """The twin of all: a key that has signed nothing changes nothing."""
    old = with_another_key(fr)
    stranger = write_multikey(Ed25519PrivateKey.generate().public_key())
    nobody = await fr.node.people.renewals.renew(Cohort(signed_with=stranger), *ORDER)
    theirs = await fr.node.people.renewals.renew(Cohort(signed_with=old), *ORDER)
    later = await fr.node.people.renewals.renew(Cohort(signed_with=old), *ORDER)

    assert (0, len(HANDLES), 0) == (nobody.renewed, theirs.renewed, later.renewed)


async def test_all_of_one_country(fr, town):
    """Doctors of another country, and those who are suspended, keep what they have."""
    change(fr, "update doctors set country = 'DE' where handle = ?", HANDLES[0])
    await fr.node.people.suspend(HANDLES[1], *ORDER)
    town.clock.move(minutes=1)
    done = await fr.node.people.renewals.renew(Cohort(country="FR", all=True), *ORDER)

    assert len(HANDLES) - 2 == done.renewed
    assert set(HANDLES[2:]) == await renewed(fr)


async def test_an_order_that_was_interrupted_goes_on(fr, town, monkeypatch):
    """Killed in the middle: the same order takes up behind the last transaction; another begins at its own beginning."""
    whole, calls = renewals.record, 0

    async def fails(*given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise OSError("made to fail")
        await whole(*given)

    monkeypatch.setattr(renewals, "record", fails)
    with pytest.raises(OSError, match="made to fail"):
        await fr.node.people.renewals.renew(Cohort(all=True), *ORDER)
    first = await renewed(fr)
    await fr.reopen()
    town.clock.move(minutes=1)
    done = await fr.node.people.renewals.renew(Cohort(all=True), *ORDER)
    second = await renewed(fr)
    town.clock.move(minutes=1)
    another = await fr.node.people.renewals.renew(Cohort(all=True), *ORDER)

    assert (set(HANDLES[:4]), set(HANDLES[4:])) == (first, second)
    assert Done(renewed=len(HANDLES), kept=0, failed=0, of=len(HANDLES)) == done
    assert len(HANDLES) == another.renewed


async def test_one_for_whom_nothing_can_be_issued_is_counted(fr, town):
    """Their verification has run out: the others are renewed, and the old credential is no younger."""
    change(fr, "update reverifications set due_at = 1 where doctor like ?", f"%/{HANDLES[5]}")
    done = await fr.node.people.renewals.renew(Cohort(all=True), *ORDER)

    assert (len(HANDLES) - 1, 1) == (done.renewed, done.failed)
    assert set(HANDLES) - {HANDLES[5]} == await renewed(fr)


async def test_who_was_not_renewed_is_told_by_an_id(logged, fr):
    """By the dossier, and where there is none by the account: the address of a doctor is a name, and in no line."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    uri = str((await eliane.file()).doctor)
    change(
        fr, "update reverifications set due_at = 1 where doctor in (?, ?)", uri, f"{fr.node.origin}/doctors/doctor05"
    )
    done = await fr.node.people.renewals.renew(Cohort(all=True), *ORDER)
    told = [each for each in logged() if each["event"] == "not_renewed"]
    account = await fr.node.store.one("people.account_of_doctor", doctor=f"{fr.node.origin}/doctors/doctor05")

    assert 2 == done.failed
    assert {eliane.id, f"a-{account['id'].lower()}"} == {each.get("dossier") or each.get("id") for each in told}
    assert [] == [each for each in logged() if "/doctors/" in json.dumps(each) or "vauquelin" in json.dumps(each)]


@pytest.mark.parametrize(
    ("cohort", "reason", "code"),
    [
        (Cohort(), " ", "reason_missing"), (Cohort(country="XX"), "r", "country_not_allowed"),
        (Cohort(signed_with="vc-1"), "r", "bad_key"), (Cohort(all=True, signed_with="z6Mk"), "r", "one_or_the_other"),
    ],
)  # fmt: skip
async def test_what_cannot_be_ordered(fr, cohort, reason, code):
    """Nothing is issued, and nothing recorded."""
    assert code == await code_of(fr.node.people.renewals.renew(cohort, "test", reason))
    assert (0, 0) == await written(fr)
    assert [] == await rows(fr.node, "select id from staff_acts where act = 'credentials_renewal_ordered'")


async def test_two_orders_at_once_are_one(fr):
    """The second is told; the first goes on."""
    first = asyncio.create_task(fr.node.people.renewals.renew(Cohort(all=True), *ORDER))
    await asyncio.sleep(0)

    assert "renewal_under_way" == await code_of(fr.node.people.renewals.renew(Cohort(), *ORDER))
    assert len(HANDLES) == (await first).renewed


async def test_what_the_stolen_key_signed_no_longer_holds_at_home(fr):
    """The twin: before the order the new key vouches for nobody."""
    with_another_key(fr)
    row = (await rows(fr.node, "select credential from doctors limit 1"))[0]

    with pytest.raises(BadProof):
        check_proof(json.loads(row["credential"]), fr.node.keys.issuer.public_key())
