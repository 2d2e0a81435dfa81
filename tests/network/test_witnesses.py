"""What siblings say of our log counts by what they can show: who holds it, who is not believed, what was looked at."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from federation.uri import Uri
from instance.commands import audit_lost, audit_verify
from instance.services.dossiers import chain
from instance.services.errors import Rejected
from tests.instance.dossiers.applying import RENE, RITA, Applicant
from tests.instance.dossiers.test_audit import damage
from tests.network.test_restoring import REASON, again, back_up, goes_on, put_back
from tests.town import Network, Place, rows
from verification import statuslist
from verification.grounds import Ground


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany."""
    return await network("fr", "de")


# ── what counts as an answer ──


def reads_anew(place: Place, statement: str) -> None:
    """Change what an instance knows of its siblings, so that it is read again."""
    damage(place, statement)
    damage(place, "update versions set value = value + 1 where name = 'allowlist'")


OTHER_PIN = "update siblings set instance_keys = '[\"sha256:" + "0" * 64 + "\"]'"


@pytest.mark.parametrize("shut", [OTHER_PIN, "update siblings set policy = 'pause'"])
async def test_being_shut_out_is_no_answer(town: Network, tmp_path: Path, shut: str) -> None:
    """A sibling that answers 403 says nothing of what it holds: after our key was changed since, it holds more."""
    fr, de = town["fr"], town["de"]
    *_, copy = await goes_on(town, tmp_path)
    reads_anew(de, shut)
    await put_back(fr, copy)

    assert "asking" == await fr.node.dossiers.restoring.look()
    assert (False, None) == await _said(fr)


async def test_who_does_not_list_us_holds_none_unless_it_did(town: Network) -> None:
    """One that has not added us yet keeps nobody waiting; one that held a head and has removed us does."""
    fr, de = town["fr"], town["de"]
    await (await Applicant.submits(fr.node)).is_approved()
    reads_anew(de, "update siblings set origin = 'https://es.example', actor = 'https://es.example/actor',"
                   " inbox = 'https://es.example/inbox'")  # fmt: skip
    await fr.reopen()
    not_yet = await fr.node.dossiers.restoring.look()
    reads_anew(de, "update siblings set origin = 'https://fr.example', actor = 'https://fr.example/actor',"
                   " inbox = 'https://fr.example/inbox'")  # fmt: skip
    await fr.node.dossiers.heads.tell()
    await town.settle()
    await fr.node.dossiers.restoring.look()
    reads_anew(de, "delete from siblings")
    await fr.reopen()

    assert ("current", "asking") == (not_yet, await fr.node.dossiers.restoring.look())


async def _said(fr: Place) -> tuple[bool, Any]:
    held = await fr.node.dossiers.heads.held_by(next(iter(fr.node.allowlist())))
    return held.answered, held.proof


async def test_who_held_a_head_and_says_none_is_not_believed(town: Network) -> None:
    """A sibling that never held one may say so; one that did has lost it, and is asked again for a day."""
    fr, de = town["fr"], town["de"]
    await (await Applicant.submits(fr.node)).is_approved()
    await fr.reopen()
    never = await fr.node.dossiers.restoring.look()
    await fr.node.dossiers.heads.tell()
    await town.settle()
    holds = await fr.node.dossiers.restoring.look()
    damage(de, "delete from audit_heads")
    await fr.reopen()
    lost = await fr.node.dossiers.restoring.look()
    town.clock.move(days=1)

    assert ("current", "current", "asking") == (never, holds, lost)
    assert "current" == await fr.node.dossiers.restoring.look()


async def test_who_never_held_a_head_is_no_witness_beside_one_who_did(network: Any) -> None:
    """The one that held it is away: that another never did is not half of the answers."""
    town: Network = await network("fr", "de", "es")
    fr = town["fr"]
    await (await Applicant.submits(fr.node)).is_approved()
    await fr.node.dossiers.heads.tell()
    await town.settle()
    damage(town["es"], "delete from audit_heads")
    await fr.node.dossiers.restoring.look()
    damage(
        fr, "update settings set value = replace(value, ', \"https://es.example\"', '') where name = 'audit witnesses'"
    )
    town.down.add("de")
    await fr.reopen()
    away = await fr.node.dossiers.restoring.look()
    town.down.clear()

    assert "asking" == away
    assert "current" == await fr.node.dossiers.restoring.look()


