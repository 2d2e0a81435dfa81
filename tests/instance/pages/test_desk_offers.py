"""What the desk offers is what it would let somebody do: the page asks the rule that refuses; and what it says is there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from instance.views import desk as shown
from tests.instance.dossiers.applying import ADMIN, LEA, RENE, RITA, RPPS, Applicant, refused
from tests.instance.pages.desk_house import Desk, open_desk, seen
from tests.instance.pages.house import Visitor
from verification.countries import Proof
from verification.grounds import Ground
from verification.people import StaffId


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The French desk at noon."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def a_doctor(desk: Desk) -> tuple[Applicant, str]:
    """Somebody verified, and the handle."""
    made, _ = await desk.applicant()
    await made.is_approved()
    return made, (await made.doctor(desk.place)).handle


async def acts(somebody: Visitor, handle: str) -> list[str]:
    """What the page of emergencies offers this administrator."""
    return re.findall(r'name="act" value="(\w+)"', await somebody.text(f"/desk/suspend?handle={handle}"))


async def two(somebody: Visitor, made: Applicant) -> list[str]:
    """What takes two and is offered on the page of the dossier."""
    return re.findall(rf'action="/desk/{made.id}/(confirm|lift|revoke|death)"', await somebody.text(f"/desk/{made.id}"))


def reasons(page: str, act: str) -> list[str]:
    """The reasons one can choose for an act."""
    chosen = re.search(rf'<select id="{act}-ground".*?</select>', page, re.DOTALL)
    return [] if chosen is None else [each for each in re.findall(r'value="([a-z_]*)"', chosen[0]) if each]


async def test_a_second_administrator_is_not_offered_what_a_reviewer_must_agree_to(desk: Desk) -> None:
    """Of a revocation one of two is a reviewer: the form is not there, and one made by hand is refused."""
    made, handle = await a_doctor(desk)
    ada, alan = await desk.staff("ada", "administrator"), await desk.staff("alan", "administrator")
    form = {"handle": handle, "act": "revoke", "ground": "struck_off"}
    before = await acts(alan, handle)
    first = await ada.post("/desk/suspend", **form, seen=str((await made.file()).version))
    after = await acts(alan, handle)
    by_hand = await alan.post("/desk/suspend", **form, seen=str((await made.file()).version))

    assert ["suspend", "revoke"] == before
    assert 303 == first.status_code
    assert ["suspend"] == after
    assert 409 == by_hand.status_code
    assert "approved" == (await made.file()).dossier.state


async def test_a_reviewer_is_offered_it_for_the_reason_that_was_given(desk: Desk) -> None:
    """The twin: with an administrator's proposal the page has that one reason, and it is carried out."""
    made, handle = await a_doctor(desk)
    ada, rita = await desk.staff("ada", "administrator"), await desk.staff("rita", "reviewer")
    form = {"handle": handle, "act": "revoke", "ground": "struck_off"}
    await ada.post("/desk/suspend", **form, seen=str((await made.file()).version))
    page = await rita.text(f"/desk/{made.id}")
    done = await rita.post(f"/desk/{made.id}/revoke", seen=seen(page), ground="struck_off")

    assert ["struck_off"] == reasons(page, "revoke")
    assert 303 == done.status_code
    assert "revoked" == (await made.file()).dossier.state


async def test_who_suspended_is_not_offered_to_confirm_it(desk: Desk) -> None:
    """A second administrator is; the twin to it is the first."""
    made, handle = await a_doctor(desk)
    ada, alan = await desk.staff("ada", "administrator"), await desk.staff("alan", "administrator")
    form = {"handle": handle, "act": "suspend", "ground": "authority_letter"}
    await ada.post("/desk/suspend", **form, seen=str((await made.file()).version))

    assert ["lift", "revoke"] == await acts(ada, handle)
    assert ["confirm", "lift", "revoke"] == await acts(alan, handle)


