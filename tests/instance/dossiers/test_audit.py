"""The audit log: chained with the acts it tells of, recomputed on demand, its heads held by siblings."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from instance.services.dossiers import chain, checking
from instance.services.errors import Rejected
from instance.storage.store import Transaction
from tests.instance.dossiers.applying import APPROVE, RITA, Applicant
from tests.town import Network, Place, refused, rows
from verification.audit import Fault, Head


def damage(place: Place, *statements: str) -> None:
    """Change rows behind the product's back."""
    with sqlite3.connect(place.config.database.removeprefix("sqlite:///")) as connection:
        for statement in statements:
            connection.execute(statement)


async def found(place: Place, *held: Head) -> tuple[int, Fault] | None:
    """Where the log is broken."""
    _, broken = await checking.recompute(place.node.store, held)
    return None if broken is None else (broken.at, broken.fault)


async def a_log(place: Place) -> Head:
    """A log of an application that was approved."""
    await (await Applicant.submits(place.node)).is_approved()
    return await chain.head(place.node.store)


async def test_every_move_and_vote_is_in_the_log(fr: Place) -> None:
    """By codes and ids; no name is in it."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    acts = [(line.act, line.by) for line in await fr.node.dossiers.history(eliane.id)]
    text = "".join(row[0] for row in await rows(fr.node, "select entry from audit"))

    assert [
        ("dossier.draft", "applicant"), ("dossier.submitted", "applicant"), ("dossier.in_review", "staff-1"),
        ("findings.kept", "staff-1"), ("vote.cast", "staff-1"), ("dossier.second_review", "staff-1"),
        ("findings.kept", "staff-2"), ("vote.cast", "staff-2"),
        ("dossier.approved", "staff-2"),
    ] == acts  # fmt: skip
    assert await found(fr) is None
    assert "liane" not in text


async def test_what_is_refused_leaves_no_entry(fr: Place) -> None:
    """An entry stands for an act that was carried out."""
    eliane = await Applicant.submits(fr.node)
    before = await chain.head(fr.node.store)
    with pytest.raises(Rejected):
        await eliane.does("vote", *APPROVE, by=RITA)

    assert before == await chain.head(fr.node.store)


async def test_a_flipped_bit_is_found(fr: Place) -> None:
    """One letter of one entry, or one bit of one hash."""
    await a_log(fr)
    damage(fr, "update audit set entry = replace(entry, 'staff-1', 'staff-9') where n = 3")
    changed = await found(fr)
    damage(fr, "update audit set entry = replace(entry, 'staff-9', 'staff-1') where n = 3")
    mended = await found(fr)
    damage(fr, "update audit set hash = zeroblob(32) where n = 5")

    assert ((3, Fault.CHANGED), None) == (changed, mended)
    assert (5, Fault.CHANGED) == await found(fr)


async def test_a_deleted_row_is_found(fr: Place) -> None:
    """Numbers do not leave one out."""
    await a_log(fr)
    damage(fr, "delete from audit where n = 4")

    assert (4, Fault.MISSING) == await found(fr)


async def test_exchanged_rows_are_found(fr: Place) -> None:
    """An entry under another's number is not that entry."""
    await a_log(fr)
    damage(
        fr, "update audit set n = 1000 where n = 2", "update audit set n = 2 where n = 3",
        "update audit set n = 3 where n = 1000",
    )  # fmt: skip

    assert (2, Fault.UNREADABLE) == await found(fr)


async def test_a_cut_tail_is_found_by_a_head_that_others_hold(fr: Place) -> None:
    """The log itself does not know how long it was."""
    head = await a_log(fr)
    damage(fr, f"delete from audit where n > {head.sequence - 2}")

    assert await found(fr) is None
    assert (head.sequence - 1, Fault.CUT) == await found(fr, head)


