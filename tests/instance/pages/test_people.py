"""Colleagues as pages: lists, the card, the rules, own lists searched, what is suggested and why."""

from __future__ import annotations

import re

import pytest

from verification import standing
from verification.dossier import Role
from verification.standing import Action

ANNA = "/doctors/anna.weber@de.localhost:8002"


async def test_a_list_is_made_named_filled_and_deleted(house):
    """Each step leads on and is said once; a name that is taken comes back with what was typed."""
    marie = await house.doctor("marie")
    await marie.get("/lists")
    made = await marie.post("/lists", name="Herzteam")
    place = made.headers["location"]
    said = await marie.text(place)
    again = await marie.post("/lists", name="herzteam")

    assert 303 == made.status_code
    assert "The list is made." in said
    assert 409 == again.status_code
    assert 'value="herzteam"' in (await again.get_data()).decode()
    await marie.post(f"{ANNA}/list", list=place.removeprefix("/lists/"))
    assert "Dr. Anna Weber" in await marie.text(place)
    assert 303 == (await marie.post(f"{place}/rename", name="Rhythmus")).status_code
    assert "1 doctor" in await marie.text("/lists")
    await marie.post(f"{ANNA}/unlist", list=place.removeprefix("/lists/"))
    assert "Nobody is on this list yet." in await marie.text(place)
    assert 303 == (await marie.post(f"{place}/delete")).status_code
    assert 404 == (await marie.get(place)).status_code
    assert 404 == (await marie.post(f"{place}/burn")).status_code


async def test_the_card_holds_an_address_and_no_key(house):
    """A drawn code, the link and the handle; nothing in it that opens anything."""
    marie = await house.doctor("marie")
    page = await marie.text("/me/card")

    assert "<svg" in page
    assert "@marie@fr.localhost:8001" in page
    assert "http://fr.localhost:8001/doctors/marie" in page
    assert "?" not in re.findall(r"fr\.localhost:8001/doctors/marie([^<]*)<", page)[0]


async def test_the_rules_are_kept_as_chosen(house):
    """What was chosen is checked when the page is opened again; what is none of the answers changes nothing."""
    marie = await house.doctor("marie")
    await marie.get("/me/contact")
    assert 303 == (await marie.post("/me/contact", follow="near", name="nobody")).status_code
    wrong = await marie.post("/me/contact", follow="friends", name="nobody")
    page = await marie.text("/me/contact")

    assert 422 == wrong.status_code
    assert re.search(r'name="follow" value="near" checked', page)
    assert re.search(r'name="name" value="nobody" checked', page)


async def test_who_is_muted_stands_on_a_list_and_comes_off_it(house):
    """Muting is said on the profile, undone from the list, and touches neither follow nor profile."""
    marie = await house.doctor("marie")
    await marie.get(ANNA)
    assert 303 == (await marie.post(f"{ANNA}/mute")).status_code
    assert "You have muted this doctor." in await marie.text(ANNA)
    assert "Dr. Anna Weber" in await marie.text("/colleagues/muted")
    assert "Dr. Anna Weber" not in await marie.text("/colleagues/muted?q=zzz")
    assert 303 == (await marie.post(f"{ANNA}/unmute")).status_code
    assert "You have not muted anybody." in await marie.text("/colleagues/muted")
    assert 409 == (await marie.post("/doctors/marie/mute")).status_code


async def test_facts_and_words_stand_apart(house):
    """Each under its own heading, the facts first; what nobody checked is said to be so."""
    marie = await house.doctor("marie")
    page = await marie.text(ANNA)

    assert page.index("Verified") < page.index("Proof") < page.index("In their own words")
    assert page.index("In their own words") < page.index("Nobody has checked it.")


async def test_a_suggestion_says_why(house):
    """Whoever is suggested is so for a reason that stands beside the name; a search gives none."""
    marie = await house.doctor("marie")
    suggested, found = await marie.text("/colleagues"), await marie.text("/colleagues?specialty=cardiology")

    assert 'class="why"' in suggested
    assert 'class="why"' not in found


async def test_only_oneself_is_told_ones_numbers(house):
    """How many follow stands on the own page and on no other."""
    marie, leo = await house.doctor("marie"), await house.doctor("leo")

    assert re.search(r"\d+ doctors? follows? me", await marie.text("/doctors/marie"))
    assert not re.search(r"doctors? follows? me", await leo.text("/doctors/marie"))


@pytest.mark.parametrize("way", ["mute", "unmute", "block", "unblock", "remove", "reject"])
async def test_whoever_may_only_read_can_keep_others_away(house, monkeypatch, way):
    """Where a country lets students read and no more, they are as safe as anybody; they follow nobody for it."""
    marie = await house.doctor("marie")
    away = "/doctors/paul"
    assert 200 == (await marie.get(away)).status_code
    monkeypatch.setattr(standing, "RIGHTS", {**standing.RIGHTS, Role.SPECIALIST: frozenset({Action.READ})})

    answer = await marie.post(f"{away}/{way}")

    assert answer.status_code in ((303, 409) if way in ("remove", "reject") else (303,))
    assert 403 == (await marie.post(f"{away}/follow")).status_code
    assert 403 == (await marie.post(f"{away}/accept")).status_code