async def test_a_head_of_our_own_log_needs_no_signature(town: Network) -> None:
    """Whoever names a hash of ours knows our log: after the issuer key was changed nobody waits for a day."""
    fr, de = town["fr"], town["de"]
    await (await Applicant.submits(fr.node)).is_approved()
    await fr.node.dossiers.heads.tell()
    await town.settle()
    damage(de, "update audit_heads set document = ''")
    await fr.reopen()

    assert "current" == await fr.node.dossiers.restoring.look()


async def test_an_allowlist_that_cannot_be_read_is_not_nobody(town: Network, tmp_path: Path) -> None:
    """Nothing is signed while it cannot be read; as soon as it can, those who stand in it are asked."""
    fr = town["fr"]
    *_, copy = await goes_on(town, tmp_path)
    with contextlib.closing(sqlite3.connect(copy)) as file, file:
        file.execute("update siblings set inbox = 'https://elsewhere.example/inbox'")
    await put_back(fr, copy)
    restoring = fr.node.dossiers.restoring
    unread = restoring.state, await restoring.may_sign()
    town.clock.move(days=2)
    for_days = await restoring.look()
    reads_anew(fr, "update siblings set inbox = 'https://de.example/inbox'")
    await fr.node.allowlist.refresh_if_changed()
    await restoring.tick()

    assert ("asking", False) == unread
    assert "asking" == for_days
    assert "behind" == restoring.state


async def test_a_changed_allowlist_is_asked_at_once(network: Any, tmp_path: Path) -> None:
    """A back-up from before there were siblings: alone it signs, and stops with the sibling that knows more."""
    town: Network = await network("fr", "de", introduced=False)
    fr, de = town["fr"], town["de"]
    await (await Applicant.submits(fr.node)).is_approved()
    copy = await back_up(fr, tmp_path)
    await fr.admits(de)
    await de.admits(fr)
    await Applicant.begins(fr.node, "later", birth_date=None)
    await fr.node.dossiers.heads.tell()
    await town.settle()
    await Applicant.begins(fr.node, "later2", birth_date=None)
    await fr.node.dossiers.heads.tell()
    await town.settle()
    longest = await chain.head(fr.node.store)
    await put_back(fr, copy)
    alone = fr.node.dossiers.restoring.state
    await fr.admits(de)
    await fr.node.dossiers.restoring.tick()

    assert longest.sequence > (await chain.head(fr.node.store)).sequence
    assert ("current", "behind") == (alone, fr.node.dossiers.restoring.state)


# ── what was looked at once ──


async def goes_on_in_steps(town: Network, folder: Path) -> tuple[Path, list[Any]]:
    """A back-up, and the heads that Germany was told after it, one after the other."""
    fr, de = town["fr"], town["de"]
    await (await Applicant.submits(fr.node)).is_approved()
    await fr.node.dossiers.heads.tell()
    await town.settle()
    copy, told = await back_up(fr, folder), []
    for number in range(3):
        town.clock.move(minutes=1)
        await Applicant.begins(fr.node, f"later{number}", birth_date=None)
        await fr.node.dossiers.heads.tell()
        await town.settle()
        told += [tuple(row) for row in await rows(de.node, "select sequence, hash, document from audit_heads")]
    town.clock.move(minutes=1)
    await put_back(fr, copy)
    return copy, told


def shows(de: Place, told: Any) -> None:
    """Have Germany show one of the heads it was told."""
    sequence, hashed, document = told
    damage(de, f"update audit_heads set sequence = {sequence}, hash = x'{hashed.hex()}', document = '{document}'")


async def test_one_order_is_for_every_head_of_that_time(town: Network, tmp_path: Path) -> None:
    """A sibling that shows one of them after the other stops us once; what was signed later stops us again."""
    fr, de = town["fr"], town["de"]
    _, told = await goes_on_in_steps(town, tmp_path)
    shows(de, told[0])
    first = await fr.node.dossiers.restoring.look()
    await fr.node.dossiers.restoring.resume("test", REASON)
    states = []
    for each in told:
        shows(de, each)
        states.append(await fr.node.dossiers.restoring.look())
    await fr.reopen()
    after_a_start = await fr.node.dossiers.restoring.look()

    assert "behind" == first
    assert ["current"] * 3 == states
    assert "current" == after_a_start
    verified = await audit_verify(fr.node, [])
    assert verified["broken"] is None
    assert [("https://de.example", told[-1][0], "acknowledged")] == [
        (each["sibling"], each["sequence"], each["why"]) for each in verified["claims"]
    ]


