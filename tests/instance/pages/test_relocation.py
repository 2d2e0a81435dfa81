"""Changing country on the pages: the old address named there, the new one here, and every step that is not let pass."""

from __future__ import annotations

import re

import pytest

from instance.app import make_app
from tests.instance.dossiers.applying import RITA, Applicant
from tests.instance.pages.house import Visitor
from tests.instance.pages.test_acting import doctor
from tests.instance.pages.test_saying import said
from tests.town import PASSWORD, Network, rows


async def shown(answer) -> str:  # type: ignore[no-untyped-def]
    """The text of an answer."""
    return re.sub(r"\s+", " ", await answer.get_data(as_text=True))


async def arrives(network: Network) -> Visitor:
    """Marie in Germany names the address she had in France."""
    there = await doctor(network, "de", "marie")
    await there.get("/me/move")
    answer = await there.post("/me/move/from", old="@Marie@fr.example")
    assert 303 == answer.status_code, await answer.get_data(as_text=True)
    return there


async def test_from_one_country_to_the_other_by_pages_alone(network):
    """Named there, asked here, looked at, confirmed with the own name: gone, signed out, and the page says where."""
    marie, leo = await doctor(network, "fr", "marie"), await doctor(network, "fr", "leo")
    await leo.get("/doctors/marie")
    await leo.post("/doctors/marie/follow")
    there = await arrives(network)
    named = await said(there, "/me/move")
    before = await marie.text("/me/move")
    asked = await marie.post("/me/move/to", new="marie@de.example")
    look = await shown(asked)
    gone = await marie.post("/me/move/leave", new="marie@de.example", handle="marie")
    await network.settle()

    assert ["The old address is named. Now sign in there and say that you go on here."] == named
    assert "@marie@fr.example" in before
    assert (200, True, True) == (asked.status_code, "Dr Marie" in look, "This cannot be undone." in look)
    assert "You have moved" in await shown(gone)
    assert '<a class="button" href="https://de.example/">' in await shown(gone)
    assert 'href="https://de.example/"' not in look
    assert 303 == (await marie.get("/feed")).status_code
    assert "has moved to" in await leo.text("/doctors/marie")
    assert "goes on at another instance. You asked to follow there." in await leo.text("/notices")
    assert [("https://de.example/doctors/marie", "accepted")] == [
        tuple(row)
        for row in await rows(
            network["de"].node, "select followee, state from follows where follower like '%fr.example/doctors/leo'"
        )
    ]


async def test_the_account_of_who_has_gone_opens_nothing_and_says_where(network):
    """She signs in again at the old place: no feed, no second move, a line that says where she goes on."""
    marie = await doctor(network, "fr", "marie")
    await arrives(network)
    await marie.get("/me/move")
    await marie.post("/me/move/leave", new="marie@de.example", handle="marie")
    again = Visitor(make_app(network["fr"].node).test_client())
    await again.post("/sign-in", login="marie", password=PASSWORD)

    assert "You go on at your new instance as @marie@de.example." in await shown(await again.get("/me"))
    assert [403, 403, 403] == [(await again.get(path)).status_code for path in ("/feed", "/me/move", "/write")]


@pytest.mark.parametrize(
    ("path", "form", "status", "code"),
    [
        ("/me/move/to", {"new": "marie@de.example"}, 422, "move_unclaimed"),
        ("/me/move/to", {"new": "nobody@de.example"}, 422, "doctor_unknown"),
        ("/me/move/to", {"new": "marie@nowhere.example"}, 422, "home_closed"),
        ("/me/move/to", {"new": "leo@fr.example"}, 422, "same_home"),
        ("/me/move/to", {"new": "marie"}, 422, "bad_address"),
        ("/me/move/to", {"new": ""}, 422, "bad_address"),
        ("/me/move/leave", {"new": "marie@de.example", "handle": "marie"}, 422, "move_unclaimed"),
        ("/me/move/from", {"old": "berta@de.example"}, 422, "move_other_name"),
        ("/me/move/from", {"old": "marie@fr.example"}, 422, "same_home"),
    ],
)
async def test_what_is_missing_is_said_at_the_field(network, path, form, status, code):
    """Nothing moves; what was typed stands there still, and the summary leads to it."""
    marie = await doctor(network, "fr", "marie")
    await doctor(network, "de", "marie")
    await doctor(network, "de", "berta")
    await marie.get("/me/move")
    answer = await marie.post(path, **form)
    page, (field, typed) = await shown(answer), next(iter(form.items()))

    assert status == answer.status_code
    assert f"<code>({code})</code>" in page
    assert f'<a href="#{field}">' in page
    assert f'name="{field}" value="{typed}"' in page
    assert 200 == (await marie.get("/feed")).status_code


