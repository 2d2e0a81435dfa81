"""Files of the vault and dossiers: shown with a piece, the same twice is a hit, destroyed on the dossier's day."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image

from instance.kek import KekRotation
from instance.services.errors import Missing, Rejected
from instance.storage.store import Transaction
from instance.times import to_ms
from tests.instance.dossiers.applying import ADMIN, APPROVE, RENE, RITA, RPPS, Applicant
from tests.town import Place, rows
from verification.countries import Proof
from verification.moves import AnnexKind, State


def picture(shade: int = 200) -> bytes:
    """A made-up page."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, shade, shade)).save(stream, "PNG")
    return stream.getvalue()


async def shown(eliane: Applicant, shade: int = 200) -> str:
    """A piece with a file; the file's id."""
    piece = await eliane.shows()
    file = await eliane.node.evidence.put(eliane.id, "diploma", "image/png", picture(shade))
    await eliane.node.dossiers.attach(eliane.id, eliane.actor, piece, file.id)
    return str(file.id)


async def destroyed_on(eliane: Applicant, file: str) -> Any:
    """When a file goes."""
    return (await eliane.node.evidence.get(file)).destroy_at


async def test_files_are_kept_while_somebody_looks_and_go_thirty_days_after(fr: Place) -> None:
    """No day while it waits; thirty days after the approval; then nothing opens it, and the log says so."""
    eliane = await Applicant.begins(fr.node)
    file = await shown(eliane)
    await eliane.does("submit")
    waiting = await destroyed_on(eliane, file)
    await eliane.is_approved()
    approved = await destroyed_on(eliane, file)
    fr.network.clock.move(days=30, seconds=1)
    await fr.node.evidence.sweep()
    with pytest.raises(Rejected) as gone:
        await fr.node.evidence.get(file)

    assert waiting is None
    assert fr.network.clock.now - timedelta(seconds=1) == approved
    assert "evidence_gone" == gone.value.code
    assert "evidence.erased" == (await fr.node.dossiers.history(eliane.id))[-1].act


async def test_files_of_a_renewal_go_by_the_renewal(fr: Place) -> None:
    """While it is not decided they stay, and thirty days after they go; the application's go by their own day."""
    eliane = await Applicant.begins(fr.node)
    first = await shown(eliane)
    await eliane.does("submit")
    await eliane.is_approved()
    day = await destroyed_on(eliane, first)
    fr.network.clock.move(days=10)
    second = await shown(eliane, 100)
    annex = (await eliane.does("hand_in", AnnexKind.RENEWAL)).annexes[0].id
    open_ = await destroyed_on(eliane, second)
    await eliane.does("take_annex", annex, by=RITA)
    for by in (RITA, RENE):
        await eliane.is_found(by)
        await eliane.does("vote_annex", annex, *APPROVE, by=by)

    assert open_ is None
    assert day == await destroyed_on(eliane, first)
    assert fr.network.clock.now + timedelta(days=30) == await destroyed_on(eliane, second)


async def test_leaving_destroys_at_once(fr: Place) -> None:
    """Whoever takes an application back leaves no file."""
    eliane = await Applicant.begins(fr.node)
    await shown(eliane)
    await eliane.does("submit")
    await eliane.does("withdraw")
    await fr.node.evidence.sweep()

    assert [] == await fr.node.evidence.files(eliane.id)


async def test_the_same_file_twice_is_a_hit(fr: Place) -> None:
    """Shown under two accounts; another picture is none."""
    one = await Applicant.begins(fr.node)
    await shown(one)
    other = await Applicant.begins(fr.node, "luc", name="Dr Luc Marin", birth_date=None)
    await shown(other)
    third = await Applicant.begins(fr.node, "ana", name="Dr Ana Roy", birth_date=None)
    await shown(third, 50)
    dossier = await other.does("submit")

    assert [(one.id, "file")] == [(hit.dossier, hit.same) for hit in await fr.node.dossiers.hits(other.id)]
    assert dossier.open_hit
    assert () == await fr.node.dossiers.hits(third.id)


async def test_a_file_of_another_dossier_is_not_attached(fr: Place) -> None:
    """Neither somebody else's file nor somebody else's piece."""
    one, other = await Applicant.begins(fr.node), await Applicant.begins(fr.node, "luc", name="Dr Luc Marin")
    file = await shown(one)
    piece = await other.shows()

    with pytest.raises(Missing):
        await fr.node.dossiers.attach(other.id, other.actor, piece, file)
    with pytest.raises(Missing):
        await fr.node.dossiers.attach(one.id, other.actor, piece, file)


def between(eliane: Applicant, *doing: str) -> None:
    """Let the applicant do this after the next look at the dossier, and before what follows from it."""
    dossiers = eliane.node.dossiers
    look = dossiers._own

    async def then(*values: Any) -> Any:
        dossiers._own = look
        file = await look(*values)
        for what in doing:
            await eliane.does(what)
        return file

    dossiers._own = then


async def test_a_file_that_comes_after_the_submit_is_not_attached(fr: Place) -> None:
    """Nobody is shown something else than what was handed in: refused also when both come in the same moment."""
    eliane = await Applicant.begins(fr.node)
    piece = await eliane.shows()
    kept = await fr.node.evidence.put(eliane.id, "diploma", "image/png", picture())
    between(eliane, "submit")
    with pytest.raises(Missing):
        await fr.node.dossiers.attach(eliane.id, eliane.actor, piece, kept.id)

    assert State.SUBMITTED is (await eliane.file()).dossier.state
    assert () == (await eliane.file()).pieces[0].files


