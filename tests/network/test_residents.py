"""A resident abroad: what siblings are told, show and keep of somebody who is no specialist (J2.2)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from federation import render
from instance.services.dossiers.values import Findings
from instance.times import from_ms
from tests.instance.dossiers.applying import APPROVE, RENE, RITA, Applicant
from tests.network.scene import Visitor, profile_path
from tests.town import Network, Person, rows
from verification.countries import Proof

#: What one may filter by: every role there is.
CHOICES = re.compile(r"<option.*?</option>")
TITLE = "Palpitations on a night shift"


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany, which list each other."""
    return await network("fr", "de")


async def resident(town: Network, trained_until: date) -> Person:
    """Éliane, whom two reviewers have approved as a resident of cardiology, and whose case is read abroad."""
    eliane = await Applicant.begins(town["fr"].node, role="resident")
    card = {"medicine": True, "residency": True, "training_ends": trained_until, "year_ends": town.clock.now.year + 1}
    await eliane.shows(Proof.RESIDENT_CARD, **card)
    await eliane.does("submit")
    await eliane.does("take", by=RITA)
    for reviewer in (RITA, RENE):
        await eliane.is_found(reviewer, Findings(same_name=True, **card))
        await eliane.does("vote", *APPROVE, by=reviewer)
    doctor = await eliane.doctor(town["fr"])
    await doctor.posts(TITLE)
    await town.settle()
    return doctor


def words(thing: Any) -> set[str]:
    """Every text in a document, at whatever depth."""
    if isinstance(thing, dict):
        return set().union(*(words(each) for each in thing.values()))
    if isinstance(thing, list):
        return set().union(*(words(each) for each in thing))
    return {thing} if isinstance(thing, str) else set()


async def test_a_resident_is_nowhere_a_specialist(town: Network) -> None:
    """Neither in the actor and its credential, nor in what the sibling keeps, shows and gives out as JSON."""
    doctor = await resident(town, date(town.clock.now.year + 1, 6, 30))
    anna = await town["de"].doctor("anna", role="generalist")
    visitor = await Visitor.of(anna)
    pages = [
        await visitor.text("/feed?tab=all"),
        await visitor.text(f"/posts/{(await rows(town['de'].node, 'select slug from posts'))[0]['slug']}"),
        await visitor.text(profile_path(doctor, town["de"])), await visitor.text("/colleagues?specialty=cardiology"),
    ]  # fmt: skip
    shown = render.document(await town["fr"].node.people.doctor_document(doctor.handle))
    feed = [item["author"]["role"] for item in await visitor.feed_json()]
    kept = await rows(town["de"].node, f"select role, document, credential from doctors where uri = '{doctor.uri}'")
    told = words(shown) | words(orjson.loads(kept[0]["document"])) | words(orjson.loads(kept[0]["credential"]))

    assert all("Resident" in page for page in pages)
    assert [] == [page for page in pages if "Specialist" in CHOICES.sub("", page.split("<main", 1)[1])]
    assert (["resident"], "resident") == (feed, kept[0]["role"])
    assert ("resident" in told, "specialist" in told) == (True, False)


async def test_a_specialist_is_one_everywhere(town: Network) -> None:
    """The twin: the same places name the role of whoever has it."""
    lea = await town["fr"].doctor("lea", role="specialist")
    await lea.posts(TITLE)
    await town.settle()
    visitor = await Visitor.of(await town["de"].doctor("anna", role="generalist"))
    page = await visitor.text("/feed?tab=all")

    assert "Specialist" in page.split("<main", 1)[1]
    assert ["specialist"] == [item["author"]["role"] for item in await visitor.feed_json()]


async def test_a_resident_is_believed_until_the_end_of_the_training_at_most(town: Network) -> None:
    """Sixty days are left: the credential ends with them, and not after ninety like others."""
    until = town.clock.now.date() + timedelta(days=60)
    doctor = await resident(town, until)
    held = await rows(town["de"].node, f"select valid_until from doctors where uri = '{doctor.uri}'")

    assert from_ms(held[0]["valid_until"]).date() <= until + timedelta(days=1)
