"""The page of deliveries: how far behind each sibling is and why; tried now and sent again, by administrators alone."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from federation.ports import Answer, Delivery
from instance.ids import new_ulid
from instance.views import deliveries as view
from tests.instance.pages.desk_house import ROLES, Desk, open_desk
from tests.network.expelling import expels
from tests.tools.docs_parts import page_routes
from tests.town import PASSWORD, Person, rows

PATH = "/administration/deliveries"
LANE = PATH + "/de.example"
DE, FR = "https://de.example", "https://fr.example"
ROUTES = [(rule, method) for rule, methods, _ in page_routes() if rule.startswith(PATH) for method in methods]
SECRET = "Syncope after exercise"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """France, which lists Germany and is listed there; Germany is away."""
    opened = await open_desk(tmp_path, origin=FR)
    german = await opened.network.add(tmp_path, "de")
    await opened.place.admits(german)
    await german.admits(opened.place)
    await opened.network.settle()
    opened.network.down.add("de")
    yield opened
    await opened.network.close()


async def waits(desk: Desk, number: int = 1) -> Person:
    """A doctor whose cases wait for Germany, after a first try."""
    marie = await desk.place.doctor("marie")
    await desk.network.settle()
    for _ in range(number):
        await marie.posts(SECRET)
    await desk.network.settle()
    return marie


async def dies(desk: Desk, code: str = "made_up", most: int = 1_000, origin: str = DE) -> list[str]:
    """Let whatever waits be refused for good; the ids."""
    queue = desk.node.queue
    found: list[Delivery] = list(await queue.next(origin, desk.node.clock(), most))
    for each in found:
        queue.dead(each, code, Answer(400, code), desk.node.clock())
    await queue.flush()
    return [each.id for each in found]


async def states(desk: Desk) -> list[str]:
    """The states of everything of Germany that is not done."""
    found = await rows(desk.node, f"select state from deliveries where origin = '{DE}' and state <> 'done'")
    return sorted({row["state"] for row in found})


def words(page: str) -> str:
    """A page as it is read."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def mistakes(page: str) -> list[str]:
    """The codes on a page that refuses."""
    return re.findall(r"<li>[^<]*<code>\(([a-z_]+)\)</code>", page)


# ── who reaches it ──


async def test_administrators_reach_it_and_nobody_else(desk: Desk) -> None:
    """Every route with every role, with a doctor, and with whoever is not signed in; nothing is tried for them."""
    marie = await waits(desk)
    wrong = []
    for role in ROLES:
        somebody = await desk.staff(role, role)
        await somebody.get("/me")
        for rule, method in ROUTES:
            path = rule.replace("<authority>", "de.example").replace("<id>", new_ulid(desk.node.clock()))
            answer = await (somebody.get(path) if method == "GET" else somebody.post(path))
            if (answer.status_code != 403) != (role == "administrator"):
                wrong.append((role, method, rule, answer.status_code))
    doctor, stranger = desk.house.visitor(), desk.house.visitor()
    await doctor.post("/sign-in", login=marie.handle, password=PASSWORD)

    assert 5 == len(ROUTES)
    assert [] == wrong
    assert [403, 403] == [(await doctor.get(path)).status_code for path in (PATH, LANE)]
    assert [303, 303] == [(await stranger.get(path)).status_code for path in (PATH, LANE)]


@pytest.mark.parametrize("path", ["/try", "/letters", "/letters/01ARZ3NDEKTSV4RRFFQ69G5FAV"])
async def test_a_form_without_the_sessions_token_orders_nothing(desk: Desk, path: str) -> None:
    """403, and no act is on the record."""
    await waits(desk)
    ada = await desk.staff("ada", "administrator")
    answer = await ada.post(LANE + path, csrf="another")

    assert 403 == answer.status_code
    assert [] == await rows(desk.node, "select act from staff_acts where act in ('lane_tried', 'deliveries_retried')")


# ── what it shows ──


async def test_a_sibling_that_is_away_is_shown_with_its_lag_and_its_next_try(desk: Desk) -> None:
    """Queue, oldest, last success, tries in a row, the answer in words; nothing of what was written."""
    await waits(desk, 3)
    ada = await desk.staff("ada", "administrator")
    desk.move(seconds=5)
    page = words(await ada.text(PATH))
    whole = words(await ada.text(LANE))

    for each in (page, whole):
        assert re.search(r"Waiting [3-9] ", each)
        assert "not reached" in each
        assert "Last success" in each
        assert re.search(r"Failed tries in a row [1-9] since 23 November 2026, 13:00", each)
        assert re.search(r"Next try 23 November 2026, 13:00", each)
        assert "Last answer that was no success" in each
        assert SECRET not in each
        assert "Dr Marie" not in each
    assert "Everything else waiting: 3" in whole