async def test_a_piece_is_not_taken_back_after_the_submit(fr: Place) -> None:
    """What was handed in stays, its file with it; what still waits goes."""
    eliane = await Applicant.begins(fr.node)
    file = await shown(eliane)
    (piece,) = (await eliane.file()).pieces
    between(eliane, "submit")
    with pytest.raises(Missing):
        await fr.node.dossiers.drop_piece(eliane.id, eliane.actor, piece.id)
    other = await Applicant.begins(fr.node, "luc", name="Dr Luc Marin", birth_date=None)
    await fr.node.dossiers.drop_piece(other.id, other.actor, await other.shows())

    assert (file,) == (await eliane.file()).pieces[0].files
    assert () == (await other.file()).pieces


async def test_a_file_that_is_being_destroyed_is_not_attached(fr: Place) -> None:
    """Neither claimed nor gone; one that is there is."""
    eliane = await Applicant.begins(fr.node)
    piece = await eliane.shows()
    claimed, gone, there = [
        await fr.node.evidence.put(eliane.id, "diploma", "image/png", picture(shade)) for shade in (1, 2, 3)
    ]
    await fr.node.evidence.destroy(gone.id, "request")

    async def claim(tx: Transaction) -> None:
        await tx.run("evidence.claim", id=claimed.id, now=to_ms(claimed.destroy_at))

    await fr.node.store.write(claim)
    for file in (claimed, gone):
        with pytest.raises(Missing):
            await fr.node.dossiers.attach(eliane.id, eliane.actor, piece, file.id)
    for _ in range(2):
        await fr.node.dossiers.attach(eliane.id, eliane.actor, piece, there.id)

    assert (there.id,) == (await eliane.file()).pieces[0].files


async def viewed(eliane: Applicant, file: str, by: Any = RITA) -> str:
    """What somebody is recorded to look at a file for; or the refusal."""
    try:
        await eliane.node.dossiers.record_view(eliane.id, by, file)
    except Missing:
        return "missing"
    except Rejected as refusal:
        return refusal.code
    return str((await eliane.node.dossiers.history(eliane.id))[-1].reason)


async def test_a_view_is_recorded_with_what_it_is_for(fr: Place) -> None:
    """Only the dossier's own files, only while they are looked at, only for whoever may judge."""
    eliane = await Applicant.begins(fr.node)
    first = await shown(eliane)
    draft = await viewed(eliane, first)
    await eliane.does("submit")
    await eliane.does("take", by=RITA)
    loose = await fr.node.evidence.put(eliane.id, "diploma", "image/png", picture(9))
    luc = await Applicant.begins(fr.node, "luc", name="Dr Luc Marin", birth_date=None)
    others = await shown(luc, 80)
    review = [await viewed(eliane, first), await viewed(eliane, others), await viewed(eliane, loose.id)]
    admin = await viewed(eliane, first, ADMIN)
    await eliane.is_voted(RITA)
    second = await viewed(eliane, first, RENE)
    await eliane.is_voted(RENE)
    after = await viewed(eliane, first)

    assert "missing" == draft
    assert ["first-review", "missing", "missing"] == review
    assert "not_yours" == admin
    assert "second-review" == second
    assert "missing" == after


async def test_a_view_of_a_renewal_is_of_its_own_files(fr: Place) -> None:
    """While it is not decided, and of no other file of the dossier."""
    eliane = await Applicant.begins(fr.node)
    first = await shown(eliane)
    await eliane.does("submit")
    await eliane.is_approved()
    second = await shown(eliane, 100)
    waiting = await viewed(eliane, second)
    annex = (await eliane.does("hand_in", AnnexKind.RENEWAL)).annexes[0].id
    await eliane.does("take_annex", annex, by=RITA)
    found = [await viewed(eliane, second), await viewed(eliane, first)]
    await eliane.is_found(RITA)
    await eliane.does("vote_annex", annex, *APPROVE, by=RITA)
    later = await viewed(eliane, second, RENE)
    await eliane.is_found(RENE)
    await eliane.does("vote_annex", annex, *APPROVE, by=RENE)

    assert "missing" == waiting
    assert ["first-review", "missing"] == found
    assert "second-review" == later
    assert "missing" == await viewed(eliane, second)


async def test_numbers_open_under_the_next_key(fr: Place) -> None:
    """After a rotation of the key-encryption key nothing is sealed under the old one, and numbers still compare."""
    eliane = await Applicant.begins(fr.node)
    await eliane.shows(Proof.ATTESTATION, number_kind="rpps", number=RPPS)
    before = await rows(fr.node, "select substr(content, 1, 5) as head from sealed_values")
    await KekRotation(fr.node).run()
    after = await rows(fr.node, "select substr(content, 1, 5) as head from sealed_values")
    await fr.reopen()
    again = await Applicant.begins(fr.node, "again", name="Dr Luc Marin", birth_date=None)
    await again.shows(Proof.ATTESTATION, number_kind="rpps", number=RPPS)
    piece = (await fr.node.dossiers.file(eliane.id)).pieces[0]

    assert {bytes(row[0]) for row in before}.isdisjoint(bytes(row[0]) for row in after)
    assert RPPS == piece.number.value
    assert ["number"] == [hit.same for hit in await fr.node.dossiers.hits(again.id)]