async def test_a_slip_in_the_own_name_leaves_one_at_the_last_step(network):
    """The last look stands there still, with what was wrong at its field."""
    marie = await doctor(network, "fr", "marie")
    await arrives(network)
    await marie.get("/me/move")
    answer = await marie.post("/me/move/leave", new="marie@de.example", handle="mario")
    page = await shown(answer)

    assert 422 == answer.status_code
    assert "(other_handle)" in page
    assert 'id="handle-wrong"' in page
    assert 200 == (await marie.get("/feed")).status_code


async def test_going_takes_the_password_again(network):
    """Ten minutes later an open browser moves nobody: the page asks for the password, and carries the form on."""
    marie = await doctor(network, "fr", "marie")
    await arrives(network)
    await marie.get("/me/move")
    network.clock.move(minutes=10)
    asked = await marie.post("/me/move/leave", new="marie@de.example", handle="marie")
    still = await marie.get("/feed")
    await marie.get("/me/move")
    wrong = await marie.post("/me/move/leave", new="marie@de.example", handle="marie", factor_password="wrong")
    await marie.get("/me/move")
    right = await marie.post("/me/move/leave", new="marie@de.example", handle="marie", factor_password=PASSWORD)

    assert (403, 200) == (asked.status_code, still.status_code)
    assert 'name="new" value="marie@de.example"' in await shown(asked)
    assert "You have moved" not in await shown(wrong)
    assert "You have moved" in await shown(right)
    assert 303 == (await marie.get("/feed")).status_code


async def test_an_old_address_can_be_taken_back(network):
    """Then nobody can go on here any more."""
    marie, there = await doctor(network, "fr", "marie"), await arrives(network)
    page = await there.text("/me/move")
    answer = await there.post("/me/move/from/drop", alias="https://fr.example/doctors/marie")
    await marie.get("/me/move")
    asked = await marie.post("/me/move/to", new="marie@de.example")

    assert '<p class="handle">@marie@fr.example</p>' in page
    assert ["The old address is not named any more."] == await said(there, answer.headers["Location"])
    assert "(move_unclaimed)" in await shown(asked)


async def test_a_home_that_is_away_is_said(network):
    """Nothing is changed, and it says so."""
    marie = await doctor(network, "fr", "marie")
    await marie.get("/me/move")
    network.down.add("de")
    answer = await marie.post("/me/move/to", new="marie@de.example")

    assert (422, True) == (answer.status_code, "(home_away)" in await shown(answer))


# ── applying at the new place ──


async def applying(network: Network, elsewhere: str, name: str = "Dr Anna") -> Applicant:
    """Somebody who applies in France and says where they are verified already."""
    await doctor(network, "de", "anna")
    somebody = await Applicant.submits(network["fr"].node, name=name)
    await somebody.node.relocations.say_elsewhere(somebody.id, elsewhere)
    return somebody


async def test_what_the_sibling_says_supports_and_approves_nothing(network):
    """The reviewer sees that it holds, under the same name; the state of the dossier is what it was."""
    somebody = await applying(network, "anna@de.example")
    found = await somebody.node.relocations.support(somebody.id, "Dr Anna")

    assert found is not None
    assert (True, True, "specialist", "DE") == (found.holds, found.same_name, found.role, found.country)
    assert "submitted" == (await somebody.file()).dossier.state
    assert not (await somebody.node.dossiers.worth(somebody.id, RITA)).worth.verify_again_after


async def test_a_credential_elsewhere_is_no_evidence(network):
    """With an address alone nothing can be handed in."""
    await doctor(network, "de", "anna")
    somebody = await Applicant.begins(network["fr"].node)
    await somebody.node.relocations.say_elsewhere(somebody.id, "anna@de.example")
    with pytest.raises(Exception, match="no_evidence"):
        await somebody.does("submit")

    assert "draft" == (await somebody.file()).dossier.state


async def test_suspended_there_or_of_another_name_shows(network):
    """The twins: the answer of this moment, with the reason and the name as it is there."""
    somebody = await applying(network, "anna@de.example", "Dr Berta")
    other = await somebody.node.relocations.support(somebody.id, "Dr Berta")
    await network["de"].node.people.suspend("anna", "test", "test")
    network.clock.move(minutes=20)
    suspended = await somebody.node.relocations.support(somebody.id, "Dr Berta")

    assert other is not None
    assert suspended is not None
    assert (True, False) == (other.holds, other.same_name)
    assert (False, "suspended") == (suspended.holds, suspended.reason)