async def test_somebody_near_is_shown_the_proposal_and_not_offered_to_agree(desk: Desk) -> None:
    """Appointed by whoever proposed: told what waits and by whom, without the form that would be refused."""
    made, handle = await a_doctor(desk)
    ada, rene = await desk.staff("ada", "administrator"), await desk.staff("rene", "reviewer")
    nina = await desk.staff("nina", "reviewer", inviter="ada")
    form = {"handle": handle, "act": "revoke", "ground": "struck_off"}
    await ada.post("/desk/suspend", **form, seen=str((await made.file()).version))
    page = await nina.text(f"/desk/{made.id}")
    version = str((await made.file()).version)
    by_hand = await nina.post(f"/desk/{made.id}/revoke", seen=version, ground="struck_off")

    assert ["revoke", "death"] == await two(rene, made)
    assert ["death"] == await two(nina, made)
    assert "ada proposed on" in re.sub("<[^>]+>", "", page)
    assert 403 == by_hand.status_code
    assert "approved" == (await made.file()).dossier.state


NEAR_RITA = frozenset({RITA.id})


@pytest.mark.parametrize("proposed", [None, "revoke", "report_death", "suspend"])
@pytest.mark.parametrize(
    "actor", [RITA, RENE, LEA, ADMIN, replace(RENE, near=NEAR_RITA), replace(ADMIN, near=NEAR_RITA)]
)
async def test_what_is_offered_is_what_is_done(desk: Desk, proposed: str | None, actor: object) -> None:
    """What is offered is accepted by the service (of several the first is carried out); everything else is refused."""
    made, _ = await a_doctor(desk)
    ground = {"revoke": (Ground.STRUCK_OFF,), "suspend": (Ground.AUTHORITY_LETTER,), "report_death": (), None: ()}
    if proposed is not None:
        by = replace(ADMIN, id=StaffId("staff-7")) if proposed == "suspend" else RITA
        await made.does(proposed, *ground[proposed], by=by)
    file = await made.file()
    offered = shown.accepted(file.dossier, actor, desk.node.clock())  # type: ignore[arg-type]
    tried = {("death", ""), ("confirm", "")} | {
        (act, each.value) for act in ("suspend", "lift", "revoke") for each in Ground
    }
    wanted = {(act, each) for act, grounds in offered.items() for each in grounds or ("",)}

    async def does(act: str, reason: str) -> object:
        service = getattr(desk.node.dossiers, "report_death" if act == "death" else act)
        return await service(made.id, actor, *((Ground(reason),) if reason else ()), seen=file.version)

    assert wanted <= tried
    for act, reason in sorted(tried - wanted):
        assert await refused(does(act, reason))
    for act, reason in sorted(wanted)[:1]:
        assert (await made.file()).version == file.version
        assert await does(act, reason) is not None


NOTHING = "No page to show"
NUMBER = "A register number comes without a document"


async def test_a_register_number_is_no_missing_page(desk: Desk) -> None:
    """What has no document by its kind is said to have none; no page is spoken of that could be there."""
    made = await Applicant.begins(desk.node)
    await made.shows(Proof.REGISTER_NUMBER, number_kind="rpps", number=RPPS)
    await made.does("submit")
    rita = await desk.staff("rita", "reviewer")
    page = await rita.text(f"/desk/{made.id}")

    assert (True, False) == (NUMBER in page, NOTHING in page)


async def test_a_deed_without_its_page_is(desk: Desk) -> None:
    """The twin: one that was handed in without a document, and one whose document is destroyed; not one that is shown."""
    bare = await Applicant.submits(desk.node, "luc", name="Dr Luc Marin", birth_date=None)
    made, file = await desk.applicant()
    rita = await desk.staff("rita", "reviewer")
    with_page = await rita.text(f"/desk/{made.id}")
    await desk.node.evidence.destroy(file, "request")
    pages = [await rita.text(f"/desk/{each.id}") for each in (bare, made)]

    assert [(False, False), (True, False), (True, False)] == [
        (NOTHING in page, NUMBER in page) for page in (with_page, *pages)
    ]
