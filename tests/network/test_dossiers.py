"""From an application to a doctor whom siblings believe, and back again: the whole way, across instances."""

from __future__ import annotations

from typing import Any

import pytest

from instance.services.errors import Forbidden
from tests.doorway import a_create, says
from tests.instance.dossiers.applying import ADMIN, APPROVE, REMY, RENE, RITA, ROSE, Applicant, application
from tests.network.scene import without_trace
from tests.town import Network, Person, Place, rows
from verification.countries import Proof
from verification.grounds import Ground
from verification.moves import AnnexKind, State


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany, which list each other."""
    return await network("fr", "de")


@pytest.fixture
def de(town: Network) -> Place:
    """The sibling that believes or does not."""
    return town["de"]


async def applied(town: Network) -> tuple[Applicant, Person]:
    """Éliane, whom two reviewers have approved, and whom Germany knows."""
    eliane = await Applicant.submits(town["fr"].node)
    await eliane.is_approved()
    doctor = await eliane.doctor(town["fr"])
    await town.settle()
    await doctor.posts("Made-up case")
    await town.settle()
    return eliane, doctor


async def known(place: Place, doctor: Person) -> Any:
    """How a sibling stands to a doctor."""
    found = await rows(place.node, f"select name, role, assurance, standing from doctors where uri = '{doctor.uri}'")
    return tuple(found[0]) if found else None


async def test_two_reviewers_and_the_sibling_believes(town: Network, de: Place) -> None:
    """Nothing of an applicant is abroad; once approved the doctor is known there, with role and assurance."""
    eliane = await Applicant.submits(town["fr"].node)
    await town.settle()
    nobody = await rows(de.node, "select uri from doctors")
    await eliane.is_approved()
    doctor = await eliane.doctor(town["fr"])
    await doctor.posts("Syncope after exercise")
    await town.settle()

    assert [] == nobody
    assert ["Syncope after exercise"] == await de.titles()
    assert ("Dr Éliane Vauquelin", "generalist", "substantial", "ok") == await known(de, doctor)


async def test_suspended_at_home_refused_abroad_within_a_minute(town: Network, de: Place) -> None:
    """An administrator suspends; the push takes the standing away abroad, and her messages are refused there."""
    eliane, doctor = await applied(town)
    await eliane.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)
    town.clock.move(seconds=30)
    await town.settle()

    assert "suspended" == (await known(de, doctor))[3]
    await without_trace(de, lambda: says(doctor, de, a_create(doctor)), 403, "suspended", reads=3)
    with pytest.raises(Forbidden):
        await doctor.posts("Refused")


async def test_every_push_lost_the_list_tells_within_twenty_minutes(town: Network, de: Place) -> None:
    """Where no message arrives, the sibling reads the list by itself."""
    eliane, doctor = await applied(town)
    town.down.add("de")
    await eliane.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)
    await town.settle()
    town.down.discard("de")
    town.clock.move(minutes=16)
    await de.node.directory.lists.poll_due()

    assert "suspended" == (await known(de, doctor))[3]


async def test_lifted_by_two_she_speaks_again(town: Network, de: Place) -> None:
    """One who proposes lifts nothing; the second does, and her next case is read abroad."""
    eliane, doctor = await applied(town)
    await eliane.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)
    await town.settle()
    town.clock.move(minutes=2)
    await eliane.does("lift", Ground.CLEARED, by=RITA)
    await town.settle()
    proposed = await known(de, doctor)
    await eliane.does("lift", Ground.CLEARED, by=RENE)
    await town.settle()
    await doctor.posts("Back again")
    await town.settle()

    assert "suspended" == proposed[3]
    assert "ok" == (await known(de, doctor))[3]
    assert "Back again" in await de.titles()


async def test_revoked_by_two_for_good(town: Network, de: Place) -> None:
    """One proposes, another agrees for the same reason; abroad the mark is gone, at home every session."""
    eliane, doctor = await applied(town)
    await town["fr"].node.people.sign_in("eliane", "a-long-enough-passphrase", "", "")
    await eliane.does("revoke", Ground.STRUCK_OFF, by=ADMIN)
    await town.settle()
    proposed = await known(de, doctor)
    dossier = await eliane.does("revoke", Ground.STRUCK_OFF, by=RITA)
    await town.settle()

    assert "ok" == proposed[3]
    assert State.REVOKED is dossier.state
    assert "revoked" == (await known(de, doctor))[3]
    assert [] == await rows(town["fr"].node, "select token from sessions")
    assert [(1, 0)] == [
        tuple(row) for row in await rows(town["fr"].node, "select revoked, suspended from status_places")
    ]


async def test_expired_then_renewed(town: Network, de: Place) -> None:
    """Past the day she is silent at home and not believed abroad; two reviewers later she is."""
    eliane, doctor = await applied(town)
    day = (await eliane.file()).dossier.reverify_on
    assert day is not None
    for _ in range(8):
        town.clock.now += (day - town.clock.now) / 3
        for place in town.places.values():
            await place.node.workers.housekeep()
        await town.settle()
    town.clock.now = day
    town.clock.move(minutes=10)
    await town["fr"].node.dossiers.tick()
    await town.settle()
    with pytest.raises(Forbidden):
        await doctor.posts("Too late")
    gone = await town["fr"].node.people.doctor_document(doctor.handle)
    await eliane.shows()
    await eliane.does("renew_expired")
    await eliane.is_approved()
    await doctor.posts("Again")
    await town.settle()

    assert gone.credential is None
    assert "Again" in await de.titles()
    assert "ok" == (await known(de, doctor))[3]


async def test_a_renewal_in_time_is_a_new_credential(town: Network, de: Place) -> None:
    """Handed in while it still runs, decided by two: the day moves, and siblings are told."""
    eliane, doctor = await applied(town)
    before = (await eliane.file()).dossier.reverify_on
    town.clock.move(days=40)
    await eliane.shows()
    annex = (await eliane.does("hand_in", AnnexKind.RENEWAL)).annexes[0].id
    await eliane.does("take_annex", annex, by=RITA)
    for by in (RITA, RENE):
        await eliane.is_found(by)
        await eliane.does("vote_annex", annex, *APPROVE, by=by)
    await town.settle()
    until = await rows(de.node, f"select valid_from from doctors where uri = '{doctor.uri}'")

    assert before is not None
    assert (await eliane.file()).dossier.reverify_on > before
    assert town.clock.now.timestamp() * 1000 == until[0][0]


async def test_rejected_appealed_and_believed(town: Network, de: Place) -> None:
    """Two reject, she appeals, two others approve: then, and only then, is there somebody abroad."""
    eliane = await Applicant.submits(town["fr"].node)
    await eliane.is_rejected()
    await eliane.does("appeal")
    await town.settle()
    nobody = await rows(de.node, "select uri from doctors")
    await eliane.does("take", by=REMY)
    await eliane.is_voted(REMY)
    await eliane.is_voted(ROSE)
    doctor = await eliane.doctor(town["fr"])
    await doctor.posts("After all")
    await town.settle()

    assert [] == nobody
    assert ["After all"] == await de.titles()


async def test_nothing_of_the_dossier_leaves_home(town: Network) -> None:
    """Neither number nor e-mail, evidence or reviewer is in any byte that is sent."""
    eliane = await Applicant.begins(town["fr"].node)
    await eliane.shows(Proof.ATTESTATION, number_kind="rpps", number="10001234565")
    await eliane.shows()
    await eliane.does("submit")
    await eliane.is_approved()
    doctor = await eliane.doctor(town["fr"])
    await doctor.posts("Made up")
    await town.settle()
    sent = b"".join(bytes(row[0]) for row in await rows(town["fr"].node, "select body from activities"))

    assert b"liane Vauquelin" in sent
    for secret in (b"10001234565", b"mail.example", b"staff-1", b"attestation", eliane.id.encode(), b"1980"):
        assert secret not in sent


async def test_whoever_comes_back_with_a_new_dossier_is_believed_again(town: Network, de: Place) -> None:
    """Her old place stays revoked; abroad she is gone when she leaves, and back with the new credential."""
    eliane, doctor = await applied(town)
    await eliane.does("leave")
    await town.settle()
    gone = await known(de, doctor)
    town.clock.move(days=1)
    node = town["fr"].node
    again = Applicant(node, eliane.account, await node.dossiers.open(eliane.account, application()))
    await again.shows()
    await again.does("submit")
    await again.is_approved()
    await town.settle()
    await doctor.posts("Back with a new dossier")
    await town.settle()

    assert "revoked" == gone[3]
    assert "ok" == (await known(de, doctor))[3]
    assert "Back with a new dossier" in await de.titles()