async def test_a_log_written_anew_is_found(fr: Place) -> None:
    """Another head of the same number that somebody holds says so."""
    head = await a_log(fr)

    assert (head.sequence, Fault.FORKED) == await found(fr, Head(head.sequence, bytes(32)))
    assert await found(fr, head) is None


async def test_pages_of_the_log_follow_each_other(fr: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log longer than what is read at once is one chain; held heads are looked for in the right page."""
    head = await a_log(fr)
    monkeypatch.setattr(checking, "PAGE", 2)
    whole = await found(fr, head)
    damage(fr, "update audit set entry = replace(entry, 'staff-1', 'staff-9') where n = 3")

    assert whole is None
    assert (3, Fault.CHANGED) == await found(fr)


async def test_two_at_once_make_one_chain(fr: Place) -> None:
    """Entries of units that run together follow each other."""
    import asyncio

    now = fr.node.clock()

    async def add(number: int) -> None:
        async def work(tx: Transaction) -> None:
            await chain.append(tx, "key.made", now, f"staff-{number}")

        await fr.node.store.write(work)

    await asyncio.gather(*(add(number) for number in range(1, 21)))

    last, broken = await checking.recompute(fr.node.store)

    assert (20, None) == (last.sequence, broken)


# ── siblings ──


async def test_a_sibling_keeps_our_head_and_a_cut_tail_is_found_by_it(network: Any) -> None:
    """Told once an hour, kept abroad, asked for when the log is verified."""
    town: Network = await network("fr", "de")
    fr, de = town["fr"], town["de"]
    head = await a_log(fr)
    first = await fr.node.dossiers.heads.tell()
    await town.settle()
    again = await fr.node.dossiers.heads.tell()
    held = await fr.node.dossiers.heads.held_by_siblings()
    damage(fr, f"delete from audit where n = {head.sequence}")

    assert (True, False) == (first, again)
    assert [head] == held
    assert (head.sequence, Fault.CUT) == await found(fr, *held)
    assert [] == await de.node.dossiers.heads.alarms()


async def test_a_log_that_goes_back_raises_an_alarm_and_blocks_nobody(network: Any) -> None:
    """After a restore the log is shorter: the sibling says so, keeps what it held, and goes on believing."""
    town: Network = await network("fr", "de")
    fr, de = town["fr"], town["de"]
    head = await a_log(fr)
    await fr.node.dossiers.heads.tell()
    await town.settle()
    damage(
        fr, f"delete from audit where n > {head.sequence - 1}", "delete from settings where name = 'audit head told'"
    )
    town.clock.move(hours=1)
    await fr.node.dossiers.heads.tell()
    await town.settle()

    assert [fr.node.actor] == await de.node.dossiers.heads.alarms()
    assert [(head.sequence,)] == [tuple(row) for row in await rows(de.node, "select sequence from audit_heads")]
    assert de.node.allowlist().find(fr.node.origin).policy == "inherit"


@pytest.mark.parametrize("target", ["/audit/heads/1", "/audit/held", "/audit/heads/0", "/audit/heads/x"])
async def test_strangers_read_no_head(fr: Place, target: str) -> None:
    """Without a sibling's signature there is nothing to see."""
    await a_log(fr)
    answer = await fr.request("GET", target, {"Host": fr.node.authority, "Accept": "application/vc"})

    assert 401 == answer.status
    assert "not_signed" == refused(answer)[1]


@pytest.mark.parametrize("text", ["", "1", "x sha256:" + "0" * 64, "1 sha256:00", "-1 sha256:" + "0" * 64])
def test_what_is_no_head_is_refused(text: str) -> None:
    """A head is a number and a hash."""
    with pytest.raises(Rejected) as caught:
        chain.read_text(text)

    assert "bad_head" == caught.value.code


def test_a_head_is_read_as_it_is_printed() -> None:
    """What `esanum audit verify` prints can be given back to it."""
    head = Head(7, bytes(range(32)))

    assert head == chain.read_text(f"{head.sequence} {head}")
