"""Campaigns and what is late at the pages of the desk: who proposes, who starts, what is counted, what is refused."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.instance.dossiers.applying import Applicant
from tests.instance.pages.desk_house import Desk, open_desk
from tests.instance.pages.house import Visitor
from tests.town import PASSWORD
from verification.moves import State

NEW = "/desk/campaigns/new"
COHORT = {"count": "1", "country": "FR", "rank": "E3"}
PROPOSAL = {**COHORT, "ground": "spot_check", "days": "30"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The French desk at noon."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def text_of(answer: Any) -> str:
    """The text of an answer."""
    return str(await answer.get_data(as_text=True))


async def verified(desk: Desk, login: str = "eliane", **changes: Any) -> Applicant:
    """Somebody whom Rita and René have approved on a licence deed."""
    made = await Applicant.submits(desk.node, login, **changes)
    await made.is_approved()
    return made


async def proposed(lead: Visitor, **changes: str) -> str:
    """Propose a campaign; return the path of its page."""
    answer = await lead.post(NEW, **PROPOSAL | changes)
    assert 303 == answer.status_code, await text_of(answer)
    return str(answer.headers["Location"])


async def codes(answer: Any) -> tuple[int, list[str]]:
    """The status of an answer, and the codes of its mistakes."""
    return answer.status_code, re.findall(r"<code>\((\w+)\)</code>", await text_of(answer))


# ── two people ──


async def test_a_lead_proposes_and_a_second_person_starts(desk: Desk) -> None:
    """Counted before, told within the next round of the calendar, followed by numbers as they are now."""
    member = await verified(desk)
    lea, rita = await desk.staff("lea", "lead"), await desk.staff("rita", "reviewer")
    counted = await lea.text(f"{NEW}?count=1&country=FR&rank=E3")
    path = await proposed(lea)
    waits, offered = await lea.text(path), await rita.text(path)
    started = await rita.post(f"{path}/start")
    running = await rita.text(path)
    await desk.node.dossiers.tick()
    told, listed = await rita.text(path), await lea.text("/desk/campaigns")

    assert "1 doctor is meant now." in counted
    assert "a second person starts it" in waits
    assert f'action="{path}/start"' not in waits
    assert f'action="{path}/start"' in offered
    assert 303 == started.status_code
    assert "Members are being told now" in running
    assert "1 still to come" in told
    assert "1 still to come" in listed
    assert "Members are being told now" not in told
    assert State.REVERIFY_DUE is (await member.file()).dossier.state


async def test_a_member_reads_why_and_by_when(desk: Desk) -> None:
    """The own page of the application says it for every reason a campaign can have."""
    member, rita = await verified(desk), await desk.staff("rita", "reviewer")
    lea = await desk.staff("lea", "lead")
    account, shown = desk.house.visitor(), []
    for ground in ("spot_check", "evidence_in_doubt", "reviewer_in_doubt", "authority_letter"):
        path = await proposed(lea, ground=ground)
        assert 303 == (await rita.post(f"{path}/start")).status_code
        await desk.node.dossiers.tick()
        shown.append((await desk.node.dossiers.notices(member.account))[0].grounds[0].value)
    await account.get("/sign-in")
    await account.post("/sign-in", login="eliane", password=PASSWORD)
    page = await account.text("/application")

    assert ["spot_check", "evidence_in_doubt", "reviewer_in_doubt", "authority_letter"] == shown
    assert 4 == page.count("Votre vérification est réexaminée.")
    assert "Cela ne dit rien de vous." in page


# ── what is refused ──


async def test_the_same_person_does_not_start_it(desk: Desk) -> None:
    """Nor once more somebody, nor whoever comes a week later; the code stands on the page."""
    await verified(desk)
    lea, rita = await desk.staff("lea", "lead"), await desk.staff("rita", "reviewer")
    path, other = await proposed(lea), await proposed(lea)
    alone = await codes(await lea.post(f"{path}/start"))
    first = await rita.post(f"{path}/start")
    again = await codes(await rita.post(f"{path}/start"))
    desk.move(days=8)
    rose = await desk.staff("rose", "reviewer")
    late = await codes(await rose.post(f"{other}/start"))

    assert (403, ["same_person"]) == alone
    assert 303 == first.status_code
    assert (409, ["no_such_move"]) == again
    assert (409, ["no_such_move"]) == late
    assert "Not started in time" in await rose.text(other)


async def test_who_is_in_question_neither_proposes_nor_starts(desk: Desk) -> None:
    """A reviewer whose decisions it is about has no part in it; the own votes cannot be chosen."""
    member = await Applicant.submits(desk.node)
    rita, lea = await desk.staff("rita", "reviewer"), await desk.staff("lea", "lead")
    by = [await desk.actor("rita"), await desk.actor("lea")]
    await member.does("take", by=by[0])
    for each in by:
        await member.is_voted(each)
    form = await lea.text(NEW)
    path = await proposed(lea, reviewer=by[0].id)

    assert f'value="{by[0].id}"' in form
    assert f'value="{by[1].id}"' not in form
    assert (403, ["not_yours"]) == await codes(await rita.post(f"{path}/start"))
    assert "your own decisions are in question" in await rita.text(path)


async def test_a_reviewer_proposes_none_and_another_country_sees_none(desk: Desk) -> None:
    """403 without the role of a lead; 404 for a campaign of another country, also to start it."""
    await verified(desk)
    lea, rita = await desk.staff("lea", "lead"), await desk.staff("rita", "reviewer")
    greta = await desk.staff("greta", "lead", country="DE")
    path = await proposed(lea)
    listed = await greta.text("/desk/campaigns")

    assert [403, 403] == [(await rita.get(NEW)).status_code, (await rita.post(NEW, **PROPOSAL)).status_code]
    assert [404, 404] == [(await greta.get(path)).status_code, (await greta.post(f"{path}/start")).status_code]
    assert path not in listed
    assert "1 doctor is meant" not in await greta.text(f"{NEW}?count=1&country=FR&rank=E3")
    assert (422, ["nobody_in_cohort"]) == await codes(await greta.post(NEW, **PROPOSAL))


@pytest.mark.parametrize(
    ("changes", "code", "anchor"),
    [
        ({"rank": ""}, "empty_cohort", "cohort"), ({"rank": "E1"}, "nobody_in_cohort", "cohort"),
        ({"since": "yesterday"}, "bad_day", "since"), ({"until": "2026-02-31"}, "bad_day", "until"),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "bad_period", "until"),
        ({"days": "6"}, "bad_deadline", "days"), ({"days": "61"}, "bad_deadline", "days"),
        ({"days": "²"}, "bad_deadline", "days"), ({"ground": ""}, "bad_ground", "propose-ground"),
        ({"ground": "own_wish"}, "bad_ground", "propose-ground"), ({"reviewer": "staff-99", "rank": ""}, "empty_cohort", "cohort"),
    ],
)  # fmt: skip
async def test_what_cannot_be_proposed_is_said_at_its_field(
    desk: Desk, changes: dict[str, str], code: str, anchor: str
) -> None:
    """Nothing is written, and what was typed stands there again."""
    await verified(desk)
    lea = await desk.staff("lea", "lead")
    refused = await lea.post(NEW, **PROPOSAL | changes)
    page = await text_of(refused)

    assert (422, [code]) == await codes(refused)
    assert f'href="#{anchor}"' in page
    assert f'id="{anchor}"' in page
    assert "No campaign so far." in await lea.text("/desk/campaigns")


async def test_counting_says_what_is_wrong_and_changes_nothing(desk: Desk) -> None:
    """An address that names nobody, or no day, is a page with its mistake; nothing is refused before it is asked."""
    await verified(desk)
    lea = await desk.staff("lea", "lead")
    blank, empty = await lea.text(NEW), await lea.text(f"{NEW}?count=1")
    nobody, past = await lea.text(f"{NEW}?count=1&rank=E1"), await lea.text(f"{NEW}?count=1&until=2026-11-22")
    today = await lea.text(f"{NEW}?count=1&since=2026-11-23&until=2026-11-23")

    assert 'id="mistakes"' not in blank
    assert "(empty_cohort)" in empty
    for page in (nobody, past):
        assert "0 doctors are meant now." in page
        assert 'name="ground"' not in page
    assert "1 doctor is meant now." in today


async def test_proposing_and_starting_ask_for_a_factor_again(desk: Desk) -> None:
    """Six minutes later the form comes back with all it held, every tick of it; with a code it is carried out."""
    await verified(desk)
    lea, rita = await desk.staff("lea", "lead"), await desk.staff("rita", "reviewer")
    desk.move(minutes=6)
    form = PROPOSAL | {"kind": ["diploma", "registration"]}
    asked = await lea.post(NEW, **form)
    text = await text_of(asked)
    done = await lea.post(NEW, **form, factor_code=desk.code("lea"))
    path = str(done.headers["Location"])
    unproved = await rita.post(f"{path}/start")
    started = await rita.post(f"{path}/start", factor_code=desk.code("rita"))

    assert (403, 303) == (asked.status_code, done.status_code)
    assert re.findall(r'name="kind" value="(\w+)"', text) == ["diploma", "registration"]
    assert (403, 303) == (unproved.status_code, started.status_code)


# ── what is late ──


async def test_what_is_late_is_listed_by_country(desk: Desk) -> None:
    """With counts; a reviewer of one country sees that one alone, and no content of the network."""
    waiting = await Applicant.submits(desk.node)
    abroad = await Applicant.submits(desk.node, "luc", name="Dr Luc Marin", country="DE")
    desk.move(days=3)
    rita, greta = await desk.staff("rita", "reviewer"), await desk.staff("greta", "lead", country="DE")
    own, other = await rita.text("/desk/overdue"), await greta.text("/desk/overdue?country=FR&list=nonsense&after=<b>")

    assert "Waits too long (1)" in own
    assert waiting.id in own
    assert abroad.id not in own
    assert abroad.id in other
    assert waiting.id not in other
    assert "<b>" not in other


async def test_a_draft_is_nobodys_to_look_at(desk: Desk) -> None:
    """What is not handed in is not there, by whatever address."""
    made = await Applicant.begins(desk.node)
    rita = await desk.staff("rita", "reviewer")
    before = [(await rita.get(f"/desk/{made.id}")).status_code, (await rita.post(f"/desk/{made.id}/take")).status_code]
    await made.shows()
    await made.does("submit")

    assert [404, 404] == before
    assert 200 == (await rita.get(f"/desk/{made.id}")).status_code


async def test_a_long_queue_is_read_page_by_page(desk: Desk) -> None:
    """Fifty on a page, all of them counted, each once; the filters stay on the way."""
    for number in range(53):
        await Applicant.submits(
            desk.node, f"a{number}", name=f"Dr Luc {chr(97 + number % 26)}{number // 26 * 'x'}marin"
        )
    rita = await desk.staff("rita", "reviewer")
    first = await rita.text("/desk?kind=application")
    onward = re.search(r'href="(/desk\?[^"]*after=[^"]+)"', first)
    assert onward is not None
    second = await rita.text(onward[1].replace("&amp;", "&"))
    seen = [re.findall(r'class="card-title"><a href="/desk/(d-\w+)"', page) for page in (first, second)]

    assert "53 lines wait for you" in first
    assert "Lines 51 to 53 of 53" in second
    assert "kind=application" in onward[1]
    assert [50, 3] == [len(page) for page in seen]
    assert 53 == len({*seen[0], *seen[1]})


async def test_colleagues_are_named_and_findings_closed_once_it_is_decided(desk: Desk) -> None:
    """History and votes say who by the name colleagues know; nothing is ticked any more after the review."""
    made = await Applicant.submits(desk.node)
    rita, rene = await desk.staff("rita", "reviewer"), await desk.staff("rene", "reviewer")
    by = [await desk.actor("rita"), await desk.actor("rene")]
    await made.does("take", by=by[0])
    open_page = await rita.text(f"/desk/{made.id}")
    for each in by:
        await made.is_voted(each)
    page = await rene.text(f"/desk/{made.id}")
    piece = (await made.file()).pieces[0].id
    late = await rene.post(f"/desk/{made.id}/findings", piece=piece, same_name="1")

    assert 404 == late.status_code
    assert f'action="/desk/{made.id}/findings"' in open_page
    assert f'action="/desk/{made.id}/findings"' not in page
    assert "Round 1, rita: Approve" in page
    assert by[0].id.lower() not in page


async def test_what_was_only_proposed_is_not_called_done(desk: Desk) -> None:
    """The first of two reads that it is proposed, the second that it is done."""
    made = await verified(desk)
    said = []
    for login in ("rita", "rose"):
        somebody = await desk.staff(login, "lead")
        page = await somebody.text(f"/desk/{made.id}")
        version = re.search(r'name="seen" value="(\d+)"', page)
        assert version is not None
        await somebody.post(f"/desk/{made.id}/revoke", seen=version[1], ground="struck_off")
        said.append(re.findall(r'class="saved" role="status">([^<]+)<', await somebody.text(f"/desk/{made.id}")))

    assert "Proposed." in said[0][0]
    assert ["The recognition is revoked."] == said[1]
