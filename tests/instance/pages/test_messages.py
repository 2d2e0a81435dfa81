"""Why was this refused, as administrators see it: found by anything known of it, shown whole but for its body."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from federation.trail import Step
from instance.ids import first_ulid
from instance.times import to_ms
from instance.views import messages
from tests.instance.pages.desk_house import Desk, open_desk
from tests.network.expelling import expels
from tests.town import PASSWORD

PATH = "/administration/messages"
WHAT_IF = PATH + "/what-if"
DE = "https://de.example"
STRANGE = "https://evil.example/<script>alert(1)</script>\u202e"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A French instance that lists a German one."""
    opened = await open_desk(tmp_path)
    german = await opened.network.add(tmp_path, "de")
    await opened.place.admits(german)
    opened.move(minutes=1)
    yield opened
    await opened.network.close()


async def refusal(desk: Desk, back: timedelta = timedelta(0), **changes: Any) -> str:
    """Something that was refused so long ago; its id."""
    at = desk.node.clock() - back
    number = len(await desk.node.store.all("messages.find", **EVERYTHING))
    row = {
        "id": first_ulid(at)[:-4] + f"{number:04}", "at": to_ms(at), "direction": "in", "code": "bad_signature",
        "origin": DE, "key_id": f"{DE}/doctors/anna#main-key", "activity": f"{DE}/activities/a{number}",
        "rule": "BadSignature", "more": 0, "step": int(Step.SIGNATURE), "profile": "cavage-12", "type": "", "kind": "",
        "message": "", "head": "12 POST /inbox\nhost: fr.example\ncookie: (not kept)", **changes,
    }  # fmt: skip

    async def work(tx: Any) -> None:
        await tx.run("inbound.refusal", **row)

    await desk.node.store.write(work)
    return str(row["id"])


EVERYTHING = {
    "since": "",
    "until": "Z",
    "origin": "",
    "direction": "",
    "verdict": "",
    "code": "",
    "part": "",
    "most": 999,
}


async def taken(desk: Desk, number: int, kind: str = "case", **changes: Any) -> None:
    """Messages that came and were applied."""

    async def work(tx: Any) -> None:
        for each in range(number):
            at = desk.node.clock() - timedelta(hours=each)
            await tx.run("inbound.add", **{
                "id": first_ulid(at)[:-4] + f"9{each:03}", "actor": f"{DE}/doctors/anna", "type": "Create",
                "activity": f"{DE}/activities/{kind}{each}", "origin": DE, "key_id": f"{DE}/doctors/anna#main-key",
                "profile": "cavage-12", "body": b"", "now": to_ms(at), "state": "applied", "held_for": "",
                "applied_at": to_ms(at), "kind": kind, "head": "", "log_epoch": "", "log_number": 0,
                **changes,
            })  # fmt: skip

    await desk.node.store.write(work)


async def test_a_refusal_is_found_by_each_thing_known_of_it(desk: Desk) -> None:
    """Activity, part of an address, sibling, time, code, verdict, direction; and what does not fit is not shown."""
    ada = await desk.staff("ada", "administrator")
    id = await refusal(desk)
    asked = (
        f"text={quote(DE, safe='')}/activities/a0", "text=ANNA%23main", "sibling=de.example", f"sibling={DE}",
        "code=bad_signature", "verdict=refused", "direction=in", "from=2020-01-01T00:00", "to=2035-01-01T00:00", "",
    )  # fmt: skip
    other = (
        f"text={quote(DE, safe='')}/activities/other", "text=%25", "text=_", "sibling=it.example", "code=stale",
        "verdict=accepted", "direction=out", "to=2020-01-01T00:00",
    )  # fmt: skip

    assert [] == [each for each in asked if id not in await ada.text(f"{PATH}?{each}")]
    assert [] == [each for each in other if id in await ada.text(f"{PATH}?{each}")]


@pytest.mark.parametrize("asked", ["verdict=odd", "direction=up", "sibling=not a host", "from=yesterday", "to=1"])
async def test_what_cannot_be_meant_is_a_mistake(desk: Desk, asked: str) -> None:
    """422, the field named, what was typed still there; never everything instead."""
    ada = await desk.staff("ada", "administrator")
    id = await refusal(desk)
    answer = await ada.get(f"{PATH}?{quote(asked, safe='=')}")
    page = await answer.get_data(as_text=True)

    assert 422 == answer.status_code
    assert 'aria-invalid="true"' in page
    assert id not in page