async def test_dead_letters_follow_each_other_in_pages(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest first, each once, with code and sentence and the way to the message; no clinical text."""
    monkeypatch.setattr(view, "PER_PAGE", 3)
    await waits(desk, 5)
    ids = await dies(desk, "unknown_context")
    ada = await desk.staff("ada", "administrator")
    shown, path = [], LANE
    for _ in range(9):
        page = await ada.text(path)
        shown.append(re.findall(r'href="/administration/messages/(\w{26})"', page))
        assert SECRET not in page
        assert '<bdi class="said" dir="ltr">unknown_context</bdi>' in page
        if not (older := re.search(r'href="(\?after=\w+)"', page)):
            break
        path = LANE + older[1]

    assert sorted(ids, reverse=True) == [id for each in shown for id in each]
    assert {3} == {len(each) for each in shown[:-1]}


async def test_whoever_was_never_there_has_no_page(desk: Desk) -> None:
    """404, and for a letter that is not of this sibling too."""
    await waits(desk)
    [*_, last] = await dies(desk)
    ada = await desk.staff("ada", "administrator")

    assert 404 == (await ada.get(f"{PATH}/nobody.example")).status_code
    assert 404 == (await ada.post(f"{PATH}/nobody.example/letters/{last}")).status_code
    assert 404 == (await ada.post(f"{LANE}/letters/01ARZ3NDEKTSV4RRFFQ69G5FAV")).status_code
    assert ["dead"] == await states(desk)


# ── what it orders ──


async def test_trying_now_reaches_a_sibling_before_its_next_try(desk: Desk) -> None:
    """Its hour is not waited for; who gave the order is on the record and in the audit log, without a reason."""
    await waits(desk)
    ada = await desk.staff("ada", "administrator")
    desk.network.down.clear()
    await desk.network.settle()
    before = await states(desk)
    answer = await ada.post(LANE + "/try")
    await desk.network.settle()
    [act] = await rows(desk.node, "select by_whom, subject from staff_acts where act = 'lane_tried'")
    logged = await rows(desk.node, "select entry from audit where entry like '%lane.tried%'")

    assert (["waiting"], 303, []) == (before, answer.status_code, await states(desk))
    assert ((await desk.actor("ada")).id, DE) == (act["by_whom"], act["subject"])
    assert 1 == len(logged)
    assert "What waits there is being tried now." in await ada.text(LANE)


async def test_one_dead_letter_is_sent_again(desk: Desk) -> None:
    """That one and no other; pressed twice it is sent once."""
    await waits(desk, 2)
    ids = await dies(desk)
    ada = await desk.staff("ada", "administrator")
    desk.network.down.clear()
    answers = [(await ada.post(f"{LANE}/letters/{ids[-1]}")).status_code for _ in range(2)]
    await desk.network.settle()
    left = await rows(desk.node, "select id from deliveries where state = 'dead'")

    assert [303, 303] == answers
    assert ids[:-1] == sorted(row["id"] for row in left)


async def test_all_dead_letters_are_sent_again(desk: Desk) -> None:
    """And arrive."""
    await waits(desk, 3)
    await dies(desk)
    ada = await desk.staff("ada", "administrator")
    desk.network.down.clear()
    await ada.post(LANE + "/letters")
    await desk.network.settle()

    assert [] == await states(desk)
    assert [SECRET] * 3 == await desk.network["de"].titles()


@pytest.mark.parametrize("order", ["/try", "/letters", "/letters/{id}"])
async def test_nothing_is_tried_at_whoever_is_not_spoken_with(desk: Desk, order: str) -> None:
    """Paused, blocked, expelled: refused with a code, rows stay as they are, and no button offers it."""
    await waits(desk, 2)
    [id, *_] = await dies(desk, most=1)
    ada = await desk.staff("ada", "administrator")
    await desk.staff("ben", "administrator")
    desk.network.down.clear()
    seen = []
    for policy in ("pause", "read-only", "inherit"):
        if policy != "inherit":
            await desk.node.siblings.set_policy(DE, policy, by="test", reason="test", alone=True)
        else:
            await desk.node.siblings.set_policy(DE, policy, by="test", reason="test", alone=True)
            desk.network.down.add("de")
            await expels(desk.node)
        before = await rows(desk.node, "select id, state, attempts from deliveries order by id")
        answer = await ada.post(LANE + order.format(id=id))
        after = await rows(desk.node, "select id, state, attempts from deliveries order by id")
        page = await ada.text(LANE)
        seen.append((
            answer.status_code, mistakes(await answer.get_data(as_text=True)), list(map(tuple, before)) == list(map(tuple, after)),
            f'action="{LANE}' in page,
        ))  # fmt: skip

    assert [(409, ["deliveries_kept"], True, False)] * 3 == seen
    assert [] == await rows(desk.node, "select act from staff_acts where act in ('lane_tried', 'deliveries_retried')")


async def test_the_tab_leads_there(desk: Desk) -> None:
    """From every page of administration."""
    ada = await desk.staff("ada", "administrator")
    pages = [await ada.text(path) for path in ("/administration", "/administration/siblings", PATH, LANE)]

    assert [True] * 4 == [f'<a href="{PATH}"' in page for page in pages]
    assert [False, False, True, True] == [f'<a href="{PATH}" aria-current="page"' in page for page in pages]


async def test_a_count_that_was_cut_is_said_to_be_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least so many."""
    monkeypatch.setattr(view, "COUNTED", 2)
    await waits(desk, 4)
    page: Any = words(await (await desk.staff("ada", "administrator")).text(PATH))

    assert "Waiting at least 2" in page