async def test_what_is_signed_after_the_order_counts(town: Network, tmp_path: Path) -> None:
    """A second restore is seen as the first was: the order was for its own time."""
    fr = town["fr"]
    await goes_on_in_steps(town, tmp_path)
    await fr.node.dossiers.restoring.resume("test", REASON)
    await town.settle()
    copy = await back_up(fr, tmp_path, "second.db")
    town.clock.move(minutes=1)
    await Applicant.begins(fr.node, "later9", birth_date=None)
    await fr.node.dossiers.heads.tell()
    await town.settle()
    await put_back(fr, copy)

    assert "behind" == await fr.node.dossiers.restoring.look()


async def test_the_time_of_a_head_cannot_be_made_up(town: Network, tmp_path: Path) -> None:
    """An earlier time in the document breaks our signature: it says nothing, and nobody is held up by it for ever."""
    fr, de = town["fr"], town["de"]
    _, told = await goes_on_in_steps(town, tmp_path)
    sequence, hashed, document = told[-1]
    forged = document.replace('"validFrom":"2026', '"validFrom":"2025')
    shows(de, (sequence, hashed, forged))

    assert forged != document
    assert (True, None) == await _said(fr)
    assert "asking" == await fr.node.dossiers.restoring.look()


async def test_a_number_without_a_signature_does_not_break_the_log(town: Network) -> None:
    """`audit verify` counts what is signed; the rest is named beside it."""
    fr, de = town["fr"], town["de"]
    await (await Applicant.submits(fr.node)).is_approved()
    await fr.node.dossiers.heads.tell()
    await town.settle()
    counted = await audit_verify(fr.node, [])
    damage(de, "update audit_heads set sequence = 999999, document = ''")
    claimed = await audit_verify(fr.node, [])

    assert (None, 1, []) == (counted["broken"], counted["held"], counted["claims"])
    assert (None, 0) == (claimed["broken"], claimed["held"])
    assert [{"sibling": "https://de.example", "sequence": 999999, "why": "unsigned"}] == claimed["claims"]


# ── revocations that are lost ──


async def test_who_was_revoked_is_named_before_it_is_signed(town: Network, tmp_path: Path) -> None:
    """Siblings hold our lists: `resume` refuses while one they saw revoked is not, and says who; then it goes on."""
    fr = town["fr"]
    eliane, _, copy = await goes_on(town, tmp_path)
    doctor = (await eliane.doctor(fr)).uri
    await put_back(fr, copy)
    lost = await audit_lost(fr.node)
    with pytest.raises(Rejected) as refused:
        await fr.node.dossiers.restoring.resume("test", REASON)
    for by in (RITA, RENE):
        await again(fr, eliane).does("revoke", Ground.STRUCK_OFF, by=by)
    after = await audit_lost(fr.node)
    await fr.node.dossiers.restoring.resume("test", REASON)

    assert [{"doctor": doctor, "purpose": "revocation", "sibling": "https://de.example"}] == lost
    assert ("revocations_lost", 409, "current") == (
        refused.value.code, refused.value.status, fr.node.dossiers.restoring.state
    )  # fmt: skip
    assert [] == after


async def test_the_order_can_be_forced_and_a_suspension_alone_needs_none(town: Network, tmp_path: Path) -> None:
    """Whoever was suspended is named and keeps nobody from going on; a claim of revocation can be overruled."""
    fr, de = town["fr"], town["de"]
    eliane, _, copy = await goes_on(town, tmp_path)
    doctor = (await eliane.doctor(fr)).uri
    suspended = await _bits_of(fr, doctor)
    damage(de, "update sibling_lists set bits = zeroblob(16384) where purpose = 'revocation'")
    damage(de, f"update sibling_lists set bits = x'{suspended.hex()}' where purpose = 'suspension'")
    await de.node.directory.lists.load()
    await put_back(fr, copy)
    lost = await audit_lost(fr.node)
    await fr.node.dossiers.restoring.resume("test", REASON)

    assert [(doctor, "suspension")] == [(each["doctor"], each["purpose"]) for each in lost]


async def test_a_claim_of_revocation_can_be_overruled(town: Network, tmp_path: Path) -> None:
    """What a sibling says of our lists carries no signature of ours: with `--force` it stops nobody."""
    fr = town["fr"]
    *_, copy = await goes_on(town, tmp_path)
    await put_back(fr, copy)
    await fr.node.dossiers.restoring.resume("test", REASON, force=True)

    assert "current" == fr.node.dossiers.restoring.state


async def _bits_of(fr: Place, doctor: str) -> bytes:
    place = await fr.node.own_status.place_of(Uri.parse(doctor))
    return statuslist.with_bit(statuslist.blank(), place.index, True)