async def test_pages_follow_each_other(desk: Desk) -> None:
    """Newest first, each once, with what was asked for kept."""
    ada = await desk.staff("ada", "administrator")
    ids = [await refusal(desk, timedelta(minutes=number)) for number in range(messages.PER_PAGE + 3)]
    first = await ada.text(f"{PATH}?code=bad_signature")
    after = first.rpartition("after=")[2].partition('"')[0]
    second = await ada.text(f"{PATH}?code=bad_signature&after={after}")

    assert [True] * messages.PER_PAGE + [False] * 3 == [f"{PATH}/{id}" in first for id in ids]
    assert [False] * messages.PER_PAGE + [True] * 3 == [f"{PATH}/{id}" in second for id in ids]
    assert "code=bad_signature&amp;after=" in first
    assert "Older messages" not in second


async def test_one_message_whole(desk: Desk) -> None:
    """Verdict and rule in words, key, domain, headers, what the list says; the way to what is related."""
    ada = await desk.staff("ada", "administrator")
    activity = f"{DE}/activities/same"
    id, other = await refusal(desk, activity=activity, more=4), await refusal(desk, activity=activity, code="stale")
    page = await ada.text(f"{PATH}/{id}")

    for part in (
        "Check 12 of the door: the signature holds.", "The signature does not hold or has a wrong form.",
        "and 4 more like it, only counted", f"{DE}/doctors/anna#main-key", activity, "POST /inbox", "cookie: (not kept)",
        "<dd>connected</dd>", f"{PATH}/{other}", f"{WHAT_IF}?origin=", "12 ms", "cavage-12",
    ):  # fmt: skip
        assert part in page, part


async def test_one_message_leads_to_its_sibling(desk: Desk) -> None:
    """To the page of whom it came from, and that page is there; whoever is on no list has none."""
    ada = await desk.staff("ada", "administrator")
    ours, strange = await refusal(desk), await refusal(desk, origin="https://es.example", code="not_a_sibling", step=7)
    page = await ada.text(f"{PATH}/{ours}")

    assert '<a class="button quiet" href="/administration/siblings/de.example">To the sibling</a>' in page
    assert 200 == (await ada.get("/administration/siblings/de.example")).status_code
    assert "/administration/siblings/" not in await ada.text(f"{PATH}/{strange}")


async def test_one_message_leads_to_a_sibling_that_was_expelled(desk: Desk) -> None:
    """What came from it, before or after, is explained by what is left of it."""
    ada = await desk.staff("ada", "administrator")
    id = await refusal(desk, code="not_a_sibling", step=7)
    await desk.staff("ben", "administrator")
    await expels(desk.node)
    page = await ada.text(f"{PATH}/{id}")

    assert "<dd>not on the list</dd>" in page
    assert 'href="/administration/siblings/de.example"' in page
    assert 200 == (await ada.get("/administration/siblings/de.example")).status_code


async def test_a_message_from_before_the_clock_was_set_back_is_found(desk: Desk) -> None:
    """Its id lies in the future; where nobody says until when it is found, and beyond a time that was named it is not."""
    ada = await desk.staff("ada", "administrator")
    id = await refusal(desk, -timedelta(days=400))

    assert id in await ada.text(PATH)
    assert id not in await ada.text(f"{PATH}?to=2027-06-01T00:00")


async def test_a_change_is_tried_on_messages_from_before_the_clock_was_set_back(desk: Desk) -> None:
    """What is counted is listed as well."""
    ada = await desk.staff("ada", "administrator")
    await taken(desk, 1, id=first_ulid(desk.node.clock() + timedelta(days=400)))
    page = await ada.text(f"{WHAT_IF}?origin={quote(DE, safe='')}&change=pause")

    assert "1 of 1 messages would have been" in page
    assert 1 == page.count('<span class="kind">accepted</span>')


async def test_the_standing_of_the_doctor_is_shown_where_it_was_the_reason(desk: Desk) -> None:
    """By address and code alone: no name."""
    marie = await desk.place.doctor("marie")
    ada = await desk.staff("ada", "administrator")
    id = await refusal(desk, code="suspended", step=17, key_id=f"{marie.uri}#main-key")
    page = await ada.text(f"{PATH}/{id}")

    assert f'<bdi class="said" dir="ltr">{marie.uri}</bdi><br>verified, may speak' in page
    assert "The doctor is suspended." in page


async def test_what_strangers_say_is_text(desk: Desk) -> None:
    """Escaped, apart in its own direction, in no attribute that leads anywhere else."""
    ada = await desk.staff("ada", "administrator")
    id = await refusal(
        desk, origin="https://evil.example", key_id=STRANGE, activity=STRANGE, code="<b>odd</b>", type="<i>"
    )
    for page in (await ada.text(PATH), await ada.text(f"{PATH}/{id}")):
        assert "<script>alert" not in page
        assert "<b>odd" not in page
        assert "<i>" not in page
        assert "evil.example/&lt;script&gt;" in page
        assert 'href="https://evil' not in page
        assert "The other side answered with a code of its own." in page
    assert "not on the list" in page


