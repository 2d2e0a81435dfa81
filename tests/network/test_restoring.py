"""After an old back-up was put back nothing is signed until siblings were asked and somebody says that it may go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from instance.commands import check
from instance.ops import health
from instance.services.dossiers import chain, checking, segments
from instance.services.errors import Rejected
from tests.instance.dossiers.applying import RENE, RITA, Applicant
from tests.instance.dossiers.test_audit import damage
from tests.town import Network, Place, rows
from verification.audit import Fault
from verification.grounds import Ground
from verification.moves import State

REASON = "an old back-up was put back"


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany."""
    return await network("fr", "de")


async def back_up(fr: Place, folder: Path, name: str = "copy.db") -> Path:
    """A copy of the database."""
    target = folder / name
    await fr.node.store.backup(str(target))
    return target


async def put_back(fr: Place, copy: Path) -> None:
    """The drill of docs/operate/backup.md."""
    await fr.node.close()
    database = Path(fr.config.database.removeprefix("sqlite:///"))
    for ending in ("-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)
    shutil.copy(copy, database)
    fr.node.close = _closed  # type: ignore[method-assign]
    await fr.reopen()


async def _closed() -> None: ...


async def goes_on(town: Network, folder: Path) -> tuple[Applicant, Applicant, Path]:
    """One doctor is in the back-up; after it one is revoked, and the sibling is told of the log."""
    fr = town["fr"]
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    luc = await Applicant.submits(fr.node, "luc", name="Dr Luc Marin", birth_date=None)
    await fr.node.dossiers.heads.tell()
    await town.settle()
    copy = await back_up(fr, folder)
    for number in range(4):
        await Applicant.begins(fr.node, f"later{number}", birth_date=None)
    for by in (RITA, RENE):
        await eliane.does("revoke", Ground.STRUCK_OFF, by=by)
    await town.settle()
    return eliane, luc, copy


def again(fr: Place, one: Applicant) -> Applicant:
    """The same person at the instance that was opened again."""
    return Applicant(fr.node, one.account, one.id)


async def list_of(town: Network) -> tuple[int, str]:
    """What Germany is answered when it asks France for a status list."""
    from federation.signatures import Profile, sign
    from federation.uri import Uri

    fr, de = town["fr"], town["de"]
    url = Uri.parse(f"{fr.node.origin}/vc/status/revocation/1")
    key = await de.node.keys.signing_key(de.node.actor, Profile.CAVAGE)
    headers = sign("GET", url, None, key, Profile.CAVAGE, town.clock())
    answer = await fr.request("GET", url.target, {"Host": url.authority, "Accept": "application/vc", **headers})
    return answer.status, "" if answer.status == 200 else orjson.loads(answer.body)["error"]


async def test_nothing_is_signed_after_a_restore_until_it_is_said(town: Network, tmp_path: Path) -> None:
    """Back up, go on, put back, start: lists, credentials and heads stop, the rest goes on; the remedy opens them."""
    fr, de = town["fr"], town["de"]
    eliane, luc, copy = await goes_on(town, tmp_path)
    longest = await chain.head(fr.node.store)
    await put_back(fr, copy)
    shorter = await chain.head(fr.node.store)
    refused = await list_of(town)
    state, said = fr.node.dossiers.restoring.state, (await check(fr.node))["findings"]
    luc = again(fr, luc)
    await luc.does("take", by=RITA)
    await luc.is_voted(RITA)
    with pytest.raises(Rejected) as stopped:
        await luc.is_voted(RENE)
    told = await fr.node.dossiers.heads.tell()
    with pytest.raises(Rejected):
        await fr.doctor("marie")
    page = await health(fr.node)
    done = await fr.node.dossiers.restoring.resume("test", REASON, force=True)
    await town.settle()
    await luc.is_voted(RENE)

    assert longest.sequence > shorter.sequence
    assert (503, "signing_stopped") == refused
    assert "behind" == state
    assert any("esanum audit resume" in each for each in said)
    assert ("signing_stopped", 503, False) == (stopped.value.code, stopped.value.status, told)
    assert page["signing"] == "behind"
    assert State.APPROVED is (await luc.file()).dossier.state
    assert (200, "") == await list_of(town)
    assert done.lost_to == longest.sequence
    assert [] == await de.node.dossiers.heads.alarms()
    # What siblings held is behind us, and the log still holds.
    held = await fr.node.dossiers.heads.held_by_siblings()
    assert held[0].sequence > longest.sequence
    report = await fr.node.dossiers.checking.whole([longest, *held])
    assert report.broken is None
    assert [("audit_resumed", "test", REASON)] == [
        tuple(row) for row in await rows(fr.node, "select act, by_whom, reason from staff_acts where act = 'audit_resumed'")
    ]  # fmt: skip
    assert eliane.id


async def test_what_is_lost_stands_in_the_log(town: Network, tmp_path: Path) -> None:
    """A part without entries, with the head a sibling knew; one changed letter on either side of it is found."""
    fr = town["fr"]
    *_, copy = await goes_on(town, tmp_path)
    longest = await chain.head(fr.node.store)
    await put_back(fr, copy)
    own = await chain.head(fr.node.store)
    await fr.node.dossiers.restoring.resume("test", REASON, force=True)
    lost = [each for each in await segments.all_of(fr.node.store) if each.gone]
    before = await checking.recompute(fr.node.store, [longest])
    damage(fr, f"update audit_segments set last = last - 1 where first = {own.sequence + 1}")
    shifted = await checking.recompute(fr.node.store, [longest])
    damage(fr, f"update audit_segments set last = last + 1 where first = {own.sequence + 1}")
    damage(fr, f"delete from audit where n = {longest.sequence + 1}")
    untold = await checking.recompute(fr.node.store)

    assert [(own.sequence + 1, longest.sequence, "lost", own, longest)] == [
        (each.first, each.last, each.gone, each.before, each.head) for each in lost
    ]
    assert before[1] is None
    assert shifted[1] is not None
    assert untold[1] is not None
    assert Fault.GONE is untold[1].fault


async def test_a_restart_is_no_restore(town: Network, tmp_path: Path) -> None:
    """The same log as siblings know: asked once, and everything is signed as before."""
    fr = town["fr"]
    await goes_on(town, tmp_path)
    await fr.reopen()
    asking = fr.node.dossiers.restoring.state

    assert ("asking", (200, "")) == (asking, await list_of(town))
    assert "current" == fr.node.dossiers.restoring.state
    with pytest.raises(Rejected, match="not_behind"):
        await fr.node.dossiers.restoring.resume("test", REASON)


async def test_alone_and_at_the_first_start_nobody_is_waited_for(network: Any) -> None:
    """Without siblings there is nobody to ask; a log that tells of siblings alone has nothing to ask for."""
    town: Network = await network("fr", "de", introduced=False)
    fr, de = town["fr"], town["de"]
    await (await Applicant.submits(fr.node)).is_approved()
    await fr.reopen()
    alone = fr.node.dossiers.restoring.state
    await de.admits(fr)
    town.down.add("fr")
    await de.reopen()
    admitted = [json.loads(row["entry"])["act"] for row in await rows(de.node, "select entry from audit")]

    assert "current" == alone
    assert ["sibling.admitted"] == admitted
    assert await de.node.dossiers.restoring.may_sign()


async def test_a_log_that_tells_of_anybody_waits(network: Any) -> None:
    """The twin: one entry about a person, and it is asked first who knows of more."""
    town: Network = await network("fr", "de", introduced=False)
    fr = town["fr"]
    await fr.admits(town["de"])
    await Applicant.submits(fr.node)
    town.down.add("de")
    await fr.reopen()

    assert not await fr.node.dossiers.restoring.may_sign()


async def test_siblings_that_are_away_hold_nobody_up_for_ever(town: Network, tmp_path: Path) -> None:
    """The only one is away: nothing is signed for a day; then it is, and stops when that one comes back with more."""
    fr = town["fr"]
    *_, copy = await goes_on(town, tmp_path)
    town.down.add("de")
    await put_back(fr, copy)
    restoring = fr.node.dossiers.restoring
    at_once = await restoring.may_sign()
    town.clock.move(minutes=16)
    said = await restoring.findings()
    town.clock.move(hours=23, minutes=43)
    before = await restoring.may_sign()
    town.clock.move(minutes=1)
    after = await restoring.may_sign()
    town.down.clear()
    town.clock.move(hours=1)
    await restoring.tick()

    assert [False, False, True] == [at_once, before, after]
    assert "no sibling says" in said[0]
    assert "behind" == restoring.state
    town.down.add("de")
    assert "behind" == await restoring.look()


async def test_half_of_the_answers_are_enough_and_later_one(network: Any, tmp_path: Path) -> None:
    """Two of four at once; one of four after a quarter of an hour."""
    town: Network = await network("fr", "de", "es", "it", "at")
    fr = town["fr"]
    await (await Applicant.submits(fr.node)).is_approved()
    town.down |= {"es", "it"}
    await fr.reopen()
    half = await fr.node.dossiers.restoring.may_sign()
    town.down.add("at")
    await fr.reopen()
    one = await fr.node.dossiers.restoring.may_sign()
    town.clock.move(minutes=15)

    assert (True, False) == (half, one)
    assert await fr.node.dossiers.restoring.may_sign()


async def test_a_sibling_cannot_make_up_a_longer_log(network: Any) -> None:
    """Only a head with our own signature stops us: neither a number alone nor another's signature does."""
    town: Network = await network("fr", "de", "es")
    fr, de = town["fr"], town["de"]
    await (await Applicant.submits(fr.node)).is_approved()
    await fr.node.dossiers.heads.tell()
    await town.settle()
    true = (await rows(de.node, "select document from audit_heads"))[0][0]
    damage(de, "update audit_heads set sequence = 999")
    await fr.reopen()
    number = await fr.node.dossiers.restoring.may_sign()
    forged = true.replace('"sequence":', '"sequence":99').replace("/heads/", "/heads/99")
    with_document = f"update audit_heads set document = '{forged}'"
    damage(de, with_document)
    await fr.reopen()

    assert forged != true
    assert number
    assert await fr.node.dossiers.restoring.may_sign()


async def test_a_log_that_went_on_past_what_siblings_hold_is_another(town: Network, tmp_path: Path) -> None:
    """Written further after the restore than it was before: the same number with another head stops it as well."""
    fr = town["fr"]
    *_, luc, copy = await goes_on(town, tmp_path)
    longest = await chain.head(fr.node.store)
    await put_back(fr, copy)
    luc = again(fr, luc)
    await luc.does("take", by=RITA)
    while (await chain.head(fr.node.store)).sequence <= longest.sequence:
        await Applicant.begins(fr.node, f"a{(await chain.head(fr.node.store)).sequence}", birth_date=None)
    before = await fr.node.dossiers.restoring.look()
    done = await fr.node.dossiers.restoring.resume("test", REASON, force=True)
    await town.settle()

    assert "behind" == before
    assert 0 == done.lost_to
    assert "current" == await fr.node.dossiers.restoring.look()
    assert (200, "") == await list_of(town)
    assert (await fr.node.dossiers.checking.whole(await fr.node.dossiers.heads.held_by_siblings())).broken is None


async def test_an_order_needs_a_reason(town: Network, tmp_path: Path) -> None:
    """Nothing is done without one."""
    fr = town["fr"]
    *_, copy = await goes_on(town, tmp_path)
    await put_back(fr, copy)
    with pytest.raises(Rejected, match="reason_missing"):
        await fr.node.dossiers.restoring.resume("test", " ")

    assert "behind" == await fr.node.dossiers.restoring.look()


async def test_a_changed_list_brings_the_head_along(town: Network, tmp_path: Path) -> None:
    """A sibling that reads a revocation knows a log with the revocation in it: no hour in which a restore goes unseen."""
    fr, de = town["fr"], town["de"]
    await goes_on(town, tmp_path)
    known = await rows(de.node, "select sequence from audit_heads")

    assert [((await chain.head(fr.node.store)).sequence,)] == [tuple(row) for row in known]