async def test_every_code_has_a_sentence(desk: Desk) -> None:
    """In three languages; a bare status and a code nobody knows have one as well."""
    assert ["bad_signature", "http", "other", ""] == [
        messages.sentence_of(code) for code in ("bad_signature", "http_502", "made_up", "")
    ]
    assert {
        "not_a_sibling",
        "revoked",
        "gave_up",
        "federation_list_expired",
        "issuer_suspended",
        "issuer_withdrawn",
        "pairing_over",
        "no_such_pairing",
        "other_fingerprint",
        "sibling_already",
    } <= set(messages.KNOWN_CODES)


async def test_an_unknown_message_is_missing(desk: Desk) -> None:
    """404, with its code."""
    ada = await desk.staff("ada", "administrator")

    assert 404 == (await ada.get(f"{PATH}/{'0' * 26}")).status_code


async def test_trying_a_change_changes_nothing(desk: Desk) -> None:
    """A pause on a week with messages: counted by day, listed, and the list is as it was."""
    ada = await desk.staff("ada", "administrator")
    await taken(desk, 30)
    await refusal(desk)
    before = await desk.node.store.all("siblings.all")
    page = await ada.text(f"{WHAT_IF}?origin={quote(DE, safe='')}&change=pause")

    assert "31 of 31 messages would have been decided otherwise." in page
    assert "The sibling is paused." in page
    assert "let through" in page
    assert 30 == page.count('<span class="kind">accepted</span>')
    assert '<svg class="chart two"' in page
    assert before == await desk.node.store.all("siblings.all")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("inherit", "0 of 14"), ("read-only", "0 of 14"), ("block", "14 of 14"), ("remove", "14 of 14"),
        ("kinds&kinds_in=case&kinds_out=case", "4 of 14"), ("kinds&kinds_in=case&kinds_in=question", "0 of 14"),
    ],
)  # fmt: skip
async def test_each_change_is_decided_as_the_door_does(desk: Desk, change: str, expected: str) -> None:
    """Ten cases and four questions came from Germany."""
    ada = await desk.staff("ada", "administrator")
    await taken(desk, 10)
    await questions(desk, 4)
    page = await ada.text(f"{WHAT_IF}?origin={quote(DE, safe='')}&change={change}")

    assert f"{expected} messages would have been" in page


async def questions(desk: Desk, number: int) -> None:
    """Questions, beside the cases."""
    desk.move(seconds=7)
    await taken(desk, number, "question")


async def test_a_stranger_is_tried_on_the_list(desk: Desk) -> None:
    """What was refused for the list would go on to the next checks; nobody says that it would be taken."""
    ada = await desk.staff("ada", "administrator")
    await refusal(desk, origin="https://es.example", code="not_a_sibling", step=7)
    await refusal(desk, origin="https://es.example", code="not_signed", step=5)
    page = await ada.text(f"{WHAT_IF}?origin=https://es.example&change=add")

    assert "1 of 2 messages would have been" in page
    assert "let on to the next checks" in page


@pytest.mark.parametrize(
    "asked",
    ["origin=https://es.example&change=pause", "origin=https://de.example&change=add", "origin=nonsense&change=pause",
     "origin=https://de.example&change=odd", "origin=https://de.example&change=kinds&kinds_in=odd"],
)  # fmt: skip
async def test_a_change_that_cannot_be_is_a_mistake(desk: Desk, asked: str) -> None:
    """422, and nothing is shown as if it had been tried."""
    ada = await desk.staff("ada", "administrator")
    answer = await ada.get(f"{WHAT_IF}?{asked}")

    assert 422 == answer.status_code
    assert "would have been decided" not in await answer.get_data(as_text=True)


@pytest.mark.parametrize("roles", [("reviewer",), ("lead",), ("dpo",), ("moderator",), ("governor",)], ids="-".join)
@pytest.mark.parametrize("path", [PATH, WHAT_IF, PATH + "/one"])
async def test_nobody_else_sees_it(desk: Desk, roles: tuple[str, ...], path: str) -> None:
    """403 for whoever works here in another part."""
    somebody = await desk.staff("otto", *roles)

    assert 403 == (await somebody.get(path)).status_code


async def test_neither_doctors_nor_strangers_see_it(desk: Desk) -> None:
    """Being verified is no part in the administration; who is not signed in is led to sign in."""
    await desk.place.doctor("marie")
    marie = desk.house.visitor()
    await marie.post("/sign-in", login="marie", password=PASSWORD)

    assert [403] * 3 == [(await marie.get(path)).status_code for path in (PATH, WHAT_IF, PATH + "/one")]
    assert 303 == (await desk.house.visitor().get(PATH)).status_code
